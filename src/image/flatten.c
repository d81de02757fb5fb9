/* flatten.c - the layers of an image applied one after the other onto a directory, as an overlay
 * would show them: whiteouts remove, opaque directories hide what is below. The layers are our own
 * directories, their content is an image's: one name at a time, never followed. */
#include "archive/copy.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "image/rootfs_driver.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX 512 /* as archive/layer_tar.h, which every layer has been through */

struct level {
    DIR *from;
    int to;
    size_t path_len;
    bool opaque;
};

struct flatten {
    int root;         /* of the result */
    bool keep;        /* the result is a layer itself */
    struct map links; /* inode of this layer → owned path of its first name */
    struct buf path;  /* of the open directory, with a '/' at its end; "" for the root */
    VEC(struct level) levels;
};

static bool is_whiteout(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int fd) {
    char value;
    return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static struct err push(struct flatten *f, int from, int to, bool opaque) {
    DIR *d = f->levels.n < DEPTH_MAX ? fdopendir(from) : NULL;
    if (!d) {
        struct err e = f->levels.n < DEPTH_MAX
                           ? err_errno(errno, "list a directory of the layer")
                           : err_new(ERR_INVALID, "directories nest deeper than %d", DEPTH_MAX);
        fd_close(from);
        fd_close(to);
        return e;
    }
    vec_push(&f->levels, ((struct level){d, to, f->path.len, opaque}));
    return OK;
}

static struct err enter(struct flatten *f, int from_dir, int to_dir, const char *name) {
    CLEAN_FD int from = openat(from_dir, name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat there;
    if (from < 0)
        return err_errno(errno, "open");
    bool found = fstatat(to_dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (found && (!S_ISDIR(there.st_mode) || is_opaque(from)))
        TRY(dir_remove(to_dir, name));
    /* What is below the whole result does not show through, either. */
    bool opaque = f->keep && (is_opaque(from) || (found && !S_ISDIR(there.st_mode)));
    if (mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST)
        return err_errno(errno, "make directory");
    CLEAN_FD int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_errno(errno, "open directory");
    TRY(push(f, TAKE_FD(from), TAKE_FD(to), opaque || (f->keep && is_opaque(to))));
    buf_addf(&f->path, "%s/", name);
    return OK;
}

/* A further name of what this layer has given already? */
static struct err link_again(struct flatten *f, int to_dir, const char *name, const struct stat *st,
                             bool *ret_done) {
    *ret_done = false;
    if (st->st_nlink < 2)
        return OK;
    struct str key = str_n((const char *)&st->st_ino, sizeof st->st_ino);
    const char *first = map_get(&f->links, key);
    if (!first) {
        map_set(&f->links, key, mem_printf("%s%s", buf_cstr(&f->path), name));
        return OK;
    }
    CLEAN_FD int fd = -1;
    TRY(beneath_open(f->root, first, O_PATH | O_NOFOLLOW, 0, &fd));
    if (linkat(fd, "", to_dir, name, AT_EMPTY_PATH) < 0)
        return err_errno(errno, "make hard link");
    *ret_done = true;
    return OK;
}

static struct err entry(struct flatten *f, const char *name) {
    const struct level l = f->levels.items[f->levels.n - 1];
    struct stat st;
    if (fstatat(dirfd(l.from), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "stat");
    if (S_ISDIR(st.st_mode))
        return enter(f, dirfd(l.from), l.to, name);
    TRY(dir_remove(l.to, name));
    if (is_whiteout(&st) && !f->keep)
        return OK;
    bool done;
    TRY(link_again(f, l.to, name, &st, &done));
    return done ? OK : copy_object(dirfd(l.from), l.to, name, &st);
}

/* Of a directory that several layers have the highest says what it is like. */
static struct err drop_attributes(int to) {
    CLEAN_STRV struct strv names = {0};
    TRY(xattr_list(to, &names));
    for (size_t i = 0; i < names.n; i++)
        TRY(xattr_remove(to, names.items[i]));
    return OK;
}

static struct err leave(struct flatten *f) {
    struct level l = f->levels.items[--f->levels.n];
    struct stat st;
    struct err e = fstat(dirfd(l.from), &st) < 0 ? err_errno(errno, "stat") : drop_attributes(l.to);
    if (!err_failed(e))
        e = copy_attributes(dirfd(l.from), l.to, &st);
    if (!err_failed(e) && l.opaque)
        e = xattr_set(l.to, "trusted.overlay.opaque", STR("y"));
    closedir(l.from);
    fd_close(l.to);
    buf_truncate(&f->path, l.path_len);
    return e;
}

static struct err walk(struct flatten *f) {
    while (f->levels.n) {
        errno = 0;
        const struct dirent *x = readdir(f->levels.items[f->levels.n - 1].from);
        if (!x && errno)
            return err_errno(errno, "list '/%s'", buf_cstr(&f->path));
        if (!x)
            TRYF(leave(f), "directory '/%s'", buf_cstr(&f->path));
        else if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            TRYF(entry(f, x->d_name), "'/%s%s'", buf_cstr(&f->path), x->d_name);
    }
    return OK;
}

static void links_done(struct map *links) {
    size_t it = 0;
    void *path;
    while (map_next(links, &it, NULL, &path))
        free(path);
    map_done(links);
}

static struct err apply(int layers_fd, const char *name, bool keep, int to) {
    struct flatten f = {.root = to, .keep = keep};
    int from = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int root = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err e = from < 0 || root < 0 ? err_errno(errno, "open layer %s", name) : OK;
    if (!err_failed(e))
        e = push(&f, from, root, false);
    if (!err_failed(e))
        e = walk(&f);
    while (f.levels.n) {
        struct level l = f.levels.items[--f.levels.n];
        closedir(l.from);
        fd_close(l.to);
    }
    vec_done(&f.levels);
    links_done(&f.links);
    buf_done(&f.path);
    return e;
}

struct err flatten(int layers_fd, const char *const *names, size_t n, bool keep, int to) {
    for (size_t i = n; i-- > 0;)
        TRY(apply(layers_fd, names[i], keep, to));
    return OK;
}
