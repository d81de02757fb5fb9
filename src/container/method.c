/* method: what a container's labels say about its operation (docs/lifecycle.md), its methods for
 * the monitor, and one called by somebody, which is an exec. */
#include "container/private.h"
#include "kernel/signal.h"
#include "spec/corten_build.h"
#include <signal.h>

void container_lifecycle(const struct container *c, struct arena *a, struct lifecycle *ret) {
    *ret = (struct lifecycle){.methods.present = true, .problems.present = true};
    if (!strmap_get(&c->config->labels, BUILD_LABEL)) /* a step of a build has no life */
        lifecycle_methods(&c->config->labels, a, ret);
}

static bool is_root(const char *user) {
    struct str name, group;
    str_cut(str_of(user ? user : ""), ':', &name, &group);
    return name.len == 0 || str_eqz(name, "root") || str_eqz(name, "0");
}

/* A label never gives more than the container has: another user only where that is root. */
static struct err check_user(const struct container *c, const struct lifecycle_method *m) {
    const char *own = c->config->user ? c->config->user : "";
    if (!*m->user || is_root(own) || !strcmp(m->user, own))
        return OK;
    return err_new(ERR_FORBIDDEN, "method %s wants user '%s', but container %s runs as '%s'",
                   m->name, m->user, c->name, own);
}

static struct err find(const struct container *c, const char *name, struct arena *a,
                       const struct lifecycle_method **ret) {
    struct lifecycle l;
    container_lifecycle(c, a, &l);
    const struct lifecycle_method *m = lifecycle_method(&l, name);
    if (!m)
        return err_new(ERR_NOT_FOUND, "container %s has no method %s", c->name, name);
    *ret = m;
    return OK;
}

/* The exec's document. Memory in a. */
static void as_exec(const struct container *c, const struct lifecycle_method *m, struct arena *a,
                    struct api_exec_create *ret) {
    *ret = (struct api_exec_create){
        .cmd = lifecycle_words(m, &c->config->shell, a),
        .user = m->user,
        .attach_stdout = true,
        .attach_stderr = true,
    };
    ret->env.present = true;
    for (size_t i = 0; i < m->env.n; i++)
        strs_add(&ret->env, a, m->env.items[i]);
    strs_add(&ret->env, a, arena_printf(a, "CORTEN_METHOD=%s", m->name));
}

/* --- for the monitor -------------------------------------------------------------------------- */

static enum monitor_action action_of(const struct lifecycle_method *m) {
    switch (m->on_failure) {
    case LIFECYCLE_RESTART:
        return MONITOR_ACTION_RESTART;
    case LIFECYCLE_STOP:
        return MONITOR_ACTION_STOP;
    case LIFECYCLE_KILL:
        return MONITOR_ACTION_KILL;
    default:
        return MONITOR_ACTION_NONE;
    }
}

static struct err settings(const struct container *c, const struct lifecycle_method *m,
                           struct arena *a, struct monitor_method *ret) {
    struct api_exec_create e;
    CLEAN_BUF struct buf process = {0};
    struct err refused = check_user(c, m);
    as_exec(c, m, a, &e);
    struct container_exec x = {.container = (struct container *)(uintptr_t)c, .config = &e};
    TRY(container_exec_process(&x, a, &process));
    int64_t seconds = c->config->stop_timeout ? *c->config->stop_timeout : CONTAINER_STOP_TIMEOUT;
    *ret = (struct monitor_method){
        .name = m->name,
        .process = str_of(arena_str(a, buf_str(&process))),
        .user = m->user,
        .refused = arena_strz(a, err_msg(refused)),
        .timeout = m->timeout,
        .interval = m->interval,
        .start_period = m->start_period,
        .at_start = !strcmp(m->name, "validate"),
        .reading = m->reading,
        .action = action_of(m),
        .stop_signo = SIGTERM,
        .stop_timeout = seconds < 0 ? -1 : seconds * NSEC_PER_SEC,
    };
    err_free(refused);
    if (c->config->stop_signal && *c->config->stop_signal)
        signal_parse(c->config->stop_signal, &ret->stop_signo); /* checked at create */
    return OK;
}

struct err container_method_settings(const struct container *c, struct arena *a,
                                     const struct monitor_method **ret, size_t *ret_n) {
    struct lifecycle l;
    container_lifecycle(c, a, &l);
    const struct lifecycle_method *items = l.methods.items;
    struct monitor_method *out = arena_array(a, l.methods.n + 1, sizeof *out);
    for (size_t i = 0; i < l.methods.n; i++)
        TRYF(settings(c, &items[i], a, &out[i]), "method %s", items[i].name);
    *ret = out;
    *ret_n = l.methods.n;
    return OK;
}

/* --- a call ----------------------------------------------------------------------------------- */

struct err container_method_call(struct container *c, const char *name, const char *trigger,
                                 const struct api_method_call *o, struct container_exec **ret) {
    CLEAN_ARENA struct arena a = {0};
    const struct lifecycle_method *m = NULL;
    struct api_exec_create e;
    if (!lifecycle_name_ok(str_of(name)))
        return err_new(ERR_INVALID, "'%s' is no name of a method", name);
    TRY(find(c, name, &a, &m));
    if (o->timeout < 0)
        return err_new(ERR_INVALID, "Timeout: %lld is negative", (long long)o->timeout);
    bool other_user = o->user && *o->user; /* as `exec --user`: the caller's own right */
    if (!other_user)
        TRY(check_user(c, m));
    as_exec(c, m, &a, &e);
    for (size_t i = 0; i < o->env.n; i++)
        strs_add(&e.env, &a, o->env.items[i]);
    if (other_user)
        e.user = o->user;
    e.tty = o->tty;
    e.kill_with_client = o->kill_with_client;
    struct api_exec_method run = {.name = m->name,
                                  .trigger = (char *)(uintptr_t)trigger,
                                  .timeout = o->timeout ? o->timeout : m->timeout,
                                  .reading = (int32_t)m->reading};
    e.method = &run;
    return container_exec_create(c, &e, ret);
}

/* --- the entry point -------------------------------------------------------------------------- */

/* given: what the create call said; c: with the image's in it. */
void container_start_method(struct api_config *c, const struct api_config *given, struct arena *a) {
    struct lifecycle l;
    if (c->entrypoint.n || given->entrypoint.n || strmap_get(&c->labels, BUILD_LABEL))
        return;
    lifecycle_methods(&c->labels, a, &l);
    const struct lifecycle_method *m = lifecycle_method(&l, "start");
    if (!m)
        return;
    c->entrypoint = lifecycle_words(m, &c->shell, a);
    c->cmd = given->cmd; /* the image's is that of a base which had no entry point */
}
