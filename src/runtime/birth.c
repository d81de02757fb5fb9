/* The birth of the container's first process: which namespaces are new, which are joined and by
 * whom, and in what order.
 *
 * A new user namespace owns whatever is made with it in the same clone; what is joined must be
 * entered before, by the parent, with the parent's rights: the parent steps into those namespaces,
 * clones, and steps back. A user namespace that is joined is entered by a process in between, which
 * makes the first process as the parent's child (CLONE_PARENT) and ends. */
#include "base/file.h"
#include "base/mem.h"
#include "kernel/ns.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *oci, *proc;
    int type;
} namespaces[] = {
    {"user", "user", CLONE_NEWUSER},  {"pid", "pid", CLONE_NEWPID},
    {"network", "net", CLONE_NEWNET}, {"ipc", "ipc", CLONE_NEWIPC},
    {"uts", "uts", CLONE_NEWUTS},     {"cgroup", "cgroup", CLONE_NEWCGROUP},
    {"time", "time", CLONE_NEWTIME},
};

void init_done(struct init *i) {
    for (size_t k = 0; k < i->joins_n; k++)
        fd_close(i->joins[k].fd);
    i->joins_n = 0;
    i->user_ns = fd_close(i->user_ns);
    i->mount_ns = fd_close(i->mount_ns);
    device_trees_done(&i->devices);
    launch_done(&i->launch);
}

/* --- what the configuration wants ------------------------------------------------------------- */

static void add_join(struct init *i, int fd, int type) {
    if (type == CLONE_NEWUSER) {
        i->user_ns = fd;
        return;
    }
    i->joins[i->joins_n].fd = fd;
    i->joins[i->joins_n].type = type;
    i->joins_n++;
}

static struct err choose_one(const struct runtime_create_options *o, size_t k, struct init *i,
                             struct runtime_box *b) {
    int type = namespaces[k].type;
    const char *path = NULL;
    int given = type == CLONE_NEWNET ? o->netns_fd : -1;
    if (!oci_namespace(o->config, namespaces[k].oci, &path) && given < 0)
        return OK;
    b->join |= (uint64_t)type;
    if (given >= 0) {
        int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return err_errno(errno, "duplicate descriptor");
        add_join(i, fd, type);
    } else if (path) {
        int fd = -1;
        TRYF(ns_open_path(path, type, &fd), "linux.namespaces: %s", namespaces[k].oci);
        add_join(i, fd, type);
    } else if (type == CLONE_NEWCGROUP) {
        i->new_cgroup_ns = true;
    } else if (type == CLONE_NEWTIME) {
        i->new_time_ns = true;
    } else {
        i->clone |= (uint64_t)type;
    }
    return OK;
}

struct err birth_choose(const struct runtime_create_options *o, struct init *i,
                        struct runtime_box *b) {
    const char *mounts = NULL;
    b->join = CLONE_NEWNS;
    if (oci_namespace(o->config, "mount", &mounts) && mounts)
        TRYF(ns_open_path(mounts, CLONE_NEWNS, &i->mount_ns), "linux.namespaces: mount");
    else
        i->clone = CLONE_NEWNS;
    for (size_t k = 0; k < ARRAY_LEN(namespaces); k++)
        TRY(choose_one(o, k, i, b));
    b->own_pid_ns = b->join & CLONE_NEWPID;
    b->own_user_ns = b->join & CLONE_NEWUSER;
    b->join &= ~(uint64_t)CLONE_NEWPID; /* entered around clone, not by the child */
    return OK;
}

/* --- stepping in and back --------------------------------------------------------------------- */

struct way_back {
    struct {
        int fd, type;
    } steps[INIT_JOINS_MAX + 1];
    size_t n;
};

static struct err remember(struct way_back *w, int type) {
    for (size_t k = 0; k < ARRAY_LEN(namespaces); k++)
        if (namespaces[k].type == type) {
            TRY(ns_open(0, namespaces[k].proc, &w->steps[w->n].fd));
            w->steps[w->n++].type = type;
        }
    return OK;
}

/* Nobody can go on working in somebody else's namespace. */
static void step_back(struct way_back *w) {
    while (w->n) {
        w->n--;
        if (setns(w->steps[w->n].fd, w->steps[w->n].type) < 0)
            abort();
        fd_close(w->steps[w->n].fd);
    }
}

static struct err set_offsets(const struct objmap *v) {
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; i < v->n; i++) {
        const struct oci_time_offset *t = v->items[i].value;
        if (t)
            buf_addf(&text, "%s %lld %u\n", v->items[i].key, (long long)t->secs, t->nanosecs);
    }
    if (!text.len)
        return OK;
    CLEAN_FD int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open timens_offsets");
    return fd_write_all(fd, text.data, text.len) < 0 ? err_errno(errno, "set '%s'", buf_cstr(&text))
                                                     : OK;
}

/* Children are born into it; the caller itself stays in its own. */
static struct err make_time_ns(const struct init *i, struct way_back *w) {
    TRY(remember(w, CLONE_NEWTIME));
    if (unshare(CLONE_NEWTIME) < 0) {
        int errnum = errno;
        fd_close(w->steps[--w->n].fd);
        return err_errno(errnum, "make a time namespace");
    }
    return err_wrap(set_offsets(&i->options->config->linux_->time_offsets), "linux.timeOffsets");
}

/* What the parent must be in while it clones: everything when a user namespace follows, else only
 * those that count for children alone. */
static bool parents_join(const struct init *i, int type) {
    return i->clone & CLONE_NEWUSER || i->user_ns >= 0 || type == CLONE_NEWPID;
}

static struct err step_in(const struct init *i, struct way_back *w) {
    for (size_t k = 0; k < i->joins_n; k++) {
        if (!parents_join(i, i->joins[k].type))
            continue;
        TRY(remember(w, i->joins[k].type));
        if (setns(i->joins[k].fd, i->joins[k].type) < 0) {
            int errnum = errno;
            fd_close(w->steps[--w->n].fd);
            return err_errno(errnum, "enter namespace");
        }
    }
    return i->new_time_ns ? make_time_ns(i, w) : OK;
}

struct err birth_enter(const struct init *i) {
    for (size_t k = 0; k < i->joins_n; k++)
        if (!parents_join(i, i->joins[k].type) && setns(i->joins[k].fd, i->joins[k].type) < 0)
            return err_errno(errno, "enter namespace");
    /* After the cgroup was entered: what the process is in now becomes the namespace's "/". */
    if (i->new_cgroup_ns && unshare(CLONE_NEWCGROUP) < 0)
        return err_errno(errno, "make a cgroup namespace");
    return OK;
}

/* --- clone ------------------------------------------------------------------------------------ */

static struct err clone_here(struct init *i, struct runtime_box *b, uint64_t more, pid_t *ret_pid,
                             int *ret_pidfd) {
    int core = b->has_cgroup ? cgroup_dir(&b->cgroup, CGROUP_CORE) : -1;
    struct err e = launch_clone(i->clone | more, core, ret_pid, ret_pidfd, &i->launch.in_core);
    if (!err_failed(e) && *ret_pid == 0)
        init_main(i);
    return e;
}

struct first {
    struct init *init;
    struct runtime_box *box;
};

static struct err clone_first(void *arg, uint64_t more, pid_t *ret_pid, int *ret_pidfd) {
    struct first *f = arg;
    return clone_here(f->init, f->box, more, ret_pid, ret_pidfd);
}

static struct err clone_between(struct init *i, struct runtime_box *b, pid_t *ret_pid,
                                int *ret_pidfd) {
    struct first f = {i, b};
    const struct between x = {i->user_ns, CLONE_NEWUSER, clone_first, &f};
    return err_wrap(between_clone(&x, ret_pid, ret_pidfd), "linux.namespaces: user");
}

struct err birth(struct init *i, struct runtime_box *b, pid_t *ret_pid, int *ret_pidfd) {
    struct way_back back = {0};
    struct err e = step_in(i, &back);
    if (!err_failed(e))
        e = i->user_ns >= 0 ? clone_between(i, b, ret_pid, ret_pidfd)
                            : clone_here(i, b, 0, ret_pid, ret_pidfd);
    step_back(&back);
    return e;
}
