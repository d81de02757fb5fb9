/* The plan of an endpoint as text: /run of the container keeps it over a restart of the daemon. */
#include "base/json.h"
#include "network/private.h"
#include <linux/if_link.h>

#define PLAN_TEXT_MAX (4 << 20) /* 4,096 ports of both families, with a few sources */

struct endpoint_plan *endpoint_plan_free(struct endpoint_plan *p) {
    if (p) {
        free(p->container_name);
        free(p->nft_program);
        free(p->run_dir);
        free(p->sysctls);
        network_spare_free(p->spare);
        vec_done(&p->requests);
        vec_done(&p->ports);
        strv_done(&p->warnings);
        strv_done(&p->aliases);
        strv_done(&p->links);
        strv_done(&p->link_locals);
    }
    free(p);
    return NULL;
}

static void put_names(struct json_out *o, const char *key, const struct strv *v) {
    if (!v->n)
        return;
    jo_key(o, key);
    jo_arr(o);
    for (size_t i = 0; i < v->n; i++)
        jo_strz(o, v->items[i]);
    jo_arr_end(o);
}

static void put_address(struct json_out *o, const char *key, struct in_addr a) {
    char text[INET_ADDRSTRLEN];
    jo_kstr(o, key, address_format(a, text));
}

static void put_host_address(struct json_out *o, const char *key, const struct host_address *a) {
    char text[HOST_ADDRESS_LEN];
    jo_kstr(o, key, host_address_format(a, text));
}

static void put_sources(struct json_out *o, const struct port_sources *from) {
    char text[HOST_ADDRESS_LEN + 4];
    if (!from->n)
        return;
    jo_key(o, "from");
    jo_arr(o);
    for (uint8_t i = 0; i < from->n; i++)
        jo_strz(o, source_format(&from->items[i], text));
    jo_arr_end(o);
}

void endpoint_encode(const struct endpoint_plan *p, struct buf *out) {
    struct json_out o = {.out = out};
    char mac[18];
    jo_obj(&o);
    jo_kstr(&o, "endpoint", p->endpoint_id);
    jo_kstr(&o, "container", p->container_id);
    jo_kstr(&o, "name", p->container_name);
    jo_kstr(&o, "network", p->network_id);
    put_address(&o, "address", p->address);
    put_address(&o, "gateway", p->gateway);
    put_address(&o, "subnet", p->subnet);
    jo_ki64(&o, "prefix", p->prefix);
    jo_ki64(&o, "mtu", p->mtu);
    jo_ki64(&o, "index", p->index);
    jo_kstr(&o, "mac", mac_format(p->mac, mac));
    jo_kbool(&o, "internal", p->internal);
    jo_kbool(&o, "icc", p->icc);
    jo_kbool(&o, "masquerade", p->masquerade);
    jo_kbool(&o, "default_route", p->default_route);
    if (p->six) {
        char text[INET6_ADDRSTRLEN];
        jo_kstr(&o, "address6", six_format(&p->address6, text));
        jo_kstr(&o, "gateway6", six_format(&p->gateway6, text));
        jo_ki64(&o, "prefix6", p->prefix6);
    }
    if (p->relayed)
        jo_kbool(&o, "relayed", true);
    if (p->relayed6)
        jo_kbool(&o, "relayed6", true);
    if (p->mode)
        jo_ki64(&o, "mode4", p->mode);
    if (p->mode6)
        jo_ki64(&o, "mode6", p->mode6);
    jo_kstr(&o, "inside", p->interface);
    put_names(&o, "aliases", &p->aliases);
    put_names(&o, "links", &p->links);
    jo_kstr(&o, "parent", p->parent.name);
    jo_ki64(&o, "mode", p->parent.mode);
    if (p->parent.ipvlan) {
        jo_kbool(&o, "ipvlan", true);
        jo_ki64(&o, "flags", p->parent.flags);
    }
    if (p->parent.dummy)
        jo_kbool(&o, "dummy", true);
    jo_kstr(&o, "bridge", p->bridge);
    jo_kstr(&o, "interface", p->host_if);
    jo_kstr(&o, "table", p->table);
    jo_kstr(&o, "nft", p->nft_program);
    jo_kstr(&o, "run", p->run_dir);
    jo_key(&o, "ports");
    jo_arr(&o);
    for (size_t i = 0; i < p->ports.n; i++) {
        const struct port_mapping *m = &p->ports.items[i];
        jo_obj(&o);
        jo_ki64(&o, "proto", m->proto);
        jo_ki64(&o, "to", m->container_port);
        put_host_address(&o, "ip", &m->host_ip);
        jo_ki64(&o, "port", m->host_port);
        if (m->count > 1)
            jo_ki64(&o, "count", m->count);
        put_sources(&o, &m->from);
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    jo_obj_end(&o);
}

/* Our own text, but from a file: every field is looked at. The first failure sticks. */
struct reader {
    const struct json *j;
    struct err e;
};

static void wrong(struct reader *r, const char *key) {
    if (!err_failed(r->e))
        r->e = err_new(ERR_INVALID, "endpoint record: field '%s' is missing or wrong", key);
}

static void get_text(struct reader *r, const char *key, char *into, size_t size) {
    struct str s = json_str(json_get(r->j, key));
    if (!s.p || s.len >= size || str_has_nul(s)) {
        wrong(r, key);
        return;
    }
    memcpy(into, s.p, s.len);
    into[s.len] = '\0';
}

static char *get_owned(struct reader *r, const char *key) {
    struct str s = json_str(json_get(r->j, key));
    if (!s.p || str_has_nul(s)) {
        wrong(r, key);
        return NULL;
    }
    return str_dup(s);
}

static struct in_addr get_address(struct reader *r, const char *key) {
    char text[INET_ADDRSTRLEN] = "";
    struct in_addr a = {0};
    get_text(r, key, text, sizeof(text));
    struct err e = address_parse(text, &a);
    if (err_failed(e))
        wrong(r, key);
    err_free(e);
    return a;
}

static unsigned get_number(struct reader *r, const char *key, unsigned max) {
    uint64_t v = 0;
    if (!json_u64(json_get(r->j, key), &v) || v > max) {
        wrong(r, key);
        return 0;
    }
    return (unsigned)v;
}

static void get_host_address(struct reader *r, const char *key, struct host_address *ret) {
    char text[HOST_ADDRESS_LEN] = "";
    get_text(r, key, text, sizeof(text));
    struct err e = host_address_parse(text, ret);
    if (err_failed(e))
        wrong(r, key);
    err_free(e);
}

static void get_sources(struct reader *r, struct port_sources *ret) {
    const struct json *list = json_get(r->j, "from");
    size_t n = json_len(list);
    if (n > NETWORK_SOURCES_MAX) {
        wrong(r, "from");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        CLEAN_FREE char *text = str_dup(json_str(json_at(list, i)));
        struct err e = source_parse(text, &ret->items[ret->n++]);
        if (err_failed(e))
            wrong(r, "from");
        err_free(e);
    }
}

static void get_ports(struct reader *r, struct port_mappings *out) {
    const struct json *list = json_get(r->j, "ports");
    size_t n = json_len(list);
    if (n > 2 * NETWORK_PORTS_MAX) { /* of both families */
        wrong(r, "ports");
        return;
    }
    for (size_t i = 0; i < n && !err_failed(r->e); i++) {
        struct reader one = {.j = json_at(list, i)};
        struct port_mapping m = {.proto = (uint8_t)get_number(&one, "proto", UINT8_MAX),
                                 .container_port = (uint16_t)get_number(&one, "to", UINT16_MAX),
                                 .host_port = (uint16_t)get_number(&one, "port", UINT16_MAX),
                                 .count = 1};
        get_host_address(&one, "ip", &m.host_ip);
        if (json_get(one.j, "count"))
            m.count = (uint16_t)get_number(&one, "count", UINT16_MAX);
        get_sources(&one, &m.from);
        if (!m.count || m.host_port + m.count > UINT16_MAX + 1 ||
            m.container_port + m.count > UINT16_MAX + 1)
            wrong(&one, "count");
        r->e = one.e;
        vec_push(out, m);
    }
}

static void get_names(struct reader *r, const char *key, struct strv *out) {
    const struct json *list = json_get(r->j, key);
    size_t n = json_len(list);
    if (n > NETWORK_NAMES_MAX) {
        wrong(r, key);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct str s = json_str(json_at(list, i));
        CLEAN_FREE char *z = str_dup(s);
        if (!s.p || str_has_nul(s))
            wrong(r, key);
        else
            strv_add(out, z);
    }
}

static void get_six(struct reader *r, struct endpoint_plan *p) {
    char text[INET6_ADDRSTRLEN] = "";
    get_text(r, "address6", text, sizeof(text));
    struct err e = six_parse(text, &p->address6);
    get_text(r, "gateway6", text, sizeof(text));
    if (!err_failed(e))
        e = six_parse(text, &p->gateway6);
    if (err_failed(e))
        wrong(r, "address6");
    err_free(e);
    p->prefix6 = get_number(r, "prefix6", 128);
    p->six = true;
}

static void get_parent(struct reader *r, struct network_parent *ret) {
    get_text(r, "parent", ret->name, sizeof(ret->name));
    ret->mode = get_number(r, "mode", 1000);
    ret->dummy = json_bool(json_get(r->j, "dummy"), false);
    ret->ipvlan = json_bool(json_get(r->j, "ipvlan"), false);
    if (ret->ipvlan)
        ret->flags = (uint16_t)get_number(r, "flags", UINT16_MAX);
    ret->direct = ret->ipvlan && ret->mode != IPVLAN_MODE_L2;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct err mac_parse(const char *text, uint8_t ret[6]) {
    uint8_t v[6] = {0};
    bool right = strlen(text) == 17;
    for (int i = 0; i < 6 && right; i++) {
        int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);
        right = high >= 0 && low >= 0 && (i == 5 || text[i * 3 + 2] == ':');
        if (right)
            v[i] = (uint8_t)(high * 16 + low);
    }
    if (!right)
        return err_new(ERR_INVALID, "invalid MAC address: %s", text);
    if (v[0] & 1)
        return err_new(ERR_INVALID, "invalid MAC address: %s is a group address", text);
    memcpy(ret, v, sizeof(v));
    return OK;
}

char *mac_format(const uint8_t mac[6], char out[18]) {
    static const uint8_t none[6] = {0};
    if (!memcmp(mac, none, sizeof(none))) {
        *out = '\0';
        return out;
    }
    (void)snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                   mac[5]);
    return out;
}

static void get_mac(struct reader *r, uint8_t out[6]) {
    char text[18] = "";
    get_text(r, "mac", text, sizeof(text));
    if (!*text)
        return;
    struct err e = mac_parse(text, out);
    if (err_failed(e))
        wrong(r, "mac");
    err_free(e);
}

struct err endpoint_decode(struct str text, struct endpoint_plan **ret) {
    if (text.len > PLAN_TEXT_MAX)
        return err_new(ERR_INVALID, "endpoint record: too long");
    CLEAN_JSON struct json *j = NULL;
    TRYF(json_parse(text, &j), "endpoint record");
    struct endpoint_plan *p = NEW(struct endpoint_plan);
    struct reader r = {.j = j};
    get_text(&r, "endpoint", p->endpoint_id, sizeof(p->endpoint_id));
    get_text(&r, "container", p->container_id, sizeof(p->container_id));
    get_text(&r, "network", p->network_id, sizeof(p->network_id));
    p->container_name = get_owned(&r, "name");
    p->address = get_address(&r, "address");
    p->gateway = get_address(&r, "gateway");
    p->subnet = get_address(&r, "subnet");
    p->prefix = get_number(&r, "prefix", 32);
    p->mtu = get_number(&r, "mtu", UINT16_MAX);
    p->index = get_number(&r, "index", 1000);
    get_mac(&r, p->mac);
    p->internal = json_bool(json_get(j, "internal"), false);
    p->icc = json_bool(json_get(j, "icc"), false);
    p->masquerade = json_bool(json_get(j, "masquerade"), false);
    p->relayed = json_bool(json_get(j, "relayed"), false);
    p->relayed6 = json_bool(json_get(j, "relayed6"), p->relayed);
    if (json_get(j, "mode4"))
        p->mode = get_number(&r, "mode4", GATEWAY_ISOLATED);
    if (json_get(j, "mode6"))
        p->mode6 = get_number(&r, "mode6", GATEWAY_ISOLATED);
    p->default_route = json_bool(json_get(j, "default_route"), p->index == 0);
    (void)snprintf(p->interface, sizeof(p->interface), "eth%u", p->index);
    if (json_get(j, "inside"))
        get_text(&r, "inside", p->interface, sizeof(p->interface));
    if (json_get(j, "address6"))
        get_six(&r, p);
    get_names(&r, "aliases", &p->aliases);
    get_names(&r, "links", &p->links);
    if (json_get(j, "parent")) {
        get_parent(&r, &p->parent);
    }
    get_text(&r, "bridge", p->bridge, sizeof(p->bridge));
    get_text(&r, "interface", p->host_if, sizeof(p->host_if));
    get_text(&r, "table", p->table, sizeof(p->table));
    p->nft_program = get_owned(&r, "nft");
    p->run_dir = get_owned(&r, "run");
    get_ports(&r, &p->ports);
    if (err_failed(r.e)) {
        endpoint_plan_free(p);
        return r.e;
    }
    *ret = p;
    return OK;
}
