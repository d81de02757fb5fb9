/* GET /networks/{id}/stats: what went through it, once or each second. */
#include "api/handlers.h"
#include "base/log.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

/* One client. The network is looked up by id each time: it may go meanwhile. */
struct watcher {
    const struct api *api;
    struct http_exchange *x; /* NULL: the client has gone, a sample is still under way */
    char id[65];
    int minor;
    bool busy;
    struct timer *timer;
};

static void watcher_free(struct watcher *w) {
    (void)timer_free(w->timer);
    free(w);
}

static void watcher_gone(void *arg) {
    struct watcher *w = arg;
    http_abort(TAKE(w->x));
    w->timer = timer_free(w->timer);
    if (!w->busy)
        watcher_free(w);
}

static void watcher_end(struct watcher *w) {
    http_on_gone(w->x, NULL, NULL);
    http_stream_end(TAKE(w->x));
    watcher_free(w);
}

/* false: the client does not read and was cut. */
static bool send_usage(struct watcher *w, const struct api_network_usage *u) {
    CLEAN_BUF struct buf line = {0};
    fields_encode(&api_network_usage_fields, u, w->minor, &(struct json_out){.out = &line});
    buf_addc(&line, '\n');
    if (http_stream_write(w->x, buf_str(&line)))
        return true;
    http_on_gone(w->x, NULL, NULL);
    http_abort(TAKE(w->x));
    watcher_free(w);
    return false;
}

static void tick(void *arg);

static void watched(void *arg, struct err e, struct api_network_usage *u) {
    struct watcher *w = arg;
    w->busy = false;
    if (!w->x) {
        err_ignore(e); /* nobody is left to tell */
        watcher_free(w);
        return;
    }
    if (err_failed(e)) {
        log_err(LOG_WARN, e, "counters of network %s", w->id);
        watcher_end(w);
        return;
    }
    if (!send_usage(w, u))
        return;
    w->timer = timer_new(w->api->loop, NSEC_PER_SEC, 0, tick, w);
}

static void tick(void *arg) {
    struct watcher *w = arg;
    w->timer = timer_free(w->timer);
    const struct network *n = network_find(w->api->networks, w->id);
    if (!n) { /* removed */
        watcher_end(w);
        return;
    }
    w->busy = true;
    containers_network_usage(w->api->containers, n, watched, w);
}

static void once(void *arg, struct err e, struct api_network_usage *u) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 200, &api_network_usage_fields, u);
}

void api_network_stats(struct api_call *c) {
    struct network *n = NULL;
    struct err e = network_get(c->api->networks, c->arg[0], &n);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    if (!api_query_bool(c, "stream", true)) {
        containers_network_usage(c->api->containers, n, once, c);
        return;
    }
    struct watcher *w = NEW(struct watcher);
    w->api = c->api;
    w->minor = c->minor;
    memcpy(w->id, n->id, sizeof w->id);
    w->x = api_take_exchange(c);
    if (!w->x) {
        watcher_free(w);
        return;
    }
    http_on_gone(w->x, watcher_gone, w);
    http_stream_begin(w->x, 200, "application/json");
    w->busy = true;
    containers_network_usage(w->api->containers, n, watched, w);
}
