#include "registry/pull_layers.h"
#include "base/file.h"
#include "registry/pull_download.h"
#include "registry/pull_ranges.h"
#include "registry/registry.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_NS 100000000

struct pulling {
    struct ingest *in;
    struct registry *registry;
    struct layer_task *tasks;
    size_t n;
    _Atomic size_t next, left;
    _Atomic bool failed;
    _Atomic int lanes; /* connections beside those of the threads */
};

/* --- several at a time --------------------------------------------------------------------------
 */
static void *pull_thread(void *arg) {
    struct pulling *p = arg;
    CLEAN_REGISTRY struct registry *r = registry_clone(p->registry);
    size_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->n) {
        struct layer_task *t = &p->tasks[i];
        t->started = !atomic_load(&p->failed);
        if (t->started)
            t->result = layer_pull(r, t);
        if (err_failed(t->result))
            atomic_store(&p->failed, true);
        else
            atomic_store(&t->phase, LAYER_DONE);
        atomic_fetch_sub(&p->left, 1);
    }
    return NULL;
}

/* --- what the client sees
 * ------------------------------------------------------------------------------- */
static struct err show_extracting(struct pulling *p, struct layer_task *t) {
    uint64_t taken = atomic_load(&t->taken);
    if (taken == t->shown_taken)
        return OK;
    t->shown_taken = taken;
    return answer_progress(p->in, t->id, "Extracting", taken, t->l->blob_size);
}

static struct err show_task(struct pulling *p, struct layer_task *t) {
    int phase = atomic_load(&t->phase);
    uint64_t got = atomic_load(&t->got);
    if (phase >= LAYER_DOWNLOADING && got != t->shown && t->shown_phase < LAYER_DOWNLOADED) {
        t->shown = got;
        TRY(answer_progress(p->in, t->id, "Downloading", got, t->l->blob_size));
    }
    if (phase >= LAYER_DOWNLOADED && t->shown_phase < LAYER_DOWNLOADED) {
        TRY(answer_progress(p->in, t->id, "Verifying Checksum", 0, 0));
        TRY(answer_progress(p->in, t->id, "Download complete", 0, 0));
    }
    if (phase >= LAYER_DOWNLOADED && t->shown_phase < LAYER_DONE)
        TRY(show_extracting(p, t));
    if (phase == LAYER_DONE && t->shown_phase < LAYER_DONE)
        TRY(answer_progress(p->in, t->id, "Pull complete", 0, 0));
    t->shown_phase = phase;
    return OK;
}

/* Those that no thread takes at once. */
static struct err show_waiting(struct pulling *p) {
    for (size_t i = REGISTRY_PARALLEL; i < p->n; i++)
        TRY(answer_progress(p->in, p->tasks[i].id, "Waiting", 0, 0));
    return OK;
}

static struct err show_all(struct pulling *p) {
    for (bool finished = false; !finished;) {
        finished = atomic_load(&p->left) == 0;
        for (size_t i = 0; i < p->n; i++)
            if (!atomic_load(&p->failed))
                TRY(show_task(p, &p->tasks[i]));
        if (!finished)
            nanosleep(&(struct timespec){0, TICK_NS}, NULL);
    }
    return OK;
}

static struct err pull_all(struct pulling *p) {
    pthread_t threads[REGISTRY_PARALLEL];
    size_t started = 0;
    atomic_store(&p->left, p->n);
    while (started < MIN(p->n, (size_t)REGISTRY_PARALLEL) &&
           pthread_create(&threads[started], NULL, pull_thread, p) == 0)
        started++;
    if (started == 0)
        return err_new(ERR_SYSTEM, "start a thread: Resource temporarily unavailable");
    struct err e = show_waiting(p);
    if (!err_failed(e))
        e = show_all(p);
    if (err_failed(e))
        atomic_store(&p->failed, true);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    for (size_t i = 0; i < p->n; i++) {
        struct err r = p->tasks[i].result;
        if (err_failed(e) && err_kind(e) != ERR_CANCELLED)
            err_ignore(r); /* the first cause is told */
        else if (err_failed(r)) {
            err_ignore(e);
            e = r;
        }
    }
    return e;
}

/* --- the list
 * ------------------------------------------------------------------------------------------------
 */
static struct err describe(const struct oci_descriptor *d, const char *diff_id,
                           struct ingest_layer *ret) {
    enum oci_compression kind;
    TRY(digest_parse(str_of(diff_id), &ret->diff_id));
    TRY(digest_parse(str_of(d->digest), &ret->blob));
    if (!oci_layer_compression(d->media_type, &kind))
        return err_new(ERR_UNSUPPORTED, "layers of type %s are not supported", d->media_type);
    if (d->size < 0)
        return err_new(ERR_INVALID, "layer of a negative size");
    ret->has_blob = true;
    ret->blob_size = (uint64_t)d->size;
    ret->compression = kind == OCI_GZIP   ? COMPRESSION_GZIP
                       : kind == OCI_ZSTD ? COMPRESSION_ZSTD
                                          : COMPRESSION_NONE;
    return OK;
}

static struct err list_layers(const struct fetched *f, struct pulled *v) {
    const struct oci_descriptor *d = f->manifest.layers.items;
    v->layers = mem_zero((f->manifest.layers.n + 1) * sizeof(*v->layers));
    for (size_t i = 0; i < f->manifest.layers.n; i++) {
        struct ingest_layer l = {0};
        bool known = false;
        TRYF(describe(&d[i], f->image.rootfs.diff_ids.items[i], &l), "layer %zu", i + 1);
        for (size_t k = 0; k < v->n; k++)
            known |= digest_eq(&v->layers[k].diff_id, &l.diff_id);
        if (!known)
            v->layers[v->n++] = l;
    }
    return OK;
}

static void short_id(const struct ingest_layer *l, char out[13]) {
    char hex[65];
    snprintf(out, 13, "%.12s", digest_hex(&l->blob, hex));
}

static struct err add_task(struct pulling *p, struct arena *a, struct ingest_layer *l, bool raw) {
    struct layer_task *t = &p->tasks[p->n];
    char text[DIGEST_TEXT_MAX];
    t->l = l;
    t->raw = raw;
    t->url = arena_printf(a, "blobs/%s", digest_text(&l->blob, text));
    t->in = p->in;
    t->failed = &p->failed;
    t->lanes = &p->lanes;
    short_id(l, t->id);
    TRY(ingest_partial(p->in, l, &t->file, &t->resumed));
    if (t->file < 0)
        TRY(ingest_file(p->in, l->blob_file, &t->file));
    p->n++;
    return OK;
}

struct err pull_blobs(struct ingest *in, struct registry *r, struct ingest_layer *layers, size_t n,
                      bool raw) {
    CLEAN_ARENA struct arena a = {0};
    struct pulling p = {.in = in, .registry = r, .lanes = RANGES_LANES};
    struct err e = OK;
    p.tasks = arena_array(&a, n + 1, sizeof(*p.tasks));
    for (size_t i = 0; i < n && !err_failed(e); i++) {
        if (layers[i].have)
            layers[i].has_blob = layers[i].have_blob; /* not fetched: nothing to say about it */
        else
            e = add_task(&p, &a, &layers[i], raw);
    }
    if (!err_failed(e) && p.n > 0)
        e = pull_all(&p);
    for (size_t i = 0; i < p.n; i++)
        fd_close(p.tasks[i].file);
    return e;
}

/* An image that is here as a whole, under whatever name, gets no word about its layers (the peer's
 * way). */
struct err pull_announce(struct ingest *in, const struct ingest_layer *layers, size_t n,
                         bool here) {
    char id[13];
    bool all = here;
    for (size_t i = 0; i < n; i++)
        all &= layers[i].have;
    for (size_t i = 0; i < n && !all; i++) {
        short_id(&layers[i], id);
        TRY(answer_progress(in, id, layers[i].have ? "Already exists" : "Pulling fs layer", 0, 0));
    }
    return OK;
}

struct err pull_layers(struct ingest *in, struct registry *r, const struct fetched *f, bool here,
                       struct pulled *ret) {
    TRY(list_layers(f, ret));
    if (ret->n == 0)
        return OK;
    TRY(ingest_reserve(in, ret->layers, ret->n));
    TRY(pull_announce(in, ret->layers, ret->n, here));
    TRY(pull_blobs(in, r, ret->layers, ret->n, false));
    return ingest_place_blobs(in, ret->layers, ret->n);
}
