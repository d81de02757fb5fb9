/* monitor.h - the per-container process, seen from the daemon, and the protocol to it.
 *
 * corten-monitor is the parent of a container: it makes the rootfs mount, calls the runtime as a
 * library, holds stdio and pty, writes logs, serves attach, wait and exec on clients' sockets that
 * the daemon gives away, runs the stop grace period, records the exit. It survives the daemon.
 *
 * Volatile state, under <run-root>/container/<id>/ (made by the daemon, mode 0700):
 *   monitor.sock  SEQPACKET socket; every new daemon dials it, the newest connection wins
 *   exit          exit record (JSON: code, time, oom, execs), written only while no daemon is there
 *                 to acknowledge; the next daemon reads it first and removes it
 *   hosts, hostname, resolv.conf   written by container/
 * Protocol: monitor/protocol.h (numbered, append-only); messages of loop/msg.h.
 *
 * Exit before EOF: streams and waiters are answered only after the exit was acknowledged by the
 * daemon (monitor_ack_exit) or, when the daemon is away, recorded in `exit`. An exec's stream
 * additionally waits up to 10 s for a daemon to come back, because clients ask it for the exit code
 * after EOF.
 *
 * Thread: monitor_bear/monitor_spawn/monitor_dial block (pool thread or start-up); everything else:
 * loop. Tests: test/unit/monitor (protocol, recordings), test/kernel/monitor-*.c (real containers).
 */
#pragma once
#include "http/http.h"
#include "logs/logs.h"
#include "loop/msg.h"
#include "runtime/runtime.h"
#include "spec/method_result.h"

/* A client's socket that the monitor shall serve; http_take made it. */
struct monitor_client {
    struct http_taken *taken; /* consumed: fd closed in this process, early bytes freed */
    const char *content_type; /* of the hijack head: raw-stream or multiplexed-stream */
    bool head_sent; /* the daemon has written the head already (client came before start) */
};
struct monitor_attach {
    bool in, out, err;       /* streams wanted */
    const char *detach_keys; /* "" or NULL: the default ctrl-p,ctrl-q */
};
enum monitor_wait_for { MONITOR_WAIT_EXIT, MONITOR_WAIT_REMOVED };

/* --- health ----------------------------------------------------------------------------------- */

/* What is asked, how often, and what follows. The clock is the monitor's and goes on while the
 * daemon is away. Probes but EXEC need no process in the container: the monitor connects from
 * within its network namespace, or looks at a file below its root. */
enum monitor_probe {
    MONITOR_PROBE_NONE, /* no checks */
    MONITOR_PROBE_EXEC, /* exit status 0 is healthy; everything it started is killed at its end */
    MONITOR_PROBE_HTTP, /* GET: a status of 200 to 399 is healthy */
    MONITOR_PROBE_TCP,  /* a connection that is accepted is healthy */
    MONITOR_PROBE_FILE, /* exists, and was changed within max_age */
};
enum monitor_action { /* when it becomes unhealthy; the daemon sees to what follows the exit */
                      MONITOR_ACTION_NONE,
                      MONITOR_ACTION_RESTART,
                      MONITOR_ACTION_STOP,
                      MONITOR_ACTION_KILL,
};
enum monitor_health_status { MONITOR_STARTING, MONITOR_HEALTHY, MONITOR_UNHEALTHY };
struct monitor_health {
    enum monitor_probe probe;
    struct str process;  /* EXEC: OCI process object; runs as the container's user */
    const char *address; /* HTTP, TCP: numeric */
    unsigned port;
    const char *path; /* HTTP: of the request; FILE: absolute */
    int64_t max_age;  /* FILE: ns, 0: any */
    int64_t interval, timeout, start_period, start_interval; /* ns */
    int64_t retries;
    enum monitor_action action;
    int stop_signo; /* of RESTART and STOP */
    int64_t stop_timeout;
};
#define MONITOR_HEALTH_RESULTS 5    /* kept, as the peer */
#define MONITOR_HEALTH_OUTPUT 4096u /* bytes of each, as the peer */
struct monitor_health_result {
    int64_t start, end; /* wall ns */
    int code;           /* -1: timed out or could not be run */
    struct str output;
};
struct monitor_health_state {
    enum monitor_health_status status;
    int64_t streak;                                               /* failures in a row */
    struct monitor_health_result results[MONITOR_HEALTH_RESULTS]; /* oldest first */
    size_t results_n;
};

/* --- methods (docs/lifecycle.md) ---------------------------------------------------------------
 */

/* One that the container has. The clock is the monitor's and goes on while the daemon is away. */
struct monitor_method {
    const char *name;
    struct str process;                      /* OCI process object */
    const char *user;                        /* as monitor_start.user; "": the container's */
    const char *refused;                     /* "": may run; else why not: told as its result */
    int64_t timeout, interval, start_period; /* ns; interval 0: none */
    bool at_start;    /* runs when the container has started, again until it is good once, within
                         start_period; after that every interval */
    unsigned reading; /* enum lifecycle_reading */
    enum monitor_action action; /* when a scheduled run fails */
    int stop_signo;             /* of RESTART and STOP */
    int64_t stop_timeout;
};

#define MONITOR_KEEPS_MAX 32

/* Sockets of published ports (network/network.h), held while the container lives; borrowed. */
struct monitor_ports {
    const int *held_fds; /* bound; nobody reads them */
    size_t held_n;
    const int *relay_fds; /* corten-relay's, handed to it again and again */
    size_t relay_n;
    struct str relay_lines;    /* a line for each */
    const char *relay_path;    /* its socket; NULL: there is no relay */
    const char *relay_address; /* where the ports lead to; "": nowhere; NULL: as it was */
};

struct monitor_start {
    const char *id;
    int run_dir_fd;    /* <run-root>/container/<id>, borrowed */
    struct str config; /* OCI config.json text */
    /* rootfs: an overlay of layers (short names below layers_dir_fd, top first) + upper + work
     * (directories below data_dir_fd, "upper" and "work"). read_only_root is in config. */
    int layers_dir_fd, data_dir_fd;
    const char *const *layers;
    size_t layers_n;
    int netns_fd; /* joined; -1: as config says */
    int init_fd;  /* corten-init, PID 1 of the container; 0 or -1: none */
    int shm_fd;   /* detached tree for a mount with the source "fd:0"; 0 or -1: none */
    /* Detached trees for mounts with the sources "fd:1", "fd:2" …; borrowed. */
    const int *trees;
    size_t trees_n;
    /* Volumes that are mounts, by name: held while the container lives, given to the next daemon
     * in monitor_hello. Borrowed. */
    const struct monitor_keep {
        char *name;
        int fd;
    } * keeps;
    size_t keeps_n; /* at most MONITOR_KEEPS_MAX */
    int seccomp_fd; /* raw BPF for config.linux.seccomp == default; -1: none */
    struct monitor_ports ports;
    /* corten-dns (network/network.h, "names"): its socket and those made for it; NULL: none. */
    const char *names_path;
    int names_fds[2];
    /* monitor_tell comes first: netns_fd, ports and names_fds are read by monitor_spawn only, while
     * the monitor makes what needs no network. */
    bool network_follows;
    /* User as the API says it ("", "name", "uid", "name:group", "uid:gid") and extra groups:
     * resolved by the monitor against /etc/passwd and /etc/group of the rootfs (bounded, openat2),
     * then put into process.user; HOME is added to the environment when unset. */
    const char *user;
    const char *const *groups;
    size_t groups_n;
    /* stdio */
    bool terminal, open_stdin, stdin_once;
    /* log */
    const char *log_driver; /* "json-file", "none" */
    int log_dir_fd;         /* directory of the log files; -1 for none */
    const char *log_name;   /* file name in it: "<id>-json.log" */
    int64_t log_max_size;   /* bytes per file, -1: unbounded */
    int log_max_file;
    struct str log_attrs;   /* logs_attributes; empty: none */
    int64_t log_max_buffer; /* > 0: mode=non-blocking */
    /* Absolute path of corten-compress: rotated files are compressed; NULL: they are not. */
    const char *log_packer;
    /* behaviour */
    bool auto_remove; /* keep `removed` waiters until monitor_removed */
    /* What is mounted in the container is of no concern to anybody else: the monitor keeps it until
     * the end has been told, so that nobody waits for what the kernel does to take it down (with an
     * overlay that is a sync of the whole file system below). See monitor_await. */
    bool hold_mounts;
    struct monitor_health health;
    const struct monitor_method *methods;
    size_t methods_n;
    /* Clients that came before the start, in order. */
    struct monitor_prestart {
        struct monitor_client client;
        bool is_wait;
        struct monitor_attach attach;
        enum monitor_wait_for wait;
    } * prestart;
    size_t prestart_n;
};
struct monitor_started {
    int conn; /* message socket, for monitor_new */
    pid_t monitor_pid;
    pid_t pid;           /* container init, host view */
    uint64_t start_time; /* of init, /proc/PID/stat field 22 */
    int64_t started_at;  /* wall ns */
};
/* A monitor's process that knows nothing yet: it loads while its parent makes what the start needs,
 * or was made ahead for a start to come, and ends by itself when the parent does. Its second word
 * (ps) is the container's id from the start on, MONITOR_NOBODY before. */
struct monitor_born {
    int conn, pidfd; /* -1: none */
    pid_t pid;
    bool told; /* by monitor_tell */
};
#define MONITOR_UNBORN ((struct monitor_born){-1, -1, 0, false})
#define MONITOR_NOBODY "----------------------------------------------------------------"
/* program: absolute path of corten-monitor; program_fd: the same from mount_readonly_program,
 * borrowed (0 or -1: made here); cgroup: where it is born, NULL: the caller's. Blocks. */
struct cgroup;
struct err monitor_bear(const char *program, int program_fd, const struct cgroup *cgroup,
                        struct monitor_born *ret);
/* With network_follows: tells it all but the network. After a failure b is still to be buried, or
 * given to monitor_spawn, which knows why. Blocks. */
struct err monitor_tell(const struct monitor_start *s, struct monitor_born *b);
/* Ends one that is not to be started; none: nothing. Blocks. */
void monitor_bury(struct monitor_born *b);
/* Tells the monitor what to start and waits until the program in the container runs or the start
 * failed (kinds as runtime_start). Takes b over. After a failure nothing is left but the clients:
 * they have been answered. Blocks. */
struct err monitor_spawn(const struct monitor_start *s, struct monitor_born *b,
                         struct monitor_started *ret);
/* Waits until what the monitor of an earlier run of the container held mounted is gone; pid: of any
 * process, 0: none. Pool. */
void monitor_await(pid_t pid, const char *id);

/* --- the connection --------------------------------------------------------------------------- */
struct monitor_exit {
    int code;            /* 0..255; 128+signo when killed by a signal */
    int64_t finished_at; /* wall ns */
    bool oom_killed;
    const char *error;             /* "" or text */
    enum monitor_action unhealthy; /* what the monitor ended it for */
    struct logs_missing log;       /* of this run */
};
struct monitor;
struct monitor_events {
    /* The container's init ended. Answer with monitor_ack_exit once the fact is recorded. */
    void (*exited)(void *arg, const struct monitor_exit *x);
    void (*exec_exited)(void *arg, const char *exec_id, int code, int64_t finished_at);
    void (*oom)(void *arg);
    /* More of the log is missing than before; at most once a second. */
    void (*log_missing)(void *arg, const struct logs_missing *m);
    /* A probe has ended: results holds that one. Valid during the call. */
    void (*health)(void *arg, const struct monitor_health_state *s);
    /* A method has run, or ran while no daemon was there. monitor_ack_method when it is kept; else
     * it comes again from the next connection's start. Valid during the call. */
    void (*method)(void *arg, uint64_t seq, const struct method_result *r);
    /* A piece of what the method of this exec says. */
    void (*method_said)(void *arg, const char *exec_id, struct str text);
    /* `container --update` in this exec: monitor_inside answers it. "": the method's interval. */
    void (*ask_update)(void *arg, const char *exec_id);
    /* What `metrics` has said: lines of spec/samples.h. */
    void (*samples)(void *arg, struct str samples);
    /* A `removed` waiter of a container that is not auto-removed comes back after the exit: the
     * daemon holds it from here on. */
    void (*waiter_back)(void *arg, int fd, int exit_code);
    /* Connection lost: the monitor is gone (normal after the acknowledged exit, else killed). */
    void (*closed)(void *arg);
};
/* Takes conn over. */
struct monitor *monitor_new(struct loop *l, int conn, const struct monitor_events *ev, void *arg);
struct monitor *monitor_free(struct monitor *m);

/* Replies: called exactly once; with ERR_UNAVAILABLE when the monitor died before answering. */
typedef void monitor_reply(void *arg, struct err e);

void monitor_ack_exit(struct monitor *m);
/* The container is removed: `removed` waiters are answered. */
void monitor_removed(struct monitor *m);
void monitor_signal(struct monitor *m, int signo, monitor_reply *done, void *arg);
/* signo first, SIGKILL to everything after timeout_ns (< 0: never). Replies at once; the end is
 * reported by `exited`. */
void monitor_stop(struct monitor *m, int signo, int64_t timeout_ns, monitor_reply *done, void *arg);
/* exec_id NULL or "": the container's own terminal. */
void monitor_resize(struct monitor *m, const char *exec_id, unsigned rows, unsigned columns,
                    monitor_reply *done, void *arg);
/* A running container is to be answered names: sockets as in monitor_start, borrowed. */
void monitor_names(struct monitor *m, const char *names_path, const int fds[2], monitor_reply *done,
                   void *arg);
/* A running container publishes more ports, or has another address: sockets as in monitor_start. */
void monitor_hold(struct monitor *m, const struct monitor_ports *p, monitor_reply *done, void *arg);
/* Closes sockets: "tcp 0.0.0.0 8080" a line. Those that are not there are no error. */
void monitor_release(struct monitor *m, struct str lines, monitor_reply *done, void *arg);
/* The monitor writes the head and serves; on refusal it answers the HTTP error itself and done gets
 * it. */
void monitor_attach(struct monitor *m, struct monitor_client c, const struct monitor_attach *a,
                    monitor_reply *done, void *arg);
/* The same for a client that gets the log first, from somebody else: nothing is written to it, its
 * head neither, before the other end of the pipe `gate` (borrowed) is closed; then what came
 * meanwhile follows. done comes when the log holds all that was said before: records up to `until`
 * (wall ns) are the log's, what follows the monitor's. */
void monitor_attach_after(struct monitor *m, struct monitor_client c,
                          const struct monitor_attach *a, int gate,
                          void (*done)(void *arg, struct err e, int64_t until), void *arg);
void monitor_wait(struct monitor *m, struct monitor_client c, enum monitor_wait_for w,
                  monitor_reply *done, void *arg);
struct monitor_exec {
    const char *id;     /* exec id, 64 hex */
    struct str process; /* OCI process object, JSON */
    const char *user;   /* as monitor_start.user; "" means the container's own user */
    bool terminal, in, out, err;
    bool framed; /* output in frames although there is a terminal */
    const char *detach_keys;
    unsigned rows, columns; /* initial size, 0: none */
    bool kill_with_client;  /* a client that dies takes it along; one that detaches does not */
    struct monitor_client client; /* taken NULL: detached exec */
    /* A run of a method: it has a deadline, what it leaves behind is killed, and its result is told
     * before its exit. NULL: none. */
    const char *method, *trigger;
    int64_t timeout;
    unsigned reading; /* enum lifecycle_reading */
    bool follow;      /* method_said tells what it says, as far as its result reads it */
    /* The program is called `container`: where the image has none of that name, this one is
     * executed by its descriptor (borrowed; -1 or 0: none) and told this when it asks. */
    int own_fd;
    struct str metadata, examine;
};
/* done after exec(2) succeeded or failed (kinds as runtime_start; ERR_CONFLICT: the container is
 * paused, nothing has happened). On failure with a client the
 * monitor has answered it as the peer does. ret pid through exec_started. */
void monitor_exec(struct monitor *m, const struct monitor_exec *x,
                  void (*done)(void *arg, struct err e, pid_t pid), void *arg);

/* Output ('o', 'e') or the exit status ('x') of what ask_update has asked for. */
void monitor_inside(struct monitor *m, const char *exec_id, char type, struct str text);
/* Results up to seq are kept. */
void monitor_ack_method(struct monitor *m, uint64_t seq);
/* Results that a monitor left behind with its exit record: calls fn for each, removes them. */
void monitor_read_methods(int run_dir_fd, void (*fn)(void *arg, const struct method_result *r),
                          void *arg);

/* To the exec's first process; SIGKILL to everything that the exec started. */
void monitor_exec_signal(struct monitor *m, const char *exec_id, int signo, monitor_reply *done,
                         void *arg);

/* --- after a restart of the daemon -------------------------------------------------------------
 */
struct monitor_hello {
    struct monitor_started started; /* conn valid */
    bool exited;
    struct monitor_exit exit;
    struct monitor_hello_exec {
        char *id;
        pid_t pid;
        bool running;
        int code;
    } * execs;
    size_t execs_n;
    struct monitor_keep *keeps; /* owned descriptors: take them or leave them to hello_done */
    size_t keeps_n;
    struct logs_missing log;
    struct buf health; /* for monitor_hello_health; empty: no checks */
};
/* All kept results; false: none are made. Texts point into h. */
bool monitor_hello_health(const struct monitor_hello *h, struct monitor_health_state *ret);
/* Dials the monitor in run_dir_fd and asks for its facts. ERR_NOT_FOUND: no monitor lives there
 * (then look for the exit record). */
struct err monitor_dial(int run_dir_fd, struct monitor_hello *ret);
void monitor_hello_done(struct monitor_hello *h);
/* Reads and removes an exit record; ERR_NOT_FOUND when there is none. */
struct err monitor_read_exit(int run_dir_fd, struct monitor_hello *ret);

/* --- the monitor process (src/bin/corten-monitor.c) ---------------------------------------------
 */
/* Message socket to the daemon on descriptor 3. Returns the exit status of main. */
int monitor_main(int argc, char **argv);
/* For the log reader in a worker: dials the monitor and subscribes. *ret_fd becomes readable (one
 * SEQPACKET message per wake, coalesced) when the log grew, and reports EOF once the last line is
 * written. ERR_NOT_FOUND when no monitor lives. */
struct err monitor_follow_log(int run_dir_fd, int *ret_fd);
/* For one that does not follow: returns when the log holds what was said until now. Where the disk
 * hangs that is at most a second while the container runs; when it has ended, until the rest is
 * written or the client leaves. */
void monitor_settle_log(int run_dir_fd, int client);

/* NULL and "" are the default. ERR_INVALID names them. */
struct err monitor_check_detach_keys(const char *keys);

/* user (as monitor_start.user) by the databases below root. For copying into a container. */
struct err monitor_user_ids(int root, const char *user, uint32_t *ret_uid, uint32_t *ret_gid);

/* The job "logs-read" of the worker: logs_read_job (logs/logs.h) with the run directory instead of
 * the wake descriptor, which is dialled here. fds: client, log directory, run directory (optional).
 */
struct worker_ctx;
struct err monitor_logs_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result);
/* The job "logs-serve": logs_serve with the monitors' wakes. */
struct err monitor_serve_logs_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                  size_t fds_n, struct buf *ret_result);
