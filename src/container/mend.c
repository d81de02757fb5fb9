/* A connect or disconnect that a kill of the daemon cut short. Each changes the kernel first, then
 * the file of the endpoints, then the store; where these three disagree nobody was told of a
 * success, and the network is taken away from the container. (Pairs that are in the kernel only are
 * the network's: networks_settle.) */
#include "container/private.h"
#include <errno.h>
#include <net/if.h>

static void mended(void *arg, struct err e) {
    struct container *c = arg;
    if (!err_failed(e))
        log_info("container %s: a change of its networks that was cut short is undone", c->id);
    log_err(LOG_WARN, e, "container %s: undo a change of its networks", c->id);
}

static bool has_plan(const struct container *c, const struct network *w) {
    for (size_t i = 0; i < c->endpoints.n; i++)
        if (!strcmp(c->endpoints.items[i]->network_id, w->id))
            return true;
    return false;
}

static bool has_settings(const struct container *c, const struct network *w) {
    const struct objmap *m = &c->networking->endpoints;
    for (size_t i = 0; i < m->n; i++) {
        struct network *x = network_find(container_networks(c), m->items[i].key);
        if (x == w)
            return true;
    }
    return false;
}

/* Only a pair shows itself out here. */
static bool is_gone(const struct endpoint_plan *p) {
    return !*p->parent.name && if_nametoindex(p->host_if) == 0 && errno == ENODEV;
}

void container_endpoints_mend(struct container *c) {
    if (!c->networking || !container_has_endpoints(c->host->network_mode))
        return;
    const struct objmap *m = &c->networking->endpoints;
    struct strv wrong = {0};
    for (size_t i = 0; i < c->endpoints.n; i++) {
        const struct endpoint_plan *p = c->endpoints.items[i];
        struct network *w = network_find(container_networks(c), p->network_id);
        if (w && (is_gone(p) || !has_settings(c, w)))
            strv_add(&wrong, w->id);
    }
    for (size_t i = 0; i < m->n; i++) {
        struct network *w = network_find(container_networks(c), m->items[i].key);
        if (w && network_has_endpoints(w) && !has_plan(c, w))
            strv_add(&wrong, w->id);
    }
    for (size_t i = 0; i < wrong.n; i++)
        container_disconnect(c, wrong.items[i], mended, c);
    strv_done(&wrong);
}
