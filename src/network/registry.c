/* The networks in memory: open, find, list. */
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "network/private.h"
#include <arpa/inet.h>

#define NFT_PROGRAM "/usr/sbin/nft"
#define MTU_DEFAULT 1500
#define MTU_MIN 68 /* RFC 791 */

const char *network_driver_name(enum network_driver d) {
    static const char *const names[] = {"bridge", "host", "null", "macvlan", "ipvlan"};
    return names[d];
}

bool network_has_endpoints(const struct network *w) {
    return w->driver == NETWORK_BRIDGE || network_has_parent(w);
}

bool network_publishes(const struct network *w) {
    return w->driver == NETWORK_BRIDGE && !w->internal;
}

struct network *network_new(void) {
    struct network *w = NEW(struct network);
    list_init(&w->endpoints);
    return w;
}

struct network *network_free(struct network *w) {
    if (w) {
        free(w->name);
        pool_free(w->pool);
        arena_done(&w->arena);
    }
    free(w);
    return NULL;
}

void networks_insert(struct networks *n, struct network *w) {
    if (n->items_n == n->items_cap) {
        n->items_cap = n->items_cap ? n->items_cap * 2 : 8;
        n->items = mem_resize(n->items, n->items_cap, sizeof(*n->items));
    }
    n->items[n->items_n++] = w;
    map_set(&n->by_id, str_of(w->id), w);
    map_set(&n->by_name, str_of(w->name), w);
}

void networks_take_out(struct networks *n, struct network *w) {
    for (size_t i = 0; i < n->items_n; i++) {
        if (n->items[i] != w)
            continue;
        memmove(&n->items[i], &n->items[i + 1], (n->items_n - i - 1) * sizeof(*n->items));
        n->items_n--;
        break;
    }
    (void)map_del(&n->by_id, str_of(w->id));
    (void)map_del(&n->by_name, str_of(w->name));
}

void networks_publish(struct networks *n, const char *action, const struct network *w,
                      const char *container_id) {
    struct network_event e = {.action = action, .network = w, .container_id = container_id};
    bus_publish(&n->bus, &e);
}

struct bus *networks_bus(struct networks *n) {
    return &n->bus;
}

const struct strv *networks_warnings(const struct networks *n) {
    return &n->warnings;
}

const char *networks_host_gateway(const struct networks *n) {
    return n->host_gateway;
}

bool networks_forwarding_ours(const struct networks *n) {
    return n->forwarding_ours;
}

void network_set_subnet(struct network *w, struct subnet s, uint32_t gateway, struct subnet range) {
    if (!range.prefix)
        range = s;
    if (!gateway)
        gateway = s.base + 1;
    w->subnet.s_addr = htonl(s.base);
    w->prefix = s.prefix;
    w->gateway.s_addr = htonl(gateway);
    w->range.s_addr = htonl(range.base);
    w->range_prefix = range.prefix;
    pool_free(w->pool);
    w->pool = pool_new(range, s);
    err_ignore(pool_take_fixed(w->pool, gateway, w->id)); /* the pool is empty: cannot be taken */
}

struct err network_choose_subnet(struct networks *n, struct network *w) {
    struct subnets taken = {0};
    struct err e = subnet_host_routes(w->bridge, &taken);
    for (size_t i = 0; i < n->items_n; i++)
        if (n->items[i] != w && n->items[i]->prefix)
            vec_push(&taken,
                     (struct subnet){ntohl(n->items[i]->subnet.s_addr), n->items[i]->prefix});
    struct subnet now = {ntohl(w->subnet.s_addr), w->prefix};
    bool keep = w->prefix != 0;
    for (size_t i = 0; i < taken.n && keep; i++)
        keep = !subnet_overlap(taken.items[i], now);
    if (!err_failed(e) && !keep) {
        struct subnet s;
        if (subnet_choose(&n->sources, &taken, &s))
            network_set_subnet(w, s, 0, (struct subnet){0});
        else
            e = err_new(ERR_FORBIDDEN, "could not find an available, non-overlapping IPv4 address "
                                       "pool among the defaults to assign to the network");
    }
    vec_done(&taken);
    return e;
}

/* --- predefined networks -----------------------------------------------------------------------
 */

static struct network *predefined(struct networks *n, const char *name, enum network_driver d) {
    struct network *w = network_new();
    random_id(w->id);
    w->name = mem_strdup(name);
    w->driver = d;
    w->predefined = true;
    w->created = time_now();
    networks_insert(n, w);
    return w;
}

/* What follows from the configuration is set at every start; ids and the chosen subnet stay. */
static struct err configure_default(struct networks *n, struct network *w) {
    w->icc = n->icc;
    w->masquerade = n->masquerade;
    w->mtu = n->mtu;
    w->bind_ip = n->bind_ip;
    memcpy(w->bridge, n->bridge, sizeof(w->bridge));
    if (n->bip.prefix) {
        TRY(six_configure_default(n, w));
        w->fixed = true;
        network_set_subnet(w, n->bip, n->bip_address, n->fixed);
        return OK;
    }
    TRY(six_configure_default(n, w));
    w->fixed = false;
    /* Once chosen it stays while containers may be running; endpoint_reserve looks again. */
    return w->prefix ? OK : network_choose_subnet(n, w);
}

static struct err ensure_predefined(struct networks *n) {
    static const struct {
        const char *name;
        enum network_driver driver;
    } want[] = {{"bridge", NETWORK_BRIDGE}, {"host", NETWORK_HOST}, {"none", NETWORK_NONE}};
    struct store_txn *t = NULL;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct network *w = map_getz(&n->by_name, want[i].name);
        bool fresh = w == NULL;
        if (fresh)
            w = predefined(n, want[i].name, want[i].driver);
        struct in_addr before = w->subnet;
        if (w->driver == NETWORK_BRIDGE) {
            struct err e = configure_default(n, w);
            if (err_failed(e)) {
                store_txn_free(t);
                return err_wrap(e, "network bridge");
            }
        }
        if (fresh || before.s_addr != w->subnet.s_addr) {
            if (!t)
                t = store_txn_new();
            network_row_put(t, w);
        }
    }
    if (t)
        store_commit(n->store, t, STORE_DURABLE, NULL, NULL);
    return OK;
}

/* --- open, close -------------------------------------------------------------------------------
 */

static bool is_address(const char *text) {
    struct in6_addr a;
    return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

static struct err configure(struct networks *n, const struct networks_config *c) {
    const char *instance = c->instance ? c->instance : "";
    if (strlen(instance) > 8)
        return err_new(ERR_INVALID, "network instance name '%s' is too long", instance);
    n->instance = mem_strdup(instance);
    const char *dash = *instance ? "-" : "";
    (void)snprintf(n->table, sizeof(n->table), "corten%s%s", dash, instance);
    if (c->bridge_name && (*c->bridge_name == '\0' || strlen(c->bridge_name) >= IFNAMSIZ))
        return err_new(ERR_INVALID, "bridge name '%s' must have 1 to 15 characters",
                       c->bridge_name);
    if (c->bridge_name)
        (void)snprintf(n->bridge, sizeof(n->bridge), "%s", c->bridge_name);
    else
        (void)snprintf(n->bridge, sizeof(n->bridge), *instance ? "corten-%s" : "corten0", instance);
    n->nft_program = mem_strdup(c->nft_program ? c->nft_program : NFT_PROGRAM);
    n->run_dir = mem_strdup(c->run_dir);
    n->mtu = c->mtu ? c->mtu : MTU_DEFAULT;
    if (n->mtu < MTU_MIN || n->mtu > UINT16_MAX)
        return err_new(ERR_INVALID, "mtu %u is not between %d and %d", n->mtu, MTU_MIN, UINT16_MAX);
    if (c->bind_ip)
        TRYF(address_parse(c->bind_ip, &n->bind_ip), "default bind address");
    if (c->bip)
        TRYF(subnet_parse(c->bip, &n->bip, &n->bip_address), "bip");
    if (c->bip && n->bip_address == n->bip.base)
        return err_new(ERR_INVALID, "bip %s: is the subnet's own address", c->bip);
    if (c->fixed_cidr) {
        TRYF(subnet_parse(c->fixed_cidr, &n->fixed, NULL), "fixed-cidr");
        if (!c->bip || !subnet_has(n->bip, n->fixed.base) || n->fixed.prefix < n->bip.prefix)
            return err_new(ERR_INVALID, "fixed-cidr %s: is not part of bip's subnet",
                           c->fixed_cidr);
    }
    if (!c->six && (c->bip6 || c->fixed_cidr6))
        return err_new(ERR_INVALID, "%s needs ipv6", c->bip6 ? "bip6" : "fixed-cidr-v6");
    n->six = c->six;
    n->bip6 = c->bip6 ? arena_strz(&n->arena, c->bip6) : NULL;
    n->fixed6 = c->fixed_cidr6 ? arena_strz(&n->arena, c->fixed_cidr6) : NULL;
    TRY(settings_defaults(n, c->options));
    n->icc = !c->icc_off;
    n->default_names = c->default_names;
    n->rules = !c->rules_off;
    n->rules6 = !c->rules_off && !c->rules6_off;
    n->relay_all = c->relay_all || c->rules_off;
    if (n->relay_all && !c->relay_program)
        return err_new(ERR_INVALID, "ports are to be published by corten-relay, and "
                                    "userland-proxy is off");
    if (c->rules6_off && !c->relay_program)
        return err_new(ERR_INVALID, "without ip6tables ports on IPv6 are corten-relay's, and "
                                    "userland-proxy is off");
    if (c->rules_off && c->icc_off)
        return err_new(ERR_INVALID, "icc off needs the packet filter, and iptables is off");
    TRY(names_forwards_parse(c->dns_forwards, &n->dns_forwards));
    if (c->host_gateway && !is_address(c->host_gateway))
        return err_new(ERR_INVALID, "host-gateway-ip: '%s' is no address", c->host_gateway);
    n->host_gateway = c->host_gateway ? mem_strdup(c->host_gateway) : NULL;
    n->masquerade = !c->masquerade_off;
    n->forward = !c->forward_off;
    for (size_t i = 0; i < ARRAY_LEN(c->pools); i++)
        TRY(subnet_sources_parse(c->pools[i], &n->sources));
    return dir_make(n->run_dir, 0700);
}

struct err networks_open(struct store *s, struct loop *l, const struct networks_config *config,
                         struct networks **ret) {
    struct networks *n = NEW(struct networks);
    n->store = s;
    n->loop = l;
    bus_init(&n->bus);
    n->sockets = nft_sockets_new();
    n->spares = spares_new(n);
    struct err e = configure(n, config);
    if (!err_failed(e))
        e = network_rows_load(n);
    if (!err_failed(e))
        e = ensure_predefined(n);
    if (err_failed(e)) {
        networks_close(n);
        return err_wrap(e, "networks");
    }
    n->cgroup = config->cgroup;
    n->names = names_new(n, config->dns_program);
    n->relay = relay_new(n, config->relay_program);
    n->forwarding_ours = host_forwarding_ours(n->run_dir);
    *ret = n;
    return OK;
}

struct networks *networks_close(struct networks *n) {
    if (!n)
        return NULL;
    settle_forget(n);
    n->spares = spares_free(n->spares);
    n->names = names_free(n->names);
    n->relay = relay_free(n->relay);
    size_t it = 0;
    void *value;
    while (map_next(&n->endpoints, &it, NULL, &value)) {
        struct endpoint *e = value;
        hold_drop_all(n, e);
        free(e->container_name);
        vec_done(&e->ports);
        strv_done(&e->aliases);
        strv_done(&e->links);
        vec_done(&e->link_rules);
        free(e);
    }
    for (size_t i = 0; i < n->items_n; i++)
        network_free(n->items[i]);
    free(n->items);
    arena_done(&n->arena);
    free(n->dns_forwards);
    free(n->host_gateway);
    map_done(&n->by_id);
    map_done(&n->by_name);
    map_done(&n->endpoints);
    map_done(&n->ports);
    strv_done(&n->warnings);
    vec_done(&n->sources);
    nft_sockets_free(n->sockets);
    free(n->instance);
    free(n->nft_program);
    free(n->run_dir);
    free(n);
    return NULL;
}

/* --- find --------------------------------------------------------------------------------------
 */

/* *ret_many: several ids begin so. */
static struct network *find(const struct networks *n, const char *ref, bool *ret_many) {
    *ret_many = false;
    struct network *w = map_getz(&n->by_id, ref);
    if (!w)
        w = map_getz(&n->by_name, ref);
    if (w || !*ref)
        return w;
    for (size_t i = 0; i < n->items_n; i++) {
        if (!str_starts(str_of(n->items[i]->id), str_of(ref)))
            continue;
        *ret_many = w != NULL;
        if (w)
            return NULL;
        w = n->items[i];
    }
    return w;
}

struct network *network_find(const struct networks *n, const char *ref) {
    bool many;
    return find(n, ref, &many);
}

struct err network_get(const struct networks *n, const char *ref, struct network **ret) {
    bool many;
    struct network *w = find(n, ref, &many);
    if (many)
        return err_new(ERR_INVALID, "network %s is ambiguous (several ids begin so)", ref);
    if (!w)
        return err_new(ERR_NOT_FOUND, "network %s not found", ref);
    *ret = w;
    return OK;
}

struct network *network_next(const struct networks *n, size_t *it) {
    return *it < n->items_n ? n->items[(*it)++] : NULL;
}
