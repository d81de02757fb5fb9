/* runtime/launch.h - one process on its way into a container: what it needs, decided before clone
 * by the parent, and the steps that it takes itself. Private to runtime/.
 *
 * The child is a fork of a single-threaded program: it reads these structs from its copy of the
 * memory, may allocate, and ends with execve or sync_fail. It is not dumpable from its first
 * instruction on (the parent is not either), so nothing in the container can look into it.
 */
#pragma once
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/seccomp.h"
#include "runtime/runtime.h"
#include "runtime/sync.h"
#include <sys/resource.h>

#define LAUNCH_RLIMITS_MAX 16

enum launch_personality { PERSONALITY_KEPT, PERSONALITY_LINUX, PERSONALITY_LINUX32 };

/* linux.memoryPolicy as set_mempolicy(2) takes it. */
#define MEMORY_NODES_MAX 1024
struct memory_policy {
    bool set;
    int mode; /* with flags */
    uint64_t nodes[MEMORY_NODES_MAX / 64];
};
/* memory_policy.c. m NULL: leaves *ret alone. */
struct err memory_policy_read(const struct oci_memory_policy *m, struct memory_policy *ret);
struct err memory_policy_apply(const struct memory_policy *p);

struct launch {
    const char *id;
    const struct oci_process *process;
    struct runtime_stdio stdio;
    struct caps caps;
    uint64_t possible; /* capabilities that the parent, and so the child at first, has */
    struct {
        int resource;
        struct rlimit value;
    } rlimits[LAUNCH_RLIMITS_MAX];
    size_t rlimits_n;
    gid_t *gids; /* owned */
    size_t gids_n;
    const struct seccomp_program *seccomp; /* borrowed; NULL: none */
    unsigned seccomp_flags;                /* SECCOMP_FILTER_FLAG_* */
    bool listens;                          /* seccomp asks a supervisor: listener.h */
    bool unprivileged;                     /* the parent is not root */
    int64_t oom_score_adj;
    bool set_oom_score_adj;
    enum launch_personality personality;
    const struct memory_policy *memory_policy; /* borrowed */
    bool in_userns; /* of the container: there the process has every capability at first */
    bool die_with_caller;
    bool keep_keyring, keep_groups;
    unsigned preserve_fds;
    int init_fd;                 /* corten-init, borrowed; <= 0: none */
    const struct cgroup *cgroup; /* NULL: stays where the caller is */
    bool in_core;                /* clone3 has put it into the cgroup2 directory */
    int sync;                    /* the child's end */
    int root;                    /* in the child: O_PATH of the container's root */
    int proc;                    /* in the child: private procfs instance; -1: none needed */
};
void launch_done(struct launch *l);
#define CLEAN_LAUNCH OWN(launch_done)

/* Parent: turns the process object into what the child needs. */
struct err launch_prepare(struct launch *l, const struct oci_process *p);

/* Child, in this order. */
void launch_reset_signals(void);
struct err
launch_enter_cgroup(const struct launch *l); /* and sets oom_score_adj: needs the host's /proc */
struct err launch_session(const struct launch *l); /* setsid, keyring */
struct err launch_open_proc(struct launch *l);     /* when something must be written to /proc */
struct err launch_terminal(struct launch *l, bool bind_console);
struct err launch_stdio(struct launch *l);
/* attributes.c */
struct err launch_attributes(const struct launch *l);
struct err launch_affinity(const char *list, const char *field); /* "" or NULL: nothing */
struct err launch_labels(const struct launch *l);                /* needs launch_open_proc */
bool launch_labelled(const struct oci_process *p);
/* Called by launch_program. launch_environment: owned by the child for ever; read before the user's
 * rights apply, as the file may be closed to it. */
char **launch_environment(const struct launch *l);
struct err launch_rlimits(const struct launch *l);
/* Working directory, user, capabilities, filter, execve. Returns only an error. */
struct err launch_program(struct launch *l);

/* Clones; in the child *ret_pid is 0. flags: CLONE_NEW…; cgroup_dir: -1 or a cgroup2 directory.
 * *ret_in_core tells whether the kernel has put the child there. */
struct err launch_clone(uint64_t flags, int cgroup_dir, pid_t *ret_pid, int *ret_pidfd,
                        bool *ret_in_core);
/* Parent: sums up a started process; on error the process is killed and reaped by the caller. */
struct err launch_describe(pid_t pid, int pidfd, int pty, struct runtime_process *ret);
