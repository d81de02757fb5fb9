#include "image/spool.h"
#include "archive/decode.h"
#include "archive/extract.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/image.h"
#include "image/load_member.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void member_free(struct member *m) {
    if (!m)
        return;
    free(m->link);
    err_ignore(m->problem); /* nobody wanted that member */
    free(m);
}

void spool_done(struct spool *s) {
    size_t it = 0;
    void *m;
    while (map_next(&s->members, &it, NULL, &m))
        member_free(m);
    map_done(&s->members);
    it = 0;
    while (map_next(&s->diff_ids, &it, NULL, &m))
        free(m);
    map_done(&s->diff_ids);
}

/* Cleaned, relative; ERR_INVALID when it leads out. */
static struct err inner_path(struct str path, char **ret) {
    while (str_starts(path, STR("/")))
        path = str_from(path, 1);
    if (path.len > EXTRACT_PATH_MAX)
        return err_new(ERR_INVALID, "path is longer than %d bytes", EXTRACT_PATH_MAX);
    CLEAN_FREE
    char *clean = path_clean(path);
    if (strcmp(clean, "..") == 0 || str_starts(str_of(clean), STR("../")))
        return err_new(ERR_INVALID, "path leads out of the archive");
    *ret = TAKE(clean);
    return OK;
}

static struct err spool_file(struct spool *s, struct tar_reader *t, const char *path, uint64_t size,
                             struct member *m) {
    CLEAN_FD
    int fd = -1;
    char head[TAR_BLOCK];
    size_t n;
    CLEAN_STREAM struct stream *whole = tar_data(t);
    TRY(stream_read_full(whole, head, sizeof(head), &n));
    if (member_is_layer(path, size, str_n(head, n)))
        return member_unpack(s->in, path, size, str_n(head, n), whole, spool_diff_id(s, path), m);
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    TRY(ingest_file(s->in, m->file, &fd));
    CLEAN_STREAM struct stream *data =
        stream_tee(stream_after(str_n(head, n), stream_borrow(whole)), h, NULL);
    TRY(stream_copy_fd(data, fd, &m->size));
    sha256_end(h, m->digest.bytes);
    return OK;
}

struct err member_check(struct member *m) {
    struct err e = m->problem;
    m->problem = OK;
    return e;
}

/* Symbolic links are relative to their directory, hard links to the archive's root. */
static struct err member_link(const char *path, const struct tar_entry *e, struct member *m) {
    CLEAN_BUF struct buf target = {0};
    if (e->type == TAR_SYMLINK && e->target[0] != '/') {
        buf_add_str(&target, path_dir(str_of(path)));
        buf_addc(&target, '/');
    }
    buf_adds(&target, e->target);
    return inner_path(buf_str(&target), &m->link);
}

static struct err spool_entry(struct spool *s, struct tar_reader *t, const struct tar_entry *e) {
    CLEAN_FREE
    char *path = NULL;
    TRY(inner_path(str_of(e->path), &path));
    if (e->type != TAR_FILE && e->type != TAR_SYMLINK && e->type != TAR_LINK)
        return OK; /* directories; a device in an image archive means nothing */
    if (s->members.n >= SPOOL_MEMBERS_MAX)
        return err_new(ERR_INVALID, "the archive has more than %d members", SPOOL_MEMBERS_MAX);
    struct member *m = NEW(struct member);
    member_free(map_set(&s->members, str_of(path), m));
    return e->type == TAR_FILE ? spool_file(s, t, path, e->size, m) : member_link(path, e, m);
}

static struct err spool_all(struct spool *s, struct stream *plain) {
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(plain);
    for (;;) {
        const struct tar_entry *e;
        TRY(tar_next(t, &e));
        if (!e)
            return tar_finish(t);
        TRYF(spool_entry(s, t, e), "'%s'", e->path);
    }
}

struct err spool_read(struct ingest *in, struct stream *archive, struct spool *ret) {
    CLEAN_STREAM struct stream *plain = NULL;
    struct spool s = {.in = in};
    TRY(decode_open(stream_borrow(archive), &plain));
    struct err e = spool_all(&s, plain);
    if (err_failed(e)) {
        spool_done(&s);
        return err_wrap(e, "archive");
    }
    *ret = s;
    return OK;
}

struct member *spool_find(const struct spool *s, const char *path) {
    CLEAN_FREE
    char *at = NULL;
    struct err e = inner_path(str_of(path), &at);
    err_ignore(e); /* what leads out is not there */
    for (int i = 0; at && i < SPOOL_LINKS_MAX; i++) {
        struct member *m = map_getz(&s->members, at);
        if (!m || !m->link)
            return m;
        free(at);
        at = mem_strdup(m->link);
    }
    return NULL;
}

struct err spool_blob(const struct spool *s, const char *digest, int64_t size,
                      struct member **ret) {
    struct digest d;
    char hex[65];
    TRY(digest_parse(str_of(digest), &d));
    CLEAN_FREE
    char *path = mem_printf("blobs/sha256/%s", digest_hex(&d, hex));
    struct member *m = spool_find(s, path);
    if (!m)
        return err_new(ERR_INVALID, "the archive has no blob %s", digest);
    TRYF(member_check(m), "blob %s", digest);
    if (!digest_eq(&m->digest, &d))
        return err_new(ERR_INVALID, "blob %s has another digest", digest);
    if (size >= 0 && m->size != (uint64_t)size)
        return err_new(ERR_INVALID, "blob %s has %llu bytes, its descriptor says %lld", digest,
                       (unsigned long long)m->size, (long long)size);
    *ret = m;
    return OK;
}

struct err spool_open(const struct spool *s, const struct member *m, int *ret_fd) {
    int fd = openat(s->in->dir_fd, m->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open a file in image/ingest");
    *ret_fd = fd;
    return OK;
}

struct err spool_text(const struct spool *s, const struct member *m, size_t max, struct buf *ret) {
    CLEAN_FD
    int fd = -1;
    if (m->size > max)
        return err_new(ERR_INVALID, "document is larger than %zu bytes", max);
    TRY(spool_open(s, m, &fd));
    int r = fd_read_buf(fd, ret);
    return r < 0 ? err_errno(r, "read a file in image/ingest") : OK;
}

/* Whether any of it is true is seen when the images are put together: here it only saves work. */
static struct err describe_item(struct spool *s, const struct oci_archive_item *item,
                                struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    struct oci_image_config c;
    struct member *m = spool_find(s, item->config ? item->config : "");
    if (!m || !m->file[0])
        return OK;
    TRY(spool_text(s, m, IMAGE_CONFIG_MAX, &text));
    TRY(oci_image_config_parse(buf_str(&text), a, &c));
    for (size_t i = 0; i < item->layers.n && i < c.rootfs.diff_ids.n; i++) {
        CLEAN_FREE char *path = NULL;
        struct digest d;
        TRY(inner_path(str_of(item->layers.items[i]), &path));
        TRY(digest_parse(str_of(c.rootfs.diff_ids.items[i]), &d));
        free(map_set(&s->diff_ids, str_of(path), mem_dup(&d, sizeof(d))));
    }
    return OK;
}

static struct err describe(struct spool *s, struct member *manifest) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct objs items;
    TRY(spool_text(s, manifest, OCI_MANIFEST_MAX, &text));
    TRY(oci_archive_parse(buf_str(&text), &a, &items));
    const struct oci_archive_item *item = items.items;
    for (size_t i = 0; i < items.n; i++)
        TRY(describe_item(s, &item[i], &a));
    return OK;
}

const struct digest *spool_diff_id(struct spool *s, const char *path) {
    struct member *m = s->described ? NULL : spool_find(s, "manifest.json");
    if (m && m->file[0]) {
        s->described = true;
        err_ignore(describe(s, m)); /* told when the images are put together */
    }
    return map_getz(&s->diff_ids, path);
}
