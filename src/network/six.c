/* IPv6 of a network: its subnet, and addresses in it. An endpoint's address follows its IPv4
 * address (same distance from the subnet's base) when that is free: easy to remember, and stable
 * where the other one is. */
#include "network/private.h"
#include <arpa/inet.h>

#define SEARCH_MAX 65536 /* addresses that are looked at before a subnet counts as full */

bool six_is_set(const struct in6_addr *a) {
    return memcmp(a, &in6addr_any, sizeof(*a)) != 0;
}

bool six_within(const struct in6_addr *base, unsigned prefix, const struct in6_addr *a) {
    for (unsigned i = 0; i < prefix; i++)
        if ((base->s6_addr[i / 8] ^ a->s6_addr[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

struct err six_parse(const char *text, struct in6_addr *ret) {
    if (!text || inet_pton(AF_INET6, text, ret) != 1)
        return err_new(ERR_INVALID, "invalid IPv6 address '%s'", text ? text : "");
    return OK;
}

static struct in6_addr masked(struct in6_addr a, unsigned prefix) {
    for (unsigned i = prefix; i < 128; i++)
        a.s6_addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return a;
}

struct err six_parse_subnet(const char *text, struct in6_addr *ret, unsigned *ret_prefix) {
    struct str head, tail;
    uint64_t prefix = 0;
    struct in6_addr a = {0};
    bool cut = str_cut(str_of(text), '/', &head, &tail);
    CLEAN_FREE char *address = str_dup(head);
    struct err e = cut ? six_parse(address, &a) : err_new(ERR_INVALID, "no prefix length");
    if (!err_failed(e))
        e = str_to_u64(tail, 128, &prefix);
    if (err_failed(e)) {
        err_free(e);
        return err_new(ERR_INVALID, "invalid CIDR address: %s", text);
    }
    if (prefix < 8 || prefix > 126)
        return err_new(ERR_INVALID, "invalid subnet %s: prefix length must be 8 to 126", text);
    *ret = a;
    *ret_prefix = (unsigned)prefix;
    return OK;
}

char *six_format(const struct in6_addr *a, char out[INET6_ADDRSTRLEN]) {
    /* Cannot fail: the buffer has the size that the function asks for. */
    (void)inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
    return out;
}

/* As six_parse_subnet; the address must be the subnet's own. */
static struct err parse_exact(const char *text, struct in6_addr *ret, unsigned *ret_prefix) {
    struct in6_addr a, base;
    unsigned prefix;
    char should[INET6_ADDRSTRLEN];
    TRY(six_parse_subnet(text, &a, &prefix));
    base = masked(a, prefix);
    if (memcmp(&a, &base, sizeof(a)) != 0)
        return err_new(ERR_INVALID, "invalid subnet %s: it should be %s/%u", text,
                       six_format(&base, should), prefix);
    *ret = base;
    *ret_prefix = prefix;
    return OK;
}

/* base + n. */
static struct in6_addr plus(const struct in6_addr *base, uint32_t n) {
    struct in6_addr a = *base;
    uint64_t carry = n;
    for (int i = 15; i >= 0 && carry; i--) {
        carry += a.s6_addr[i];
        a.s6_addr[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return a;
}

static bool is_used(const struct network *w, const struct in6_addr *a) {
    if (!memcmp(a, &w->gateway6, sizeof(*a)) || !memcmp(a, &w->subnet6, sizeof(*a)))
        return true;
    for (size_t i = 0; i < w->aux6.n; i++) {
        struct in6_addr kept; /* was parsed before: six_configure */
        if (inet_pton(AF_INET6, w->aux6.items[i].value, &kept) == 1 &&
            !memcmp(a, &kept, sizeof(*a)))
            return true;
    }
    LIST_FOR (&((struct network *)(uintptr_t)w)->endpoints, l)
        if (!memcmp(a, &CONTAINER_OF(l, struct endpoint, link)->address6, sizeof(*a)))
            return true;
    return false;
}

static bool is_free(const struct network *w, const struct in6_addr *a) {
    return six_within(&w->range6, w->range_prefix6, a) && !is_used(w, a);
}

static struct err parse_fixed(const struct network *w, const char *fixed, struct in6_addr *ret) {
    struct in6_addr a;
    TRYF(six_parse(fixed, &a), "IPv6Address");
    if (!w->prefix6 || !six_within(&w->subnet6, w->prefix6, &a))
        return err_new(ERR_INVALID, "no configured subnet contains IP address %s", fixed);
    *ret = a;
    return OK;
}

struct err six_check_fixed(const struct network *w, const char *fixed) {
    struct in6_addr any;
    return parse_fixed(w, fixed, &any);
}

struct err six_take(const struct network *w, const char *fixed, struct in_addr four,
                    struct in6_addr *ret) {
    if (fixed && *fixed) {
        struct in6_addr a;
        TRY(parse_fixed(w, fixed, &a));
        if (is_used(w, &a))
            return err_new(ERR_CONFLICT, "IPv6Address %s: Address already in use", fixed);
        *ret = a;
        return OK;
    }
    bool follows = four.s_addr != 0;
    struct in6_addr a = plus(&w->range6,
                             follows ? ntohl(four.s_addr) - ntohl(w->subnet.s_addr) : 2);
    for (uint32_t n = 1; n < SEARCH_MAX && !is_free(w, &a); n++)
        a = plus(&w->range6, n);
    if (!is_free(w, &a))
        return err_new(ERR_SYSTEM, "no available IPv6 addresses on this network's address pools");
    *ret = a;
    return OK;
}

/* RFC 4193: fd, 40 random bits and a subnet number, here 56 bits of the network's random id. */
static void unique_local(struct network *w) {
    w->subnet6 = (struct in6_addr){.s6_addr = {0xfd}};
    w->prefix6 = 64;
    for (int i = 0; i < 7; i++) {
        const char hex[] = {w->id[i * 2], w->id[i * 2 + 1], '\0'};
        w->subnet6.s6_addr[i + 1] = (uint8_t)strtoul(hex, NULL, 16);
    }
}

static struct err check_overlap(const struct networks *n, const struct network *w) {
    for (size_t i = 0; i < n->items_n; i++) {
        const struct network *o = n->items[i];
        unsigned prefix = MIN(o->prefix6, w->prefix6);
        if (o != w && o->six && six_within(&o->subnet6, prefix, &w->subnet6))
            return err_new(ERR_FORBIDDEN,
                           "invalid pool request: Pool overlaps with other one on this address "
                           "space (network %s)",
                           o->name);
    }
    return OK;
}

static struct err set_range(struct network *w, const char *text) {
    w->range6 = w->subnet6;
    w->range_prefix6 = w->prefix6;
    if (!text || !*text)
        return OK;
    /* Without IPv6 the peer takes a pool as it is written. */
    TRYF((w->six ? parse_exact : six_parse_subnet)(text, &w->range6, &w->range_prefix6),
         "ip range");
    w->range6 = masked(w->range6, w->range_prefix6);
    if (w->range_prefix6 < w->prefix6 || !six_within(&w->subnet6, w->prefix6, &w->range6))
        return err_new(ERR_INVALID, "IP range %s is not in the IPv6 subnet", text);
    return OK;
}

static struct err check_aux(const struct network *w, const struct strmap *aux) {
    for (size_t i = 0; i < aux->n; i++) {
        struct in6_addr a;
        TRYF(six_parse(aux->items[i].value, &a), "auxiliary address %s", aux->items[i].key);
        if (!six_within(&w->subnet6, w->prefix6, &a))
            return err_new(ERR_INVALID, "auxiliary address %s is not in the network's subnet",
                           aux->items[i].value);
        if (!memcmp(&a, &w->gateway6, sizeof(a)))
            return err_new(ERR_INVALID, "auxiliary address %s: Address already in use",
                           aux->items[i].value);
    }
    return OK;
}

struct err six_configure(const struct networks *n, struct network *w, const struct six_pool *p) {
    bool given = p->subnet && *p->subnet;
    bool more = (p->gateway && *p->gateway) || (p->range && *p->range) || p->aux->n;
    if (!given && more)
        return err_new(ERR_INVALID, "IPv6 gateway, IP range and auxiliary addresses need a subnet");
    if (!given && !w->six)
        return OK;
    if (given)
        TRYF((w->six ? parse_exact : six_parse_subnet)(p->subnet, &w->subnet6, &w->prefix6),
             "subnet");
    else
        unique_local(w);
    w->subnet6 = masked(w->subnet6, w->prefix6);
    if (w->six)
        TRY(check_overlap(n, w));
    w->gateway6 = plus(&w->subnet6, 1);
    if (p->gateway && *p->gateway)
        TRYF(six_parse(p->gateway, &w->gateway6), "gateway");
    if (!six_within(&w->subnet6, w->prefix6, &w->gateway6))
        return err_new(ERR_INVALID, "gateway %s is not in the IPv6 subnet", p->gateway);
    TRY(set_range(w, p->range));
    return check_aux(w, p->aux);
}

struct err six_configure_default(const struct networks *n, struct network *w) {
    static const struct strmap none = {0};
    struct six_pool p = {.subnet = n->fixed6, .aux = &none};
    char subnet[INET6_ADDRSTRLEN + 4] = "", gateway[INET6_ADDRSTRLEN] = "";
    w->six = n->six;
    w->prefix6 = 0;
    if (n->bip6 && n->six) {
        struct in6_addr address, base;
        unsigned prefix;
        TRYF(six_parse_subnet(n->bip6, &address, &prefix), "bip6");
        base = masked(address, prefix);
        if (!memcmp(&base, &address, sizeof(base)))
            return err_new(ERR_INVALID, "bip6 %s: is the subnet's own address", n->bip6);
        (void)snprintf(subnet, sizeof(subnet), "%s/%u", six_format(&base, gateway), prefix);
        p.gateway = six_format(&address, gateway);
        p.subnet = subnet;
        p.range = n->fixed6;
    }
    return w->six ? err_wrap(six_configure(n, w, &p), "IPv6 of the default bridge") : OK;
}
