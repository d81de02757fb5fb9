/* Private to container/: the registry's inside and the steps that verbs share. */
#pragma once
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "container/container.h"
#include <assert.h>
#include <string.h>

struct containers {
    struct containers_config config;
    struct map by_id, by_name, execs;
    struct container **sorted; /* by creation, newest first */
    size_t n, cap;
    struct bus bus;
    struct boot *boot; /* NULL: everything that starts with the daemon has started */
    char boot_id[40];
    int seccomp_fd;              /* compiled default filter (memfd) */
    int monitor_fd;              /* corten-monitor on a read-only mount; -1: not installed */
    int init_fd;                 /* corten-init on a read-only mount; -1: not installed */
    int own_fd;                  /* corten-container, the same */
    int data_fd, ephemeral_fd;   /* <data-root>/container, <data-root>/ephemeral/<boot id> */
    int run_fd;                  /* <run-root>/container */
    char *resolv_conf;           /* path of the host's */
    struct followers *followers; /* of logs; NULL: none yet */
    struct spare *spare;         /* a monitor made ahead */
    int websockets;              /* that workers serve */
    struct container_rate hook_wrong;
    VEC(struct container *) unswept; /* removed, and the disk would not let their directories go */
    struct strv buried; /* burial.c: ids whose directories have gone, and whose rows go next */
    struct burial *burial;
    struct timer *burial_timer;
};

/* A client that came before the start, or waits for the removal: its socket is held here, its head
 * has been written. */
struct container_waiter {
    struct list link;
    struct http_taken taken;
    bool is_wait;
    enum monitor_wait_for wait;
    struct monitor_attach attach;
    char *content_type, *detach_keys; /* owned */
};
struct container_waiter *container_waiter_free(struct container_waiter *w);
/* Writes {"StatusCode":code} to a waiter whose head was sent, ends the stream, frees w. */
void container_waiter_answer(struct container_waiter *w, int code);

/* spare.c: a monitor for the next start, if one is ready (else unborn); after a start that has gone
 * well. */
void container_spare_open(struct containers *cs);
void container_spare_close(struct containers *cs);
struct monitor_born container_spare_take(struct containers *cs);
void container_spare_order(struct containers *cs);

/* registry.c */
struct container *container_new(struct containers *cs);
void container_free(struct container *c);
/* ERR_CONFLICT when the name is taken, with the peer's words. */
struct err container_reserve(struct containers *cs, struct container *c, const char *name);
void container_unreserve(struct container *c);
struct err container_check_name(const char *name);
/* burial.c: the directory has gone: the row goes, too, once the disk has forgotten the directory.
 */
void container_bury(struct container *c);
void container_burials_end(struct containers *cs);
/* names.c: an unused "adjective_noun"; owned. */
char *container_make_name(struct containers *cs);

/* state.c */
bool container_state_from_name(const char *name, enum container_state *ret);
/* Does e come from a cgroup whose processes have all ended? Then the directory is gone, or going.
 */
bool container_cgroup_ended(struct err e);
void container_set_state(struct container *c, enum container_state s); /* asserts the table */
/* pin.c: the arena ends, or with the last pin. */
void container_arena_end(struct container *c, struct arena *a);
void container_pin_orphan(struct container *c);
bool container_is_alive(const struct container *c);

/* record.c: the row. */
struct container_record { /* what never changes, as it is kept */
    struct api_config *config;
    struct api_host_config *host;
    struct api_networking_config *networking;
    char *image_ref, *image_id;
    struct objs mounts; /* of struct container_mount */
};
struct err container_load_all(struct containers *cs);
void container_record_print(const struct container_record *r, struct buf *out);
/* Decodes text into the container's arena and sets the members that come from it. */
struct err container_record_apply(struct container *c, struct str text);
void container_set_directory(struct container *c, const char *boot_id);
void container_record_insert(struct container *c, struct str config, struct store_txn *t);
/* What changes of the configuration after all: its networks. */
void container_record_config(struct container *c, struct store_txn *t);
void container_record_state(struct container *c, struct store_txn *t);
void container_record_unname(struct container *c, struct store_txn *t); /* its id takes the place */
void container_record_delete(const char *id, struct store_txn *t);
/* Writes the state columns without waiting. */
void container_save_lazy(struct container *c);

/* events */
void container_publish(struct container *c, const char *action, const char *key, const char *value);
void container_publish_two(struct container *c, const char *action, const char *key1,
                           const char *value1, const char *key2, const char *value2);
void container_publish_end(struct container *c); /* "die" with the facts of the last end */

/* exit.c */
void container_watch_monitor(struct container *c, int conn);
void container_apply_exit(struct container *c, const struct monitor_exit *x);
/* Adds a callback for the end of the running program and the network's tear-down. */
void container_on_exit(struct container *c, container_done *done, void *arg);
/* Kills and lets fn go on, queue held, once the exit is complete. */
void container_hold_until_exit(struct container *c, struct op_run *run,
                               void (*fn)(struct container *c));

/* restart.c */
bool container_wants_restart(const struct container *c);
void container_schedule_restart(struct container *c);
void container_cancel_restart(struct container *c);

/* remove.c */
void container_remove_now(struct container *c, bool volumes, struct op_run *run,
                          container_done *done, void *arg);

/* defaults.c */
void container_defaults_apply(const struct container_defaults *d, struct arena *a,
                              struct api_host_config *h);

/* validate.c: refuses by name what is not supported or is wrong; collects warnings. */
/* root.c: the limit of size that is asked for (0: none), whether it would count here, what the root
 * is made of (dir_fd is not set), and making it (pool; also after a crash between row and root). */
struct err container_size_limit(const struct api_host_config *h, uint64_t *ret);
struct err container_size_check(const struct containers *cs, const struct api_host_config *h);
struct err container_root(const struct container *c, struct arena *a, struct rootfs *ret);
/* The name below dir_fd of what it wrote, as an overlay's upper directory: its own, or a new one
 * that is the caller's (when the root is whole). Pool. */
struct err container_upper(const struct rootfs *r, char ret_name[32]);
struct err container_root_make(const struct container *c, const struct rootfs *r);
struct err container_validate(const struct api_container_create *doc, struct arena *a,
                              struct strs *ret_warnings);
/* Takes away what this host cannot do and the peer does not insist on, each with a warning. */
void container_discard(struct api_host_config *h, struct arena *a, struct strs *ret_warnings);
/* The same for what an update makes of a container. */
struct err container_validate_update(const struct api_host_config *h);
/* resources.c: limits for the OCI runtime, without device rules. Memory in a. */
struct oci_resources;
struct err container_resources(const struct api_host_config *h, struct arena *a,
                               struct oci_resources **ret);
/* mounts.c: Binds, Mounts, Tmpfs and the image's volumes → c->mounts (names and paths only). */
struct err container_plan_mounts(struct container *c);

/* One more place; NULL when there is a mount already. */
struct container_mount *mount_add(struct container *c, const char *destination);
void mount_name_source(struct container *c, struct container_mount *m, const char *source);
void mount_anonymous(struct container *c, struct container_mount *m);
struct err mount_ensure_source(const char *source);
/* mount_idmap.c: what follows "idmap=" in a mode; of struct oci_id_mapping. ERR_INVALID. */
struct err mount_idmap_parse(struct str text, struct arena *a, struct objs *ret_uids,
                             struct objs *ret_gids);
/* mount_object.c */
struct err mount_object_add(struct container *c, const struct api_mount *given);
struct err mount_tmpfs_check(const char *options);

/* volumes.c: images that are mounted are held as long as the container exists. */
void container_hold_images(struct container *c);
void container_unhold_images(struct container *c);
/* Volumes that are mounts, for a start that follows. Calls back later, or at once when there are
 * none. After a failure nothing is held. */
bool container_has_mounted_volumes(const struct container *c);
void container_volumes_acquire(struct container *c, container_done *done, void *arg);
void container_volumes_release(struct container *c);
void container_volumes_adopt(struct container *c, struct monitor_hello *h);
/* What is mounted as a detached tree: described by the loop, opened by the pool. */
struct box_trees {
    struct box_tree *items;
    int *fds; /* -1: not opened */
    size_t n;
    struct monitor_keep *keeps; /* borrowed descriptors */
    size_t keeps_n;
    int layers_fd; /* borrowed */
};
struct err container_trees_plan(struct container *c, struct arena *a, struct box_trees *ret);
struct err container_trees_open(struct box_trees *t);
void container_trees_done(struct box_trees *t);

/* box.c: config.json of the OCI runtime. All memory in a. */
struct box_files {
    const char *hosts, *hostname, *resolv_conf; /* paths, NULL: not mounted */
};
/* namespaces.c: what is joined, held until the start is over; -1: nothing. */
struct box_joined {
    int pid_ns, ipc_ns;
    int shm_ns; /* mount namespace of the container whose /dev/shm is shared */
};
/* Pool. The shared /dev/shm as a detached tree; -1: none. */
struct err container_shm_open(const struct box_joined *j, int *ret_fd);
struct oci_linux;
bool container_mode_is_host(const char *mode);
/* ERR_CONFLICT when the other container does not run. */
struct err container_join(const struct container *c, struct box_joined *ret);
void box_joined_done(struct box_joined *j);
void container_add_namespaces(const struct container *c, const struct box_joined *joined,
                              struct oci_linux *l, struct arena *a);
/* devices.c: nodes into l, rules into its resources. */
struct err container_devices(const struct container *c, struct arena *a, struct oci_linux *l);
struct err container_device_rule_check(const char *text);
struct err container_box(const struct container *c, const struct box_files *files,
                         const struct box_joined *joined, struct arena *a, struct buf *ret_json);
/* The process object of an exec. */
struct err container_exec_process(const struct container_exec *x, struct arena *a,
                                  struct buf *ret_json);

/* security.c: names "CAP_…"; memory in a. privileged: everything that can be given. */
struct strs container_capabilities(const struct container *c, bool privileged, struct arena *a);
struct err container_security_check(const struct strs *opts);
bool container_no_new_privileges(const struct container *c);
/* No masked and read-only paths. */
bool container_bare_system_paths(const struct container *c);
const char *container_apparmor(const struct container *c, struct arena *a); /* NULL: none */
/* The compiled filter, owned; -1 when the container asked for none. Pool. */
struct err container_seccomp_open(const struct container *c, int *ret_fd);
struct err container_seccomp_prepare(struct containers *cs);

/* ports.c: what the container asks its network for. Memory in a. */
/* Bindings as requests, not merged. */
struct err container_bindings_requests(const struct objmap *bindings, struct in_addr bind_ip,
                                       struct arena *a, struct port_requests *ret);
/* connect.c: a plan that another thread may work on. */
struct endpoint_plan *container_plan_copy(const struct endpoint_plan *p);
/* update.c: HostConfig changes: the row, then (after its commit) the fact, which is copied. */
void container_host_record(struct container *c, const struct api_host_config *host,
                           void (*done)(void *arg, struct err e), void *arg);
void container_host_replace(struct container *c, const struct api_host_config *host);
/* What the monitor is to hold; `address` is the text that it points to. way_out NULL: none. */
struct monitor_ports container_ports_held(const struct container *c,
                                          const struct endpoint_live *live,
                                          const struct endpoint_plan *way_out,
                                          char address[INET6_ADDRSTRLEN]);
/* A warning when no network of `to` publishes the ports that are asked for. */
void container_ports_warn(const struct networks *n, const struct api_host_config *host,
                          const struct api_networking_config *to, struct arena *a,
                          struct strs *ret_warnings);
struct err container_port_requests(const struct container *c, const struct network *w,
                                   struct arena *a, struct port_requests *ret);
/* Settings given for this network in the create call; NULL: none. */
const struct api_endpoint *container_endpoint_settings(const struct container *c,
                                                       const char *network);
/* What a create or connect call says about an endpoint (NULL allowed): refused by name or OK. */
struct err container_endpoint_check(const struct api_endpoint *e);

/* network.c: mode "container:REF"; its REF; a mode that has endpoints (a network's name). */
bool container_joins(const char *mode);
const char *container_joined_ref(const char *mode);
bool container_has_endpoints(const char *mode);
/* Of a running container that was just adopted: what a kill cut short is undone, by ops (mend.c).
 */
void container_endpoints_mend(struct container *c);
/* EndpointsConfig with the network of the mode in it, by name where it is known. Memory in a. */
void container_networking_complete(const struct networks *n, const char *mode,
                                   const struct api_networking_config *given, struct arena *a,
                                   struct api_networking_config *ret);
/* Tells corten-dns about this container: its plans (borrowed) and what it is called. */
void container_names_tell(struct container *c, struct endpoint_plan *const *plans, size_t n,
                          bool live);
/* The networks of a start. CONTAINER_NET_JOB first; after container_net_reserve,
 * container_net_settle or container_net_release takes what it holds. */
struct net_job {
    struct endpoint_plans plans; /* the way out first */
    enum network_driver driver;  /* without plans and joined_pid: host or none */
    size_t up;                   /* plans that are up */
    struct network_spare *spare; /* for the driver none; or NULL */
    bool names;                  /* corten-dns answers */
    int names_fds[2];            /* after container_net_up, owned; see network_names_up */
    pid_t joined_pid;            /* container:REF; 0: none */
    uint64_t joined_start;
    char joined_id[65];
};
#define CONTAINER_NET_JOB ((struct net_job){.names_fds = {-1, -1}})
struct err container_net_reserve(struct container *c, struct arena *a,
                                 struct net_job *j); /* loop */
/* Pool. Writes endpoint.json into run_dir. After a failure container_net_down. */
struct err container_net_up(struct net_job *j, int run_dir, struct endpoint_live *live);
void container_net_down(struct net_job *j);
void container_net_settle(struct container *c, struct net_job *j);  /* loop */
void container_net_release(struct container *c, struct net_job *j); /* loop */
struct err container_reserve_endpoint(struct container *c, struct network *w,
                                      const struct api_endpoint *e, unsigned index, bool way_out,
                                      bool publishes, struct arena *a, struct endpoint_plan **ret);
/* The network namespace of a running container; never that of another process. Pool. */
struct err container_netns_open(pid_t pid, uint64_t start_time, int *ret_fd);
/* The container's endpoints are these from now on; *plans is empty. Loop. */
void container_net_take(struct container *c, struct endpoint_plans *plans);
struct err container_net_write(const struct endpoint_plans *plans, int run_dir);
/* The end of a run: pool, then loop. */
struct err container_endpoints_down(const struct endpoint_plans *v);
void container_endpoints_release(struct container *c);
/* A container that still runs, after a restart of the daemon. */
struct err container_endpoints_adopt(struct container *c, int run_dir);
/* followers.c: hands a follower of logs to the worker that serves them all. fds as "logs-read",
 * borrowed. */
struct err container_follow_logs(struct containers *cs, const char *id, struct str args,
                                 const int *fds, size_t fds_n);
void container_followers_close(struct containers *cs);

/* logs.c: the log as a hijacked stream. taken stays the caller's; gate: closed by the worker at its
 * end, -1: none. */
struct container_logs;
void container_logs_attach(struct container *c, const struct container_logs *o,
                           const char *content_type, const struct http_taken *taken, int gate,
                           container_done *done, void *arg);
/* logs.c: driver, options and attributes. Memory in a. */
struct err container_log_settings(const struct container *c, struct arena *a,
                                  struct monitor_start *ret);

/* exec.c */
void container_execs_drop(struct container *c);
/* Codes that an earlier daemon kept under the run root. */
void container_execs_restore(struct container *c, int run_dir);
void container_exec_adopt(struct container *c, const struct monitor_hello_exec *h);
void container_exec_ended(struct container *c, const char *exec_id, int code);

/* health.c */
struct container_health_result {
    int64_t start, end;
    int code;
    char *output; /* owned */
};
struct container_health {
    enum monitor_health_status status;
    int64_t streak;
    bool was_healthy; /* in this run */
    struct container_health_result results[MONITOR_HEALTH_RESULTS];
    size_t results_n;
};
/* Checks and reads the settings; without process and stop's values. */
struct err container_health_parse(const struct api_config *config, struct arena *a,
                                  struct monitor_health *ret);
/* Of the merged document: refuses what cannot be meant. */
struct err container_health_check(const struct api_container_create *doc, struct arena *a);
/* What the image says and the create call does not. */
void container_health_merge(struct api_config *c, const struct api_config *image, struct arena *a);
/* For the monitor: whole. */
struct err container_health_settings(const struct container *c, struct arena *a,
                                     struct monitor_health *ret);
void container_health_begin(struct container *c); /* started */
void container_health_report(struct container *c, const struct monitor_health_state *s);
void container_health_adopt(struct container *c, const struct monitor_hello *hello);
void container_health_ended(struct container *c, const struct monitor_exit *x);
void container_health_free(struct container *c);
bool container_health_wants_restart(const struct container *c);
int64_t container_health_delay(struct container *c); /* before the restart; grows */

/* method.c: for the monitor. Memory in a. */
struct err container_method_settings(const struct container *c, struct arena *a,
                                     const struct monitor_method **ret, size_t *ret_n);
/* The method `start` is the entry point where none is set. */
void container_start_method(struct api_config *c, const struct api_config *given, struct arena *a);

/* init_choice.c: sets h->init as the label corten.init says, when there is one. ERR_INVALID names
 * it. available: there is an init; without one, "auto" is "false". */
struct err container_init_choose(const struct api_config *config, bool available, struct arena *a,
                                 struct api_host_config *h);

/* inside.c: `container --update` in this exec. */
void container_update_inside(struct container *c, const char *exec_id);
/* transaction.c: one that an earlier daemon's end has cut is taken back. */
void container_transaction_recover(struct container *c);
/* rollback.c: the job "container-update". */
struct err container_update_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result);
/* Runs a method without a client. done once: with its result, or with why there is none (consumes
 * e); from within the call, too. */
typedef void container_ran(void *arg, const struct method_result *r, struct err e);
/* heard (NULL: nobody): pieces of what it says, before done. */
typedef void container_heard(void *arg, struct str text);
void container_method_run(struct container *c, const char *name, const char *trigger,
                          container_heard *heard, container_ran *done, void *arg);
void container_method_said(struct container *c, const char *exec_id, struct str text);

/* result.c */
void container_result_keep(struct container *c, const struct method_result *r); /* and tells */
struct container_life {
    struct list results; /* oldest first */
    char *samples;       /* owned */
    struct list waiters; /* struct waiter of result.c */
};
struct err container_results_load(struct containers *cs);
void container_life_free(struct container *c);
void container_life_ended(struct container *c);
void container_result_report(struct container *c, uint64_t seq, const struct method_result *r);
void container_samples_report(struct container *c, struct str samples);
void container_results_restore(struct container *c, int run_dir);
/* NULL: nothing is validated. */
const char *container_life_health(const struct container *c);
struct api_health *container_life_health_view(const struct container *c, struct arena *a);

/* boot.c: starts these (oldest first) in the order of what they need. */
void container_boot(struct containers *cs, struct container *const *list, size_t n);
void container_boot_end(struct containers *cs);

/* links.c: HostConfig.Links as given → "ID:ALIAS". */
struct err container_links_resolve(struct containers *cs, const struct strs *given, struct arena *a,
                                   struct strs *ret);
/* Adds "name:address" lines; ERR_CONFLICT when a linked container does not run. */
struct err container_links_hosts(const struct container *c, struct arena *a, struct strs *hosts);
void container_links_env(const struct container *c, struct arena *a, struct strs *env);
/* "name:alias" of each, for corten-dns. */
void container_links_names(const struct container *c, struct arena *a, struct strs *to);
/* Others that are linked to it learn its new address. */
void container_links_started(struct container *started);
/* What links let through where icc is off: for the endpoint of a start; after the end of one that
 * is linked; for all who run at the daemon's start. */
struct err container_links_allow(const struct container *c, const char *endpoint_id);
/* Pool. ERR_SYSTEM: a bind with shared or slave propagation whose source is neither. */
struct err container_check_propagation(const struct container *c);
void container_links_ended(struct container *ended);
void container_links_restored(struct containers *cs);

/* restore.c */
void container_restore_one(struct container *c);
