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
};

struct mount_plan {
    const struct oci_mount *mount; /* borrowed */
    enum mount_kind kind;
    int tree;                        /* KIND_TREE: borrowed */
    bool recursive;                  /* rbind */
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

/* Parent. ERR_INVALID / ERR_UNSUPPORTED naming destination and option. */
struct err mounts_plan(const struct runtime_create_options *o, struct mount_plans *ret);

/* Child, in its new mount namespace before the pivot. root: the rootfs. */
struct err mounts_make(const struct mount_plans *v, int root, const struct cgroup *cgroup);
/* /dev: default and configured devices, links. */
struct err devices_make(const struct oci_config *c, const struct mount_plans *v, int root);
/* Masked and read-only paths, read-only root. */
struct err paths_protect(const struct oci_config *c, int root);
/* Attaches the rootfs over "/" of this mount namespace; *ret_root is an O_PATH descriptor of it. */
struct err rootfs_attach(const struct runtime_create_options *o, int *ret_root);
/* Makes root the process's "/" and unmounts all that was there before. */
struct err rootfs_pivot(int root);
