/* /containers: create, list, inspect and the verbs. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/older.h"
#include "kernel/signal.h"
#include "spec/api_aliases.h"
#include "spec/api_ports.h"
#include <string.h>

static bool find(struct api_call *c, struct container **ret) {
    struct err e = container_find(c->api->containers, c->arg[0], ret);
    if (err_failed(e))
        api_reply_err(c, e);
    return *ret != NULL;
}

static void verb_done(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

/* --- create
 * --------------------------------------------------------------------------------------------------
 */

static void created(void *arg, struct err e, struct container *made, const struct strs *warnings) {
    struct api_call *c = arg;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_container_created doc = {.id = made->id, .warnings = *warnings};
    doc.warnings.present = true;
    api_reply_doc(c, 201, &api_container_created_fields, &doc);
}

static void create_body(struct api_call *c, void *doc) {
    struct err e = older_container_create(doc, c->minor, &c->arena);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    if (c->r && c->r->peer_uid != (uid_t)-1)
        ((struct api_container_create *)doc)->caller = (int64_t)c->r->peer_uid + 1;
    if (c->minor >= 41)
        err_ignore(api_platform(
            c, &((struct api_container_create *)doc)->platform)); /* it was read before */
    container_create(c->api->containers, c->state, doc, created, c);
}

void api_container_create(struct api_call *c) {
    struct platform *unused;
    struct err e = c->minor >= 41 ? api_platform(c, &unused) : OK;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    c->state = arena_strz(&c->arena, api_query(c, "name"));
    api_read_json(c, &api_container_create_fields, create_body);
}

/* --- verbs
 * ---------------------------------------------------------------------------------------------------
 */

void api_container_start(struct api_call *c) {
    struct container *k = NULL;
    if (find(c, &k))
        container_start(k, verb_done, c);
}

/* signal and t of stop and restart. */
static struct err stop_parameters(struct api_call *c, int *ret_signo, int64_t *ret_timeout) {
    const char *signal = c->minor >= 42 ? api_query(c, "signal") : NULL;
    *ret_signo = 0;
    *ret_timeout = INT64_MIN;
    if (signal && *signal && !signal_parse(signal, ret_signo))
        return err_new(ERR_INVALID, "invalid signal: %s", signal);
    return api_query_i64(c, "t", -1, 1000000000, ret_timeout);
}

static void stop_or_restart(struct api_call *c,
                            void (*verb)(struct container *k, int signo, int64_t timeout,
                                         container_done *done, void *arg)) {
    struct container *k = NULL;
    int signo;
    int64_t timeout;
    struct err e = stop_parameters(c, &signo, &timeout);
    if (err_failed(e))
        api_reply_err(c, e);
    else if (find(c, &k))
        verb(k, signo, timeout, verb_done, c);
}

void api_container_stop(struct api_call *c) {
    stop_or_restart(c, container_stop);
}

void api_container_restart(struct api_call *c) {
    stop_or_restart(c, container_restart);
}

void api_container_kill(struct api_call *c) {
    struct container *k = NULL;
    const char *signal = api_query(c, "signal");
    int signo = 9;
    if (signal && *signal && !signal_parse(signal, &signo)) {
        api_reply_err(c, err_new(ERR_INVALID, "invalid signal: %s", signal));
        return;
    }
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (err_failed(e))
        api_reply_err(c, err_wrap(e, "cannot kill container: %s", c->arg[0]));
    else
        container_kill(k, signo, verb_done, c);
}

void api_container_pause(struct api_call *c) {
    struct container *k = NULL;
    if (find(c, &k))
        container_pause(k, true, verb_done, c);
}

void api_container_unpause(struct api_call *c) {
    struct container *k = NULL;
    if (find(c, &k))
        container_pause(k, false, verb_done, c);
}

void api_container_rename(struct api_call *c) {
    struct container *k = NULL;
    const char *name = api_query(c, "name");
    if (!name || !*name)
        api_reply_err(c, err_new(ERR_INVALID, "Neither old nor new names may be empty"));
    else if (find(c, &k))
        container_rename(k, name, verb_done, c);
}

static void updated(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_warnings doc = {.warnings.present = true};
    api_reply_doc(c, 200, &api_warnings_fields, &doc);
}

static void update_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    if (find(c, &k))
        container_update(k, doc, updated, c);
}

static void aliases_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    if (find(c, &k))
        container_aliases_change(k, doc, updated, c);
}

void api_container_aliases(struct api_call *c) {
    api_read_json(c, &api_aliases_change_fields, aliases_body);
}

static void ports_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    if (find(c, &k))
        container_ports_change(k, doc, updated, c);
}

void api_container_ports(struct api_call *c) {
    api_read_json(c, &api_ports_change_fields, ports_body);
}

void api_container_update(struct api_call *c) {
    api_read_json(c, &api_update_fields, update_body);
}

static void top_done(void *arg, struct err e, const struct api_top *doc) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 200, &api_top_fields, doc);
}

void api_container_top(struct api_call *c) {
    struct container *k = NULL;
    if (find(c, &k))
        container_top(k, api_query(c, "ps_args"), top_done, c);
}

/* "PARENT/ALIAS" */
static void remove_link(struct api_call *c) {
    struct str name = str_of(c->arg[0]);
    struct container *k = NULL;
    if (str_starts(name, STR("/")))
        name = str_from(name, 1);
    ssize_t slash = str_rfind(name, '/');
    if (slash <= 0) {
        api_reply_err(c,
                      err_new(ERR_INVALID, "'%s' is no link: expected CONTAINER/ALIAS", c->arg[0]));
        return;
    }
    const char *parent = arena_str(&c->arena, str_sub(name, 0, (size_t)slash));
    struct err e = container_find(c->api->containers, parent, &k);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_unlink(k, arena_str(&c->arena, str_from(name, (size_t)slash + 1)), verb_done, c);
}

static void removed(void *arg, struct err e) {
    struct api_call *c = arg;
    verb_done(c, older_remove(e, c->state, c->minor));
}

void api_container_remove(struct api_call *c) {
    struct container *k = NULL;
    if (api_query_bool(c, "link", false)) {
        remove_link(c);
        return;
    }
    if (!find(c, &k))
        return;
    c->state = arena_strz(&c->arena, k->id);
    container_remove(k, api_query_bool(c, "force", false), api_query_bool(c, "v", false), removed,
                     c);
}

/* h and w of both resize calls. */
struct err api_read_size(struct api_call *c, unsigned *ret_rows, unsigned *ret_columns) {
    int64_t h = -1, w = -1;
    TRY(api_query_i64(c, "h", 0, 65535, &h));
    TRY(api_query_i64(c, "w", 0, 65535, &w));
    if (h < 0 || w < 0)
        return err_new(ERR_INVALID, "query parameters 'h' and 'w' are required");
    *ret_rows = (unsigned)h;
    *ret_columns = (unsigned)w;
    return OK;
}

static void resize_done(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 200);
}

void api_container_resize(struct api_call *c) {
    struct container *k = NULL;
    unsigned rows, columns;
    struct err e = api_read_size(c, &rows, &columns);
    if (err_failed(e))
        api_reply_err(c, e);
    else if (find(c, &k))
        container_resize(k, rows, columns, resize_done, c);
}
