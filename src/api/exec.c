/* /exec: create, start, inspect, resize. */
#include "api/handlers.h"
#include "api/older.h"
#include "kernel/signal.h"
#include <string.h>

/* --- exec
 * ----------------------------------------------------------------------------------------------------
 */

void api_reply_exec(struct api_call *c, struct err e, const struct container_exec *x) {
    CLEAN_BUF struct buf out = {0};
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    buf_addf(&out, "{\"Id\":\"%s\"}\n", x->id);
    api_reply_json(c, 201, buf_str(&out));
}

static void exec_create_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    struct container_exec *x = NULL;
    bool bounded = c->policy && c->policy->projects;
    struct err e = bounded && ((struct api_exec_create *)doc)->privileged
                       ? err_new(ERR_FORBIDDEN, "this listener does not allow privileged execs")
                       : container_find(c->api->containers, c->arg[0], &k);
    older_exec_create(doc, c->minor);
    ((struct api_exec_create *)doc)->method = NULL; /* of /containers/{id}/methods alone */
    if (!err_failed(e))
        e = container_exec_create(k, doc, &x);
    api_reply_exec(c, e, x);
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
    const char *type = api_stream_type(tty, c->minor); /* the call ends with the taking */
    if (doc->detach)
        container_exec_start(x, tty, rows, columns, NULL, NULL, exec_detached, c);
    else if (api_take_socket(c, &taken))
        container_exec_start(x, tty, rows, columns, type, &taken, exec_attached, NULL);
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

static void resized(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 200);
}

void api_exec_resize(struct api_call *c) {
    struct container_exec *x = NULL;
    unsigned rows, columns;
    struct err e = api_read_size(c, &rows, &columns);
    if (!err_failed(e))
        e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_exec_resize(x, rows, columns, resized, c);
}

static void killed(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

/* Ours: the peer has no call for it. */
void api_exec_kill(struct api_call *c) {
    struct container_exec *x = NULL;
    const char *signal = api_query(c, "signal");
    int signo = 9;
    struct err e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (!err_failed(e) && signal && *signal && !signal_parse(signal, &signo))
        e = err_new(ERR_INVALID, "invalid signal: %s", signal);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_exec_signal(x, signo, killed, c);
}
