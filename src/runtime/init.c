/* The container's first process, from clone to execve. */
#include "kernel/beneath.h"
#include "runtime/box.h"
#include "runtime/hooks.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct err set_names(const struct oci_config *c) {
    if (c->hostname && c->hostname[0] && sethostname(c->hostname, strlen(c->hostname)) < 0)
        return err_errno(errno, "set hostname '%s'", c->hostname);
    if (c->domainname && c->domainname[0] &&
        setdomainname(c->domainname, strlen(c->domainname)) < 0)
        return err_errno(errno, "set domainname '%s'", c->domainname);
    return OK;
}

/* As the peers do: in a network namespace of its own a program finds 127.0.0.1 and ::1. */
static struct err raise_loopback(void) {
    struct ifreq r = {.ifr_name = "lo"};
    CLEAN_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? OK : err_errno(errno, "linux.namespaces: network: socket");
    if (ioctl(fd, SIOCGIFFLAGS, &r) == 0) {
        r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
        if (ioctl(fd, SIOCSIFFLAGS, &r) == 0)
            return OK;
    }
    return err_errno(errno, "linux.namespaces: network: set lo up");
}

/* As the peers do: a working directory that the image lacks is made. */
static void make_cwd(const struct launch *l) {
    int fd = -1;
    struct err e = beneath_mkdirs(l->root, l->process->cwd, 0755, &fd);
    fd_close(fd);
    err_ignore(e); /* a read-only place: that it is missing is told when it is entered */
}

static struct err write_proc(const struct init *i, struct launch *l) {
    const struct oci_config *c = i->options->config;
    if (!c->linux_->sysctl.n && !launch_labelled(l->process))
        return OK;
    TRY(launch_open_proc(l));
    return sysctl_apply(c, l->proc);
}

/* Everything is in place but the pivot, so their paths are the host's. */
static struct err run_hooks(const struct init *i) {
    const struct oci_hooks *h = i->options->config->hooks;
    if (!h)
        return OK;
    if (h->prestart.n || h->create_runtime.n) {
        TRY(sync_send(i->launch.sync, SYNC_HOOKS, -1));
        sync_wait_go(i->launch.sync);
    }
    return hooks_run(&h->create_container, "createContainer", i->options, "creating", 0);
}

/* Root, mounts and devices of its own. */
static struct err make_root(struct init *i) {
    struct launch *l = &i->launch;
    const struct oci_config *c = i->options->config;
    TRY(rootfs_attach(i->options, &l->root));
    TRY(mounts_make(i->plans, l->root, l->cgroup));
    TRY(devices_make(c, i->plans, &i->devices, l->root));
    make_cwd(l);
    TRY(launch_terminal(l, true));
    TRY(launch_stdio(l));
    TRY(write_proc(i, l));
    TRY(run_hooks(i));
    TRY(paths_protect(c, l->root));
    TRY(i->options->no_pivot ? rootfs_change(l->root) : rootfs_pivot(l->root));
    return rootfs_propagation(c);
}

/* Somebody else's, as they are. */
static struct err join_root(struct init *i) {
    struct launch *l = &i->launch;
    TRY(run_hooks(i));
    if (setns(i->mount_ns, CLONE_NEWNS) < 0)
        return err_errno(errno, "linux.namespaces: mount: enter");
    l->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->root < 0)
        return err_errno(errno, "open root");
    TRY(launch_terminal(l, false));
    TRY(launch_stdio(l));
    return write_proc(i, l);
}

static struct err prepare(struct init *i) {
    struct launch *l = &i->launch;
    launch_reset_signals();
    umask(022);
    if (init_waits(i))
        sync_wait_go(l->sync); /* the maps are written, interfaces are there */
    TRY(launch_enter_cgroup(l));
    TRY(birth_enter(i));
    if (l->in_userns)
        TRY(userns_become_root());
    if (i->clone & CLONE_NEWNET)
        TRY(raise_loopback());
    TRY(launch_session(l));
    TRY(set_names(i->options->config));
    return i->mount_ns >= 0 ? join_root(i) : make_root(i);
}

/* By its creator, or by whoever connects to the socket that was handed in; from then on that one is
 * told how it went. */
static void await_start(struct init *i) {
    struct launch *l = &i->launch;
    int listener = i->options->start_fd;
    if (listener <= 0) {
        sync_wait_go(l->sync);
        return;
    }
    l->sync = fd_close(l->sync);
    struct err e = sync_accept_go(listener, &l->sync);
    if (err_failed(e))
        _exit(1);
}

void init_main(struct init *i) {
    struct launch *l = &i->launch;
    struct err e = prepare(i);
    if (err_failed(e))
        sync_fail(l->sync, e);
    e = sync_send(l->sync, SYNC_READY, -1);
    if (err_failed(e))
        _exit(1); /* nobody is there to be told */
    await_start(i);
    const struct oci_hooks *h = i->options->config->hooks;
    if (h)
        e = hooks_run(&h->start_container, "startContainer", i->options, "created", 0);
    if (err_failed(e))
        sync_fail(l->sync, e);
    sync_fail(l->sync, launch_program(l));
}
