/* Webhooks: a git server that has a container's token starts its update. */
#include "api/handlers.h"
#include "base/log.h"
#include "spec/api_method.h"
#include <string.h>

static void made(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_json(c, 201, str_of(c->state));
}

static void removed(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

static void change(struct api_call *c, bool on, container_done *done) {
    struct container *k = NULL;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    container_hook_set(k, on, done, c); /* answers later: the container may go meanwhile */
    c->state = arena_printf(&c->arena, "{\"Token\":\"%s\",\"Path\":\"/corten/hook/%.12s\"}\n",
                            k->hook, k->id);
}

/* The token is told this once; an earlier one is void. */
void api_hook_make(struct api_call *c) {
    change(c, true, made);
}

void api_hook_remove(struct api_call *c) {
    change(c, false, removed);
}

static struct str token_of(struct api_call *c) {
    struct str bearer = http_header_get(c->r, "Authorization");
    struct str given = http_header_get(c->r, "X-Gitlab-Token");
    const char *query = api_query(c, "token");
    if (str_starts(bearer, STR("Bearer ")))
        return str_from(bearer, 7);
    return given.len ? given : str_of(query ? query : "");
}

static void hook_body(struct api_call *c, struct str body) {
    struct container *k = NULL;
    struct container_update_options o = {.trigger = "webhook"};
    if (!c->r) { /* it has gone without waiting for an answer */
        api_reply_err(c, err_new(ERR_CANCELLED, "the client has left"));
        return;
    }
    const struct container_hook hook = {
        .token = token_of(c),
        .signature = http_header_get(c->r, "X-Hub-Signature-256"),
        .body = body,
    };
    switch (container_hook_check(c->api->containers, c->arg[0], &hook, &k)) {
    case HOOK_TOO_MANY:
        api_reply_text(c, 429, "application/json", STR("{\"message\":\"too many calls\"}\n"));
        return;
    case HOOK_WRONG_TOKEN:
        api_reply_err(c, err_new(ERR_FORBIDDEN, "no container has this token"));
        return;
    case HOOK_RIGHT:
        break;
    }
    struct err e = container_transaction(k, &o, NULL, NULL);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_text(c, 202, "application/json", STR("{\"message\":\"update begun\"}\n"));
}

void api_hook_call(struct api_call *c) {
    api_read_body(c, hook_body);
}
