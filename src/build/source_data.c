/* build/source_data.c - what is in the files, and their digests. */
#include "base/file.h"
#include "build/packed.h"
#include "build/source.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_SIZE (1u << 18)

struct err source_stat(const struct source_root *root, const char *path, struct stat *ret) {
    const struct packed_inode *i;
    if (!root->packed)
        return beneath_stat(root->fd, path, true, ret);
    TRY(packed_find(root->packed, path, true, &i));
    packed_stat(i, ret);
    return OK;
}

struct err source_text(const struct source_root *root, const char *path, size_t max,
                       struct buf *ret) {
    return root->packed ? packed_read(root->packed, path, max, ret)
                        : beneath_read(root->fd, path, max, ret);
}

struct err source_rules(const struct source_root *root, const char *dockerfile,
                        struct ignore *ret) {
    CLEAN_FREE
    char *own = mem_printf("%s.dockerignore", dockerfile);
    const char *const names[] = {own, ".dockerignore"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEAN_BUF struct buf text = {0};
        struct err e = source_text(root, names[i], IGNORE_SIZE_MAX, &text);
        if (err_kind(e) == ERR_NOT_FOUND) {
            err_free(e); /* the next one, or no rules */
            continue;
        }
        TRYF(e, "%s", names[i]);
        return ignore_parse(buf_str(&text), names[i], ret);
    }
    return OK;
}

struct err source_open(const struct source_root *root, const struct source_file *f,
                       struct source_data *ret) {
    struct stat st;
    CLEAN_FD
    int fd = -1;
    if (root->packed) {
        *ret = (struct source_data){.fd = packed_spool(root->packed),
                                    .borrowed = true,
                                    .at = f->packed->at,
                                    .left = f->size,
                                    .packed = f->packed};
        return OK;
    }
    /* The item itself is followed, what is below it is not. */
    int flags = O_RDONLY | O_NONBLOCK | (*f->path ? O_NOFOLLOW : 0);
    TRYF(beneath_open(root->fd, f->real, flags, 0, &fd), "'%s'", f->real);
    if (fstat(fd, &st) != 0)
        return err_errno(errno, "'%s'", f->real);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->size)
        return err_new(ERR_INVALID, "'%s' changed while it was copied", f->real);
    *ret = (struct source_data){.fd = TAKE_FD(fd), .left = f->size};
    return OK;
}

ssize_t source_read(struct source_data *d, void *p, size_t n) {
    ssize_t k;
    do
        k = pread(d->fd, p, MIN(d->left, (uint64_t)n), (off_t)d->at);
    while (k < 0 && errno == EINTR);
    if (k > 0) {
        d->at += (uint64_t)k;
        d->left -= (uint64_t)k;
    }
    return k;
}

void source_close(struct source_data *d) {
    if (!d->borrowed)
        fd_close(d->fd);
    d->fd = -1;
}

struct data_stream {
    struct stream base;
    struct source_data *data;
};

static struct err data_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    ssize_t k = source_read(CONTAINER_OF(s, struct data_stream, base)->data, p, n);
    if (k < 0)
        return err_errno(errno, "read");
    *ret_n = (size_t)k;
    return OK;
}

static void data_done(struct stream *s) {
    free(CONTAINER_OF(s, struct data_stream, base));
}

struct stream *source_stream(struct source_data *d) {
    struct data_stream *s = NEW(struct data_stream);
    s->base = (struct stream){.read = data_read, .done = data_done};
    s->data = d;
    return &s->base;
}

bool source_xattr_travels(const char *name) {
    struct str n = str_of(name);
    return str_eqz(n, "security.capability") || str_starts(n, STR("system.posix_acl_")) ||
           (str_starts(n, STR("user.")) && !str_starts(n, STR("user.overlay.")));
}

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct err source_xattrs(const struct source_data *d, struct arena *a, struct tar_xattrs *ret) {
    CLEAN_STRV struct strv names = {0};
    for (size_t i = 0; d->packed && i < d->packed->xattrs_n; i++)
        vec_push(ret, d->packed->xattrs[i]);
    if (d->packed)
        return OK;
    TRY(xattr_list(d->fd, &names));
    if (names.n)
        qsort(names.items, names.n, sizeof(char *), name_order);
    for (size_t i = 0; i < names.n; i++) {
        CLEAN_BUF struct buf value = {0};
        if (!source_xattr_travels(names.items[i]))
            continue;
        TRY(xattr_get(d->fd, names.items[i], &value));
        struct tar_xattr x = {.name = arena_strz(a, names.items[i]),
                              .value = str_n(arena_str(a, buf_str(&value)), value.len)};
        vec_push(ret, x);
    }
    return OK;
}

static void hash_str(struct sha256 *h, struct str s) {
    uint64_t len = s.len;
    sha256_add(h, &len, sizeof(len));
    sha256_add(h, s.p, s.len);
}

static void xattrs_free(struct tar_xattrs *v) {
    vec_done(v);
}

void source_hash_begin(struct sha256 *h, const struct tar_xattr *attrs, size_t n, uint64_t size) {
    for (size_t i = 0; i < n; i++) {
        hash_str(h, str_of(attrs[i].name));
        hash_str(h, attrs[i].value);
    }
    sha256_add(h, &size, sizeof(size));
}

static struct err read_digest(const struct source_item *item, const struct source_file *f,
                              struct digest *ret) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    OWN(xattrs_free) struct tar_xattrs attrs = {0};
    CLEAN_ARENA struct arena a = {0};
    CLEAN_SOURCE_DATA struct source_data d = {.fd = -1};
    TRY(source_open(item->root, f, &d));
    TRY(source_xattrs(&d, &a, &attrs));
    source_hash_begin(h, attrs.items, attrs.n, f->size);
    char small[4096];
    CLEAN_FREE
    char *large = f->size > sizeof(small) ? mem_alloc(READ_SIZE) : NULL;
    char *p = large ? large : small;
    while (d.left) {
        ssize_t n = source_read(&d, p, large ? READ_SIZE : sizeof(small));
        if (n <= 0)
            return n < 0 ? err_errno(errno, "read '%s'", f->real)
                         : err_new(ERR_INVALID, "'%s' changed while it was copied", f->real);
        sha256_add(h, p, (size_t)n);
    }
    sha256_end(h, ret->bytes);
    return OK;
}

struct err source_content(const struct source_item *item, const struct source_file *f,
                          struct digest *ret) {
    if (f->seen && f->seen->known) {
        *ret = f->seen->content;
        return OK;
    }
    if (!item->root) {
        digest_of(item->content, ret);
        return OK;
    }
    struct digests *known = item->root->digests;
    struct digest_stamp stamp = {f->dev, f->ino, f->size, f->mtime, f->ctime};
    if (!known || !digests_find(known, &stamp, ret)) {
        TRY(read_digest(item, f, ret));
        if (known)
            digests_add(known, &stamp, ret);
    }
    if (f->seen)
        *f->seen = (struct source_seen){true, *ret};
    return OK;
}

static struct err hash_content(const struct source_item *item, const struct source_file *f,
                               struct sha256 *h) {
    struct digest d;
    if (!item->root) {
        hash_str(h, item->content);
        return OK;
    }
    TRY(source_content(item, f, &d));
    sha256_add(h, d.bytes, sizeof(d.bytes));
    return OK;
}

/* All but the content. */
static void hash_attributes(const struct source_item *item, const struct source_file *f,
                            struct sha256 *h) {
    /* A directory that is copied gives its content only. */
    bool inner = *f->path || !item->dir;
    uint32_t meta[] = {(uint32_t)f->type,  inner ? f->mode : 0,
                       inner ? f->uid : 0, inner ? f->gid : 0,
                       f->major,           f->minor};
    hash_str(h, str_of(f->path));
    sha256_add(h, meta, sizeof(meta));
    hash_str(h, str_of(f->target));
    hash_str(h, str_of(f->same ? f->same->path : ""));
}

static uint64_t short_hash(struct sha256 *h) {
    struct digest d;
    uint64_t n;
    sha256_end(h, d.bytes);
    memcpy(&n, d.bytes, sizeof(n));
    return n;
}

struct err source_marks(const struct source_item *item, const struct source_file *f,
                        struct source_marks *ret) {
    struct sha256 *attributes OWN(sha256_clean) = sha256_new();
    struct sha256 *content OWN(sha256_clean) = sha256_new();
    hash_attributes(item, f, attributes);
    if (f->type == TAR_FILE && !f->same)
        TRY(hash_content(item, f, content));
    *ret = (struct source_marks){short_hash(attributes), short_hash(content)};
    return OK;
}

struct err source_hash(const struct source_item *item, struct sha256 *h) {
    hash_str(h, str_of(item->under ? item->under : item->name));
    for (size_t i = 0; i < item->files.n; i++) {
        const struct source_file *f = item->files.items[i];
        hash_attributes(item, f, h);
        if (f->type == TAR_FILE && !f->same)
            TRY(hash_content(item, f, h));
    }
    return OK;
}
