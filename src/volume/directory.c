/* The directories of volumes: make, open, measure, remove. Pool. */
#include "base/file.h"
#include "base/map.h"
#include "base/path.h"
#include "volume/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITER_WAIT_MS 5000

/* 0701 and 0755: a process in a container reaches its volume whatever its uid; others on the host
 * do not list what lies beside it. chmod, because umask has a say in mkdir. */
struct err volume_make_dir(const char *mountpoint) {
    CLEAN_FREE
    char *parent = str_dup(path_dir(str_of(mountpoint)));
    TRY(dir_make(parent, 0711));
    if (mkdir(mountpoint, 0755) < 0 && errno != EEXIST)
        return err_errno(errno, "make directory '%s'", mountpoint);
    if (chmod(mountpoint, 0755) < 0)
        return err_errno(errno, "set the mode of '%s'", mountpoint);
    return OK;
}

struct err volume_open_dir(const char *mountpoint, int *ret_fd) {
    struct err e = dir_open(mountpoint, ret_fd);
    if (err_kind(e) != ERR_NOT_FOUND && err_errnum(e) != ENOENT)
        return e;
    err_free(e);
    TRY(volume_make_dir(mountpoint));
    return dir_open(mountpoint, ret_fd);
}

/* The copy that a killed daemon had begun is dying; see change.c. */
static void await_writer(int own) {
    for (int ms = 0; flock(own, LOCK_EX | LOCK_NB) < 0 && ms < WRITER_WAIT_MS; ms += 10)
        usleep(10000);
}

struct err volume_remove_dir(const char *root, const char *name, uint64_t *ret_bytes) {
    CLEAN_FD
    int dir = -1;
    TRY(dir_open(root, &dir));
    CLEAN_FD
    int own = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret_bytes)
        *ret_bytes = 0;
    if (own >= 0 && ret_bytes)
        TRY(volume_usage(own, ret_bytes));
    if (own >= 0) {
        await_writer(own);
        volume_unlimit(own);
    }
    return dir_remove(dir, name);
}

struct err volume_empty_dir(int dir_fd) {
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "list volume");
    }
    struct err e = OK;
    for (struct dirent *x; !err_failed(e) && (x = readdir(d));)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            e = dir_remove(dir_fd, x->d_name);
    closedir(d);
    return e;
}

/* --- usage -------------------------------------------------------------------------------------
 */

/* A stack of open directories instead of recursion: how deep a tree is, its owner decides. */
struct counting {
    DIR *stack[VOLUME_COPY_DEPTH_MAX];
    size_t depth;
    struct map seen; /* inodes with several links */
    uint64_t bytes;
};

static void count_inode(struct counting *c, const struct stat *st) {
    uint64_t key[2] = {st->st_dev, st->st_ino};
    if (!S_ISDIR(st->st_mode) && st->st_nlink > 1 && map_set(&c->seen, str_n(key, sizeof(key)), c))
        return;
    c->bytes += (uint64_t)st->st_blocks * 512;
}

/* Deeper than the stack is not counted; what cannot be opened neither. */
static void enter(struct counting *c, int fd) {
    DIR *d = fd >= 0 && c->depth < ARRAY_LEN(c->stack) ? fdopendir(fd) : NULL;
    if (d)
        c->stack[c->depth++] = d;
    else
        fd_close(fd);
}

struct err volume_usage(int dir_fd, uint64_t *ret_bytes) {
    struct stat st;
    if (fstat(dir_fd, &st) < 0)
        return err_errno(errno, "measure volume");
    struct counting *c = NEW(struct counting);
    count_inode(c, &st);
    enter(c, openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (c->depth) {
        DIR *top = c->stack[c->depth - 1];
        struct dirent *x = readdir(top);
        if (!x) {
            closedir(top);
            c->depth--;
            continue;
        }
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0 ||
            fstatat(dirfd(top), x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        count_inode(c, &st);
        if (S_ISDIR(st.st_mode))
            enter(c, openat(dirfd(top), x->d_name,
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    }
    *ret_bytes = c->bytes;
    map_done(&c->seen);
    free(c);
    return OK;
}
