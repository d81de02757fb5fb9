/* Idmapped mounts: mount_setattr(2) MOUNT_ATTR_IDMAP. The mapping is lent by a user namespace that
 * nobody lives in: a short-lived child makes it, we write its maps, take a descriptor and let the
 * child go. */
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static struct err open_mapped(const struct objs *uids, const struct objs *gids, pid_t pid,
                              int *ret_fd) {
    struct oci_linux l = {.uid_mappings = *uids, .gid_mappings = *gids};
    struct oci_config c = {.linux_ = &l};
    TRY(userns_map(&c, pid));
    return ns_open(pid, "user", ret_fd);
}

static struct err make_namespace(const struct objs *uids, const struct objs *gids, int *ret_fd) {
    pid_t pid;
    CLEAN_FD int pidfd = -1;
    bool in_core;
    TRY(launch_clone(CLONE_NEWUSER, -1, &pid, &pidfd, &in_core));
    if (pid == 0) {
        for (;;)
            pause();
    }
    struct err e = open_mapped(uids, gids, pid, ret_fd);
    struct pidfd_exit x;
    err_ignore(pidfd_signal(pidfd, SIGKILL)); /* it waits for nothing else */
    err_ignore(pidfd_reap(pidfd, &x));
    return e;
}

struct err mount_idmap(int tree, const struct objs *uids, const struct objs *gids, bool recursive) {
    CLEAN_FD int ns = -1;
    TRY(make_namespace(uids, gids, &ns));
    struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)ns};
    if (mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0)
        return err_errno(errno, "idmapped mount");
    return OK;
}
