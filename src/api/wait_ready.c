/* POST /containers/{id}/wait?condition=ready: until the container is ready (docs/lifecycle.md), for
 * gates. Answered by the daemon, which knows the results: a client asks again when that goes away.
 * The bus says when something has changed; it is looked at a moment later, when it is settled. */
#include "api/handlers.h"
#include "base/mem.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

struct gate {
    struct containers *containers;
    struct http_exchange *x;
    char id[65];
    struct bus_sub events;
    struct timer *look;
};

static struct http_exchange *gate_free(struct gate *g) {
    struct http_exchange *x = g->x;
    bus_unsubscribe(&g->events);
    timer_free(g->look);
    free(g);
    return x;
}

static void answer(struct gate *g, const char *why) {
    struct api_wait_error error = {(char *)(uintptr_t)why};
    struct api_wait doc = {.error = why ? &error : NULL, .status_code = why ? 1 : 0};
    CLEAN_BUF struct buf text = {0};
    fields_print(&api_wait_fields, &doc, &text);
    buf_addc(&text, '\n');
    struct http_exchange *x = gate_free(g);
    (void)http_stream_write(x, buf_str(&text)); /* a line */
    http_stream_end(x);
}

static void look(void *arg) {
    struct gate *g = arg;
    struct container *k = NULL;
    CLEAN_ERR struct err e = container_find(g->containers, g->id, &k);
    if (err_failed(e)) {
        answer(g, "the container was removed before it was ready");
        return;
    }
    switch (k->state) {
    case CONTAINER_EXITED:
    case CONTAINER_DEAD:
    case CONTAINER_REMOVING:
        answer(g, "the container is not running");
        break;
    default: /* one that was only made will be started */
        if (container_ready(k))
            answer(g, NULL);
    }
}

static void on_event(void *arg, const void *event) {
    struct gate *g = arg;
    const struct container_event *ev = event;
    if (!strcmp(ev->container->id, g->id))
        timer_set(g->look, 0);
}

static void gone(void *arg) {
    http_abort(gate_free(arg));
}

void api_wait_ready(struct api_call *c, struct container *k) {
    struct containers *containers = c->api->containers;
    char id[65];
    memcpy(id, k->id, sizeof id);
    struct loop *loop = c->api->loop;
    struct http_exchange *x = api_take_exchange(c);
    if (!x)
        return;
    struct gate *g = NEW(struct gate);
    g->containers = containers;
    g->x = x;
    memcpy(g->id, id, sizeof g->id);
    bus_subscribe(containers_bus(containers), &g->events, on_event, g);
    g->look = timer_new(loop, 0, 0, look, g);
    http_on_gone(x, gone, g);
    http_stream_begin(x, 200, "application/json");
}
