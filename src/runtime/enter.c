/* The child's half of a launch, up to the program: signals, cgroup, session, limits, terminal,
 * stdio. Runs in the container's first process and in every exec. */
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include "kernel/pty.h"
#include "runtime/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void launch_reset_signals(void) {
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            sigaction(s, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

struct err launch_enter_cgroup(const struct launch *l) {
    if (l->set_oom_score_adj) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%lld", (long long)l->oom_score_adj);
        CLEAN_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(errno, "open oom_score_adj");
        TRY(mount_check_type(fd, PROC_SUPER_MAGIC, "oom_score_adj"));
        /* Lower than inherited needs CAP_SYS_RESOURCE; then, as with rlimits, what there is must
         * do. */
        if (write(fd, text, (size_t)n) < 0 && errno != EACCES)
            return err_errno(errno, "set oom_score_adj to %s", text);
    }
    if (!l->cgroup)
        return OK;
    int r = cgroup_attach(l->cgroup, 0, l->in_core ? cgroup_dir(l->cgroup, CGROUP_CORE) : -1);
    return r < 0 ? err_errno(r, "enter cgroup '%s'", l->cgroup->path) : OK;
}

struct err launch_session(const struct launch *l) {
    if (setsid() < 0)
        return err_errno(errno, "setsid");
    if (l->keep_keyring)
        return OK;
    /* A keyring of its own: keys of the host's session must not be reachable (row 79). */
    char name[80];
    snprintf(name, sizeof(name), "_ses.%s", l->id);
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS &&
        errno != EPERM) /* EPERM: a filter around us; then there is no keyring to be had either */
        return err_errno(errno, "join session keyring");
    return OK;
}

struct err launch_rlimits(const struct launch *l) {
    for (size_t i = 0; i < l->rlimits_n; i++) {
        struct rlimit want = l->rlimits[i].value, have;
        if (setrlimit(l->rlimits[i].resource, &want) == 0)
            continue;
        /* Without CAP_SYS_RESOURCE the inherited hard limit is the ceiling: clamped to it. */
        if (errno != EPERM || getrlimit(l->rlimits[i].resource, &have) < 0)
            return err_errno(errno, "set rlimit %d", l->rlimits[i].resource);
        want.rlim_max = MIN(want.rlim_max, have.rlim_max);
        want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
        if (setrlimit(l->rlimits[i].resource, &want) < 0)
            return err_errno(errno, "set rlimit %d", l->rlimits[i].resource);
    }
    return OK;
}

struct err launch_open_proc(struct launch *l) {
    if (l->proc >= 0)
        return OK;
    TRYF(mount_new_fs("proc", "proc", NULL, 0, 0, PROC_SUPER_MAGIC, &l->proc), "private /proc");
    return OK;
}

/* --- terminal and standard streams
 * --------------------------------------------------------------------- */

static struct err place_console(const struct launch *l, int slave) {
    CLEAN_FD int target = -1, tree = -1;
    TRY(beneath_touch(l->root, "/dev/console", 0600, &target));
    /* By descriptor: whatever lies at /dev/pts/N now is not asked. */
    TRY(mount_clone(slave, "", false, &tree));
    return mount_attach(tree, target);
}

struct err launch_terminal(struct launch *l, bool bind_console) {
    const struct oci_process *p = l->process;
    if (!p->terminal)
        return OK;
    CLEAN_FD int master = -1, slave = -1;
    TRY(pty_open(l->root, "/dev/pts/ptmx", &master, &slave));
    if (p->console_size)
        TRY(pty_resize(master, p->console_size->height, p->console_size->width));
    if (bind_console)
        TRYF(place_console(l, slave), "terminal: /dev/console");
    TRY(sync_send(l->sync, SYNC_TERMINAL, master));
    int r = pty_control(slave);
    if (r < 0)
        return err_errno(r, "terminal: make it the controlling one");
    for (int fd = 0; fd <= 2; fd++)
        if (dup3(slave, fd, 0) < 0)
            return err_errno(errno, "terminal: standard streams");
    return OK;
}

/* /dev/null as the container has it, but only when it is what it seems. */
static struct err open_null(const struct launch *l, int *ret_fd) {
    CLEAN_FD int fd = -1;
    TRY(beneath_open(l->root, "/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY, 0, &fd));
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(errno, "stat /dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return err_new(ERR_FORBIDDEN, "/dev/null of the container is not the null device");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err place_streams(const struct launch *l) {
    const int from[3] = {l->stdio.in, l->stdio.out, l->stdio.err};
    int lifted[3];
    CLEAN_FD int null = -1;
    for (int i = 0; i < 3; i++) {
        if (from[i] < 0 && null < 0)
            TRY(open_null(l, &null));
        /* Above 2 first: a source may be one of the numbers that are about to be replaced. */
        lifted[i] = fcntl(from[i] < 0 ? null : from[i], F_DUPFD_CLOEXEC, 3);
        if (lifted[i] < 0)
            return err_errno(errno, "standard stream %d", i);
    }
    for (int i = 0; i < 3; i++)
        if (dup3(lifted[i], i, 0) < 0)
            return err_errno(errno, "standard stream %d", i);
    return OK;
}

struct err launch_stdio(struct launch *l) {
    if (!l->process->terminal)
        TRY(place_streams(l));
    /* The streams belong to the user: /dev/stdout is opened again by its permissions. Devices of
     * the host (/dev/null) are left alone; where it cannot be (a read-only mount) it does not
     * matter. */
    for (int fd = 0; fd <= 2; fd++) {
        struct stat st;
        if (fstat(fd, &st) < 0)
            return err_errno(errno, "standard stream %d", fd);
        bool ours = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || l->process->terminal;
        if (ours && st.st_uid != l->process->user.uid &&
            fchown(fd, l->process->user.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL &&
            errno != EROFS)
            return err_errno(errno, "give standard stream %d to the user", fd);
    }
    return OK;
}
