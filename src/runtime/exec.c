/* runtime_exec: another process in a running container. */
#include "base/file.h"
#include "base/time.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "runtime/box.h"
#include "runtime/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_FILE_MAX 65536

/* One process on its way in. */
struct way {
    const struct runtime_box *box;
    struct launch *launch;
    uint64_t join; /* CLONE_NEW* that the child itself enters */
};

/* In the child, which clone has put into the container's pid namespace. */
static struct err enter(const struct way *w) {
    const struct runtime_box *b = w->box;
    struct launch *l = w->launch;
    const struct oci_cpu_affinity *cpus = l->process->exec_cpu_affinity;
    launch_reset_signals();
    umask(022);
    if (cpus && cpus->initial)
        TRY(launch_affinity(cpus->initial, "initial"));
    TRY(launch_enter_cgroup(l));
    /* All at once, by the init's pidfd; root and working directory become those of the namespace.
     */
    if (setns(b->init_pidfd, (int)w->join) < 0)
        return err_errno(errno, "enter the container's namespaces");
    l->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->root < 0)
        return err_errno(errno, "open root");
    if (b->own_user_ns)
        TRY(userns_become_root());
    TRY(launch_session(l));
    if (launch_labelled(l->process))
        TRY(launch_open_proc(l));
    TRY(launch_terminal(l, false));
    TRY(launch_stdio(l));
    if (cpus && cpus->final)
        TRY(launch_affinity(cpus->final, "final"));
    return launch_program(l);
}

/* Where the init is now. A container that runs an init system of its own moves everything into
 * cgroups below the one that we made, and cgroup v2 then takes no process in ours (EBUSY). */
static int open_cgroup_of_init(const struct runtime_box *b) {
    char path[40], full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX * 2];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)b->init_pid);
    err_ignore(file_read(path, CGROUP_FILE_MAX, &text)); /* nothing read: nothing found */
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line)) {
        if (!str_starts(line, STR("0::/")) ||
            !str_starts(str_from(line, 3), str_of(b->cgroup.path)))
            continue;
        const struct cgroup_host *h = &b->cgroup.host;
        int n = snprintf(full, sizeof(full), "%s%.*s", h->trees[h->tree_of[CGROUP_CORE]].mount,
                         STR_ARG(str_from(line, 3)));
        return n < (int)sizeof(full) ? open(full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                     : -1;
    }
    return -1;
}

static struct err clone_here(const struct way *w, uint64_t flags, int core, pid_t *ret_pid,
                             int *ret_pidfd) {
    struct err e = launch_clone(flags, core, ret_pid, ret_pidfd, &w->launch->in_core);
    if (!err_failed(e) && *ret_pid == 0)
        sync_fail(w->launch->sync, enter(w));
    return e;
}

static struct err clone_once(void *arg, uint64_t flags, pid_t *ret_pid, int *ret_pidfd) {
    const struct way *w = arg;
    const struct runtime_box *b = w->box;
    struct launch *l = w->launch;
    struct err e = clone_here(w, flags, cgroup_dir(l->cgroup, CGROUP_CORE), ret_pid, ret_pidfd);
    if (!err_failed(e))
        return e;
    /* A directory that takes no process: a container may have made its cgroup threaded. */
    if (l->cgroup != &b->cgroup) {
        err_free(e);
        l->cgroup = &b->cgroup;
        e = clone_here(w, flags, cgroup_dir(l->cgroup, CGROUP_CORE), ret_pid, ret_pidfd);
    }
    if (err_errnum(e) != EBUSY)
        return e;
    CLEAN_FD int below = open_cgroup_of_init(b);
    if (below < 0)
        return e;
    err_free(e);
    return clone_here(w, flags, below, ret_pid, ret_pidfd);
}

/* A user namespace's owner has no rights over the namespaces that belong to it until it is inside.
 */
static struct err clone_as_owner(struct way *w, pid_t *ret_pid, int *ret_pidfd) {
    const struct runtime_box *b = w->box;
    int types = CLONE_NEWUSER | (b->own_pid_ns ? CLONE_NEWPID : 0);
    w->join &= ~(uint64_t)CLONE_NEWUSER;
    const struct between x = {b->init_pidfd, types, clone_once, w};
    return between_clone(&x, ret_pid, ret_pidfd);
}

static struct err clone_into(const struct runtime_box *b, struct launch *l, pid_t *ret_pid,
                             int *ret_pidfd) {
    struct way w = {b, l, b->join};
    if (b->own_user_ns && geteuid() != 0)
        return clone_as_owner(&w, ret_pid, ret_pidfd);
    CLEAN_FD int own = -1;
    if (b->own_pid_ns) {
        TRY(ns_open(0, "pid", &own));
        /* For children only: so the new process is born inside and our child all the same. */
        if (setns(b->init_pidfd, CLONE_NEWPID) < 0)
            return err_kind_errno(errno == ESRCH ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                                  "enter pid namespace");
    }
    struct err e = clone_once(&w, 0, ret_pid, ret_pidfd);
    if (own >= 0 && setns(own, CLONE_NEWPID) < 0)
        abort(); /* every later child would land in the container */
    return e;
}

/* --- begin ------------------------------------------------------------------------------------ */

static struct err start(struct runtime_box *b, struct launch *l, struct runtime_entry *ret) {
    int pair[2];
    TRY(sync_pair(pair));
    CLEAN_FD int ours = pair[0], child_end = pair[1];
    l->sync = child_end;
    pid_t pid;
    int pidfd = -1;
    TRY(clone_into(b, l, &pid, &pidfd));
    *ret = (struct runtime_entry){.pid = pid,
                                  .pidfd = pidfd,
                                  .pty_master = -1,
                                  .sync = TAKE_FD(ours),
                                  .began = time_monotonic()};
    return OK;
}

static struct err refuse_frozen(const struct runtime_box *b) {
    return err_new(ERR_CONFLICT, "container %s is paused, unpause the container before exec",
                   b->id);
}

struct err runtime_exec_begin(struct runtime_box *b, const char *track,
                              const struct oci_process *process, const struct runtime_stdio *stdio,
                              struct runtime_entry *ret) {
    TRY(oci_process_check(process));
    if (pidfd_ended(b->init_pidfd))
        return err_new(ERR_NOT_FOUND, "container '%s' is not running", b->id);
    if (runtime_frozen(b))
        return refuse_frozen(b);
    CLEAN_LAUNCH struct launch l = {.in_userns = b->own_user_ns};
    TRY(launch_prepare(&l, process));
    struct cgroup tracked;
    CLEAN_FD int dir = -1;
    exec_cgroup_make(b, track, &tracked, &dir);
    l.id = b->id;
    l.stdio = *stdio;
    l.preserve_fds = b->preserve_fds;
    l.keep_keyring = b->keep_keyring;
    l.personality = b->personality;
    l.memory_policy = &b->memory_policy;
    l.cgroup = dir >= 0 ? &tracked : &b->cgroup;
    l.seccomp = b->has_seccomp ? &b->seccomp : NULL;
    l.seccomp_flags = b->seccomp_flags;
    l.listens = b->listener;
    struct err e = start(b, &l, ret);
    if (err_failed(e) && dir >= 0)
        runtime_exec_forget(b, track);
    return e;
}

/* --- continue --------------------------------------------------------------------------------- */

/* The socket stays open: somebody may watch it. */
static void kill_entry(struct runtime_entry *x) {
    x->pty_master = fd_close(x->pty_master);
    if (x->pidfd < 0)
        return;
    struct pidfd_exit end;
    err_ignore(pidfd_signal(x->pidfd, SIGKILL)); /* gone already is what we want */
    /* In a frozen v1 cgroup even this waits for the thaw. */
    if (pidfd_wait(x->pidfd, 100))
        err_ignore(pidfd_reap(x->pidfd, &end));
    x->pidfd = fd_close(x->pidfd);
}

void runtime_exec_abandon(struct runtime_entry *x) {
    kill_entry(x);
    x->sync = fd_close(x->sync);
}

/* What is there to be read. *ret_done: execve has closed the socket. */
static struct err read_entry(const struct runtime_box *b, struct runtime_entry *x, bool *ret_done) {
    for (;;) {
        struct pollfd p = {.fd = x->sync, .events = POLLIN};
        enum sync_type type = 0;
        int fd = -1;
        if (poll(&p, 1, 0) == 0)
            return OK;
        TRY(sync_receive(x->sync, &type, &fd));
        if (type == 0) {
            *ret_done = true;
            return OK;
        }
        if (type == SYNC_LISTENER) {
            struct err e = listener_serve(b->listener, fd, x->pid, x->pidfd, "running");
            fd_close(fd);
            TRY(e);
            continue;
        }
        if (type != SYNC_TERMINAL || x->pty_master >= 0) {
            fd_close(fd);
            return err_new(ERR_SYSTEM, "unexpected message from a process on its way in");
        }
        x->pty_master = fd;
    }
}

static struct err check_entry(const struct runtime_box *b, const struct runtime_entry *x) {
    if (runtime_frozen(b))
        return refuse_frozen(b);
    if (time_monotonic() - x->began > SYNC_TIMEOUT_MS * NSEC_PER_MSEC)
        return err_new(ERR_TIMEOUT, "a process on its way into the container does not answer");
    return OK;
}

struct err runtime_exec_continue(struct runtime_box *b, struct runtime_entry *x, bool *ret_done,
                                 struct runtime_process *ret) {
    bool done = false;
    struct err e = read_entry(b, x, &done);
    if (!err_failed(e) && !done)
        e = check_entry(b, x);
    if (!err_failed(e) && done)
        e = launch_describe(x->pid, x->pidfd, x->pty_master, ret);
    if (err_failed(e)) {
        kill_entry(x);
        return e;
    }
    if (done)
        x->pidfd = x->pty_master = -1; /* ret's now */
    *ret_done = done;
    return OK;
}

#define LOOK_MS 50 /* between looks at whether the container was frozen */

struct err runtime_exec(struct runtime_box *b, const struct oci_process *process,
                        const struct runtime_stdio *stdio, struct runtime_process *ret) {
    struct runtime_entry x;
    bool done = false;
    TRY(runtime_exec_begin(b, NULL, process, stdio, &x));
    struct err e = OK;
    while (!done && !err_failed(e)) {
        struct pollfd p = {.fd = x.sync, .events = POLLIN};
        poll(&p, 1, LOOK_MS);
        e = runtime_exec_continue(b, &x, &done, ret);
    }
    runtime_exec_abandon(&x);
    return e;
}
