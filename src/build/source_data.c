/* build/source_data.c - what is in the files. Apart from source_digest.c, so that `corten`, which
 * reads ignore files, does not load OpenSSL. */
#include "base/file.h"
#include "build/packed.h"
#include "build/source.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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
