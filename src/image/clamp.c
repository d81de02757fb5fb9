/* clamp.c - times of a tree that shall not be later than a given one (SOURCE_DATE_EPOCH). */
#include "image/clamp.h"
#include "base/mem.h"
#include "base/time.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 500

static void dir_close(DIR **d) {
    if (*d)
        closedir(*d);
}

static struct err set_time(int dir, const char *name, const struct stat *st, int64_t latest) {
    struct timespec t = {.tv_sec = latest / NSEC_PER_SEC, .tv_nsec = latest % NSEC_PER_SEC};
    const struct timespec both[] = {{.tv_nsec = UTIME_OMIT}, t};
    if (st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec <= latest)
        return OK;
    if (utimensat(dir, name, both, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(errno, "set the time of '%s'", name);
    return OK;
}

static struct err clamp_below(int dir, int64_t latest, unsigned depth) {
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OWN(dir_close) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "read a layer's directory");
    }
    if (depth > DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %d", DEPTH_MAX);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return err_errno(errno, "stat '%s'", e->d_name);
        if (S_ISDIR(st.st_mode)) {
            CLEAN_FD int sub = openat(dir, e->d_name,
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub < 0)
                return err_errno(errno, "open '%s'", e->d_name);
            TRY(clamp_below(sub, latest, depth + 1));
        }
        TRY(set_time(dir, e->d_name, &st, latest));
    }
    return OK;
}

struct err clamp_times(int dir, int64_t latest) {
    return clamp_below(dir, latest, 0);
}
