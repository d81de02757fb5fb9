/* Endpoints in memory: reserve, settle, release, adopt. */
#include "base/log.h"
#include "base/random.h"
#include "network/private.h"
#include <arpa/inet.h>

struct endpoint *endpoint_find(const struct networks *n, const char *endpoint_id) {
    return map_getz(&n->endpoints, endpoint_id);
}

struct endpoint *endpoint_of(const struct network *w, const char *container_id) {
    LIST_FOR (&((struct network *)w)->endpoints, l) {
        struct endpoint *e = CONTAINER_OF(l, struct endpoint, link);
        if (strcmp(e->container_id, container_id) == 0)
            return e;
    }
    return NULL;
}

void endpoint_renamed(struct networks *n, const char *container_id, const char *name) {
    for (size_t i = 0; i < n->items_n; i++) {
        struct endpoint *e = endpoint_of(n->items[i], container_id);
        if (e) {
            free(e->container_name);
            e->container_name = mem_strdup(name);
        }
    }
}

void endpoint_aliases_set(struct networks *n, const struct endpoint_plan *p) {
    struct endpoint *e = endpoint_find(n, p->endpoint_id);
    if (!e)
        return;
    strv_done(&e->aliases);
    for (size_t i = 0; i < p->aliases.n; i++)
        strv_add(&e->aliases, p->aliases.items[i]);
}

/* --- reserve -----------------------------------------------------------------------------------
 */

static struct err check_port(const struct networks *n, const struct port_request *r,
                             const struct host_address *ip, unsigned port) {
    char text[HOST_ADDRESS_LEN];
    struct port_hold *h = hold_find(n, r->proto, ip, (uint16_t)port);
    if (!h)
        return OK;
    return err_new(ERR_SYSTEM, "Bind for %s:%u failed: port is already allocated (by container %s)",
                   host_address_bracket(ip, text), port, h->endpoint->container_name);
}

static struct err check_ports(const struct networks *n, const struct port_requests *ports) {
    static const struct host_address any6 = {.six = true};
    if (ports->n > NETWORK_PORTS_MAX)
        return err_new(ERR_INVALID, "more than %d published ports that are no ranges",
                       NETWORK_PORTS_MAX);
    for (size_t i = 0; i < ports->n; i++) {
        const struct port_request *r = &ports->items[i];
        if (r->routed)
            continue;
        if (r->host_first != r->host_last || r->host_first == 0)
            continue; /* chosen when it is bound */
        if (r->host_first + r->count > UINT16_MAX + 1 ||
            r->container_port + r->count > UINT16_MAX + 1)
            return err_new(ERR_INVALID, "a range of ports ends above %d", UINT16_MAX);
        for (unsigned k = 0; k < r->count; k++) {
            TRY(check_port(n, r, &r->host_ip, r->host_first + k));
            if (r->both)
                TRY(check_port(n, r, &any6, r->host_first + k));
        }
    }
    return OK;
}

static struct err take_address(struct network *w, const struct endpoint_request *r,
                               const char *holder, struct in_addr *ret) {
    uint32_t address = 0;
    if (!w->prefix) {
        *ret = (struct in_addr){0};
        return r->ip && *r->ip
                   ? err_new(ERR_INVALID, "network %s has no IPv4: IPv4Address %s cannot be given",
                             w->name, r->ip)
                   : OK;
    }
    if (!r->ip || !*r->ip) {
        TRY(pool_take(w->pool, holder, &address));
        ret->s_addr = htonl(address);
        return OK;
    }
    if (w->predefined)
        return err_new(ERR_INVALID,
                       "user specified IP address is supported on user defined networks only");
    struct in_addr a;
    TRYF(address_parse(r->ip, &a), "IPv4Address");
    address = ntohl(a.s_addr);
    struct subnet s = {ntohl(w->subnet.s_addr), w->prefix};
    if (!subnet_has(s, address) || address == s.base ||
        address == (s.base | ~prefix_mask(s.prefix)))
        return err_new(ERR_INVALID, "no configured subnet contains IP address %s", r->ip);
    TRYF(pool_take_fixed(w->pool, address, holder), "IPv4Address %s", r->ip);
    *ret = a;
    return OK;
}

/* What peers have always done: 02:42 and the address. So ARP caches of neighbours stay right when
 * an address is used again. */
static void derive_mac(const struct endpoint *e, uint8_t mac[6]) {
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, e->address.s_addr ? (const void *)&e->address : &e->address6.s6_addr[12], 4);
}

static struct endpoint *insert(struct networks *n, struct network *w, const char *id,
                               const char *container_id, const char *name) {
    struct endpoint *e = NEW(struct endpoint);
    e->network = w;
    memcpy(e->id, id, sizeof(e->id));
    (void)snprintf(e->container_id, sizeof(e->container_id), "%s", container_id);
    e->container_name = mem_strdup(name);
    list_push(&w->endpoints, &e->link);
    w->endpoints_n++;
    map_set(&n->endpoints, str_of(e->id), e);
    return e;
}

static void set_ports(struct networks *n, struct endpoint *e, const struct port_mappings *ports) {
    hold_drop_all(n, e);
    e->ports.n = 0;
    for (size_t i = 0; i < ports->n; i++) {
        const struct port_mapping *m = &ports->items[i];
        vec_push(&e->ports, *m);
        hold_add(n, e, m);
    }
}

static void take_out(struct networks *n, struct endpoint *e) {
    hold_drop_all(n, e);
    if (e->address.s_addr)
        pool_give(e->network->pool, ntohl(e->address.s_addr));
    list_remove(&e->link);
    e->network->endpoints_n--;
    (void)map_del(&n->endpoints, str_of(e->id));
    free(e->container_name);
    vec_done(&e->ports);
    strv_done(&e->aliases);
    strv_done(&e->links);
    bool linked = e->link_rules.n != 0;
    vec_done(&e->link_rules);
    free(e);
    if (linked)
        log_err(LOG_WARN, settle_links(n), "network");
}

struct err endpoint_links_set(struct networks *n, const char *endpoint_id,
                              const struct link_rules *rules) {
    struct endpoint *e = endpoint_find(n, endpoint_id);
    if (!e || e->network->icc || (!rules->n && !e->link_rules.n))
        return OK;
    if (rules->n > NETWORK_LINK_RULES_MAX)
        return err_new(ERR_INVALID, "more than %d ports of linked containers",
                       NETWORK_LINK_RULES_MAX);
    e->link_rules.n = 0;
    for (size_t i = 0; i < rules->n; i++)
        vec_push(&e->link_rules, rules->items[i]);
    return settle_links(n);
}

static void copy_names(struct strv *to, char *const *items, size_t n) {
    for (size_t i = 0; i < n; i++)
        strv_add(to, items[i]);
}

static struct endpoint_plan *make_plan(const struct networks *n, const struct network *w,
                                       const struct endpoint *e, const struct endpoint_request *r) {
    struct endpoint_plan *p = NEW(struct endpoint_plan);
    memcpy(p->endpoint_id, e->id, sizeof(p->endpoint_id));
    memcpy(p->container_id, e->container_id, sizeof(p->container_id));
    memcpy(p->network_id, w->id, sizeof(p->network_id));
    p->container_name = mem_strdup(e->container_name);
    p->address = e->address;
    p->gateway = w->gateway;
    p->subnet = w->subnet;
    p->prefix = w->prefix;
    p->six = w->six;
    p->address6 = e->address6;
    p->gateway6 = w->gateway6;
    p->prefix6 = w->prefix6;
    p->mtu = w->mtu;
    p->index = r->index;
    if (r->interface)
        (void)snprintf(p->interface, sizeof(p->interface), "%s", r->interface);
    else
        (void)snprintf(p->interface, sizeof(p->interface), "%s%u",
                       *w->if_prefix ? w->if_prefix : "eth", r->index % 1000);
    p->default_route = r->default_route;
    p->user_defined = !w->predefined || n->default_names;
    copy_names(&p->aliases, e->aliases.items, e->aliases.n);
    copy_names(&p->links, e->links.items, e->links.n);
    memcpy(p->mac, e->mac, sizeof(p->mac));
    p->internal = w->internal;
    p->icc = w->icc;
    p->masquerade = w->masquerade;
    p->inhibit_four = w->inhibit_four;
    p->source = w->source;
    p->source6 = w->source6;
    p->sysctls = r->sysctls ? mem_strdup(r->sysctls) : NULL;
    if (r->link_locals)
        copy_names(&p->link_locals, r->link_locals->items, r->link_locals->n);
    p->mode = w->mode;
    p->mode6 = w->mode6;
    p->rules6 = n->rules6;
    p->relayed6 = e->relayed6;
    p->forward = n->forward;
    p->relay = n->relay != NULL;
    p->relayed = e->relayed;
    p->rules = n->rules;
    p->check_host = !w->host_ready && w->driver == NETWORK_BRIDGE;
    if (network_has_parent(w)) /* checked when the network was made */
        err_ignore(parent_of(w, &p->parent));
    memcpy(p->bridge, w->bridge, sizeof(p->bridge));
    (void)snprintf(p->host_if, sizeof(p->host_if), "veth%.8s", e->id);
    memcpy(p->table, n->table, sizeof(p->table));
    p->nft_program = mem_strdup(n->nft_program);
    p->run_dir = mem_strdup(n->run_dir);
    p->sockets = n->sockets;
    return p;
}

struct err endpoint_ports_check(const struct networks *n, const struct endpoint_plan *p,
                                const struct port_requests *requests) {
    if (!requests->n)
        return OK;
    if (*p->parent.name || p->internal)
        return err_new(ERR_UNSUPPORTED, "publishing ports on %s is not supported",
                       p->internal        ? "an internal network"
                       : p->parent.ipvlan ? "an ipvlan network"
                                          : "a macvlan network");
    if (p->ports.n + requests->n > NETWORK_PORTS_MAX)
        return err_new(ERR_INVALID, "more than %d published ports", NETWORK_PORTS_MAX);
    struct port_requests adapted = {0};
    struct publishing how = publishing_of_plan(p);
    struct err e = ports_adapt(&how, requests, &adapted);
    if (!err_failed(e))
        e = check_ports(n, &adapted);
    vec_done(&adapted);
    return e;
}

static struct err check_network(struct networks *n, struct network *w,
                                const struct endpoint_request *r) {
    if (w->config_only)
        return err_new(ERR_FORBIDDEN,
                       "network %s holds settings for other networks: nothing can "
                       "be connected to it",
                       w->name);
    if (!network_has_endpoints(w))
        return err_new(ERR_INVALID, "network %s has no endpoints", w->name);
    if (w->removing)
        return err_new(ERR_NOT_FOUND, "network %s not found", w->name);
    if (endpoint_of(w, r->container_id))
        return err_new(ERR_FORBIDDEN, "endpoint with name %s already exists in network %s",
                       r->container_name, w->name);
    if (w->predefined && r->aliases && r->aliases->n)
        return err_new(ERR_INVALID, "network-scoped alias is supported only for containers in user "
                                    "defined networks");
    if (!w->six && r->ip6 && !w->prefix6)
        return err_new(ERR_INVALID, "network %s has no IPv6: IPv6Address %s cannot be given",
                       w->name, r->ip6);
    if (!w->six && r->ip6)
        TRY(six_check_fixed(w, r->ip6));
    TRY(link_locals_fit(w, r->link_locals));
    if (w->driver == NETWORK_IPVLAN && r->mac && *r->mac)
        return err_new(ERR_INVALID,
                       "network %s: interfaces of ipvlan have their parent's MAC address, and no "
                       "other",
                       w->name);
    bool filtered = n->rules && (n->rules6 || !w->six);
    if (!filtered && w->driver == NETWORK_BRIDGE && (w->internal || !w->icc))
        return err_new(
            ERR_UNSUPPORTED, "network %s is %s, which needs the packet filter, and %s is off",
            w->name, w->internal ? "internal" : "without icc", n->rules ? "ip6tables" : "iptables");
    /* The subnet was free when it was chosen. Until the bridge stands somebody else may take it. */
    if (w->host_ready || w->fixed || w->no_four || w->endpoints_n || w->driver != NETWORK_BRIDGE)
        return OK;
    struct in_addr before = w->subnet;
    TRY(network_choose_subnet(n, w));
    if (before.s_addr != w->subnet.s_addr) {
        struct store_txn *t = store_txn_new();
        network_row_put(t, w);
        store_commit(n->store, t, STORE_DURABLE, NULL, NULL);
    }
    return OK;
}

static struct err reserve(struct networks *n, struct network *w, const struct endpoint_request *r,
                          const struct port_requests *ports, struct endpoint_plan **ret) {
    TRY(check_network(n, w, r));
    uint8_t mac[6] = {0};
    if (r->mac && *r->mac)
        TRY(mac_parse(r->mac, mac));
    char id[65];
    random_id(id);
    struct endpoint *e = insert(n, w, id, r->container_id, r->container_name);
    struct err failed = take_address(w, r, e->id, &e->address);
    if (!err_failed(failed) && w->six)
        failed = six_take(w, r->ip6, e->address, &e->address6);
    if (err_failed(failed)) {
        take_out(n, e);
        return failed;
    }
    e->relayed = n->relay_all;
    e->relayed6 = n->relay_all || !n->rules6;
    memcpy(e->mac, mac, sizeof(mac));
    if (w->driver != NETWORK_IPVLAN && (!r->mac || !*r->mac))
        derive_mac(e, e->mac);
    struct port_mappings known = {0};
    for (size_t i = 0; i < ports->n; i++) {
        const struct port_request *q = &ports->items[i];
        struct port_mapping m = {.proto = q->proto,
                                 .container_port = q->container_port,
                                 .host_ip = q->host_ip,
                                 .host_port = q->host_first,
                                 .count = q->count};
        if (q->routed || !q->host_first || q->host_first != q->host_last)
            continue;
        vec_push(&known, m);
        m.host_ip = (struct host_address){.six = true};
        if (q->both)
            vec_push(&known, m);
    }
    set_ports(n, e, &known);
    vec_done(&known);
    if (r->aliases)
        copy_names(&e->aliases, r->aliases->items, r->aliases->n);
    if (r->links)
        copy_names(&e->links, r->links->items, r->links->n);
    *ret = make_plan(n, w, e, r);
    for (size_t i = 0; i < ports->n; i++)
        vec_push(&(*ret)->requests, ports->items[i]);
    return OK;
}

struct err endpoint_reserve(struct networks *n, struct network *w, const struct endpoint_request *r,
                            struct endpoint_plan **ret) {
    struct port_requests ports = {0};
    struct publishing how = publishing_of(n, w);
    struct err e = ports_adapt(&how, &r->ports, &ports);
    if (!err_failed(e))
        e = check_ports(n, &ports);
    if (!err_failed(e))
        e = reserve(n, w, r, &ports, ret);
    vec_done(&ports);
    return e;
}

/* --- settle, release, adopt --------------------------------------------------------------------
 */

static bool another_lives(const struct networks *n, const struct endpoint *e) {
    size_t it = 0;
    void *other;
    while (map_next(&n->endpoints, &it, NULL, &other))
        if (other != e && ((struct endpoint *)other)->live)
            return true;
    return false;
}

const struct endpoint *endpoint_settle(struct networks *n, const struct endpoint_plan *p) {
    struct endpoint *e = endpoint_find(n, p->endpoint_id);
    if (!e)
        return NULL;
    set_ports(n, e, &p->ports);
    e->live = true;
    if (p->host_checked) {
        e->network->host_ready = true;
        n->forwarding_ours = host_forwarding_ours(n->run_dir);
        strv_done(&n->warnings);
        for (size_t i = 0; i < p->warnings.n; i++)
            strv_add(&n->warnings, p->warnings.items[i]);
    }
    relay_need(n);
    networks_publish(n, "connect", e->network, e->container_id);
    /* Somebody had flushed the rules: what the others published is missing too. */
    if (p->table_loaded && another_lives(n, e))
        networks_settle(n, NULL, NULL);
    return e;
}

void endpoint_ports_moved(struct networks *n, const struct endpoint_plan *p,
                          const struct endpoint_plan *from) {
    struct endpoint *old = from ? endpoint_find(n, from->endpoint_id) : NULL;
    struct endpoint *e = p ? endpoint_find(n, p->endpoint_id) : NULL;
    if (old)
        set_ports(n, old, &from->ports);
    if (e)
        set_ports(n, e, &p->ports);
    relay_need(n);
}

void endpoint_release(struct networks *n, const char *endpoint_id) {
    struct endpoint *e = endpoint_find(n, endpoint_id);
    if (!e)
        return;
    if (e->live)
        networks_publish(n, "disconnect", e->network, e->container_id);
    take_out(n, e);
}

struct err endpoint_adopt(struct networks *n, struct endpoint_plan *p) {
    p->forward = n->forward;
    p->relay = n->relay != NULL;
    p->rules = n->rules;
    p->rules6 = n->rules6;
    p->sockets = n->sockets;
    struct network *w = map_getz(&n->by_id, p->network_id);
    if (!w || !network_has_endpoints(w))
        return err_new(ERR_NOT_FOUND, "network %s not found", p->network_id);
    if (endpoint_find(n, p->endpoint_id))
        return err_new(ERR_CONFLICT, "endpoint %s exists", p->endpoint_id);
    struct endpoint *e = insert(n, w, p->endpoint_id, p->container_id, p->container_name);
    struct err failed = OK;
    if (w->prefix)
        failed = pool_take_fixed(w->pool, ntohl(p->address.s_addr), e->id);
    if (err_failed(failed)) {
        take_out(n, e);
        return failed;
    }
    e->relayed = p->relayed;
    e->relayed6 = p->relayed6;
    e->address = p->address;
    e->address6 = p->address6;
    memcpy(e->mac, p->mac, sizeof(e->mac));
    set_ports(n, e, &p->ports);
    copy_names(&e->aliases, p->aliases.items, p->aliases.n);
    copy_names(&e->links, p->links.items, p->links.n);
    p->user_defined = !w->predefined || n->default_names;
    e->live = true;
    relay_need(n);
    return OK;
}
