/* network_lab.h - several "hosts" in one test process, joined by wires, with real traffic.
 *
 * Each test unshares: the process itself is then the host that runs containers, in a namespace that
 * nobody else sees. Sockets are made inside other namespaces (ns_socket), so one thread plays
 * server and client: the kernel completes handshakes with a listening socket by itself. Included
 * once per test program. */
#pragma once
#include "base/file.h"
#include "kernel/ns.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define SILENCE_US 400000 /* nothing came within this: it was dropped */
#define PATIENCE_S 5      /* what must come may come late on a busy machine */

struct lab {
    int host;    /* namespace that runs the containers: the test process itself */
    int outside; /* another host, 198.51.100.2; the host is 198.51.100.1; knows no container subnet
                  */
    char run_dir[64];
    struct nft_sockets *sockets;
};

static inline void lab_switch(const char *path, const char *value) {
    assert_ok(file_write_at(AT_FDCWD, path, str_of(value)));
}

/* A wire between the calling namespace and ns, with an address at each end. */
static inline void lab_wire(int ns, const char *here, const char *there, const char *here_ip,
                            const char *there_ip) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    assert_ok(netlink_open(NETLINK_ROUTE, &nl));
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct ifinfomsg m = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    netlink_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    netlink_attr_z(&b, IFLA_IFNAME, here);
    size_t info = netlink_nest(&b, IFLA_LINKINFO);
    netlink_attr_z(&b, IFLA_INFO_KIND, "veth");
    size_t data = netlink_nest(&b, IFLA_INFO_DATA);
    size_t peer = netlink_nest(&b, VETH_INFO_PEER);
    struct ifinfomsg pm = {0};
    netlink_raw(&b, &pm, sizeof(pm));
    netlink_attr_z(&b, IFLA_IFNAME, there);
    netlink_attr_u32(&b, IFLA_NET_NS_FD, (uint32_t)ns);
    netlink_nest_end(&b, peer);
    netlink_nest_end(&b, data);
    netlink_nest_end(&b, info);
    assert_ok(netlink_send(&nl, &b, NULL));
    int back = -1;
    assert_ok(ns_enter_net(ns, &back));
    assert_ok(netlink_open(NETLINK_ROUTE, &in));
    ns_leave_net(back);
    struct in_addr a;
    assert_ok(address_parse(there_ip, &a));
    assert_ok(link_inside(&in, &(struct inside){.name = there, .address = a, .prefix = 24}));
    assert_ok(address_parse(here_ip, &a));
    /* link_inside serves this end as well: an interface by name, address, up. */
    assert_ok(link_inside(&nl, &(struct inside){.name = here, .address = a, .prefix = 24}));
    assert_ok(link_wait_up(&in, there));
    assert_ok(link_wait_up(&nl, here));
}

static inline bool lab_exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* bridge_nf: 0 or 1 for bridge-nf-call-iptables; without br_netfilter only 0 can be had (false). */
static inline bool lab_furnish(struct lab *lab, int bridge_nf) {
    const char *nf = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if (bridge_nf && !lab_exists(nf))
        return false;
    if (lab_exists(nf))
        lab_switch(nf, bridge_nf ? "1" : "0");
    lab_switch("/proc/sys/net/ipv4/ip_forward", "0");
    assert_ok(ns_open(0, "net", &lab->host));
    assert_ok(ns_new_net(&lab->outside));
    lab_wire(lab->outside, "ext0", "ext1", "198.51.100.1", "198.51.100.2");
    (void)snprintf(lab->run_dir, sizeof(lab->run_dir), "/tmp/corten-test-network.XXXXXX");
    assert_non_null(mkdtemp(lab->run_dir));
    lab->sockets = nft_sockets_new();
    return true;
}

static inline bool lab_open(struct lab *lab, int bridge_nf) {
    return unshare(CLONE_NEWNET) == 0 && lab_furnish(lab, bridge_nf);
}

static inline void lab_close(struct lab *lab) {
    nft_sockets_free(lab->sockets);
    fd_close(lab->outside);
    fd_close(lab->host);
    CLEAN_FD int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, lab->run_dir + strlen("/tmp/")));
}

/* Tests need root; elsewhere they are skipped. */
#define LAB(lab, bridge_nf)                                                  \
    do {                                                                     \
        if (geteuid() != 0)                                                  \
            SKIP("needs root");                                              \
        if (!lab_open((lab), (bridge_nf)))                                   \
            SKIP("no network namespaces, or no br_netfilter for this case"); \
    } while (0)

/* --- containers ----------------------------------------------------------------------------------
 */

#define LAB_SUBNET 0xac140000u /* 172.20.0.0/16 */

struct box {
    struct endpoint_plan *plan;
    struct endpoint_live live;
};

static inline struct in_addr lab_ip(const char *text) {
    struct in_addr a = {0};
    assert_ok(address_parse(text, &a));
    return a;
}

/* A plan as endpoint_reserve makes it. n: last byte of the address. */
static inline struct endpoint_plan *lab_plan(const struct lab *lab, unsigned n) {
    struct endpoint_plan *p = NEW(struct endpoint_plan);
    (void)snprintf(p->endpoint_id, sizeof(p->endpoint_id), "%064x", n);
    (void)snprintf(p->container_id, sizeof(p->container_id), "%064x", n + 0x1000);
    p->container_name = mem_printf("box%u", n);
    p->subnet.s_addr = htonl(LAB_SUBNET);
    p->gateway.s_addr = htonl(LAB_SUBNET + 1);
    p->address.s_addr = htonl(LAB_SUBNET + n);
    p->prefix = 16;
    p->mtu = 1500;
    p->icc = p->masquerade = p->check_host = true;
    p->mac[0] = 2;
    p->mac[1] = 0x42;
    memcpy(p->mac + 2, &p->address, 4);
    (void)snprintf(p->bridge, sizeof(p->bridge), "corten0");
    (void)snprintf(p->host_if, sizeof(p->host_if), "veth%08x", n);
    (void)snprintf(p->interface, sizeof(p->interface), "eth0");
    p->default_route = true;
    p->forward = p->rules = true;
    (void)snprintf(p->table, sizeof(p->table), "corten");
    p->nft_program = mem_strdup("/usr/sbin/nft");
    p->run_dir = mem_strdup(lab->run_dir);
    p->sockets = lab->sockets;
    return p;
}

static inline void lab_ask(struct endpoint_plan *p, const char *key, const char *ip,
                           const char *port) {
    struct port_request r;
    assert_ok(port_request_parse(key, ip, port, (struct in_addr){0}, NULL, &r));
    r.both = false; /* IPv4 is counted here; test/e2e/t3110-publish.sh has both */
    vec_push(&p->requests, r);
}

static inline void box_up(struct box *b) {
    b->live = (struct endpoint_live){.netns_fd = -1};
    assert_ok(endpoint_up(b->plan, -1, &b->live));
}

static inline void box_down(struct box *b) {
    assert_ok(endpoint_down(b->plan));
    endpoint_live_done(&b->live);
    b->plan = endpoint_plan_free(b->plan);
}

/* --- traffic -------------------------------------------------------------------------------------
 */

static inline struct sockaddr_in lab_addr(const char *ip, unsigned port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr = lab_ip(ip), .sin_port = htons((uint16_t)port)};
}

/* A server socket in namespace ns. */
static inline int lab_serve(int ns, int type, const char *ip, unsigned port) {
    int fd = -1, on = 1;
    assert_ok(ns_socket(ns, AF_INET, type, 0, &fd));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    struct sockaddr_in a = lab_addr(ip, port);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 64), 0);
    struct timeval t = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
    return fd;
}

/* A connected client socket in ns, or -errno (-ETIMEDOUT: no answer). */
static inline int lab_dial_within(int ns, const char *ip, unsigned port, struct timeval t) {
    CLEAN_FD int fd = -1;
    assert_ok(ns_socket(ns, AF_INET, SOCK_STREAM, 0, &fd));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
    struct sockaddr_in a = lab_addr(ip, port);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    return TAKE_FD(fd);
}

static inline int lab_dial(int ns, const char *ip, unsigned port) {
    return lab_dial_within(ns, ip, port, (struct timeval){.tv_sec = PATIENCE_S});
}

/* Bytes both ways; *ret_peer is whom the server saw. */
static inline void lab_talk(int server, int client, char ret_peer[INET_ADDRSTRLEN]) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    CLEAN_FD int c = accept4(server, (struct sockaddr *)&a, &len, SOCK_CLOEXEC);
    assert_true(c >= 0);
    if (ret_peer)
        address_format(a.sin_addr, ret_peer);
    char got[8] = {0};
    assert_int_equal(send(client, "ping", 4, 0), 4);
    assert_int_equal(recv(c, got, 4, MSG_WAITALL), 4);
    assert_memory_equal(got, "ping", 4);
    assert_int_equal(send(c, "pong", 4, 0), 4);
    assert_int_equal(recv(client, got, 4, MSG_WAITALL), 4);
    assert_memory_equal(got, "pong", 4);
}

/* Dials and talks; the client's connection is closed. */
static inline void lab_reach(int ns, const char *ip, unsigned port, int server,
                             char ret_peer[INET_ADDRSTRLEN]) {
    CLEAN_FD int c = lab_dial(ns, ip, port);
    if (c < 0)
        fail_msg("%s:%u is not reached: %s", ip, port, strerror(-c));
    lab_talk(server, c, ret_peer);
}

/* Nothing must come through; whether by silence or refusal does not matter. */
static inline void lab_unreached(int ns, const char *ip, unsigned port) {
    CLEAN_FD int c = lab_dial_within(ns, ip, port, (struct timeval){.tv_usec = SILENCE_US});
    if (c >= 0)
        fail_msg("%s:%u is reached and must not be", ip, port);
}

/* Number of interfaces in the calling namespace whose name begins so. */
static inline unsigned lab_links(const char *prefix) {
    struct if_nameindex *all = if_nameindex();
    assert_non_null(all);
    unsigned n = 0;
    for (struct if_nameindex *i = all; i->if_index; i++)
        n += str_starts(str_of(i->if_name), str_of(prefix));
    if_freenameindex(all);
    return n;
}

static inline size_t lab_elements(const char *set) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    assert_ok(netlink_open(NETLINK_NETFILTER, &nl));
    struct nft_elements e = {0};
    assert_ok(nft_list(&nl, false, "corten", set, &e));
    size_t n = e.n;
    vec_done(&e);
    return n;
}
