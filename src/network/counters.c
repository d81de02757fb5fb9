/* What interfaces have counted, by rtnetlink. */
#include "kernel/ns.h"
#include "network/private.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

bool network_host_interface(const struct network *w, char ret[IFNAMSIZ]) {
    struct network_parent parent = {0};
    if (w->config_only || !network_has_endpoints(w))
        return false;
    if (network_has_parent(w))
        err_ignore(parent_of(w, &parent)); /* it was good when the network was made */
    (void)snprintf(ret, IFNAMSIZ, "%s", network_has_parent(w) ? parent.name : w->bridge);
    return *ret != '\0';
}

static struct err read_link(void *arg, const struct nlmsghdr *h) {
    struct network_counter *c = arg;
    const struct nlattr *a[IFLA_STATS64 + 1];
    struct rtnl_link_stats64 s = {0};
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_STATS64);
    if (!a[IFLA_STATS64])
        return OK;
    memcpy(&s, netlink_data(a[IFLA_STATS64]), MIN(netlink_len(a[IFLA_STATS64]), sizeof(s)));
    struct api_network_stats seen = {s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped,
                                     s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped};
    struct api_network_stats turned = {s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped,
                                       s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped};
    c->stats = c->far_end ? turned : seen;
    c->found = true;
    return OK;
}

static struct err open_in(int netns_fd, struct netlink *ret) {
    int back = -1;
    if (netns_fd < 0)
        return netlink_open(NETLINK_ROUTE, ret);
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = netlink_open(NETLINK_ROUTE, ret);
    ns_leave_net(back);
    return e;
}

struct err network_counters_read(int netns_fd, struct network_counter *items, size_t n) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_in(netns_fd, &nl));
    for (size_t i = 0; i < n; i++) {
        CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
        struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
        items[i].found = false;
        if (!*items[i].interface)
            continue;
        netlink_message(&b, RTM_GETLINK, 0, &m, sizeof(m));
        netlink_attr_z(&b, IFLA_IFNAME, items[i].interface);
        struct err e = netlink_ask(&nl, &b, read_link, &items[i]);
        if (err_failed(e) && err_errnum(e) == ENODEV)
            err_free(e);
        else
            TRYF(e, "counters of interface %s", items[i].interface);
    }
    return OK;
}
