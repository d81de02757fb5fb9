/* Networks in the store: table `network`, one row each; what is not looked up by column is JSON. */
#include "network/private.h"
#include <arpa/inet.h>

struct network_row {
    char *subnet, *gateway, *range, *bridge, *bind_ip, *subnet6, *gateway6, *range6;
    char *config_from, *if_prefix, *source, *source6;
    bool inhibit_four;
    bool internal, attachable, icc, masquerade, fixed, six_idle, six, no_four, config_only;
    uint32_t mtu, mode, mode6;
    struct strmap labels, options, aux, aux6;
};

FIELDS(network_row_fields, struct network_row,
       FIELD(struct network_row, subnet, "subnet", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, gateway, "gateway", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, range, "range", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, bridge, "bridge", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, bind_ip, "bind", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, internal, "internal", F_BOOL, 0),
       FIELD(struct network_row, attachable, "attachable", F_BOOL, 0),
       FIELD(struct network_row, icc, "icc", F_BOOL, 0),
       FIELD(struct network_row, masquerade, "masquerade", F_BOOL, 0),
       FIELD(struct network_row, fixed, "fixed", F_BOOL, 0),
       FIELD(struct network_row, mtu, "mtu", F_U32, 0),
       FIELD(struct network_row, labels, "labels", F_STRMAP, OMIT_EMPTY),
       FIELD(struct network_row, options, "options", F_STRMAP, OMIT_EMPTY),
       FIELD(struct network_row, subnet6, "subnet6", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, gateway6, "gateway6", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, range6, "range6", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, six_idle, "six_idle", F_BOOL, OMIT_EMPTY),
       FIELD(struct network_row, no_four, "no_four", F_BOOL, OMIT_EMPTY),
       FIELD(struct network_row, six, "six", F_BOOL, OMIT_EMPTY), /* of config_only */
       FIELD(struct network_row, config_only, "config_only", F_BOOL, OMIT_EMPTY),
       FIELD(struct network_row, config_from, "config_from", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, if_prefix, "if_prefix", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, source, "source", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, source6, "source6", F_STR, OMIT_EMPTY),
       FIELD(struct network_row, inhibit_four, "inhibit_four", F_BOOL, OMIT_EMPTY),
       FIELD(struct network_row, mode, "mode", F_U32, OMIT_EMPTY),
       FIELD(struct network_row, mode6, "mode6", F_U32, OMIT_EMPTY),
       FIELD(struct network_row, aux, "aux", F_STRMAP, OMIT_EMPTY),
       FIELD(struct network_row, aux6, "aux6", F_STRMAP, OMIT_EMPTY));

static void put_settings(const struct network_pools *p, struct network_row *r) {
    r->subnet = p->subnet;
    r->gateway = p->gateway;
    r->range = p->ip_range;
    r->subnet6 = p->subnet6;
    r->gateway6 = p->gateway6;
    r->range6 = p->ip_range6;
}

static struct network_pools *settings_of(const struct network_row *r, struct arena *a) {
    struct network_pools *p = arena_alloc(a, sizeof(*p));
    *p = (struct network_pools){r->subnet,  r->gateway,  r->range,
                                r->subnet6, r->gateway6, r->range6};
    return p;
}

void network_row_put(struct store_txn *t, const struct network *w) {
    char subnet[INET_ADDRSTRLEN + 4] = "", gateway[INET_ADDRSTRLEN] = "";
    char range[INET_ADDRSTRLEN + 4] = "", bind_ip[INET_ADDRSTRLEN] = "", text[INET_ADDRSTRLEN];
    char bridge[IFNAMSIZ];
    memcpy(bridge, w->bridge, sizeof(bridge));
    if (w->prefix) {
        (void)snprintf(subnet, sizeof(subnet), "%s/%u", address_format(w->subnet, text), w->prefix);
        (void)snprintf(range, sizeof(range), "%s/%u", address_format(w->range, text),
                       w->range_prefix);
        address_format(w->gateway, gateway);
    }
    if (w->prefix || w->no_four)
        address_format(w->bind_ip, bind_ip);
    char subnet6[INET6_ADDRSTRLEN + 4] = "", gateway6[INET6_ADDRSTRLEN] = "";
    char range6[INET6_ADDRSTRLEN + 4] = "", text6[INET6_ADDRSTRLEN];
    if (w->prefix6) {
        (void)snprintf(subnet6, sizeof(subnet6), "%s/%u", six_format(&w->subnet6, text6),
                       w->prefix6);
        (void)snprintf(range6, sizeof(range6), "%s/%u", six_format(&w->range6, text6),
                       w->range_prefix6);
        six_format(&w->gateway6, gateway6);
    }
    char source[INET_ADDRSTRLEN] = "", source6[INET6_ADDRSTRLEN] = "", if_prefix[IFNAMSIZ];
    (void)snprintf(if_prefix, sizeof(if_prefix), "%s", w->if_prefix);
    if (w->source.s_addr)
        address_format(w->source, source);
    if (six_is_set(&w->source6))
        six_format(&w->source6, source6);
    struct network_row r = {.subnet = subnet,
                            .subnet6 = subnet6,
                            .gateway6 = gateway6,
                            .range6 = range6,
                            .six_idle = w->prefix6 && !w->six,
                            .gateway = gateway,
                            .range = range,
                            .bridge = bridge,
                            .bind_ip = bind_ip,
                            .internal = w->internal,
                            .attachable = w->attachable,
                            .icc = w->icc,
                            .masquerade = w->masquerade,
                            .fixed = w->fixed,
                            .mtu = w->mtu,
                            .labels = w->labels,
                            .options = w->options,
                            .no_four = w->no_four,
                            .six = w->config_only && w->six,
                            .config_only = w->config_only,
                            .config_from = w->config_from,
                            .if_prefix = if_prefix,
                            .source = source,
                            .source6 = source6,
                            .inhibit_four = w->inhibit_four,
                            .mode = w->mode,
                            .mode6 = w->mode6,
                            .aux = w->aux,
                            .aux6 = w->aux6};
    if (w->settings)
        put_settings(w->settings, &r);
    CLEAN_BUF struct buf data = {0};
    fields_print(&network_row_fields, &r, &data);
    store_add(t,
              "INSERT OR REPLACE INTO network(id, name, driver, predefined, created, data)"
              " VALUES(?, ?, ?, ?, ?, ?)",
              "sssiit", w->id, w->name, network_driver_name(w->driver), (int64_t)w->predefined,
              w->created, buf_str(&data));
}

void network_row_delete(struct store_txn *t, const struct network *w) {
    store_add(t, "DELETE FROM network WHERE id = ?", "s", w->id);
}

static struct err driver_of(const char *name, enum network_driver *ret) {
    for (int d = NETWORK_BRIDGE; d <= NETWORK_IPVLAN; d++) {
        if (name && strcmp(name, network_driver_name((enum network_driver)d)) == 0) {
            *ret = (enum network_driver)d;
            return OK;
        }
    }
    return err_new(ERR_SYSTEM, "unknown driver '%s' in the store", name ? name : "");
}

static struct err read_data(struct network *w, struct str text) {
    struct network_row r;
    TRY(fields_decode(&network_row_fields, text, &w->arena, &r));
    w->internal = r.internal;
    w->attachable = r.attachable;
    w->icc = r.icc;
    w->masquerade = r.masquerade;
    w->fixed = r.fixed;
    w->mtu = r.mtu;
    w->labels = r.labels;
    w->options = r.options;
    w->aux = r.aux;
    w->aux6 = r.aux6;
    w->no_four = r.no_four;
    w->config_only = r.config_only;
    w->config_from = r.config_from;
    if (r.mode > GATEWAY_ISOLATED || r.mode6 > GATEWAY_ISOLATED)
        return err_new(ERR_SYSTEM, "unknown gateway mode in the store");
    w->mode = r.mode;
    w->mode6 = r.mode6;
    w->inhibit_four = r.inhibit_four;
    if (r.if_prefix)
        (void)snprintf(w->if_prefix, sizeof(w->if_prefix), "%s", r.if_prefix);
    if (r.source)
        TRY(address_parse(r.source, &w->source));
    if (r.source6)
        TRY(six_parse(r.source6, &w->source6));
    if (w->config_only) {
        w->six = r.six;
        w->settings = settings_of(&r, &w->arena);
        return OK;
    }
    if (r.subnet6 && *r.subnet6) {
        w->six = !r.six_idle;
        TRY(six_parse_subnet(r.subnet6, &w->subnet6, &w->prefix6));
        TRY(six_parse_subnet(r.range6 ? r.range6 : r.subnet6, &w->range6, &w->range_prefix6));
        TRY(six_parse(r.gateway6, &w->gateway6));
    }
    if (r.bind_ip)
        TRY(address_parse(r.bind_ip, &w->bind_ip));
    (void)snprintf(w->bridge, sizeof(w->bridge), "%s", r.bridge ? r.bridge : "");
    if (!r.subnet)
        return OK;
    struct subnet s, range;
    struct in_addr gateway;
    TRY(subnet_parse(r.subnet, &s, NULL));
    TRY(subnet_parse(r.range, &range, NULL));
    TRY(address_parse(r.gateway, &gateway));
    network_set_subnet(w, s, ntohl(gateway.s_addr), range);
    return network_reserve_aux(w);
}

static struct err load_row(void *arg, struct store_row *row) {
    struct networks *n = arg;
    const char *id = row_text(row, 0), *name = row_text(row, 1);
    if (!id || strlen(id) != 64 || !name)
        return err_new(ERR_SYSTEM, "network row without id or name in the store");
    struct network *w = network_new();
    memcpy(w->id, id, sizeof(w->id));
    w->name = mem_strdup(name);
    w->predefined = row_int(row, 3) != 0;
    w->created = row_int(row, 4);
    struct err e = driver_of(row_text(row, 2), &w->driver);
    if (!err_failed(e))
        e = read_data(w, str_of(row_text(row, 5)));
    if (err_failed(e)) {
        e = err_wrap(e, "network '%s'", name);
        network_free(w);
        return e;
    }
    networks_insert(n, w);
    return OK;
}

struct err network_rows_load(struct networks *n) {
    return store_load(n->store,
                      "SELECT id, name, driver, predefined, created, data FROM network"
                      " ORDER BY created, id",
                      load_row, n);
}
