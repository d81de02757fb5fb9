/* build/source_dir.c - directories, twice. */
#include "build/source_dir.h"
#include "base/file.h"
#include "base/mem.h"
#include "build/packed.h"
#include "kernel/beneath.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void source_dir_done(struct source_dir *d) {
    d->fd = fd_close(d->fd);
}

struct err source_dir_open(const struct source_root *root, const char *path,
                           struct source_dir *ret) {
    if (!root->packed) {
        TRY(beneath_open(root->fd, path, O_RDONLY | O_DIRECTORY, 0, &ret->fd));
        ret->packed = NULL;
        return OK;
    }
    const struct packed_inode *i;
    TRY(packed_find(root->packed, path, true, &i));
    if (i->type != TAR_DIR)
        return err_kind_errno(ERR_NOT_FOUND, ENOTDIR, "'%s'", path);
    *ret = (struct source_dir){-1, i};
    return OK;
}

bool source_dir_sub(const struct source_dir *d, const char *name, struct source_dir *ret) {
    if (!d->packed) {
        int fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        *ret = (struct source_dir){fd, NULL};
        return fd >= 0;
    }
    *ret = (struct source_dir){-1, packed_child(d->packed, name)};
    errno = ENOTDIR;
    return ret->packed && ret->packed->type == TAR_DIR;
}

static void dir_close(DIR **d) {
    if (*d)
        closedir(*d);
}

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err names_read(int fd, struct strv *ret) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    OWN(dir_close) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "open directory");
    }
    rewinddir(d);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strv_add(ret, e->d_name);
    }
    if (errno)
        return err_errno(errno, "read directory");
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(char *), name_order);
    return OK;
}

struct err source_dir_names(const struct source_dir *d, struct strv *ret) {
    if (!d->packed)
        return names_read(d->fd, ret);
    const struct packed_names *names = &d->packed->dir->names;
    for (size_t i = 0; i < names->n; i++)
        strv_add(ret, names->items[i].name);
    return OK;
}

struct err source_dir_stat(const struct source_dir *d, const char *name, struct stat *ret,
                           const struct packed_inode **ret_packed) {
    *ret_packed = NULL;
    if (!d->packed)
        return fstatat(d->fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0 ? OK
                                                                   : err_errno(errno, "'%s'", name);
    *ret_packed = packed_child(d->packed, name);
    if (!*ret_packed)
        return err_errno(ENOENT, "'%s'", name);
    packed_stat(*ret_packed, ret);
    return OK;
}

struct err source_dir_link(const struct source_dir *d, const char *name, struct arena *a,
                           const char **ret) {
    char text[PATH_MAX];
    if (d->packed) {
        const struct packed_inode *i = packed_child(d->packed, name);
        *ret = i ? i->target : ""; /* lives as long as the root */
        return OK;
    }
    ssize_t n = readlinkat(d->fd, name, text, sizeof(text));
    if (n < 0 || n == sizeof(text))
        return err_errno(n < 0 ? errno : ENAMETOOLONG, "read link '%s'", name);
    *ret = arena_str(a, str_n(text, (size_t)n));
    return OK;
}
