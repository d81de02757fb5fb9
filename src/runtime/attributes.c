/* What a process is besides its identity: personality, scheduling, io priority, CPU affinity, LSM
 * label. Each is set by the process itself, and an error names the field. */
#include "kernel/mount.h"
#include "runtime/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- scheduler: sched_setattr(2) ----------------------------------------------------------------
 */

struct sched_attributes { /* struct sched_attr of the kernel, which glibc 2.36 does not have */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct name {
    const char *name;
    unsigned value;
};
static const struct name policies[] = {{"SCHED_OTHER", 0},   {"SCHED_FIFO", 1}, {"SCHED_RR", 2},
                                       {"SCHED_BATCH", 3},   {"SCHED_ISO", 4},  {"SCHED_IDLE", 5},
                                       {"SCHED_DEADLINE", 6}};
static const struct name flag_names[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},    {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},   {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};

static bool find(const struct name *list, size_t n, const char *name, unsigned *ret) {
    for (size_t i = 0; i < n; i++)
        if (name && strcmp(list[i].name, name) == 0) {
            *ret = list[i].value;
            return true;
        }
    return false;
}

static struct err set_scheduler(const struct oci_scheduler *s) {
    struct sched_attributes a = {.size = sizeof(a),
                                 .nice = s->nice,
                                 .priority = (uint32_t)s->priority,
                                 .runtime = s->runtime,
                                 .deadline = s->deadline,
                                 .period = s->period};
    if (!find(policies, ARRAY_LEN(policies), s->policy, &a.policy))
        return err_new(ERR_INVALID, "process.scheduler: unknown policy '%s'", s->policy);
    for (size_t i = 0; i < s->flags.n; i++) {
        unsigned flag;
        if (!find(flag_names, ARRAY_LEN(flag_names), s->flags.items[i], &flag))
            return err_new(ERR_INVALID, "process.scheduler: unknown flag '%s'", s->flags.items[i]);
        a.flags |= flag;
    }
    if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
        return err_errno(errno, "process.scheduler: sched_setattr");
    return OK;
}

/* --- io priority: ioprio_set(2) --------------------------------------------------------------- */

static struct err set_io_priority(const struct oci_io_priority *p) {
    static const struct name classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                          {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                          {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}};
    unsigned class;
    if (!find(classes, ARRAY_LEN(classes), p->class, &class))
        return err_new(ERR_INVALID, "process.ioPriority: unknown class '%s'", p->class);
    if (p->priority < 0 || p->priority > 7)
        return err_new(ERR_INVALID, "process.ioPriority: priority %d is not in 0..7", p->priority);
    if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                IOPRIO_PRIO_VALUE(class, (unsigned)p->priority)) < 0)
        return err_errno(errno, "process.ioPriority: ioprio_set");
    return OK;
}

/* --- affinity ------------------------------------------------------------------------------------
 */

static struct err parse_range(struct str text, cpu_set_t *set) {
    struct str from, to;
    uint64_t first, last;
    bool range = str_cut(text, '-', &from, &to);
    TRY(str_to_u64(str_trim(from), CPU_SETSIZE - 1, &first));
    last = first;
    if (range)
        TRY(str_to_u64(str_trim(to), CPU_SETSIZE - 1, &last));
    for (uint64_t i = first; i <= last; i++)
        CPU_SET(i, set);
    return OK;
}

struct err launch_affinity(const char *list, const char *field) {
    struct str rest = str_of(list), part;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (!rest.len)
        return OK;
    while (str_next(&rest, ',', &part))
        TRYF(parse_range(part, &set), "process.execCPUAffinity.%s '%s'", field, list);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        return err_errno(errno, "process.execCPUAffinity.%s '%s'", field, list);
    return OK;
}

struct err launch_attributes(const struct launch *l) {
    const struct oci_process *p = l->process;
    if (p->scheduler)
        TRY(set_scheduler(p->scheduler));
    if (p->io_priority)
        TRY(set_io_priority(p->io_priority));
    TRY(memory_policy_apply(l->memory_policy));
    if (l->personality != PERSONALITY_KEPT &&
        personality(l->personality == PERSONALITY_LINUX32 ? PER_LINUX32 : PER_LINUX) < 0)
        return err_errno(errno, "linux.personality");
    return OK;
}

/* --- labels: /proc/thread-self/attr ----------------------------------------------------------- */

static struct err write_label(const struct launch *l, const char *const *files, const char *text,
                              const char *field) {
    int errnum = ENOENT;
    for (; *files; files++) {
        CLEAN_FD int fd = openat(l->proc, *files, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) {
            errnum = errno;
            continue;
        }
        TRY(mount_check_type(fd, PROC_SUPER_MAGIC, field));
        if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
            return OK;
        return err_errno(errno, "%s: apply '%s'", field, text);
    }
    return err_errno(errnum, "%s: apply '%s'", field, text);
}

bool launch_labelled(const struct oci_process *p) {
    return (p->apparmor_profile && p->apparmor_profile[0]) ||
           (p->selinux_label && p->selinux_label[0]);
}

struct err launch_labels(const struct launch *l) {
    static const char *const apparmor[] = {"thread-self/attr/apparmor/exec",
                                           "thread-self/attr/exec", NULL};
    static const char *const selinux[] = {"thread-self/attr/exec", NULL};
    const struct oci_process *p = l->process;
    char text[512];
    if (p->apparmor_profile && p->apparmor_profile[0]) {
        if (snprintf(text, sizeof(text), "exec %s", p->apparmor_profile) >= (int)sizeof(text))
            return err_new(ERR_INVALID, "process.apparmorProfile is too long");
        TRY(write_label(l, apparmor, text, "process.apparmorProfile"));
    }
    if (p->selinux_label && p->selinux_label[0])
        TRY(write_label(l, selinux, p->selinux_label, "process.selinuxLabel"));
    return OK;
}
