/* build/sweep.c - directories of builds whose builder was killed and whose daemon was killed, too:
 * the next build of the same user removes them. A living builder holds a lock on its directory, and
 * a mark in it says whose directory it is. */
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "base/vec.h"
#include "build/context.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".corten-build"
#define ID_DIGITS 64
/* Younger ones may belong to a builder that has not locked it yet. */
#define AGE_S 60

struct err sweep_mark(const struct context *c) {
    CLEAN_FD int fd = openat(c->temp_fd, MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "make '%s/" MARK "'", c->temp_path);
    if (flock(c->temp_fd, LOCK_EX | LOCK_NB) < 0)
        return err_errno(errno, "lock '%s'", c->temp_path);
    return OK;
}

static bool is_id(const char *name) {
    return strlen(name) == ID_DIGITS && strspn(name, "0123456789abcdef") == ID_DIGITS;
}

/* *ret_fd: open and locked, to be closed after it was removed. -1: somebody's. */
static int lock_left(int parent, const char *name, int64_t now) {
    struct stat st, mark;
    CLEAN_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) ||
        st.st_mtim.tv_sec > now / NSEC_PER_SEC - AGE_S)
        return -1;
    if (fstatat(fd, MARK, &mark, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(mark.st_mode) ||
        flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    return TAKE_FD(fd);
}

struct err sweep_left(int parent) {
    CLEAN_STRV struct strv names = {0};
    int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "read the temporary directory");
    }
    for (struct dirent *e; (e = readdir(d));)
        if (is_id(e->d_name))
            strv_add(&names, e->d_name);
    closedir(d);
    int64_t now = time_now();
    for (size_t i = 0; i < names.n; i++) {
        CLEAN_FD int fd = lock_left(parent, names.items[i], now);
        if (fd >= 0)
            TRY(dir_remove(parent, names.items[i]));
    }
    return OK;
}
