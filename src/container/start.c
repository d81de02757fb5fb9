/* start: reserve the network and compose the box on the loop; make files, network and monitor on
 * the pool; commit on the loop. The reply comes when the program runs (execve succeeded). */
#include "base/file.h"
#include "base/path.h"
#include "container/cdi.h"
#include "container/private.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct start_job {
    struct container *c;
    container_done *done;
    void *arg;
    struct arena arena;
    struct op_run *run;
    /* filled by prepare, read by work */
    struct buf config, hosts, hostname, resolv;
    struct network_files files;
    struct net_job net;
    struct box_joined joined;
    VEC(struct in_addr) addresses;
    VEC(struct in6_addr) addresses6;
    struct rootfs root;
    struct monitor_prestart *prestart;
    size_t prestart_n;
    struct strv copy_up;             /* pairs: mountpoint of a volume, path in the image */
    VEC(struct volume_owner) owners; /* of each of these volumes */
    struct box_trees trees;
    bool acquired; /* the volumes that are mounts */
    struct err volumes_error;
    struct list taken; /* the clients that moved into prestart */
    struct list kept;  /* copies of those that wait: a start that fails does not end their wait */
    /* filled by work */
    struct monitor_born born;
    struct monitor_started started;
};

static void start_free(struct start_job *j) {
    box_joined_done(&j->joined);
    container_trees_done(&j->trees);
    err_free(j->volumes_error);
    for (struct list *n; (n = list_pop(&j->kept));)
        container_waiter_free(CONTAINER_OF(n, struct container_waiter, link));
    for (struct list *n; (n = list_pop(&j->taken));)
        container_waiter_free(CONTAINER_OF(n, struct container_waiter, link));
    buf_done(&j->config);
    buf_done(&j->hosts);
    buf_done(&j->hostname);
    buf_done(&j->resolv);
    strv_done(&j->copy_up);
    vec_done(&j->owners);
    vec_done(&j->addresses);
    vec_done(&j->addresses6);
    arena_done(&j->arena);
    free(j);
}

/* --- prepare -------------------------------------------------------------------------------------
 */

static struct err compose_files(struct start_job *j) {
    struct container *c = j->c;
    struct strs hosts = {.present = true};
    const struct endpoint_plan *way_out = j->net.plans.n ? j->net.plans.items[0] : NULL;
    j->files = (struct network_files){
        .hostname = c->config->hostname,
        .domainname = c->config->domainname,
        .driver = j->net.driver,
        .gateway = way_out ? way_out->gateway : (struct in_addr){0},
        .gateway6 = way_out && way_out->six ? way_out->gateway6 : in6addr_any,
        .host_gateway = networks_host_gateway(c->all->config.networks),
        .names = j->net.names,
        .dns = c->host->dns,
        .dns_search = c->host->dns_search,
        .dns_options = c->host->dns_options,
    };
    for (size_t i = 0; i < c->host->extra_hosts.n; i++)
        strs_add(&hosts, &j->arena, c->host->extra_hosts.items[i]);
    TRY(container_links_hosts(c, &j->arena, &hosts));
    j->files.extra_hosts = hosts;
    for (size_t i = 0; i < j->net.plans.n; i++) {
        const struct endpoint_plan *p = j->net.plans.items[i];
        if (p->prefix)
            vec_push(&j->addresses, p->address);
        if (p->six)
            vec_push(&j->addresses6, p->address6);
    }
    j->files.addresses = j->addresses.items;
    j->files.addresses_n = j->addresses.n;
    j->files.addresses6 = j->addresses6.items;
    j->files.addresses6_n = j->addresses6.n;
    return OK;
}

/* The sockets that wait for this start move into the job. */
static void keep_waiter(struct start_job *j, const struct container_waiter *w) {
    struct container_waiter *copy = NEW(struct container_waiter);
    copy->taken.fd = fcntl(w->taken.fd, F_DUPFD_CLOEXEC, 3);
    copy->is_wait = true;
    copy->wait = w->wait;
    copy->content_type = mem_strdup(w->content_type);
    list_push(&j->kept, &copy->link);
}

static void collect_prestart(struct start_job *j) {
    size_t n = 0;
    LIST_FOR (&j->c->prestart, l)
        n++;
    j->prestart = arena_array(&j->arena, n + 1, sizeof *j->prestart);
    LIST_FOR (&j->c->prestart, link) {
        struct container_waiter *w = CONTAINER_OF(link, struct container_waiter, link);
        list_remove(link);
        list_push(&j->taken, link);
        if (w->is_wait)
            keep_waiter(j, w);
        j->prestart[j->prestart_n++] = (struct monitor_prestart){
            .client = {.taken = &w->taken, .content_type = w->content_type, .head_sent = true},
            .is_wait = w->is_wait,
            .attach = w->attach,
            .wait = w->wait,
        };
    }
}

static struct err compose(struct start_job *j) {
    struct container *c = j->c;
    TRY(container_root(c, &j->arena, &j->root));
    TRY(container_net_reserve(c, &j->arena, &j->net));
    TRY(compose_files(j));
    /* Who joins another's network shares its names as well. */
    char *run = arena_printf(&j->arena, "%s/container/%s", c->all->config.run_root,
                             j->net.joined_pid ? j->net.joined_id : c->id);
    struct box_files files = {
        .hosts = arena_printf(&j->arena, "%s/hosts", run),
        .hostname = arena_printf(&j->arena, "%s/hostname", run),
        .resolv_conf = arena_printf(&j->arena, "%s/resolv.conf", run),
    };
    TRY(container_trees_plan(c, &j->arena, &j->trees));
    for (size_t i = 0; i < c->mounts_n; i++) {
        struct container_mount *m = &c->mounts[i];
        if (!strcmp(m->type, "volume") && !m->no_copy && !m->tree) {
            strv_add(&j->copy_up, m->source);
            strv_add(&j->copy_up, m->destination);
            const struct volume *v = volume_find(c->all->config.volumes, m->name);
            vec_push(&j->owners, v ? volume_owner_of(v)
                                   : (struct volume_owner){.uid = -1, .gid = -1, .mode = -1});
        }
    }
    TRY(container_join(c, &j->joined));
    return container_box(c, &files, &j->joined, &j->arena, &j->config);
}

static struct err start_prepare(void *job) {
    struct start_job *j = job;
    struct container *c = j->c;
    if (c->state == CONTAINER_PAUSED)
        return err_new(ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    if (c->state == CONTAINER_RUNNING)
        return err_new(ERR_NOT_MODIFIED, "container %s is already running", c->id);
    if (c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD || c->gone)
        return err_new(ERR_CONFLICT, "container is marked for removal and cannot be started");
    c->restart_timer = timer_free(c->restart_timer);
    struct err e = j->volumes_error;
    j->volumes_error = OK;
    TRY(e);
    TRY(compose(j));
    collect_prestart(j);
    j->born = container_spare_take(c->all);
    return OK;
}

/* --- work ----------------------------------------------------------------------------------------
 */

static struct err write_files(struct start_job *j, int run_dir) {
    CLEAN_FREE char *resolv = NULL;
    CLEAN_FREE char *hosts = NULL;
    TRY(network_host_files(&resolv, &hosts));
    j->files.host_resolv = resolv;
    j->files.host_hosts = hosts;
    TRY(network_hosts(&j->files, &j->hosts));
    network_resolv(&j->files, &j->resolv);
    network_hostname(&j->files, &j->hostname);
    j->files.host_resolv = j->files.host_hosts = NULL;
    TRY(file_replace_at(run_dir, "hosts", buf_str(&j->hosts), 0644, false));
    TRY(file_replace_at(run_dir, "resolv.conf", buf_str(&j->resolv), 0644, false));
    return file_replace_at(run_dir, "hostname", buf_str(&j->hostname), 0644, false);
}

/* Fills new named volumes with what the image has at their place. */
static struct err fill_volumes(struct start_job *j) {
    CLEAN_FD int rootfs = -1;
    for (size_t i = 0; i + 1 < j->copy_up.n; i += 2) {
        CLEAN_FD int volume = -1;
        CLEAN_FD int beside = -1;
        TRY(volume_open_dir(j->copy_up.items[i], &volume));
        CLEAN_FREE char *parent = str_dup(path_dir(str_of(j->copy_up.items[i])));
        TRY(dir_open(parent, &beside));
        if (rootfs < 0) {
            struct mount_overlay o = {
                .layers_fd = images_layers_dirfd(j->c->all->config.images),
                .layers = j->root.layers,
                .layers_n = j->root.layers_n,
                .upper_fd = -1,
                .work_fd = -1,
            };
            TRY(mount_overlay_detached(&o, &rootfs));
        }
        bool copied = false;
        TRYF(volume_copy_up(rootfs, j->copy_up.items[i + 1], volume, beside, &copied),
             "fill volume for '%s'", j->copy_up.items[i + 1]);
        if (copied)
            TRY(volume_give(volume, &j->owners.items[i / 2]));
    }
    return OK;
}

/* Nothing of the host's is mounted in it that somebody may want to take down. */
static bool holds_mounts(const struct start_job *j) {
    for (size_t i = 0; i < j->c->mounts_n; i++)
        if (!strcmp(j->c->mounts[i].type, "bind"))
            return false;
    /* devices by name may bring mounts */
    return j->trees.n == 0 && j->c->host->resources.device_requests.n == 0;
}

/* What the start's box becomes with devices by name. Reads files of the host. */
static struct err add_cdi(struct start_job *j, struct strs *groups) {
    const struct objs *requests = &j->c->host->resources.device_requests;
    const struct api_device_request *q = requests->items;
    struct strs names = {0};
    struct oci_config o = {0};
    for (size_t i = 0; i < requests->n; i++)
        for (size_t k = 0; k < q[i].device_ids.n; k++)
            strs_add(&names, &j->arena, q[i].device_ids.items[k]);
    if (!names.n)
        return OK;
    const char *text = arena_str(&j->arena, buf_str(&j->config));
    TRY(fields_decode(&oci_config_fields, str_of(text), &j->arena, &o));
    TRY(cdi_apply(j->c->all->config.cdi_dirs, &names, &j->arena, &o, groups));
    buf_clear(&j->config);
    fields_print(&oci_config_fields, &o, &j->config);
    return OK;
}

/* What an overlay's root is made of, top first. */
static const char *const *layers_of(struct start_job *j, size_t *ret_n) {
    size_t n = j->root.layers_n;
    const char **all = arena_array(&j->arena, n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++)
        all[i] = j->root.layers[i];
    if (n < MOUNT_LAYERS_MAX)
        all[n++] = IMAGE_GROUND;
    *ret_n = n;
    return all;
}

/* The network is made last, while the monitor makes what needs none. */
static struct err run_monitor(struct start_job *j, int run_dir) {
    struct container *c = j->c;
    CLEAN_ENDPOINT_LIVE struct endpoint_live live = {.netns_fd = -1};
    CLEAN_FD int data = -1;
    CLEAN_FD int seccomp = -1;
    TRY(dir_open(c->directory, &data));
    CLEAN_FD int shm = -1;
    char address[INET6_ADDRSTRLEN];
    const struct endpoint_plan *way_out = j->net.plans.n ? j->net.plans.items[0] : NULL;
    struct strs groups = {0};
    for (size_t i = 0; i < c->host->group_add.n; i++)
        strs_add(&groups, &j->arena, c->host->group_add.items[i]);
    TRY(add_cdi(j, &groups));
    TRY(container_seccomp_open(c, &seccomp));
    TRY(container_shm_open(&j->joined, &shm));
    struct monitor_start s = {
        .id = c->id,
        .run_dir_fd = run_dir,
        .config = buf_str(&j->config),
        .layers_dir_fd = images_layers_dirfd(c->all->config.images),
        .data_dir_fd = data,
        .network_follows = j->net.plans.n > 0,
        .names_path = j->net.names ? networks_names_socket(c->all->config.networks) : NULL,
        .seccomp_fd = seccomp,
        .init_fd = c->host->init && *c->host->init ? c->all->init_fd : -1,
        .shm_fd = shm,
        .trees = j->trees.fds,
        .trees_n = j->trees.n,
        .keeps = j->trees.keeps,
        .keeps_n = j->trees.keeps_n,
        .terminal = c->config->tty,
        .user = c->config->user,
        .groups = (const char *const *)groups.items,
        .groups_n = groups.n,
        .open_stdin = c->config->open_stdin,
        .stdin_once = c->config->stdin_once,
        .log_dir_fd = data,
        .log_name = container_log_name(c, &j->arena),
        .auto_remove = c->auto_remove,
        .hold_mounts = holds_mounts(j),
        .prestart = j->prestart,
        .prestart_n = j->prestart_n,
    };
    s.layers = layers_of(j, &s.layers_n);
    TRY(container_log_settings(c, &j->arena, &s));
    TRY(container_health_settings(c, &j->arena, &s.health));
    TRY(container_method_settings(c, &j->arena, &s.methods, &s.methods_n));
    if (s.network_follows)
        TRY(monitor_tell(&s, &j->born));
    TRY(container_net_up(&j->net, run_dir, &live));
    s.netns_fd = live.netns_fd;
    s.names_fds[0] = j->net.names_fds[0];
    s.names_fds[1] = j->net.names_fds[1];
    s.ports = container_ports_held(c, &live, way_out, address);
    return monitor_spawn(&s, &j->born, &j->started);
}

static struct err start_steps(struct start_job *j) {
    struct container *c = j->c;
    if (mkdirat(c->all->run_fd, c->id, 0700) != 0 && errno != EEXIST)
        return err_errno(errno, "make the run directory");
    CLEAN_FD int run_dir = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run_dir < 0)
        return err_errno(errno, "open the run directory");
    monitor_await(c->monitor_pid, c->id);
    /* Where none was made ahead, it loads on another processor while this one makes files. */
    const struct containers_config *all = &c->all->config;
    if (j->born.conn >= 0 && pidfd_ended(j->born.pidfd))
        monitor_bury(&j->born); /* somebody has killed it */
    if (j->born.conn < 0)
        TRY(monitor_bear(all->monitor_program, c->all->monitor_fd, all->cgroup, &j->born));
    TRY(container_root_make(c, &j->root));
    TRY(write_files(j, run_dir));
    TRY(fill_volumes(j));
    TRY(container_check_propagation(c));
    TRY(container_trees_open(&j->trees));
    return run_monitor(j, run_dir);
}

static struct err start_work(void *job) {
    struct start_job *j = job;
    struct err e = start_steps(j);
    if (err_failed(e)) {
        monitor_bury(&j->born);
        container_net_down(&j->net);
        err_ignore(dir_remove(j->c->all->run_fd, j->c->id));
    }
    return e;
}

/* --- finish --------------------------------------------------------------------------------------
 */

/* Exit codes of a program that never ran, as shells and the peer have them. */
static int failure_code(enum err_kind kind) {
    return kind == ERR_NOT_FOUND ? 127 : kind == ERR_FORBIDDEN ? 126 : 128;
}

/* Nothing will come on the streams of those who attached; those who wait go on waiting. */
static void drop_attached(struct container *c) {
    LIST_FOR (&c->prestart, n) {
        struct container_waiter *w = CONTAINER_OF(n, struct container_waiter, link);
        if (w->is_wait)
            continue;
        list_remove(n);
        container_waiter_free(w);
    }
}

static void start_failed(struct start_job *j, struct err e) {
    struct container *c = j->c;
    if (j->acquired)
        container_volumes_release(c);
    if (err_kind(e) == ERR_NOT_MODIFIED || c->state == CONTAINER_PAUSED ||
        c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD || c->gone) {
        j->done(j->arg, e);
        op_end(j->run);
        start_free(j);
        return;
    }
    container_net_release(c, &j->net);
    drop_attached(c);
    for (struct list *n; (n = list_pop(&j->kept));)
        list_push(&c->prestart, n);
    free(c->error);
    c->error = mem_strdup(err_msg(e));
    c->exit_code = failure_code(err_kind(e));
    if (c->state == CONTAINER_RESTARTING)
        container_set_state(c, CONTAINER_EXITED);
    container_save_lazy(c);
    struct op_run *run = j->run;
    /* What the program's absence is to the runtime is a bad request to the caller. */
    enum err_kind kind = err_kind(e);
    if (kind == ERR_NOT_FOUND || kind == ERR_FORBIDDEN)
        e = err_as(e, ERR_INVALID);
    j->done(j->arg, e);
    start_free(j);
    if (c->auto_remove)
        container_remove_now(c, true, run, NULL, NULL);
    else
        op_end(run);
}

static void start_told(struct start_job *j) {
    struct op_run *run = j->run;
    j->done(j->arg, OK);
    start_free(j);
    op_end(run);
}

static void start_recorded(void *arg, struct err e) {
    struct start_job *j = arg;
    log_err(LOG_ERROR, e, "record the start of container %s", j->c->id);
    start_told(j);
}

/* What is to run again after a boot is on the disk before anybody hears that it runs. */
static void record_start(struct start_job *j) {
    struct container *c = j->c;
    const char *policy = c->host->restart_policy.name;
    if (!policy || (strcmp(policy, "always") != 0 && strcmp(policy, "unless-stopped") != 0)) {
        container_save_lazy(c);
        start_told(j);
        return;
    }
    struct store_txn *t = store_txn_new();
    container_record_state(c, t);
    store_commit(c->all->config.store, t, STORE_DURABLE, start_recorded, j);
}

static void start_finish(void *job, struct err e, struct op_run *run) {
    struct start_job *j = job;
    struct container *c = j->c;
    j->run = run;
    if (err_failed(e)) {
        start_failed(j, e);
        return;
    }
    container_execs_drop(c); /* of the run before */
    c->hold.running = true;
    c->pid = j->started.pid;
    c->start_time = j->started.start_time;
    c->monitor_pid = j->started.monitor_pid;
    c->started_at = j->started.started_at;
    if (c->first_started_at == 0)
        c->first_started_at = c->started_at;
    c->stopped_by_user = false;
    c->oom_killed = false;
    c->exit_code = 0;
    free(c->error);
    c->error = mem_strdup("");
    container_set_state(c, CONTAINER_RUNNING);
    container_health_begin(c);
    c->log_now = (struct logs_missing){0};
    container_net_settle(c, &j->net);
    container_spare_order(c->all);
    container_links_started(c);
    container_watch_monitor(c, j->started.conn);
    container_publish(c, "start", NULL, NULL);
    record_start(j);
}

/* --- volumes that are mounts ---------------------------------------------------------------------
 * An op of its own in front of the start: they are made asynchronously, by whoever may hang. */

static void volumes_acquired(void *arg, struct err e) {
    struct start_job *j = arg;
    j->acquired = !err_failed(e);
    j->volumes_error = e;
    op_end(j->run);
}

static void volumes_finish(void *job, struct err e, struct op_run *run) {
    struct start_job *j = job;
    struct container *c = j->c;
    err_ignore(e); /* nothing was done that could fail */
    j->run = run;
    if (container_is_alive(c) || c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD ||
        c->gone)
        op_end(run); /* the start will say what is wrong */
    else
        container_volumes_acquire(c, volumes_acquired, j);
}

static const struct op volumes_op = {"container volumes", NULL, NULL, volumes_finish};

static const struct op start_op = {"container start", start_prepare, start_work, start_finish};

void container_start(struct container *c, container_done *done, void *arg) {
    struct start_job *j = NEW(struct start_job);
    j->c = c;
    j->net = CONTAINER_NET_JOB;
    j->born = MONITOR_UNBORN;
    j->done = done;
    j->arg = arg;
    j->joined = (struct box_joined){-1, -1, -1};
    list_init(&j->taken);
    list_init(&j->kept);
    if (container_has_mounted_volumes(c))
        op_start(c->all->config.loop, &c->queue, &volumes_op, j);
    op_start(c->all->config.loop, &c->queue, &start_op, j);
}
