/* runtime_create and the calls on a box, but exec. */
#include "base/mem.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int type;
} namespaces[] = {
    {"pid", CLONE_NEWPID}, {"network", CLONE_NEWNET},   {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP},
};

static void init_done(struct init *i) {
    for (size_t k = 0; k < i->joins_n; k++)
        fd_close(i->joins[k].fd);
    i->joins_n = 0;
    i->pid_ns = fd_close(i->pid_ns);
    launch_done(&i->launch);
}

static void box_free(struct runtime_box **pb) {
    struct runtime_box *b = TAKE(*pb);
    if (!b)
        return;
    if (b->has_cgroup)
        cgroup_done(&b->cgroup);
    fd_close(b->init_pidfd);
    fd_close(b->sync);
    fd_close(b->oom_fd);
    vec_done(&b->seccomp);
    free(b->id);
    free(b);
}

/* --- namespaces
 * ------------------------------------------------------------------------------------------ */

static void add_join(struct init *i, int fd, int type) {
    i->joins[i->joins_n].fd = fd;
    i->joins[i->joins_n].type = type;
    i->joins_n++;
}

static struct err choose_one(const struct runtime_create_options *o, size_t k, struct init *i,
                             struct runtime_box *b) {
    int type = namespaces[k].type;
    const char *path = NULL;
    int given = type == CLONE_NEWNET ? o->netns_fd : -1;
    if (!oci_namespace(o->config, namespaces[k].name, &path) && given < 0)
        return OK;
    b->join |= (uint64_t)type;
    if (given >= 0) {
        int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return err_errno(errno, "duplicate descriptor");
        add_join(i, fd, type);
    } else if (path) {
        int fd = -1;
        TRY(ns_open_path(path, type, &fd));
        if (type == CLONE_NEWPID)
            i->pid_ns = fd;
        else
            add_join(i, fd, type);
    } else if (type == CLONE_NEWCGROUP) {
        i->new_cgroup_ns = true;
    } else {
        i->clone |= (uint64_t)type;
    }
    return OK;
}

static struct err choose_namespaces(const struct runtime_create_options *o, struct init *i,
                                    struct runtime_box *b) {
    i->clone = CLONE_NEWNS;
    b->join = CLONE_NEWNS;
    for (size_t k = 0; k < ARRAY_LEN(namespaces); k++)
        TRY(choose_one(o, k, i, b));
    b->own_pid_ns = b->join & CLONE_NEWPID;
    b->join &= ~(uint64_t)CLONE_NEWPID; /* entered around clone, not by the child */
    return OK;
}

/* --- checks
 * ---------------------------------------------------------------------------------------------------
 */

static bool apparmor_enabled(void) {
    char c = 'N';
    CLEAN_FD int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static struct err check_apparmor(const struct oci_process *p) {
    if (p->apparmor_profile && p->apparmor_profile[0] && !apparmor_enabled())
        return err_new(ERR_UNSUPPORTED,
                       "process.apparmorProfile '%s': AppArmor is not enabled on this host",
                       p->apparmor_profile);
    return OK;
}

static struct err check(const struct runtime_create_options *o) {
    TRY(oci_config_check(o->config));
    TRY(check_apparmor(o->config->process));
    TRY(sysctl_check(o));
    if (o->rootfs_fd < 0 && (!o->config->root->path || o->config->root->path[0] != '/'))
        return err_new(ERR_INVALID, "root.path is not an absolute path");
    if (!mount_program_is_readonly())
        return err_new(ERR_FORBIDDEN,
                       "the runtime's own program lies on a writable mount: a "
                       "container could overwrite it (runtime_protect was not called)");
    return OK;
}

/* --- cgroup
 * ----------------------------------------------------------------------------------------------------
 */

static void cgroup_path_of(const struct runtime_create_options *o, char ret[CGROUP_PATH_MAX]) {
    const struct oci_linux *l = o->config->linux_;
    if (l->cgroups_path && l->cgroups_path[0])
        snprintf(ret, CGROUP_PATH_MAX, "%s%s", l->cgroups_path[0] == '/' ? "" : "/",
                 l->cgroups_path);
    else
        snprintf(ret, CGROUP_PATH_MAX, "/corten/%s", o->id);
}

static struct err make_cgroup(const struct runtime_create_options *o, struct runtime_box *b) {
    const struct oci_linux *l = o->config->linux_;
    char path[CGROUP_PATH_MAX];
    cgroup_path_of(o, path);
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    TRY(cgroup_make(&host, path, &b->cgroup));
    b->has_cgroup = true;
    TRY(limits_devices(&b->cgroup, l->resources));
    return l->resources ? limits_apply(&b->cgroup, l->resources) : OK;
}

static void undo_cgroup(struct runtime_box *b) {
    if (!b || !b->has_cgroup)
        return;
    /* The error that led here is the one to tell. */
    err_ignore(cgroup_kill(&b->cgroup));
    err_ignore(cgroup_remove(&b->cgroup.host, b->cgroup.path));
}

/* --- the start of a process
 * -------------------------------------------------------------------------------------- */

static struct err clone_init(struct init *i, struct runtime_box *b, pid_t *ret_pid,
                             int *ret_pidfd) {
    CLEAN_FD int own_pid_ns = -1;
    if (i->pid_ns >= 0) {
        TRY(ns_open(0, "pid", &own_pid_ns));
        if (setns(i->pid_ns, CLONE_NEWPID) < 0)
            return err_errno(errno, "enter pid namespace");
    }
    struct launch *l = &i->launch;
    struct err e = launch_clone(i->clone, cgroup_dir(&b->cgroup, CGROUP_CORE), ret_pid, ret_pidfd,
                                &l->in_core);
    if (!err_failed(e) && *ret_pid == 0)
        init_main(i);
    /* Only "children's pid namespace" was changed; going back to one's own cannot fail. */
    if (own_pid_ns >= 0 && setns(own_pid_ns, CLONE_NEWPID) < 0 && !err_failed(e))
        abort();
    return e;
}

static struct err await_ready(int sync, int *ret_pty) {
    CLEAN_FD int pty = -1;
    for (;;) {
        enum sync_type type = 0;
        int fd = -1;
        TRY(sync_receive(sync, &type, &fd));
        if (type == SYNC_TERMINAL && pty < 0) {
            pty = fd;
            continue;
        }
        fd_close(fd);
        if (type != SYNC_READY)
            return err_new(ERR_SYSTEM, "the container's first process died");
        *ret_pty = TAKE_FD(pty);
        return OK;
    }
}

static void kill_and_reap(int pidfd) {
    struct pidfd_exit x;
    err_ignore(pidfd_signal(pidfd, SIGKILL)); /* gone already is what we want */
    err_ignore(pidfd_reap(pidfd, &x));
}

static struct err start_init(struct init *i, struct runtime_box *b, struct runtime_process *ret) {
    int pair[2];
    TRY(sync_pair(pair));
    b->sync = pair[0];
    CLEAN_FD int child_end = pair[1];
    i->launch.sync = child_end;
    pid_t pid;
    CLEAN_FD int pidfd = -1, pty = -1;
    TRY(clone_init(i, b, &pid, &pidfd));
    child_end = fd_close(child_end);
    struct err e = await_ready(b->sync, &pty);
    if (!err_failed(e))
        e = launch_describe(pid, pidfd, pty, ret);
    if (!err_failed(e) && (b->init_pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3)) < 0)
        e = err_errno(errno, "duplicate descriptor");
    if (err_failed(e)) {
        kill_and_reap(pidfd);
        return e;
    }
    b->init_pid = pid;
    pidfd = pty = -1; /* ret's now */
    return OK;
}

static struct err create(const struct runtime_create_options *o, struct init *i,
                         struct runtime_box *b, struct runtime_process *ret) {
    CLEAN_MOUNT_PLANS struct mount_plans plans = {0};
    TRY(mounts_plan(o, &plans));
    TRY(launch_prepare(&i->launch, o->config->process));
    TRY(filter_load(o, b));
    TRY(choose_namespaces(o, i, b));
    TRY(make_cgroup(o, b));
    i->options = o;
    i->plans = &plans;
    i->launch.id = o->id;
    i->launch.die_with_caller = o->die_with_caller;
    i->launch.stdio = o->stdio;
    i->launch.keep_keyring = o->no_new_keyring;
    i->launch.preserve_fds = o->preserve_fds;
    i->launch.init_fd = o->init_fd;
    i->launch.cgroup = &b->cgroup;
    i->launch.seccomp = b->has_seccomp ? &b->seccomp : NULL;
    return start_init(i, b, ret);
}

static struct runtime_box *box_new(const struct runtime_create_options *o) {
    struct runtime_box *b = NEW(struct runtime_box);
    b->id = mem_strdup(o->id);
    b->preserve_fds = o->preserve_fds;
    b->keep_keyring = o->no_new_keyring;
    b->init_pidfd = b->sync = b->oom_fd = -1;
    return b;
}

struct err runtime_create(const struct runtime_create_options *o, struct runtime_box **ret_box,
                          struct runtime_process *ret_init) {
    TRY(check(o));
    struct runtime_box *b = box_new(o);
    struct init i = {.pid_ns = -1};
    struct err e = create(o, &i, b, ret_init);
    init_done(&i);
    if (err_failed(e)) {
        undo_cgroup(b);
        box_free(&b);
        return e;
    }
    *ret_box = b;
    return OK;
}

/* --- a box that somebody else made
 * ------------------------------------------------------------------------------------------ */

static struct err open_box(const struct runtime_create_options *o, struct runtime_box *b) {
    struct init i = {.pid_ns = -1};
    struct err e = choose_namespaces(o, &i, b);
    init_done(&i);
    TRY(e);
    TRY(filter_load(o, b));
    char path[CGROUP_PATH_MAX];
    cgroup_path_of(o, path);
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    TRY(cgroup_open(&host, path, &b->cgroup));
    b->has_cgroup = true;
    return OK;
}

struct err runtime_open(const struct runtime_create_options *o, pid_t init, uint64_t start_time,
                        struct runtime_box **ret) {
    TRY(oci_config_check(o->config));
    struct runtime_box *b = box_new(o);
    b->init_pid = init;
    struct err e = pidfd_of_started(init, start_time, &b->init_pidfd);
    if (!err_failed(e))
        e = open_box(o, b);
    if (err_failed(e)) {
        box_free(&b);
        return e;
    }
    *ret = b;
    return OK;
}

void runtime_close(struct runtime_box *b) {
    box_free(&b);
}

/* --- on a box
 * ------------------------------------------------------------------------------------------------------
 */

struct err runtime_start_through(int sock) {
    enum sync_type type = 0;
    TRY(sync_send(sock, SYNC_GO, -1));
    TRY(sync_receive(sock, &type, NULL));
    return type ? err_new(ERR_SYSTEM, "unexpected message from the container's first process") : OK;
}

struct err runtime_start(struct runtime_box *b) {
    if (b->sync < 0)
        return err_new(ERR_CONFLICT, "container '%s' is started already", b->id);
    CLEAN_FD int sync = TAKE_FD(b->sync);
    struct err e = runtime_start_through(sync);
    if (err_failed(e))
        err_ignore(pidfd_signal(b->init_pidfd, SIGKILL)); /* it is on its way out */
    return e;
}

struct err runtime_kill(struct runtime_box *b, int signo) {
    return pidfd_signal(b->init_pidfd, signo);
}

struct err runtime_kill_all(struct runtime_box *b) {
    return cgroup_kill(&b->cgroup);
}

struct err runtime_pause(struct runtime_box *b) {
    return cgroup_freeze(&b->cgroup, true);
}

struct err runtime_resume(struct runtime_box *b) {
    return cgroup_freeze(&b->cgroup, false);
}

struct err runtime_delete(struct runtime_box *b) {
    if (!b)
        return OK;
    struct err e = OK;
    if (cgroup_populated(&b->cgroup))
        e = cgroup_kill(&b->cgroup);
    if (err_failed(e))
        return e;
    /* The directories' descriptors are not needed for it, and must not be what keeps them. */
    struct cgroup_host host = b->cgroup.host;
    char path[CGROUP_PATH_MAX];
    snprintf(path, sizeof(path), "%s", b->cgroup.path);
    box_free(&b);
    return cgroup_remove(&host, path);
}
