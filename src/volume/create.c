/* Create: the row first, then the directory, then the answer. */
#include "base/random.h"
#include "base/time.h"
#include "volume/private.h"

#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

/* Answers that are known at once, but must not come before the call returns. */
struct answer {
    struct err e;
    struct volumes *volumes;
    char *name; /* looked up again: it may be gone by then */
    void (*done)(void *arg, struct err e, struct volume *x);
    void *arg;
};

static void answer_now(void *arg) {
    struct answer *a = arg;
    struct volume *x = a->name ? volume_find(a->volumes, a->name) : NULL;
    struct err e = a->e;
    if (!err_failed(e) && !x)
        e = err_new(ERR_NOT_FOUND, "get %s: no such volume", a->name);
    a->done(a->arg, e, x);
    free(a->name);
    free(a);
}

void volume_answer_later(struct volumes *v, struct err e, const char *name,
                         void (*done)(void *arg, struct err e, struct volume *x), void *arg) {
    struct answer *a = NEW(struct answer);
    *a = (struct answer){e, v, mem_strdup_opt(name), done, arg};
    loop_post(v->loop, answer_now, a);
}

/* --- the steps ---------------------------------------------------------------------------------
 */

/* Tells everybody who waits. x is freed when e failed. */
static void finish(struct volume *x, struct err e) {
    struct volumes *v = x->own->all;
    size_t n = x->own->waiters.n;
    struct volume_waiter *w = x->own->waiters.items;
    x->own->waiters.items = NULL;
    x->own->waiters.n = x->own->waiters.cap = 0;
    if (err_failed(e)) {
        volumes_take_out(v, x);
        x = volume_free(x);
    } else {
        x->state = VOLUME_READY;
        volumes_publish(v, "create", x->name);
    }
    for (size_t i = 1; i < n; i++)
        w[i].done(w[i].arg, err_failed(e) ? err_new(err_kind(e), "%s", err_msg(e)) : OK, x);
    w[0].done(w[0].arg, e, x);
    free(w);
}

struct directory_job {
    struct volume *volume; /* loop only: cannot go away while it is being created */
    char *mountpoint;
    struct volume_owner owner;
    struct err e; /* why there will be no volume */
};

static struct err make_directory(void *arg) {
    struct directory_job *j = arg;
    CLEAN_FD int dir = -1;
    if (j->owner.size)
        TRY(volume_limit(j->mountpoint, j->owner.size));
    TRY(volume_open_dir(j->mountpoint, &dir));
    return volume_give(dir, &j->owner);
}

static void row_taken_back(void *arg, struct err e) {
    struct directory_job *j = arg;
    err_free(e); /* either way there is no volume; a row that stayed is found at the next start */
    finish(j->volume, j->e);
    free(j);
}

static void directory_made(void *arg, struct err e) {
    struct directory_job *j = arg;
    free(TAKE(j->mountpoint));
    if (!err_failed(e)) {
        finish(j->volume, OK);
        free(j);
        return;
    }
    j->e = err_wrap(e, "create %s", j->volume->name);
    struct store_txn *t = store_txn_new();
    volume_row_delete(t, j->volume->name);
    store_commit(j->volume->own->all->store, t, STORE_DURABLE, row_taken_back, j);
}

/* The directory is where an unfinished copy of the image's is marked. */
static void plugin_made(void *arg, struct err e) {
    struct directory_job *j = arg;
    if (err_failed(e))
        directory_made(j, e);
    else
        job_submit(j->volume->own->all->loop, make_directory, directory_made, j);
}

static void row_written(void *arg, struct err e) {
    struct volume *x = arg;
    if (err_failed(e)) {
        finish(x, err_wrap(e, "create %s", x->name));
        return;
    }
    struct directory_job *j = NEW(struct directory_job);
    j->volume = x;
    j->mountpoint = mem_strdup(x->mountpoint);
    j->owner = (struct volume_owner){.uid = -1, .gid = -1, .mode = -1};
    if (volume_is_plugged(x)) {
        volume_plugin_ask(x->own->all, x, "Create", plugin_made, j);
        return;
    }
    j->owner = volume_options_owner(&x->options);
    job_submit(x->own->all->loop, make_directory, directory_made, j);
}

/* --- the call ----------------------------------------------------------------------------------
 */

static struct err check(const struct volume_request *r) {
    if (r->driver && *r->driver && strcmp(r->driver, "local") != 0)
        TRY(volume_plugin_name_check(r->driver));
    else
        TRY(volume_options_check(&r->options));
    return r->name && *r->name ? volume_name_check(r->name) : OK;
}

static struct volume *begin(struct volumes *v, const char *name, const struct volume_request *r) {
    struct volume *x = volume_new(v, name);
    x->anonymous = !r->name || !*r->name;
    x->created = time_now();
    x->own->lazy = r->lazy;
    if (r->driver && *r->driver)
        x->driver = arena_strz(&x->own->arena, r->driver);
    x->own->unfinished = r->unfinished;
    x->labels.present = r->labels.present;
    for (size_t i = 0; i < r->labels.n; i++)
        strmap_set(&x->labels, &x->own->arena, r->labels.items[i].key, r->labels.items[i].value);
    x->options.present = r->options.present;
    for (size_t i = 0; i < r->options.n; i++)
        strmap_set(&x->options, &x->own->arena, r->options.items[i].key, r->options.items[i].value);
    if (x->anonymous)
        strmap_set(&x->labels, &x->own->arena, ANONYMOUS_LABEL, "");
    volumes_insert(v, x);
    return x;
}

void volume_create(struct volumes *v, const struct volume_request *r,
                   void (*done)(void *arg, struct err e, struct volume *x), void *arg) {
    char id[65];
    const char *name = r->name;
    struct err e = check(r);
    if (err_failed(e)) {
        e = err_wrap(e, "create %s", name && *name ? name : "volume");
        volume_answer_later(v, e, NULL, done, arg);
        return;
    }
    if (!name || !*name) {
        random_id(id);
        name = id;
    }
    struct volume *x = volumes_lookup(v, name);
    if (x && x->state == VOLUME_REMOVING) {
        e = err_new(ERR_CONFLICT, "create %s: a volume of this name is being removed", name);
        volume_answer_later(v, e, NULL, done, arg);
        return;
    }
    if (x && x->state == VOLUME_READY) {
        volume_answer_later(v, OK, name, done, arg);
        return;
    }
    bool fresh = x == NULL;
    if (fresh)
        x = begin(v, name, r);
    vec_push(&x->own->waiters, (struct volume_waiter){done, arg});
    if (!fresh)
        return;
    struct store_txn *t = store_txn_new();
    volume_row_put(t, x);
    store_commit(v->store, t, x->own->lazy ? STORE_LAZY : STORE_DURABLE, row_written, x);
}
