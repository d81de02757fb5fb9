/* Link-local addresses that an endpoint was asked to have beside its own (LinkLocalIPs):
 * 169.254.0.0/16 and fe80::/10. Nobody gives them out and nobody looks who else has one: that is
 * the caller's. */
#include "network/private.h"
#include <arpa/inet.h>

#define PREFIX_FOUR 16
#define PREFIX_SIX 64

struct link_local {
    bool six;
    struct in_addr four;
    struct in6_addr addr6;
};

static bool read_one(const char *text, struct link_local *ret) {
    *ret = (struct link_local){.six = strchr(text, ':') != NULL};
    if (ret->six)
        return inet_pton(AF_INET6, text, &ret->addr6) == 1 && IN6_IS_ADDR_LINKLOCAL(&ret->addr6);
    return inet_pton(AF_INET, text, &ret->four) == 1 && (ntohl(ret->four.s_addr) >> 16) == 0xa9fe;
}

struct err link_locals_check(const struct strs *list) {
    struct link_local l;
    if (list->n > NETWORK_LINK_LOCALS_MAX)
        return err_new(ERR_INVALID, "more than %d link-local addresses", NETWORK_LINK_LOCALS_MAX);
    for (size_t i = 0; i < list->n; i++)
        if (!read_one(list->items[i], &l))
            return err_new(ERR_INVALID, "invalid link-local IP address: %s", list->items[i]);
    return OK;
}

struct err link_locals_fit(const struct network *w, const struct strs *list) {
    struct link_local l;
    for (size_t i = 0; list && i < list->n; i++)
        if (read_one(list->items[i], &l) && l.six && !w->six)
            return err_new(ERR_INVALID,
                           "network %s has no IPv6: link-local address %s cannot be given", w->name,
                           list->items[i]);
    return OK;
}

struct err link_locals_up(const struct endpoint_plan *p, struct netlink *inside) {
    struct link_local l;
    for (size_t i = 0; i < p->link_locals.n; i++) {
        if (!read_one(p->link_locals.items[i], &l))
            continue; /* checked before */
        if (l.six)
            TRY(link_inside_six(inside, p->interface, &l.addr6, PREFIX_SIX));
        else
            TRY(link_inside_more(inside, p->interface, l.four, PREFIX_FOUR));
    }
    return OK;
}
