/* runtime/mounts.h - what config.json says about mounts, judged by the parent, made by the child.
 * Private to runtime/. Every destination is resolved below the rootfs (kernel/beneath.h) and acted
 * on by descriptor. Tests: test/unit/runtime/mounts.c (options), test/kernel/runtime-mounts.c.
 */
#pragma once
#include "base/vec.h"
#include "kernel/cgroup.h"
#include "kernel/mount.h"
#include "runtime/runtime.h"

enum mount_kind {
    KIND_BIND,
    KIND_TREE, /* a detached tree handed in ("fd:N") */
    KIND_PROC,
    KIND_SYSFS,
    KIND_TMPFS,
    KIND_DEVPTS,
    KIND_MQUEUE,
    KIND_CGROUP,
    KIND_OTHER, /* any file system that the kernel knows by the type's name */
};

struct mount_plan {
    const struct oci_mount *mount; /* borrowed */
    enum mount_kind kind;
    int tree;       /* KIND_TREE: borrowed */
    int opened;     /* KIND_BIND: owned, the source opened by the parent; -1 */
    bool recursive; /* rbind */
    bool copy_up;   /* tmpfs: begins with what is there */
    bool idmap, idmap_recursive;
    uint64_t set, clear;             /* MOUNT_ATTR_* of the mount itself */
    uint64_t set_below, clear_below; /* and of all below it */
    uint64_t propagation;            /* 0: private */
    bool propagation_below;
    struct mount_options VEC_BODY(struct mount_option) options; /* file system's own */
    struct strv texts;                                          /* what options point into */
};
struct mount_plans VEC_BODY(struct mount_plan);
void mount_plans_done(struct mount_plans *v);
#define CLEAN_MOUNT_PLANS OWN(mount_plans_done)

/* The known option words, one after the other; NULL after the last. */
const char *mount_option_name(size_t i);
/* Parent. ERR_INVALID / ERR_UNSUPPORTED naming destination and option. */
struct err mounts_plan(const struct runtime_create_options *o, struct mount_plans *ret);

/* Parent: opens the sources of binds that the child cannot do justice to: all of them before a user
 * namespace takes the rights away, shared ones while they still are the host's peers, idmapped
 * ones. Those that the parent may not open either are left to the child. */
struct err mounts_open_sources(struct mount_plans *v, const struct oci_config *c, bool all);
/* idmap.c. Parent: the detached tree shows its files' owners through the mappings. */
struct err mount_idmap(int tree, const struct objs *uids, const struct objs *gids, bool recursive);
/* copy_up.c: fills tree (a tmpfs) with what lies at target. */
struct err mount_copy_up(int target, int tree);

/* Child, in its new mount namespace before the pivot. root: the rootfs. */
struct err mounts_make(const struct mount_plans *v, int root, const struct cgroup *cgroup);
/* linux.devices as detached mounts, for a user namespace (device_trees.c). Parent. */
struct device_trees {
    int *items; /* owned; one per device, -1: none */
    size_t n;
};
struct err device_trees_make(const struct oci_config *c, struct device_trees *ret);
void device_trees_done(struct device_trees *v);
/* /dev: default and configured devices, links. */
struct err devices_make(const struct oci_config *c, const struct mount_plans *v,
                        const struct device_trees *trees, int root);
/* Masked and read-only paths, read-only root. */
struct err paths_protect(const struct oci_config *c, int root);
/* Attaches the rootfs over "/" of this mount namespace; *ret_root is an O_PATH descriptor of it. */
struct err rootfs_attach(const struct runtime_create_options *o, int *ret_root);
/* Makes root the process's "/" and unmounts all that was there before. */
struct err rootfs_pivot(int root);
/* The same without unmounting: root lies over "/" already and becomes what the process sees. */
struct err rootfs_change(int root);
/* linux.rootfsPropagation, after the pivot. */
struct err rootfs_propagation(const struct oci_config *c);
