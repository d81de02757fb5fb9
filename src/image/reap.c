/* reap.c - removes directories and files that nothing refers to any more.
 *
 * The rows are marked first (images_collect, one durable change), then a pool job removes what they
 * name, down to the disk, then the rows go (lazily: a row too many is found and repeated at the
 * next start). One batch runs at a time. A blob is named by its content, so the same blob may be
 * wanted again while its file is being removed: such wishes wait for the end of the batch
 * (after_reaping). Layers have a name of their own each and are never wanted again.
 */
#include "base/file.h"
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include "image/rootfs_driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SYNC_DELAY (2 * INT64_C(1000000000))

struct batch {
    struct reaper *reaper;
    int layer_fd, blob_fd, ingest_fd; /* of the images, for the pool thread */
    VEC(struct layer_fact *) layers;
    VEC(struct blob *) blobs;
    struct strv ingests, partials;
};

struct waiting {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};

struct reaper {
    struct images *images; /* NULL once they are closed */
    struct batch *next, *running;
    bool posted; /* a start is under way in the loop */
    struct list waiting;
};

struct reaper *reaper_new(struct images *im) {
    struct reaper *r = NEW(struct reaper);
    r->images = im;
    list_init(&r->waiting);
    return r;
}

static void batch_free(struct batch *b) {
    if (!b)
        return;
    for (size_t i = 0; i < b->layers.n; i++)
        free(b->layers.items[i]);
    for (size_t i = 0; i < b->blobs.n; i++) {
        free(b->blobs.items[i]->source);
        free(b->blobs.items[i]);
    }
    vec_done(&b->layers);
    vec_done(&b->blobs);
    strv_done(&b->ingests);
    strv_done(&b->partials);
    fd_close(b->layer_fd);
    fd_close(b->blob_fd);
    fd_close(b->ingest_fd);
    free(b);
}

/* What was not removed is marked in the store and found at the next start. */
void reaper_free(struct reaper *r) {
    if (!r)
        return;
    while (!list_empty(&r->waiting))
        free(CONTAINER_OF(list_pop(&r->waiting), struct waiting, link));
    batch_free(TAKE(r->next));
    r->images = NULL;
    if (!r->running && !r->posted) /* else what is under way frees it */
        free(r);
}

/* --- the pool job
 * ------------------------------------------------------------------------------------ */
static struct err remove_blobs(struct batch *b) {
    char path[80], hex[65];
    for (size_t i = 0; i < b->blobs.n; i++) {
        digest_hex(&b->blobs.items[i]->digest, hex);
        snprintf(path, sizeof(path), "%.2s/%s", hex, hex);
        if (unlinkat(b->blob_fd, path, 0) < 0 && errno != ENOENT)
            return err_errno(errno, "remove blob %s", hex);
        snprintf(path, sizeof(path), "../partial/%s", hex);
        if (b->blobs.items[i]->resumable && unlinkat(b->blob_fd, path, 0) < 0 && errno != ENOENT)
            return err_errno(errno, "remove a part of blob %s", hex);
    }
    for (size_t i = 0; i < b->partials.n; i++)
        if (unlinkat(b->blob_fd, b->partials.items[i], 0) < 0 && errno != ENOENT)
            return err_errno(errno, "remove %s", b->partials.items[i]);
    return OK;
}

/* The disk forgets the files before the rows: else the power fails between, and they are back. */
static struct err sync_removed(const struct batch *b) {
    char hex[65];
    for (size_t i = 0; i < b->blobs.n; i++) {
        digest_hex(&b->blobs.items[i]->digest, hex);
        hex[2] = '\0';
        if (faccessat(b->blob_fd, hex, F_OK, 0) == 0) /* else nothing of it ever came */
            TRY(dir_sync(b->blob_fd, hex));
        if (b->blobs.items[i]->resumable)
            TRY(dir_sync(b->blob_fd, "../partial"));
    }
    if (b->layers.n)
        TRY(dir_sync(b->layer_fd, "../stream"));
    return b->layers.n ? dir_sync(b->layer_fd, ".") : OK;
}

static struct err remove_layer(const struct batch *b, const char *name) {
    CLEAN_FREE char *stream = mem_printf("../stream/%s", name);
    TRYF(rootfs_drop_bases(b->layer_fd, name), "remove bases");
    TRYF(dir_remove(b->layer_fd, name), "remove layer");
    if (unlinkat(b->layer_fd, stream, 0) < 0 && errno != ENOENT)
        return err_errno(errno, "remove the tar of layer %s", name);
    return OK;
}

static struct err batch_work(void *arg) {
    struct batch *b = arg;
    TRY(remove_blobs(b));
    for (size_t i = 0; i < b->ingests.n; i++)
        TRYF(dir_remove(b->ingest_fd, b->ingests.items[i]), "remove ingest directory");
    for (size_t i = 0; i < b->layers.n; i++)
        TRY(remove_layer(b, b->layers.items[i]->layer.name));
    return sync_removed(b);
}

static void reaper_run(struct reaper *r);

static void batch_forget(struct images *im, struct batch *b, bool removed) {
    struct store_txn *t = store_txn_new();
    for (size_t i = 0; i < b->layers.n && removed; i++)
        store_add(t, "DELETE FROM layer WHERE id = ?", "i", b->layers.items[i]->row);
    for (size_t i = 0; i < b->blobs.n; i++) {
        struct blob *blob = b->blobs.items[i];
        map_del(&im->blobs, digest_key(&blob->digest));
        if (removed)
            store_add(t, "DELETE FROM blob WHERE digest = ?", "b", digest_key(&blob->digest));
    }
    store_commit(im->store, t, STORE_LAZY, NULL, NULL);
}

static void batch_done(void *arg, struct err e) {
    struct batch *b = arg;
    struct reaper *r = b->reaper;
    bool removed = !err_failed(e);
    log_err(LOG_WARN, e, "images: remove unused files (tried again at the next start)");
    r->running = NULL;
    if (!r->images) {
        batch_free(b);
        if (!r->posted)
            free(r);
        return;
    }
    batch_forget(r->images, b, removed);
    batch_free(b);
    struct list ready;
    list_init(&ready);
    while (!list_empty(&r->waiting))
        list_push(&ready, list_pop(&r->waiting));
    while (!list_empty(&ready)) {
        struct waiting *w = CONTAINER_OF(list_pop(&ready), struct waiting, link);
        w->fn(w->arg);
        free(w);
    }
    reaper_run(r);
}

static void reaper_run(struct reaper *r) {
    if (r->running || !r->next || r->images->closing)
        return;
    r->running = TAKE(r->next);
    job_submit(r->images->loop, batch_work, batch_done, r->running);
}

static void reaper_run_posted(void *arg) {
    struct reaper *r = arg;
    r->posted = false;
    if (r->images)
        reaper_run(r);
    else if (!r->running)
        free(r);
}

/* The batch that is being gathered; it starts after the current callback. */
static struct batch *next_batch(struct images *im) {
    struct reaper *r = im->reaper;
    if (!r->next) {
        struct batch *b = r->next = NEW(struct batch);
        b->reaper = r;
        b->layer_fd = fcntl(im->layer_fd, F_DUPFD_CLOEXEC, 0);
        b->blob_fd = fcntl(im->blob_fd, F_DUPFD_CLOEXEC, 0);
        b->ingest_fd = fcntl(im->ingest_fd, F_DUPFD_CLOEXEC, 0);
    }
    if (!r->posted && !r->running) {
        r->posted = true;
        loop_post(im->loop, reaper_run_posted, r);
    }
    return r->next;
}

void reap_layer(struct images *im, struct layer_fact *l) {
    vec_push(&next_batch(im)->layers, l);
}

void reap_blob(struct images *im, struct blob *b) {
    vec_push(&next_batch(im)->blobs, b);
}

void reap_partial(struct images *im, const struct digest *d) {
    char path[80], hex[65];
    snprintf(path, sizeof(path), "../partial/%s", digest_hex(d, hex));
    strv_add(&next_batch(im)->partials, path);
}

/* From blob_fd. */
static void stream_path(char *ret, size_t size, const char *name) {
    snprintf(ret, size, "../../stream/%s", name);
}

void reap_stream(struct images *im, const struct layer_fact *l) {
    char path[48];
    stream_path(path, sizeof(path), l->layer.name);
    strv_add(&next_batch(im)->partials, path);
}

void reap_ingest(struct images *im, const char *name) {
    strv_add(&next_batch(im)->ingests, name);
}

static bool batch_has(const struct batch *b, const char *layer, const char *ingest) {
    if (!b)
        return false;
    for (size_t i = 0; layer && i < b->layers.n; i++)
        if (strcmp(b->layers.items[i]->layer.name, layer) == 0)
            return true;
    for (size_t i = 0; ingest && i < b->ingests.n; i++)
        if (strcmp(b->ingests.items[i], ingest) == 0)
            return true;
    return false;
}

bool reaper_has(const struct images *im, const char *layer, const char *ingest) {
    return batch_has(im->reaper->next, layer, ingest) ||
           batch_has(im->reaper->running, layer, ingest);
}

bool reaper_has_stream(const struct images *im, const char *name) {
    const struct batch *both[] = {im->reaper->next, im->reaper->running};
    char path[48];
    stream_path(path, sizeof(path), name);
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        for (size_t k = 0; both[i] && k < both[i]->partials.n; k++)
            if (strcmp(both[i]->partials.items[k], path) == 0)
                return true;
    return false;
}

/* By name, now: a new job's directory must not be taken for an old one, and its name is another. */
void reap_all_ingest(struct images *im) {
    int fd = openat(im->ingest_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        log_warn("images: read directory image/ingest: %s", strerror(errno));
        fd_close(fd);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        uint64_t number;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        CLEAN_ERR struct err other = str_to_u64(str_of(e->d_name), UINT32_MAX, &number);
        if (!err_failed(other)) /* else nobody's name */
            im->next_job = MAX(im->next_job, number);
        reap_ingest(im, e->d_name);
    }
    closedir(d);
}

void after_reaping(struct images *im, void (*fn)(void *arg), void *arg) {
    struct waiting *w = NEW(struct waiting);
    w->fn = fn;
    w->arg = arg;
    next_batch(im); /* so that there is an end to wait for */
    list_push(&im->reaper->waiting, &w->link);
}

/* --- collecting
 * --------------------------------------------------------------------------------------- */
struct collect {
    struct change change;
    VEC(struct layer_fact *) layers;
    VEC(struct digest) documents;
    VEC(struct digest) streams; /* diff ids of layers whose tar nobody can ask for any more */
};

static bool document_unused(const struct blob *b) {
    return b->compression == BLOB_DOCUMENT && b->state == ROW_PRESENT && b->docs == 0 &&
           b->pins == 0;
}

static bool layer_unused(const struct layer_fact *l) {
    return l->refs == 0 && l->pins == 0 && (!l->blob || l->blob->pins == 0);
}

/* A new layer is stacked on the layer of an image; what only lies below others is no image's. */
static bool stream_unused(const struct layer_fact *l) {
    return l->stream && l->refs == l->stacked && l->pins == 0;
}

/* The blob of a layer that goes; an artifact may be made of it as well. */
static void leave_blob(const struct blob *b, struct store_txn *t) {
    if (b->docs == 0)
        store_add(t, "UPDATE blob SET state = 2 WHERE digest = ?", "b", digest_key(&b->digest));
    else
        store_add(t, "UPDATE blob SET state = 1, compression = ?, diff_id = ? WHERE digest = ?",
                  "ibb", (int64_t)BLOB_DOCUMENT, digest_key(&b->digest), digest_key(&b->digest));
}

static struct err collect_build(struct change *c, struct store_txn *t) {
    struct collect *o = CONTAINER_OF(c, struct collect, change);
    size_t it = 0;
    void *p;
    while (map_next(&c->images->layers, &it, NULL, &p)) {
        struct layer_fact *l = p;
        if (!layer_unused(l) && stream_unused(l)) {
            vec_push(&o->streams, l->layer.diff_id);
            store_add(t, "UPDATE layer SET stream = 0 WHERE id = ?", "i", l->row);
        }
        if (!layer_unused(l))
            continue;
        vec_push(&o->layers, l);
        store_add(t, "UPDATE layer SET state = 2 WHERE id = ?", "i", l->row);
        if (l->blob)
            leave_blob(l->blob, t);
    }
    it = 0;
    while (map_next(&c->images->blobs, &it, NULL, &p)) {
        struct blob *b = p;
        if (!document_unused(b))
            continue;
        vec_push(&o->documents, b->digest);
        store_add(t, "UPDATE blob SET state = 2 WHERE digest = ?", "b", digest_key(&b->digest));
    }
    return OK;
}

static void collect_documents(struct images *im, struct collect *o) {
    for (size_t i = 0; i < o->documents.n; i++) {
        struct blob *b = map_get(&im->blobs, digest_key(&o->documents.items[i]));
        if (!b || b->state != ROW_PRESENT)
            continue; /* a check found it damaged meanwhile */
        if (document_unused(b)) {
            b->state = ROW_REMOVING;
            reap_blob(im, b);
            continue;
        }
        struct store_txn *t = store_txn_new(); /* wanted again meanwhile */
        store_add(t, "UPDATE blob SET state = 1 WHERE digest = ?", "b", digest_key(&b->digest));
        store_commit(im->store, t, STORE_DURABLE, NULL, NULL);
    }
}

/* A job that asked for one of them meanwhile finds it gone, and says so. */
static void collect_streams(struct images *im, struct collect *o) {
    for (size_t i = 0; i < o->streams.n; i++) {
        struct layer_fact *l = map_get(&im->layers, digest_key(&o->streams.items[i]));
        if (!l || l->stream == 0)
            continue;
        layer_fact_stack(l, l->base, l->own, 0);
        reap_stream(im, l);
    }
}

static void collect_blob(struct images *im, struct blob *b) {
    map_del(&im->blob_of, digest_key(&b->diff_id));
    if (b->docs == 0) {
        b->state = ROW_REMOVING;
        reap_blob(im, b);
        return;
    }
    struct store_txn *t = store_txn_new(); /* again: it may have become a document meanwhile */
    leave_blob(b, t);
    store_commit(im->store, t, STORE_DURABLE, NULL, NULL);
    b->compression = BLOB_DOCUMENT;
    b->diff_id = b->digest;
}

/* Wanted again meanwhile: the store is told. */
static void keep_layer(struct images *im, const struct layer_fact *l) {
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE layer SET state = 1 WHERE id = ?", "i", l->row);
    if (l->blob)
        store_add(t, "UPDATE blob SET state = 1, compression = ?, diff_id = ? WHERE digest = ?",
                  "ibb", (int64_t)l->blob->compression, digest_key(&l->blob->diff_id),
                  digest_key(&l->blob->digest));
    store_commit(im->store, t, STORE_DURABLE, NULL, NULL);
}

static void collect_apply(struct change *c, struct err e) {
    struct collect *o = CONTAINER_OF(c, struct collect, change);
    struct images *im = c->images;
    bool marked = !err_failed(e), again = false;
    log_err(LOG_WARN, e, "images: collect unused layers");
    for (size_t i = 0; i < o->layers.n && marked; i++) {
        struct layer_fact *l = o->layers.items[i];
        if (!layer_unused(l)) {
            keep_layer(im, l);
            continue;
        }
        map_del(&im->layers, digest_key(&l->layer.diff_id));
        if (l->blob)
            collect_blob(im, TAKE(l->blob));
        if (l->base) {
            l->base->stacked--;
            again |= --l->base->refs == 0;
        }
        l->state = ROW_REMOVING;
        reap_layer(im, l);
    }
    if (marked)
        collect_documents(im, o);
    if (marked)
        collect_streams(im, o);
    vec_done(&o->streams);
    vec_done(&o->documents);
    vec_done(&o->layers);
    free(o);
    if (again) /* nothing is stacked on it any more */
        images_collect(im);
}

void images_collect(struct images *im) {
    struct collect *o = NEW(struct collect);
    o->change.mode = STORE_DURABLE;
    o->change.build = collect_build;
    o->change.apply = collect_apply;
    change_start(im, &o->change);
}

/* --- syncfs
 * ------------------------------------------------------------------------------------------- */
struct sync {
    struct images *images; /* NULL once they are closed */
    int fd;
    VEC(int64_t) rows;
};

static struct err sync_work(void *arg) {
    struct sync *s = arg;
    if (syncfs(s->fd) < 0)
        return err_errno(errno, "syncfs");
    return OK;
}

static void sync_done(void *arg, struct err e) {
    struct sync *s = arg;
    struct images *im = s->images;
    bool synced = !err_failed(e);
    log_err(LOG_WARN, e, "images: sync layers");
    if (im) {
        struct store_txn *t = store_txn_new();
        for (size_t i = 0; i < s->rows.n && synced; i++)
            store_add(t, "UPDATE layer SET unsynced = NULL WHERE id = ?", "i", s->rows.items[i]);
        store_commit(im->store, t, STORE_LAZY, NULL, NULL);
        im->sync = NULL;
    }
    fd_close(s->fd);
    vec_done(&s->rows);
    free(s);
    if (im && im->sync_again)
        images_sync_later(im);
}

static void sync_start(void *arg) {
    struct images *im = arg;
    im->sync_timer = timer_free(im->sync_timer);
    struct sync *s = NEW(struct sync);
    s->images = im;
    s->fd = fcntl(im->layer_fd, F_DUPFD_CLOEXEC, 0);
    size_t it = 0;
    void *p;
    while (map_next(&im->layers, &it, NULL, &p)) {
        struct layer_fact *l = p;
        if (!l->unsynced || l->suspect)
            continue;
        vec_push(&s->rows, l->row);
        l->unsynced = false;
    }
    im->sync = s;
    im->sync_again = false;
    job_submit(im->loop, sync_work, sync_done, s);
}

void sync_detach(struct images *im) {
    im->sync_timer = timer_free(im->sync_timer);
    if (im->sync)
        im->sync->images = NULL;
}

void images_sync_later(struct images *im) {
    if (im->sync) {
        im->sync_again = true;
        return;
    }
    if (!im->sync_timer && !im->closing)
        im->sync_timer = timer_new(im->loop, SYNC_DELAY, 0, sync_start, im);
}
