/* What every container gets unless its configuration says otherwise; what this host offers; and the
 * protection of our own program. */
#include "kernel/cgroup.h"
#include "kernel/mount.h"
#include "runtime/runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const runtime_default_capabilities[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
    NULL,
};

const char *const runtime_masked_paths[] = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    NULL,
};

const char *const runtime_readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* --- features
 * --------------------------------------------------------------------------------------------------
 */

static bool seccomp_offered(void) {
    uint32_t action = SECCOMP_RET_ALLOW;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool yes_in(const char *path) {
    char c = 'N';
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &c, 1) == 1 && (c == 'Y' || c == '1');
}

/* Swap is accounted when a non-root cgroup has the file; v2 since 6.1 always, v1 by its root's
 * file. */
static bool swap_offered(const struct cgroup_host *h) {
    if (!cgroup_has(h, CGROUP_MEMORY))
        return false;
    if (cgroup_is_v2(h, CGROUP_MEMORY))
        return access("/proc/swaps", F_OK) == 0;
    char path[CGROUP_MOUNT_MAX + 64];
    snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes",
             h->trees[h->tree_of[CGROUP_MEMORY]].mount);
    return access(path, F_OK) == 0;
}

struct err runtime_detect(struct runtime_features *ret) {
    struct cgroup_host h;
    TRY(cgroup_detect(&h));
    bool core = cgroup_has(&h, CGROUP_CORE);
    *ret = (struct runtime_features){
        .cgroup_v2 = core && h.trees_n == 1,
        .cgroup_hybrid = core && h.trees_n > 1,
        .seccomp = seccomp_offered(),
        .apparmor = yes_in("/sys/module/apparmor/parameters/enabled"),
        .userns = access("/proc/self/ns/user", F_OK) == 0,
        .memory = cgroup_has(&h, CGROUP_MEMORY),
        .swap = swap_offered(&h),
        .pids = cgroup_has(&h, CGROUP_PIDS),
        .cpu = cgroup_has(&h, CGROUP_CPU),
        .cpuset = cgroup_has(&h, CGROUP_CPUSET),
        .blkio = cgroup_has(&h, CGROUP_BLKIO),
    };
    return OK;
}

/* --- our own program
 * --------------------------------------------------------------------------------------------- */

struct err runtime_protect(char *const argv[], char *const env[]) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    if (mount_program_is_readonly())
        return OK;
    CLEAN_FD int fd = -1;
    TRY(mount_readonly_program("/proc/self/exe", &fd));
    syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
    return err_errno(errno, "execute the program from its read-only mount");
}
