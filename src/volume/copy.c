/* Copy-up: an empty volume shows at first what the image has at that place. Pool or worker.
 *
 * Both trees are hostile: the source is an image's, the target may be in use by another container
 * at the same time. So every step is one name below one open directory, never followed, and hard
 * links are found again by openat2 inside the volume. A lock on the volume's directory keeps two
 * containers that start at once apart; a mark beside it tells the next daemon that a copy was not
 * finished. */
#include "archive/copy.h"
#include "base/file.h"
#include "base/map.h"
#include "kernel/beneath.h"
#include "volume/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "copying" /* <data-root>/volume/<name>/copying: no container sees it */

struct level {
    DIR *from;
    int to;
    struct stat st; /* of from, for the end: content changes the times */
    size_t path_len;
};

struct copy {
    struct level levels[VOLUME_COPY_DEPTH_MAX];
    size_t depth;
    int volume_fd;
    struct buf path;  /* of the current directory, from the volume's root, with a '/' at the end */
    struct map links; /* {dev, ino} → owned path of the first copy */
};

/* --- hard links --------------------------------------------------------------------------------
 */

static struct err link_again(struct copy *c, const char *first, int to_dir, const char *name) {
    CLEAN_FD
    int fd = -1;
    TRY(beneath_open(c->volume_fd, first, O_PATH | O_NOFOLLOW, 0, &fd));
    if (linkat(fd, "", to_dir, name, AT_EMPTY_PATH) < 0)
        return err_errno(errno, "make hard link");
    return OK;
}

/* True when it was a further name of something copied already. */
static struct err known_inode(struct copy *c, int to_dir, const char *name, const struct stat *st,
                              bool *ret_done) {
    *ret_done = false;
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return OK;
    uint64_t key[2] = {st->st_dev, st->st_ino};
    const char *first = map_get(&c->links, str_n(key, sizeof(key)));
    if (first) {
        *ret_done = true;
        return link_again(c, first, to_dir, name);
    }
    map_set(&c->links, str_n(key, sizeof(key)), mem_printf("%s%s", buf_cstr(&c->path), name));
    return OK;
}

/* --- the walk ----------------------------------------------------------------------------------
 */

/* Takes both descriptors over. */
static struct err push(struct copy *c, int from, int to, const struct stat *st) {
    DIR *d = c->depth < ARRAY_LEN(c->levels) ? fdopendir(from) : NULL;
    if (!d) {
        struct err e = c->depth < ARRAY_LEN(c->levels)
                           ? err_errno(errno, "list directory")
                           : err_new(ERR_INVALID, "more than %d directories below each other",
                                     VOLUME_COPY_DEPTH_MAX);
        fd_close(from);
        fd_close(to);
        return e;
    }
    c->levels[c->depth++] = (struct level){d, to, *st, c->path.len};
    return OK;
}

static struct err enter(struct copy *c, int from_dir, int to_dir, const char *name) {
    CLEAN_FD
    int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) < 0)
        return err_errno(errno, "open directory");
    if (mkdirat(to_dir, name, 0700) < 0)
        return err_errno(errno, "make directory");
    CLEAN_FD
    int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_errno(errno, "open directory");
    TRY(push(c, TAKE_FD(from), TAKE_FD(to), &st));
    buf_addf(&c->path, "%s/", name);
    return OK;
}

static struct err copy_entry(struct copy *c, const char *name) {
    struct level *l = &c->levels[c->depth - 1];
    int from = dirfd(l->from);
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "stat");
    bool done = false;
    TRY(known_inode(c, l->to, name, &st, &done));
    if (done)
        return OK;
    return S_ISDIR(st.st_mode) ? enter(c, from, l->to, name) : copy_object(from, l->to, name, &st);
}

static struct err leave(struct copy *c) {
    struct level *l = &c->levels[c->depth - 1];
    struct err e = copy_attributes(dirfd(l->from), l->to, &l->st);
    closedir(l->from);
    fd_close(l->to);
    c->depth--;
    buf_truncate(&c->path, c->depth ? l->path_len : 0);
    return e;
}

static struct err walk(struct copy *c) {
    while (c->depth) {
        errno = 0;
        struct dirent *x = readdir(c->levels[c->depth - 1].from);
        if (!x && errno)
            return err_errno(errno, "list '/%s'", buf_cstr(&c->path));
        if (!x) {
            TRYF(leave(c), "directory '/%s'", buf_cstr(&c->path));
            continue;
        }
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        TRYF(copy_entry(c, x->d_name), "'/%s%s'", buf_cstr(&c->path), x->d_name);
    }
    return OK;
}

struct err volume_copy_tree(int from, int volume_fd) {
    struct stat st;
    CLEAN_FD
    int source = TAKE_FD(from);
    CLEAN_FD
    int to = openat(volume_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0 || fstat(source, &st) < 0)
        return err_errno(errno, "open volume");
    struct copy *c = NEW(struct copy);
    c->volume_fd = volume_fd;
    struct err e = push(c, TAKE_FD(source), TAKE_FD(to), &st);
    if (!err_failed(e))
        e = walk(c);
    while (c->depth) {
        closedir(c->levels[--c->depth].from);
        fd_close(c->levels[c->depth].to);
    }
    size_t it = 0;
    void *path;
    while (map_next(&c->links, &it, NULL, &path))
        free(path);
    map_done(&c->links);
    buf_done(&c->path);
    free(c);
    return e;
}

/* --- the call ----------------------------------------------------------------------------------
 */

static struct err is_empty(int dir_fd, bool *ret) {
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "list volume");
    }
    bool empty = true;
    for (struct dirent *x; empty && (x = readdir(d));)
        empty = strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0;
    closedir(d);
    *ret = empty;
    return OK;
}

static struct err set_mark(int mark_fd) {
    CLEAN_FD
    int fd = openat(mark_fd, MARK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(errno, "mark the copy") : OK;
}

struct err volume_copy_up(int rootfs_fd, const char *path, int volume_fd, int mark_fd,
                          bool *ret_copied) {
    CLEAN_FD
    int lock = openat(volume_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_errno(errno, "lock volume");
    if (faccessat(mark_fd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        TRYF(volume_empty_dir(volume_fd), "begin an unfinished copy again");
    bool empty = false;
    TRY(is_empty(volume_fd, &empty));
    CLEAN_FD
    int from = -1;
    struct err e =
        empty ? beneath_open(rootfs_fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0, &from) : OK;
    if (!empty || err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        *ret_copied = false;
        return OK;
    }
    TRYF(e, "image directory '%s'", path);
    TRY(set_mark(mark_fd));
    e = volume_copy_tree(TAKE_FD(from), volume_fd);
    if (err_failed(e)) {
        /* The mark stays when even this fails: the next start tries again. */
        struct err again = volume_empty_dir(volume_fd);
        if (!err_failed(again))
            (void)unlinkat(mark_fd, MARK, 0);
        err_free(again);
        return err_wrap(e, "copy '%s' of the image into the volume", path);
    }
    if (unlinkat(mark_fd, MARK, 0) < 0)
        return err_errno(errno, "end the copy");
    *ret_copied = true;
    return OK;
}
