/* Published ports: PortBindings and PublishAllPorts of the create call as requests to the network.
 */
#include "container/private.h"
#include <arpa/inet.h>

const struct api_endpoint *container_endpoint_settings(const struct container *c,
                                                       const char *network) {
    return c->networking ? objmap_get(&c->networking->endpoints, network) : NULL;
}

static void add(struct port_requests *v, struct arena *a, const struct port_request *r) {
    struct port_request *items = arena_array(a, v->n + 1, sizeof *items);
    if (v->n)
        memcpy(items, v->items, v->n * sizeof *items);
    items[v->n++] = *r;
    v->items = items;
}

struct err container_port_requests(const struct container *c, const struct network *w,
                                   struct arena *a, struct port_requests *ret) {
    const struct objmap *bindings = &c->host->port_bindings;
    for (size_t i = 0; i < bindings->n; i++) {
        const struct objs *list = bindings->items[i].value;
        for (size_t k = 0; list && k < list->n; k++) {
            const struct api_port_binding *b = (const struct api_port_binding *)list->items + k;
            struct port_request r;
            TRY(port_request_parse(bindings->items[i].key, b->host_ip ? b->host_ip : "",
                                   b->host_port ? b->host_port : "", w->bind_ip, &r));
            add(ret, a, &r);
        }
    }
    if (!c->host->publish_all_ports)
        return OK;
    for (size_t i = 0; i < c->config->exposed_ports.n; i++) {
        const char *port = c->config->exposed_ports.items[i];
        const struct objs *given = objmap_get(bindings, port);
        struct port_request r;
        if (given && given->n)
            continue;
        TRY(port_request_parse(port, "", "", w->bind_ip, &r));
        add(ret, a, &r);
    }
    return OK;
}
