/* Remove and prune: the data first, then the row, then the answer. */
#include "base/file.h"
#include "volume/private.h"

/* One job for one volume or many. */
struct removal {
    struct volumes *volumes;
    char *root;
    struct strv names;
    size_t gone;  /* names[0..gone) have no directory any more */
    bool measure; /* count what is removed */
    bool lazy;
    uint64_t bytes;
    struct err work;
    void (*removed)(void *arg, struct err e);
    void (*pruned)(void *arg, struct err e, const struct strv *removed, uint64_t bytes);
    void *arg;
};

static void end(struct removal *r, struct err e) {
    if (r->pruned)
        r->pruned(r->arg, e, &r->names, r->bytes);
    else
        r->removed(r->arg, e);
    strv_done(&r->names);
    free(r->root);
    free(r);
}

static void now(void *arg) {
    struct removal *r = arg;
    end(r, r->work);
}

static struct err work(void *arg) {
    struct removal *r = arg;
    for (; r->gone < r->names.n; r->gone++) {
        const char *name = r->names.items[r->gone];
        uint64_t bytes = 0;
        TRYF(volume_remove_dir(r->root, name, r->measure ? &bytes : NULL), "remove %s", name);
        r->bytes += bytes;
    }
    if (r->lazy)
        return OK;
    CLEAN_FD int root = -1; /* the disk forgets them before the store does */
    TRY(dir_open(r->root, &root));
    return dir_sync(root, ".");
}

/* Leaves only what is really gone in r->names. */
static void give_back(struct removal *r, size_t from) {
    for (size_t i = from; i < r->names.n; i++) {
        struct volume *x = volumes_lookup(r->volumes, r->names.items[i]);
        if (x)
            x->state = VOLUME_READY;
        free(r->names.items[i]);
    }
    r->names.n = from;
}

static void rows_deleted(void *arg, struct err e) {
    struct removal *r = arg;
    if (err_failed(e)) {
        /* The rows are still there: empty volumes. */
        give_back(r, 0);
        err_free(r->work);
        end(r, e);
        return;
    }
    for (size_t i = 0; i < r->names.n; i++) {
        struct volume *x = volumes_lookup(r->volumes, r->names.items[i]);
        volumes_take_out(r->volumes, x);
        volume_free(x);
        volumes_publish(r->volumes, "destroy", r->names.items[i]);
    }
    if (r->pruned)
        volumes_publish(r->volumes, "prune", "");
    end(r, r->work);
}

static void worked(void *arg, struct err e) {
    struct removal *r = arg;
    r->work = e;
    give_back(r, r->gone);
    if (!r->names.n) {
        end(r, e);
        return;
    }
    struct store_txn *t = store_txn_new();
    for (size_t i = 0; i < r->names.n; i++)
        volume_row_delete(t, r->names.items[i]);
    store_commit(r->volumes->store, t, r->lazy ? STORE_LAZY : STORE_DURABLE, rows_deleted, r);
}

static void take(struct removal *r, struct volume *x) {
    x->state = VOLUME_REMOVING;
    r->lazy &= x->own->lazy;
    strv_add(&r->names, x->name);
}

static struct removal *new_removal(struct volumes *v, void *arg) {
    struct removal *r = NEW(struct removal);
    r->volumes = v;
    r->root = mem_strdup(v->root);
    r->lazy = true;
    r->arg = arg;
    return r;
}

static struct err refuse(const struct volume *x, const char *name) {
    if (!x || x->state == VOLUME_CREATING)
        return err_new(ERR_NOT_FOUND, "get %s: no such volume", name);
    if (x->state == VOLUME_REMOVING)
        return err_new(ERR_CONFLICT, "remove %s: volume is being removed", name);
    if (!x->holders.n)
        return OK;
    CLEAN_BUF struct buf ids = {0};
    for (size_t i = 0; i < x->holders.n; i++)
        buf_addf(&ids, "%s%s", i ? ", " : "", x->holders.items[i]);
    return err_new(ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, buf_cstr(&ids));
}

static void plugin_removed(void *arg, struct err e) {
    struct removal *r = arg;
    if (!err_failed(e)) {
        job_submit(r->volumes->loop, work, worked, r);
        return;
    }
    /* Not "no such volume": it is there, who has it is not. */
    r->work = err_wrap(err_kind(e) == ERR_NOT_FOUND ? err_as(e, ERR_SYSTEM) : e, "remove %s",
                       r->names.items[0]);
    give_back(r, 0);
    end(r, r->work);
}

void volume_remove(struct volumes *v, const char *name, void (*done)(void *arg, struct err e),
                   void *arg) {
    struct removal *r = new_removal(v, arg);
    r->removed = done;
    struct volume *x = volumes_lookup(v, name);
    r->work = refuse(x, name);
    if (err_failed(r->work)) {
        loop_post(v->loop, now, r);
        return;
    }
    take(r, x);
    if (volume_is_plugged(x))
        volume_plugin_ask(v, x, "Remove", plugin_removed, r);
    else
        job_submit(v->loop, work, worked, r);
}

void volumes_prune(struct volumes *v, bool (*wanted)(void *arg, const struct volume *x),
                   void (*done)(void *arg, struct err e, const struct strv *removed,
                                uint64_t bytes),
                   void *arg) {
    struct removal *r = new_removal(v, arg);
    r->pruned = done;
    r->measure = true;
    for (size_t i = 0; i < v->items.n; i++) {
        struct volume *x = v->items.items[i];
        if (x->state == VOLUME_READY && !x->holders.n && !volume_is_plugged(x) &&
            (!wanted || wanted(arg, x)))
            take(r, x);
    }
    if (r->names.n)
        job_submit(v->loop, work, worked, r);
    else
        loop_post(v->loop, now, r);
}
