#include "base/json.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <linux/rtnetlink.h>

bool subnet_has(struct subnet s, uint32_t address) {
    return (address & prefix_mask(s.prefix)) == s.base;
}

bool subnet_overlap(struct subnet a, struct subnet b) {
    return subnet_has(a, b.base) || subnet_has(b, a.base);
}

struct err address_parse(const char *text, struct in_addr *ret) {
    struct in_addr a;
    if (!text || inet_pton(AF_INET, text, &a) != 1)
        return err_new(ERR_INVALID, "invalid IPv4 address '%s'", text ? text : "");
    *ret = a;
    return OK;
}

char *address_format(struct in_addr a, char out[INET_ADDRSTRLEN]) {
    /* Cannot fail: the buffer has the size that the function asks for. */
    (void)inet_ntop(AF_INET, &a, out, INET_ADDRSTRLEN);
    return out;
}

struct err subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address) {
    struct str head, tail;
    if (!str_cut(str_of(text), '/', &head, &tail) || head.len >= INET_ADDRSTRLEN)
        return err_new(ERR_INVALID, "invalid CIDR address: %s", text);
    CLEAN_FREE
    char *address = str_dup(head);
    struct in_addr a = {0};
    uint64_t prefix = 0;
    struct err e = address_parse(address, &a);
    if (!err_failed(e))
        e = str_to_u64(tail, 32, &prefix);
    if (err_failed(e)) {
        err_free(e);
        return err_new(ERR_INVALID, "invalid CIDR address: %s", text);
    }
    if (prefix < 8 || prefix > 30)
        return err_new(ERR_INVALID, "invalid subnet %s: prefix length must be 8 to 30", text);
    uint32_t host = ntohl(a.s_addr);
    struct subnet s = {host & prefix_mask((unsigned)prefix), (unsigned)prefix};
    char should[INET_ADDRSTRLEN];
    if (!ret_address && s.base != host)
        return err_new(ERR_INVALID, "invalid subnet %s: it should be %s/%u", text,
                       address_format((struct in_addr){htonl(s.base)}, should), s.prefix);
    *ret = s;
    if (ret_address)
        *ret_address = host;
    return OK;
}

struct routes {
    unsigned bridge;
    struct subnets *out;
};

static struct err route(void *arg, const struct nlmsghdr *h) {
    struct routes *r = arg;
    if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
        return OK;
    const struct rtmsg *m = NLMSG_DATA(h);
    const struct nlattr *a[RTA_OIF + 1];
    netlink_parse_message(h, sizeof(*m), a, RTA_OIF);
    if (m->rtm_dst_len == 0 || m->rtm_dst_len > 32)
        return OK;
    if (r->bridge && netlink_u32(a[RTA_OIF]) == r->bridge)
        return OK;
    vec_push(r->out, (struct subnet){ntohl(netlink_u32(a[RTA_DST])), m->rtm_dst_len});
    return OK;
}

struct err subnet_host_routes(const char *bridge, struct subnets *ret) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct rtmsg m = {.rtm_family = AF_INET};
    netlink_message(&b, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
    struct routes r = {.bridge = link_index(bridge), .out = ret};
    return err_wrap(netlink_ask(&nl, &b, route, &r), "list the routes of this host");
}

static bool is_taken(const struct subnets *taken, struct subnet s) {
    for (size_t i = 0; i < taken->n; i++)
        if (subnet_overlap(taken->items[i], s))
            return true;
    return false;
}

/* The peer's pools, in its order: what people expect to see and keep free in their plans. */
static const struct subnet_source built_in[] = {
    {{172u << 24 | 17 << 16, 16}, 16},   {{172u << 24 | 18 << 16, 15}, 16},
    {{172u << 24 | 20 << 16, 14}, 16},   {{172u << 24 | 24 << 16, 13}, 16},
    {{192u << 24 | 168u << 16, 16}, 20},
};

static bool choose_from(const struct subnet_source *from, const struct subnets *taken,
                        struct subnet *ret) {
    uint64_t step = UINT64_C(1) << (32 - from->prefix);
    uint64_t end = (uint64_t)from->base.base + (UINT64_C(1) << (32 - from->base.prefix));
    for (uint64_t at = from->base.base; at < end; at += step) {
        struct subnet s = {(uint32_t)at, from->prefix};
        if (is_taken(taken, s))
            continue;
        *ret = s;
        return true;
    }
    return false;
}

bool subnet_choose(const struct subnet_sources *from, const struct subnets *taken,
                   struct subnet *ret) {
    const struct subnet_source *list = from->n ? from->items : built_in;
    size_t n = from->n ? from->n : ARRAY_LEN(built_in);
    for (size_t i = 0; i < n; i++)
        if (choose_from(&list[i], taken, ret))
            return true;
    return false;
}

static struct err source_add(const char *base, uint64_t size, struct subnet_sources *to) {
    struct subnet_source s = {.prefix = (unsigned)size};
    if (strchr(base, ':'))
        return err_new(ERR_UNSUPPORTED, "pool %s: IPv6 pools are not supported", base);
    TRY(subnet_parse(base, &s.base, NULL));
    if (size < s.base.prefix || size > 30 || size - s.base.prefix > 16)
        return err_new(ERR_INVALID, "pool %s: size %u must be %u to %u", base, s.prefix,
                       s.base.prefix, MIN(30u, s.base.prefix + 16));
    vec_push(to, s);
    return OK;
}

/* "base=10.0.0.0/8,size=24" */
static struct err source_text(struct str text, struct subnet_sources *to) {
    struct str part, key, value, base = STR_NONE, rest = text;
    uint64_t size = 0;
    while (str_next(&rest, ',', &part)) {
        str_cut(part, '=', &key, &value);
        if (str_eqz(key, "base"))
            base = value;
        else if (str_eqz(key, "size"))
            TRY(str_to_u64(value, 32, &size));
        else
            return err_new(ERR_INVALID, "'%.*s' is neither base= nor size=", STR_ARG(part));
    }
    CLEAN_FREE char *z = str_dup(base);
    return source_add(z, size, to);
}

struct err subnet_sources_parse(const char *text, struct subnet_sources *to) {
    CLEAN_JSON struct json *list = NULL;
    if (!text)
        return OK;
    TRYF(json_parse(str_of(text), &list), "default address pools");
    if (json_type(list) != JSON_ARRAY || json_len(list) > 64)
        return err_new(ERR_INVALID, "default address pools: expected an array");
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *j = json_at(list, i);
        uint64_t size = 0;
        if (json_type(j) == JSON_STRING) {
            TRYF(source_text(json_str(j), to), "default address pools");
            continue;
        }
        CLEAN_FREE char *base = str_dup(json_str(json_get(j, "base")));
        if (!json_u64(json_get(j, "size"), &size))
            return err_new(ERR_INVALID, "default address pools: 'size' is missing or no number");
        TRYF(source_add(base, size, to), "default address pools");
    }
    return OK;
}
