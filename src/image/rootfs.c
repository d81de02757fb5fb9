/* rootfs.c - the drivers' table, and what is the same for all of them. See rootfs.h. */
#include "base/file.h"
#include "base/random.h"
#include "image/image.h"
#include "image/rootfs_driver.h"
#include "kernel/btrfs.h"
#include "kernel/mount.h"
#include "kernel/quota.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct rootfs_driver *const drivers[] = {&rootfs_overlay, &rootfs_btrfs, &rootfs_vfs};

static const struct {
    const char *name, *why;
} refused[] = {
    {"aufs", "it is in no kernel; overlay2 does the same"},
    {"devicemapper", "the peer has removed it; overlay2 does the same"},
    {"zfs", "overlay2 works on zfs from 2.2 on"},
    {"fuse-overlayfs", "the daemon runs as root and needs no FUSE"},
};

struct err rootfs_driver_find(const char *name, const struct rootfs_driver **ret) {
    if (strcmp(name, "overlay") == 0)
        name = rootfs_overlay.name;
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (strcmp(drivers[i]->name, name) == 0) {
            *ret = drivers[i];
            return OK;
        }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strcmp(refused[i].name, name) == 0)
            return err_new(ERR_UNSUPPORTED, "'%s' is not supported: %s", name, refused[i].why);
    return err_new(ERR_INVALID, "'%s' is not a storage driver; there are overlay2, btrfs and vfs",
                   name);
}

const char *rootfs_driver_name(const struct rootfs_driver *d) {
    return d->name;
}

static bool has(int dir_fd, const char *name) {
    return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool rootfs_is_whole(int dir_fd) {
    return has(dir_fd, ROOTFS_WHOLE);
}

struct err rootfs_make(const struct rootfs *r) {
    if (has(r->dir_fd, ROOTFS_WHOLE) || (r->driver->whole && has(r->dir_fd, ROOTFS_UPPER)))
        return OK;
    return r->driver->make(r);
}

/* --- what was written --------------------------------------------------------------------------
 */

static struct err open_image(const struct rootfs *r, int *ret_fd) {
    struct mount_overlay o = {.layers_fd = r->layers_fd,
                              .layers = r->layers,
                              .layers_n = r->layers_n,
                              .upper_fd = -1,
                              .work_fd = -1,
                              .attrs = MOUNT_ATTR_RDONLY};
    *ret_fd = -1;
    return r->layers_n ? mount_overlay_detached(&o, ret_fd) : OK;
}

static struct err open_in(int dir_fd, const char *name, int *ret_fd) {
    *ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open '%s'", name) : OK;
}

struct err rootfs_written(const struct rootfs *r, char ret_name[32]) {
    CLEAN_FD int tree = -1;
    CLEAN_FD int image = -1;
    CLEAN_FD int out = -1;
    uint64_t bytes;
    char name[32];
    snprintf(name, sizeof name, "written-%016llx", (unsigned long long)random_u64());
    TRY(open_in(r->dir_fd, ROOTFS_WHOLE, &tree));
    TRY(open_image(r, &image));
    if (mkdirat(r->dir_fd, name, 0755) < 0)
        return err_errno(errno, "make '%s'", name);
    struct err e = open_in(r->dir_fd, name, &out);
    if (!err_failed(e))
        e = written(image, tree, out, &bytes);
    if (err_failed(e)) {
        err_ignore(dir_remove(r->dir_fd, name)); /* it goes with the container at the latest */
        return err_wrap(e, "compare with the image");
    }
    memcpy(ret_name, name, sizeof name);
    return OK;
}

struct err rootfs_usage(const struct rootfs *r, uint64_t *ret_bytes) {
    CLEAN_FD int tree = -1;
    CLEAN_FD int image = -1;
    TRY(open_in(r->dir_fd, ROOTFS_WHOLE, &tree));
    TRY(open_image(r, &image));
    return written(image, tree, -1, ret_bytes);
}

struct err rootfs_remove(int parent_fd, const char *name) {
    CLEAN_FD int dir = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) {
        static const char *const trees[] = {ROOTFS_UPPER, ROOTFS_WHOLE};
        for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
            CLEAN_FD int tree = openat(dir, trees[i],
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (tree >= 0)
                quota_project_drop(tree);
        }
        (void)btrfs_delete(dir, ROOTFS_WHOLE); /* else file by file */
    }
    return dir_remove(parent_fd, name);
}
