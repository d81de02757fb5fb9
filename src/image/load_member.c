#include "image/load_member.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK_NS 100000000
#define TAR_MAGIC_AT 257

static bool is_compressed(struct str head) {
    return str_starts(head, STR("\x1f\x8b")) || str_starts(head, STR("\x28\xb5\x2f\xfd"));
}

bool member_is_layer(const char *path, uint64_t size, struct str head) {
    struct str s = str_of(path);
    bool named = str_starts(s, STR("blobs/sha256/")) || str_ends(s, STR(".tar")) ||
                 str_ends(s, STR(".tar.gz"));
    return named && size >= LOAD_MEMBER_MIN &&
           (is_compressed(head) ||
            (head.len >= TAR_BLOCK &&
             str_eqz(str_sub(head, TAR_MAGIC_AT, TAR_MAGIC_AT + 5), "ustar")));
}

/* --- stages ---------------------------------------------------------------------------------- */
/* Counts, and keeps what passes in a file. */
struct keep {
    struct stream s;
    int fd; /* -1: only counts */
    _Atomic uint64_t *count;
};

static struct err keep_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct keep *k = CONTAINER_OF(s, struct keep, s);
    size_t got;
    TRY(stream_read(s->from, p, n, &got));
    int r = k->fd >= 0 ? fd_write_all(k->fd, p, got) : 0;
    if (r < 0)
        return err_errno(r, "write");
    uint64_t before = atomic_fetch_add(k->count, got);
    if (k->fd >= 0)
        fd_flush_on(k->fd, before, before + got);
    *ret_n = got;
    return OK;
}

/* Tells the client; nobody else speaks with it meanwhile. */
struct show {
    struct stream s;
    struct ingest *in;
    const char *id;
    const _Atomic uint64_t *count;
    uint64_t size;
    int64_t next;
};

static struct err show_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct show *h = CONTAINER_OF(s, struct show, s);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    if (ns >= h->next) {
        h->next = ns + TICK_NS;
        TRY(answer_progress(h->in, h->id, "Loading layer", atomic_load(h->count), h->size));
    }
    return stream_read(s->from, p, n, ret_n);
}

static void keep_done(struct stream *s) {
    free(CONTAINER_OF(s, struct keep, s));
}

static void show_done(struct stream *s) {
    free(CONTAINER_OF(s, struct show, s));
}

/* --- one member ------------------------------------------------------------------------------ */
/* What the client sees: digits of the diff id, or of the member's digest or directory. */
static void member_id(const char *path, const struct digest *said, char out[13]) {
    char hex[65];
    if (said) {
        snprintf(out, 13, "%.12s", digest_hex(said, hex));
        return;
    }
    struct str s = str_of(path), base = STR("blobs/sha256/");
    snprintf(out, 13, "%.12s", str_starts(s, base) ? path + base.len : path);
}

/* The store may have it. A plain layer below blobs/ is named by its diff id. */
static struct err is_known(struct ingest *in, const char *path, struct str head,
                           const struct digest *said, bool *ret) {
    CLEAN_FREE char *text = NULL;
    struct ingest_layer l = {0};
    *ret = false;
    if (said) {
        l.diff_id = *said;
        TRY(ingest_reserve(in, &l, 1));
        *ret = l.have;
        return OK;
    }
    if (is_compressed(head) || !str_starts(str_of(path), STR("blobs/sha256/")))
        return OK;
    text = mem_printf("sha256:%s", path + strlen("blobs/sha256/"));
    struct err e = digest_parse(str_of(text), &l.diff_id);
    if (err_failed(e)) {
        err_ignore(e); /* another file */
        return OK;
    }
    TRY(ingest_reserve(in, &l, 1));
    *ret = l.have;
    return OK;
}

struct unpack {
    struct ingest *in;
    struct member *m;
    _Atomic uint64_t count;
    struct sha256 *hash; /* of the member's bytes, or NULL */
    int fd;
    char id[13]; /* for the client */
};

/* The member's bytes, counted, and (compressed ones) hashed and kept. */
static struct stream *source_new(struct unpack *u, struct str head, struct stream *data) {
    struct keep *k = NEW(struct keep);
    struct stream *from = stream_after(head, stream_borrow(data));
    k->s = (struct stream){keep_read, keep_done, u->hash ? stream_tee(from, u->hash, NULL) : from};
    k->fd = u->fd;
    k->count = &u->count;
    return &k->s;
}

static struct stream *show_new(struct unpack *u, struct stream *from, uint64_t size) {
    struct show *h = NEW(struct show);
    *h = (struct show){{show_read, show_done, from}, u->in, u->id, &u->count, size, 0};
    return &h->s;
}

/* Reading and hashing, inflating and hashing, extracting: a thread each. */
static struct err unpack_compressed(struct unpack *u, struct stream *source, uint64_t size) {
    CLEAN_STREAM struct stream *plain = NULL;
    struct ingest_layer *l = &u->m->layer;
    struct stream *threaded;
    uint64_t entries;
    struct err e = stream_threaded(source, &threaded);
    if (err_failed(e)) {
        stream_free(source);
        return e;
    }
    TRY(inflate_open(show_new(u, threaded, size), 0, &plain, &l->compression));
    TRY(ingest_fill_unknown(u->in, l, u->m->tree, plain, false, &entries));
    l->has_blob = true;
    snprintf(l->blob_file, sizeof(l->blob_file), "%s", u->m->file);
    return OK;
}

static struct err unpack(struct unpack *u, uint64_t size, struct str head, struct stream *data) {
    uint64_t entries;
    struct stream *source = source_new(u, head, data);
    if (is_compressed(head)) {
        TRY(unpack_compressed(u, source, size));
    } else {
        CLEAN_STREAM struct stream *s = show_new(u, source, size);
        TRY(ingest_fill_unknown(u->in, &u->m->layer, u->m->tree, s, true, &entries));
    }
    return answer_progress(u->in, u->id, "Loading layer", size, size);
}

static struct err keep_rest(int fd, struct stream *data, struct sha256 *h, struct member *m) {
    uint64_t more;
    CLEAN_STREAM struct stream *rest = stream_tee(stream_borrow(data), h, NULL);
    TRY(stream_copy_fd(rest, fd, &more));
    sha256_end(h, m->digest.bytes);
    return OK;
}

/* Its bytes are kept all the same when they may be a part of an artifact as well. */
static struct err read_known(struct ingest *in, struct str head, struct stream *data,
                             struct member *m) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_FD int fd = -1;
    uint64_t n;
    CLEAN_STREAM struct stream *s = stream_tee(stream_after(head, stream_borrow(data)), h, NULL);
    if (is_compressed(head)) {
        TRY(ingest_file(in, m->file, &fd));
        TRY(stream_copy_fd(s, fd, &n));
    } else {
        TRY(stream_drain(s));
    }
    sha256_end(h, m->digest.bytes);
    return OK;
}

struct err member_unpack(struct ingest *in, const char *path, uint64_t size, struct str head,
                         struct stream *data, const struct digest *said, struct member *m) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_FD int fd = -1;
    bool known;
    struct unpack u = {.in = in, .m = m, .fd = -1};
    m->size = size;
    TRY(is_known(in, path, head, said, &known));
    if (known)
        return read_known(in, head, data, m);
    member_id(path, said, u.id);
    if (is_compressed(head)) {
        TRY(ingest_file(in, m->file, &fd));
        u.fd = fd;
        u.hash = h; /* of plain ones the diff id is the digest */
    }
    snprintf(m->tree, sizeof(m->tree), "tree%u", in->next_file++);
    m->problem = unpack(&u, size, head, data);
    if (err_kind(m->problem) == ERR_CANCELLED || err_kind(m->problem) == ERR_SYSTEM) {
        struct err e = m->problem; /* not the member's fault */
        m->problem = OK;
        return e;
    }
    if (err_failed(m->problem)) /* a layer it is not, but it may be a part of an artifact */
        return fd >= 0 ? keep_rest(fd, data, h, m) : OK;
    m->digest = m->layer.diff_id;
    if (u.hash) {
        sha256_end(h, m->digest.bytes);
        m->layer.blob = m->digest;
        m->layer.blob_size = size;
    }
    m->unpacked = true;
    return OK;
}

struct err member_adopt(struct ingest *in, struct member *m, struct ingest_layer *l) {
    if (!digest_eq(&m->layer.diff_id, &l->diff_id))
        return err_new(ERR_INVALID, "layer has another diff id than the image's config says");
    TRY(ingest_adopt(in, l, in->dir_fd, m->tree));
    m->unpacked = false;
    l->size = m->layer.size;
    l->has_blob = true;
    l->blob = m->layer.blob;
    l->blob_size = m->layer.blob_size;
    l->compression = m->layer.compression;
    snprintf(l->blob_file, sizeof(l->blob_file), "%s", m->layer.blob_file);
    return OK;
}
