/* ingest_layer.c - filling layer directories, placing blobs. */
#include "archive/deflate.h"
#include "archive/extract.h"
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/mem.h"
#include "image/ingest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct err ingest_file(struct ingest *in, char ret_name[32], int *ret_fd) {
    snprintf(ret_name, 32, "%u", in->next_file++);
    int fd = openat(in->dir_fd, ret_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "create a file in image/ingest");
    *ret_fd = fd;
    return OK;
}

struct err ingest_partial(struct ingest *in, struct ingest_layer *l, int *ret_fd,
                          uint64_t *ret_got) {
    char hex[65];
    struct stat st;
    digest_hex(&l->blob, hex);
    snprintf(l->blob_file, sizeof(l->blob_file), "../../blob/partial/%s", hex);
    CLEAN_FD
    int fd = openat(in->dir_fd, l->blob_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "create a file in image/blob/partial");
    bool ours = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink == 1;
    if (ours && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > l->blob_size)) {
        if (ftruncate(fd, 0) < 0)
            return err_errno(errno, "empty a file in image/blob/partial");
        st.st_size = 0;
    }
    *ret_got = ours ? (uint64_t)st.st_size : 0;
    *ret_fd = ours ? TAKE_FD(fd) : -1;
    return OK;
}

struct err ingest_discard(const struct ingest *in, const struct ingest_layer *l) {
    return dir_remove(in->layer_fd, l->name);
}

/* A stage that also compresses what passes. */
struct squeeze {
    struct stream s;
    struct deflate *deflate;
};

static struct err squeeze_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    size_t k;
    TRY(stream_read(s->from, p, n, &k));
    TRY(deflate_add(CONTAINER_OF(s, struct squeeze, s)->deflate, p, k));
    *ret_n = k;
    return OK;
}

static void squeeze_done(struct stream *s) {
    free(CONTAINER_OF(s, struct squeeze, s));
}

static struct err make_dir(int parent, const char *name, int *ret_fd) {
    int r = mkdirat(parent, name, 0755);
    if (r < 0 && errno == EEXIST) { /* as in ingest_adopt */
        TRY(dir_remove(parent, name));
        r = mkdirat(parent, name, 0755);
    }
    if (r < 0)
        return err_errno(errno, "make layer directory");
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open layer directory");
    *ret_fd = fd;
    return OK;
}

/* What the archive makes impossible is its fault, not that something is not found here. */
static struct err blame_archive(struct err e) {
    return err_kind(e) == ERR_NOT_FOUND ? err_as(e, ERR_INVALID) : e;
}

static struct err check_diff_id(const struct ingest_layer *l, const struct digest *got) {
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    if (!digest_eq(got, &l->diff_id))
        return err_new(ERR_INVALID, "layer has the diff id %s, the image's config says %s",
                       digest_text(got, a), digest_text(&l->diff_id, b));
    return OK;
}

/* Unpacks into a new directory; hash and compressor (NULL: none) see the plain tar. */
static struct err unpack_into(int parent, const char *name, struct stream *tar, struct sha256 *h,
                              struct deflate *d, struct extracted *ret) {
    CLEAN_FD
    int dir = -1;
    TRY(make_dir(parent, name, &dir));
    struct stream *stage = stream_borrow(tar);
    if (h)
        stage = stream_tee(stage, h, NULL);
    if (d) { /* hashing, compressing and extracting take about as long as each other */
        struct stream *hashed;
        struct err e = stream_threaded(stage, &hashed);
        if (err_failed(e)) {
            stream_free(stage);
            return e;
        }
        stage = hashed;
        struct squeeze *q = NEW(struct squeeze);
        q->s = (struct stream){squeeze_read, squeeze_done, stage};
        q->deflate = d;
        stage = &q->s;
    }
    struct stream *s;
    struct err e = stream_threaded(stage, &s);
    if (err_failed(e)) {
        stream_free(stage);
        return e;
    }
    e = extract(s, dir, EXTRACT_LAYER, &extract_default_limits, ret);
    stream_free(s); /* the thread is over: hash and compressor are whole */
    return blame_archive(e);
}

static struct err finish_blob(struct deflate *d, struct ingest_layer *l) {
    TRY(deflate_end(d, &l->blob, &l->blob_size));
    l->has_blob = true;
    l->compression = COMPRESSION_GZIP;
    return OK;
}

struct err ingest_fill(const struct ingest *in, struct ingest_layer *l, struct stream *tar,
                       bool hash, int compress_fd) {
    struct sha256 *h OWN(sha256_clean) = hash ? sha256_new() : NULL;
    CLEAN_DEFLATE struct deflate *d = compress_fd >= 0 ? deflate_new(compress_fd) : NULL;
    struct extracted x;
    TRY(unpack_into(in->layer_fd, l->name, tar, h, d, &x));
    l->size = x.bytes;
    if (h) {
        struct digest got;
        sha256_end(h, got.bytes);
        TRY(check_diff_id(l, &got));
    }
    return d ? finish_blob(d, l) : OK;
}

struct err ingest_fill_unknown(struct ingest *in, struct ingest_layer *l, const char *tree,
                               struct stream *tar, bool compress, uint64_t *ret_entries) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_FD
    int fd = -1;
    CLEAN_DEFLATE struct deflate *d = NULL;
    struct extracted x;
    if (compress) {
        TRY(ingest_file(in, l->blob_file, &fd));
        d = deflate_new(fd);
    }
    TRY(unpack_into(in->dir_fd, tree, tar, h, d, &x));
    sha256_end(h, l->diff_id.bytes);
    l->size = x.bytes;
    *ret_entries = x.entries;
    return d ? finish_blob(d, l) : OK;
}

struct err ingest_unpack(struct ingest *in, const char *tree, struct stream *tar,
                         struct extracted *ret) {
    return unpack_into(in->dir_fd, tree, tar, NULL, NULL, ret);
}

static struct err adopt_stream(struct ingest *in, const struct ingest_layer *l) {
    char path[32];
    snprintf(path, sizeof(path), "stream/%s", l->name);
    if (l->stream && renameat(in->dir_fd, l->stream_file, in->root_fd, path) < 0)
        return err_errno(errno, "move the layer's tar into place");
    return OK;
}

struct err ingest_adopt(struct ingest *in, struct ingest_layer *l, int dirfd, const char *name) {
    if (l->have)
        return OK;
    TRY(adopt_stream(in, l));
    if (renameat(dirfd, name, in->layer_fd, l->name) == 0)
        return OK;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_errno(errno, "move the layer into place");
    /* The number of a step whose row a power cut has taken: it was never synced. */
    TRY(dir_remove(in->layer_fd, l->name));
    if (renameat(dirfd, name, in->layer_fd, l->name) < 0)
        return err_errno(errno, "move the layer into place");
    return OK;
}

/* --- blobs
 * ------------------------------------------------------------------------------------------- */
static void blob_path(const struct digest *d, char path[80]) {
    char hex[65];
    digest_hex(d, hex);
    snprintf(path, 80, "%.2s/%s", hex, hex);
}

struct err ingest_open_blob(const struct ingest *in, const struct digest *d, int *ret_fd) {
    char path[80];
    blob_path(d, path);
    int fd = openat(in->blob_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open blob %s", path + 3);
    *ret_fd = fd;
    return OK;
}

/* A file of the ingest directory and the name that it shall have. */
struct placing {
    const struct digest *digest;
    const char *file;
};

static struct err sync_file(struct ingest *in, const struct placing *p) {
    CLEAN_FD
    int fd = openat(in->dir_fd, p->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open a file in image/ingest");
    if (fsync(fd) < 0)
        return err_errno(errno, "fsync a blob");
    return OK;
}

static struct err rename_blob(struct ingest *in, const struct placing *p) {
    char path[80];
    blob_path(p->digest, path);
    char dir_name[3] = {path[0], path[1], '\0'};
    if (mkdirat(in->blob_fd, dir_name, 0700) < 0 && errno != EEXIST)
        return err_errno(errno, "make blob directory");
    if (renameat(in->dir_fd, p->file, in->blob_fd, path) < 0)
        return err_errno(errno, "rename blob %s", path + 3);
    return OK;
}

static struct err sync_blob_dir(struct ingest *in, const struct placing *p) {
    char path[80];
    blob_path(p->digest, path);
    path[2] = '\0';
    return dir_sync(in->blob_fd, path);
}

/* All files, all names, all directories: one commit of the file system's journal serves each round.
 */
static struct err place_all(struct ingest *in, const struct placing *p, size_t n) {
    static struct err (*const rounds[])(struct ingest *, const struct placing *) = {
        sync_file, rename_blob, sync_blob_dir};
    for (size_t k = 0; k < ARRAY_LEN(rounds); k++)
        for (size_t i = 0; i < n; i++)
            TRY(rounds[k](in, &p[i]));
    return OK;
}

struct err ingest_place_blobs(struct ingest *in, struct ingest_layer *layers, size_t n) {
    VEC(struct placing) list = {0};
    for (size_t i = 0; i < n; i++)
        if (layers[i].has_blob && !layers[i].have_blob && layers[i].blob_file[0])
            vec_push(&list, ((struct placing){&layers[i].blob, layers[i].blob_file}));
    struct err e = place_all(in, list.items, list.n);
    vec_done(&list);
    return e;
}

struct err ingest_place_documents(struct ingest *in, const struct ingest_documents *docs) {
    VEC(struct placing) list = {0};
    for (size_t i = 0; i < docs->n; i++)
        if (!docs->items[i].have)
            vec_push(&list, ((struct placing){&docs->items[i].digest, docs->items[i].file}));
    struct err e = place_all(in, list.items, list.n);
    vec_done(&list);
    return e;
}

/* --- a blob from a directory
 * ----------------------------------------------------------------------------- */
struct pack {
    struct deflate *deflate;
    struct sha256 *hash;
};

static struct err pack_write(void *arg, const void *p, size_t n) {
    struct pack *k = arg;
    sha256_add(k->hash, p, n);
    return deflate_add(k->deflate, p, n);
}

static struct err pack_layer(struct ingest *in, struct ingest_layer *l, int fd) {
    CLEAN_FD
    int dir = -1;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_DEFLATE struct deflate *d = deflate_new(fd);
    struct pack k = {d, h};
    struct tar_sink sink = {pack_write, &k};
    struct layer_tar t;
    TRY(ingest_open_layer(in, l->name, l->base, &dir));
    TRY(layer_tar(dir, 0, &sink, &t));
    struct digest got;
    sha256_end(h, got.bytes);
    TRY(check_diff_id(l, &got));
    return finish_blob(d, l);
}

struct err ingest_make_blob(struct ingest *in, struct ingest_layer *l) {
    CLEAN_FD
    int fd = -1;
    TRY(ingest_file(in, l->blob_file, &fd));
    TRYF(pack_layer(in, l, fd), "compress layer %s", l->name);
    struct ingest_layer one = *l;
    one.have_blob = false;
    TRY(ingest_reserve(in, &one, 1));
    TRY(ingest_place_blobs(in, &one, 1));
    one.have = true;
    struct ingest_commit c = {.layers = &one, .layers_n = 1};
    TRY(ingest_commit(in, &c));
    l->have_blob = true;
    return OK;
}
