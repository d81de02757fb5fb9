/* User-defined bridge networks: create and remove. */
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "network/private.h"
#include <arpa/inet.h>

#define OPTION "com.docker.network."

/* --- create ------------------------------------------------------------------------------------
 */

static struct err check_name(const struct networks *n, const char *name) {
    if (!name || !*name)
        return err_new(ERR_INVALID, "invalid name: name is empty");
    if (strlen(name) > NETWORK_NAME_LEN_MAX)
        return err_new(ERR_INVALID, "invalid name: longer than %d bytes", NETWORK_NAME_LEN_MAX);
    for (const char *c = name; *c; c++) {
        bool alnum = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9');
        if (!alnum && (c == name || !strchr(c[1] ? "_.- " : "_.-", *c)))
            return err_new(ERR_INVALID,
                           "invalid name: \"%s\", only [a-zA-Z0-9][a-zA-Z0-9_.-] and spaces "
                           "between them are allowed",
                           name);
    }
    static const char *const reserved[] = {"bridge", "host", "none", "default", "container"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return err_new(ERR_FORBIDDEN, "operation is not permitted on predefined %s network",
                           name);
    if (map_getz(&n->by_name, name))
        return err_new(ERR_CONFLICT, "network with name %s already exists", name);
    return OK;
}

static struct err parse_bool(const char *key, const char *value, bool *ret) {
    if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *ret = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *ret = false;
    else
        return err_new(ERR_INVALID, "option %s: '%s' is not true or false", key, value);
    return OK;
}

static const char *const modes[] = {"nat", "nat-unprotected", "routed", "isolated"};

const char *gateway_mode_name(enum gateway_mode m) {
    return modes[m];
}

static struct err parse_mode(const char *key, const char *value, bool internal,
                             enum gateway_mode *ret) {
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(value, modes[i]) != 0)
            continue;
        *ret = (enum gateway_mode)i;
        if (*ret == GATEWAY_ISOLATED && !internal)
            return err_new(ERR_INVALID, "option %s: 'isolated' is for internal networks only", key);
        return OK;
    }
    return err_new(ERR_INVALID, "option %s: '%s' is not nat, nat-unprotected, routed or isolated",
                   key, value);
}

bool is_interface_name(const char *name) {
    return *name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/: \t\n") &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static struct err set_bridge_name(const struct networks *n, struct network *w, const char *name) {
    if (!is_interface_name(name))
        return err_new(ERR_INVALID, "option " OPTION "bridge.name: '%s' is no interface name",
                       name);
    for (size_t i = 0; i < n->items_n; i++)
        if (strcmp(n->items[i]->bridge, name) == 0)
            return err_new(ERR_CONFLICT, "bridge name %s is used by network %s", name,
                           n->items[i]->name);
    if (link_index(name))
        return err_new(ERR_CONFLICT, "an interface named %s exists already", name);
    (void)snprintf(w->bridge, sizeof(w->bridge), "%s", name);
    return OK;
}

static struct err set_prefix(struct network *w, const char *value) {
    if (!is_interface_name(value) || strlen(value) >= sizeof(w->if_prefix))
        return err_new(ERR_INVALID,
                       "option " OPTION "container_iface_prefix: '%s' does not begin an interface "
                       "name of at most %zu characters",
                       value, sizeof(w->if_prefix) - 1);
    (void)snprintf(w->if_prefix, sizeof(w->if_prefix), "%s", value);
    return OK;
}

static struct err apply_option(const struct networks *n, struct network *w, const char *key,
                               const char *value) {
    if (network_has_parent(w) && str_starts(str_of(key), STR(OPTION "bridge.")))
        return err_new(ERR_UNSUPPORTED, "network option %s is not supported by %s", key,
                       network_driver_name(w->driver));
    if (network_has_parent(w) && parent_option(w, key))
        return OK; /* parent_check */
    if (strcmp(key, OPTION "bridge.name") == 0)
        return set_bridge_name(n, w, value);
    if (strcmp(key, OPTION "bridge.enable_icc") == 0)
        return parse_bool(key, value, &w->icc);
    if (strcmp(key, OPTION "bridge.enable_ip_masquerade") == 0)
        return parse_bool(key, value, &w->masquerade);
    if (strcmp(key, OPTION "bridge.host_binding_ipv4") == 0)
        return err_wrap(address_parse(value, &w->bind_ip), "option %s", key);
    if (strcmp(key, OPTION "bridge.gateway_mode_ipv4") == 0)
        return parse_mode(key, value, w->internal, &w->mode);
    if (strcmp(key, OPTION "bridge.gateway_mode_ipv6") == 0)
        return parse_mode(key, value, w->internal, &w->mode6);
    if (strcmp(key, OPTION "bridge.inhibit_ipv4") == 0)
        return parse_bool(key, value, &w->inhibit_four);
    if (strcmp(key, OPTION "host_ipv4") == 0 && !network_has_parent(w))
        return err_wrap(address_parse(value, &w->source), "option %s", key);
    if (strcmp(key, OPTION "host_ipv6") == 0 && !network_has_parent(w))
        return err_wrap(six_parse(value, &w->source6), "option %s", key);
    if (strcmp(key, OPTION "container_iface_prefix") == 0)
        return set_prefix(w, value);
    if (strcmp(key, OPTION "driver.mtu") == 0) {
        uint64_t mtu = 0;
        TRYF(str_to_u64(str_of(value), UINT16_MAX, &mtu), "option %s", key);
        if (mtu < 68)
            return err_new(ERR_INVALID, "option %s: %s is less than 68", key, value);
        w->mtu = (unsigned)mtu;
        return OK;
    }
    return err_new(ERR_UNSUPPORTED, "network option %s is not supported", key);
}

static struct err apply_subnet(struct networks *n, struct network *w,
                               const struct network_request *r) {
    bool given = r->subnet && *r->subnet;
    if (r->no_four && given)
        return err_new(ERR_INVALID, "IPv4 is off: subnet %s cannot be given", r->subnet);
    if (r->no_four && !r->six)
        return err_new(ERR_INVALID, "IPv4 or IPv6 must be enabled");
    w->no_four = r->no_four;
    if (w->no_four)
        return OK;
    if (!given && ((r->gateway && *r->gateway) || (r->ip_range && *r->ip_range) || r->aux.n))
        return err_new(ERR_INVALID, "gateway, IP range and auxiliary addresses need a subnet");
    if (!given)
        return network_choose_subnet(n, w);
    struct subnet s, range = {0};
    uint32_t gateway = 0;
    TRYF(subnet_parse(r->subnet, &s, NULL), "subnet");
    for (size_t i = 0; i < n->items_n; i++)
        if (n->items[i]->prefix &&
            subnet_overlap(s,
                           (struct subnet){ntohl(n->items[i]->subnet.s_addr), n->items[i]->prefix}))
            return err_new(ERR_FORBIDDEN,
                           "invalid pool request: Pool overlaps with other one on "
                           "this address space (network %s)",
                           n->items[i]->name);
    if (r->gateway && *r->gateway) {
        struct in_addr a;
        TRYF(address_parse(r->gateway, &a), "gateway");
        gateway = ntohl(a.s_addr);
        if (!subnet_has(s, gateway))
            return err_new(ERR_INVALID, "gateway %s is not in subnet %s", r->gateway, r->subnet);
    }
    if (r->ip_range && *r->ip_range) {
        uint32_t any;
        TRYF(subnet_parse(r->ip_range, &range, &any), "ip range");
        if (!subnet_has(s, range.base) || range.prefix < s.prefix)
            return err_new(ERR_INVALID, "IP range %s is not in subnet %s", r->ip_range, r->subnet);
    }
    w->fixed = true;
    network_set_subnet(w, s, gateway, range);
    return OK;
}

struct err network_reserve_aux(struct network *w) {
    struct subnet s = {ntohl(w->subnet.s_addr), w->prefix};
    for (size_t i = 0; i < w->aux.n && w->prefix; i++) {
        const char *text = w->aux.items[i].value;
        struct in_addr a;
        TRYF(address_parse(text, &a), "auxiliary address %s", w->aux.items[i].key);
        if (!subnet_has(s, ntohl(a.s_addr)))
            return err_new(ERR_INVALID, "auxiliary address %s is not in the network's subnet",
                           text);
        struct err e = pool_take_fixed(w->pool, ntohl(a.s_addr), w->id);
        if (err_failed(e))
            return err_wrap(err_as(e, ERR_INVALID), "auxiliary address %s", text);
    }
    return OK;
}

static void copy_map(struct strmap *to, struct arena *a, const struct strmap *from) {
    for (size_t i = 0; i < from->n; i++)
        strmap_set(to, a, from->items[i].key, from->items[i].value);
    to->present = true;
}

static struct err read_driver(const char *name, enum network_driver *ret) {
    static const enum network_driver made[] = {NETWORK_BRIDGE, NETWORK_MACVLAN, NETWORK_IPVLAN};
    *ret = NETWORK_BRIDGE;
    if (!name || !*name)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        *ret = made[i];
        if (strcmp(name, network_driver_name(made[i])) == 0)
            return OK;
    }
    return err_new(ERR_UNSUPPORTED, "network driver %s is not supported", name);
}

/* What the network is on: a bridge of its own, or an interface of the host. */
static struct err choose_interface(struct networks *n, struct network *w,
                                   struct network_parent *ret_parent) {
    if (!network_has_parent(w)) {
        (void)snprintf(w->bridge, sizeof(w->bridge), "corten-%.8s", w->id);
        return OK;
    }
    TRY(parent_check(n, w, ret_parent));
    w->internal |= ret_parent->dummy;
    w->mtu = 0; /* the parent's */
    return OK;
}

static struct err build(struct networks *n, struct network *w, const struct network_request *r,
                        struct network_parent *ret_parent) {
    struct network_request with;
    TRY(check_name(n, r->name));
    random_id(w->id);
    w->name = mem_strdup(r->name);
    w->created = time_now();
    if (r->config_only)
        return settings_make(w, r);
    TRY(settings_apply(n, r, w, &with));
    r = &with;
    TRY(read_driver(r->driver, &w->driver));
    w->internal = r->internal;
    w->attachable = r->attachable;
    w->six = r->six;
    w->icc = w->masquerade = true;
    w->mtu = n->mtu;
    w->bind_ip = n->bind_ip;
    copy_map(&w->options, &w->arena, &r->options);
    settings_complete(n, w);
    TRY(choose_interface(n, w, ret_parent));
    for (size_t i = 0; i < w->options.n; i++)
        TRY(apply_option(n, w, w->options.items[i].key, w->options.items[i].value));
    TRY(apply_subnet(n, w, r));
    TRY(six_configure(
        n, w,
        &(struct six_pool){
            .subnet = r->subnet6, .gateway = r->gateway6, .range = r->ip_range6, .aux = &r->aux6}));
    copy_map(&w->aux, &w->arena, &r->aux);
    copy_map(&w->aux6, &w->arena, &r->aux6);
    TRY(network_reserve_aux(w));
    copy_map(&w->labels, &w->arena, &r->labels);
    return OK;
}

struct creation {
    struct networks *networks;
    struct network *network;      /* NULL: refused */
    struct network_parent parent; /* name "": none */
    char table[32];
    struct err e;
    void (*done)(void *arg, struct err e, struct network *w);
    void *arg;
};

static void created(void *arg, struct err e) {
    struct creation *c = arg;
    if (err_failed(e)) {
        networks_take_out(c->networks, c->network);
        c->network = network_free(c->network);
    } else {
        c->network->removing = false;
        networks_publish(c->networks, "create", c->network, NULL);
    }
    c->done(c->arg, e, c->network);
    free(c);
}

static struct err create_work(void *arg) {
    struct creation *c = arg;
    return parent_prepare(&c->parent, c->table);
}

static void create_worked(void *arg, struct err e) {
    struct creation *c = arg;
    if (err_failed(e)) {
        created(c, e);
        return;
    }
    struct store_txn *t = store_txn_new();
    network_row_put(t, c->network);
    store_commit(c->networks->store, t, STORE_DURABLE, created, c);
}

static void refused(void *arg) {
    struct creation *c = arg;
    c->done(c->arg, c->e, NULL);
    free(c);
}

void network_create(struct networks *n, const struct network_request *r,
                    void (*done)(void *arg, struct err e, struct network *w), void *arg) {
    struct creation *c = NEW(struct creation);
    c->networks = n;
    c->done = done;
    c->arg = arg;
    c->network = network_new();
    c->e = build(n, c->network, r, &c->parent);
    if (err_failed(c->e)) {
        c->network = network_free(c->network);
        loop_post(n->loop, refused, c);
        return;
    }
    c->network->removing = true; /* nobody connects before the row is durable */
    networks_insert(n, c->network);
    memcpy(c->table, n->table, sizeof(c->table));
    if (*c->parent.name)
        job_submit(n->loop, create_work, create_worked, c);
    else
        create_worked(c, OK);
}

/* --- remove ------------------------------------------------------------------------------------
 */

struct removal {
    struct networks *networks;
    struct network *network;
    struct host_plan host; /* strings of the network and the registry: both outlive the job */
    struct network_parent parent;
    struct err e;
    void (*done)(void *arg, struct err e);
    void *arg;
};

static void removal_end(struct removal *r, struct err e) {
    r->done(r->arg, e);
    free(r);
}

static void removed(void *arg, struct err e) {
    struct removal *r = arg;
    if (err_failed(e)) {
        r->network->removing = false;
    } else {
        networks_publish(r->networks, "destroy", r->network, NULL);
        networks_take_out(r->networks, r->network);
        network_free(r->network);
    }
    removal_end(r, e);
}

static struct err remove_work(void *arg) {
    struct removal *r = arg;
    if (*r->parent.name)
        return parent_remove(&r->parent, r->host.table);
    return *r->host.bridge ? host_remove(&r->host) : OK; /* a parent that others are on stays */
}

static void remove_worked(void *arg, struct err e) {
    struct removal *r = arg;
    if (err_failed(e)) {
        r->network->removing = false;
        removal_end(r, e);
        return;
    }
    struct store_txn *t = store_txn_new();
    network_row_delete(t, r->network);
    store_commit(r->networks->store, t, STORE_DURABLE, removed, r);
}

static void remove_refused(void *arg) {
    struct removal *r = arg;
    removal_end(r, r->e);
}

static struct err check_removal(const struct networks *n, const struct network *w) {
    if (w->predefined)
        return err_new(ERR_FORBIDDEN, "%s is a pre-defined network and cannot be removed", w->name);
    if (w->removing)
        return err_new(ERR_CONFLICT, "network %s is being created or removed", w->name);
    if (w->config_only && settings_used(n, w))
        return err_new(ERR_FORBIDDEN, "configuration network %s is in use", w->name);
    if (w->endpoints_n)
        return err_new(ERR_FORBIDDEN,
                       "error while removing network: network %s id %s has active "
                       "endpoints",
                       w->name, w->id);
    return OK;
}

void network_remove(struct networks *n, struct network *w, void (*done)(void *arg, struct err e),
                    void *arg) {
    struct removal *r = NEW(struct removal);
    r->networks = n;
    r->network = w;
    r->done = done;
    r->arg = arg;
    r->e = check_removal(n, w);
    if (err_failed(r->e)) {
        loop_post(n->loop, remove_refused, r);
        return;
    }
    w->removing = true;
    r->host = host_plan_for(n, w);
    if (network_has_parent(w) && !parent_shared(n, w)) /* checked when the network was made */
        err_ignore(parent_of(w, &r->parent));
    job_submit(n->loop, remove_work, remove_worked, r);
}

struct host_plan host_plan_for(const struct networks *n, const struct network *w) {
    return (struct host_plan){
        .bridge = w->bridge,
        .table = n->table,
        .nft_program = n->nft_program,
        .run_dir = n->run_dir,
        .subnet = w->subnet,
        .gateway = w->gateway,
        .prefix = w->prefix,
        .mtu = w->mtu,
        .internal = w->internal,
        .icc = w->icc,
        .masquerade = w->masquerade,
        .mode = w->mode,
        .mode6 = w->mode6,
        .inhibit_four = w->inhibit_four,
        .source = w->source,
        .source6 = w->source6,
        .rules6 = n->rules6,
        .forward = n->forward,
        .rules = n->rules,
        .six = w->six,
        .gateway6 = w->gateway6,
        .prefix6 = w->prefix6,
    };
}
