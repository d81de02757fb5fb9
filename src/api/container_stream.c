/* What gives the client's socket away: wait, attach, logs. */
#include "api/handlers.h"
#include "base/time.h"
#include "http/websocket.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READY_SINCE 51 /* of corten; before, as any other word that is no condition */

/* --- streams
 * -------------------------------------------------------------------------------------------------
 */

void api_container_wait(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    const char *condition = c->minor >= 30 ? api_query(c, "condition") : NULL;
    enum container_wait what = CONTAINER_WAIT_NOT_RUNNING;
    bool ready = condition && !strcmp(condition, "ready") && c->minor >= READY_SINCE;
    if (ready || !condition || !*condition || !strcmp(condition, "not-running"))
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
    else if (ready)
        api_wait_ready(c, k);
    else if (api_take_socket(c, &taken))
        container_wait(k, what, &taken);
}

const char *api_stream_type(bool tty, int minor) {
    if (tty || minor < 42)
        return "application/vnd.docker.raw-stream";
    return "application/vnd.docker.multiplexed-stream";
}

struct attach_call {
    struct container *container;
    struct monitor_attach what;
    char *detach_keys; /* owned */
    bool logs, out, err;
};

static struct err read_attach(struct api_call *c, struct attach_call *ret) {
    struct attach_call a = {0};
    TRY(container_find(c->api->containers, c->arg[0], &a.container));
    TRY(container_attach_check(a.container));
    const char *keys = api_query(c, "detachKeys");
    bool stream = api_query_bool(c, "stream", false);
    CLEAN_ERR struct err unreadable = container_logs_check(a.container); /* nothing to replay */
    a.logs = api_query_bool(c, "logs", false) && !err_failed(unreadable);
    a.out = api_query_bool(c, "stdout", false);
    a.err = api_query_bool(c, "stderr", false);
    a.detach_keys = mem_strdup(keys ? keys : "");
    a.what = (struct monitor_attach){
        .in = stream && api_query_bool(c, "stdin", false) && a.container->config->open_stdin,
        .out = stream && a.out,
        .err = stream && a.err,
        .detach_keys = a.detach_keys,
    };
    *ret = a;
    return OK;
}

static void attach(const struct attach_call *a, const char *type, struct http_taken *taken) {
    if (a->logs)
        container_attach_log(a->container, &a->what, a->out, a->err, type, taken);
    else
        container_attach(a->container, &a->what, type, taken);
}

void api_container_attach(struct api_call *c) {
    struct attach_call a;
    struct http_taken taken;
    struct err e = read_attach(c, &a);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    const char *type = api_stream_type(a.container->config->tty, c->minor);
    if (api_take_socket(c, &taken))
        attach(&a, type, &taken);
    free(a.detach_keys);
}

static void refuse(struct http_taken *taken, struct err e) {
    CLEAN_BUF struct buf out = {0};
    http_error_answer(&out, http_error_status(err_kind(e)), err_msg(e));
    (void)send(taken->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT); /* or it has left */
    err_free(e);
    http_taken_done(taken);
}

void api_container_attach_ws(struct api_call *c) {
    struct attach_call a;
    struct http_taken taken, inner;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    struct err e = websocket_check(c->r, accept);
    if (!err_failed(e))
        e = read_attach(c, &a);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct containers *cs = c->api->containers;
    bool tty = a.container->config->tty;
    struct container_websocket o = {.accept = accept, .multiplexed = !tty, .text = c->minor < 28};
    if (api_take_socket(c, &taken)) {
        e = container_websocket(cs, &o, &taken, &inner);
        if (err_failed(e))
            refuse(&taken, e);
        else
            attach(&a, api_stream_type(tty, API_MINOR_MAX), &inner);
    }
    free(a.detach_keys);
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
