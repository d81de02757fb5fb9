/* remove.c - dir_remove: rm -rf that no input can make run out of stack, descriptors or path
 * length.
 *
 * At most LEVELS directories are open at once. A directory deeper than that is renamed to the top
 * of the tree and emptied from there, so a chain of any depth costs one rename per LEVELS. Every
 * step is an *at(2) call on one name; openat2(2) refuses links and other mounts. */
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LEVELS = 16 };

struct level {
    DIR *dir;
    char *name; /* in the level above; for level 0 as the caller gave it */
};

struct walk {
    int n;           /* open levels */
    bool moved;      /* something was renamed to the top: it must be read again */
    uint64_t serial; /* for names at the top */
    struct level levels[LEVELS];
};

static void level_close(struct walk *w) {
    struct level *l = &w->levels[--w->n];
    closedir(l->dir);
    clean_free(&l->name);
}

static void walk_free(struct walk **w) {
    while ((*w)->n > 0)
        level_close(*w);
    clean_free(w);
}

static int open_below(int dirfd, const char *name) {
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
        .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
    };
    return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

/* The tree itself: named by our own code, so its path may lead through mounts; it must not be one.
 */
static int open_top(int dirfd, const char *name) {
    CLEAN_FD
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct statx st;
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
        return -1;
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
        errno = EXDEV;
        return -1;
    }
    return TAKE_FD(fd);
}

static int open_level(const struct walk *w, int dirfd, const char *name) {
    return w->n == 0 ? open_top(dirfd, name) : open_below(dirfd, name);
}

static int level_fd(const struct walk *w, int level) {
    return dirfd(w->levels[level].dir);
}

static struct err cannot_remove(int errnum, const char *name) {
    if (errnum == EXDEV)
        return err_kind_errno(ERR_CONFLICT, errnum, "remove '%s': it is a mount point", name);
    return err_errno(errnum, "remove '%s'", name);
}

/* Opens name in dirfd as the next level. A directory without permissions is given them: it is ours,
 * but what an image put into it decided its mode. */
static struct err descend(struct walk *w, int dirfd, const char *name) {
    int fd = open_level(w, dirfd, name);
    if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
        fd = open_level(w, dirfd, name);
    if (fd < 0)
        return cannot_remove(errno, name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        struct err e = cannot_remove(errno, name);
        fd_close(fd);
        return e;
    }
    struct level *l = &w->levels[w->n++];
    l->dir = dir;
    l->name = mem_strdup(name);
    return OK;
}

static struct err move_to_top(struct walk *w, int dirfd, const char *name) {
    char fresh[40];
    snprintf(fresh, sizeof(fresh), ".rm-%016llx", (unsigned long long)w->serial++);
    /* A mount point cannot be renamed (EBUSY), so this does not cross mounts either. */
    if (renameat2(dirfd, name, level_fd(w, 0), fresh, RENAME_NOREPLACE) < 0)
        return cannot_remove(errno, name);
    w->moved = true;
    return OK;
}

static struct err remove_entry(struct walk *w, const struct dirent *d) {
    int dirfd = level_fd(w, w->n - 1);
    bool is_dir = d->d_type == DT_DIR;
    if (d->d_type == DT_UNKNOWN) {
        struct stat st;
        if (fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT ? OK : cannot_remove(errno, d->d_name);
        is_dir = S_ISDIR(st.st_mode);
    }
    if (unlinkat(dirfd, d->d_name, is_dir ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
        return OK;
    if (!is_dir || (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES))
        return cannot_remove(errno, d->d_name);
    return w->n < LEVELS ? descend(w, dirfd, d->d_name) : move_to_top(w, dirfd, d->d_name);
}

/* The deepest level is read to its end: remove it, or read it again when that was too early. */
static struct err ascend(struct walk *w, int parent) {
    struct level *l = &w->levels[w->n - 1];
    int above = w->n > 1 ? level_fd(w, w->n - 2) : parent;
    if (unlinkat(above, l->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        if (errno != ENOTEMPTY && errno != EEXIST)
            return cannot_remove(errno, l->name);
        if (w->n > 1 || !w->moved)
            return cannot_remove(errno, l->name); /* somebody writes into it */
        w->moved = false;
        rewinddir(l->dir);
        return OK;
    }
    level_close(w);
    return OK;
}

struct err dir_remove(int dirfd, const char *name) {
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return OK;
    if (errno != EISDIR && errno != EPERM)
        return cannot_remove(errno, name);
    OWN(walk_free) struct walk *w = NEW(struct walk);
    w->serial = random_u64();
    TRY(descend(w, dirfd, name));
    while (w->n > 0) {
        errno = 0;
        struct dirent *d = readdir(w->levels[w->n - 1].dir);
        if (d && (str_eqz(STR("."), d->d_name) || str_eqz(STR(".."), d->d_name)))
            continue;
        if (!d && errno)
            return cannot_remove(errno, w->levels[w->n - 1].name);
        TRYF(d ? remove_entry(w, d) : ascend(w, dirfd), "remove '%s'", name);
    }
    return OK;
}
