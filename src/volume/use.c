/* Who runs with a volume that is a mount: acquire, release, adopt. Loop. */
#include "base/log.h"
#include "base/random.h"
#include "spec/volume_plugin.h"
#include "volume/private.h"
#include <fcntl.h>
#include <unistd.h>

bool volume_is_mounted(const struct volume *x) {
    return volume_is_plugged(x) || strmap_get(&x->options, "type") != NULL;
}

int volume_keep(const struct volume *x) {
    return x->own->keep;
}

static bool is_user(const struct volume *x, const char *id) {
    for (size_t i = 0; i < x->own->users.n; i++)
        if (!strcmp(x->own->users.items[i], id))
            return true;
    return false;
}

/* --- the mount ---------------------------------------------------------------------------------
 */

struct use_job {
    struct volumes *volumes;
    char *name;
    struct arena arena;
    struct volume_mount mount;
    char *at;      /* where a plugin has put it */
    int layers_fd; /* borrowed */
    int keep;
    struct worker *worker;
    struct timer *deadline;
    bool late;
};

/* Everybody who waits is told. */
static void tell(struct volume *x, struct err e) {
    struct volume_private *own = x->own;
    struct volume_user_waiter *w = own->mount_waiters.items;
    size_t n = own->mount_waiters.n;
    own->mount_waiters.items = NULL;
    own->mount_waiters.n = own->mount_waiters.cap = 0;
    for (size_t i = 0; i < n && !err_failed(e); i++)
        if (!is_user(x, w[i].container_id))
            strv_add(&own->users, w[i].container_id);
    int keep = own->keep;
    for (size_t i = 0; i < n; i++) {
        w[i].done(w[i].arg, err_failed(e) ? err_new(err_kind(e), "%s", err_msg(e)) : OK, keep);
        free(w[i].container_id);
    }
    free(w);
    err_free(e);
}

static void use_end(struct use_job *j, struct err e) {
    struct volume *x = volumes_lookup(j->volumes, j->name);
    timer_free(j->deadline);
    if (x) {
        x->own->mounting = false;
        if (!err_failed(e))
            x->own->keep = TAKE_FD(j->keep);
        if (!err_failed(e) && j->at)
            x->plugged_at = arena_strz(&x->own->arena, j->at);
        tell(x, e);
    } else {
        err_ignore(e); /* whoever waited has let go of it */
    }
    fd_close(j->keep);
    free(j->name);
    free(j->at);
    arena_done(&j->arena);
    free(j);
}

static struct err work(void *arg) {
    struct use_job *j = arg;
    return volume_mount_make(&j->mount, j->layers_fd, &j->keep, &j->at);
}

static void worked(void *arg, struct err e) {
    use_end(arg, e);
}

static void noticed(void *arg, struct worker *w UNUSED, struct msg *m) {
    struct use_job *j = arg;
    if (m->type != VOLUME_NOTICE_KEEP || m->fds_n != 1)
        return;
    fd_close(j->keep);
    j->keep = TAKE_FD(m->fds[0]);
}

static void take_result(struct use_job *j, struct str result) {
    struct volume_plugin_answer answer;
    struct err e = fields_decode(&volume_plugin_answer_fields, result, &j->arena, &answer);
    if (!err_failed(e) && answer.mountpoint)
        j->at = mem_strdup(answer.mountpoint);
    err_ignore(e); /* it is for inspect only */
}

static void worker_done(void *arg, struct str result, struct err e) {
    struct use_job *j = arg;
    if (!err_failed(e) && j->mount.driver)
        take_result(j, result);
    if (j->late) {
        err_free(e);
        e = err_new(ERR_TIMEOUT, "mounting volume '%s' took more than %lld seconds", j->name,
                    (long long)(VOLUME_MOUNT_TIMEOUT / NSEC_PER_SEC));
    } else if (!err_failed(e) && j->keep < 0) {
        e = err_new(ERR_SYSTEM, "mounting volume '%s' gave nothing", j->name);
    }
    use_end(j, e);
}

static void too_late(void *arg) {
    struct use_job *j = arg;
    j->late = true;
    worker_cancel(j->worker);
}

static void run_worker(struct use_job *j) {
    CLEAN_BUF struct buf args = {0};
    fields_print(&volume_mount_fields, &j->mount, &args);
    struct worker_start s = {
        .program = j->volumes->worker,
        .job = "volume-mount",
        .args = buf_str(&args),
        .fds = &j->layers_fd,
        .fds_n = j->layers_fd >= 0,
        .notice = noticed,
        .done = worker_done,
        .arg = j,
    };
    j->deadline = timer_new(j->volumes->loop, VOLUME_MOUNT_TIMEOUT, 0, too_late, j);
    j->worker = worker_start(j->volumes->loop, &s);
}

/* Every mount has an id of its own, which the row keeps: the plugin counts by it, and another
 * daemon may be the one that ends it. */
static void plugin_begin(struct volume *x, struct use_job *j) {
    char id[65];
    random_id(id);
    x->own->mount_id = arena_strz(&x->own->arena, id);
    struct store_txn *t = store_txn_new();
    volume_row_put(t, x);
    store_commit(j->volumes->store, t, STORE_LAZY, NULL, NULL);
    j->mount.driver = arena_strz(&j->arena, x->driver);
    j->mount.name = arena_strz(&j->arena, x->name);
    j->mount.id = arena_strz(&j->arena, id);
    for (size_t i = 0; i < j->volumes->plugin_dirs.n; i++)
        strs_add(&j->mount.plugin_dirs, &j->arena, j->volumes->plugin_dirs.items[i]);
}

static void unmounted(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "volume");
}

static void plugin_unmount(struct volumes *v, struct volume *x) {
    x->plugged_at = arena_strz(&x->own->arena, "");
    volume_plugin_ask(v, x, "Unmount", unmounted, NULL);
    x->own->mount_id = NULL;
    struct store_txn *t = store_txn_new();
    volume_row_put(t, x);
    store_commit(v->store, t, STORE_LAZY, NULL, NULL);
}

void volumes_restored(struct volumes *v) {
    for (size_t i = 0; i < v->items.n; i++) {
        struct volume *x = v->items.items[i];
        if (volume_is_plugged(x) && x->own->mount_id && x->own->keep < 0 && !x->own->mounting)
            plugin_unmount(v, x);
    }
}

static void mount_begin(struct volume *x, const struct volume_fill *fill) {
    struct use_job *j = NEW(struct use_job);
    const char *o = strmap_get(&x->options, "o"), *device = strmap_get(&x->options, "device");
    const char *type = strmap_get(&x->options, "type");
    j->volumes = x->own->all;
    j->name = mem_strdup(x->name);
    j->keep = j->layers_fd = -1;
    j->mount = (struct volume_mount){
        .type = arena_strz(&j->arena, type ? type : ""),
        .device = arena_strz(&j->arena, device ? device : ""),
        .options = arena_strz(&j->arena, o ? o : ""),
        .mountpoint = arena_strz(&j->arena, x->mountpoint),
    };
    if (volume_is_plugged(x))
        plugin_begin(x, j);
    if (fill && fill->path) {
        j->layers_fd = fill->layers_fd;
        j->mount.fill = arena_strz(&j->arena, fill->path);
        for (size_t i = 0; i < fill->layers_n; i++)
            strs_add(&j->mount.layers, &j->arena, fill->layers[i]);
    }
    x->own->mounting = true;
    if (volume_mount_is_local(&j->mount) || !j->volumes->worker)
        job_submit(j->volumes->loop, work, worked, j);
    else
        run_worker(j);
}

/* --- the calls ---------------------------------------------------------------------------------
 */

struct answer {
    struct err e;
    volume_acquired *done;
    void *arg;
    int keep;
};

static void answer_now(void *arg) {
    struct answer *a = arg;
    a->done(a->arg, a->e, a->keep);
    free(a);
}

static void answer_later(struct volumes *v, struct err e, int keep, volume_acquired *done,
                         void *arg) {
    struct answer *a = NEW(struct answer);
    *a = (struct answer){e, done, arg, keep};
    loop_post(v->loop, answer_now, a);
}

void volume_acquire(struct volumes *v, const char *name, const char *container_id,
                    const struct volume_fill *fill, volume_acquired *done, void *arg) {
    struct volume *x = volume_find(v, name);
    if (!x) {
        answer_later(v, err_new(ERR_NOT_FOUND, "get %s: no such volume", name), -1, done, arg);
        return;
    }
    if (x->own->keep >= 0) {
        if (!is_user(x, container_id))
            strv_add(&x->own->users, container_id);
        answer_later(v, OK, x->own->keep, done, arg);
        return;
    }
    vec_push(&x->own->mount_waiters,
             (struct volume_user_waiter){mem_strdup(container_id), done, arg});
    if (!x->own->mounting)
        mount_begin(x, fill);
}

void volume_release(struct volumes *v, const char *name, const char *container_id) {
    struct volume *x = volumes_lookup(v, name);
    if (!x)
        return;
    struct strv *users = &x->own->users;
    for (size_t i = 0; i < users->n; i++) {
        if (strcmp(users->items[i], container_id) != 0)
            continue;
        free(users->items[i]);
        vec_remove(users, i);
        break;
    }
    if (users->n || x->own->keep < 0)
        return;
    x->own->keep = fd_close(x->own->keep);
    if (!volume_is_plugged(x))
        return;
    plugin_unmount(v, x);
}

void volume_adopt(struct volumes *v, const char *name, const char *container_id, int keep) {
    CLEAN_FD int fd = keep;
    struct volume *x = volumes_lookup(v, name);
    if (!x)
        return;
    if (x->own->keep < 0)
        x->own->keep = TAKE_FD(fd);
    if (!is_user(x, container_id))
        strv_add(&x->own->users, container_id);
}
