/* Networks on an interface of the host (macvlan, ipvlan): their options, the interface itself, and
 * what hangs on it. An interface that we make (a VLAN of one that is there, or a dummy when none
 * was named) bears our mark as its alias, in the kernel: so it is known as ours whatever happens to
 * us, and nobody else's is ever removed. */
#include "network/private.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <time.h>

#define TAKEN_TRIES 100
#define TAKEN_PAUSE_NS 10000000 /* 100 times: a second */
#define VLAN_MAX 4094
#define MARK_LEN 48

/* --- options -----------------------------------------------------------------------------------
 */

struct word {
    const char *name;
    uint32_t value;
};

static const struct word macvlan_modes[] = {{"bridge", MACVLAN_MODE_BRIDGE},
                                            {"private", MACVLAN_MODE_PRIVATE},
                                            {"vepa", MACVLAN_MODE_VEPA},
                                            {"passthru", MACVLAN_MODE_PASSTHRU},
                                            {0}};
static const struct word ipvlan_modes[] = {
    {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {0}};
static const struct word ipvlan_flags[] = {
    {"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}, {0}};

static struct err choose(const struct strmap *options, const char *key, const struct word *words,
                         uint32_t *ret) {
    const char *given = strmap_get(options, key);
    if (!given || !*given) {
        *ret = words->value;
        return OK;
    }
    struct buf all = {0};
    for (const struct word *w = words; w->name; w++) {
        if (strcmp(w->name, given) == 0) {
            buf_done(&all);
            *ret = w->value;
            return OK;
        }
        buf_addf(&all, "%s%s", w == words ? "" : ", ", w->name);
    }
    CLEAN_FREE char *text = buf_take(&all);
    return err_new(ERR_INVALID, "option %s: '%s' is none of %s", key, given, text);
}

bool network_has_parent(const struct network *w) {
    return w->driver == NETWORK_MACVLAN || w->driver == NETWORK_IPVLAN;
}

bool parent_option(const struct network *w, const char *key) {
    return strcmp(key, "parent") == 0 ||
           (w->driver == NETWORK_MACVLAN && strcmp(key, "macvlan_mode") == 0) ||
           (w->driver == NETWORK_IPVLAN &&
            (strcmp(key, "ipvlan_mode") == 0 || strcmp(key, "ipvlan_flag") == 0));
}

struct err parent_of(const struct network *w, struct network_parent *ret) {
    bool ipvlan = w->driver == NETWORK_IPVLAN;
    const char *name = strmap_get(&w->options, "parent");
    struct network_parent p = {.ipvlan = ipvlan};
    uint32_t flags = 0;
    TRY(choose(&w->options, ipvlan ? "ipvlan_mode" : "macvlan_mode",
               ipvlan ? ipvlan_modes : macvlan_modes, &p.mode));
    if (ipvlan)
        TRY(choose(&w->options, "ipvlan_flag", ipvlan_flags, &flags));
    p.flags = (uint16_t)flags;
    p.dummy = !name || !*name;
    if (p.dummy)
        (void)snprintf(p.name, sizeof(p.name), ipvlan ? "di-%.12s" : "dm-%.12s", w->id);
    else if (!is_interface_name(name) || strcmp(name, "lo") == 0)
        return err_new(ERR_INVALID,
                       "option parent: '%s' is no interface of this host that a %s "
                       "network can be on",
                       name, network_driver_name(w->driver));
    else
        (void)snprintf(p.name, sizeof(p.name), "%s", name);
    p.direct = ipvlan && p.mode != IPVLAN_MODE_L2;
    *ret = p;
    return OK;
}

/* One receive handler an interface, one mode an ipvlan port, one user of a passthru parent
 * (drivers/net/macvlan.c, drivers/net/ipvlan). */
static bool may_share(const struct network_parent *a, const struct network_parent *b) {
    if (a->ipvlan != b->ipvlan)
        return false;
    if (a->ipvlan)
        return a->mode == b->mode && a->flags == b->flags;
    return a->mode != MACVLAN_MODE_PASSTHRU && b->mode != MACVLAN_MODE_PASSTHRU;
}

/* Another of our networks on this interface. NULL: none. */
static const struct network *neighbour(const struct networks *n, const struct network *w,
                                       const char *name, struct network_parent *ret) {
    for (size_t i = 0; i < n->items_n; i++) {
        const struct network *o = n->items[i];
        if (o == w || !network_has_parent(o))
            continue;
        struct err e = parent_of(o, ret);
        bool same = !err_failed(e) && strcmp(ret->name, name) == 0;
        err_free(e); /* was read before: it was made so */
        if (same)
            return o;
    }
    return NULL;
}

struct err parent_check(const struct networks *n, const struct network *w,
                        struct network_parent *ret) {
    struct network_parent p, other;
    TRY(parent_of(w, &p));
    const struct network *o = neighbour(n, w, p.name, &other);
    if (o && !may_share(&p, &other))
        return err_new(ERR_FORBIDDEN, "network %s is already using parent interface %s", o->name,
                       p.name);
    *ret = p;
    return OK;
}

bool parent_shared(const struct networks *n, const struct network *w) {
    struct network_parent p, other;
    struct err e = parent_of(w, &p);
    bool shared = !err_failed(e) && neighbour(n, w, p.name, &other);
    err_free(e); /* was read before: it was made so */
    return shared;
}

/* --- the interface on the host: pool -----------------------------------------------------------
 */

static void new_link(struct netlink_batch *b, uint16_t flags, const char *name) {
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    netlink_message(b, RTM_NEWLINK, flags, &m, sizeof(m));
    netlink_attr_z(b, IFLA_IFNAME, name);
}

static struct err known_answer(struct err e, const char *kind) {
    if (!err_failed(e) || err_errnum(e) != EOPNOTSUPP)
        return e;
    err_free(e);
    return err_new(ERR_UNSUPPORTED, "this kernel has no %s interfaces", kind);
}

/* An interface of this kind without what it needs: EINVAL where the kernel knows it. */
static struct err check_kind(struct netlink *nl, const char *kind) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_link(&b, NLM_F_CREATE | NLM_F_EXCL, "corten-probe");
    size_t info = netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_z(&b, IFLA_INFO_KIND, kind);
    netlink_nest_end(&b, info);
    struct err e = known_answer(netlink_send(nl, &b, NULL), kind);
    if (err_kind(e) == ERR_UNSUPPORTED)
        return e;
    err_ignore(e); /* it is known: the question was meant to fail */
    return OK;
}

struct alias {
    char text[MARK_LEN];
};

static struct err read_alias(void *arg, const struct nlmsghdr *h) {
    struct alias *to = arg;
    const struct nlattr *a[IFLA_IFALIAS + 1];
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_IFALIAS);
    if (a[IFLA_IFALIAS]) /* the kernel sends it without its NUL before 4.19, with it since */
        (void)snprintf(to->text, sizeof(to->text), "%.*s", (int)netlink_len(a[IFLA_IFALIAS]),
                       (const char *)netlink_data(a[IFLA_IFALIAS]));
    return OK;
}

static void format_mark(const char *table, char mark[MARK_LEN]) {
    (void)snprintf(mark, MARK_LEN, "made by %s", table);
}

struct marked {
    char mark[MARK_LEN];
    struct strv *found;
};

static struct err look_for_mark(void *arg, const struct nlmsghdr *h) {
    struct marked *m = arg;
    struct alias is = {0};
    const struct nlattr *a[IFLA_IFNAME + 1];
    if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return OK;
    netlink_parse_message(h, sizeof(struct ifinfomsg), a, IFLA_IFNAME);
    TRY(read_alias(&is, h));
    if (a[IFLA_IFNAME] && strcmp(is.text, m->mark) == 0)
        strv_add(m->found, netlink_z(a[IFLA_IFNAME]));
    return OK;
}

struct err parents_look(const char *table, struct strv *ret) {
    static const char *const kinds[] = {"vlan", "dummy"};
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    struct marked m = {.found = ret};
    format_mark(table, m.mark);
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
        struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
        netlink_message(&b, RTM_GETLINK, NLM_F_DUMP, &any, sizeof(any));
        size_t info = netlink_nest(&b,
                                   IFLA_LINKINFO); /* the kernel filters where it knows the kind */
        netlink_attr_z(&b, IFLA_INFO_KIND, kinds[i]);
        netlink_nest_end(&b, info);
        TRYF(netlink_ask(&nl, &b, look_for_mark, &m), "interfaces that corten made");
    }
    return OK;
}

static struct err make_link(struct netlink *nl, const char *name, const char *kind, unsigned lower,
                            uint16_t vlan) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_link(&b, NLM_F_CREATE | NLM_F_EXCL, name);
    if (lower)
        netlink_attr_u32(&b, IFLA_LINK, lower);
    size_t info = netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_z(&b, IFLA_INFO_KIND, kind);
    if (vlan) {
        size_t data = netlink_nest(&b, IFLA_INFO_DATA);
        netlink_attr(&b, IFLA_VLAN_ID, &vlan, sizeof(vlan));
        netlink_nest_end(&b, data);
    }
    netlink_nest_end(&b, info);
    return err_wrap(known_answer(netlink_send(nl, &b, NULL), kind), "create parent interface %s",
                    name);
}

/* "eth0.10": VLAN 10 of eth0. */
static struct err make_vlan(struct netlink *nl, const char *name) {
    char lower[IFNAMSIZ];
    const char *dot = strrchr(name, '.');
    uint64_t id = 0;
    (void)snprintf(lower, sizeof(lower), "%.*s", dot ? (int)(dot - name) : 0, name);
    struct err e = dot ? str_to_u64(str_of(dot + 1), VLAN_MAX, &id) : OK;
    bool right = !err_failed(e) && id && link_index(lower);
    err_free(e); /* the message below says it better */
    if (!right)
        return err_new(ERR_INVALID,
                       "parent interface %s does not exist, nor is it a VLAN of one that does "
                       "(as eth0.10 of eth0)",
                       name);
    return make_link(nl, name, "vlan", link_index(lower), (uint16_t)id);
}

struct err parent_prepare(const struct network_parent *p, const char *table) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    char mark[MARK_LEN];
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    TRYF(check_kind(&nl, p->ipvlan ? "ipvlan" : "macvlan"), "network driver %s is not supported",
         p->ipvlan ? "ipvlan" : "macvlan");
    if (link_index(p->name))
        return OK;
    struct err e = p->dummy ? make_link(&nl, p->name, "dummy", 0, 0) : make_vlan(&nl, p->name);
    if (err_failed(e) && err_errnum(e) == EEXIST) { /* another was quicker, and marks it */
        err_free(e);
        return OK;
    }
    TRY(e);
    format_mark(table, mark);
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct ifinfomsg up = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    netlink_message(&b, RTM_NEWLINK, 0, &up, sizeof(up));
    netlink_attr_z(&b, IFLA_IFNAME, p->name);
    netlink_attr(&b, IFLA_IFALIAS, mark, strlen(mark));
    return err_wrap(netlink_send(&nl, &b, NULL), "set parent interface %s up", p->name);
}

struct err parent_remove(const struct network_parent *p, const char *table) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct alias is = {0};
    char mark[MARK_LEN];
    if (!link_index(p->name))
        return OK;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    netlink_message(&b, RTM_GETLINK, 0, &m, sizeof(m));
    netlink_attr_z(&b, IFLA_IFNAME, p->name);
    TRYF(netlink_ask(&nl, &b, read_alias, &is), "look at interface %s", p->name);
    format_mark(table, mark);
    return strcmp(is.text, mark) == 0 ? link_remove(&nl, p->name) : OK;
}

/* --- the container's interface: pool -----------------------------------------------------------
 */

static struct err create_on_parent(struct netlink *nl, const struct on_parent *v, unsigned lower) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    const char *kind = v->parent->ipvlan ? "ipvlan" : "macvlan";
    new_link(&b, NLM_F_CREATE | NLM_F_EXCL, v->name);
    netlink_attr_u32(&b, IFLA_LINK, lower);
    netlink_attr_u32(&b, IFLA_NET_NS_FD, (uint32_t)v->netns_fd);
    if (!v->parent->ipvlan)
        netlink_attr(&b, IFLA_ADDRESS, v->mac, 6);
    if (v->mtu)
        netlink_attr_u32(&b, IFLA_MTU, v->mtu);
    size_t info = netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_z(&b, IFLA_INFO_KIND, kind);
    size_t data = netlink_nest(&b, IFLA_INFO_DATA);
    if (v->parent->ipvlan) {
        uint16_t mode = (uint16_t)v->parent->mode;
        netlink_attr(&b, IFLA_IPVLAN_MODE, &mode, sizeof(mode));
        netlink_attr(&b, IFLA_IPVLAN_FLAGS, &v->parent->flags, sizeof(v->parent->flags));
    } else {
        netlink_attr_u32(&b, IFLA_MACVLAN_MODE, v->parent->mode);
    }
    netlink_nest_end(&b, data);
    netlink_nest_end(&b, info);
    return err_wrap(known_answer(netlink_send(nl, &b, NULL), kind), "create %s interface on %s",
                    kind, v->parent->name);
}

/* The parent is taken: by another driver, or by the one user of a passthru. The namespace of a
 * container that has just ended may still be on its way out, with what it had. */
static bool is_taken(const struct network_parent *p, struct err e) {
    bool passthru = !p->ipvlan && p->mode == MACVLAN_MODE_PASSTHRU;
    return err_failed(e) && (err_errnum(e) == EBUSY || (passthru && err_errnum(e) == EINVAL));
}

struct err link_on_parent(struct netlink *nl, const struct on_parent *v) {
    unsigned lower = link_index(v->parent->name);
    if (!lower)
        return err_new(ERR_SYSTEM, "parent interface %s does not exist", v->parent->name);
    struct err e = create_on_parent(nl, v, lower);
    for (unsigned i = 0; i < TAKEN_TRIES && is_taken(v->parent, e); i++) {
        err_free(e);
        (void)nanosleep(&(struct timespec){.tv_nsec = TAKEN_PAUSE_NS}, NULL);
        e = create_on_parent(nl, v, lower);
    }
    if (is_taken(v->parent, e))
        return err_wrap(e, "interface %s is used by another container or driver", v->parent->name);
    return e;
}

/* A passthru interface is born with its parent's hardware address; ours is set from inside. */
struct err link_set_mac(struct netlink *inside, const char *name, const uint8_t mac[6]) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    new_link(&b, 0, name);
    netlink_attr(&b, IFLA_ADDRESS, mac, 6);
    return err_wrap(netlink_send(inside, &b, NULL), "hardware address of %s", name);
}
