/* Published ports: PortBindings and PublishAllPorts of the create call as requests to the network.
 */
#include "container/private.h"
#include <arpa/inet.h>

const struct api_endpoint *container_endpoint_settings(const struct container *c,
                                                       const char *network) {
    return c->networking ? objmap_get(&c->networking->endpoints, network) : NULL;
}

/* Doubles: tens of thousands come from one range. */
static void add(struct port_requests *v, struct arena *a, const struct port_request *r) {
    if (v->n == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 8;
        struct port_request *items = arena_array(a, v->cap, sizeof *items);
        if (v->n)
            memcpy(items, v->items, v->n * sizeof *items);
        v->items = items;
    }
    v->items[v->n++] = *r;
}

static struct err add_exposed(const struct container *c, const struct network *w, struct arena *a,
                              struct port_requests *ret) {
    const struct objmap *bindings = &c->host->port_bindings;
    for (size_t i = 0; i < c->config->exposed_ports.n; i++) {
        const char *port = c->config->exposed_ports.items[i];
        const struct objs *given = objmap_get(bindings, port);
        struct port_request r;
        if (given && given->n)
            continue;
        TRY(port_request_parse(port, "", "", w->bind_ip, NULL, &r));
        add(ret, a, &r);
    }
    return OK;
}

struct err container_bindings_requests(const struct objmap *bindings, struct in_addr bind_ip,
                                       struct arena *a, struct port_requests *ret) {
    for (size_t i = 0; i < bindings->n; i++) {
        const struct objs *list = bindings->items[i].value;
        for (size_t k = 0; list && k < list->n; k++) {
            const struct api_port_binding *b = (const struct api_port_binding *)list->items + k;
            struct port_request r;
            TRY(port_request_parse(bindings->items[i].key, b->host_ip ? b->host_ip : "",
                                   b->host_port ? b->host_port : "", bind_ip, &b->from, &r));
            add(ret, a, &r);
        }
    }
    return OK;
}

struct err container_port_requests(const struct container *c, const struct network *w,
                                   struct arena *a, struct port_requests *ret) {
    TRY(container_bindings_requests(&c->host->port_bindings, w->bind_ip, a, ret));
    if (c->host->publish_all_ports)
        TRY(add_exposed(c, w, a, ret));
    port_requests_merge(ret);
    return OK;
}

void container_ports_warn(const struct networks *n, const struct api_host_config *host,
                          const struct api_networking_config *to, struct arena *a,
                          struct strs *ret_warnings) {
    const struct network *nowhere = NULL;
    if (!host->port_bindings.n && !host->publish_all_ports)
        return;
    for (size_t i = 0; i < to->endpoints.n; i++) {
        const struct network *w = network_find(n, to->endpoints.items[i].key);
        if (!w || network_publishes(w))
            return;
        nowhere = w;
    }
    if (nowhere)
        strs_add(
            ret_warnings, a,
            arena_printf(a,
                         "Published ports are discarded on network %s: %s networks publish "
                         "none.",
                         nowhere->name,
                         nowhere->internal ? "internal" : network_driver_name(nowhere->driver)));
}

struct monitor_ports container_ports_held(const struct container *c,
                                          const struct endpoint_live *live,
                                          const struct endpoint_plan *way_out,
                                          char address[INET6_ADDRSTRLEN]) {
    *address = '\0';
    if (way_out && !way_out->internal && way_out->prefix)
        inet_ntop(AF_INET, &way_out->address, address, INET6_ADDRSTRLEN);
    else if (way_out && !way_out->internal && way_out->six)
        inet_ntop(AF_INET6, &way_out->address6, address, INET6_ADDRSTRLEN);
    return (struct monitor_ports){
        .held_fds = live->held_fds,
        .held_n = live->held_n,
        .relay_fds = live->relay_fds,
        .relay_n = live->relay_n,
        .relay_lines = buf_str(&live->relay_lines),
        .relay_path = networks_relay_socket(c->all->config.networks),
        .relay_address = address,
    };
}
