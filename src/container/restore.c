/* Start of the daemon: rows from the store against what lives. A monitor that answers is adopted;
 * an exit record is applied; a row that says `running` without either ended with the host: code
 * 255. Then restart policies act, and removals that were cut short are finished. */
#include "base/file.h"
#include "base/path.h"
#include "container/private.h"
#include "kernel/mount.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_CODE_LOST 255

/* --- one container
 * ---------------------------------------------------------------------------------- */

static void adopt(struct container *c, int run_dir, struct monitor_hello *h) {
    c->pid = h->started.pid;
    c->start_time = h->started.start_time;
    c->monitor_pid = h->started.monitor_pid;
    c->started_at = h->started.started_at;
    c->hold.running = true;
    if (!container_is_alive(c)) {
        if (c->state == CONTAINER_RESTARTING)
            c->state = CONTAINER_EXITED;
        container_set_state(c, CONTAINER_RUNNING);
    }
    log_err(LOG_WARN, container_endpoints_adopt(c, run_dir), "container %s: adopt its network",
            c->id);
    container_names_tell(c, c->endpoints.items, c->endpoints.n, true);
    for (size_t i = 0; i < h->execs_n; i++)
        container_exec_adopt(c, &h->execs[i]);
    container_execs_restore(c, run_dir);
    container_health_adopt(c, h);
    c->log_now = h->log;
    container_volumes_adopt(c, h);
    container_watch_monitor(c, TAKE_FD(h->started.conn));
    container_endpoints_mend(c);
}

static void lost(struct container *c) {
    struct monitor_exit x = {.code = EXIT_CODE_LOST, .finished_at = time_now()};
    if (!container_is_alive(c))
        c->state = CONTAINER_RUNNING; /* RESTARTING: its timer went with the old daemon */
    container_apply_exit(c, &x);
    c->end_untold = true;
    container_save_lazy(c);
}

/* What is left in a dead container's run directory: address and ports to take down. */
static void bury(struct container *c, int run_dir) {
    if (run_dir >= 0)
        log_err(LOG_WARN, container_endpoints_adopt(c, run_dir), "container %s: find its network",
                c->id);
    log_err(LOG_WARN, container_endpoints_down(&c->endpoints),
            "container %s: take the network down", c->id);
    container_endpoints_release(c);
    CLEAN_FREE char *cgroup = container_cgroup_path(c);
    log_err(LOG_WARN, runtime_cgroup_remove(cgroup), "container %s: remove its cgroup", c->id);
    err_ignore(dir_remove(c->all->run_fd, c->id)); /* made anew by the next start */
}

void container_restore_one(struct container *c) {
    CLEAN_FD int run_dir = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct monitor_hello hello = {.started.conn = -1};
    struct err e = run_dir >= 0 ? monitor_dial(run_dir, &hello)
                                : err_new(ERR_NOT_FOUND, "no run directory");
    if (!err_failed(e)) {
        adopt(c, run_dir, &hello);
        monitor_hello_done(&hello);
        return;
    }
    if (err_kind(e) == ERR_NOT_FOUND)
        err_ignore(e);
    else
        log_err(LOG_WARN, e, "container %s: dial its monitor", c->id);
    if (run_dir >= 0)
        container_results_restore(c, run_dir);
    bool had_run = container_is_alive(c) || c->state == CONTAINER_RESTARTING;
    e = run_dir >= 0 ? monitor_read_exit(run_dir, &hello)
                     : err_new(ERR_NOT_FOUND, "no run directory");
    if (!err_failed(e)) {
        c->state = CONTAINER_RUNNING;
        container_apply_exit(c, &hello.exit);
        c->end_untold = true;
        container_save_lazy(c);
        monitor_hello_done(&hello);
    } else {
        err_ignore(e); /* no record: the ordinary case */
        if (had_run)
            lost(c);
    }
    /* A run root that was wiped without a reboot leaves cgroups behind. */
    if (run_dir >= 0 || had_run)
        bury(c, run_dir);
}

/* --- the noun
 * ---------------------------------------------------------------------------------------- */

static struct err read_boot_id(char out[40]) {
    CLEAN_BUF struct buf text = {0};
    TRY(file_read("/proc/sys/kernel/random/boot_id", 64, &text));
    struct str id = str_trim(buf_str(&text));
    if (!path_is_name(id) || id.len >= 40)
        return err_new(ERR_SYSTEM, "unexpected boot id");
    memcpy(out, id.p, id.len);
    out[id.len] = '\0';
    return OK;
}

static struct err open_dirs(struct containers *cs) {
    CLEAN_FREE char *data = path_join(cs->config.data_root, "container");
    CLEAN_FREE char *all = path_join(cs->config.data_root, "ephemeral");
    CLEAN_FREE char *ephemeral = path_join(all, cs->boot_id);
    CLEAN_FREE char *run = path_join(cs->config.run_root, "container");
    TRY(dir_make(data, 0700));
    TRY(dir_make(ephemeral, 0700));
    TRY(dir_make(run, 0700));
    TRY(dir_open(data, &cs->data_fd));
    TRY(dir_open(ephemeral, &cs->ephemeral_fd));
    return dir_open(run, &cs->run_fd);
}

struct sweep {
    char *ephemeral, *boot_id;
};

/* Pool: directories of auto-removed containers of earlier boots. */
static struct err sweep_work(void *arg) {
    struct sweep *s = arg;
    CLEAN_FD int fd = -1;
    TRY(dir_open(s->ephemeral, &fd));
    DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!d)
        return err_errno(errno, "read '%s'", s->ephemeral);
    struct err e = OK;
    for (struct dirent *entry; !err_failed(e) && (entry = readdir(d));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, s->boot_id) != 0)
            e = dir_remove(fd, entry->d_name);
    closedir(d);
    return e;
}

static void sweep_done(void *arg, struct err e) {
    struct sweep *s = arg;
    log_err(LOG_WARN, e, "sweep '%s'", s->ephemeral);
    free(s->ephemeral);
    free(s->boot_id);
    free(s);
}

static void settle_done(void *arg UNUSED, struct err e) {
    log_err(LOG_ERROR, e, "compare networks with the kernel");
}

static bool starts_at_boot(const struct container *c) {
    const char *policy = c->host->restart_policy.name;
    if (!policy || c->auto_remove || container_is_alive(c) || c->state == CONTAINER_CREATED)
        return false;
    return (!strcmp(policy, "always") && c->state == CONTAINER_EXITED) ||
           (!strcmp(policy, "unless-stopped") && !c->stopped_by_user) || container_wants_restart(c);
}

static void removed_at_boot(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "finish a removal after the daemon's start");
}

/* What the daemon owes a container that does not run: the rest of a removal, or (true) a start. */
static bool settle_one(struct container *c) {
    if (container_is_alive(c))
        return false;
    bool cut_short = c->state == CONTAINER_REMOVING;
    if (cut_short || (c->brief && (c->state != CONTAINER_CREATED || c->other_boot))) {
        c->state = CONTAINER_EXITED;
        container_remove(c, true, c->brief, removed_at_boot, NULL);
        return false;
    }
    return starts_at_boot(c);
}

static void restore_all(struct containers *cs) {
    VEC(struct container *) todo = {0}, starting = {0};
    for (size_t i = 0; i < cs->n; i++)
        vec_push(&todo, cs->sorted[i]);
    for (size_t i = 0; i < todo.n; i++)
        container_restore_one(todo.items[i]);
    container_links_restored(cs);
    networks_settle(cs->config.networks, settle_done, NULL);
    images_restored(cs->config.images);
    volumes_restored(cs->config.volumes);
    /* Oldest first: what was created first is usually what others need. */
    for (size_t i = todo.n; i-- > 0;)
        if (settle_one(todo.items[i]))
            vec_push(&starting, todo.items[i]);
    container_boot(cs, starting.items, starting.n);
    vec_done(&starting);
    vec_done(&todo);
}

void containers_announce(struct containers *cs) {
    for (size_t i = cs->n; i-- > 0;)
        if (cs->sorted[i]->end_untold) {
            cs->sorted[i]->end_untold = false;
            container_publish_end(cs->sorted[i]);
        }
    for (size_t i = 0; i < cs->n; i++)
        container_transaction_recover(cs->sorted[i]);
}

/* corten-init and corten-container lie beside the other programs; without them --init is refused,
 * and `container` in an exec is what the image has. */
static struct err open_program(struct containers *cs, const char *name, int *ret_fd) {
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(cs->config.monitor_program)));
    CLEAN_FREE char *path = path_join(dir, name);
    return access(path, X_OK) == 0 ? mount_readonly_program(path, ret_fd) : OK;
}

struct err containers_open(const struct containers_config *config, struct containers **ret) {
    struct containers *cs = NEW(struct containers);
    cs->config = *config;
    cs->monitor_fd = cs->init_fd = cs->own_fd = cs->seccomp_fd = cs->data_fd = cs->ephemeral_fd =
        cs->run_fd = -1;
    bus_init(&cs->bus);
    struct err e = read_boot_id(cs->boot_id);
    if (!err_failed(e))
        e = open_dirs(cs);
    if (!err_failed(e))
        e = container_seccomp_prepare(cs);
    if (!err_failed(e))
        e = open_program(cs, path_base(str_of(config->monitor_program)).p, &cs->monitor_fd);
    if (!err_failed(e))
        e = open_program(cs, "corten-init", &cs->init_fd);
    if (!err_failed(e))
        e = open_program(cs, "corten-container", &cs->own_fd);
    if (!err_failed(e))
        e = container_load_all(cs);
    if (!err_failed(e))
        e = container_results_load(cs);
    if (err_failed(e)) {
        containers_close(cs);
        return e;
    }
    container_spare_open(cs);
    restore_all(cs);
    struct sweep *s = NEW(struct sweep);
    s->ephemeral = path_join(config->data_root, "ephemeral");
    s->boot_id = mem_strdup(cs->boot_id);
    job_submit(config->loop, sweep_work, sweep_done, s);
    *ret = cs;
    return OK;
}

void containers_close(struct containers *cs) {
    if (!cs)
        return;
    container_boot_end(cs);
    container_followers_close(cs);
    container_burials_end(cs);
    for (size_t i = 0; i < cs->unswept.n; i++)
        container_free(cs->unswept.items[i]);
    vec_done(&cs->unswept);
    container_spare_close(cs);
    map_done(&cs->by_id);
    map_done(&cs->by_name);
    map_done(&cs->execs);
    for (size_t i = 0; i < cs->n; i++)
        container_free(cs->sorted[i]);
    free(cs->sorted);
    fd_close(cs->seccomp_fd);
    fd_close(cs->monitor_fd);
    fd_close(cs->init_fd);
    fd_close(cs->own_fd);
    fd_close(cs->data_fd);
    fd_close(cs->ephemeral_fd);
    fd_close(cs->run_fd);
    free(cs);
}
