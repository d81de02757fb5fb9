/* Text of ports as the API writes it. */
#include "network/private.h"
#include <arpa/inet.h>

const char *port_proto_name(uint8_t proto) {
    return proto == IPPROTO_UDP ? "udp" : proto == IPPROTO_SCTP ? "sctp" : "tcp";
}

static struct err proto_parse(struct str s, uint8_t *ret) {
    if (s.len == 0 || str_eq_nocase(s, STR("tcp")))
        *ret = IPPROTO_TCP;
    else if (str_eq_nocase(s, STR("udp")))
        *ret = IPPROTO_UDP;
    else if (str_eq_nocase(s, STR("sctp")))
        *ret = IPPROTO_SCTP; /* refused where it is bound when the kernel has none */
    else
        return err_new(ERR_INVALID, "invalid proto: %.*s", STR_ARG(s));
    return OK;
}

static struct err number(struct str s, uint16_t *ret) {
    uint64_t v = 0;
    TRY(str_to_u64(s, UINT16_MAX, &v));
    *ret = (uint16_t)v;
    return OK;
}

struct err port_parse(struct str text, uint8_t *ret_proto, uint16_t *ret_port) {
    struct str port, proto;
    uint8_t p = 0;
    uint16_t n = 0;
    str_cut(text, '/', &port, &proto);
    TRYF(proto_parse(proto, &p), "invalid port specification '%.*s'", STR_ARG(text));
    struct err e = number(port, &n);
    if (err_failed(e) || n == 0) {
        err_free(e);
        return err_new(ERR_INVALID, "invalid port specification: \"%.*s\"", STR_ARG(text));
    }
    *ret_proto = p;
    *ret_port = n;
    return OK;
}

static struct err host_range(const char *text, uint16_t *ret_first, uint16_t *ret_last) {
    uint16_t first = 0, last = 0;
    if (text && *text) {
        struct str a, b;
        bool range = str_cut(str_of(text), '-', &a, &b);
        struct err e = number(a, &first);
        if (!err_failed(e) && range)
            e = number(b, &last);
        else
            last = first;
        if (err_failed(e) || last < first || (range && first == 0)) {
            err_free(e);
            return err_new(ERR_INVALID, "invalid port specification: \"%s\"", text);
        }
    }
    *ret_first = first;
    *ret_last = last;
    return OK;
}

struct err port_request_parse(const char *key, const char *host_ip, const char *host_port,
                              struct in_addr default_ip, const struct strs *from,
                              struct port_request *ret) {
    struct port_request r = {.host_ip.four = default_ip, .count = 1};
    TRY(port_parse(str_of(key), &r.proto, &r.container_port));
    if (host_ip && *host_ip)
        TRY(host_address_parse(host_ip, &r.host_ip));
    else
        r.both = default_ip.s_addr == INADDR_ANY;
    if (r.host_ip.six && IN6_IS_ADDR_LINKLOCAL(&r.host_ip.v6))
        return err_new(ERR_UNSUPPORTED, "publishing port %s on link-local address %s", key,
                       host_ip);
    TRY(host_range(host_port, &r.host_first, &r.host_last));
    TRYF(sources_parse(from, &r.from), "port %s", key);
    *ret = r;
    return OK;
}

static bool fixed(const struct port_request *r) {
    return r->host_first && r->host_first == r->host_last;
}

static bool same_kind(const struct port_request *a, const struct port_request *b) {
    return a->proto == b->proto && a->both == b->both &&
           host_address_equal(&a->host_ip, &b->host_ip) && a->from.n == b->from.n &&
           memcmp(a->from.items, b->from.items, a->from.n * sizeof(a->from.items[0])) == 0;
}

static int by_port(const void *pa, const void *pb) {
    const struct port_request *a = pa, *b = pb;
    if (a->proto != b->proto)
        return a->proto < b->proto ? -1 : 1;
    if (a->container_port != b->container_port)
        return a->container_port < b->container_port ? -1 : 1;
    return a->host_first < b->host_first ? -1 : a->host_first > b->host_first;
}

void port_requests_merge(struct port_requests *v) {
    size_t kept = 0;
    if (v->n > 1)
        qsort(v->items, v->n, sizeof(v->items[0]), by_port);
    for (size_t i = 0; i < v->n; i++) {
        struct port_request *last = kept ? &v->items[kept - 1] : NULL;
        const struct port_request *r = &v->items[i];
        if (last && fixed(last) && fixed(r) && same_kind(last, r) &&
            r->container_port == last->container_port + last->count &&
            r->host_first == last->host_first + last->count && last->count < UINT16_MAX)
            last->count++;
        else
            v->items[kept++] = *r;
    }
    v->n = kept;
}
