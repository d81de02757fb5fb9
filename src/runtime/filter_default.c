/* The built-in seccomp profile: the allow-list that containers are commonly run with. Facts, in our
 * own form: what is always allowed, what a capability adds, three calls that are looked into.
 * Everything else fails with EPERM, clone3 with ENOSYS (so that libraries fall back to clone, whose
 * flags can be checked). Row 80 of the security reference: without CAP_SYS_ADMIN no new user
 * namespace. */
#include "runtime/filter.h"
#include <errno.h>
#include <stdlib.h>

#define ALLOW SECCOMP_RET_ALLOW
#define DENY (SECCOMP_RET_ERRNO | EPERM)

static const char *const always[] = {
    "_llseek",
    "_newselect",
    "accept",
    "accept4",
    "access",
    "adjtimex",
    "alarm",
    "bind",
    "brk",
    "cachestat",
    "capget",
    "capset",
    "chdir",
    "chmod",
    "chown",
    "chown32",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "close",
    "close_range",
    "connect",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "epoll_wait_old",
    "eventfd",
    "eventfd2",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fadvise64_64",
    "fallocate",
    "fanotify_mark",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchown32",
    "fchownat",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fork",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fstatfs64",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "futex",
    "futex_requeue",
    "futex_time64",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "futimesat",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "getegid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getgroups",
    "getgroups32",
    "getitimer",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresgid32",
    "getresuid",
    "getresuid32",
    "getrlimit",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "getuid32",
    "getxattr",
    "getxattrat",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "io_cancel",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_pgetevents_time64",
    "io_setup",
    "io_submit",
    "ioctl",
    "ioprio_get",
    "ioprio_set",
    "ipc",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "lchown",
    "lchown32",
    "lgetxattr",
    "link",
    "linkat",
    "listen",
    "listmount",
    "listxattr",
    "listxattrat",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "lstat64",
    "madvise",
    "map_shadow_stack",
    "membarrier",
    "memfd_create",
    "memfd_secret",
    "mincore",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mmap2",
    "mprotect",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedreceive_time64",
    "mq_timedsend",
    "mq_timedsend_time64",
    "mq_unlink",
    "mremap",
    "mseal",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "name_to_handle_at",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe",
    "pipe2",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "poll",
    "ppoll",
    "ppoll_time64",
    "prctl",
    "pread64",
    "preadv",
    "preadv2",
    "prlimit64",
    "process_mrelease",
    "pselect6",
    "pselect6_time64",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmmsg_time64",
    "recvmsg",
    "remap_file_pages",
    "removexattr",
    "removexattrat",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "riscv_hwprobe",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_rr_get_interval_time64",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "seccomp",
    "select",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "semtimedop_time64",
    "send",
    "sendfile",
    "sendfile64",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsgid32",
    "setfsuid",
    "setfsuid32",
    "setgid",
    "setgid32",
    "setgroups",
    "setgroups32",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setregid32",
    "setresgid",
    "setresgid32",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setrlimit",
    "setsid",
    "setsockopt",
    "setuid",
    "setuid32",
    "setxattr",
    "setxattrat",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "shutdown",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "sigprocmask",
    "sigreturn",
    "socketcall",
    "socketpair",
    "splice",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statmount",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "sysinfo",
    "tee",
    "tgkill",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_gettime64",
    "timer_settime",
    "timer_settime64",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime64",
    "timerfd_settime",
    "timerfd_settime64",
    "times",
    "tkill",
    "truncate",
    "truncate64",
    "ugetrlimit",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "uretprobe",
    "utime",
    "utimensat",
    "utimensat_time64",
    "utimes",
    "vfork",
    "vmsplice",
    "wait4",
    "waitid",
    "waitpid",
    "write",
    "writev",
    /* harmless on a kernel since 4.8, where the tracer cannot get round the filter */
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
};

/* Only where the architecture has them. */
static const char *const on_x86[] = {"arch_prctl", "modify_ldt"};
static const char *const on_arm[] = {
    "arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush",
    "set_tls",          "sync_file_range2",
};

static const struct {
    const char *capability;
    const char *names[28];
} with_capability[] = {
    {"CAP_BPF", {"bpf"}},
    {"CAP_DAC_READ_SEARCH", {"open_by_handle_at"}},
    {"CAP_PERFMON", {"perf_event_open"}},
    {"CAP_SYS_ADMIN",
     {"bpf",
      "clone",
      "clone3",
      "fanotify_init",
      "fsconfig",
      "fsmount",
      "fsopen",
      "fspick",
      "lookup_dcookie",
      "lsm_get_self_attr",
      "lsm_list_modules",
      "lsm_set_self_attr",
      "mount",
      "mount_setattr",
      "move_mount",
      "open_tree",
      "perf_event_open",
      "quotactl",
      "quotactl_fd",
      "setdomainname",
      "sethostname",
      "setns",
      "syslog",
      "umount",
      "umount2",
      "unshare"}},
    {"CAP_SYS_BOOT", {"reboot"}},
    {"CAP_SYS_CHROOT", {"chroot"}},
    {"CAP_SYSLOG", {"syslog"}},
    {"CAP_SYS_MODULE", {"delete_module", "finit_module", "init_module"}},
    {"CAP_SYS_NICE", {"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"}},
    {"CAP_SYS_PACCT", {"acct"}},
    {"CAP_SYS_PTRACE",
     {"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"}},
    {"CAP_SYS_RAWIO", {"ioperm", "iopl"}},
    {"CAP_SYS_TIME", {"clock_settime", "clock_settime64", "settimeofday", "stime"}},
    {"CAP_SYS_TTY_CONFIG", {"vhangup"}},
};

/* personality(2): Linux, Linux 32-bit, with or without the two harmless flags, and "tell me". */
static const uint64_t personalities[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
#define CLONE_NAMESPACES UINT64_C(0x7e020000)
#define FAMILY_VSOCK 40

static void allow_all(struct seccomp_filter *f, const char *arch, const char *const *names,
                      size_t n) {
    for (size_t i = 0; i < n && names[i]; i++)
        filter_add(f, arch, names[i], ALLOW, NULL, 0);
}

static void allow_looked_into(struct seccomp_filter *f, const char *arch) {
    for (size_t i = 0; i < ARRAY_LEN(personalities); i++) {
        struct seccomp_test t = {0, SECCOMP_EQ, personalities[i], 0};
        filter_add(f, arch, "personality", ALLOW, &t, 1);
    }
    /* Every family but vsock, which reaches the host past all namespaces. */
    struct seccomp_test family = {0, SECCOMP_NE, FAMILY_VSOCK, 0};
    filter_add(f, arch, "socket", ALLOW, &family, 1);
}

static void without_admin(struct seccomp_filter *f, const char *arch) {
    struct seccomp_test no_namespaces = {0, SECCOMP_MASKED_EQ, 0, CLONE_NAMESPACES};
    filter_add(f, arch, "clone", ALLOW, &no_namespaces, 1);
    filter_add(f, arch, "clone3", SECCOMP_RET_ERRNO | ENOSYS, NULL, 0);
}

static void add_arch(struct seccomp_filter *f, const char *arch, const struct strs *caps) {
    bool x86 = strncmp(arch, "SCMP_ARCH_X", 11) == 0;
    allow_all(f, arch, always, ARRAY_LEN(always));
    allow_all(f, arch, x86 ? on_x86 : on_arm, x86 ? ARRAY_LEN(on_x86) : ARRAY_LEN(on_arm));
    allow_looked_into(f, arch);
    for (size_t i = 0; i < ARRAY_LEN(with_capability); i++)
        if (strs_has(caps, with_capability[i].capability))
            allow_all(f, arch, with_capability[i].names, ARRAY_LEN(with_capability[i].names));
    if (!strs_has(caps, "CAP_SYS_ADMIN"))
        without_admin(f, arch);
}

struct err filter_default(const struct strs *capabilities, struct seccomp_program *ret) {
#if defined(__x86_64__)
    /* Not x32: nothing in an image uses it, distributions switch it off, and a third table would
     * make every start slower. Its calls fail like any other that is not listed. */
    static const char *const archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#else
    static const char *const archs[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
    struct seccomp_filter f = {.default_action = DENY, .other_action = SECCOMP_RET_KILL_PROCESS};
    for (size_t i = 0; i < ARRAY_LEN(archs); i++)
        add_arch(&f, archs[i], capabilities);
    struct err e = seccomp_compile(&f, ret);
    seccomp_filter_done(&f);
    return e;
}

/* FNV-1a, 64 bit: a name for a file, not a protection. */
static uint64_t add_text(uint64_t hash, const char *text) {
    do
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    while (*text++);
    return hash;
}

uint64_t filter_default_digest(const struct strs *capabilities) {
    uint64_t hash = add_text(UINT64_C(0xcbf29ce484222325), CORTEN_VERSION);
    hash = add_text(hash, seccomp_native_arch());
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        hash = add_text(hash, always[i]);
    for (size_t i = 0; i < ARRAY_LEN(with_capability); i++) {
        bool has = strs_has(capabilities, with_capability[i].capability);
        hash = add_text(hash, has ? "+" : "-");
        for (size_t k = 0; k < ARRAY_LEN(with_capability[i].names) && with_capability[i].names[k];
             k++)
            hash = add_text(hash, with_capability[i].names[k]);
    }
    return hash;
}
