#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err open_failed(int errnum, const char *path) {
    return err_kind_errno(errnum == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errnum, "open '%s'", path);
}

struct err file_read(const char *path, size_t max, struct buf *ret) {
    return file_read_at(AT_FDCWD, path, max, ret);
}

struct err file_read_at(int dirfd, const char *path, size_t max, struct buf *ret) {
    CLEAN_FD
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return open_failed(errno, path);
    CLEAN_BUF struct buf b = {.max = max};
    int rc = fd_read_buf(fd, &b);
    if (rc < 0)
        return err_errno(rc, "read '%s'", path);
    if (b.overflow)
        return err_new(ERR_INVALID, "'%s' is longer than %zu bytes", path, max);
    buf_done(ret);
    *ret = b;
    ret->max = 0;
    b = (struct buf){0};
    return OK;
}

struct err file_write_at(int dirfd, const char *path, struct str text) {
    CLEAN_FD
    int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return open_failed(errno, path);
    ssize_t n;
    do
        n = write(fd, text.p, text.len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(errno, "write '%s'", path);
    if ((size_t)n != text.len)
        return err_errno(EIO, "write '%s': short write", path);
    return OK;
}

struct err file_rewrite_at(int dirfd, const char *path, struct str text) {
    CLEAN_FD
    int fd = openat(dirfd, path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return open_failed(errno, path);
    int r = text.len ? fd_write_all(fd, text.p, text.len) : 0;
    return r < 0 ? err_errno(r, "write '%s'", path) : OK;
}

struct err file_replace(const char *path, struct str text, int mode, bool durable) {
    CLEAN_FREE
    char *dir = str_dup(path_dir(str_of(path)));
    CLEAN_FREE
    char *name = str_dup(path_base(str_of(path)));
    CLEAN_FD
    int dirfd = -1;
    TRY(dir_open(dir, &dirfd));
    return file_replace_at(dirfd, name, text, mode, durable);
}

/* Writes text into the new file temp; 0 or -errno. */
static int write_new(int dirfd, const char *temp, struct str text, int mode, bool durable) {
    CLEAN_FD
    int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = fd_write_all(fd, text.p, text.len);
    if (rc == 0 && fchmod(fd, (mode_t)mode) < 0) /* open's mode is subject to the umask */
        rc = -errno;
    if (rc == 0 && durable && fsync(fd) < 0)
        rc = -errno;
    return rc;
}

struct err file_replace_at(int dirfd, const char *name, struct str text, int mode, bool durable) {
    CLEAN_FREE
    char *temp = mem_printf(".new-%016llx", (unsigned long long)random_u64());
    int rc = write_new(dirfd, temp, text, mode, durable);
    if (rc == 0 && renameat(dirfd, temp, dirfd, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(dirfd, temp, 0);
        return err_errno(rc, "write '%s'", name);
    }
    if (durable && fsync(dirfd) < 0)
        return err_errno(errno, "sync the directory of '%s'", name);
    return OK;
}

struct err dir_sync(int dirfd, const char *name) {
    CLEAN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(errno, "sync directory '%s'", name);
    return OK;
}

struct err dir_make(const char *path, int mode) {
    CLEAN_FREE
    char *copy = mem_strdup(path);
    for (char *at = copy + 1; copy[0]; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, (mode_t)mode) < 0 && errno != EEXIST)
            return err_errno(errno, "make directory '%s'", copy);
        if (c == '\0')
            break;
        *at = c;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(errno, "make directory '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return err_errno(ENOTDIR, "make directory '%s'", path);
    return OK;
}

struct err dir_open(const char *path, int *ret_fd) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return open_failed(errno, path);
    *ret_fd = fd;
    return OK;
}

void fd_flush_on(int fd, uint64_t before, uint64_t after) {
    uint64_t from = before / FD_FLUSH_STEP * FD_FLUSH_STEP,
             to = after / FD_FLUSH_STEP * FD_FLUSH_STEP;
    if (to > from) /* what does not take it is flushed at the end */
        (void)sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

int fd_write_all(int fd, const void *p, size_t n) {
    const char *at = p;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

ssize_t fd_read_all(int fd, void *p, size_t n) {
    size_t total = 0;
    while (total < n) {
        ssize_t got = read(fd, (char *)p + total, n - total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

int fd_read_buf(int fd, struct buf *b) {
    enum { CHUNK = 4000 }; /* most files that we read are a line or two: no pages for more */
    for (;;) {
        size_t room = b->cap > b->len ? b->cap - b->len - 1 : 0;
        size_t want = room > CHUNK / 4 ? room : MAX((size_t)CHUNK, b->len);
        /* One byte more than allowed is asked for, so that a longer file is noticed. */
        if (b->max)
            want = MIN(want, b->max - MIN(b->len, b->max) + 1);
        ssize_t got = read(fd, buf_room(b, want), want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        buf_added(b, (size_t)got);
        if (b->overflow)
            return 0;
    }
}

struct err fd_set_nonblock(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return err_errno(errno, "get flags of descriptor %d", fd);
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
        return err_errno(errno, "set flags of descriptor %d", fd);
    return OK;
}

void fd_sanitize_std(void) {
    for (;;) {
        /* Without O_CLOEXEC on purpose: 0, 1 and 2 are inherited by what is executed. */
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            abort();
        if (fd > STDERR_FILENO) {
            close(fd);
            return;
        }
    }
}

int64_t fd_count(void) {
    int64_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return MAX(n - 3, (int64_t)0); /* ".", ".." and the directory itself */
}
