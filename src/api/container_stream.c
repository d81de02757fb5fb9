/* What gives the client's socket away: wait, attach, logs. */
#include "api/handlers.h"
#include "base/time.h"
#include <string.h>

/* --- streams
 * -------------------------------------------------------------------------------------------------
 */

void api_container_wait(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    const char *condition = c->minor >= 30 ? api_query(c, "condition") : NULL;
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
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (err_failed(e))
        api_reply_err(c, e);
    else if (api_take_socket(c, &taken))
        container_wait(k, what, &taken);
}

const char *api_stream_type(bool tty, int minor) {
    if (tty || minor < 42)
        return "application/vnd.docker.raw-stream";
    return "application/vnd.docker.multiplexed-stream";
}

void api_container_attach(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (!err_failed(e))
        e = container_attach_check(k);
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
    const char *type = api_stream_type(k->config->tty, c->minor);
    CLEAN_ERR struct err unreadable = container_logs_check(k); /* then there is nothing to replay */
    bool logs = api_query_bool(c, "logs", false) && !err_failed(unreadable);
    bool out = api_query_bool(c, "stdout", false), err = api_query_bool(c, "stderr", false);
    if (!api_take_socket(c, &taken))
        return;
    if (logs)
        container_attach_log(k, &a, out, err, type, &taken);
    else
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
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (!err_failed(e))
        e = read_logs(c, &o);
    if (!err_failed(e))
        e = container_logs_check(k);
    o.content_type = !err_failed(e) ? api_stream_type(k->config->tty, c->minor) : NULL;
    if (err_failed(e))
        api_reply_err(c, e);
    else if (api_take_socket(c, &taken))
        container_logs(k, &o, &taken);
}
