/* runtime.h - make the box: an OCI spec and a rootfs in, a process out.
 *
 * The door of runtime/. It is called as a library by the monitor (in process, single-threaded, the
 * monitor becomes the parent of every process started here) and by the program corten-runtime.
 * The caller must be single-threaded: the runtime clones.
 *
 * Owns: the container's cgroup directories (made by runtime_create, removed by runtime_delete) and
 * nothing else: no state directory, no registry of containers. Keeps nothing durable.
 *
 * Order of a start (OCI runtime spec 1.2, "Lifecycle"): runtime_create() makes cgroups, namespaces,
 * mounts, identity, seccomp and stops right before execve; runtime_start() lets it exec and reports
 * the result of execve itself. A failed create leaves nothing behind.
 * process.cwd is made when the rootfs lacks it; process.user is numeric. The program that calls
 * must have been executed from a read-only mount: see runtime_protect below; runtime_create refuses
 * otherwise. The parent of the cgroup's last component is made on demand and stays;
 * runtime_cgroup_remove takes it away when it is empty. Limits that cannot be applied are errors;
 * rlimits are clamped to the inherited hard limit when CAP_SYS_RESOURCE is missing (config says
 * more than is possible: clamp and note, see reference). Tests: test/kernel/runtime-*.c,
 * test/unit/runtime.
 */
#pragma once
#include "base/err.h"
#include "spec/runtime_config.h" /* struct oci_config: OCI runtime-spec 1.2 config.json */
#include <sys/types.h>

struct cgroup_host; /* kernel/cgroup.h */
struct runtime_box; /* one container: pidfd, cgroup descriptors, namespaces */

/* A process that the runtime started; the caller is its parent and must reap it by pidfd. */
struct runtime_process {
    pid_t pid;           /* in the caller's pid namespace */
    int pidfd;           /* owned by the receiver; CLOEXEC */
    int pty_master;      /* owned; -1 unless process.terminal */
    uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks: identity across pid reuse */
};

/* Standard streams of a process without terminal; borrowed. -1 means /dev/null of the container. */
struct runtime_stdio {
    int in, out, err;
    /* Of an exec whose program is called RUNTIME_OWN_NAME and is not there: this one is executed
     * instead, by its descriptor (as mount_readonly_program gives it), and inherits the socket,
     * whose number is in its environment as RUNTIME_OWN_FD. Borrowed; 0 or -1: none. */
    int own, own_socket;
};
#define RUNTIME_OWN_NAME "container"
#define RUNTIME_OWN_FD "CORTEN_INSIDE"

struct runtime_create_options {
    const char *id;                  /* for messages and the cgroup's name */
    const struct oci_config *config; /* linux.cgroupsPath names the cgroup (relative to the root) */
    int rootfs_fd; /* detached mount tree (fsmount/open_tree), borrowed; -1: config root.path */
    int netns_fd;  /* joined instead of a new network namespace; borrowed; -1: as config says */
    /* In place of netns_fd, which is -1 then: called when all is ready but the network, right
     * before the first process is made; gives a descriptor that stays the caller's. NULL: there is
     * none. */
    struct err (*await_netns)(void *arg, int *ret_fd);
    void *await_arg;
    int seccomp_fd; /* raw struct sock_filter array (runtime_seccomp_default), loaded by the init
                       and by every exec, borrowed; -1: config.linux.seccomp or none */
    const char *bundle; /* told to hooks; NULL: "/" */
    struct runtime_stdio stdio;
    /* Bind sources handed in as detached trees: mounts[i].source "fd:N" refers to mount_fds[N]. */
    const int *mount_fds;
    size_t mount_fds_n;
    /* The init is killed when the caller dies (PR_SET_PDEATHSIG), and with it everything in its pid
     * namespace. Only a program that the kernel runs with more privileges (set-id) escapes that. */
    bool die_with_caller;
    /* corten-init: a descriptor of that program (as kernel/mount.h's mount_readonly_program gives
     * it), borrowed; 0 or -1: none. It is executed by descriptor in place of process.args, which
     * becomes its child: PID 1 then reaps orphans and forwards signals, ends as the program ends
     * (127 when there is no such program), and nothing has to be mounted into the rootfs. Only for
     * the first process; runtime_exec does not use it. */
    int init_fd;
    /* A listening SOCK_SEQPACKET socket of AF_UNIX, borrowed; 0 or -1: none. With it the box may be
     * closed (runtime_close) and the caller may end: the created process waits for the first
     * runtime_start_through() on a connection to that socket, not for runtime_start(). */
    int start_fd;
    /* Descriptors 3 … 2+preserve_fds of the caller are the program's too, with the same numbers,
     * where they are not CLOEXEC. None of them may be the runtime's own. */
    unsigned preserve_fds;
    bool keep_groups;    /* the caller's additional groups instead of additionalGids */
    bool no_new_keyring; /* stays in the caller's session keyring */
    /* In place of linux.cgroupsPath: a cgroup that somebody else has made, in some hierarchies at
     * least; it is made in the others and removed with the container. NULL: none. */
    const char *cgroup_path;
    /* The host's hierarchies, found beforehand (cgroup_detect), borrowed. NULL: they are looked
     * for. */
    const struct cgroup_host *cgroup_host;
    /* The old root stays mounted below the new one, for a host whose root is an initramfs, which
     * pivot_root(2) refuses. */
    bool no_pivot;
};

/* Creates the container up to just before exec. On success *ret_box and *ret_init are set. */
struct err runtime_create(const struct runtime_create_options *o, struct runtime_box **ret_box,
                          struct runtime_process *ret_init);
/* Lets the created process exec. Error kinds: ERR_NOT_FOUND (no such program: the API's 127),
 * ERR_FORBIDDEN (not executable, permission: 126), else SYSTEM. After an error the init is dead. */
struct err runtime_start(struct runtime_box *b);

/* The same through a connection to the socket of runtime_create_options.start_fd; o, init and
 * start_time as for runtime_open. */
struct err runtime_start_through(int sock, const struct runtime_create_options *o, pid_t init,
                                 uint64_t start_time);
/* The box of a container that another process created: o as it was for runtime_create (stdio,
 * rootfs, start_fd are not used), init and start_time as runtime_create told. ERR_NOT_FOUND when
 * that process is gone. For exec, kill, pause; the caller is not the init's parent. */
struct err runtime_open(const struct runtime_create_options *o, pid_t init, uint64_t start_time,
                        struct runtime_box **ret);
/* Frees the box and leaves the container alone. NULL allowed. */
void runtime_close(struct runtime_box *b);

/* Starts another process in the running container: namespaces, cgroup, identity, seccomp as the
 * container, values of `process` (OCI "process" object). Same error kinds as runtime_start. */
struct err runtime_exec(struct runtime_box *b, const struct oci_process *process,
                        const struct runtime_stdio *stdio, struct runtime_process *ret);

/* The same in two halves, for a caller that must not wait: between them lie the namespaces' and the
 * program's file systems, which may hang. entry.sync becomes readable when runtime_exec_continue
 * has something to do; it wants to be called now and then without that too, because the container
 * may be frozen while a process is on its way in (ERR_CONFLICT then, as for one that is frozen
 * before). track: NULL, or 1 to 64 bytes of [0-9a-f], unique among the box's execs: the process is
 * born in a cgroup "exec-<track>" below the container's in one hierarchy (cgroup2, also where that
 * is only the unified one of a hybrid host, else the v1 freezer; with neither, or where the kernel
 * takes no process there, it is untracked) and in the container's own in all others: so everything
 * that it leaves behind can be found. */
struct runtime_entry {
    pid_t pid;
    int pidfd, pty_master, sync; /* owned; -1: none */
    int64_t began;               /* monotonic ns */
};
struct err runtime_exec_begin(struct runtime_box *b, const char *track,
                              const struct oci_process *process, const struct runtime_stdio *stdio,
                              struct runtime_entry *ret);
/* *ret_done false: not yet. After done or an error only entry.sync is left, for
 * runtime_exec_abandon, once it is watched no longer: another process on its way in may hold a copy
 * of it, and an epoll set would go on reporting it under its number, which is somebody else's by
 * then. After an error the process is dead, or dies with the next thaw and must be reaped by the
 * caller's own SIGCHLD. */
struct err runtime_exec_continue(struct runtime_box *b, struct runtime_entry *entry, bool *ret_done,
                                 struct runtime_process *ret);
/* Kills and reaps what was begun and is not done; closes entry.sync. */
void runtime_exec_abandon(struct runtime_entry *entry);
/* SIGKILL for all that a tracked exec started. ERR_NOT_FOUND: it was not tracked, or is forgotten.
 */
struct err runtime_exec_kill(struct runtime_box *b, const char *track);
/* The exec's first process has ended. Its cgroup goes; with processes left in it, it goes after
 * them, with a later call or with the container. */
void runtime_exec_forget(struct runtime_box *b, const char *track);

/* Sends signo to the init by pidfd. ERR_NOT_FOUND when it is gone. */
struct err runtime_kill(struct runtime_box *b, int signo);
/* SIGKILLs everything in the container's cgroup (cgroup.kill, or freeze + walk on v1). */
struct err runtime_kill_all(struct runtime_box *b);
bool runtime_frozen(const struct runtime_box *b); /* or on its way there */
struct err runtime_pause(struct runtime_box *b);
struct err runtime_resume(struct runtime_box *b);
/* Descriptor that becomes readable on an OOM kill (eventfd on v1, inotify on memory.events on v2);
 * -1 when unavailable. Owned by the box. runtime_oom_count: OOM kills so far. */
int runtime_oom_fd(struct runtime_box *b);
uint64_t runtime_oom_count(struct runtime_box *b);
/* Kills what is left, once the init has ended: everything is dead then. */
struct err runtime_end(struct runtime_box *b);
/* The same, removes the cgroups, frees b. NULL allowed. */
struct err runtime_delete(struct runtime_box *b);

/* The cgroup as runtime_create makes it, with its limits and devices, for processes that somebody
 * else brings: a restore. After an error nothing new is left. */
struct err runtime_cgroup_make(const struct runtime_create_options *o);
/* The cgroup alone, by the container's cgroup path, for a caller that is not the parent (the
 * daemon: update, stats, pause). All hierarchies that hold it are found by name. */
struct err runtime_cgroup_update(const char *cgroup_path, const struct oci_resources *r);
struct err runtime_cgroup_freeze(const char *cgroup_path, bool frozen);
struct runtime_usage {
    uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
    uint64_t memory_bytes, memory_limit_bytes, memory_inactive_file_bytes, memory_peak_bytes;
    uint64_t pids, pids_limit, oom_kills;
    uint64_t io_read_bytes, io_write_bytes;
    uint64_t throttled_periods, periods, throttled_ns;
};
struct err runtime_cgroup_usage(const char *cgroup_path, struct runtime_usage *ret);
struct err runtime_cgroup_frozen(const char *cgroup_path, bool *ret);
/* SIGKILLs everything in it. */
struct err runtime_cgroup_kill(const char *cgroup_path);
/* Pids (host view) in the container, caller frees *ret_pids. */
struct err runtime_cgroup_pids(const char *cgroup_path, pid_t **ret_pids, size_t *ret_n);
/* Removes the cgroup directories of a container that is dead (crash recovery). Missing: success. */
struct err runtime_cgroup_remove(const char *cgroup_path);

/* What this kernel and host offer; detected once. */
struct runtime_features {
    bool cgroup_v2, cgroup_hybrid; /* v2 only; v1 with a cgroup2 mount beside it */
    bool seccomp, apparmor, userns, memory, swap, pids, cpu, cpuset, blkio;
};
struct err runtime_detect(struct runtime_features *ret);

/* Default profile pieces (reference/security.md rule 14), used by container/ to compose
 * config.json: the capability list, masked and read-only paths, default devices rules, default
 * seccomp filter. */
extern const char *const runtime_default_capabilities[]; /* NULL-terminated, "CAP_…" */
extern const char *const runtime_masked_paths[];
extern const char *const runtime_readonly_paths[];

/* Device rules: a container may use what linux.resources.devices allows, read in order and the last
 * match decides, and nothing else; what the OCI specification promises (null zero full random
 * urandom tty ptmx pts, and making nodes) is always added by the runtime, after the configuration's
 * rules. So container/ composes nothing but what a user adds; "privileged" is one rule that allows
 * everything. */

/* Seccomp filters are compiled to a range tree, once, by the daemon, and handed to the monitor as a
 * descriptor (runtime_create_options.seccomp_fd). This is the built-in profile, which depends on
 * the capability set (names); the program is kept as "<hex>.bpf" in cache_dir (0700, ours; NULL: no
 * cache). *ret_fd: read-only descriptor of the raw struct sock_filter array. */
struct err runtime_seccomp_default(const char *cache_dir, const struct strs *capabilities,
                                   int *ret_fd);
/* The same for a profile of the user's own, already in the form of config.json's linux.seccomp. The
 * caller keeps the descriptor as long as it likes. ERR_UNSUPPORTED: SCMP_ACT_NOTIFY, which only
 * works with the whole linux.seccomp in the configuration. */
struct err runtime_seccomp_compile(const struct oci_seccomp *s, int *ret_fd);

/* First in main of every program that calls runtime_create or runtime_exec (security reference,
 * rule 4): makes the process non-dumpable (as root) and, when the program was not executed from a
 * read-only mount (as kernel/mount.h's mount_readonly_program gives one to spawn), executes it
 * again from one. Returns when all is well already; an error means that no container can be
 * started. */
struct err runtime_protect(char *const argv[], char *const env[]);

/* The program corten-runtime: commands and options as runc's and crun's. docs/runtime.md. */
int runtime_main(int argc, char **argv);
/* The program corten-init: PID 1 that reaps and forwards signals. No library but libc. */
int reaper_main(int argc, char **argv);
