/* What the pool does for one endpoint: endpoint_up, endpoint_down. Sees only its plan. */
#include "base/file.h"
#include "base/log.h"
#include "kernel/ns.h"
#include "network/private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <unistd.h>

/* Random ports are drawn again when another endpoint of ours, just about to go, still has the rule.
 */
#define DRAWS_MAX 8

static void unbind(struct endpoint_live *l) {
    for (size_t i = 0; i < l->held_n; i++)
        fd_close(l->held_fds[i]);
    for (size_t i = 0; i < l->relay_n; i++)
        fd_close(l->relay_fds[i]);
    free(l->held_fds);
    free(l->relay_fds);
    l->held_fds = l->relay_fds = NULL;
    l->held_n = l->relay_n = 0;
    buf_done(&l->relay_lines);
}

void endpoint_live_done(struct endpoint_live *l) {
    l->netns_fd = fd_close(l->netns_fd);
    unbind(l);
}

static struct host_plan host_plan_of(const struct endpoint_plan *p) {
    return (struct host_plan){
        .bridge = p->bridge,
        .table = p->table,
        .nft_program = p->nft_program,
        .run_dir = p->run_dir,
        .subnet = p->subnet,
        .gateway = p->gateway,
        .prefix = p->prefix,
        .mtu = p->mtu,
        .internal = p->internal,
        .icc = p->icc,
        .masquerade = p->masquerade,
        .mode = p->mode,
        .mode6 = p->mode6,
        .inhibit_four = p->inhibit_four,
        .source = p->source,
        .source6 = p->source6,
        .rules6 = p->rules6,
        .forward = p->forward,
        .rules = p->rules,
        .six = p->six,
        .gateway6 = p->gateway6,
        .prefix6 = p->prefix6,
    };
}

static struct err prepare(struct endpoint_plan *p) {
    struct host_plan h = host_plan_of(p);
    bool loaded = false;
    TRY(host_prepare(&h, &loaded));
    p->table_loaded |= loaded;
    p->host_checked = true;
    strv_done(&p->warnings);
    if (!p->rules)
        return OK;
    return host_warnings(p->table, &p->warnings);
}

/* IPv6 is off in a namespace that has IPv4 only (row 54 of the attacks: router advertisements), for
 * all interfaces to come; lo keeps ::1, as the newer peer has it. */
static struct err quiet_six(int proc) {
    static const char *const paths[] = {"default/disable_ipv6", "default/accept_ra",
                                        "all/accept_ra"};
    static const char *const values[] = {"1", "0", "0"};
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    CLEAN_FD int conf = proc >= 0 ? openat(proc, "sys/net/ipv6/conf", flags)
                                  : open("/proc/sys/net/ipv6/conf", flags);
    if (conf < 0 && errno == ENOENT)
        return OK; /* a kernel without IPv6 */
    if (conf < 0)
        return err_errno(errno, "open the switches of IPv6");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        int fd = openat(conf, paths[i], O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(errno, "open %s", paths[i]);
        int r = fd_write_all(fd, values[i], 1);
        fd_close(fd);
        if (r < 0)
            return err_errno(r, "write %s", paths[i]);
    }
    return OK;
}

struct first_steps {
    struct netlink *in;
    int proc; /* -1: /proc */
};

/* Runs inside the namespace; the socket stays there when the thread leaves. */
static struct err set_up_inside(void *arg) {
    const struct first_steps *x = arg;
    TRY(quiet_six(x->proc));
    return netlink_open(NETLINK_ROUTE, x->in);
}

static void use_spare(struct network_spare *s, struct netlink *ret_inside, int *ret_fd) {
    *ret_inside = s->in;
    *ret_fd = s->netns_fd;
    free(s);
}

static struct err enter_given(int given, struct netlink *ret_inside, int *ret_fd) {
    CLEAN_FD
    int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
    int back = -1;
    if (fd < 0)
        return err_errno(errno, "copy the network namespace");
    TRY(ns_enter_net(fd, &back));
    struct err e = set_up_inside(&(struct first_steps){ret_inside, -1});
    ns_leave_net(back);
    TRY(e);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static bool leads_out(const struct endpoint_plan *p) {
    return p->default_route && !p->internal; /* of which isolated networks are some */
}

static struct err route_six(const struct endpoint_plan *p, struct netlink *in) {
    return link_inside_six_route(in, p->interface, p->parent.direct ? &in6addr_any : &p->gateway6);
}

/* Off for all interfaces (quiet_six) but this one. */
static struct err bring_six(const struct endpoint_plan *p, int netns_fd, struct netlink *in) {
    CLEAN_FREE char *path = mem_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", p->interface);
    int back = -1;
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = file_write_at(AT_FDCWD, path, STR("0"));
    ns_leave_net(back);
    if (err_kind(e) == ERR_NOT_FOUND)
        return err_as(err_wrap(e, "this kernel has no IPv6"), ERR_UNSUPPORTED);
    TRY(e);
    TRY(link_inside_six(in, p->interface, &p->address6, p->prefix6));
    return leads_out(p) ? route_six(p, in) : OK;
}

static struct err set_sysctls(const struct endpoint_plan *p, int netns_fd) {
    int back = -1;
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = endpoint_sysctls_set(p->sysctls, p->interface);
    ns_leave_net(back);
    return e;
}

static struct err configure_inside(const struct endpoint_plan *p, int netns_fd,
                                   struct netlink *in) {
    bool direct = p->parent.direct;
    struct inside inside = {.name = p->interface, .address = p->address, .prefix = p->prefix};
    if (leads_out(p) && p->prefix) {
        inside.direct = direct;
        inside.gateway.s_addr = direct ? 0 : p->gateway.s_addr;
    }
    TRY(link_inside(in, &inside));
    if (p->six)
        TRY(bring_six(p, netns_fd, in));
    TRY(link_locals_up(p, in));
    return p->sysctls ? set_sysctls(p, netns_fd) : OK;
}

static struct err connect_pair(struct endpoint_plan *p, int netns_fd, struct netlink *in) {
    CLEAN_NETLINK struct netlink out = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &out));
    unsigned bridge = link_index(p->bridge);
    if (!bridge) { /* somebody removed it */
        TRY(prepare(p));
        bridge = link_index(p->bridge);
    }
    TRY(link_veth(&out, &(struct veth){.host_name = p->host_if,
                                       .name = p->interface,
                                       .netns_fd = netns_fd,
                                       .bridge_index = bridge,
                                       .mtu = p->mtu,
                                       .mac = p->mac,
                                       .closed = !p->icc}));
    TRY(configure_inside(p, netns_fd, in));
    /* The container's end has been opened last and is ready. Of ours, first the port, then the
     * bridge, which has a carrier from its first port on. */
    TRY(link_wait_up(&out, p->host_if));
    return link_wait_up(&out, p->bridge);
}

static struct err connect_to_parent(struct endpoint_plan *p, int netns_fd, struct netlink *in) {
    CLEAN_NETLINK struct netlink out = NETLINK_NONE;
    TRY(parent_prepare(&p->parent, p->table)); /* a reboot takes away what we made */
    TRY(netlink_open(NETLINK_ROUTE, &out));
    TRY(link_on_parent(&out, &(struct on_parent){.parent = &p->parent,
                                                 .name = p->interface,
                                                 .netns_fd = netns_fd,
                                                 .mtu = p->mtu,
                                                 .mac = p->mac}));
    if (!p->parent.ipvlan && p->parent.mode == MACVLAN_MODE_PASSTHRU)
        TRY(link_set_mac(in, p->interface, p->mac));
    return configure_inside(p, netns_fd, in);
}

static struct port_server server_of(const struct endpoint_plan *p) {
    return (struct port_server){p->relay, p->relayed, p->relayed || !p->prefix};
}

static bool draws(const struct endpoint_plan *p) {
    for (size_t i = 0; i < p->requests.n; i++)
        if (!p->requests.items[i].routed &&
            (p->requests.items[i].host_first != p->requests.items[i].host_last ||
             p->requests.items[i].host_first == 0))
            return true;
    return false;
}

static struct published published_of(const struct endpoint_plan *p) {
    struct port_target to = {.address = p->address,
                             .routed = p->mode == GATEWAY_ROUTED,
                             .routed6 = p->mode6 == GATEWAY_ROUTED};
    if (p->six && !p->relayed6)
        to.address6 = p->address6;
    return (struct published){p->relayed, p->table, &p->ports, to, p->sockets};
}

static struct err publish_once(struct endpoint_plan *p, bool steal) {
    struct published what = published_of(p);
    struct err e = rules_publish(&what, steal);
    if (!err_failed(e) || err_errnum(e) != ENOENT || p->table_loaded)
        return e;
    err_free(e); /* somebody flushed the rules */
    TRY(prepare(p));
    return rules_publish(&what, steal);
}

static struct err publish(struct endpoint_plan *p, struct endpoint_live *l) {
    for (unsigned draw = 1; draw < DRAWS_MAX && draws(p); draw++) {
        struct err e = publish_once(p, false);
        if (err_kind(e) != ERR_CONFLICT)
            return e;
        err_free(e);
        unbind(l);
        TRY(ports_bind(&p->requests, server_of(p), &p->ports, l));
    }
    /* Asked for by number: the own table says that no living endpoint of ours has it. */
    return publish_once(p, true);
}

/* A pair goes with its end here; an interface that is in the container only, from there. */
static struct err remove_interface(const struct endpoint_plan *p, int netns_fd) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    int back = -1;
    if (!*p->parent.name) {
        TRY(netlink_open(NETLINK_ROUTE, &nl));
        return link_remove(&nl, p->host_if);
    }
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = netlink_open(NETLINK_ROUTE, &nl);
    ns_leave_net(back);
    TRY(e);
    return link_remove(&nl, p->interface);
}

/* The namespace is somebody else's and will not go away: take our interface out of it. */
static void disconnect_pair(const struct endpoint_plan *p, int netns_fd) {
    struct err e = remove_interface(p, netns_fd);
    log_err(LOG_WARN, e, "network: undo connection of container %s", p->container_id);
}

static struct err bring_up(struct endpoint_plan *p, int netns_fd, struct endpoint_live *ret) {
    CLEAN_ENDPOINT_LIVE struct endpoint_live l = {.netns_fd = -1};
    TRY(ports_bind(&p->requests, server_of(p), &p->ports, &l));
    if (p->check_host)
        TRY(prepare(p));
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    if (netns_fd >= 0)
        TRY(enter_given(netns_fd, &in, &l.netns_fd));
    else if (p->spare)
        use_spare(TAKE(p->spare), &in, &l.netns_fd);
    else
        TRY(ns_setup_net(set_up_inside, &(struct first_steps){&in, -1}, &l.netns_fd));
    struct err e = *p->parent.name ? connect_to_parent(p, l.netns_fd, &in)
                                   : connect_pair(p, l.netns_fd, &in);
    if (!err_failed(e))
        e = publish(p, &l);
    if (err_failed(e)) {
        /* A namespace of our own dies here, and the pair with it. */
        if (netns_fd >= 0)
            disconnect_pair(p, netns_fd);
        return e;
    }
    *ret = l;
    l = (struct endpoint_live){.netns_fd = -1};
    return OK;
}

struct err endpoint_up(struct endpoint_plan *p, int netns_fd, struct endpoint_live *ret) {
    struct err e = bring_up(p, netns_fd, ret);
    /* What is missing here is the host's: to the caller of a start "not found" and "forbidden"
     * speak of the container's program. */
    if (err_kind(e) == ERR_NOT_FOUND || err_kind(e) == ERR_FORBIDDEN)
        e = err_as(e, ERR_SYSTEM);
    return e;
}

struct err endpoint_disconnect(const struct endpoint_plan *p, int netns_fd) {
    TRY(endpoint_down(p));
    return remove_interface(p, netns_fd);
}

/* The other way out has been taken away by its interface, or is replaced here. */
static struct err move_route(const struct endpoint_plan *p, int netns_fd) {
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    int back = -1;
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = netlink_open(NETLINK_ROUTE, &in);
    ns_leave_net(back);
    TRY(e);
    if (!p || p->internal)
        return link_no_default_route(&in);
    if (p->six)
        TRY(route_six(p, &in));
    if (!p->prefix)
        return link_no_default_route(&in);
    struct in_addr gateway = {p->parent.direct ? 0 : p->gateway.s_addr};
    return link_default_route(&in, p->interface, gateway);
}

struct err endpoint_make_default(struct endpoint_plan *p, struct endpoint_plan *from,
                                 int netns_fd) {
    TRY(move_route(p, netns_fd));
    if (p)
        p->default_route = true;
    if (!from)
        return OK;
    from->default_route = false;
    TRY(endpoint_down(from));
    if (p && !p->internal && from->ports.n) {
        struct published what = published_of(p);
        vec_done(&p->ports);
        p->ports = from->ports;
        from->ports = (struct port_mappings){0};
        what.ports = &p->ports;
        return rules_publish(&what, true);
    }
    return OK;
}

struct err endpoint_down(const struct endpoint_plan *p) {
    struct published what = published_of(p);
    return rules_unpublish(&what);
}

struct err network_empty(int proc, struct netlink *ret_in, int *ret_fd) {
    CLEAN_FD
    int fd = -1;
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    struct first_steps x = {&in, proc};
    TRY(ns_setup_net(set_up_inside, &x, &fd));
    TRY(link_lo_up(&in));
    *ret_in = in;
    in = NETLINK_NONE;
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err network_none_up(struct network_spare *spare, int *ret_netns_fd) {
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    if (!spare)
        return network_empty(-1, &in, ret_netns_fd);
    use_spare(spare, &in, ret_netns_fd);
    return OK;
}

/* --- while it runs ------------------------------------------------------------------------------
 */

struct err endpoint_publish(struct endpoint_plan *p, const struct port_requests *requests,
                            struct endpoint_live *ret) {
    struct port_mappings more = {0};
    struct port_requests adapted = {0};
    struct endpoint_live l = {.netns_fd = -1};
    struct publishing how = publishing_of_plan(p);
    struct err e = ports_adapt(&how, requests, &adapted);
    if (!err_failed(e))
        e = ports_bind(&adapted, server_of(p), &more, &l);
    vec_done(&adapted);
    struct published what = published_of(p);
    what.ports = &more;
    if (!err_failed(e))
        e = rules_publish(&what, true);
    if (err_failed(e)) {
        endpoint_live_done(&l);
    } else {
        for (size_t i = 0; i < more.n; i++)
            vec_push(&p->ports, more.items[i]);
        *ret = l;
    }
    vec_done(&more);
    return e;
}

static void name_socket(const struct port_mapping *m, unsigned nth, struct buf *lines) {
    char ip[HOST_ADDRESS_LEN];
    if (!m->host_port)
        return;
    buf_addf(lines, "%s %s %u\n", port_proto_name(m->proto), host_address_format(&m->host_ip, ip),
             m->host_port + nth);
}

/* What is left of a range on both sides of the port. */
static void keep_rest(const struct port_mapping *m, unsigned nth, struct port_mappings *rest) {
    struct port_mapping head = *m, tail = *m;
    head.count = (uint16_t)nth;
    tail.count = (uint16_t)(m->count - nth - 1);
    if (m->host_port)
        tail.host_port = (uint16_t)(m->host_port + nth + 1);
    tail.container_port = (uint16_t)(m->container_port + nth + 1);
    if (head.count)
        vec_push(rest, head);
    if (tail.count)
        vec_push(rest, tail);
}

struct err endpoint_unpublish(struct endpoint_plan *p, uint8_t proto, uint16_t port,
                              struct buf *lines) {
    struct port_mappings gone = {0}, rest = {0}, all = {0};
    for (size_t i = 0; i < p->ports.n; i++) {
        const struct port_mapping *m = &p->ports.items[i];
        if (m->proto != proto || port < m->container_port || port - m->container_port >= m->count) {
            vec_push(&all, *m);
            continue;
        }
        vec_push(&gone, *m);
        keep_rest(m, port - m->container_port, &rest);
        name_socket(m, port - m->container_port, lines);
    }
    struct published what = published_of(p);
    what.ports = &gone;
    struct err e = rules_unpublish(&what);
    what.ports = &rest;
    if (!err_failed(e))
        e = rules_publish(&what, true);
    for (size_t i = 0; i < rest.n; i++)
        vec_push(&all, rest.items[i]);
    vec_done(&p->ports);
    p->ports = all;
    vec_done(&gone);
    vec_done(&rest);
    return e;
}
