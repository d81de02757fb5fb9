/* A keep: a mount namespace whose only mount is a volume (or an image) and that nobody lives in; it
 * lives by its descriptors. Why not the detached tree itself: before Linux 6.15 nothing can be
 * cloned from a tree that is in no namespace. Pool. */
#include "kernel/beneath.h"
#include "kernel/spawn.h"
#include "volume/private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

struct keep_job {
    int fd; /* in: the tree, or the keep; out: the keep, or the clone */
    int result;
    const char *subpath, *what;
};

/* In the child. Copies of the host's mounts come along with the namespace and are dropped with the
 * old root, so that nothing of the host is busy because of us. */
static int make_in_child(void *arg) {
    struct keep_job *j = arg;
    j->what = "unshare";
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    j->what = "make mounts private";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    j->what = "open the namespace";
    j->result = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (j->result < 0)
        return -errno;
    j->what = "attach";
    if (move_mount(j->fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(j->fd) < 0)
        return -errno;
    /* Where the host's root is an initramfs it cannot be pivoted away: it stays below. */
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        (void)umount2(".", MNT_DETACH);
    return 0;
}

struct err volume_keep_make(int tree, int *ret_keep) {
    struct keep_job j = {.fd = tree, .result = -1};
    TRY(mount_set(tree, 0, 0, MS_PRIVATE, true));
    int r = spawn_call(0, make_in_child, &j);
    CLEAN_FD int keep = j.result;
    if (r < 0)
        return err_errno(r, "keep a mount: %s", j.what ? j.what : "clone");
    *ret_keep = TAKE_FD(keep);
    return OK;
}

static int clone_in_child(void *arg) {
    struct keep_job *j = arg;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    j->what = "enter its namespace";
    if (setns(j->fd, CLONE_NEWNS) < 0)
        return -errno;
    j->what = j->subpath;
    int at = (int)syscall(SYS_openat2, AT_FDCWD, *j->subpath ? j->subpath : "/", &how, sizeof(how));
    if (at < 0)
        return -errno;
    j->what = "clone";
    j->result = open_tree(at, "",
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
    int errnum = errno;
    close(at);
    return j->result < 0 ? -errnum : 0;
}

static struct err no_subpath(const char *subpath, int errnum) {
    return err_kind_errno(errnum == ENOENT || errnum == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM,
                          errnum, "cannot access path %s", subpath);
}

struct err volume_keep_clone(int keep, const char *subpath, int *ret_tree) {
    struct keep_job j = {.fd = keep, .result = -1, .subpath = subpath};
    int r = spawn_call(0, clone_in_child, &j);
    CLEAN_FD int tree = j.result;
    if (r < 0)
        return j.what == subpath && *subpath ? no_subpath(subpath, -r)
                                             : err_errno(r, "volume: %s", j.what ? j.what : "");
    *ret_tree = TAKE_FD(tree);
    return OK;
}

struct err volume_dir_clone(int dir_fd, const char *subpath, int *ret_tree) {
    CLEAN_FD int at = -1;
    struct err e = beneath_open(dir_fd, subpath, O_PATH, 0, &at);
    if (err_failed(e)) {
        int errnum = err_errnum(e);
        err_free(e);
        return no_subpath(subpath, errnum);
    }
    return mount_clone(at, "", true, ret_tree);
}
