/* Rename, snapshot, relabel: the row first, so that a crash in between can be told from the row. */
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "volume/private.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

struct change {
    struct volumes *volumes;
    char *name, *to;
    struct err work; /* why there will be no snapshot */
    void (*done)(void *arg, struct err e, struct volume *x);
    void *arg;
    /* for the pool and the worker */
    char *root;
    char hold[65];
};

static struct change *change_new(struct volumes *v, const char *name, const char *to,
                                 void (*done)(void *arg, struct err e, struct volume *x),
                                 void *arg) {
    struct change *c = NEW(struct change);
    *c = (struct change){.volumes = v,
                         .name = mem_strdup(name),
                         .to = mem_strdup(to),
                         .done = done,
                         .arg = arg,
                         .root = mem_strdup(v->root)};
    return c;
}

static void change_end(struct change *c, struct err e, struct volume *x) {
    c->done(c->arg, e, x);
    free(c->name);
    free(c->to);
    free(c->root);
    free(c);
}

static struct volume *copy_of(struct volumes *v, const struct volume *from, const char *name) {
    struct volume *x = volume_new(v, name);
    x->created = from->created;
    x->own->lazy = from->own->lazy;
    x->labels.present = from->labels.present;
    for (size_t i = 0; i < from->labels.n; i++)
        strmap_set(&x->labels, &x->own->arena, from->labels.items[i].key,
                   from->labels.items[i].value);
    return x;
}

static struct err check_new_name(const struct volumes *v, const char *to) {
    TRY(volume_name_check(to));
    return volumes_lookup(v, to)
               ? err_new(ERR_CONFLICT, "a volume with the name %s exists already", to)
               : OK;
}

/* --- rename ------------------------------------------------------------------------------------
 * The new row says where the directory was. An old directory is only moved where there is no new
 * one: whoever makes the old name again meanwhile has a directory of his own. */

static struct err move_directory(const char *root, const char *from, const char *to) {
    CLEAN_FD int dir = -1;
    TRY(dir_open(root, &dir));
    if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) < 0 && errno != EEXIST && errno != ENOENT)
        return err_errno(errno, "rename '%s/%s'", root, from);
    return OK;
}

static struct err rename_work(void *arg) {
    struct change *c = arg;
    return move_directory(c->root, c->name, c->to);
}

static void rename_worked(void *arg, struct err e) {
    struct change *c = arg;
    struct volumes *v = c->volumes;
    struct volume *old = volumes_lookup(v, c->name), *x = volumes_lookup(v, c->to);
    log_err(LOG_WARN, e, "volume %s: its directory is moved by the next start", c->to);
    volumes_take_out(v, old);
    volume_free(old);
    x->state = VOLUME_READY;
    if (!err_failed(e)) {
        x->own->was = NULL;
        struct store_txn *t = store_txn_new();
        volume_row_put(t, x);
        store_commit(v->store, t, STORE_LAZY, NULL, NULL);
    }
    volumes_publish(v, "rename", c->to);
    change_end(c, OK, x);
}

static void rename_recorded(void *arg, struct err e) {
    struct change *c = arg;
    struct volumes *v = c->volumes;
    if (!err_failed(e)) {
        job_submit(v->loop, rename_work, rename_worked, c);
        return;
    }
    struct volume *x = volumes_lookup(v, c->to);
    volumes_take_out(v, x);
    volume_free(x);
    volumes_lookup(v, c->name)->state = VOLUME_READY;
    change_end(c, err_wrap(e, "rename %s", c->name), NULL);
}

static struct err check_rename(const struct volumes *v, const char *name, const char *to,
                               struct volume **ret) {
    TRY(volume_get(v, name, ret));
    TRY(check_new_name(v, to));
    if ((*ret)->holders.n)
        return err_new(ERR_CONFLICT, "volume is in use - [%s]", (*ret)->holders.items[0]);
    return strcmp((*ret)->driver, "local") != 0
               ? err_new(ERR_UNSUPPORTED, "volume driver %s renames nothing", (*ret)->driver)
               : OK;
}

void volume_rename(struct volumes *v, const char *name, const char *to,
                   void (*done)(void *arg, struct err e, struct volume *x), void *arg) {
    struct volume *old = NULL;
    struct err e = check_rename(v, name, to, &old);
    if (err_failed(e)) {
        volume_answer_later(v, err_wrap(e, "rename %s", name), NULL, done, arg);
        return;
    }
    struct volume *x = copy_of(v, old, to);
    x->options.present = old->options.present;
    for (size_t i = 0; i < old->options.n; i++)
        strmap_set(&x->options, &x->own->arena, old->options.items[i].key,
                   old->options.items[i].value);
    x->own->was = arena_strz(&x->own->arena, name);
    volumes_insert(v, x);         /* CREATING: found by nobody */
    old->state = VOLUME_REMOVING; /* its name is taken until its directory is not */
    struct store_txn *t = store_txn_new();
    volume_row_delete(t, name);
    volume_row_put(t, x);
    store_commit(v->store, t, STORE_DURABLE, rename_recorded, change_new(v, name, to, done, arg));
}

/* --- snapshot ----------------------------------------------------------------------------------
 */

struct copy_args {
    char *from, *into;
};
FIELDS(copy_args_fields, struct copy_args, FIELD(struct copy_args, from, "From", F_STR),
       FIELD(struct copy_args, into, "Into", F_STR));

/* A copy ends with the daemon that asked for it: the next one removes what is unfinished. The lock,
 * given back by the kernel after the last write, is what that one waits for. */
static struct err die_with_the_daemon(struct worker_ctx *ctx, int into, int *ret_lock) {
    CLEAN_FD int lock = openat(into, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) < 0)
        return err_errno(errno, "lock the snapshot");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(errno, "ask to end with the daemon");
    if (worker_orphaned(ctx))
        return err_new(ERR_CANCELLED, "the daemon is gone");
    *ret_lock = TAKE_FD(lock);
    return OK;
}

/* Worker. fds: the keep of a volume that is a mount, or none. */
struct err volume_copy_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result UNUSED) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FD int tree = -1, from = -1, into = -1, lock = -1;
    struct copy_args x;
    TRY(fields_decode(&copy_args_fields, args, &a, &x));
    if (fds_n) {
        TRY(volume_keep_clone(fds[0], "", &tree));
        from = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0)
            return err_errno(errno, "open the volume");
    } else {
        TRY(volume_open_dir(x.from, &from));
    }
    TRY(volume_open_dir(x.into, &into));
    TRY(die_with_the_daemon(ctx, into, &lock));
    TRY(volume_copy_tree(TAKE_FD(from), into));
    return syncfs(into) < 0 ? err_errno(errno, "write it to the disk") : OK;
}

static void snapshot_gone(void *arg, struct err e) {
    struct change *c = arg;
    log_err(LOG_WARN, e, "volume %s: an unfinished snapshot stays", c->to);
    change_end(c, err_wrap(c->work, "snapshot %s", c->name), NULL);
}

static void snapshot_recorded(void *arg, struct err e) {
    struct change *c = arg;
    struct volume *x = volumes_lookup(c->volumes, c->to);
    volume_unhold(c->volumes, c->name, c->hold);
    volume_unhold(c->volumes, c->to, c->hold);
    if (!err_failed(e)) {
        change_end(c, OK, x);
        return;
    }
    c->work = e;
    volume_remove(c->volumes, c->to, snapshot_gone, c);
}

static void snapshot_copied(void *arg, struct str result UNUSED, struct err e) {
    struct change *c = arg;
    struct volume *x = volumes_lookup(c->volumes, c->to);
    if (err_failed(e)) {
        snapshot_recorded(c, e);
        return;
    }
    x->own->unfinished = false;
    struct store_txn *t = store_txn_new();
    volume_row_put(t, x);
    store_commit(c->volumes->store, t, STORE_DURABLE, snapshot_recorded, c);
}

/* The target is there, empty and marked as unfinished. Both are held meanwhile. */
static void snapshot_made(void *arg, struct err e, struct volume *x) {
    struct change *c = arg;
    struct volume *from = volume_find(c->volumes, c->name);
    if (err_failed(e)) {
        volume_unhold(c->volumes, c->name, c->hold);
        change_end(c, err_wrap(e, "snapshot %s", c->name), NULL);
        return;
    }
    err_ignore(volume_hold(c->volumes, c->to, c->hold)); /* it has just been made */
    CLEAN_BUF struct buf args = {0};
    struct copy_args a = {from->mountpoint, x->mountpoint};
    fields_print(&copy_args_fields, &a, &args);
    int keep = volume_keep(from);
    struct worker_start s = {.program = c->volumes->worker,
                             .job = "volume-copy",
                             .args = buf_str(&args),
                             .fds = &keep,
                             .fds_n = keep >= 0,
                             .done = snapshot_copied,
                             .arg = c};
    worker_start(c->volumes->loop, &s);
}

static struct err check_snapshot(const struct volumes *v, const char *name, const char *to,
                                 struct volume **ret) {
    TRY(volume_get(v, name, ret));
    if (*to)
        TRY(check_new_name(v, to));
    if (volume_is_mounted(*ret) && volume_keep(*ret) < 0)
        return err_new(ERR_CONFLICT, "it is a mount, and no container runs with it");
    return v->worker ? OK : err_new(ERR_UNSUPPORTED, "there is no corten-worker");
}

void volume_snapshot(struct volumes *v, const char *name, const char *to,
                     void (*done)(void *arg, struct err e, struct volume *x), void *arg) {
    struct volume *from = NULL;
    char id[65];
    struct err e = check_snapshot(v, name, to, &from);
    if (err_failed(e)) {
        volume_answer_later(v, err_wrap(e, "snapshot %s", name), NULL, done, arg);
        return;
    }
    random_id(id);
    struct change *c = change_new(v, name, *to ? to : id, done, arg);
    random_id(c->hold);
    err_ignore(volume_hold(v, name, c->hold)); /* it was found above */
    struct volume_request r = {.name = c->to, .labels = from->labels, .unfinished = true};
    volume_create(v, &r, snapshot_made, c);
}

/* --- labels ------------------------------------------------------------------------------------
 */

static void relabelled(void *arg, struct err e) {
    struct change *c = arg;
    struct volume *x = volume_find(c->volumes, c->name);
    if (!err_failed(e) && !x)
        e = err_new(ERR_NOT_FOUND, "get %s: no such volume", c->name);
    change_end(c, e, x);
}

void volume_relabel(struct volumes *v, const char *name, const struct strmap *labels,
                    void (*done)(void *arg, struct err e, struct volume *x), void *arg) {
    struct volume *x = NULL;
    struct err e = volume_get(v, name, &x);
    if (err_failed(e)) {
        volume_answer_later(v, e, NULL, done, arg);
        return;
    }
    x->labels = (struct strmap){.present = true};
    for (size_t i = 0; i < labels->n; i++)
        strmap_set(&x->labels, &x->own->arena, labels->items[i].key, labels->items[i].value);
    struct store_txn *t = store_txn_new();
    volume_row_put(t, x);
    store_commit(v->store, t, STORE_DURABLE, relabelled, change_new(v, name, "", done, arg));
}

/* --- after a crash -----------------------------------------------------------------------------
 */

static void swept(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "remove an unfinished snapshot or volume");
}

static void sweep(void *arg) {
    struct volumes *v = arg;
    for (size_t i = 0; i < v->sweep.n; i++)
        volume_remove(v, v->sweep.items[i], swept, NULL);
    strv_done(&v->sweep);
}

void volumes_finish_begun(struct volumes *v) {
    for (size_t i = 0; i < v->items.n; i++) {
        struct volume *x = v->items.items[i];
        if (x->own->unfinished || x->own->removing)
            strv_add(&v->sweep, x->name);
        if (x->own->was)
            log_err(LOG_WARN, move_directory(v->root, x->own->was, x->name), "volume %s", x->name);
    }
    if (v->sweep.n)
        loop_post(v->loop, sweep, v);
    volumes_limit_again(v);
}
