#include "registry/pull_layers.h"
#include "base/file.h"
#include "registry/registry.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_NS 100000000
#define PIPE_SIZE (1u << 20)

enum phase { PHASE_WAITING, PHASE_DOWNLOADING, PHASE_DOWNLOADED, PHASE_DONE };

struct task {
    struct ingest_layer *l;
    const char *url;
    char id[13]; /* of the blob, as the CLI shows it */
    int file;    /* in the ingest directory */
    _Atomic int phase;
    _Atomic uint64_t got; /* bytes of the blob so far */
    struct err result;
    bool started;
    /* printed already */
    int shown_phase;
    uint64_t shown;
};

struct pulling {
    struct ingest *in;
    struct registry *registry;
    struct task *tasks;
    size_t n;
    _Atomic size_t next, left;
    _Atomic bool failed;
};

/* --- one download, unpacked on the way
 * --------------------------------------------------------------- */
struct download {
    struct pulling *pulling;
    struct task *task;
    struct sha256 *hash;
    int pipe;           /* to the unpacker */
    uint64_t skip;      /* bytes of this attempt that are there already */
    bool first;         /* nothing of this attempt has come */
    bool unpacker_gone; /* it has the error to tell */
};

static int download_sink(void *arg, const void *data, size_t n, long status) {
    struct download *d = arg;
    const char *p = data;
    if (d->first && status == 206)
        d->skip = 0; /* the server goes on where we asked it to */
    d->first = false;
    size_t skip = MIN(d->skip, n);
    d->skip -= skip;
    p += skip;
    n -= skip;
    uint64_t got = atomic_load(&d->task->got);
    if (n > d->task->l->blob_size - got)
        return -EFBIG;
    if (atomic_load(&d->pulling->failed))
        return -ECANCELED;
    int r = fd_write_all(d->task->file, p, n);
    if (r < 0)
        return r;
    fd_flush_on(d->task->file, got, got + n);
    sha256_add(d->hash, p, n);
    atomic_store(&d->task->got, got + n);
    if (fd_write_all(d->pipe, p, n) < 0) {
        d->unpacker_gone = true;
        return -EPIPE;
    }
    return 0;
}

static struct err download_once(struct registry *r, struct download *d, bool *ret_again) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    uint64_t got = atomic_load(&d->task->got);
    struct registry_call c = {.method = "GET",
                              .url = d->task->url,
                              .body_fd = -1,
                              .redirects = true,
                              .once = true,
                              .range_from = got,
                              .sink = download_sink,
                              .sink_arg = d};
    d->skip = got;
    d->first = true;
    struct err e = registry_call(r, &c, &answer);
    *ret_again = registry_again(e, &answer);
    TRY(e);
    if (answer.status != 200 && answer.status != 206)
        return registry_error(r, &answer, "layer");
    if (atomic_load(&d->task->got) == d->task->l->blob_size)
        return OK;
    *ret_again = true;
    return err_new(ERR_UNAVAILABLE, "registry %s sent %llu of %llu bytes", r->shown,
                   (unsigned long long)atomic_load(&d->task->got),
                   (unsigned long long)d->task->l->blob_size);
}

static void pause_before(int attempt) {
    nanosleep(&(struct timespec){(1 << attempt) / 2, attempt == 0 ? 500000000 : 0}, NULL);
}

static struct err download(struct registry *r, struct download *d) {
    for (int attempt = 0;; attempt++) {
        bool again = false;
        uint64_t before = atomic_load(&d->task->got);
        struct err e = download_once(r, d, &again);
        if (!err_failed(e))
            return OK;
        if (!again || attempt + 1 >= REGISTRY_ATTEMPTS || atomic_load(&d->pulling->failed))
            return e;
        err_ignore(e); /* tried again, from where it stopped */
        if (atomic_load(&d->task->got) > before)
            attempt = 0; /* it moves */
        pause_before(attempt);
    }
}

struct unpacking {
    const struct ingest *in;
    struct ingest_layer *l;
    int pipe;
    struct err result;
};

static void *unpack_thread(void *arg) {
    struct unpacking *u = arg;
    struct stream *plain = NULL;
    enum compression kind = COMPRESSION_NONE;
    u->result = inflate_open(stream_fd(u->pipe), 0, &plain, &kind);
    if (!err_failed(u->result)) {
        u->result = ingest_fill(u->in, u->l, plain, true, -1);
        u->l->compression = kind;
    }
    stream_free(plain);
    u->pipe = fd_close(u->pipe); /* a downloader that still writes sees it */
    return NULL;
}

static struct err check_blob(struct download *d) {
    struct digest got;
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    sha256_end(d->hash, got.bytes);
    if (!digest_eq(&got, &d->task->l->blob))
        return err_new(ERR_INVALID, "layer has the digest %s, expected %s", digest_text(&got, a),
                       digest_text(&d->task->l->blob, b));
    return OK;
}

/* Which of the two errors is the cause. */
static struct err first_cause(struct download *d, struct err downloaded, struct err unpacked) {
    if (err_failed(downloaded) && !d->unpacker_gone) {
        err_ignore(unpacked); /* it saw half a stream */
        return downloaded;
    }
    err_ignore(downloaded); /* it saw a closed pipe */
    return unpacked;
}

static struct err pull_one(struct pulling *p, struct registry *r, struct task *t) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
    struct download d = {.pulling = p, .task = t, .hash = h, .pipe = ends[1]};
    struct unpacking u = {.in = p->in, .l = t->l, .pipe = ends[0]};
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, unpack_thread, &u);
    if (rc != 0) {
        fd_close(ends[0]);
        fd_close(ends[1]);
        return err_errno(rc, "start a thread");
    }
    atomic_store(&t->phase, PHASE_DOWNLOADING);
    struct err e = download(r, &d);
    if (!err_failed(e))
        e = check_blob(&d);
    if (!err_failed(e))
        atomic_store(&t->phase, PHASE_DOWNLOADED);
    fd_close(ends[1]);
    pthread_join(thread, NULL);
    return first_cause(&d, e, u.result);
}

static void *pull_thread(void *arg) {
    struct pulling *p = arg;
    CLEAN_REGISTRY struct registry *r = registry_clone(p->registry);
    size_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->n) {
        struct task *t = &p->tasks[i];
        t->started = !atomic_load(&p->failed);
        if (t->started)
            t->result = pull_one(p, r, t);
        if (err_failed(t->result))
            atomic_store(&p->failed, true);
        else
            atomic_store(&t->phase, PHASE_DONE);
        atomic_fetch_sub(&p->left, 1);
    }
    return NULL;
}

/* --- what the client sees
 * ------------------------------------------------------------------------------- */
static struct err show_task(struct pulling *p, struct task *t) {
    int phase = atomic_load(&t->phase);
    uint64_t got = atomic_load(&t->got);
    if (phase >= PHASE_DOWNLOADING && got != t->shown && t->shown_phase < PHASE_DOWNLOADED) {
        t->shown = got;
        TRY(answer_progress(p->in, t->id, "Downloading", got, t->l->blob_size));
    }
    if (phase >= PHASE_DOWNLOADED && t->shown_phase < PHASE_DOWNLOADED) {
        TRY(answer_progress(p->in, t->id, "Verifying Checksum", 0, 0));
        TRY(answer_progress(p->in, t->id, "Download complete", 0, 0));
        TRY(answer_progress(p->in, t->id, "Extracting", t->l->blob_size, t->l->blob_size));
    }
    if (phase == PHASE_DONE && t->shown_phase < PHASE_DONE)
        TRY(answer_progress(p->in, t->id, "Pull complete", 0, 0));
    t->shown_phase = phase;
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
    struct err e = show_all(p);
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

static struct err announce(struct ingest *in, const struct pulled *v) {
    char id[13];
    for (size_t i = 0; i < v->n; i++) {
        short_id(&v->layers[i], id);
        TRY(answer_progress(in, id, v->layers[i].have ? "Already exists" : "Pulling fs layer", 0,
                            0));
    }
    return OK;
}

static struct err add_task(struct pulling *p, struct arena *a, struct ingest_layer *l) {
    struct task *t = &p->tasks[p->n];
    char text[DIGEST_TEXT_MAX];
    t->l = l;
    t->url = arena_printf(a, "blobs/%s", digest_text(&l->blob, text));
    short_id(l, t->id);
    TRY(ingest_file(p->in, l->blob_file, &t->file));
    p->n++;
    return OK;
}

static struct err pull_missing(struct ingest *in, struct registry *r, struct pulled *v) {
    CLEAN_ARENA struct arena a = {0};
    struct pulling p = {.in = in, .registry = r};
    struct err e = OK;
    p.tasks = arena_array(&a, v->n + 1, sizeof(*p.tasks));
    for (size_t i = 0; i < v->n && !err_failed(e); i++) {
        if (v->layers[i].have)
            v->layers[i].has_blob =
                v->layers[i].have_blob; /* not fetched: nothing to say about it */
        else
            e = add_task(&p, &a, &v->layers[i]);
    }
    if (!err_failed(e) && p.n > 0)
        e = pull_all(&p);
    for (size_t i = 0; i < p.n; i++)
        fd_close(p.tasks[i].file);
    return e;
}

struct err pull_layers(struct ingest *in, struct registry *r, const struct fetched *f,
                       struct pulled *ret) {
    TRY(list_layers(f, ret));
    if (ret->n == 0)
        return OK;
    TRY(ingest_reserve(in, ret->layers, ret->n));
    TRY(announce(in, ret));
    TRY(pull_missing(in, r, ret));
    return ingest_place_blobs(in, ret->layers, ret->n);
}
