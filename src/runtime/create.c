/* runtime_create and the calls on a box, but exec. */
#include "base/mem.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "runtime/box.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    listener_free(b->listener);
    free(b->id);
    free(b);
}

/* --- checks
 * ---------------------------------------------------------------------------------------------------
 */

static bool apparmor_enabled(void) {
    char c = 'N';
    CLEAN_FD int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool selinux_enabled(void) {
    return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static struct err check_labels(const struct oci_config *c) {
    const struct oci_process *p = c->process;
    if (c->linux_->mount_label && c->linux_->mount_label[0] && !selinux_enabled())
        return err_new(ERR_UNSUPPORTED,
                       "linux.mountLabel '%s': SELinux is not enabled on this host",
                       c->linux_->mount_label);
    if (p->selinux_label && p->selinux_label[0] && !selinux_enabled())
        return err_new(ERR_UNSUPPORTED,
                       "process.selinuxLabel '%s': SELinux is not enabled on this host",
                       p->selinux_label);
    if (p->apparmor_profile && p->apparmor_profile[0] && !apparmor_enabled())
        return err_new(ERR_UNSUPPORTED,
                       "process.apparmorProfile '%s': AppArmor is not enabled on this host",
                       p->apparmor_profile);
    return OK;
}

static struct err check(const struct runtime_create_options *o) {
    TRY(oci_config_check(o->config));
    TRY(check_labels(o->config));
    TRY(sysctl_check(o));
    if (o->rootfs_fd < 0 && (!o->config->root->path || o->config->root->path[0] != '/'))
        return err_new(ERR_INVALID, "root.path is not an absolute path");
    if (!program_is_protected())
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
    if (o->cgroup_path)
        snprintf(ret, CGROUP_PATH_MAX, "%s", o->cgroup_path);
    else if (l->cgroups_path && l->cgroups_path[0])
        snprintf(ret, CGROUP_PATH_MAX, "%s%s", l->cgroups_path[0] == '/' ? "" : "/",
                 l->cgroups_path);
    else
        snprintf(ret, CGROUP_PATH_MAX, "/corten/%s", o->id);
}

/* A user without rights over cgroups, and nothing that would need one. */
static bool may_do_without(const struct oci_linux *l, struct err e) {
    int errnum = err_errnum(e);
    const struct oci_resources *r = l->resources;
    bool limits = r && (r->memory || r->cpu || r->pids || r->block_io || r->network ||
                        r->hugepage_limits.n || r->rdma.n || r->unified.n);
    return geteuid() != 0 && !limits && (errnum == EACCES || errnum == EPERM || errnum == EROFS);
}

/* One that is in no hierarchy: there is nothing to enter and nothing to remove. */
static void be_without_cgroup(struct runtime_box *b) {
    struct cgroup_host none = {0};
    memset(none.tree_of, -1, sizeof(none.tree_of));
    cgroup_init(&b->cgroup, &none);
    b->has_cgroup = true;
}

static struct err make_cgroup(const struct runtime_create_options *o, struct runtime_box *b) {
    const struct oci_linux *l = o->config->linux_;
    char path[CGROUP_PATH_MAX];
    cgroup_path_of(o, path);
    struct cgroup_host host;
    if (o->cgroup_host)
        host = *o->cgroup_host;
    else
        TRY(cgroup_detect(&host));
    limits_demand(&host, l->resources);
    struct err e = o->cgroup_path ? cgroup_adopt(&host, path, &b->cgroup)
                                  : cgroup_make(&host, path, &b->cgroup);
    if (err_failed(e) && may_do_without(l, e)) {
        err_free(e);
        be_without_cgroup(b);
        return OK;
    }
    TRY(e);
    b->has_cgroup = true;
    TRY(limits_devices(&b->cgroup, l->resources));
    return l->resources ? limits_apply(&b->cgroup, l->resources) : OK;
}

static void undo_cgroup(struct runtime_box *b) {
    if (!b || !b->has_cgroup || !b->cgroup.host.trees_n)
        return;
    /* The error that led here is the one to tell. */
    err_ignore(cgroup_kill(&b->cgroup));
    err_ignore(cgroup_remove(&b->cgroup.host, b->cgroup.path));
}

/* --- the start of a process
 * -------------------------------------------------------------------------------------- */

/* Hooks that run in our namespaces while the container's are complete but for the pivot. */
static struct err run_hooks(const struct init *i, int sync, pid_t pid) {
    const struct oci_hooks *h = i->options->config->hooks;
    if (h) {
        TRY(hooks_run(&h->prestart, "prestart", i->options, "creating", pid));
        TRY(hooks_run(&h->create_runtime, "createRuntime", i->options, "creating", pid));
    }
    return sync_send(sync, SYNC_GO, -1);
}

static struct err await_ready(const struct init *i, int sync, pid_t pid, int *ret_pty) {
    CLEAN_FD int pty = -1;
    for (;;) {
        enum sync_type type = 0;
        int fd = -1;
        TRY(sync_receive(sync, &type, &fd));
        if (type == SYNC_TERMINAL && pty < 0) {
            pty = fd;
            continue;
        }
        if (type == SYNC_HOOKS) {
            fd_close(fd);
            TRY(run_hooks(i, sync, pid));
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

/* The container's network namespace: one that is joined, or the first process's own. */
static struct err open_netns(const struct init *i, pid_t pid, int *ret) {
    for (size_t k = 0; k < i->joins_n; k++)
        if (i->joins[k].type == CLONE_NEWNET) {
            *ret = fcntl(i->joins[k].fd, F_DUPFD_CLOEXEC, 3);
            return *ret < 0 ? err_errno(errno, "duplicate descriptor") : OK;
        }
    return ns_open(pid, "net", ret);
}

static struct err bring_up(struct init *i, struct runtime_box *b, pid_t pid, int *ret_pty) {
    struct err e = OK;
    const struct oci_config *c = i->options->config;
    CLEAN_FD int netns = -1;
    if (i->clone & CLONE_NEWUSER)
        TRY(userns_map(c, pid));
    if (c->linux_->net_devices.n) {
        TRY(open_netns(i, pid, &netns));
        TRY(net_devices_move(c, netns, false));
    }
    if (init_waits(i))
        e = sync_send(b->sync, SYNC_GO, -1);
    if (!err_failed(e))
        e = await_ready(i, b->sync, pid, ret_pty);
    if (err_failed(e) && netns >= 0)
        err_ignore(net_devices_move(c, netns, true)); /* e is what is to be told */
    return e;
}

static struct err start_init(struct init *i, struct runtime_box *b, struct runtime_process *ret) {
    int pair[2];
    TRY(sync_pair(pair));
    b->sync = pair[0];
    CLEAN_FD int child_end = pair[1];
    i->launch.sync = child_end;
    pid_t pid;
    CLEAN_FD int pidfd = -1, pty = -1;
    TRY(birth(i, b, &pid, &pidfd));
    child_end = fd_close(child_end);
    struct err e = bring_up(i, b, pid, &pty);
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

/* What the user namespace's root may have closed to it is opened with our rights. */
static struct err open_trees(const struct runtime_create_options *o, struct mount_plans *plans,
                             int *ret_rootfs) {
    bool in_userns = oci_namespace(o->config, "user", NULL);
    TRY(mounts_open_sources(plans, o->config, in_userns));
    if (o->rootfs_fd >= 0 || !in_userns)
        return OK;
    struct err e = mount_clone(AT_FDCWD, o->config->root->path, true, ret_rootfs);
    if (err_errnum(e) != EPERM)
        return err_wrap(e, "root.path");
    err_free(e); /* not ours to do: left to the process in its own mount namespace */
    return OK;
}

static enum launch_personality personality_of(const struct oci_personality *p) {
    if (!p || !p->domain)
        return PERSONALITY_KEPT;
    return strcmp(p->domain, "LINUX32") == 0 ? PERSONALITY_LINUX32 : PERSONALITY_LINUX;
}

static struct err create(const struct runtime_create_options *o, struct init *i,
                         struct runtime_box *b, struct runtime_process *ret) {
    CLEAN_MOUNT_PLANS struct mount_plans plans = {0};
    TRY(mounts_plan(o, &plans));
    b->personality = personality_of(o->config->linux_->personality);
    TRY(memory_policy_read(o->config->linux_->memory_policy, &b->memory_policy));
    i->launch.in_userns = oci_namespace(o->config, "user", NULL);
    TRY(launch_prepare(&i->launch, o->config->process));
    TRY(filter_load(o, b));
    TRY(make_cgroup(o, b));
    struct runtime_create_options with = *o;
    CLEAN_FD int rootfs = -1;
    TRY(open_trees(o, &plans, &rootfs));
    if (userns_is_new(o->config) && geteuid() == 0)
        TRY(device_trees_make(o->config, &i->devices));
    with.rootfs_fd = rootfs >= 0 ? rootfs : o->rootfs_fd;
    if (o->await_netns)
        TRY(o->await_netns(o->await_arg, &with.netns_fd));
    TRY(birth_choose(&with, i, b));
    i->options = &with;
    i->plans = &plans;
    i->launch.id = o->id;
    i->launch.die_with_caller = o->die_with_caller;
    i->launch.stdio = o->stdio;
    i->launch.keep_keyring = o->no_new_keyring;
    i->launch.keep_groups = o->keep_groups;
    i->launch.preserve_fds = o->preserve_fds;
    i->launch.init_fd = o->init_fd;
    i->launch.cgroup = b->has_cgroup ? &b->cgroup : NULL;
    i->launch.personality = b->personality;
    i->launch.memory_policy = &b->memory_policy;
    if (userns_is_new(o->config))
        userns_give_streams(o);
    i->launch.seccomp = b->has_seccomp ? &b->seccomp : NULL;
    i->launch.seccomp_flags = b->seccomp_flags;
    i->launch.listens = b->listener;
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
    struct init i = {.user_ns = -1, .mount_ns = -1};
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

struct err runtime_cgroup_make(const struct runtime_create_options *o) {
    TRY(check(o));
    struct runtime_box *b = box_new(o);
    struct err e = make_cgroup(o, b);
    if (err_failed(e))
        undo_cgroup(b);
    box_free(&b);
    return e;
}

/* --- a box that somebody else made
 * ------------------------------------------------------------------------------------------ */

static struct err open_box(const struct runtime_create_options *o, struct runtime_box *b) {
    struct init i = {.user_ns = -1, .mount_ns = -1};
    struct err e = birth_choose(o, &i, b);
    init_done(&i);
    TRY(e);
    b->personality = personality_of(o->config->linux_->personality);
    TRY(memory_policy_read(o->config->linux_->memory_policy, &b->memory_policy));
    TRY(filter_load(o, b));
    char path[CGROUP_PATH_MAX];
    cgroup_path_of(o, path);
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    struct err found = cgroup_open(&host, path, &b->cgroup);
    if (err_kind(found) == ERR_NOT_FOUND && geteuid() != 0) {
        err_free(found);
        be_without_cgroup(b);
        return OK;
    }
    TRY(found);
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

/* Until execve has closed the other end, or says why not. */
static struct err start_through(int sock, const struct listener *l, pid_t pid, int pidfd) {
    TRY(sync_send(sock, SYNC_GO, -1));
    for (;;) {
        enum sync_type type = 0;
        CLEAN_FD int fd = -1;
        TRY(sync_receive(sock, &type, &fd));
        if (type == 0)
            return OK;
        if (type != SYNC_LISTENER)
            return err_new(ERR_SYSTEM, "unexpected message from the container's first process");
        TRY(listener_serve(l, fd, pid, pidfd, "created"));
    }
}

static struct err start_or_kill(int sock, const struct listener *l, pid_t pid, int pidfd) {
    struct err e = start_through(sock, l, pid, pidfd);
    if (err_failed(e))
        err_ignore(pidfd_signal(pidfd, SIGKILL)); /* it is on its way out */
    return e;
}

struct err runtime_start_through(int sock, const struct runtime_create_options *o, pid_t init,
                                 uint64_t start_time) {
    CLEAN_FD int pidfd = -1;
    struct listener *l = NULL;
    TRY(pidfd_of_started(init, start_time, &pidfd));
    TRY(listener_new(o, &l));
    struct err e = start_or_kill(sock, l, init, pidfd);
    listener_free(l);
    return e;
}

struct err runtime_start(struct runtime_box *b) {
    if (b->sync < 0)
        return err_new(ERR_CONFLICT, "container '%s' is started already", b->id);
    CLEAN_FD int sync = TAKE_FD(b->sync);
    return start_or_kill(sync, b->listener, b->init_pid, b->init_pidfd);
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

struct err runtime_end(struct runtime_box *b) {
    return cgroup_populated(&b->cgroup) ? cgroup_kill(&b->cgroup) : OK;
}

struct err runtime_delete(struct runtime_box *b) {
    if (!b)
        return OK;
    TRY(runtime_end(b));
    /* The directories' descriptors are not needed for it, and must not be what keeps them. */
    struct cgroup_host host = b->cgroup.host;
    char path[CGROUP_PATH_MAX];
    snprintf(path, sizeof(path), "%s", b->cgroup.path);
    box_free(&b);
    return host.trees_n ? cgroup_remove(&host, path) : OK;
}
