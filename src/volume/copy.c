/* Copy-up: an empty volume shows at first what the image has at that place. Pool or worker.
 *
 * Both trees are hostile: the source is an image's, the target may be in use by another container
 * at the same time. So every step is one name below one open directory, never followed, and hard
 * links are found again by openat2 inside the volume. A lock on the volume's directory keeps two
 * containers that start at once apart; a mark beside it tells the next daemon that a copy was not
 * finished. */
#include "base/file.h"
#include "base/map.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include "volume/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (1 << 20)
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

/* --- one object --------------------------------------------------------------------------------
 */

/* What belongs to the layers' own bookkeeping, not to the file. */
static bool is_private_attribute(const char *name) {
    return strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0;
}

static struct err copy_attributes(int from, int to) {
    CLEAN_STRV struct strv names = {0};
    TRY(xattr_list(from, &names));
    for (size_t i = 0; i < names.n; i++) {
        if (is_private_attribute(names.items[i]))
            continue;
        CLEAN_BUF struct buf value = {0};
        TRY(xattr_get(from, names.items[i], &value));
        struct err e = xattr_set(to, names.items[i], buf_str(&value));
        if (err_kind(e) == ERR_UNSUPPORTED) {
            err_free(e); /* the volume's file system has none of that kind */
            continue;
        }
        TRY(e);
    }
    return OK;
}

/* Owner before mode and attributes: a change of owner clears set-uid bits and capabilities. */
static struct err finish_open(int from, int to, const struct stat *st) {
    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return err_errno(errno, "set owner and mode");
    TRY(copy_attributes(from, to));
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (futimens(to, times) < 0)
        return err_errno(errno, "set times");
    return OK;
}

static struct err finish_named(int dir, const char *name, const struct stat *st) {
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "set owner and times");
    return OK;
}

static struct err copy_bytes(int from, int to) {
    if (ioctl(to, FICLONE, from) == 0)
        return OK;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_BYTES * 64, 0);
        if (n == 0)
            return OK;
        if (n > 0 || errno == EINTR)
            continue;
        if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
            return err_errno(errno, "copy");
        break;
    }
    CLEAN_FREE
    char *bytes = mem_alloc(COPY_BYTES);
    for (;;) {
        ssize_t n = read(from, bytes, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "read");
        if (n == 0)
            return OK;
        int r = fd_write_all(to, bytes, (size_t)n);
        if (r < 0)
            return err_errno(r, "write");
    }
}

static struct err copy_file(int from_dir, int to_dir, const char *name, const struct stat *st) {
    CLEAN_FD
    int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat now;
    if (from < 0 || fstat(from, &now) < 0)
        return err_errno(errno, "open");
    if (!S_ISREG(now.st_mode) || now.st_ino != st->st_ino)
        return err_new(ERR_CONFLICT, "changed while it was copied");
    CLEAN_FD
    int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_errno(errno, "create");
    TRY(copy_bytes(from, to));
    return finish_open(from, to, &now);
}

static struct err copy_link(int from_dir, int to_dir, const char *name, const struct stat *st) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof(target));
    if (n < 0 || n >= (ssize_t)sizeof(target))
        return err_errno(n < 0 ? errno : ENAMETOOLONG, "read link");
    target[n] = '\0';
    if (symlinkat(target, to_dir, name) < 0)
        return err_errno(errno, "make link");
    return finish_named(to_dir, name, st);
}

static struct err copy_node(int to_dir, const char *name, const struct stat *st) {
    if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0)
        return err_errno(errno, "make node");
    /* Nobody can exchange it meanwhile but a container that has the volume too, and then only for
     * something of its own: NOFOLLOW keeps us inside. */
    CLEAN_FD
    int fd = openat(to_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    TRY(finish_named(to_dir, name, st));
    if (fd < 0 || chmod(path, st->st_mode & 07777) < 0)
        return err_errno(errno, "set mode");
    return OK;
}

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
    switch (st.st_mode & S_IFMT) {
    case S_IFDIR:
        return enter(c, from, l->to, name);
    case S_IFREG:
        return copy_file(from, l->to, name, &st);
    case S_IFLNK:
        return copy_link(from, l->to, name, &st);
    default:
        return copy_node(l->to, name, &st);
    }
}

static struct err leave(struct copy *c) {
    struct level *l = &c->levels[c->depth - 1];
    struct err e = finish_open(dirfd(l->from), l->to, &l->st);
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
