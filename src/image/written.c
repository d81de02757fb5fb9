/* written.c - a whole root file system compared with its image: what is new, changed or gone, as an
 * overlay's upper directory, or only counted. The tree is a container's, maybe a running one's: one
 * name below one open directory at a time, never followed; what vanishes meanwhile is no error. */
#include "archive/copy.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "image/rootfs_driver.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_MAX 512 /* as archive/layer_tar.h, which reads the result */
#define BLOCK 512     /* of st_blocks */

struct comparison {
    int out;          /* root of the result; -1: counting */
    uint64_t bytes;   /* of what is new */
    struct map links; /* inode of the tree → owned path in the result */
    struct buf path;  /* of the open directory, with a '/' at its end; "" for the root */
};

struct place { /* an open directory */
    struct place *above;
    const char *name;
    int image, tree; /* image -1: it has none */
    int out;         /* -1: nothing below has been written yet */
    unsigned depth;
};

/* --- equal? ------------------------------------------------------------------------------------
 */

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_layers_own(const char *name) {
    return strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0;
}

static size_t attributes_n(const struct strv *names) {
    size_t n = 0;
    for (size_t i = 0; i < names->n; i++)
        n += !is_layers_own(names->items[i]);
    return n;
}

static struct err same_attributes(int a, int b, bool *ret) {
    CLEAN_STRV struct strv of_a = {0}, of_b = {0};
    *ret = false;
    TRY(xattr_list(a, &of_a));
    TRY(xattr_list(b, &of_b));
    if (attributes_n(&of_a) != attributes_n(&of_b))
        return OK;
    for (size_t i = 0; i < of_a.n; i++) {
        CLEAN_BUF struct buf value_a = {0}, value_b = {0};
        if (is_layers_own(of_a.items[i]))
            continue;
        TRY(xattr_get(a, of_a.items[i], &value_a));
        struct err e = xattr_get(b, of_a.items[i], &value_b);
        bool differs = err_failed(e) || !str_eq(buf_str(&value_a), buf_str(&value_b));
        err_ignore(e); /* it has none of that name */
        if (differs)
            return OK;
    }
    *ret = true;
    return OK;
}

static bool same_target(int a_dir, int b_dir, const char *name) {
    char a[PATH_MAX], b[PATH_MAX];
    ssize_t n = readlinkat(a_dir, name, a, sizeof a), k = readlinkat(b_dir, name, b, sizeof b);
    return n >= 0 && n == k && memcmp(a, b, (size_t)n) == 0;
}

static struct err same_object(const struct place *p, const char *name, const struct stat *image,
                              const struct stat *tree, bool *ret) {
    *ret = image->st_mode == tree->st_mode && image->st_uid == tree->st_uid &&
           image->st_gid == tree->st_gid && same_time(image->st_mtim, tree->st_mtim);
    if (*ret && S_ISREG(tree->st_mode))
        *ret = image->st_size == tree->st_size;
    if (*ret && S_ISLNK(tree->st_mode))
        *ret = same_target(p->image, p->tree, name);
    if (*ret && (S_ISCHR(tree->st_mode) || S_ISBLK(tree->st_mode)))
        *ret = image->st_rdev == tree->st_rdev;
    if (!*ret || !S_ISREG(tree->st_mode))
        return OK;
    CLEAN_FD int a = openat(p->image, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    CLEAN_FD int b = openat(p->tree, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (a < 0 || b < 0)
        return err_errno(errno, "open");
    return same_attributes(a, b, ret);
}

/* --- the result --------------------------------------------------------------------------------
 */

/* The directories that lead to what is new; their own attributes are set when they are left. */
static struct err need_out(const struct comparison *c, struct place *p) {
    if (p->out >= 0 || c->out < 0)
        return OK;
    TRY(need_out(c, p->above));
    if (mkdirat(p->above->out, p->name, 0700) < 0)
        return err_errno(errno, "make directory");
    p->out = openat(p->above->out, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return p->out < 0 ? err_errno(errno, "open directory") : OK;
}

static struct err put_object(struct comparison *c, struct place *p, const char *name,
                             const struct stat *st) {
    struct str key = str_n((const char *)&st->st_ino, sizeof st->st_ino);
    const char *first = st->st_nlink > 1 ? map_get(&c->links, key) : NULL;
    if (!first)
        c->bytes += (uint64_t)st->st_blocks * BLOCK;
    if (!first && st->st_nlink > 1)
        map_set(&c->links, key, mem_printf("%s%s", buf_cstr(&c->path), name));
    TRY(need_out(c, p));
    if (c->out < 0)
        return OK;
    if (!first)
        return S_ISSOCK(st->st_mode) ? OK : copy_object(p->tree, p->out, name, st);
    CLEAN_FD int fd = -1;
    TRY(beneath_open(c->out, first, O_PATH | O_NOFOLLOW, 0, &fd));
    if (linkat(fd, "", p->out, name, AT_EMPTY_PATH) < 0)
        return err_errno(errno, "make hard link");
    return OK;
}

static struct err put_whiteout(const struct comparison *c, struct place *p, const char *name) {
    TRY(need_out(c, p));
    if (c->out >= 0 && mknodat(p->out, name, S_IFCHR, makedev(0, 0)) < 0)
        return err_errno(errno, "make a whiteout");
    return OK;
}

/* --- the walk ----------------------------------------------------------------------------------
 */

static struct err compare_dir(struct comparison *c, struct place *p);

static struct err enter(struct comparison *c, struct place *above, const char *name,
                        const struct stat *image, const struct stat *tree) {
    struct place p = {above, name, -1, -1, -1, above->depth + 1};
    if (p.depth > DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %d", DEPTH_MAX);
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    CLEAN_FD int tree_fd = openat(above->tree, name, flags);
    CLEAN_FD int image_fd = image && S_ISDIR(image->st_mode) ? openat(above->image, name, flags)
                                                             : -1;
    if (tree_fd < 0 || (image && S_ISDIR(image->st_mode) && image_fd < 0))
        return err_errno(errno, "open directory");
    p.tree = tree_fd;
    p.image = image_fd;
    bool same = false;
    if (image_fd >= 0) {
        TRY(same_object(above, name, image, tree, &same));
        if (same)
            TRY(same_attributes(image_fd, tree_fd, &same));
    }
    size_t len = c->path.len;
    buf_addf(&c->path, "%s/", name);
    struct err e = same ? OK : need_out(c, &p);
    if (!same)
        c->bytes += (uint64_t)tree->st_blocks * BLOCK;
    if (!err_failed(e))
        e = compare_dir(c, &p);
    if (!err_failed(e) && p.out >= 0)
        e = copy_attributes(tree_fd, p.out, tree);
    buf_truncate(&c->path, len);
    fd_close(p.out);
    return e;
}

static struct err present(struct comparison *c, struct place *p, const char *name) {
    struct stat tree, image;
    bool had = p->image >= 0 && fstatat(p->image, name, &image, AT_SYMLINK_NOFOLLOW) == 0;
    bool same = false;
    if (fstatat(p->tree, name, &tree, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? OK : err_errno(errno, "stat");
    if (S_ISDIR(tree.st_mode))
        return enter(c, p, name, had ? &image : NULL, &tree);
    if (had)
        TRY(same_object(p, name, &image, &tree, &same));
    return same ? OK : put_object(c, p, name, &tree);
}

static struct err absent(struct comparison *c, struct place *p, const char *name) {
    struct stat st;
    if (fstatat(p->tree, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return OK;
    return errno == ENOENT ? put_whiteout(c, p, name) : err_errno(errno, "stat");
}

static void dir_close(DIR **d) {
    if (*d)
        closedir(*d);
}

static struct err each(struct comparison *c, struct place *p, int fd,
                       struct err (*fn)(struct comparison *, struct place *, const char *)) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OWN(dir_close) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        struct err e = err_errno(errno, "list '/%s'", buf_cstr(&c->path));
        fd_close(copy);
        return e;
    }
    for (;;) {
        errno = 0;
        const struct dirent *x = readdir(d);
        if (!x)
            return errno ? err_errno(errno, "list '/%s'", buf_cstr(&c->path)) : OK;
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        struct err e = fn(c, p, x->d_name);
        if (err_errnum(e) == ENOENT) /* it vanished between two looks */
            err_free(e);
        else
            TRYF(e, "'/%s%s'", buf_cstr(&c->path), x->d_name);
    }
}

static struct err compare_dir(struct comparison *c, struct place *p) {
    TRY(each(c, p, p->tree, present));
    return p->image >= 0 ? each(c, p, p->image, absent) : OK;
}

struct err written(int image, int tree, int out, uint64_t *ret_bytes) {
    struct comparison c = {.out = out};
    struct place root = {NULL, "", image, tree, out, 0};
    struct stat st;
    struct err e = compare_dir(&c, &root);
    if (!err_failed(e) && out >= 0)
        e = fstat(tree, &st) < 0 ? err_errno(errno, "stat") : copy_attributes(tree, out, &st);
    size_t it = 0;
    void *path;
    while (map_next(&c.links, &it, NULL, &path))
        free(path);
    map_done(&c.links);
    buf_done(&c.path);
    if (!err_failed(e))
        *ret_bytes = c.bytes;
    return e;
}
