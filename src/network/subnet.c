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
    if (!ret_address && s.base != host)
        return err_new(ERR_INVALID, "invalid subnet %s: host bits are set", text);
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

bool subnet_choose(const struct subnets *taken, struct subnet *ret) {
    /* The peer's pools, in its order: what people expect to see and keep free in their plans. */
    for (uint32_t i = 17; i <= 31; i++) {
        struct subnet s = {172u << 24 | i << 16, 16};
        if (!is_taken(taken, s)) {
            *ret = s;
            return true;
        }
    }
    for (uint32_t i = 0; i < 256; i += 16) {
        struct subnet s = {192u << 24 | 168u << 16 | i << 8, 20};
        if (!is_taken(taken, s)) {
            *ret = s;
            return true;
        }
    }
    return false;
}
