/* container.h - the noun: facts of every container, one state table, one file per verb.
 *
 * Owns, durable: the row of a container (table `container`), its directory
 *     <data-root>/container/<id>/            upper, work, <id>-json.log
 *     <data-root>/ephemeral/<boot id>/<id>/  the same for auto-removed containers (swept after a
 * boot) Owns, volatile: <run-root>/container/<id>/ with the monitor's socket, the exit record,
 * endpoint.json and the files hosts, hostname, resolv.conf.
 *
 * Thread: every function here is for the loop. Verbs take a callback that is called exactly once,
 * at once or later. Verbs on one container queue behind each other (struct op_queue); kill, resize,
 * attach, wait and exec go to the monitor without queueing.
 *
 * Durability (DESIGN section 3): create, remove, rename and the user's stop are on disk before the
 * reply; exits, starts and restart counts are lazy; everything about auto-removed containers is
 * lazy.
 *
 * Crash: on open each row is compared with what lives: a monitor that answers is adopted, an exit
 * record is applied, a running row without either becomes exited with code 255.
 * Limits: CONTAINERS_MAX. Tests: test/unit/container, test/e2e/t2*.sh, t9*.sh.
 */
#pragma once
#include "base/map.h"
#include "image/image.h"
#include "loop/bus.h"
#include "loop/op.h"
#include "loop/worker.h"
#include "monitor/monitor.h"
#include "network/network.h"
#include "spec/api_container.h"
#include "spec/api_network_stats.h"
#include "spec/api_stats.h"
#include "store/store.h"
#include "volume/volume.h"

#define CONTAINERS_MAX 100000
/* "true": every exec dies when its client's connection does (KillWithClient of the exec's create
 * call, for clients that do not know that). */
#define CONTAINER_LABEL_EXEC_KILL "corten.exec.kill-with-client"
/* "true", "false" or "auto": whether it gets an init, where the call does not say it. */
#define CONTAINER_LABEL_INIT "corten.init"
/* Of the create call; what an image says there is left out. */
#define CONTAINER_LABEL_CAUSE "corten.cause"
#define CONTAINER_LABEL_BY "corten.deployed-by"
/* Likewise; listeners can be for the containers of some projects (api/api.h). */
#define CONTAINER_LABEL_PROJECT "com.docker.compose.project"
#define METHOD_HISTORY 20                  /* results of each method that are kept */
#define CONTAINER_SAMPLES_MAX (128u << 10) /* bytes of a container's own numbers */
#define CONTAINER_STOP_TIMEOUT 10          /* seconds, when neither call nor config says */

enum container_state {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING, /* exited; the restart policy waits for its delay */
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD, /* removal failed half way; remove again */
    CONTAINER_STATE_COUNT
};
const char *container_state_name(enum container_state s); /* "created", "running", … */

/* A mount as the API shows it and the box gets it. */
struct container_mount {
    char *type;        /* "bind", "volume", "tmpfs", "image" */
    char *name;        /* of the volume or image, else NULL */
    char *source;      /* host path, NULL for tmpfs; of an image its reference */
    char *destination; /* absolute path in the container */
    char *mode;        /* as given after the last colon: "ro", "z" …; "" */
    char *propagation; /* "" or "rprivate" … */
    char *tmpfs_options;
    bool rw, no_copy, anonymous;
    bool flat;      /* a bind without what is mounted below */
    bool ro_top;    /* read-only, but not what is mounted below */
    char *idmap;    /* who owns what: mount_idmap_parse; NULL: as it is */
    char *subpath;  /* of the volume or image; NULL or "": all of it */
    char *image_id; /* "sha256:…" of an image */
    bool held;      /* the volume `name` is held by this container */
    unsigned tree;  /* of the next start: "fd:N" */
    struct image_hold *image;
};

struct endpoint_plans VEC_BODY(struct endpoint_plan *);
struct container_waiter;
struct container_health;
struct container {
    struct containers *all;
    struct arena arena; /* config and everything that lives as long as the container */
    char id[65];
    char *name; /* owned; without slash */
    int64_t created;
    bool auto_remove;
    bool brief; /* ends with this boot at the latest: auto-removed, or a step of a build. Nothing of
                   it waits for the disk */
    struct api_config *config; /* merged with the image's */
    struct api_host_config *host;
    struct api_networking_config *networking;
    char *image_ref;        /* as the create call said it */
    char *image_id;         /* "sha256:…" */
    struct image_hold hold; /* hold.image: NULL while being removed */
    struct container_mount *mounts;
    size_t mounts_n;
    char *directory; /* data directory, absolute */

    enum container_state state;
    bool oom_killed, stopped_by_user;
    bool other_boot; /* loaded from a row of an earlier boot */
    bool end_untold; /* it ended while no daemon was there */
    int exit_code;
    char *error; /* owned, "" or why the last start failed */
    int64_t started_at, finished_at;
    pid_t pid; /* 0 unless running */
    uint64_t start_time;
    pid_t monitor_pid; /* of this run or the last one that this daemon has seen */
    int64_t restart_count;
    int64_t first_started_at;
    int64_t deployed_by; /* uid + 1 of who created it; 0: not known */

    /* private to container/ */
    struct arena host_arena; /* holds host after an update */
    struct container_pin *pin;
    struct op_queue queue;
    struct monitor *monitor;
    struct endpoint_plans endpoints; /* while it runs; read-only for others */
    struct endpoint_plan *idle;      /* its ports are bound, but no network publishes them */
    struct op_run *until_exit;       /* op that holds the queue until the exit (stop, remove -f) */
    void (*exit_continue)(struct container *c);
    struct list prestart, removed_waiters, exit_calls;
    struct list execs;
    struct container_health *health; /* NULL: no checks */
    char hook[65];                   /* its webhook's token; "": it has none */
    struct container_rate {
        int64_t begun; /* monotonic ns */
        unsigned n;
    } hook_calls;
    struct transaction *transaction;   /* the update that is under way; or NULL */
    struct container_life *life;       /* results of methods; NULL: none */
    bool life_known, life_validated;   /* whether it has a validate method, once it was asked */
    enum monitor_action unhealthy_end; /* what the monitor ended the last run for */
    int64_t unhealthy_delay;
    struct logs_missing log_before, log_now; /* of earlier runs; of this or the last run */
    struct timer *restart_timer;
    int64_t restart_delay;
    bool gone; /* removed from the registry; freed when the queue is idle */
};

/* An exec instance; known until the container stops. */
struct container_exec {
    struct list link;
    struct container *container;
    struct arena arena;
    char id[65];
    struct api_exec_create *config;
    bool started, running;
    int exit_code;
    pid_t pid;
};

/* What the daemon's settings say for containers that leave it open; taken at create. Of host only
 * Ulimits, ShmSize, Dns, DnsOptions, DnsSearch, LogConfig, Init, SecurityOpt, IpcMode, CgroupnsMode
 * and CgroupParent. */
struct container_defaults {
    struct api_host_config host;
    const char *seccomp; /* a profile's JSON, "unconfined", or NULL: ours */
};
/* Judges them as a create call would be. */
struct err container_defaults_check(const struct container_defaults *d);

struct cgroup;
struct containers_config {
    struct loop *loop;
    struct store *store;
    struct images *images;
    struct networks *networks;
    struct volumes *volumes;
    const char *data_root, *run_root, *instance, *monitor_program, *worker_program;
    const struct cgroup *cgroup; /* where monitors are born; NULL: where the caller is */
    const struct container_defaults *defaults; /* NULL: none */
    const char *const *cdi_dirs; /* NULL-terminated: where devices by name are specified */
};
struct containers;
/* Loads all rows, adopts living monitors, then lets restart policies act. */
struct err containers_open(const struct containers_config *config, struct containers **ret);
/* Lets go of the monitors without touching the containers. */
void containers_close(struct containers *cs);
/* Before the end: nothing is made ahead any more, and what was ends. The loop goes on for it. */
void containers_rest(struct containers *cs);

struct container_event {
    const char *action; /* create start die stop kill destroy rename attach exec_create exec_start
                           exec_die … */
    const struct container *container;
    const char *attributes[8]; /* extra key, value pairs, NULL-terminated */
    int64_t time;
};
struct bus *containers_bus(struct containers *cs); /* events: struct container_event */
/* Publishes the ends that no daemon saw; once, when those who listen have subscribed. */
void containers_announce(struct containers *cs);

/* By full id, name (with or without '/'), or unambiguous id prefix, in this order. NOT_FOUND "No
 * such container: x". */
struct err container_find(struct containers *cs, const char *ref, struct container **ret);
/* All, newest first. *n is a snapshot; valid until the next verb finishes. */
struct container *const *containers_all(struct containers *cs, size_t *ret_n);
/* Text of the `Status` column: "Up 5 minutes", "Exited (0) 3 seconds ago". */
void container_status_text(const struct container *c, struct buf *out);
/* "none", "starting", "healthy", "unhealthy"; as inspect and the filter have it. */
const char *container_health_name(const struct container *c);
/* The last results, oldest first; NULL when no checks are made. Memory in a. */
struct api_health *container_health_view(const struct container *c, struct arena *a);
/* What rotation has removed and the disk has not taken, in all runs. */
void container_log_missing(const struct container *c, struct logs_missing *ret);
/* Directory of the container's log files and their base name. */
const char *container_log_name(const struct container *c, struct arena *a);
/* Published ports as they are now (running), for inspect and list. */
const struct endpoint_plan *container_endpoint(const struct container *c);
/* Its endpoint on this network, or NULL. */
const struct endpoint_plan *container_endpoint_on(const struct container *c,
                                                  const char *network_id);

/* What was asked for (config, host) stays in memory as it is now until unpin, also when the
 * container is updated or removed meanwhile: for jobs that read it. The container itself need not
 * stay. */
struct container_pin;
struct container_pin *container_pin(struct container *c);
void container_unpin(struct container_pin *p);

struct volumes *container_volumes(const struct container *c);
struct networks *container_networks(const struct container *c);
const char *container_run_root(const struct container *c);
/* The container that HostConfig.Links[i] leads to, NULL when it is gone. */
struct container *container_link_target(const struct container *c, size_t i, struct str *ret_alias);
/* "5 minutes", "About an hour": as the peer rounds. */
void container_duration_text(int64_t ns, struct buf *out);
/* Path of the container's cgroup below each hierarchy's root: "/<instance>/<id>". Owned. */
char *container_cgroup_path(const struct container *c);

typedef void container_done(void *arg, struct err e);

/* doc is moved: the container takes its own copy. name NULL: one is made up. */
void container_create(struct containers *cs, const char *name,
                      const struct api_container_create *doc,
                      void (*done)(void *arg, struct err e, struct container *c,
                                   const struct strs *warnings),
                      void *arg);
void container_start(struct container *c, container_done *done, void *arg);
/* signo 0: the configured one. timeout in seconds; INT64_MIN: the configured one; < 0: for ever. */
void container_stop(struct container *c, int signo, int64_t timeout, container_done *done,
                    void *arg);
void container_restart(struct container *c, int signo, int64_t timeout, container_done *done,
                       void *arg);
void container_kill(struct container *c, int signo, container_done *done, void *arg);
void container_pause(struct container *c, bool pause, container_done *done, void *arg);
void container_rename(struct container *c, const char *name, container_done *done, void *arg);
void container_remove(struct container *c, bool force, bool volumes, container_done *done,
                      void *arg);
/* Networks by name or id. A container that runs is connected at once, another one at its next
 * start. e (may be NULL) must stay valid until done. FORBIDDEN: connected already, or not; or its
 * network mode allows no others. */
void container_connect(struct container *c, const char *network, const struct api_endpoint *e,
                       container_done *done, void *arg);
void container_disconnect(struct container *c, const char *network, container_done *done,
                          void *arg);
void container_resize(struct container *c, unsigned rows, unsigned columns, container_done *done,
                      void *arg);

/* Takes a link of c away: not from its files while it runs, but from its next start on. */
void container_unlink(struct container *c, const char *alias, container_done *done, void *arg);
/* Limits and restart policy, live when it runs. */
/* Published ports, also of a running container; see spec/api_ports.h. */
struct api_ports_change;
/* Its names on a network, the same; see spec/api_aliases.h. */
struct api_aliases_change;
void container_aliases_change(struct container *c, const struct api_aliases_change *doc,
                              container_done *done, void *arg);
void container_ports_change(struct container *c, const struct api_ports_change *doc,
                            container_done *done, void *arg);
void container_update(struct container *c, const struct api_update *doc, container_done *done,
                      void *arg);
/* What the host's ps(1) says with these arguments (NULL or "": -ef) about its processes. doc is
 * valid during the call. */
void container_top(struct container *c, const char *ps_args,
                   void (*done)(void *arg, struct err e, const struct api_top *doc), void *arg);
/* What it uses now, read by a pool thread; with name and id alone when it does not run. stats is
 * valid during the call; its preread and precpu are the caller's to fill. */
typedef void container_used(void *arg, struct err e, struct api_stats *stats);
void container_usage(struct container *c, container_used *done, void *arg);
/* What went through a network, and through each of its containers, read by a pool thread. usage is
 * valid during the call. The network need not live until then. */
void containers_network_usage(struct containers *cs, const struct network *w,
                              void (*done)(void *arg, struct err e, struct api_network_usage *u),
                              void *arg);
/* Bytes on disk that each of these wrote (0 when it has gone meanwhile), measured by a pool thread.
 * sizes is in the order of list and valid during the call. */
struct container_size {
    char id[65];
    int64_t bytes;
};
/* The driver that made its root file system, from what lies in its directory. */
const char *container_driver(const struct container *c);
/* The same for one, for jobs of others: planned on the loop (texts in the arena), measured by a
 * pool thread. */
struct container_written {
    const char *directory;
    struct rootfs root;
};
struct err container_written_plan(const struct container *c, struct arena *a,
                                  struct container_written *ret);
/* The directory that has its whole root file system (vfs, btrfs), owned; NULL: it has none. */
char *container_whole_root(const struct container *c);
struct err container_written_bytes(const struct container_written *w, uint64_t *ret_bytes);
typedef void container_measured(void *arg, const struct container_size *sizes, size_t n);
void containers_measure(struct containers *cs, struct container *const *list, size_t n,
                        container_measured *done, void *arg);

/* The file system from outside. Each serves the client's socket (taken is consumed) in a worker,
 * which writes the whole answer. */
enum container_archive {
    CONTAINER_ARCHIVE_STAT,
    CONTAINER_ARCHIVE_GET,
    CONTAINER_ARCHIVE_PUT,
    CONTAINER_ARCHIVE_ALL, /* of volumes: everything, named from its root */
};
struct container_files {
    const char *name; /* of the container as the client said it, for messages */
    const char *path; /* in the container; a closing "/" or "/." follows a link */
    bool keep_kind;   /* PUT: a directory never takes the place of something else, or gives it */
    bool own;         /* PUT: everything is given to the container's user */
};
void container_archive(struct container *c, enum container_archive what,
                       const struct container_files *o, struct http_taken *taken);
/* The same for a volume, which cannot be removed meanwhile. */
void container_volume_files(struct containers *cs, struct volume *v, enum container_archive what,
                            const struct container_files *o, struct http_taken *taken);
void container_export(struct container *c, struct http_taken *taken);
void container_changes(struct container *c, struct http_taken *taken);
/* The jobs of this folder for corten-worker; the last one is all NULL. */
extern const struct worker_job container_jobs[];
extern const struct worker_job container_websocket_job;

enum container_wait {
    CONTAINER_WAIT_NOT_RUNNING,
    CONTAINER_WAIT_NEXT_EXIT,
    CONTAINER_WAIT_REMOVED
};
/* Serves the client's socket until the condition holds (taken is consumed). */
void container_wait(struct container *c, enum container_wait condition, struct http_taken *taken);
/* Refuses (before the socket is taken) what cannot be attached to. */
struct err container_attach_check(const struct container *c);
void container_attach(struct container *c, const struct monitor_attach *a, const char *content_type,
                      struct http_taken *taken);
/* With the log first (logs=1; out, err: of it). What a wants follows, if anything. */
void container_attach_log(struct container *c, const struct monitor_attach *a, bool out, bool err,
                          const char *content_type, struct http_taken *taken);
/* The client's socket goes to a worker that speaks WebSocket with it; *ret is what to attach
 * instead, with frames of both streams when multiplexed. taken is moved; on an error it is still the
 * caller's.
 */
struct container_websocket {
    const char *accept; /* websocket_check's */
    bool multiplexed;
    bool text; /* output in text frames, as before API 1.28 */
};
struct err container_websocket(struct containers *cs, const struct container_websocket *o,
                               struct http_taken *taken, struct http_taken *ret);
/* Log reader in a worker on the client's socket. args: JSON of the reader's options (logs/logs.h).
 */
struct err container_logs_check(const struct container *c);
struct container_logs {
    bool follow, out, err, timestamps, details;
    int64_t since, until; /* wall ns, 0: unbounded */
    int64_t tail;         /* lines, -1: all */
    const char *content_type;
};
void container_logs(struct container *c, const struct container_logs *o, struct http_taken *taken);

struct err container_exec_create(struct container *c, const struct api_exec_create *doc,
                                 struct container_exec **ret);
struct err container_exec_find(struct containers *cs, const char *id, struct container_exec **ret);
/* taken NULL: detached; then done is called when exec(2) succeeded or failed. With a socket the
 * monitor answers the client and done only informs. */
void container_exec_start(struct container_exec *x, bool tty, unsigned rows, unsigned columns,
                          const char *content_type, struct http_taken *taken, container_done *done,
                          void *arg);
/* SIGKILL reaches everything that the exec started, other signals its first process. */
void container_exec_signal(struct container_exec *x, int signo, container_done *done, void *arg);
void container_exec_resize(struct container_exec *x, unsigned rows, unsigned columns,
                           container_done *done, void *arg);

/* --- the life cycle that its image describes (docs/lifecycle.md) --------------------------------
 */

/* Methods, by its labels. Memory in a. */
void container_lifecycle(const struct container *c, struct arena *a, struct lifecycle *ret);
/* Makes an exec of the method, for container_exec_start; trigger as in struct method_result. Its
 * result is there before its exit is known: container_result by the exec's id. NOT_FOUND: it has no
 * such method. FORBIDDEN: the method wants a user that the container does not have. */
struct err container_method_call(struct container *c, const char *name, const char *trigger,
                                 const struct api_method_call *o, struct container_exec **ret);
/* Update as a transaction (transaction.c): kept when the update and the validation after it were
 * good, else what the container wrote is as it was before. */
struct container_update_options {
    const char *trigger; /* "call", "webhook", "inside" */
    struct strs volumes; /* names or destinations of those that are kept, too; "*": all */
};
struct container_update_observer {
    /* A piece of what a step's method says, while it runs: bytes, cut anywhere. */
    void (*output)(void *arg, const char *step, struct str text);
    /* A step is over: of a method its result, else a text. */
    void (*step)(void *arg, const char *step, const struct method_result *r, const char *text);
    /* Last. outcome: "kept", "rolled back", "failed", "nothing done". */
    void (*done)(void *arg, const char *outcome, const char *why, bool good);
};
/* NOT_FOUND: no update method, or no such volume. CONFLICT: it does not run, or is being updated.
 * Otherwise the observer (NULL: none) is told, perhaps before the call returns. */
struct err container_transaction(struct container *c, const struct container_update_options *o,
                                 const struct container_update_observer *to, void *arg);
void container_transaction_forget(struct container *c, const void *observer_arg);
/* What would be done, a line for each step. */
struct err container_transaction_plan(const struct container *c,
                                      const struct container_update_options *o, struct arena *a,
                                      struct strs *ret);
/* webhook.c: makes a token, replacing an earlier one, or takes it away. Durable. */
void container_hook_set(struct container *c, bool on, container_done *done, void *arg);
struct container_hook {
    struct str token;           /* or */
    struct str signature, body; /* "sha256=HEX", HMAC of the body by the token */
};
enum container_hook_answer { HOOK_RIGHT, HOOK_WRONG_TOKEN, HOOK_TOO_MANY };
enum container_hook_answer container_hook_check(struct containers *cs, const char *ref,
                                                const struct container_hook *k,
                                                struct container **ret);
/* It runs, and where it has a validate method, the last run of that since its start was good; else,
 * where it has a health check, it is healthy. */
bool container_ready(const struct container *c);
/* Oldest first; method NULL: of all; limit 0: all that are kept. Texts live until its next result.
 */
void container_results(const struct container *c, const char *method, size_t limit, struct arena *a,
                       struct objs *ret);
void container_last_results(const struct container *c, struct arena *a, struct objs *ret);
const struct method_result *container_result(const struct container *c, const char *id);
const char *container_samples(const struct container *c); /* NULL: none */
/* For inspect; NULL: its image says nothing. */
struct api_lifecycle *container_life_view(const struct container *c, struct arena *a);
/* The document of `metadata`. Memory in a. */
void container_metadata(const struct container *c, struct arena *a, struct lifecycle_metadata *ret);
void container_image_metadata(struct image *i, struct arena *a, struct lifecycle_metadata *ret);

/* What c leaves open is taken from the image's (or, for a commit, the container's) configuration:
 * environment, ports, volumes and labels one by one. Memory of both, new one in a. */
void container_merge_config(struct api_config *c, const struct api_config *image, struct arena *a);

/* Makes an image of the container's image and what it wrote, copied by a worker. The container is
 * frozen meanwhile when it runs and pause says so. All texts are copied. */
struct container_commit {
    struct str config; /* JSON of the image's inner config object */
    const char *author, *comment;
    const struct reference *tag; /* NULL: untagged */
    bool pause;
};
void container_commit(struct container *c, const struct container_commit *o,
                      void (*done)(void *arg, struct err e, const char *image_id), void *arg);

/* The builder's: makes a step image of what a stopped container wrote by adopting its upper
 * directory, records it under the cache key, removes the container. */
void container_adopt(struct container *c, const char *cache_key, int64_t latest,
                     void (*done)(void *arg, struct err e, const char *image_id), void *arg);
