/* See copy.h. */
#include "archive/copy.h"
#include "base/file.h"
#include "base/mem.h"
#include "kernel/xattr.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COPY_BYTES (1 << 20)

/* --- attributes --------------------------------------------------------------------------------
 */

/* What belongs to the layers' own bookkeeping, not to the file. */
static bool is_private_attribute(const char *name) {
    return strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0;
}

static struct err copy_xattrs(int from, int to) {
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
struct err copy_attributes(int from, int to, const struct stat *st) {
    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return err_errno(errno, "set owner and mode");
    TRY(copy_xattrs(from, to));
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

/* --- data --------------------------------------------------------------------------------------
 */

/* Where the kernel copies nothing between these two. */
static struct err copy_by_hand(int from, int to, off_t at, off_t end) {
    CLEAN_FREE
    char *bytes = mem_alloc(COPY_BYTES);
    while (at < end) {
        ssize_t n = pread(from, bytes, (size_t)MIN((off_t)COPY_BYTES, end - at), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "read");
        if (n == 0)
            return OK; /* it became shorter */
        for (ssize_t done = 0; done < n;) {
            ssize_t w = pwrite(to, bytes + done, (size_t)(n - done), at + done);
            if (w < 0 && errno == EINTR)
                continue;
            if (w < 0)
                return err_errno(errno, "write");
            done += w;
        }
        at += n;
    }
    return OK;
}

static struct err copy_range(int from, int to, off_t at, off_t end) {
    while (at < end) {
        off_t in = at, out = at;
        ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
            return err_errno(errno, "copy");
        if (n < 0)
            return copy_by_hand(from, to, at, end);
        if (n == 0)
            return OK;
        at += n;
    }
    return OK;
}

struct err copy_data(int from, int to) {
    struct stat st;
    if (ioctl(to, FICLONE, from) == 0)
        return OK;
    if (fstat(from, &st) < 0)
        return err_errno(errno, "stat");
    for (off_t at = 0; at < st.st_size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* only a hole is left */
        if (data < 0)
            return copy_range(from, to, at, st.st_size); /* this file system knows of no holes */
        off_t hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return err_errno(errno, "look for holes");
        TRY(copy_range(from, to, data, hole));
        at = hole;
    }
    return ftruncate(to, st.st_size) < 0 ? err_errno(errno, "set the size") : OK;
}

/* --- objects -----------------------------------------------------------------------------------
 */

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
    TRY(copy_data(from, to));
    return copy_attributes(from, to, &now);
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

struct err copy_object(int from_dir, int to_dir, const char *name, const struct stat *st) {
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(from_dir, to_dir, name, st);
    case S_IFLNK:
        return copy_link(from_dir, to_dir, name, st);
    default:
        return copy_node(to_dir, name, st);
    }
}
