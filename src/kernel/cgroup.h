/* kernel/cgroup.h - control groups: cgroups(7), cgroup-v1 and cgroup-v2 of the kernel's admin
 * guide.
 *
 * Three kinds of host: v2 alone; v1 (one hierarchy per controller); hybrid (v1 hierarchies and a
 * cgroup2 mount with what is left). A container's cgroup has one name, "/<instance>/<id>", and is a
 * directory in every v1 hierarchy that has a useful controller and in the cgroup2 tree, where there
 * is one (for cgroup.kill, cgroup.freeze and cgroup.events). Directories that are not below our own
 * first component are never touched, except that controllers are enabled at the v2 root when they
 * are not yet.
 *
 * Owns: the directories, from cgroup_make to cgroup_remove. Any thread; keeps no state.
 * Files are written with one write(2) each. Tests: test/kernel/runtime-limits.c (hybrid here, v2 in
 * the VM).
 */
#pragma once
#include "base/buf.h"
#include <sys/types.h>

enum cgroup_controller {
    CGROUP_CPU,
    CGROUP_CPUACCT, /* v2: cpu.stat, always there */
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_DEVICES, /* v2: a BPF program on the directory */
    CGROUP_FREEZER, /* v2: cgroup.freeze, always there */
    CGROUP_BLKIO,   /* v2: io */
    CGROUP_PIDS,
    CGROUP_CORE, /* the cgroup2 tree's own files; absent on pure v1 */
    CGROUP_HUGETLB,
    CGROUP_RDMA,
    CGROUP_NET_CLS, /* these two on v1 alone */
    CGROUP_NET_PRIO,
    CGROUP_COUNT,
};
#define CGROUP_TREES_MAX 16
#define CGROUP_MOUNT_MAX 128 /* bytes of a mount point's path */
#define CGROUP_PATH_MAX 512  /* bytes of a cgroup's name */

struct cgroup_tree {
    char mount[CGROUP_MOUNT_MAX]; /* "/sys/fs/cgroup/memory" */
    char controllers[128];        /* v1: as mounted, "cpu,cpuacct" */
    bool v2;
    bool on_demand; /* v1: of rarely used controllers alone (huge pages, rdma, net_cls, net_prio),
                       or systemd's, without any */
};
/* Where the host has what. Found by reading /proc/self/mountinfo; a value, copied freely. */
struct cgroup_host {
    struct cgroup_tree trees[CGROUP_TREES_MAX];
    size_t trees_n;
    int8_t tree_of[CGROUP_COUNT]; /* index into trees; -1: the host does not offer it */
};
struct err cgroup_detect(struct cgroup_host *ret);
/* Leaves only the hierarchies that have this process elsewhere than in the root, as those of a
 * service manager have a service: a limit or a kill of that cgroup reaches whoever stays there. */
struct err cgroup_keep_confining(struct cgroup_host *h);
/* cgroup_make with this host makes a directory for controller c, too, where c has a hierarchy that
 * is left out otherwise: a directory in each for every container would cost every start. */
void cgroup_demand(struct cgroup_host *h, enum cgroup_controller c);
static inline bool cgroup_has(const struct cgroup_host *h, enum cgroup_controller c) {
    return h->tree_of[c] >= 0;
}
/* Files of controller c are spelled as in v2. */
static inline bool cgroup_is_v2(const struct cgroup_host *h, enum cgroup_controller c) {
    return h->tree_of[c] >= 0 && h->trees[h->tree_of[c]].v2;
}

/* A cgroup: one directory per tree. */
struct cgroup {
    struct cgroup_host host;
    char path[CGROUP_PATH_MAX];
    int dirs[CGROUP_TREES_MAX]; /* owned; -1: not there */
};
void cgroup_init(struct cgroup *g, const struct cgroup_host *h);
void cgroup_done(struct cgroup *g); /* closes, removes nothing */
#define CLEAN_CGROUP OWN(cgroup_done)

/* path: "/a/b", absolute, at least one component, no "." or "..", no component that starts with
 * "cgroup." or holds control bytes. ERR_INVALID. */
struct err cgroup_check_path(const char *path);
/* Makes the directories (and missing parents). The last component must be new in every tree, else
 * ERR_CONFLICT; after an error nothing new is left. */
struct err cgroup_make(const struct cgroup_host *h, const char *path, struct cgroup *ret);
/* Opens what is there of it (made by systemd) and makes the rest; after an error nothing new is
 * left. */
struct err cgroup_adopt(const struct cgroup_host *h, const char *path, struct cgroup *ret);
/* Opens what is there of it; ERR_NOT_FOUND when no tree has it. */
struct err cgroup_open(const struct cgroup_host *h, const char *path, struct cgroup *ret);
/* Removes the directories and those that were made below them; they must be without processes soon
 * (waits up to two seconds for the dying). Missing ones are a success. */
struct err cgroup_remove(const struct cgroup_host *h, const char *path);

/* The directory that holds controller c, -1: none. Borrowed. */
int cgroup_dir(const struct cgroup *g, enum cgroup_controller c);
/* One file of controller c's directory. The error names file and text; writing to a controller that
 * is not there is ERR_UNSUPPORTED. */
struct err cgroup_write(const struct cgroup *g, enum cgroup_controller c, const char *file,
                        const char *text);
struct err cgroup_write_i64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                            int64_t value);
struct err cgroup_read(const struct cgroup *g, enum cgroup_controller c, const char *file,
                       struct buf *ret);
/* A file that is one number; "max" is UINT64_MAX. */
struct err cgroup_read_u64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                           uint64_t *ret);
/* The number behind "key " in a file of such lines; ERR_NOT_FOUND when no line has it. */
struct err cgroup_read_key(const struct cgroup *g, enum cgroup_controller c, const char *file,
                           const char *key, uint64_t *ret);
/* The same for statistics, which are for looking at: what this kernel lacks leaves *ret as it is.
 */
void cgroup_look_u64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                     uint64_t *ret);
void cgroup_look_key(const struct cgroup *g, enum cgroup_controller c, const char *file,
                     const char *key, uint64_t *ret);

/* Moves a process (0: the caller, which must be single-threaded) into all trees, except that of
 * skip_tree_dir (a descriptor that clone3 has put it into already; -1: none). 0 or -errno; system
 * calls only, so that a container's first process can move itself. */
int cgroup_attach(const struct cgroup *g, pid_t pid, int skip_tree_dir);
/* SIGKILL for every process in it and below: cgroup.kill, or freeze, walk, thaw. */
struct err cgroup_kill(const struct cgroup *g);
/* Returns when every process stands still (or runs again); ERR_TIMEOUT after two seconds. */
struct err cgroup_freeze(const struct cgroup *g, bool frozen);
bool cgroup_frozen(const struct cgroup *g); /* false as well when it cannot be told */
/* Pids in it and below, in the reader's pid namespace; 0 for those that it cannot see. Owned array.
 */
struct err cgroup_pids(const struct cgroup *g, pid_t **ret_pids, size_t *ret_n);
/* False when no process is left in it and below. */
bool cgroup_populated(const struct cgroup *g);
