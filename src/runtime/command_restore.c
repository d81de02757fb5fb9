/* restore: a container is made of the files that checkpoint wrote. The cgroup with its limits, the
 * root and the hooks are ours; everything in them is criu's. */
#include "base/file.h"
#include "base/path.h"
#include "kernel/beneath.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "runtime/checkpoint.h"
#include "runtime/creation.h"
#include "runtime/hooks.h"
#include "runtime/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE "root" /* in the state directory, for the time of a restore */

struct restore {
    struct checkpoint c;
    struct create o;
    int home; /* the mount namespace that we come from; -1: we are in it */
    char root[PATH_MAX];
};

static void restore_done(struct restore *r) {
    checkpoint_done(&r->c);
    create_done(&r->o);
    fd_close(r->home);
}

/* --- options ---------------------------------------------------------------------------------- */

enum { LSM_PROFILE = 256, LSM_CONTEXT, NO_SUBREAPER, NO_PIVOT };

static struct err set_option(struct restore *r, int option) {
    switch (option) {
    case 'b':
        r->o.bundle = optarg;
        return OK;
    case 'f':
        r->o.config = optarg;
        return OK;
    case 'd':
        r->o.detach = true;
        return OK;
    case 'c':
        r->o.console_socket = optarg;
        return OK;
    case 'p':
        r->o.pid_file = optarg;
        return OK;
    case 'k':
        r->o.keep = true;
        return OK;
    case NO_SUBREAPER:
        r->o.no_subreaper = true;
        return OK;
    case NO_PIVOT:
        return err_new(ERR_UNSUPPORTED, "--no-pivot is not supported with restore");
    case LSM_PROFILE:
        r->c.request.lsm_profile = optarg;
        return OK;
    case LSM_CONTEXT:
        r->c.request.lsm_mount_context = optarg;
        return OK;
    default:
        return checkpoint_option(&r->c, option, optarg);
    }
}

static struct err read_options(struct call *c, struct restore *r) {
    static const struct option options[] = {
        OPTION_TEXT("bundle", 'b'),
        OPTION_TEXT("config", 'f'),
        OPTION_TEXT("console-socket", 'c'),
        OPTION_TEXT("pid-file", 'p'),
        OPTION_FLAG("detach", 'd'),
        OPTION_FLAG("keep", 'k'),
        OPTION_FLAG("no-subreaper", NO_SUBREAPER),
        OPTION_FLAG("no-pivot", NO_PIVOT),
        OPTION_TEXT("lsm-profile", LSM_PROFILE),
        OPTION_TEXT("lsm-mount-context", LSM_CONTEXT),
        CHECKPOINT_OPTIONS,
        OPTIONS_END,
    };
    for (int option;;) {
        TRY(call_option(c, ":b:f:d", options, &option));
        if (option < 0)
            return call_id(c, &r->o.id);
        TRY(set_option(r, option));
    }
}

/* --- the root --------------------------------------------------------------------------------- */

static bool lies_in(const char *path, const char *outer) {
    size_t n = strlen(outer);
    return strncmp(path, outer, n) == 0 && path[n] == '/';
}

/* criu finds places for what it mounts, and makes none. Those in a mount are in its own image. */
static struct err make_places(const struct record *r, const char *rootfs) {
    const struct oci_mount *m = r->config.mounts.items;
    CLEAN_FD int root = -1;
    TRY(dir_open(rootfs, &root));
    for (size_t i = 0; i < r->config.mounts.n; i++) {
        CLEAN_FREE char *clean = path_clean(str_of(m[i].destination));
        bool inner = false;
        for (size_t k = 0; k < i && !inner; k++) {
            CLEAN_FREE char *outer = path_clean(str_of(m[k].destination));
            inner = lies_in(clean, outer);
        }
        if (inner)
            continue;
        struct stat st;
        CLEAN_FD int fd = -1;
        bool binds = m[i].source && m[i].source[0] == '/' &&
                     (strs_has(&m[i].options, "bind") || strs_has(&m[i].options, "rbind"));
        bool file = binds && stat(m[i].source, &st) == 0 && !S_ISDIR(st.st_mode);
        TRYF(file ? beneath_touch(root, clean, 0644, &fd) : beneath_mkdirs(root, clean, 0755, &fd),
             "mount '%s'", m[i].destination);
    }
    return OK;
}

/* In a mount namespace that ends with criu: the host's table shows nothing of it. */
static struct err place_root(struct restore *r) {
    struct record *k = &r->o.record;
    TRY(ns_open(0, "mnt", &r->home));
    if (mkdirat(k->dir, PLACE, 0700) < 0 && errno != EEXIST)
        return err_errno(errno, "make a place for the root");
    char link[32];
    CLEAN_FD int place = openat(k->dir, PLACE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
    ssize_t n = place < 0 ? -1 : readlink(link, r->root, sizeof(r->root) - 1);
    if (n < 0)
        return err_errno(errno, "open the place of the root");
    r->root[n] = '\0';
    if (unshare(CLONE_NEWNS) < 0)
        return err_errno(errno, "make a mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(k->config.root->path, r->root, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_errno(errno, "root.path: mount");
    return OK;
}

/* criu has been started in the other one. */
static void go_home(struct restore *r) {
    if (r->home < 0)
        return;
    if (setns(r->home, CLONE_NEWNS) < 0)
        abort();
    r->home = fd_close(r->home);
}

/* --- what criu asks back ---------------------------------------------------------------------- */

static struct err run_hooks(void *arg, pid_t pid) {
    struct restore *r = arg;
    const struct oci_hooks *h = r->o.record.config.hooks;
    const struct runtime_create_options o = record_options(&r->o.record);
    go_home(r);
    if (!h)
        return OK;
    TRY(hooks_run(&h->prestart, "prestart", &o, "creating", pid));
    return hooks_run(&h->create_runtime, "createRuntime", &o, "creating", pid);
}

static struct err take_terminal(void *arg, int master) {
    struct restore *r = arg;
    fd_close(r->o.init.pty_master);
    r->o.init.pty_master = master;
    return OK;
}

/* --- restore ---------------------------------------------------------------------------------- */

static struct err describe(pid_t pid, struct runtime_process *ret) {
    ret->pid = pid;
    TRY(pidfd_start_time(pid, &ret->start_time));
    return pidfd_of_started(pid, ret->start_time, &ret->pidfd);
}

static struct err make(struct restore *r) {
    struct create *o = &r->o;
    struct criu_request *q = &r->c.request;
    TRY(create_check_terminal(o, false));
    if (o->systemd)
        TRY(create_scope(o));
    const struct runtime_create_options options = record_options(&o->record);
    TRY(runtime_cgroup_make(&options));
    TRY(make_places(&o->record, o->record.config.root->path));
    TRY(checkpoint_ties(&r->c, &o->record, 0));
    TRY(place_root(r));
    TRY(checkpoint_open(&r->c, false)); /* in criu's mount namespace */
    TRY(checkpoint_streams_give(&r->c));
    q->type = CRIU_RESTORE;
    q->root = r->root;
    q->cgroup = o->record.kept.cgroup_path;
    const struct criu_events events = {r, run_hooks, take_terminal};
    pid_t pid = 0;
    struct err e = criu_run(r->c.program, q, &events, &pid);
    go_home(r);
    TRY(e);
    standin_done(&o->standin);
    TRY(describe(pid, &o->init));
    unlinkat(o->record.dir, PLACE, AT_REMOVEDIR); /* else it goes with the container */
    return create_publish(o, false);
}

static void unmake(struct restore *r) {
    struct pidfd_exit x;
    go_home(r); /* where nothing is mounted on what goes */
    err_ignore(runtime_cgroup_kill(r->o.record.kept.cgroup_path)); /* what failed is told */
    if (r->o.init.pidfd >= 0)
        err_ignore(pidfd_reap(r->o.init.pidfd, &x));
    err_ignore(runtime_cgroup_remove(r->o.record.kept.cgroup_path));
    create_unmake(&r->o);
}

struct err command_restore(struct call *c) {
    OWN(restore_done) struct restore r = {.o = CREATE_INIT, .home = -1};
    checkpoint_init(&r.c);
    TRY(runtime_protect(c->all_argv, c->env));
    TRY(read_options(c, &r));
    TRYF(call_find_program("criu", &r.c.program), "%s is not supported", c->argv[0]);
    if (!r.o.detach)
        TRY(attend_begin(!r.o.no_subreaper));
    TRY(create_prepare(c, &r.o));
    r.o.systemd = c->systemd;
    struct err e = make(&r);
    if (err_failed(e)) {
        unmake(&r);
        return err_wrap(e, "restore container '%s'", r.o.id);
    }
    container_hooks(&r.o.record, true);
    return r.o.detach ? OK : create_attend(&r.o, -1, &c->status);
}
