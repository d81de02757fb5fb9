/* tmpcopyup: a tmpfs begins with what the image has at its place. Directories, regular files and
 * links, with owner and mode; other kinds are left out, as a tmpfs of a container cannot hold them
 * for everybody. Both sides are walked by descriptor; no recursion over the image's depth. */
#include "base/vec.h"
#include "kernel/beneath.h"
#include "runtime/mounts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 100000
#define CHUNK (1 << 20)

struct copy {
    int from, to; /* the two roots */
    struct strv dirs;
    size_t entries;
};

static struct err copy_bytes(int in, int out) {
    for (;;) {
        ssize_t n = sendfile(out, in, NULL, CHUNK);
        if (n == 0)
            return OK;
        if (n < 0 && errno != EINTR)
            return err_errno(errno, "copy");
    }
}

static struct err copy_file(int from, int to, const char *name, mode_t mode) {
    CLEAN_FD int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEAN_FD int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    if (in < 0 || out < 0)
        return err_errno(errno, "open '%s'", name);
    return copy_bytes(in, out);
}

static struct err copy_link(int from, int to, const char *name) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);
    if (n < 0)
        return err_errno(errno, "read link '%s'", name);
    target[n] = '\0';
    return symlinkat(target, to, name) < 0 ? err_errno(errno, "make link '%s'", name) : OK;
}

static struct err set_owner(int to, const char *name, const struct stat *st) {
    /* An id that the user namespace does not map stays ours. */
    if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL &&
        errno != EPERM)
        return err_errno(errno, "owner of '%s'", name);
    if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
        return err_errno(errno, "mode of '%s'", name);
    return OK;
}

static struct err copy_one(struct copy *c, int from, int to, const char *dir, const char *name) {
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "stat '%s'", name);
    if (++c->entries > ENTRIES_MAX)
        return err_new(ERR_INVALID, "more than %d entries", ENTRIES_MAX);
    if (S_ISDIR(st.st_mode)) {
        if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
            return err_errno(errno, "make '%s'", name);
        strv_addf(&c->dirs, "%s%s/", dir, name);
    } else if (S_ISREG(st.st_mode)) {
        TRY(copy_file(from, to, name, st.st_mode));
    } else if (S_ISLNK(st.st_mode)) {
        TRY(copy_link(from, to, name));
    } else {
        return OK;
    }
    return set_owner(to, name, &st);
}

static struct err copy_dir(struct copy *c, const char *path) {
    CLEAN_FD int from = -1, to = -1;
    TRY(beneath_open(c->from, path, O_RDONLY | O_DIRECTORY, 0, &from));
    TRY(beneath_open(c->to, path, O_RDONLY | O_DIRECTORY, 0, &to));
    int listing = fcntl(from, F_DUPFD_CLOEXEC, 3);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d) {
        fd_close(listing);
        return err_errno(errno, "list '%s'", path);
    }
    struct err e = OK;
    for (struct dirent *x; !err_failed(e) && (x = readdir(d));)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            e = copy_one(c, from, to, path, x->d_name);
    closedir(d);
    return e;
}

struct err mount_copy_up(int target, int tree) {
    struct copy c = {.from = target, .to = tree};
    strv_add(&c.dirs, "");
    struct err e = OK;
    for (size_t i = 0; i < c.dirs.n && !err_failed(e); i++) {
        CLEAN_FREE char *path = TAKE(c.dirs.items[i]);
        e = copy_dir(&c, path);
    }
    strv_done(&c.dirs);
    return err_wrap(e, "tmpcopyup");
}
