/* Devices for a container with a user namespace, where nobody may make nodes: they are made
 * outside, on a tmpfs that only a short-lived process with a mount namespace of its own sees, and
 * handed in as detached mounts of single files. Owners are the host's ids for those of the
 * configuration. */
#include "base/mem.h"
#include "kernel/mount.h"
#include "kernel/spawn.h"
#include "runtime/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct making {
    const struct oci_config *config;
    int *trees;
};

static int make_one(int place, const struct oci_device *d, const struct oci_linux *l, int *ret) {
    mode_t type = d->type[0] == 'b' ? S_IFBLK : d->type[0] == 'p' ? S_IFIFO : S_IFCHR;
    mode_t mode = d->file_mode ? (mode_t)*d->file_mode & 07777 : 0666;
    dev_t rdev = type == S_IFIFO ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
    uint32_t uid = 0, gid = 0;
    if (!oci_map_id(&l->uid_mappings, d->uid, &uid) || !oci_map_id(&l->gid_mappings, d->gid, &gid))
        return -EOVERFLOW;
    unlinkat(place, "node", 0);
    if (mknodat(place, "node", type | mode, rdev) < 0 || fchownat(place, "node", uid, gid, 0) < 0)
        return -errno;
    *ret = open_tree(place, "node", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

static int make_all(int place, const struct making *m) {
    const struct oci_linux *l = m->config->linux_;
    const struct oci_device *d = l->devices.items;
    for (size_t i = 0; i < l->devices.n; i++) {
        int r = make_one(place, &d[i], l, &m->trees[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* In the short-lived process: system calls only. */
static int make(void *arg) {
    const struct making *m = arg;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    umask(0);
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), place = -1, r = 0;
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
        (place = fsmount(fs, FSMOUNT_CLOEXEC, 0)) < 0 ||
        move_mount(place, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        r = -errno;
    if (r == 0)
        r = make_all(place, m);
    fd_close(place);
    fd_close(fs);
    return r;
}

struct err device_trees_make(const struct oci_config *c, struct device_trees *ret) {
    size_t n = c->linux_->devices.n;
    if (!n)
        return OK;
    struct making m = {.config = c, .trees = mem_array(n, sizeof(int))};
    for (size_t i = 0; i < n; i++)
        m.trees[i] = -1;
    *ret = (struct device_trees){.items = m.trees, .n = n};
    int r = spawn_call(CLONE_NEWNS, make, &m);
    return r < 0 ? err_errno(r, "linux.devices: make for a user namespace") : OK;
}

void device_trees_done(struct device_trees *v) {
    for (size_t i = 0; i < v->n; i++)
        fd_close(v->items[i]);
    free(TAKE(v->items));
    v->n = 0;
}
