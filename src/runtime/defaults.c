/* What every container gets unless its configuration says otherwise; what this host offers; and the
 * protection of our own program. */
#include "base/file.h"
#include "kernel/cgroup.h"
#include "kernel/mount.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
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

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define PROGRAM_MAX (64 << 20)

bool program_is_protected(void) {
    if (mount_program_is_readonly())
        return true;
    CLEAN_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

/* For those who may not clone a mount: nobody can write to a sealed file in memory. */
static struct err sealed_program(int *ret_fd) {
    CLEAN_BUF struct buf program = {0};
    TRY(file_read("/proc/self/exe", PROGRAM_MAX, &program));
    CLEAN_FD int fd = memfd_create("corten-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fd_write_all(fd, program.data, program.len) < 0 ||
        fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return err_errno(errno, "copy the program into sealed memory");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err runtime_protect(char *const argv[], char *const env[]) {
    /* An unprivileged user writes the id maps of a process of its own, which a process that is not
     * dumpable does not let it do: there the first process turns it off itself, before it meets
     * anything of the container. */
    if (geteuid() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    if (program_is_protected())
        return OK;
    CLEAN_FD int fd = -1;
    struct err e = mount_readonly_program("/proc/self/exe", &fd);
    if (err_errnum(e) == EPERM) {
        err_free(e);
        e = sealed_program(&fd);
    }
    TRY(e);
    syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
    return err_errno(errno, "execute the program from its read-only mount");
}
