/* See quota.h. */
#include "kernel/quota.h"
#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443 /* the same number everywhere */
#endif
#define IDS_TRIED 1000
#define BLOCK 1024 /* of limits */

static int quota(int fd, unsigned command, uint32_t id, void *arg) {
    return (int)syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, arg);
}

bool quota_has_projects(int fd) {
    struct fs_quota_statv s = {.qs_version = FS_QSTATV_VERSION1};
    return quota(fd, Q_XGETQSTATV, 0, &s) == 0 && (s.qs_flags & FS_QUOTA_PDQ_ENFD);
}

/* Nothing lies in it and nobody limits it. */
static bool is_free(int fd, uint32_t id) {
    struct if_dqblk q = {0};
    if (quota(fd, Q_GETQUOTA, id, &q) < 0)
        return errno == ENOENT || errno == ESRCH;
    return q.dqb_curspace == 0 && q.dqb_curinodes == 0 && q.dqb_bhardlimit == 0;
}

static int set_project(int dir, uint32_t id) {
    struct fsxattr x;
    if (ioctl(dir, FS_IOC_FSGETXATTR, &x) < 0)
        return -errno;
    x.fsx_projid = id;
    x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    return ioctl(dir, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}

struct err quota_project_limit(int const *dirs, size_t dirs_n, uint32_t seed, uint64_t bytes) {
    if (!quota_has_projects(dirs[0]))
        return err_new(ERR_UNSUPPORTED,
                       "a limit of its size: the file system keeps no project quota");
    uint32_t id = (seed & 0x3fffffff) | 0x40000000; /* away from what people number by hand */
    for (int i = 0; !is_free(dirs[0], id); i++, id++)
        if (i == IDS_TRIED)
            return err_new(ERR_UNAVAILABLE, "a limit of its size: no project id is free");
    struct if_dqblk q = {.dqb_bhardlimit = (bytes + BLOCK - 1) / BLOCK, .dqb_valid = QIF_BLIMITS};
    if (quota(dirs[0], Q_SETQUOTA, id, &q) < 0)
        return err_errno(errno, "limit the size of a directory");
    for (size_t i = 0; i < dirs_n; i++) {
        int r = set_project(dirs[i], id);
        if (r < 0)
            return err_errno(r, "give a directory a project");
    }
    return OK;
}

void quota_project_drop(int dir) {
    struct fsxattr x;
    struct if_dqblk none = {.dqb_valid = QIF_BLIMITS};
    if (ioctl(dir, FS_IOC_FSGETXATTR, &x) == 0 && (x.fsx_projid & 0x40000000) &&
        (x.fsx_xflags & FS_XFLAG_PROJINHERIT))
        (void)quota(dir, Q_SETQUOTA, x.fsx_projid, &none);
}
