/* kernel/btrfs.h - subvolumes, snapshots and limits of btrfs: ioctl(2) with linux/btrfs.h.
 *
 * A subvolume looks like a directory; rmdir(2) removes an empty one (Linux 4.18), so base/file.h
 * dir_remove works on it, only slower. All calls block (a snapshot waits for a transaction); names
 * are one component. fd: any directory of the file system. Needs CAP_SYS_ADMIN.
 * Tests: test/kernel/rootfs.c (on a file system in a loop device of its own).
 */
#pragma once
#include "base/err.h"
#include <stdint.h>

bool btrfs_is(int fd);
/* An empty subvolume. */
struct err btrfs_create(int dirfd, const char *name);
/* A writable snapshot of the subvolume that source_fd is the root of. */
struct err btrfs_snapshot(int source_fd, int dirfd, const char *name);
/* Removes the subvolume with all that is in it; its space comes back in the background. Missing, no
 * subvolume, or one with other subvolumes inside: false, and dir_remove is the way. */
bool btrfs_delete(int dirfd, const char *name);

/* Bytes that a subvolume (subvol_fd: its root) may have for itself alone, what it shares with
 * others not counted. ERR_UNSUPPORTED where the file system keeps no quota. */
struct err btrfs_limit(int subvol_fd, uint64_t bytes);
/* Whether limits count on that file system. */
bool btrfs_has_quota(int fd);
