/* See btrfs.h. */
#include "kernel/btrfs.h"
#include "base/attr.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

bool btrfs_is(int fd) {
    struct statfs s;
    return fstatfs(fd, &s) == 0 && (unsigned long)s.f_type == BTRFS_SUPER_MAGIC;
}

static bool set_name(char *out, size_t size, const char *name) {
    int n = snprintf(out, size, "%s", name);
    return n > 0 && (size_t)n < size;
}

struct err btrfs_create(int dirfd, const char *name) {
    struct btrfs_ioctl_vol_args_v2 a = {0};
    if (!set_name(a.name, sizeof a.name, name))
        return err_new(ERR_INVALID, "subvolume '%s': the name is too long", name);
    if (ioctl(dirfd, BTRFS_IOC_SUBVOL_CREATE_V2, &a) < 0)
        return err_errno(errno, "make subvolume '%s'", name);
    return OK;
}

struct err btrfs_snapshot(int source_fd, int dirfd, const char *name) {
    struct btrfs_ioctl_vol_args_v2 a = {.fd = source_fd};
    if (!set_name(a.name, sizeof a.name, name))
        return err_new(ERR_INVALID, "subvolume '%s': the name is too long", name);
    if (ioctl(dirfd, BTRFS_IOC_SNAP_CREATE_V2, &a) < 0)
        return err_errno(errno, "make snapshot '%s'", name);
    return OK;
}

/* --- quota groups: level 0 has one for each subvolume, with the subvolume's number -------------
 */

static bool subvolume_id(int fd, uint64_t *ret) {
    struct btrfs_ioctl_ino_lookup_args a = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_ino != BTRFS_FIRST_FREE_OBJECTID ||
        ioctl(fd, BTRFS_IOC_INO_LOOKUP, &a) < 0)
        return false;
    *ret = a.treeid;
    return true;
}

bool btrfs_delete(int dirfd, const char *name) {
    struct btrfs_ioctl_vol_args a = {0};
    uint64_t id = 0;
    CLEAN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !btrfs_is(fd) || !subvolume_id(fd, &id) || !set_name(a.name, sizeof a.name, name))
        return false;
    if (ioctl(dirfd, BTRFS_IOC_SNAP_DESTROY, &a) < 0)
        return false;
    /* Its quota group would stay for ever otherwise. Newer kernels take it along, older ones refuse
     * while the subvolume is being cleaned: then it stays, and says nothing. */
    struct btrfs_ioctl_qgroup_create_args group = {.create = 0, .qgroupid = id};
    (void)ioctl(dirfd, BTRFS_IOC_QGROUP_CREATE, &group);
    return true;
}

struct err btrfs_limit(int subvol_fd, uint64_t bytes) {
    uint64_t id = 0;
    struct btrfs_ioctl_qgroup_limit_args a = {
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_EXCL, .max_excl = bytes}};
    if (!subvolume_id(subvol_fd, &id))
        return err_new(ERR_UNSUPPORTED, "a limit of its size: it is no btrfs subvolume");
    a.qgroupid = id;
    if (ioctl(subvol_fd, BTRFS_IOC_QGROUP_LIMIT, &a) == 0)
        return OK;
    if (errno == ENOTCONN || errno == EINVAL || errno == ENOENT)
        return err_new(ERR_UNSUPPORTED, "a limit of its size: quota is not enabled on this btrfs "
                                        "(`btrfs quota enable`)");
    return err_errno(errno, "limit the size of a subvolume");
}

/* The status of the quota tree is a property of the file system; limiting nothing on a group that
 * cannot be (level 1 of number 0 does not exist) tells apart without changing anything: ENOTCONN
 * where there is no quota, ENOENT where there is. */
bool btrfs_has_quota(int fd) {
    struct btrfs_ioctl_qgroup_limit_args a = {.qgroupid = UINT64_C(1) << 48};
    return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &a) == 0 || errno == ENOENT;
}
