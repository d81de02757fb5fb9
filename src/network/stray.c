/* Interfaces that nobody knows: the daemon died between making one and recording it. Pairs in a
 * namespace that lives on are found by the bridge they hang on and by their name, parents of
 * networks by our mark; nobody else's is touched. */
#include "base/log.h"
#include "network/private.h"
#include <linux/rtnetlink.h>
#include <string.h>

struct search {
    unsigned index; /* of the bridge */
    struct strv *found;
};

/* "veth" and the first eight digits of an endpoint's id: endpoint.c. */
static bool is_ours(const char *name) {
    return strncmp(name, "veth", 4) == 0 && strlen(name) == 12 &&
           strspn(name + 4, "0123456789abcdef") == 8;
}

static struct err look(void *arg, const struct nlmsghdr *h) {
    struct search *s = arg;
    if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return OK;
    const struct nlattr *a[IFLA_MASTER + 1];
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_MASTER);
    if (!a[IFLA_MASTER] || netlink_u32(a[IFLA_MASTER]) != s->index || !a[IFLA_IFNAME])
        return OK;
    if (is_ours(netlink_z(a[IFLA_IFNAME])))
        strv_add(s->found, netlink_z(a[IFLA_IFNAME]));
    return OK;
}

struct err strays_look(const struct strv *bridges, struct strv *ret) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    for (size_t i = 0; i < bridges->n; i++) {
        struct search s = {link_index(bridges->items[i]), ret};
        CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
        struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
        if (!s.index)
            continue;
        netlink_message(&b, RTM_GETLINK, NLM_F_DUMP, &m, sizeof(m));
        netlink_attr_u32(&b, IFLA_MASTER, s.index); /* the kernel filters where it can */
        TRYF(netlink_ask(&nl, &b, look, &s), "interfaces of bridge %s", bridges->items[i]);
    }
    return OK;
}

/* --- removal -----------------------------------------------------------------------------------
 */

struct removal {
    struct strv names;
};

static struct err remove_work(void *arg) {
    struct removal *r = arg;
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    for (size_t i = 0; i < r->names.n; i++)
        TRY(link_remove(&nl, r->names.items[i]));
    return OK;
}

static void removed(void *arg, struct err e) {
    struct removal *r = arg;
    if (!err_failed(e))
        log_info("network: %zu interfaces of nobody were removed", r->names.n);
    log_err(LOG_WARN, e, "network: interfaces of nobody");
    strv_done(&r->names);
    free(r);
}

static bool is_parent(const struct networks *n, const char *name) {
    for (size_t i = 0; i < n->items_n; i++) {
        struct network_parent p = {0};
        if (network_has_parent(n->items[i])) /* was read before: it was made so */
            err_ignore(parent_of(n->items[i], &p));
        if (strcmp(p.name, name) == 0)
            return true;
    }
    return false;
}

void strays_remove(struct networks *n, const struct strv *found, const struct strv *parents) {
    struct map known = {0};
    size_t it = 0;
    void *value;
    if (!found->n && !parents->n)
        return;
    while (map_next(&n->endpoints, &it, NULL, &value)) {
        struct endpoint *e = value;
        map_set(&known, str_n(e->id, 8), e);
    }
    struct removal *r = NEW(struct removal);
    for (size_t i = 0; i < found->n; i++)
        if (!map_get(&known, str_of(found->items[i] + strlen("veth"))))
            strv_add(&r->names, found->items[i]);
    map_done(&known);
    for (size_t i = 0; i < parents->n; i++)
        if (!is_parent(n, parents->items[i]))
            strv_add(&r->names, parents->items[i]);
    if (r->names.n)
        job_submit(n->loop, remove_work, removed, r);
    else
        free(r);
}
