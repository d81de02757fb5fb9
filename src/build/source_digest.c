/* build/source_digest.c - digests of files and of what a step copies. */
#include "base/file.h"
#include "build/source.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_SIZE (1u << 18)

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
