/* Links, addresses and routes: rtnetlink(7). */
#include "network/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/ioctl.h>
#include <time.h>

unsigned link_index(const char *name) {
    return if_nametoindex(name);
}

static void new_link(struct netlink_batch *b, uint16_t flags, int index, unsigned up) {
    struct ifinfomsg m = {
        .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = up, .ifi_change = up};
    netlink_message(b, RTM_NEWLINK, flags, &m, sizeof(m));
}

static void new_address(struct netlink_batch *b, unsigned index, struct in_addr address,
                        unsigned prefix) {
    struct ifaddrmsg m = {.ifa_family = AF_INET,
                          .ifa_prefixlen = (uint8_t)prefix,
                          .ifa_scope = RT_SCOPE_UNIVERSE,
                          .ifa_index = index};
    struct in_addr broadcast = {address.s_addr | htonl(~prefix_mask(prefix))};
    netlink_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    netlink_attr(b, IFA_LOCAL, &address, sizeof(address));
    netlink_attr(b, IFA_ADDRESS, &address, sizeof(address));
    netlink_attr(b, IFA_BROADCAST, &broadcast, sizeof(broadcast));
}

/* Sends b; the given errno is as good as success. */
static struct err send_allowing(struct netlink *nl, struct netlink_batch *b, int allowed) {
    struct err e = netlink_send(nl, b, NULL);
    if (err_failed(e) && err_errnum(e) == allowed) {
        err_free(e);
        return OK;
    }
    return e;
}

#define IF_OPER_UP 6 /* RFC 2863; linux/if.h has it, but clashes with net/if.h */

/* --- the bridge --------------------------------------------------------------------------------
 */

static struct err check_kind(void *arg, const struct nlmsghdr *h) {
    const char *name = arg;
    const struct nlattr *a[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1] = {0};
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_LINKINFO);
    if (a[IFLA_LINKINFO])
        netlink_parse(netlink_data(a[IFLA_LINKINFO]), netlink_len(a[IFLA_LINKINFO]), info,
                      IFLA_INFO_KIND);
    if (strcmp(netlink_z(info[IFLA_INFO_KIND]), "bridge") != 0)
        return err_new(ERR_CONFLICT, "interface %s exists and is not a bridge", name);
    return OK;
}

struct addresses {
    unsigned index;
    struct in_addr wanted;
    unsigned prefix;
    struct netlink_batch *remove; /* messages that remove the others */
};

static struct err other_address(void *arg, const struct nlmsghdr *h) {
    struct addresses *s = arg;
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
        return OK;
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    const struct nlattr *a[IFA_LOCAL + 1];
    netlink_parse_message(h, sizeof(*m), a, IFA_LOCAL);
    if (m->ifa_index != s->index ||
        (netlink_u32(a[IFA_LOCAL]) == s->wanted.s_addr && m->ifa_prefixlen == s->prefix))
        return OK;
    struct in_addr old = {netlink_u32(a[IFA_LOCAL])};
    netlink_message(s->remove, RTM_DELADDR, 0, m, sizeof(*m));
    netlink_attr(s->remove, IFA_LOCAL, &old, sizeof(old));
    return OK;
}

/* An existing bridge of ours may carry the address of an earlier configuration. */
static struct err drop_other_addresses(struct netlink *nl, unsigned index,
                                       const struct host_plan *h) {
    CLEAN_NETLINK_BATCH struct netlink_batch ask = {0};
    CLEAN_NETLINK_BATCH struct netlink_batch remove = {0};
    struct ifaddrmsg m = {.ifa_family = AF_INET};
    netlink_message(&ask, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
    bool none = !h->prefix || h->mode == GATEWAY_ISOLATED || h->inhibit_four;
    struct addresses s = {index, none ? (struct in_addr){0} : h->gateway, h->prefix, &remove};
    TRY(netlink_ask(nl, &ask, other_address, &s));
    return remove.n ? send_allowing(nl, &remove, EADDRNOTAVAIL) : OK;
}

void bridge_mac(const struct host_plan *h, uint8_t ret[6]) {
    static const uint8_t head[2] = {0x02, 0x42};
    uint8_t tail[4] = {0};
    for (size_t i = 0; i < sizeof(h->gateway6.s6_addr);
         i++) /* the subnet's part tells them apart */
        tail[i % 4] ^= h->gateway6.s6_addr[i];
    memcpy(ret, head, sizeof(head));
    memcpy(ret + sizeof(head), h->prefix ? (const void *)&h->gateway : tail, sizeof(tail));
}

struct err link_bridge(struct netlink *nl, const struct host_plan *h) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    /* A fixed hardware address: else the bridge takes the lowest of its ports and changes it as
     * containers come and go, and everybody's ARP caches are wrong. */
    uint8_t mac[6];
    bridge_mac(h, mac);
    new_link(&b, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
    netlink_attr_z(&b, IFLA_IFNAME, h->bridge);
    netlink_attr(&b, IFLA_ADDRESS, mac, sizeof(mac));
    netlink_attr_u32(&b, IFLA_MTU, h->mtu);
    size_t info = netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_z(&b, IFLA_INFO_KIND, "bridge");
    netlink_nest_end(&b, info);
    TRYF(send_allowing(nl, &b, EEXIST), "create bridge %s", h->bridge);
    new_link(&b, 0, 0, 0);
    struct nlmsghdr *head = (void *)b.bytes.data;
    head->nlmsg_type = RTM_GETLINK;
    netlink_attr_z(&b, IFLA_IFNAME, h->bridge);
    TRYF(netlink_ask(nl, &b, check_kind, (void *)h->bridge), "look at bridge %s", h->bridge);
    unsigned index = link_index(h->bridge);
    TRYF(drop_other_addresses(nl, index, h), "addresses of bridge %s", h->bridge);
    if (h->prefix && h->mode != GATEWAY_ISOLATED && !h->inhibit_four) {
        new_address(&b, index, h->gateway, h->prefix);
        TRYF(send_allowing(nl, &b, EEXIST), "give bridge %s its address", h->bridge);
    }
    new_link(&b, 0, (int)index, IFF_UP);
    return err_wrap(netlink_send(nl, &b, NULL), "set bridge %s up", h->bridge);
}

struct err link_remove(struct netlink *nl, const char *name) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    netlink_message(&b, RTM_DELLINK, 0, &m, sizeof(m));
    netlink_attr_z(&b, IFLA_IFNAME, name);
    return err_wrap(send_allowing(nl, &b, ENODEV), "remove interface %s", name);
}

/* Interfaces that ruleset_bridge.nft speaks of; the number is nobody else's ("co"). */
#define CLOSED_GROUP 25455

/* --- the pair ----------------------------------------------------------------------------------
 */

/* One queue each way, said aloud: unsaid, the kernel makes one per processor and then takes all but
 * one out of use, which waits for every processor, twice per pair. */
static void one_queue(struct netlink_batch *b) {
    netlink_attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
    netlink_attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
}

/* One message makes both ends; the container's is born in its namespace under its final name. */
static void create_pair(struct netlink_batch *b, const struct veth *v) {
    new_link(b, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
    netlink_attr_z(b, IFLA_IFNAME, v->host_name);
    one_queue(b);
    netlink_attr_u32(b, IFLA_MTU, v->mtu);
    netlink_attr_u32(b, IFLA_MASTER, v->bridge_index);
    if (v->closed)
        netlink_attr_u32(b, IFLA_GROUP, CLOSED_GROUP);
    size_t info = netlink_nest(b, IFLA_LINKINFO);
    netlink_attr_z(b, IFLA_INFO_KIND, "veth");
    size_t data = netlink_nest(b, IFLA_INFO_DATA);
    size_t peer = netlink_nest(b, VETH_INFO_PEER);
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    netlink_raw(b, &m, sizeof(m));
    netlink_attr_z(b, IFLA_IFNAME, v->name);
    netlink_attr_u32(b, IFLA_MTU, v->mtu);
    netlink_attr(b, IFLA_ADDRESS, v->mac, 6);
    one_queue(b);
    netlink_attr_u32(b, IFLA_NET_NS_FD, (uint32_t)v->netns_fd);
    netlink_nest_end(b, peer);
    netlink_nest_end(b, data);
    netlink_nest_end(b, info);
}

/* Port settings need the master to be set already, so this is a message of its own. */
static void configure_port(struct netlink_batch *b, const struct veth *v) {
    new_link(b, 0, 0, IFF_UP);
    netlink_attr_z(b, IFLA_IFNAME, v->host_name);
    /* No link-local address on the host's end: nothing on the host talks through it. */
    size_t spec = netlink_nest(b, IFLA_AF_SPEC);
    size_t six = netlink_nest(b, AF_INET6);
    netlink_attr_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    netlink_nest_end(b, six);
    netlink_nest_end(b, spec);
    size_t info = netlink_nest(b, IFLA_LINKINFO);
    netlink_attr_z(b, IFLA_INFO_SLAVE_KIND, "bridge");
    size_t data = netlink_nest(b, IFLA_INFO_SLAVE_DATA);
    /* Hairpin: a container reaches its own published port; with bridge-nf-call-iptables on,
     * translated frames leave by the port they came in. */
    netlink_attr_u8(b, IFLA_BRPORT_MODE, 1);
    netlink_nest_end(b, data);
    netlink_nest_end(b, info);
}

struct err link_veth(struct netlink *nl, const struct veth *v) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    create_pair(&b, v);
    configure_port(&b, v);
    return err_wrap(netlink_send(nl, &b, NULL), "create interface %s", v->host_name);
}

/* --- ready -------------------------------------------------------------------------------------
 */

#define READY_TRIES 200
#define READY_PAUSE_NS 250000 /* 200 times: 50 ms, then we leave it to the kernel's own pace */

static struct err read_state(void *arg, const struct nlmsghdr *h) {
    const struct nlattr *a[IFLA_OPERSTATE + 1];
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_OPERSTATE);
    const struct nlattr *state = a[IFLA_OPERSTATE];
    *(bool *)arg = state && netlink_len(state) > 0 &&
                   *(const uint8_t *)netlink_data(state) == IF_OPER_UP;
    return OK;
}

struct err link_wait_up(struct netlink *nl, const char *name) {
    for (int i = 0; i < READY_TRIES; i++) {
        CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
        struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
        bool up = false;
        netlink_message(&b, RTM_GETLINK, 0, &m, sizeof(m));
        netlink_attr_z(&b, IFLA_IFNAME, name);
        TRYF(netlink_ask(nl, &b, read_state, &up), "look at interface %s", name);
        if (up)
            return OK;
        (void)nanosleep(&(struct timespec){.tv_nsec = READY_PAUSE_NS}, NULL);
    }
    return OK;
}

static void new_address_six(struct netlink_batch *b, unsigned index, const struct in6_addr *address,
                            unsigned prefix) {
    struct ifaddrmsg m = {.ifa_family = AF_INET6,
                          .ifa_prefixlen = (uint8_t)prefix,
                          .ifa_flags = IFA_F_NODAD, /* we give addresses out, nobody else does */
                          .ifa_index = index};
    netlink_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    netlink_attr(b, IFA_LOCAL, address, sizeof(*address));
    netlink_attr(b, IFA_ADDRESS, address, sizeof(*address));
}

struct err link_bridge_six(struct netlink *nl, const struct host_plan *h) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_address_six(&b, link_index(h->bridge), &h->gateway6, h->prefix6);
    return err_wrap(send_allowing(nl, &b, EEXIST), "give bridge %s its IPv6 address", h->bridge);
}

/* --- inside ------------------------------------------------------------------------------------
 */

#define LO_INDEX 1 /* the first interface of every namespace (net/core/net_namespace.c) */

struct err link_lo_up(struct netlink *nl) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_link(&b, 0, LO_INDEX, IFF_UP);
    return err_wrap(netlink_send(nl, &b, NULL), "set lo up");
}

/* By ioctl on the netlink socket itself: that one lives in the container's namespace, we do not. */
static struct err index_inside(struct netlink *nl, const char *name, unsigned *ret) {
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (ioctl(nl->fd, SIOCGIFINDEX, &r) < 0)
        return err_errno(errno, "look for interface %s in the container", name);
    *ret = (unsigned)r.ifr_ifindex;
    return OK;
}

static void default_route(struct netlink_batch *b, uint16_t type, uint16_t flags, unsigned index,
                          struct in_addr gateway) {
    struct rtmsg m = {.rtm_family = AF_INET,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = type == RTM_NEWROUTE ? RTPROT_BOOT : RTPROT_UNSPEC,
                      .rtm_scope = type != RTM_NEWROUTE ? RT_SCOPE_NOWHERE
                                   : gateway.s_addr     ? RT_SCOPE_UNIVERSE
                                                        : RT_SCOPE_LINK,
                      .rtm_type = type == RTM_NEWROUTE ? RTN_UNICAST : RTN_UNSPEC};
    netlink_message(b, type, flags, &m, sizeof(m));
    if (gateway.s_addr)
        netlink_attr(b, RTA_GATEWAY, &gateway, sizeof(gateway));
    if (index)
        netlink_attr_u32(b, RTA_OIF, index);
}

struct err link_no_default_route(struct netlink *nl) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    default_route(&b, RTM_DELROUTE, 0, 0, (struct in_addr){0});
    return err_wrap(send_allowing(nl, &b, ESRCH), "remove the default route");
}

struct err link_default_route(struct netlink *nl, const char *name, struct in_addr gateway) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    unsigned index = 0;
    TRY(index_inside(nl, name, &index));
    default_route(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, gateway);
    return err_wrap(netlink_send(nl, &b, NULL), "route through %s", name);
}

struct err link_inside_six_route(struct netlink *nl, const char *name,
                                 const struct in6_addr *gateway) {
    unsigned index = 0;
    TRY(index_inside(nl, name, &index));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct rtmsg m = {.rtm_family = AF_INET6,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_scope = RT_SCOPE_UNIVERSE,
                      .rtm_type = RTN_UNICAST};
    netlink_message(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
    if (six_is_set(gateway))
        netlink_attr(&b, RTA_GATEWAY, gateway, sizeof(*gateway));
    netlink_attr_u32(&b, RTA_OIF, index);
    return err_wrap(netlink_send(nl, &b, NULL), "IPv6 route through %s", name);
}

struct err link_inside_six(struct netlink *nl, const char *name, const struct in6_addr *address,
                           unsigned prefix) {
    unsigned index = 0;
    TRY(index_inside(nl, name, &index));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_address_six(&b, index, address, prefix);
    return err_wrap(netlink_send(nl, &b, NULL), "IPv6 of interface %s in the container", name);
}

struct err link_inside_more(struct netlink *nl, const char *name, struct in_addr address,
                            unsigned prefix) {
    unsigned index = 0;
    TRY(index_inside(nl, name, &index));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_address(&b, index, address, prefix);
    return err_wrap(netlink_send(nl, &b, NULL), "interface %s in the container", name);
}

struct err link_inside(struct netlink *nl, const struct inside *in) {
    unsigned index = 0;
    TRY(index_inside(nl, in->name, &index));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_link(&b, 0, LO_INDEX, IFF_UP);
    if (in->prefix)
        new_address(&b, index, in->address, in->prefix);
    new_link(&b, 0, (int)index, IFF_UP);
    if (in->gateway.s_addr || in->direct)
        default_route(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, in->gateway);
    return err_wrap(netlink_send(nl, &b, NULL), "configure interface %s in the container",
                    in->name);
}
