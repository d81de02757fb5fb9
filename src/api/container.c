/* /containers: create, list, inspect and the verbs. */
#include "api/container_view.h"
#include "api/handlers.h"
#include "base/time.h"
#include <stdlib.h>
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
    container_create(c->api->containers, c->state, doc, created, c);
}

void api_container_create(struct api_call *c) {
    const char *platform = api_query(c, "platform");
    if (platform && *platform && strcmp(platform, "linux/amd64") != 0 &&
        strcmp(platform, "linux") != 0) {
        api_reply_err(
            c, err_new(ERR_UNSUPPORTED, "platform '%s' is not supported on this host", platform));
        return;
    }
    c->state = arena_strz(&c->arena, api_query(c, "name"));
    api_read_json(c, &api_container_create_fields, create_body);
}

/* --- list
 * ----------------------------------------------------------------------------------------------------
 */

static const char *const list_filters[] = {"id",       "name",    "label",  "status",
                                           "ancestor", "exited",  "before", "since",
                                           "volume",   "network", NULL};

static bool any_prefix(const struct strs *wanted, const char *text) {
    for (size_t i = 0; wanted && i < wanted->n; i++)
        if (str_starts(str_of(text), str_of(wanted->items[i])))
            return true;
    return !wanted;
}

/* The peer takes regular expressions for names; words without special characters match anywhere. */
static bool name_matches(const struct strs *wanted, const char *name) {
    for (size_t i = 0; wanted && i < wanted->n; i++) {
        struct str w = str_of(wanted->items[i]), whole = str_of(name);
        bool start = str_starts(w, STR("^")), end = str_ends(w, STR("$"));
        w = str_sub(w, start, w.len - end);
        if (str_starts(w, STR("/"))) {
            start = true;
            w = str_from(w, 1);
        }
        if (start && end ? str_eq(whole, w)
            : start      ? str_starts(whole, w)
            : end        ? str_ends(whole, w)
                         : str_find_str(whole, w) >= 0)
            return true;
    }
    return !wanted;
}

static bool mount_matches(const struct strs *wanted, const struct container *k) {
    for (size_t i = 0; wanted && i < wanted->n; i++)
        for (size_t m = 0; m < k->mounts_n; m++)
            if (!strcmp(wanted->items[i], k->mounts[m].destination) ||
                (k->mounts[m].name && !strcmp(wanted->items[i], k->mounts[m].name)))
                return true;
    return !wanted;
}

struct list_limits {
    const struct image *ancestor; /* NULL: any */
    bool ancestor_asked, all;
    int64_t exited, before, since; /* INT64_MIN: not asked */
};

static bool in_ancestry(const struct image *i, const struct image *ancestor) {
    for (; i; i = i->parent)
        if (i == ancestor)
            return true;
    return false;
}

/* By network name or id, as it was given or as the network is called. */
static bool on_network(const struct container *k, const struct strs *wanted) {
    const struct objmap *m = k->networking ? &k->networking->endpoints : NULL;
    if (strs_has(wanted, k->host->network_mode))
        return true;
    for (size_t i = 0; m && i < m->n; i++) {
        const struct network *w = network_find(container_networks(k), m->items[i].key);
        if (strs_has(wanted, m->items[i].key) || (w && strs_has(wanted, w->id)))
            return true;
    }
    return false;
}

static bool wanted(const struct container *k, const struct api_filters *f,
                   const struct list_limits *l) {
    const struct strs *status = api_filter(f, "status"), *network = api_filter(f, "network");
    bool alive = k->state == CONTAINER_RUNNING || k->state == CONTAINER_PAUSED ||
                 k->state == CONTAINER_RESTARTING;
    if (!alive && !l->all)
        return false;
    if (l->ancestor_asked && !in_ancestry(k->hold.image, l->ancestor))
        return false;
    if (l->exited != INT64_MIN && (k->state != CONTAINER_EXITED || k->exit_code != l->exited))
        return false;
    return any_prefix(api_filter(f, "id"), k->id) && name_matches(api_filter(f, "name"), k->name) &&
           api_filter_labels(api_filter(f, "label"), &k->config->labels) &&
           (!status || strs_has(status, container_state_name(k->state))) &&
           (!network || on_network(k, network)) && mount_matches(api_filter(f, "volume"), k) &&
           (l->before == INT64_MIN || k->created < l->before) &&
           (l->since == INT64_MIN || k->created > l->since);
}

static struct err created_of(struct api_call *c, const struct api_filters *f, const char *name,
                             int64_t *ret) {
    const struct strs *v = api_filter(f, name);
    struct container *k = NULL;
    if (!v)
        return OK;
    TRY(container_find(c->api->containers, v->items[0], &k));
    *ret = k->created;
    return OK;
}

static struct err read_limits(struct api_call *c, const struct api_filters *f,
                              struct list_limits *l) {
    const struct strs *ancestor = api_filter(f, "ancestor"), *exited = api_filter(f, "exited");
    const struct strs *status = api_filter(f, "status");
    *l = (struct list_limits){.exited = INT64_MIN, .before = INT64_MIN, .since = INT64_MIN};
    l->all = api_query_bool(c, "all", false) || status || exited || api_filter(f, "before") ||
             api_filter(f, "since");
    for (size_t i = 0; status && i < status->n; i++) {
        enum container_state s = 0;
        while (s < CONTAINER_STATE_COUNT && strcmp(container_state_name(s), status->items[i]) != 0)
            s++;
        if (s == CONTAINER_STATE_COUNT)
            return err_new(ERR_INVALID, "invalid filter 'status=%s'", status->items[i]);
    }
    if (ancestor) {
        struct image *image = NULL;
        l->ancestor_asked = true;
        struct err e = image_find(c->api->images, str_of(ancestor->items[0]), &image);
        if (err_failed(e) && err_kind(e) != ERR_NOT_FOUND)
            return e;
        err_ignore(e); /* an unknown ancestor matches nothing */
        l->ancestor = image;
    }
    if (exited)
        TRYF(str_to_i64(str_of(exited->items[0]), -255, 255, &l->exited),
             "invalid filter 'exited'");
    TRY(created_of(c, f, "before", &l->before));
    return created_of(c, f, "since", &l->since);
}

void api_container_list(struct api_call *c) {
    struct api_filters f;
    struct list_limits l;
    int64_t limit = -1;
    struct err e = api_read_filters(c, list_filters, &f);
    if (!err_failed(e))
        e = read_limits(c, &f, &l);
    if (!err_failed(e))
        e = api_query_i64(c, "limit", -1, INT32_MAX, &limit);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    l.all |= limit > 0;
    size_t n = 0;
    struct container *const *all = containers_all(c->api->containers, &n);
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    jo_arr(&jo);
    for (size_t i = 0; i < n && limit != 0; i++) {
        if (!wanted(all[i], &f, &l))
            continue;
        CLEAN_ARENA struct arena a = {0};
        struct api_container_summary doc;
        view_summary(all[i], c->minor, &a, &doc);
        fields_encode(&api_container_summary_fields, &doc, c->minor, &jo);
        limit -= limit > 0;
    }
    jo_arr_end(&jo);
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

void api_container_inspect(struct api_call *c) {
    struct container *k = NULL;
    struct api_container doc;
    if (!find(c, &k))
        return;
    if (api_query_bool(c, "size", false)) {
        api_reply_err(c, err_new(ERR_UNSUPPORTED, "query parameter 'size' is not supported"));
        return;
    }
    view_container(k, c->minor, &c->arena, &doc);
    api_reply_doc(c, 200, &api_container_fields, &doc);
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
    const char *signal = api_query(c, "signal");
    *ret_signo = 0;
    *ret_timeout = INT64_MIN;
    if (signal && *signal && !container_signal_parse(signal, ret_signo))
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
    if (signal && *signal && !container_signal_parse(signal, &signo))
        api_reply_err(c, err_new(ERR_INVALID, "invalid signal: %s", signal));
    else if (find(c, &k))
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

void api_container_remove(struct api_call *c) {
    struct container *k = NULL;
    if (api_query_bool(c, "link", false))
        api_reply_err(c, err_new(ERR_UNSUPPORTED,
                                 "query parameter 'link' is not supported: there are no links"));
    else if (find(c, &k))
        container_remove(k, api_query_bool(c, "force", false), api_query_bool(c, "v", false),
                         verb_done, c);
}

/* h and w of both resize calls. */
static struct err read_size(struct api_call *c, unsigned *ret_rows, unsigned *ret_columns) {
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
    struct err e = read_size(c, &rows, &columns);
    if (err_failed(e))
        api_reply_err(c, e);
    else if (find(c, &k))
        container_resize(k, rows, columns, resize_done, c);
}

/* --- streams
 * -------------------------------------------------------------------------------------------------
 */

void api_container_wait(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    const char *condition = api_query(c, "condition");
    enum container_wait what;
    if (!condition || !*condition || !strcmp(condition, "not-running"))
        what = CONTAINER_WAIT_NOT_RUNNING;
    else if (!strcmp(condition, "next-exit"))
        what = CONTAINER_WAIT_NEXT_EXIT;
    else if (!strcmp(condition, "removed"))
        what = CONTAINER_WAIT_REMOVED;
    else {
        api_reply_err(c, err_new(ERR_INVALID, "invalid condition: \"%s\"", condition));
        return;
    }
    if (find(c, &k) && api_take_socket(c, &taken))
        container_wait(k, what, &taken);
}

static const char *stream_type(const struct container *k, int minor) {
    if (k->config->tty || minor < 42)
        return "application/vnd.docker.raw-stream";
    return "application/vnd.docker.multiplexed-stream";
}

void api_container_attach(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    if (!find(c, &k))
        return;
    struct err e = container_attach_check(k);
    if (!err_failed(e) && api_query_bool(c, "logs", false))
        e = err_new(ERR_UNSUPPORTED, "query parameter 'logs' is not supported: use the logs call");
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    const char *keys = api_query(c, "detachKeys");
    CLEAN_FREE char *detach_keys = mem_strdup(keys ? keys : "");
    bool stream = api_query_bool(c, "stream", false);
    struct monitor_attach a = {
        .in = stream && api_query_bool(c, "stdin", false) && k->config->open_stdin,
        .out = stream && api_query_bool(c, "stdout", false),
        .err = stream && api_query_bool(c, "stderr", false),
        .detach_keys = detach_keys,
    };
    const char *type = stream_type(k, c->minor);
    if (api_take_socket(c, &taken))
        container_attach(k, &a, type, &taken);
}

static struct err read_tail(struct api_call *c, int64_t *ret) {
    const char *tail = api_query(c, "tail");
    *ret = -1;
    if (!tail || !*tail || !strcmp(tail, "all"))
        return OK;
    struct err e = str_to_i64(str_of(tail), INT64_MIN, INT64_MAX, ret);
    if (err_failed(e)) {
        /* As the peer: what is no number means all. */
        err_ignore(e);
        *ret = -1;
    }
    return OK;
}

static struct err read_logs(struct api_call *c, struct container_logs *o) {
    const char *since = api_query(c, "since"), *until = api_query(c, "until");
    *o = (struct container_logs){
        .follow = api_query_bool(c, "follow", false),
        .out = api_query_bool(c, "stdout", false),
        .err = api_query_bool(c, "stderr", false),
        .timestamps = api_query_bool(c, "timestamps", false),
        .details = api_query_bool(c, "details", false),
    };
    if (!o->out && !o->err)
        return err_new(ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (since && *since && strcmp(since, "0") != 0)
        TRYF(time_parse_api(str_of(since), &o->since), "invalid value for \"since\"");
    if (until && *until && strcmp(until, "0") != 0)
        TRYF(time_parse_api(str_of(until), &o->until), "invalid value for \"until\"");
    return read_tail(c, &o->tail);
}

void api_container_logs(struct api_call *c) {
    struct container *k = NULL;
    struct container_logs o;
    struct http_taken taken;
    if (!find(c, &k))
        return;
    struct err e = read_logs(c, &o);
    if (!err_failed(e))
        e = container_logs_check(k);
    if (err_failed(e))
        api_reply_err(c, e);
    else if (api_take_socket(c, &taken))
        container_logs(k, &o, &taken);
}

/* --- exec
 * ----------------------------------------------------------------------------------------------------
 */

static void exec_create_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    struct container_exec *x = NULL;
    if (!find(c, &k))
        return;
    struct err e = container_exec_create(k, doc, &x);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    CLEAN_BUF struct buf out = {0};
    buf_addf(&out, "{\"Id\":\"%s\"}\n", x->id);
    api_reply_json(c, 201, buf_str(&out));
}

void api_exec_create(struct api_call *c) {
    api_read_json(c, &api_exec_create_fields, exec_create_body);
}

static void exec_detached(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 200);
}

static void exec_attached(void *arg UNUSED, struct err e) {
    err_ignore(e); /* the monitor has answered the client */
}

static void exec_start_body(struct api_call *c, void *body) {
    const struct api_exec_start *doc = body;
    struct container_exec *x = NULL;
    struct http_taken taken;
    struct err e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (!err_failed(e) && x->started)
        e = err_new(ERR_CONFLICT, "exec instance %s has already run", x->id);
    if (!err_failed(e) && (x->container->state != CONTAINER_RUNNING))
        e = err_new(ERR_CONFLICT, "container %s is not running", x->container->id);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    unsigned rows = doc->console_size[0], columns = doc->console_size[1];
    bool tty = doc->tty;
    if (doc->detach)
        container_exec_start(x, tty, rows, columns, NULL, exec_detached, c);
    else if (api_take_socket(c, &taken))
        container_exec_start(x, tty, rows, columns, &taken, exec_attached, NULL);
}

void api_exec_start(struct api_call *c) {
    api_read_json(c, &api_exec_start_fields, exec_start_body);
}

void api_exec_inspect(struct api_call *c) {
    struct container_exec *x = NULL;
    struct err e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_exec_process process = {.tty = x->config->tty, .user = x->config->user};
    process.privileged = &x->config->privileged;
    process.arguments.present = true;
    for (size_t i = 0; i < x->config->cmd.n; i++) {
        if (i == 0)
            process.entrypoint = x->config->cmd.items[0];
        else
            strs_add(&process.arguments, &c->arena, x->config->cmd.items[i]);
    }
    int64_t code = x->exit_code;
    struct api_exec doc = {
        .id = x->id,
        .running = x->running,
        .exit_code = x->started && !x->running ? &code : NULL,
        .process = &process,
        .open_stdin = x->config->attach_stdin,
        .open_stdout = x->config->attach_stdout,
        .open_stderr = x->config->attach_stderr,
        .container_id = x->container->id,
        .detach_keys = (char *)"",
        .pid = x->pid,
    };
    api_reply_doc(c, 200, &api_exec_fields, &doc);
}

void api_exec_resize(struct api_call *c) {
    struct container_exec *x = NULL;
    unsigned rows, columns;
    struct err e = read_size(c, &rows, &columns);
    if (!err_failed(e))
        e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_exec_resize(x, rows, columns, resize_done, c);
}

/* Ours: the peer has no call for it. */
void api_exec_kill(struct api_call *c) {
    struct container_exec *x = NULL;
    const char *signal = api_query(c, "signal");
    int signo = 9;
    struct err e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (!err_failed(e) && signal && *signal && !container_signal_parse(signal, &signo))
        e = err_new(ERR_INVALID, "invalid signal: %s", signal);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_exec_signal(x, signo, verb_done, c);
}
