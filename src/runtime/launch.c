/* The parent's half of a launch: preparation and clone. */
#include "runtime/launch.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/pidfd.h"
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    int resource;
} rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};
_Static_assert(ARRAY_LEN(rlimit_names) <= LAUNCH_RLIMITS_MAX, "names are unique in a config");

void launch_done(struct launch *l) {
    free(TAKE(l->gids));
}

static struct err prepare_rlimits(struct launch *l, const struct objs *v) {
    const struct oci_rlimit *r = v->items;
    for (size_t i = 0; i < v->n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(rlimit_names) && strcmp(rlimit_names[k].name, r[i].type) != 0)
            k++;
        if (k == ARRAY_LEN(rlimit_names))
            return err_new(ERR_INVALID, "process.rlimits: unknown type '%s'", r[i].type);
        l->rlimits[l->rlimits_n].resource = rlimit_names[k].resource;
        l->rlimits[l->rlimits_n].value = (struct rlimit){r[i].soft, r[i].hard};
        l->rlimits_n++;
    }
    return OK;
}

static uint64_t parse_caps(const struct strs *v, uint64_t possible) {
    uint64_t set = 0;
    for (size_t i = 0; i < v->n; i++) {
        int n = caps_number(str_of(v->items[i]));
        /* The specification: what cannot be granted is a warning, no failure. */
        if (n < 0)
            log_warn("process.capabilities: unknown '%s' is left out", v->items[i]);
        else
            set |= UINT64_C(1) << n;
    }
    return set & possible;
}

/* What we do not have ourselves (a host that withholds CAP_SYS_RESOURCE) cannot be given; "all"
 * then means all that there are, as the peers do. */
static struct err prepare_caps(struct launch *l, const struct oci_capabilities *c) {
    if (l->in_userns)
        l->possible = caps_all();
    else
        TRY(caps_possible(&l->possible));
    static const struct oci_capabilities none;
    c = c ? c : &none;
    uint64_t possible = l->possible;
    l->caps.bounding = parse_caps(&c->bounding, possible);
    l->caps.permitted = parse_caps(&c->permitted, possible);
    l->caps.effective = parse_caps(&c->effective, possible);
    l->caps.inheritable = parse_caps(&c->inheritable, possible);
    l->caps.ambient = parse_caps(&c->ambient, possible);
    if (l->caps.effective & ~l->caps.permitted)
        return err_new(ERR_INVALID, "process.capabilities: effective has more than permitted");
    /* runc's own `spec` writes such a set, and both peers run it. */
    uint64_t raisable = l->caps.permitted & l->caps.inheritable;
    if (l->caps.ambient & ~raisable)
        log_warn("process.capabilities.ambient: what is not permitted and inheritable is left out");
    l->caps.ambient &= raisable;
    return OK;
}

struct err launch_prepare(struct launch *l, const struct oci_process *p) {
    l->process = p;
    l->root = l->proc = -1;
    l->unprivileged = geteuid() != 0;
    TRY(prepare_rlimits(l, &p->rlimits));
    TRY(prepare_caps(l, p->capabilities));
    CLEAN_ARENA struct arena a = {0};
    uint32_t *gids;
    TRY(oci_gids(&p->user, &a, &gids, &l->gids_n));
    if (l->gids_n)
        l->gids = mem_dup(gids, l->gids_n * sizeof(*gids));
    if (p->oom_score_adj) {
        l->oom_score_adj = *p->oom_score_adj;
        l->set_oom_score_adj = true;
    }
    return OK;
}

/* clone3 as fork: the child goes on here, on its copy of the stack. */
static pid_t fork_with(uint64_t flags, int cgroup_dir, int *pidfd, bool *in_core) {
    *in_core = cgroup_dir >= 0;
    struct clone_args a = {
        .flags = flags | CLONE_PIDFD | (cgroup_dir >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)pidfd,
        /* clone3 takes none with CLONE_PARENT: it is that of the caller, which is SIGCHLD too. */
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
        .cgroup = cgroup_dir >= 0 ? (unsigned)cgroup_dir : 0,
    };
    long pid = syscall(SYS_clone3, &a, sizeof(a));
    if (pid >= 0 || errno != ENOSYS)
        return (pid_t)pid;
    /* A filter around us that does not know clone3: the old call has every flag but the cgroup. */
    *in_core = false;
    return (pid_t)syscall(SYS_clone, (unsigned long)(flags | CLONE_PIDFD | SIGCHLD), NULL, pidfd,
                          NULL, 0);
}

struct err launch_clone(uint64_t flags, int cgroup_dir, pid_t *ret_pid, int *ret_pidfd,
                        bool *ret_in_core) {
    /* Before the child exists, so that there is no moment in which it can be looked into. */
    if (geteuid() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    int pidfd = -1;
    pid_t pid = fork_with(flags, cgroup_dir, &pidfd, ret_in_core);
    if (pid < 0)
        return err_errno(errno, "clone");
    *ret_pid = pid;
    if (pid > 0)
        *ret_pidfd = pidfd;
    return OK;
}

struct err launch_describe(pid_t pid, int pidfd, int pty, struct runtime_process *ret) {
    uint64_t start_time;
    TRY(pidfd_start_time(pid, &start_time));
    *ret = (struct runtime_process){
        .pid = pid, .pidfd = pidfd, .pty_master = pty, .start_time = start_time};
    return OK;
}
