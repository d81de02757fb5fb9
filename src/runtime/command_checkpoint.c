/* checkpoint: a container is written to files, and ends unless it is to go on. */
#include "base/file.h"
#include "kernel/cgroup.h"
#include "runtime/checkpoint.h"
#include "runtime/commands.h"
#include <stdio.h>
#include <string.h>

struct dump {
    struct checkpoint c;
    const char *id;
    bool pre; /* memory alone, and the container goes on */
    char freezer[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
};

static void dump_done(struct dump *d) {
    checkpoint_done(&d->c);
}

enum { PARENT = 256, LEAVE_RUNNING, PRE_DUMP, NETWORK_LOCK, PAGE_SERVER, STATUS_FD };

static struct err set_lock(struct dump *d, const char *name) {
    static const char *const names[] = {"iptables", "nftables"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) {
            d->c.request.network_lock = i + 1;
            return OK;
        }
    return err_new(ERR_UNSUPPORTED, "--network-lock '%s' is not iptables or nftables", name);
}

static struct err set_option(struct dump *d, int option) {
    switch (option) {
    case PARENT:
        d->c.request.parent = optarg;
        return OK;
    case LEAVE_RUNNING:
        d->c.request.leave_running = true;
        return OK;
    case PRE_DUMP:
        d->pre = true;
        return OK;
    case NETWORK_LOCK:
        return set_lock(d, optarg);
    case PAGE_SERVER:
        return err_new(ERR_UNSUPPORTED, "--page-server is not supported");
    case STATUS_FD:
        return err_new(ERR_UNSUPPORTED, "--status-fd is for --lazy-pages, which is not supported");
    default:
        return checkpoint_option(&d->c, option, optarg);
    }
}

static struct err read_options(struct call *c, struct dump *d) {
    static const struct option options[] = {
        OPTION_TEXT("parent-path", PARENT),
        OPTION_FLAG("leave-running", LEAVE_RUNNING),
        OPTION_FLAG("pre-dump", PRE_DUMP),
        OPTION_TEXT("network-lock", NETWORK_LOCK),
        OPTION_TEXT("page-server", PAGE_SERVER),
        OPTION_TEXT("status-fd", STATUS_FD),
        CHECKPOINT_OPTIONS,
        OPTIONS_END,
    };
    for (int option;;) {
        TRY(call_option(c, ":", options, &option));
        if (option < 0)
            return call_id(c, &d->id);
        TRY(set_option(d, option));
    }
}

/* criu stops everything by way of the cgroup, so that nothing is born meanwhile; one that is paused
 * stays so. */
static struct err choose_freezer(struct dump *d, const struct record *r) {
    struct cgroup_host host;
    if (!r->kept.cgroup_path || !r->kept.cgroup_path[0])
        return OK;
    TRY(cgroup_detect(&host));
    if (!cgroup_has(&host, CGROUP_FREEZER))
        return OK;
    snprintf(d->freezer, sizeof(d->freezer), "%s%s", host.trees[host.tree_of[CGROUP_FREEZER]].mount,
             r->kept.cgroup_path);
    d->c.request.freezer = d->freezer;
    return OK;
}

static struct err write_it(struct dump *d, struct record *r) {
    struct criu_request *q = &d->c.request;
    pid_t pid = (pid_t)r->kept.pid;
    TRY(checkpoint_open(&d->c, true));
    q->type = d->pre ? CRIU_PRE_DUMP : CRIU_DUMP;
    q->pid = pid;
    q->track_memory = d->pre || q->parent;
    record_resolve_sources(r, r->kept.bundle);
    TRY(choose_freezer(d, r));
    TRY(checkpoint_ties(&d->c, r, pid));
    if (!d->pre)
        TRY(checkpoint_streams_keep(&d->c, pid));
    return criu_run(d->c.program, q, NULL, NULL);
}

struct err command_checkpoint(struct call *c) {
    OWN(dump_done) struct dump d = {0};
    checkpoint_init(&d.c);
    TRY(read_options(c, &d));
    TRYF(call_find_program("criu", &d.c.program), "%s is not supported", c->argv[0]);
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(record_open(c->root, d.id, &r));
    TRY(record_lock(&r));
    enum record_status s = record_status(&r);
    if (s != RECORD_RUNNING && s != RECORD_PAUSED)
        return err_new(ERR_CONFLICT, "container '%s' is %s: only a running one can be checkpointed",
                       d.id, record_status_name(s));
    TRYF(write_it(&d, &r), "checkpoint container '%s'", d.id);
    return d.pre || d.c.request.leave_running ? OK : container_destroy(&r);
}
