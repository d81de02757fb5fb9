/* What a request for a published port is on one network: its families, how it leads there, and
 * whether a port of the host is taken at all. */
#include "network/private.h"

struct publishing publishing_of(const struct networks *n, const struct network *w) {
    return (struct publishing){
        .name = w->name,
        .parent = network_has_parent(w),
        .internal = w->internal,
        .four = w->prefix != 0,
        .six = w->six,
        .relay = n->relay != NULL,
        .relayed6 = n->relay_all || !n->rules6,
        .mode = w->mode,
        .mode6 = w->mode6,
    };
}

struct publishing publishing_of_plan(const struct endpoint_plan *p) {
    return (struct publishing){
        .name = p->bridge,
        .parent = *p->parent.name != '\0',
        .internal = p->internal,
        .four = p->prefix != 0,
        .six = p->six,
        .relay = p->relay,
        .relayed6 = p->relayed6,
        .mode = p->mode,
        .mode6 = p->mode6,
    };
}

/* What only the kernel can do: no socket of corten-relay stands for it. */
static bool needs_kernel(const struct port_request *r) {
    return r->count > NETWORK_BOUND_MAX || r->proto == IPPROTO_SCTP;
}

static struct port_request routed(const struct port_request *r, bool six) {
    struct port_request to = *r;
    to.routed = true;
    to.both = false;
    to.host_ip = (struct host_address){.six = six};
    to.host_first = to.host_last = 0;
    return to;
}

static struct err adapt_four(const struct publishing *how, const struct port_request *r,
                             struct port_requests *to, bool *ret_keep) {
    *ret_keep = false;
    if (how->four && how->mode == GATEWAY_ROUTED) {
        vec_push(to, routed(r, false));
        return OK;
    }
    *ret_keep = how->four || (how->relay && !needs_kernel(r));
    if (*ret_keep || r->both)
        return OK;
    return err_new(ERR_UNSUPPORTED,
                   "port %u is to be published on an IPv4 address, and network %s has IPv6 only%s",
                   r->container_port, how->name,
                   how->relay ? ": corten-relay carries no sctp and no more than 256 ports a range"
                              : "");
}

static struct err adapt_six(const struct publishing *how, const struct port_request *r,
                            struct port_requests *to, bool *ret_keep) {
    *ret_keep = false;
    if (how->six && how->mode6 == GATEWAY_ROUTED) {
        vec_push(to, routed(r, true));
        return OK;
    }
    /* No rule of the kernel leads away from ::1. */
    bool translated = how->six && !how->relayed6 && !host_address_loopback(&r->host_ip);
    *ret_keep = translated || !needs_kernel(r);
    if (*ret_keep || r->both)
        return OK;
    return err_new(ERR_UNSUPPORTED,
                   "port %u is to be published on an IPv6 address, and is not translated there: "
                   "corten-relay carries no sctp and no more than %d ports a range",
                   r->container_port, NETWORK_BOUND_MAX);
}

static struct err adapt_one(const struct publishing *how, const struct port_request *r,
                            struct port_requests *to) {
    bool four = false, six = false;
    bool any_routed = (how->four && how->mode == GATEWAY_ROUTED) ||
                      (how->six && how->mode6 == GATEWAY_ROUTED);
    if (any_routed && r->from.n)
        return err_new(ERR_UNSUPPORTED,
                       "a list of sources for port %u: network %s is routed, and a list needs "
                       "translation",
                       r->container_port, how->name);
    if (!r->host_ip.six)
        TRY(adapt_four(how, r, to, &four));
    if (r->host_ip.six || r->both)
        TRY(adapt_six(how, r, to, &six));
    struct port_request one = *r;
    one.both = r->both && four && six;
    if (r->both && !four)
        one.host_ip = (struct host_address){.six = true};
    if (four || six)
        vec_push(to, one);
    return OK;
}

struct err ports_adapt(const struct publishing *how, const struct port_requests *from,
                       struct port_requests *to) {
    if (how->parent || how->internal)
        return OK;
    for (size_t i = 0; i < from->n; i++)
        TRY(adapt_one(how, &from->items[i], to));
    return OK;
}
