/* Text of ports as the API writes it. */
#include "network/private.h"
#include <arpa/inet.h>

const char *port_proto_name(uint8_t proto) {
    return proto == IPPROTO_UDP ? "udp" : "tcp";
}

static struct err proto_parse(struct str s, uint8_t *ret) {
    if (s.len == 0 || str_eq_nocase(s, STR("tcp")))
        *ret = IPPROTO_TCP;
    else if (str_eq_nocase(s, STR("udp")))
        *ret = IPPROTO_UDP;
    else if (str_eq_nocase(s, STR("sctp")))
        return err_new(ERR_UNSUPPORTED, "protocol sctp is not supported for published ports");
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
                              struct in_addr default_ip, struct port_request *ret) {
    struct port_request r = {.host_ip = default_ip};
    TRY(port_parse(str_of(key), &r.proto, &r.container_port));
    if (host_ip && *host_ip) {
        struct in6_addr six;
        if (inet_pton(AF_INET6, host_ip, &six) == 1)
            return err_new(ERR_UNSUPPORTED,
                           "publishing port %s on IPv6 address %s is not supported", key, host_ip);
        struct err e = address_parse(host_ip, &r.host_ip);
        if (err_failed(e)) {
            err_free(e);
            return err_new(ERR_INVALID, "invalid IP address: %s", host_ip);
        }
    }
    TRY(host_range(host_port, &r.host_first, &r.host_last));
    *ret = r;
    return OK;
}
