/* kill, delete, pause and resume. */
#include "base/log.h"
#include "base/vec.h"
#include "kernel/pidfd.h"
#include "kernel/signal.h"
#include "runtime/commands.h"
#include "runtime/hooks.h"
#include "runtime/systemd.h"
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STOP_TIMEOUT_MS 10000

static bool has_cgroup(const struct record *r) {
    return r->kept.cgroup_path && r->kept.cgroup_path[0];
}

/* By pid and start time; ERR_NOT_FOUND when the first process is gone. */
static struct err open_init(const struct record *r, int *ret_pidfd) {
    if (!r->has_kept)
        return err_new(ERR_NOT_FOUND, "container '%s' has no process yet", r->id);
    return pidfd_of_started((pid_t)r->kept.pid, r->kept.start_time, ret_pidfd);
}

/* --- destroy ---------------------------------------------------------------------------------- */

/* Kills the first process and waits: its pid namespace goes with it. */
static struct err end_init(const struct record *r) {
    CLEAN_FD int pidfd = -1;
    struct err e = open_init(r, &pidfd);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    err_ignore(pidfd_signal(pidfd, SIGKILL)); /* gone: the better */
    if (!pidfd_wait(pidfd, STOP_TIMEOUT_MS))
        return err_new(ERR_TIMEOUT, "the first process of container '%s' does not end", r->id);
    return OK;
}

void container_hooks(const struct record *r, bool after_start) {
    const struct oci_hooks *h = r->config.hooks;
    if (!h)
        return;
    struct runtime_create_options o = record_options(r);
    struct err e = after_start
                       ? hooks_run(&h->poststart, "poststart", &o, "running", (pid_t)r->kept.pid)
                       : hooks_run(&h->poststop, "poststop", &o, "stopped", (pid_t)r->kept.pid);
    log_err(LOG_WARN, e, "container '%s'", r->id);
}

struct err container_destroy(struct record *r) {
    TRY(end_init(r));
    if (has_cgroup(r))
        TRY(runtime_cgroup_remove(r->kept.cgroup_path));
    return container_forget(r);
}

struct err container_forget(struct record *r) {
    if (r->kept.systemd_unit && r->kept.systemd_unit[0])
        log_err(LOG_WARN, systemd_scope_stop(r->kept.systemd_unit), "container '%s'", r->id);
    if (r->has_kept)
        container_hooks(r, false);
    return record_remove(r);
}

/* --- arguments -------------------------------------------------------------------------------- */

/* One id, or with --regex every container that matches. */
static struct err matching(const struct call *c, const char *pattern, struct strv *ret) {
    regex_t re;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
        return err_new(ERR_INVALID, "'%s' is not a regular expression", pattern);
    CLEAN_STRV struct strv all = {0};
    struct err e = record_list(c->root, &all);
    for (size_t i = 0; i < all.n; i++)
        if (regexec(&re, all.items[i], 0, NULL, 0) == 0)
            strv_add(ret, all.items[i]);
    regfree(&re);
    return e;
}

/* --- delete ----------------------------------------------------------------------------------- */

static struct err delete_one(const struct call *c, const char *id, bool force) {
    CLEAN_RECORD struct record r = RECORD_NONE;
    struct err e = record_open(c->root, id, &r);
    if (err_kind(e) == ERR_NOT_FOUND && force) {
        err_free(e);
        return OK;
    }
    TRY(e);
    TRY(record_lock(&r));
    enum record_status s = record_status(&r);
    /* One that was never started may go without --force, as with the peers. */
    if (!force && s != RECORD_STOPPED && s != RECORD_CREATED && s != RECORD_CREATING)
        return err_new(ERR_CONFLICT, "container '%s' is %s: stop it, or use --force", id,
                       record_status_name(s));
    return container_destroy(&r);
}

struct err command_delete(struct call *c) {
    static const struct option options[] = {OPTION_FLAG("force", 'f'), OPTION_FLAG("regex", 'r'),
                                            OPTIONS_END};
    bool force = false, regex = false;
    for (int option;;) {
        TRY(call_option(c, ":fr", options, &option));
        if (option < 0)
            break;
        force |= option == 'f';
        regex |= option == 'r';
    }
    if (!regex) {
        const char *id;
        TRY(call_id(c, &id));
        return delete_one(c, id, force);
    }
    if (c->argc - optind != 1)
        return err_new(ERR_INVALID, "delete --regex: exactly one expression is needed");
    CLEAN_STRV struct strv ids = {0};
    TRY(matching(c, c->argv[optind], &ids));
    for (size_t i = 0; i < ids.n; i++)
        TRY(delete_one(c, ids.items[i], force));
    return OK;
}

/* --- kill ------------------------------------------------------------------------------------- */

static struct err signal_all(const struct record *r, int signo) {
    CLEAN_FREE pid_t *pids = NULL;
    size_t n = 0;
    if (!has_cgroup(r))
        return err_new(ERR_UNSUPPORTED, "kill --all: container '%s' has no cgroup", r->id);
    if (signo == SIGKILL)
        return runtime_cgroup_kill(r->kept.cgroup_path);
    TRY(runtime_cgroup_pids(r->kept.cgroup_path, &pids, &n));
    for (size_t i = 0; i < n; i++) {
        CLEAN_FD int pidfd = -1;
        struct err e = pids[i] > 0 ? pidfd_of(pids[i], &pidfd) : OK;
        if (!err_failed(e) && pidfd >= 0)
            e = pidfd_signal(pidfd, signo);
        if (err_kind(e) != ERR_NOT_FOUND)
            TRY(e);
        else
            err_free(e);
    }
    return OK;
}

static struct err kill_one(const struct call *c, const char *id, int signo, bool all) {
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(record_open(c->root, id, &r));
    if (all)
        return signal_all(&r, signo);
    CLEAN_FD int pidfd = -1;
    enum record_status s = record_status(&r);
    if (s == RECORD_STOPPED || s == RECORD_CREATING)
        return err_new(ERR_CONFLICT, "container '%s' is not running", id); /* containerd asks for
                                                                              these words */
    TRY(open_init(&r, &pidfd));
    return pidfd_signal(pidfd, signo);
}

struct err command_kill(struct call *c) {
    static const struct option options[] = {OPTION_FLAG("all", 'a'), OPTION_FLAG("regex", 'r'),
                                            OPTIONS_END};
    bool all = false, regex = false;
    for (int option;;) {
        TRY(call_option(c, ":ar", options, &option));
        if (option < 0)
            break;
        all |= option == 'a';
        regex |= option == 'r';
    }
    int left = c->argc - optind, signo = SIGTERM;
    if (left < 1 || left > 2)
        return err_new(ERR_INVALID, "kill: a container id and at most one signal are needed");
    if (left == 2 && !signal_parse(c->argv[optind + 1], &signo))
        return err_new(ERR_INVALID, "kill: unknown signal '%s'", c->argv[optind + 1]);
    if (!regex)
        return kill_one(c, c->argv[optind], signo, all);
    CLEAN_STRV struct strv ids = {0};
    TRY(matching(c, c->argv[optind], &ids));
    for (size_t i = 0; i < ids.n; i++)
        TRY(kill_one(c, ids.items[i], signo, all));
    return OK;
}

/* --- pause and resume ------------------------------------------------------------------------- */

static struct err freeze(struct call *c, bool frozen) {
    static const struct option options[] = {OPTIONS_END};
    const char *id;
    int option;
    TRY(call_option(c, ":", options, &option));
    TRY(call_id(c, &id));
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(record_open(c->root, id, &r));
    enum record_status s = record_status(&r);
    bool fits = frozen ? s == RECORD_RUNNING || s == RECORD_CREATED : s == RECORD_PAUSED;
    if (!fits)
        return err_new(ERR_CONFLICT, "container '%s' is %s", id, record_status_name(s));
    if (!has_cgroup(&r))
        return err_new(ERR_UNSUPPORTED, "container '%s' has no cgroup to freeze", id);
    return runtime_cgroup_freeze(r.kept.cgroup_path, frozen);
}

struct err command_pause(struct call *c) {
    return freeze(c, true);
}

struct err command_resume(struct call *c) {
    return freeze(c, false);
}
