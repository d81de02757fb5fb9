/* linux.netDevices: network interfaces of the host that go into the container's network namespace,
 * under the same name or another one, with their permanent global addresses, and up. They leave it
 * as the kernel has it: physical ones fall back to the host when the namespace ends, virtual ones
 * end with it. A failed create gives back what has moved already. */
#include "kernel/netlink.h"
#include "kernel/ns.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESSES_MAX 1024 /* of one interface */

struct address {
    struct ifaddrmsg head;
    unsigned char local[16], remote[16], broadcast[16];
    uint8_t local_n, remote_n, broadcast_n; /* bytes; 0: none */
    uint32_t flags;
};
struct addresses VEC_BODY(struct address);

struct side {
    struct netlink nl;
    int ns; /* borrowed */
};

/* --- addresses -------------------------------------------------------------------------------- */

static uint8_t copy(const struct nlattr *a, unsigned char out[16]) {
    size_t n = a ? netlink_len(a) : 0;
    if (n > 16)
        return 0;
    if (n)
        memcpy(out, netlink_data(a), n);
    return (uint8_t)n;
}

struct collecting {
    unsigned index;
    struct addresses *all;
};

static struct err collect(void *arg, const struct nlmsghdr *h) {
    struct collecting *c = arg;
    struct address a = {0};
    const struct nlattr *t[IFA_MAX + 1];
    if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(a.head)))
        return OK;
    memcpy(&a.head, NLMSG_DATA(h), sizeof(a.head));
    netlink_parse_message(h, sizeof(a.head), t, IFA_MAX);
    a.flags = t[IFA_FLAGS] ? netlink_u32(t[IFA_FLAGS]) : a.head.ifa_flags;
    if (a.head.ifa_index != c->index || !(a.flags & IFA_F_PERMANENT) ||
        a.head.ifa_scope != RT_SCOPE_UNIVERSE)
        return OK;
    if (c->all->n == ADDRESSES_MAX)
        return err_new(ERR_UNSUPPORTED, "more than %d addresses", ADDRESSES_MAX);
    a.local_n = copy(t[IFA_LOCAL], a.local);
    a.remote_n = copy(t[IFA_ADDRESS], a.remote);
    a.broadcast_n = copy(t[IFA_BROADCAST], a.broadcast);
    vec_push(c->all, a);
    return OK;
}

static struct err read_addresses(struct side *s, unsigned index, struct addresses *ret) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct collecting c = {index, ret};
    const struct ifaddrmsg any = {0};
    netlink_message(&b, RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any));
    return err_wrap(netlink_ask(&s->nl, &b, collect, &c), "read addresses");
}

static void add_address(struct netlink_batch *b, const struct address *a, unsigned index) {
    struct ifaddrmsg head = a->head;
    head.ifa_index = index;
    netlink_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
    if (a->local_n)
        netlink_attr(b, IFA_LOCAL, a->local, a->local_n);
    if (a->remote_n)
        netlink_attr(b, IFA_ADDRESS, a->remote, a->remote_n);
    if (a->broadcast_n)
        netlink_attr(b, IFA_BROADCAST, a->broadcast, a->broadcast_n);
    netlink_attr_u32(b, IFA_FLAGS, a->flags);
}

/* --- one interface ---------------------------------------------------------------------------- */

/* 0: there is none. */
static unsigned index_in(const struct side *s, const char *name) {
    int back;
    struct err e = ns_enter_net(s->ns, &back);
    unsigned index = 0;
    if (!err_failed(e)) {
        index = if_nametoindex(name);
        ns_leave_net(back);
    }
    err_ignore(e); /* not found then, and told as that */
    return index;
}

static struct err put_up(struct side *s, const char *name, const struct addresses *v) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct ifinfomsg head = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    unsigned index = index_in(s, name);
    head.ifi_index = (int)index;
    for (size_t i = 0; i < v->n; i++)
        add_address(&b, &v->items[i], index);
    netlink_message(&b, RTM_NEWLINK, 0, &head, sizeof(head));
    return err_wrap(netlink_send(&s->nl, &b, NULL), "addresses and state");
}

static struct err move(struct side *from, struct side *to, const char *name, const char *new_name) {
    struct addresses v = {0};
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct ifinfomsg head = {.ifi_index = (int)index_in(from, name)};
    if (!head.ifi_index)
        return err_new(ERR_NOT_FOUND, "there is no such interface");
    if (index_in(to, new_name))
        return err_new(ERR_CONFLICT, "there is an interface '%s' in the container already",
                       new_name);
    struct err e = read_addresses(from, (unsigned)head.ifi_index, &v);
    netlink_message(&b, RTM_NEWLINK, 0, &head, sizeof(head));
    netlink_attr_u32(&b, IFLA_NET_NS_FD, (uint32_t)to->ns);
    netlink_attr_z(&b, IFLA_IFNAME, new_name);
    if (!err_failed(e))
        e = err_wrap(netlink_send(&from->nl, &b, NULL), "move");
    if (!err_failed(e))
        e = put_up(to, new_name, &v);
    vec_done(&v);
    return e;
}

/* --- all -------------------------------------------------------------------------------------- */

static struct err open_side(int ns, struct side *s) {
    int back;
    TRY(ns_enter_net(ns, &back));
    struct err e = netlink_open(NETLINK_ROUTE, &s->nl);
    ns_leave_net(back);
    s->ns = ns;
    return e;
}

static bool same_namespace(int a, int b) {
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static const char *name_inside(const struct objmap *v, size_t i) {
    const struct oci_net_device *d = v->items[i].value;
    return d && d->name && d->name[0] ? d->name : v->items[i].key;
}

static void move_back(struct side *host, struct side *box, const struct objmap *v, size_t n) {
    while (n--)
        err_ignore(move(box, host, name_inside(v, n), v->items[n].key)); /* told is why */
}

static struct err move_all(const struct objmap *v, struct side *host, struct side *box) {
    for (size_t i = 0; i < v->n; i++) {
        struct err e = move(host, box, v->items[i].key, name_inside(v, i));
        if (err_failed(e)) {
            move_back(host, box, v, i);
            return err_wrap(e, "linux.netDevices: '%s'", v->items[i].key);
        }
    }
    return OK;
}

static struct err open_both(int netns, int *ret_own, struct side *host, struct side *box) {
    TRY(ns_open(0, "net", ret_own));
    if (same_namespace(*ret_own, netns))
        return err_new(ERR_INVALID, "linux.netDevices: the container's network namespace is ours");
    TRY(open_side(*ret_own, host));
    return open_side(netns, box);
}

struct err net_devices_move(const struct oci_config *c, int netns, bool back) {
    const struct objmap *v = &c->linux_->net_devices;
    CLEAN_FD int own = -1;
    struct side host = {.nl = NETLINK_NONE}, box = {.nl = NETLINK_NONE};
    struct err e = open_both(netns, &own, &host, &box);
    if (!err_failed(e) && back)
        move_back(&host, &box, v, v->n);
    else if (!err_failed(e))
        e = move_all(v, &host, &box);
    netlink_done(&host.nl);
    netlink_done(&box.nl);
    return e;
}
