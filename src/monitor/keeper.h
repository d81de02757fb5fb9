/* keeper.h - the state of the monitor process; private to monitor/, used only in that process.
 *
 * One keeper per process, one thread, everything on the loop's thread. Files by concern: main.c
 * (birth), start.c (rootfs, stdio, runtime), pipes.c, user.c (who runs), session.c (streams of the
 * container or of an exec), stream.c (one client's socket), server.c (daemon connections), exec.c,
 * wait.c, stop.c, follow.c (log readers), exit.c (the end: record, acknowledge, flush, leave),
 * record.c.
 */
#pragma once
#include "base/list.h"
#include "base/vec.h"
#include "kernel/spawn.h"
#include "logs/logs.h"
#include "monitor/protocol.h"

#define DAEMON_FD 3                     /* of the daemon that started us */
#define CHUNK_SIZE 65536u               /* one read from a container's stream */
#define CLIENT_QUEUE_MAX (1u << 20)     /* unread bytes of a client that hold its source back */
#define STDIN_QUEUE_MAX (64u << 10)     /* bytes for a stdin that is not being read */
#define LINGER (10 * NSEC_PER_SEC)      /* a client that does not read is cut after it */
#define LOG_LINGER (600 * NSEC_PER_SEC) /* a log whose disk hangs is given up after it */
#define EXEC_HOLD (10 * NSEC_PER_SEC)   /* an exec's stream waits so long for a daemon */
#define EXEC_DRAIN (2 * NSEC_PER_SEC)   /* output of an ended exec's own children */
#define REPORT_WAIT (NSEC_PER_SEC / 2)  /* for the log, before an exit is reported */
#define QUIET (NSEC_PER_SEC)            /* without activity: buffers are given back */

struct keeper;
struct client;
struct health;
struct exec_own;
struct exec_entry;
struct inside;
struct life;
struct run;

/* One of the two output streams of a session. */
struct source {
    struct session *session;
    int fd; /* -1: ended */
    struct watch *watch;
    enum logs_stream stream;
    bool wide; /* its pipe was enlarged */
};

/* The standard streams of the container or of one exec, and who is attached to them. */
struct session {
    struct keeper *keeper;
    bool terminal, close_stdin; /* the end of a client's stdin is the end of the program's */
    bool framed;                /* frames although there is a terminal */
    bool logged;                /* the container's: every byte goes to the log first */
    bool draining;              /* the program ended: nothing holds its output back any more */
    struct source sources[2];
    int in; /* -1: none or closed */
    struct watch *in_watch;
    struct buf in_queue;
    bool in_ending; /* close once in_queue is written */
    struct list clients;
    void (*ended)(struct session *s); /* all sources ended; or NULL */
    void (*gone)(struct session *s);  /* a client died (did not detach); or NULL */
    void (*output)(struct session *s, const char *p, size_t n); /* both streams; or NULL */
};

/* The container's ends of a program's standard streams and ours; -1: none. */
struct pipes {
    int theirs[3], ours[3];
};

struct exec {
    struct list link;
    struct keeper *keeper;
    char id[65];
    struct session session;
    struct runtime_process process;
    struct child *child;
    struct exec_entry *entry; /* on its way in; NULL once it runs */
    bool running;             /* or on its way in */
    bool kill_with_client;
    bool internal;              /* the monitor's own: nobody is told of it */
    struct run *run;            /* of a method; or NULL */
    struct inside *inside;      /* our own program asks; or NULL */
    const struct exec_own *own; /* whose it is; NULL: cancelled, or not internal */
    bool acked, done;           /* done: nobody waits for anything of it */
    int code;
    int64_t finished_at;
    struct timer *drain, *hold;
};

struct peer { /* a connection on monitor.sock or descriptor 3 */
    struct list link;
    struct keeper *keeper;
    struct msg_conn *conn;
    bool daemon; /* said HELLO; or descriptor 3 */
    bool taken;  /* said TAKEN: gets notices */
};

struct keeper {
    struct loop *loop;
    char *id;
    unsigned flags; /* enum start_flag */
    int run_dir_fd;
    struct cgroup_host *cgroups; /* of the host, until the container is made; NULL: not known */
    struct runtime_box *box;     /* NULL: it has ended */
    struct runtime_box *grave;   /* then: until its cgroups are gone */
    struct runtime_process init;
    int mounts_fd; /* mount namespace of the container, kept until its end is told; -1: not ours to
                    */
    struct child *init_child;
    struct monitor_started facts;
    struct session session;
    int terminal_fd; /* slave of the container's terminal; -1: none */
    struct logs_writer *log;
    struct watch *log_watch;
    struct logs_missing missing; /* as the daemon knows it */
    struct timer *missing_timer;
    char *log_packer; /* program that compresses older files; NULL: they stay as they are */
    struct spawned packer;
    struct child *packer_child;
    void *chunk; /* CHUNK_SIZE bytes */
    struct list execs;
    size_t execs_n;
    struct life *life; /* methods; NULL: none */
    struct list runs;  /* struct run of life_run.c */
    size_t runs_n;
    struct list waiters;        /* struct waiter of wait.c */
    struct list followers;      /* struct follower of follow.c */
    struct list settling;       /* struct settling of follow.c */
    struct list clients_ending; /* clients of sessions that are gone, being flushed */
    struct monitor_keep *keeps; /* volumes that are mounts */
    size_t keeps_n;
    struct ports *ports;
    struct names *names; /* NULL: none */
    char *user;          /* of the container, for execs without one */
    struct strv groups;

    int listen_fd;
    struct watch *listen_watch;
    struct list peers;
    struct peer *daemon; /* NULL: away */

    struct sigwatch *orphans;
    struct watch *oom_watch;
    uint64_t oom_seen;
    struct timer *stop_timer, *linger, *quiet, *leave, *report;
    bool active;   /* since the quiet timer was armed */
    bool checking; /* exit_maybe has posted its check */

    struct health *health;         /* NULL: no checks */
    enum monitor_action unhealthy; /* it is being ended for that */

    bool exited;          /* the init is dead, its output is with log and clients */
    bool reported;        /* the daemon was told or would be */
    bool acked, recorded; /* the container's end */
    bool released;        /* acked or recorded: streams and waiters are let go */
    bool removed;
    struct monitor_exit exit;
};

/* --- main.c -------------------------------------------------------------------------------------
 */
/* Something moved: buffers are kept for now. */
void keeper_active(struct keeper *k);

/* --- handing.c ----------------------------------------------------------------------------------
 */
/* send is called with a new connection to the socket at path, again after each end of one. */
struct handing *handing_new(struct loop *l, const char *path,
                            struct err (*send)(void *arg, int conn), void *arg);
int handing_conn(const struct handing *h); /* -1: none; NULL allowed */
struct handing *handing_free(struct handing *h);

/* --- ports.c ------------------------------------------------------------------------------------
 */
struct ports *ports_new(void);
struct ports *ports_free(struct ports *p);
/* PROTOCOL_HELD and PROTOCOL_HOLD. Takes the descriptors over. */
struct err ports_add(struct ports *p, struct msg *m);
/* Hands over what is corten-relay's; before, nothing is sent. */
void ports_start(struct ports *p, struct loop *l);
struct err ports_release(struct ports *p, struct str lines);

/* --- names.c ------------------------------------------------------------------------------------
 */
/* Takes the sockets over. path: the socket of corten-dns. */
void names_keep(struct keeper *k, const char *path, int udp, int tcp);
void names_drop(struct keeper *k);

/* --- pipes.c ------------------------------------------------------------------------------------
 */
/* Makes those of the streams whose bit is set (1 << descriptor). */
struct err pipes_make(struct pipes *p, unsigned streams);
void pipes_done(struct pipes *p);
#define PIPES_NONE      \
    {                   \
        {-1, -1, -1}, { \
            -1, -1, -1  \
        }               \
    }

/* --- start.c ------------------------------------------------------------------------------------
 */
/* Makes the container up to a running program. Blocks. After an error nothing is left. */
struct err start_container(struct keeper *k, struct protocol_start *s, const int *trees,
                           size_t trees_n);

/* --- user.c -------------------------------------------------------------------------------------
 */
/* Fills p->user and HOME from user ("", "name", "uid", "a:b") and groups, looked up below root. */
struct err user_resolve(int root, const char *user, const char *const *groups, size_t groups_n,
                        struct oci_process *p, struct arena *a);

/* --- session.c ----------------------------------------------------------------------------------
 */
void session_init(struct session *s, struct keeper *k, bool terminal, bool close_stdin);
/* Takes the descriptors over (-1: none). With a terminal `out` is the pty master and in its
 * duplicate. */
void session_set(struct session *s, int in, int out, int err);
/* Begins or goes on reading; call after anything that may have changed who holds it back. */
void session_update(struct session *s);
/* Bytes from a client for the program. */
void session_input(struct session *s, const char *p, size_t n);
bool session_input_full(const struct session *s);
/* A client's stdin ended. True: the client's output ends with it, as with the peer. */
bool session_input_end(struct session *s);
/* Reads what is there without waiting, whoever holds it back; then closes the streams if `close`.
 */
void session_drain(struct session *s, bool close);
bool session_open(const struct session *s); /* a source has not ended */
void session_trim(struct session *s);       /* gives the kernel's memory back; for quiet moments */
void session_close(struct session *s);      /* streams; clients stay */

/* --- stream.c -----------------------------------------------------------------------------------
 */
/* Takes the client over: writes its head unless sent, attaches it. extra: a text for its stdout
 * that goes first (or NULL). */
void client_new(struct session *s, struct protocol_client *c, const char *extra);
/* The same for one that gets nothing before the gate (taken over) is closed by the other side. */
void client_new_after(struct session *s, struct protocol_client *c, int gate);
/* Queues output; frames it unless the session has a terminal. */
void client_send(struct client *c, enum logs_stream stream, const void *p, size_t n);
struct client *client_of(struct list *link);
bool client_wants(const struct client *c, enum logs_stream stream);
size_t client_queued(const struct client *c);
/* Its input may be read again. */
void client_resume(struct client *c);
/* Everything has been queued: flush, then close. */
void client_end(struct client *c);
void clients_end(struct session *s);
/* Ticks of the linger timer: cuts those who do not read. */
void clients_linger(struct keeper *k);
/* Answers a client in HTTP instead of serving it. */
void client_refuse(struct protocol_client *c, int status, const char *message);
/* Parses "ctrl-p,ctrl-q" into bytes. */
#define DETACH_KEYS_MAX 16
struct err detach_keys_parse(const char *text, unsigned char out[DETACH_KEYS_MAX], size_t *ret_n);

/* --- server.c -----------------------------------------------------------------------------------
 */
struct err server_listen(struct keeper *k);
void server_adopt(struct keeper *k, int fd); /* descriptor 3 */
void server_notice(struct keeper *k, uint32_t type, const struct buf *body, const int *fds,
                   size_t fds_n);
void server_reply(struct peer *p, uint64_t seq, struct err e, pid_t pid); /* consumes e */
void server_close(struct keeper *k);
void server_close_daemon(struct keeper *k);

/* --- exec.c, exec_start.c, wait.c, stop.c, follow.c
 * ------------------------------------------------------------
 */
void exec_start(struct peer *p, struct msg *m);
void exec_ack(struct keeper *k, struct str id);
void exec_over(struct exec *x, int code);   /* by its end or because it never began */
void exec_ended(void *arg, int status);     /* of its child_watch */
void exec_streams_ended(struct session *s); /* of its session */
void exec_client_gone(struct session *s);
void exec_free(struct exec *x);
void exec_own_ended(struct exec *x, int code);
void exec_expire(struct exec *x);                /* over its deadline: all of it is killed */
void exec_give_up(struct exec *x, struct err e); /* one that is on its way in has failed */
struct exec *exec_find(struct keeper *k, struct str id);
void exec_resize(struct exec *x, unsigned rows, unsigned columns); /* one that is on its way in */
bool exec_is_entering(const struct exec *x, pid_t pid);
struct err exec_signal(struct keeper *k, struct str id, int signo);
/* The container is dead: what is on its way in has failed. Before its box is deleted. */
void execs_settle(struct keeper *k);
void execs_forget_peer(struct keeper *k, const struct peer *p);
void execs_put(struct keeper *k, struct buf *body);
void execs_notice(struct keeper *k); /* tells a new daemon what is not acknowledged */

struct err wait_add(struct keeper *k, struct protocol_client *c, enum monitor_wait_for w);
void wait_release(struct keeper *k); /* answers those whose condition holds */
bool wait_pending(const struct keeper *k);

struct err stop_signal(struct keeper *k, int signo);
struct err stop_begin(struct keeper *k, int signo, int64_t timeout_ns);

/* settled: woken for the first time once the log holds what was said until now; before the exit not
 * later than SETTLE_LIMIT. */
void follow_add(struct keeper *k, int fd, bool settled);
void follow_wake(struct keeper *k);
void follow_end(struct keeper *k);
/* Answers with the time once the log holds what was said until now, or its disk hangs. */
void follow_settled(struct peer *p, uint64_t seq);
void follow_forget_peer(struct keeper *k, const struct peer *p);
/* Log progress: takes completions, wakes readers, lets held sources go on. */
void log_pump(struct keeper *k);

/* --- health.c -----------------------------------------------------------------------------------
 */
void health_prepare(struct keeper *k, const struct monitor_health *s); /* copies */
void health_start(struct keeper *k);                                   /* the container runs */
void health_stop(struct keeper *k);
void health_put(const struct keeper *k, struct buf *body);

/* --- life.c -------------------------------------------------------------------------------------
 */
void life_prepare(struct keeper *k, const struct monitor_method *methods, size_t n); /* copies */
void life_start(struct keeper *k);                                                   /* it runs */
void life_stop(struct keeper *k);
void life_ack(struct keeper *k, uint64_t seq);
void life_notice(struct keeper *k); /* tells a new daemon what is not acknowledged */
/* inside.c: from the daemon, for one that asked; a new daemon does not know what was asked. */
void inside_told(struct keeper *k, struct str body);
void insides_forget(struct keeper *k);
void life_record(struct keeper *k); /* the end, without a daemon */

/* --- exit.c -------------------------------------------------------------------------------------
 */
void exit_watch(struct keeper *k); /* the init, the OOM descriptor */
void exit_ack(struct keeper *k);
void exit_notice(struct keeper *k); /* EXITED again for a daemon that has just come */
void exit_daemon_lost(struct keeper *k);
/* The log has made progress or is done. */
void exit_log_moved(struct keeper *k);
/* Ends the process when nothing is left to do. Call after anything that may have been the last. */
void exit_maybe(struct keeper *k);
/* Reaps what was handed to us because its parent died: a container in the host's pid namespace has
 * no init of its own that would. */
void orphans_reap(struct keeper *k);

/* --- pack.c --- */
void pack_look(struct keeper *k); /* starts the program when a file waits for it */
bool pack_is(const struct keeper *k, pid_t pid);

/* --- record.c -----------------------------------------------------------------------------------
 */
struct err record_write(struct keeper *k);
