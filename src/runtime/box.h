/* runtime/box.h - what a struct runtime_box is made of, and the pieces of a start. Private to
 * runtime/. */
#pragma once
#include "runtime/launch.h"
#include "runtime/mounts.h"
#include <sched.h>

struct listener;
struct runtime_box {
    char *id;
    struct cgroup cgroup;
    bool has_cgroup;
    pid_t init_pid;
    int init_pidfd;  /* our own duplicate */
    int sync;        /* to the init until it has exec'ed; -1 after */
    bool own_pid_ns; /* the container's pid namespace is not ours */
    bool own_user_ns;
    enum launch_personality personality;
    struct memory_policy memory_policy;
    uint64_t join; /* CLONE_NEW* that an exec enters by setns */
    struct seccomp_program seccomp;
    bool has_seccomp;
    unsigned seccomp_flags;
    struct listener *listener; /* owned; NULL: the filter asks nobody */
    unsigned preserve_fds;
    bool keep_keyring;
    int oom_fd;          /* -1: not asked for, or not to be had */
    bool execs_litter;   /* cgroups of ended execs are still there */
    int64_t execs_swept; /* monotonic ns */
};

/* exec_cgroup.c: the cgroup of one exec. Where the process is to be put: the box's cgroup with the
 * tracking hierarchy's directory replaced by the exec's. *ret_dir is owned by the caller; -1: not
 * tracked, *ret is the box's own. */
void exec_cgroup_make(struct runtime_box *b, const char *track, struct cgroup *ret, int *ret_dir);

/* The processes of later execs go into a cgroup below the container's, which must be there:
 * in the hierarchies of the controllers that text names, or in all that have it. */
struct err exec_cgroup_choose(struct runtime_box *b, const char *text);

/* The container's first process. */
#define INIT_JOINS_MAX 8
struct init {
    const struct runtime_create_options *options;
    const struct mount_plans *plans;
    struct device_trees devices;
    struct launch launch;
    struct {
        int fd;
        int type;
    } joins[INIT_JOINS_MAX]; /* owned descriptors of namespaces to enter */
    size_t joins_n;
    uint64_t clone; /* CLONE_NEW* that clone makes */
    int user_ns;    /* owned; joined by a process in between; -1: none */
    int mount_ns;   /* owned; joined in place of one of its own; -1: none */
    bool new_cgroup_ns, new_time_ns;
};
void init_done(struct init *i);
/* Before its first step the process waits for what only its parent can do for it. */
static inline bool init_waits(const struct init *i) {
    return i->clone & CLONE_NEWUSER || i->options->config->linux_->net_devices.n;
}
/* birth.c. Parent: decides; makes the process, which goes on in init_main. */
struct err birth_choose(const struct runtime_create_options *o, struct init *i,
                        struct runtime_box *b);
struct err birth(struct init *i, struct runtime_box *b, pid_t *ret_pid, int *ret_pidfd);
/* Child: enters what is left to it. */
struct err birth_enter(const struct init *i);

/* between.c. What the process in between enters by setns(ns, types), and who makes the next process
 * there; in that process clone() does not return. */
struct between {
    int ns, types;
    struct err (*clone)(void *arg, uint64_t flags, pid_t *ret_pid, int *ret_pidfd);
    void *arg;
};
struct err between_clone(const struct between *x, pid_t *ret_pid, int *ret_pidfd);

/* defaults.c: the program lies on a read-only mount or in sealed memory. */
bool program_is_protected(void);

/* net_devices.c: moves linux.netDevices into the network namespace, or all of them back. */
struct err net_devices_move(const struct oci_config *c, int netns, bool back);

/* userns.c */
bool userns_is_new(const struct oci_config *c);
struct err userns_map(const struct oci_config *c, pid_t pid);
void userns_give_streams(const struct runtime_create_options *o);
struct err userns_become_root(void);

/* The first process's own steps, init.c. */
void init_main(struct init *i) NORETURN;

/* linux.sysctl. Parent: every name must belong to a namespace that is the container's own. */
struct err sysctl_check(const struct runtime_create_options *o);
/* Child: writes them through a private procfs instance. */
struct err sysctl_apply(const struct oci_config *c, int proc);

/* The hierarchies that these limits need and other containers do not. */
void limits_demand(struct cgroup_host *h, const struct oci_resources *r);
/* linux.resources onto a cgroup. */
struct err limits_apply(const struct cgroup *g, const struct oci_resources *r);
/* Device rules: deny all, then the configuration's, then what every container has. */
struct err limits_devices(const struct cgroup *g, const struct oci_resources *r);

/* The filter of a create: from seccomp_fd or compiled from linux.seccomp. */
struct err filter_load(const struct runtime_create_options *o, struct runtime_box *b);
