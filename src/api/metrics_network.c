/* The page of all figures, with what the kernel has counted for each network: a job on the pool
 * reads that first. One series a network: those of containers come and go (they are in GET
 * /networks/{id}/stats). */
#include "api/handlers.h"
#include "api/metrics.h"
#include "base/log.h"
#include <stdlib.h>

struct figures {
    const struct api *api;
    struct arena arena;
    struct strs names; /* of the network whose counter has the same index */
    VEC(struct network_counter) counters;
    struct api_call *c;      /* who asks: either, */
    struct http_exchange *x; /* or; NULL: has gone */
};

static struct err figures_work(void *arg) {
    struct figures *f = arg;
    return network_counters_read(-1, f->counters.items, f->counters.n);
}

static void add_endpoints(struct buf *out, const struct api *api) {
    size_t at = 0;
    const struct network *w;
    const char *name = "corten_network_endpoints";
    buf_addf(out, "# HELP %s Containers that are connected\n# TYPE %s gauge\n", name, name);
    while ((w = network_next(api->networks, &at))) {
        size_t n = 0;
        LIST_FOR ((struct list *)(uintptr_t)&w->endpoints, link)
            n += CONTAINER_OF(link, struct endpoint, link)->live;
        if (!network_has_endpoints(w) || w->config_only)
            continue;
        buf_addf(out, "%s{", name);
        metrics_label(out, "network", w->name);
        buf_addf(out, ",driver=\"%s\"} %zu\n", network_driver_name(w->driver), n);
    }
}

static void add_counters(struct buf *out, const struct figures *f) {
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
#define ROW(member, name, help) {name, help, offsetof(struct api_network_stats, member)}
        ROW(rx_bytes, "corten_network_receive_bytes_total", "Bytes that came from the network"),
        ROW(tx_bytes, "corten_network_transmit_bytes_total", "Bytes that went into the network"),
        ROW(rx_packets, "corten_network_receive_packets_total",
            "Packets that came from the network"),
        ROW(tx_packets, "corten_network_transmit_packets_total",
            "Packets that went into the network"),
        ROW(rx_errors, "corten_network_receive_errors_total", "Errors of receiving"),
        ROW(tx_errors, "corten_network_transmit_errors_total", "Errors of sending"),
        ROW(rx_dropped, "corten_network_receive_drop_total", "Received packets that were dropped"),
        ROW(tx_dropped, "corten_network_transmit_drop_total", "Packets that were dropped unsent"),
#undef ROW
    };
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        buf_addf(out, "# HELP %s %s, at the host's interface\n# TYPE %s counter\n", rows[r].name,
                 rows[r].help, rows[r].name);
        for (size_t i = 0; i < f->counters.n; i++) {
            const struct network_counter *n = &f->counters.items[i];
            if (!n->found)
                continue;
            buf_addf(out, "%s{", rows[r].name);
            metrics_label(out, "network", f->names.items[i]);
            buf_addf(
                out, ",interface=\"%s\"} %llu\n", n->interface,
                (unsigned long long)*(const uint64_t *)((const char *)&n->stats + rows[r].offset));
        }
    }
}

static void figures_free(struct figures *f) {
    vec_done(&f->counters);
    arena_done(&f->arena);
    free(f);
}

static void figures_done(void *arg, struct err e) {
    struct figures *f = arg;
    CLEAN_BUF struct buf out = {0};
    api_metrics(f->api, &out);
    add_endpoints(&out, f->api);
    if (err_failed(e)) /* the other figures are right without */
        log_err(LOG_WARN, e, "counters of networks");
    else
        add_counters(&out, f);
    if (f->c)
        api_reply_text(f->c, 200, API_METRICS_TYPE, buf_str(&out));
    else if (f->x)
        http_reply(f->x, 200, API_METRICS_TYPE, buf_str(&out));
    figures_free(f);
}

static struct figures *figures_of(const struct api *api) {
    struct figures *f = NEW(struct figures);
    size_t at = 0;
    const struct network *w;
    f->api = api;
    while ((w = network_next(api->networks, &at))) {
        struct network_counter n = {0};
        if (!network_host_interface(w, n.interface))
            continue;
        vec_push(&f->counters, n);
        strs_add(&f->names, &f->arena, w->name);
    }
    return f;
}

void api_metrics_get(struct api_call *c) {
    struct figures *f = figures_of(c->api);
    f->c = c;
    job_submit(c->api->loop, figures_work, figures_done, f);
}

static void asker_gone(void *arg) {
    struct figures *f = arg;
    http_abort(TAKE(f->x));
}

void api_metrics_handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    const struct api *api = arg;
    if (!str_eqz(r->path, "/metrics") ||
        (!str_eqz(r->method, "GET") && !str_eqz(r->method, "HEAD"))) {
        http_reply(x, 404, "text/plain", STR("GET /metrics is all there is\n"));
        return;
    }
    struct figures *f = figures_of(api);
    f->x = x;
    http_on_gone(x, asker_gone, f);
    job_submit(api->loop, figures_work, figures_done, f);
}
