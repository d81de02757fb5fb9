/* Remove and prune: the row says so (durable), then the data goes, then the row, then the answer. A
 * removal that is cut short is gone on with at the next start. */
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

static struct err remove_all(struct removal *r) {
    for (; r->gone < r->names.n; r->gone++) {
        const char *name = r->names.items[r->gone];
        uint64_t bytes = 0;
        TRYF(volume_remove_dir(r->root, name, r->measure ? &bytes : NULL), "remove %s", name);
        r->bytes += bytes;
    }
    return OK;
}

/* The disk forgets them before the store does. */
static struct err forget(const struct removal *r) {
    CLEAN_FD int root = -1;
    if (r->lazy)
        return OK;
    TRY(dir_open(r->root, &root));
    return dir_sync(root, ".");
}

/* What cannot be told to be gone for good is not told to be gone: it stays, empty. */
static struct err work(void *arg) {
    struct removal *r = arg;
    struct err e = remove_all(r);
    struct err synced = forget(r);
    if (!err_failed(synced))
        return e;
    r->gone = 0;
    err_ignore(e); /* the disk's answer is the graver one */
    return synced;
}

/* Leaves only what is really gone in r->names. */
static void give_back(struct removal *r, size_t from) {
    struct store_txn *t = store_txn_new();
    for (size_t i = from; i < r->names.n; i++) {
        struct volume *x = volumes_lookup(r->volumes, r->names.items[i]);
        x->state = VOLUME_READY;
        x->own->removing = false;
        volume_row_put(t, x);
        free(r->names.items[i]);
    }
    r->names.n = from;
    store_commit(r->volumes->store, t, r->lazy ? STORE_LAZY : STORE_DURABLE, NULL, NULL);
}

static void worked(void *arg, struct err e) {
    struct removal *r = arg;
    r->work = e;
    if (r->gone < r->names.n)
        give_back(r, r->gone);
    struct store_txn *t = store_txn_new();
    for (size_t i = 0; i < r->names.n; i++) {
        struct volume *x = volumes_lookup(r->volumes, r->names.items[i]);
        volume_row_delete(t, r->names.items[i]);
        volumes_take_out(r->volumes, x);
        volume_free(x);
        volumes_publish(r->volumes, "destroy", r->names.items[i]);
    }
    store_commit(r->volumes->store, t, STORE_LAZY, NULL, NULL);
    if (r->pruned && r->names.n)
        volumes_publish(r->volumes, "prune", "");
    end(r, e);
}

static void marked(void *arg, struct err e) {
    struct removal *r = arg;
    if (!err_failed(e)) {
        job_submit(r->volumes->loop, work, worked, r);
        return;
    }
    r->work = e;
    give_back(r, 0);
    end(r, e);
}

static void mark(struct removal *r) {
    struct store_txn *t = store_txn_new();
    for (size_t i = 0; i < r->names.n; i++) {
        struct volume *x = volumes_lookup(r->volumes, r->names.items[i]);
        x->own->removing = true;
        volume_row_put(t, x);
    }
    store_commit(r->volumes->store, t, r->lazy ? STORE_LAZY : STORE_DURABLE, marked, r);
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
        mark(r);
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
    bool begun = x->own->removing; /* before the daemon was killed: its plugin has been asked */
    take(r, x);
    if (volume_is_plugged(x) && !begun)
        volume_plugin_ask(v, x, "Remove", plugin_removed, r);
    else
        mark(r);
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
        mark(r);
    else
        loop_post(v->loop, now, r);
}
