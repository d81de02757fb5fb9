/* kernel/quota.h - project quota of ext4 and xfs: quotactl_fd(2), ioctl FS_IOC_FSSETXATTR.
 *
 * A directory with a project id and the inherit flag hands both to everything that is made below
 * it; the sum of the blocks of an id is what the limit is about. Needs Linux 5.14, CAP_SYS_ADMIN,
 * and the file system mounted with prjquota. On ext4 who has CAP_SYS_RESOURCE is not bound. Tests:
 * test/kernel/rootfs.c (in the VM: this needs kernels with QFMT_V2).
 */
#pragma once
#include "base/err.h"
#include <stdint.h>

/* Are limits of projects enforced on the file system of fd? */
bool quota_has_projects(int fd);
/* Gives the directory (empty or new) a project of its own with that limit. seed: where the search
 * for a free id begins. */
struct err quota_project_limit(int const *dirs, size_t dirs_n, uint32_t seed, uint64_t bytes);
/* Lifts the limit of the directory's project, if it has one: the id is free again. */
void quota_project_drop(int dir);
