/* /dev of a container: the devices and links that the OCI specification promises, and those of
 * linux.devices. Everything relative to a descriptor of the directory (rows 4, 7 of the security
 * reference: /dev of an image may be a link, /dev/null may be anything). */
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include "runtime/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned major, minor;
} default_devices[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
    const char *name, *target;
} default_links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
};

static struct err verify_node(int dir, const char *name, mode_t type, dev_t rdev) {
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "device '%s': stat", name);
    if ((st.st_mode & S_IFMT) != type || st.st_rdev != rdev)
        return err_new(ERR_FORBIDDEN, "device '%s': something else is there", name);
    return OK;
}

/* In a user namespace nobody makes nodes: the host's is bound onto an empty file. */
static struct err bind_node(int dir, const char *name, const char *host_path, mode_t type,
                            dev_t rdev) {
    CLEAN_FD int tree = -1, target = -1;
    TRYF(mount_clone(AT_FDCWD, host_path, false, &tree), "device '%s'", name);
    struct stat st;
    if (fstat(tree, &st) < 0)
        return err_errno(errno, "device '%s': stat", host_path);
    if ((st.st_mode & S_IFMT) != type || st.st_rdev != rdev)
        return err_new(ERR_FORBIDDEN, "device '%s' of the host is another one", host_path);
    TRY(beneath_touch(dir, name, 0666, &target));
    TRY(mount_set(tree, 0, 0, MS_PRIVATE, false));
    return mount_attach(tree, target);
}

/* umask is 0 here: the mode is what is asked for. */
static struct err make_node(int dir, const char *name, const char *host_path, mode_t mode,
                            dev_t rdev, uid_t uid, gid_t gid) {
    if (mknodat(dir, name, mode, rdev) < 0) {
        if (errno == EPERM && host_path)
            return bind_node(dir, name, host_path, mode & S_IFMT, rdev);
        if (errno != EEXIST)
            return err_errno(errno, "device '%s': mknod", name);
        TRY(verify_node(dir, name, mode & S_IFMT, rdev));
    }
    if ((uid || gid) && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "device '%s': chown", name);
    return OK;
}

static struct err make_link(int dir, const char *target, const char *name) {
    if (symlinkat(target, dir, name) < 0 && errno != EEXIST)
        return err_errno(errno, "link '%s'", name);
    return OK;
}

/* The specification: /dev/ptmx leads to the container's own multiplexer, whatever the image has. */
static struct err make_ptmx(int dir) {
    if (unlinkat(dir, "ptmx", 0) < 0 && errno != ENOENT)
        return err_errno(errno, "remove 'ptmx'");
    return make_link(dir, "pts/ptmx", "ptmx");
}

static struct err make_default(int dir, size_t i) {
    char host_path[32];
    snprintf(host_path, sizeof(host_path), "/dev/%s", default_devices[i].name);
    return make_node(dir, default_devices[i].name, host_path, S_IFCHR | 0666,
                     makedev(default_devices[i].major, default_devices[i].minor), 0, 0);
}

static struct err make_defaults(int dir) {
    for (size_t i = 0; i < ARRAY_LEN(default_devices); i++)
        TRY(make_default(dir, i));
    for (size_t i = 0; i < ARRAY_LEN(default_links); i++)
        TRY(make_link(dir, default_links[i].target, default_links[i].name));
    return make_ptmx(dir);
}

static struct err place_tree(int dir, const char *name, int tree) {
    CLEAN_FD int target = -1;
    TRY(beneath_touch(dir, name, 0666, &target));
    return mount_attach(tree, target);
}

static struct err make_configured(const struct oci_device *d, int tree, int root) {
    CLEAN_FD int dir = -1;
    const char *name;
    TRY(beneath_parent(root, d->path, true, &dir, &name));
    if (tree >= 0)
        return place_tree(dir, name, tree);
    mode_t type = d->type[0] == 'b' ? S_IFBLK : d->type[0] == 'p' ? S_IFIFO : S_IFCHR;
    mode_t mode = d->file_mode ? (mode_t)*d->file_mode & 07777 : 0666;
    dev_t rdev = type == S_IFIFO ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
    return make_node(dir, name, type == S_IFIFO ? NULL : d->path, type | mode, rdev, d->uid,
                     d->gid);
}

static bool dev_is_bound(const struct mount_plans *v) {
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->items[i].mount->destination, "/dev") == 0 &&
            (v->items[i].kind == KIND_BIND || v->items[i].kind == KIND_TREE))
            return true;
    return false;
}

static struct err make_all(const struct oci_config *c, const struct device_trees *trees, int root) {
    CLEAN_FD int dev = -1;
    TRY(beneath_mkdirs(root, "/dev", 0755, &dev));
    TRY(make_defaults(dev));
    const struct oci_device *d = c->linux_->devices.items;
    for (size_t i = 0; i < c->linux_->devices.n; i++)
        /* "All devices" of a host names its multiplexer too: the container has its own. */
        if (strcmp(d[i].path, "/dev/ptmx") != 0)
            TRYF(make_configured(&d[i], i < trees->n ? trees->items[i] : -1, root),
                 "linux.devices: '%s'", d[i].path);
    return OK;
}

struct err devices_make(const struct oci_config *c, const struct mount_plans *v,
                        const struct device_trees *trees, int root) {
    /* A /dev that is bound from elsewhere is somebody's own: nothing is made in it. */
    if (dev_is_bound(v))
        return OK;
    mode_t old = umask(0);
    struct err e = make_all(c, trees, root);
    umask(old);
    return e;
}
