/* kernel/mount.h - mounts as descriptors: fsopen(2), fsmount(2), open_tree(2), move_mount(2),
 * mount_setattr(2).
 *
 * A mount made here is *detached*: a descriptor, in nobody's mount table; it disappears with its
 * last descriptor. It gets a place only when somebody attaches it in a mount namespace of their own
 * (the container's, or a worker's). So the host's mount table never shows anything of ours, nothing
 * can leak and nothing is "busy".
 *
 * Any thread; keeps no state. All descriptors are CLOEXEC and owned by the receiver.
 * Needs Linux 5.12 (mount_setattr). Errors are ERR_SYSTEM with errno and, where the kernel gives
 * one, its own explanation. Tests: test/kernel/mount.c; numbers and reasons for the two ways of the
 * overlay: docs/decisions/0002-rootfs-detached-mount.md.
 */
#pragma once
#include "base/err.h"
#include <stdint.h>
#include <sys/mount.h>

/* --- the root filesystem -------------------------------------------------------------------------
 * Overlay of layer directories. Two ways, the same result:
 *   FSCONFIG  fsopen + one "lowerdir+" per layer (Linux 6.7 and later);
 *   CHILD     a short-lived child with a mount namespace of its own, its working directory in the
 *             layers' directory, mount(2) with short relative names and open_tree(OPEN_TREE_CLONE).
 *             For older kernels: there an fsconfig string ends at 255 bytes, and the option page of
 *             mount(2) at 4,096, which holds 127 names of 26 bytes.
 */
enum mount_way { MOUNT_WAY_AUTO, MOUNT_WAY_FSCONFIG, MOUNT_WAY_CHILD };

/* The peer's 127 layers, each of at most two directories (image/image.h, "stacked"); both ways hold
 * it, way CHILD with names of up to 14 bytes. The kernel ends at 500. */
#define MOUNT_LAYERS_MAX 254
#define MOUNT_LAYER_NAME_MAX 200 /* FSCONFIG; see above for CHILD with many layers */

struct mount_overlay {
    int layers_fd;             /* directory of the layers; in the caller's mount namespace */
    const char *const *layers; /* relative names without ':' ',' '\\' or a leading '/', top first */
    size_t layers_n;           /* 1..MOUNT_LAYERS_MAX */
    int upper_fd, work_fd;     /* both on one file system; -1, -1: read-only overlay */
    bool volatile_;            /* no sync on umount or fsync: for what does not survive a boot */
    uint64_t attrs;            /* MOUNT_ATTR_RDONLY, _NOSUID, _NODEV … */
    enum mount_way way; /* AUTO: FSCONFIG, else CHILD. The others are forced (tests, probe) */
};
/* On success *ret_fd is the detached tree. Without upper and with one layer: a read-only clone of
 * that directory, no overlay. ERR_INVALID: bad names or count, or names too long for way CHILD. */
struct err mount_overlay_detached(const struct mount_overlay *o, int *ret_fd);
/* Which way this kernel offers; a caller that mounts often probes once and says so in `way`. */
enum mount_way mount_overlay_probe(void);

/* --- other trees ---------------------------------------------------------------------------------
 */
struct mount_option {
    const char *key;
    const char *value; /* NULL: a flag */
};
/* A new instance of a file system: "tmpfs", "proc", "mqueue" … in the caller's namespaces. magic is
 * the f_type that the result must have (statfs(2); 0: any); source may be NULL. */
struct err mount_new_fs(const char *type, const char *source, const struct mount_option *options,
                        size_t options_n, uint64_t attrs, long magic, int *ret_fd);
/* A detached clone of what path (relative to dirfd; "" for dirfd itself) refers to. dirfd must be
 * in the caller's mount namespace. Symbolic links are followed: not for paths that a container
 * controls (open those with kernel/beneath.h and pass the descriptor with ""). */
struct err mount_clone(int dirfd, const char *path, bool recursive, int *ret_fd);
/* Sets and clears MOUNT_ATTR_*, and sets propagation (MS_PRIVATE, MS_SLAVE, MS_SHARED,
 * MS_UNBINDABLE; 0: as it is). fd: any descriptor on the mount's root. */
struct err mount_set(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);
/* Puts a detached tree at target_fd (an O_PATH descriptor of a directory or file, in the caller's
 * mount namespace). tree_fd then refers to the attached mount. */
struct err mount_attach(int tree_fd, int target_fd);
/* fstatfs: the file system must be of this type, else ERR_FORBIDDEN naming `what`. */
struct err mount_check_type(int fd, long magic, const char *what);

/* --- our own program
 * ------------------------------------------------------------------------------ Rule 4 of the
 * security reference (CVE-2019-5736): what is executed towards a container lies on a read-only
 * mount that nobody can remount, so that writing through /proc/PID/exe fails. Gives a descriptor
 * for spawn()'s program_fd; made once, shared by all, costs no memory. */
struct err mount_readonly_program(const char *path, int *ret_fd);
/* True when the running program was executed from a read-only mount. */
bool mount_program_is_readonly(void);
