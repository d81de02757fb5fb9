/* load_job.c - the job "image-load": an archive of the request's body becomes images.
 *
 * docker-archive (manifest.json; what `docker save` writes) or, without one, an OCI layout. Layers
 * are unpacked while the archive is read (load_member.c), those that could not be told by their
 * beginning side by side afterwards; plain ones are compressed on the way, so that a later push or
 * save finds a blob. */
#include "image/load_job.h"
#include "image/jobs.h"
#include "image/load_member.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 4
#define TICK_NS 100000000

/* --- what the archive says
 * ------------------------------------------------------------------------------ */
static void loaded_done(struct loaded *l) {
    buf_done(&l->config);
    vec_done(&l->layers);
    vec_done(&l->tags);
    vec_done(&l->documents);
    arena_done(&l->notes);
}

static void loads_done(struct loads *v) {
    for (size_t i = 0; i < v->n; i++)
        loaded_done(&v->items[i]);
    vec_done(v);
}

struct err loaded_config(const struct spool *s, struct member *config, struct loaded *ret,
                         struct strs *ret_diff_ids, struct arena *a) {
    struct oci_image_config c;
    TRY(spool_text(s, config, IMAGE_CONFIG_MAX, &ret->config));
    ret->id = config->digest;
    TRYF(oci_image_config_parse(buf_str(&ret->config), a, &c), "image config");
    if (c.rootfs.diff_ids.n > IMAGE_LAYERS_MAX)
        return err_new(ERR_INVALID, "image has %zu layers, more than %d", c.rootfs.diff_ids.n,
                       IMAGE_LAYERS_MAX);
    if (c.os && c.os[0] && strcmp(c.os, "linux") != 0)
        return err_new(ERR_UNSUPPORTED, "cannot load %s image on linux", c.os);
    *ret_diff_ids = c.rootfs.diff_ids;
    return OK;
}

struct err loaded_layer_add(struct loaded *l, const char *diff_id, struct member *m) {
    struct loaded_layer *n = vec_add(&l->layers);
    n->member = m;
    return digest_parse(str_of(diff_id), &n->layer.diff_id);
}

static struct err load_item(const struct spool *s, const struct oci_archive_item *item,
                            struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct loaded *l = vec_add(ret);
    struct strs diff_ids;
    struct member *m = spool_find(s, item->config ? item->config : "");
    if (!m)
        return err_new(ERR_INVALID, "the archive has no config '%s'", item->config);
    TRY(loaded_config(s, m, l, &diff_ids, &a));
    if (diff_ids.n != item->layers.n)
        return err_new(ERR_INVALID,
                       "invalid manifest, layers length mismatch: expected %zu, got %zu",
                       diff_ids.n, item->layers.n);
    for (size_t i = 0; i < diff_ids.n; i++) {
        m = spool_find(s, item->layers.items[i]);
        if (!m)
            return err_new(ERR_INVALID, "the archive has no layer '%s'", item->layers.items[i]);
        TRYF(member_check(m), "layer %zu", i + 1);
        TRY(loaded_layer_add(l, diff_ids.items[i], m));
    }
    for (size_t i = 0; i < item->repo_tags.n; i++) {
        struct reference r;
        TRYF(reference_parse(str_of(item->repo_tags.items[i]), &r), "tag '%s'",
             item->repo_tags.items[i]);
        if (r.tag[0] == '\0' || r.has_digest)
            return err_new(ERR_INVALID, "invalid tag \"%s\"", item->repo_tags.items[i]);
        vec_push(&l->tags, r);
    }
    return OK;
}

static struct err load_manifest_json(const struct spool *s, struct member *m, struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct objs items;
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, &text));
    TRYF(oci_archive_parse(buf_str(&text), &a, &items), "manifest.json");
    const struct oci_archive_item *item = items.items;
    for (size_t i = 0; i < items.n; i++)
        TRY(load_item(s, &item[i], ret));
    return OK;
}

static struct err load_members(const struct spool *s, const struct platform *wanted,
                               struct loads *ret) {
    struct member *m = spool_find(s, "manifest.json");
    if (m) {
        TRY(load_manifest_json(s, m, ret));
        TRY(load_artifacts(s, ret));
    } else if (spool_find(s, "index.json")) {
        TRY(load_layout(s, wanted, ret));
    } else if ((m = spool_find(s, "repositories")) != NULL) {
        TRY(load_legacy(s, m, ret));
    } else {
        return err_new(ERR_INVALID, "not an image archive: no manifest.json, index.json or "
                                    "repositories in it");
    }
    return ret->n || wanted ? OK : err_new(ERR_INVALID, "the archive has no image");
}

/* Leaves out what is for other machines than the one that was asked for. Artifacts are for all. */
static struct err loads_choose(struct loads *loads, const struct platform *wanted) {
    char text[PLATFORM_TEXT_MAX];
    size_t n = 0;
    for (size_t i = 0; i < loads->n; i++) {
        CLEAN_ARENA struct arena a = {0};
        struct loaded *l = &loads->items[i];
        struct oci_image_config c = {0};
        if (!l->artifact)
            TRY(oci_image_config_parse(buf_str(&l->config), &a, &c));
        if (!l->artifact && platform_distance(wanted, c.os, c.architecture, c.variant) < 0) {
            loaded_done(l);
            *l = (struct loaded){0};
            continue;
        }
        struct loaded other = loads->items[n];
        loads->items[n++] = *l;
        if (l != &loads->items[n - 1])
            *l = other;
    }
    loads->n = n; /* what lies behind is empty */
    return n ? OK
             : err_new(ERR_NOT_FOUND, "the archive has no image for %s",
                       platform_text(wanted, text));
}

/* --- unpacking, several at a time
 * ------------------------------------------------------------------------- */
struct unpacking {
    struct ingest *in;
    const struct spool *spool;
    struct task {
        struct loaded_layer *l;
        int compress_fd;
        struct err result;
        bool skipped;
        _Atomic uint64_t read; /* bytes of the member */
        _Atomic bool done;
    } * tasks;
    size_t n;
    _Atomic size_t next, left;
    _Atomic bool failed;
};

/* Counts what was read for the progress bar. */
struct metered {
    struct stream s;
    _Atomic uint64_t *count;
};

static struct err metered_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    size_t k;
    TRY(stream_read(s->from, p, n, &k));
    atomic_fetch_add(CONTAINER_OF(s, struct metered, s)->count, k);
    *ret_n = k;
    return OK;
}

static void metered_done(struct stream *s) {
    free(CONTAINER_OF(s, struct metered, s));
}

static struct stream *metered_new(struct stream *from, _Atomic uint64_t *count) {
    struct metered *m = NEW(struct metered);
    m->s = (struct stream){metered_read, metered_done, from};
    m->count = count;
    return &m->s;
}

static struct err unpack_task(struct unpacking *u, struct task *t) {
    CLEAN_FD
    int fd = -1;
    CLEAN_STREAM struct stream *plain = NULL;
    enum compression kind;
    struct ingest_layer *l = &t->l->layer;
    struct member *m = t->l->member;
    TRY(spool_open(u->spool, m, &fd));
    TRY(inflate_open(metered_new(stream_fd(fd), &t->read), 0, &plain, &kind));
    if (kind == COMPRESSION_NONE) {
        /* Its digest is the diff id and was computed when the member was written. */
        if (!digest_eq(&m->digest, &l->diff_id))
            return err_new(ERR_INVALID, "layer has another diff id than the image's config says");
        return ingest_fill(u->in, l, plain, false, t->compress_fd);
    }
    TRY(ingest_fill(u->in, l, plain, true, -1));
    l->has_blob = true;
    l->blob = m->digest;
    l->blob_size = m->size;
    l->compression = kind;
    snprintf(l->blob_file, sizeof(l->blob_file), "%s", m->file);
    return OK;
}

static void *unpack_thread(void *arg) {
    struct unpacking *u = arg;
    size_t i;
    while ((i = atomic_fetch_add(&u->next, 1)) < u->n) {
        struct task *t = &u->tasks[i];
        t->skipped = atomic_load(&u->failed);
        if (!t->skipped)
            t->result = unpack_task(u, t);
        if (err_failed(t->result))
            atomic_store(&u->failed, true);
        atomic_store(&t->done, true);
        atomic_fetch_sub(&u->left, 1);
    }
    return NULL;
}

static struct err show_progress(struct unpacking *u) {
    bool finished = false;
    while (!finished) {
        finished = atomic_load(&u->left) == 0;
        for (size_t i = 0; i < u->n; i++) {
            struct task *t = &u->tasks[i];
            char hex[65];
            uint64_t read = atomic_load(&t->read);
            if (read > 0 && !t->skipped)
                TRY(answer_progress(u->in,
                                    (digest_hex(&t->l->layer.diff_id, hex), hex[12] = '\0', hex),
                                    "Loading layer", read, t->l->member->size));
        }
        if (!finished)
            nanosleep(&(struct timespec){0, TICK_NS}, NULL);
    }
    return OK;
}

static struct err unpack_run(struct unpacking *u) {
    pthread_t threads[THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = MIN(u->n, (size_t)MIN(MAX(cpus, 1), THREADS_MAX)), started = 0;
    atomic_store(&u->left, u->n);
    while (started < n && pthread_create(&threads[started], NULL, unpack_thread, u) == 0)
        started++;
    if (started == 0)
        unpack_thread(u);
    struct err shown = show_progress(u);
    if (err_failed(shown))
        atomic_store(&u->failed, true);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    struct err e = shown;
    for (size_t i = 0; i < u->n; i++) {
        struct err r = u->tasks[i].result;
        if (err_failed(e))
            err_ignore(r); /* the first one is told */
        else
            e = err_wrap(r, "layer %zu", i + 1);
    }
    return e;
}

/* Files for the compressed form of layers that may turn out to be plain. */
static struct err unpack_prepare(struct unpacking *u, struct task *t, struct loaded_layer *l) {
    t->l = l;
    t->compress_fd = -1;
    if (!digest_eq(&l->member->digest, &l->layer.diff_id))
        return OK;
    return ingest_file(u->in, l->layer.blob_file, &t->compress_fd);
}

static struct err unpack_missing(struct ingest *in, const struct spool *s,
                                 struct loaded_layer **layers, size_t n) {
    struct unpacking u = {
        .in = in, .spool = s, .n = n, .tasks = mem_zero((n + 1) * sizeof(struct task))};
    struct err e = OK;
    for (size_t i = 0; i < n && !err_failed(e); i++)
        e = unpack_prepare(&u, &u.tasks[i], layers[i]);
    if (!err_failed(e) && n > 0)
        e = unpack_run(&u);
    for (size_t i = 0; i < n; i++)
        if (u.tasks[i].l)
            fd_close(u.tasks[i].compress_fd);
    free(u.tasks);
    return e;
}

/* --- all of it
 * --------------------------------------------------------------------------------------------- */
struct unique {
    VEC(struct ingest_layer) asked;   /* one for each diff id */
    VEC(struct loaded_layer *) owner; /* where it is unpacked from */
};

static void unique_add(struct unique *u, struct loaded_layer *l) {
    for (size_t i = 0; i < u->asked.n; i++)
        if (digest_eq(&u->asked.items[i].diff_id, &l->layer.diff_id))
            return;
    vec_push(&u->asked, l->layer);
    vec_push(&u->owner, l);
}

static struct err bring_layers(struct ingest *in, const struct spool *s, struct unique *u) {
    VEC(struct loaded_layer *) missing = {0};
    TRY(ingest_reserve(in, u->asked.items, u->asked.n));
    for (size_t i = 0; i < u->asked.n; i++) {
        struct loaded_layer *l = u->owner.items[i];
        l->layer = u->asked.items[i];
        if (l->layer.have)
            continue;
        if (!l->member->unpacked) {
            vec_push(&missing, l);
            continue;
        }
        struct err e = member_adopt(in, l->member, &l->layer);
        if (err_failed(e)) {
            vec_done(&missing);
            return err_wrap(e, "layer %zu", i + 1);
        }
    }
    struct err e = unpack_missing(in, s, missing.items, missing.n);
    vec_done(&missing);
    TRY(e);
    for (size_t i = 0; i < u->asked.n; i++)
        u->asked.items[i] = u->owner.items[i]->layer;
    /* Now the blobs are known as well. */
    CLEAN_FREE
    struct ingest_layer *again = mem_dup(u->asked.items, u->asked.n * sizeof(*again));
    TRY(ingest_reserve(in, again, u->asked.n));
    for (size_t i = 0; i < u->asked.n; i++)
        u->asked.items[i].have_blob = again[i].have_blob;
    return ingest_place_blobs(in, u->asked.items, u->asked.n);
}

static struct err commit_loaded(struct ingest *in, struct loaded *l, const struct unique *u) {
    char text[REFERENCE_TEXT_MAX], id[DIGEST_TEXT_MAX];
    TRY(ingest_documents_place(in, &l->documents));
    struct ingest_commit c = {.config = buf_str(&l->config),
                              .layers = u->asked.items,
                              .layers_n = u->asked.n,
                              .tags = l->tags.items,
                              .tags_n = l->tags.n,
                              .event = "load",
                              .documents = &l->documents,
                              .artifact = l->artifact,
                              .annotations = &l->annotations};
    c.event_name = l->tags.n ? reference_familiar(&l->tags.items[0], text)
                             : digest_text(&l->id, id);
    TRY(ingest_commit(in, &c));
    for (size_t i = 0; i < l->tags.n; i++)
        TRY(answer_stream_line(in, "Loaded image: %s\n",
                               reference_familiar(&l->tags.items[i], text)));
    if (l->tags.n == 0)
        TRY(answer_stream_line(in, "Loaded image ID: %s\n", digest_text(&l->id, id)));
    return OK;
}

static struct err load_all(struct ingest *in, const struct spool *s, struct loads *loads) {
    struct unique u = {0};
    for (size_t i = 0; i < loads->n; i++)
        for (size_t k = 0; k < loads->items[i].layers.n; k++)
            unique_add(&u, &loads->items[i].layers.items[k]);
    struct err e = u.asked.n ? bring_layers(in, s, &u) : OK;
    for (size_t i = 0; i < loads->n && !err_failed(e); i++)
        e = commit_loaded(in, &loads->items[i], &u);
    vec_done(&u.asked);
    vec_done(&u.owner);
    return e;
}

static struct err load_run(struct ingest *in) {
    CLEAN_SPOOL struct spool s = {0};
    CLEAN_STREAM struct stream *body = ingest_body(in);
    struct loads loads OWN(loads_done) = {0};
    struct str asked = ingest_arg(in, "platform");
    struct platform wanted;
    TRY(platform_parse(asked, &wanted));
    TRY(spool_read(in, body, &s));
    TRY(load_members(&s, asked.len ? &wanted : NULL, &loads));
    if (asked.len)
        TRY(loads_choose(&loads, &wanted));
    load_documents(&s, &loads);
    return load_all(in, &s, &loads);
}

struct err image_load_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                          struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    struct err e = load_run(&in);
    /* As the peer: what is wrong with an archive is told inside the stream, below status 200. */
    if (err_failed(e) && err_kind(e) != ERR_CANCELLED && in.body)
        err_ignore(answer_begin(&in, NULL));
    return ingest_end(&in, e);
}
