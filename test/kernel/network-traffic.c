/* Reachability of containers and published ports, checked with real traffic. Everything is tried
 * with bridge-nf-call-iptables off and on. */
#include "test.h"

#include "network_lab.h"

static void published_everywhere(int bridge_nf) {
    struct lab lab;
    LAB(&lab, bridge_nf);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    lab_ask(a.plan, "80/tcp", "", "8080");
    lab_ask(b.plan, "80/tcp", "", "8081");
    box_up(&a);
    box_up(&b);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    char peer[INET_ADDRSTRLEN];
    /* the host: by 127.0.0.1, by its own address, by the bridge's, by the container's */
    lab_reach(lab.host, "127.0.0.1", 8080, server, peer);
    assert_string_equal(peer, "172.20.0.1");
    lab_reach(lab.host, "127.8.8.8", 8080, server, NULL);
    lab_reach(lab.host, "198.51.100.1", 8080, server, NULL);
    lab_reach(lab.host, "172.20.0.1", 8080, server, NULL);
    lab_reach(lab.host, "172.20.0.2", 80, server, NULL);
    /* another host, which the container sees under its own address */
    lab_reach(lab.outside, "198.51.100.1", 8080, server, peer);
    assert_string_equal(peer, "198.51.100.2");
    /* a neighbour, directly and through the host; the container itself (hairpin) */
    lab_reach(b.live.netns_fd, "172.20.0.2", 80, server, peer);
    assert_string_equal(peer, "172.20.0.3");
    lab_reach(b.live.netns_fd, "198.51.100.1", 8080, server, NULL);
    lab_reach(b.live.netns_fd, "172.20.0.1", 8080, server, NULL);
    lab_reach(a.live.netns_fd, "198.51.100.1", 8080, server, NULL);
    lab_reach(a.live.netns_fd, "172.20.0.1", 8080, server, NULL);
    /* what is not published is refused */
    lab_unreached(lab.outside, "198.51.100.1", 80);
    box_down(&a);
    lab_unreached(lab.outside, "198.51.100.1", 8080);
    lab_unreached(lab.host, "127.0.0.1", 8080);
    box_down(&b);
    lab_close(&lab);
}

TEST(published_port_is_reached_from_everywhere) {
    published_everywhere(0);
}

TEST(published_port_is_reached_from_everywhere_with_bridge_nf) {
    published_everywhere(1);
}

static void outside_is_masqueraded(int bridge_nf) {
    struct lab lab;
    LAB(&lab, bridge_nf);
    struct box a = {.plan = lab_plan(&lab, 2)};
    box_up(&a);
    CLEAN_FD int server = lab_serve(lab.outside, SOCK_STREAM, "0.0.0.0", 9000);
    char peer[INET_ADDRSTRLEN];
    lab_reach(a.live.netns_fd, "198.51.100.2", 9000, server, peer);
    assert_string_equal(peer, "198.51.100.1");
    /* a service of the host on a real address is reached, as with the peer */
    CLEAN_FD int own = lab_serve(lab.host, SOCK_STREAM, "0.0.0.0", 9001);
    lab_reach(a.live.netns_fd, "172.20.0.1", 9001, own, peer);
    assert_string_equal(peer, "172.20.0.2");
    box_down(&a);
    lab_close(&lab);
}

TEST(outside_is_masqueraded_plain) {
    outside_is_masqueraded(0);
}

TEST(outside_is_masqueraded_with_bridge_nf) {
    outside_is_masqueraded(1);
}

static bool datagram_arrives(int from, const char *ip, unsigned port, int server) {
    struct sockaddr_in to = lab_addr(ip, port);
    char got[8];
    assert_int_equal(sendto(from, "ping", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
    return recv(server, got, sizeof(got), 0) == 4;
}

/* Row 81: 127.0.0.1 of the host is not to be had from a container, although route_localnet is on.
 */
static void loopback_stays_private(int bridge_nf) {
    struct lab lab;
    LAB(&lab, bridge_nf);
    struct box a = {.plan = lab_plan(&lab, 2)};
    lab_ask(a.plan, "80/tcp", "127.0.0.1", "8080");
    box_up(&a);
    CLEAN_FD int private = lab_serve(lab.host, SOCK_STREAM, "127.0.0.1", 9000);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.host, "127.0.0.1", 9000, private, NULL);
    /* the container sends 127/8 to the bridge instead of its own lo */
    CLEAN_NETLINK struct netlink in = NETLINK_NONE;
    int back = -1;
    assert_ok(ns_enter_net(a.live.netns_fd, &back));
    lab_switch("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1");
    assert_ok(netlink_open(NETLINK_ROUTE, &in));
    ns_leave_net(back);
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct rtmsg drop = {.rtm_family = AF_INET,
                         .rtm_dst_len = 8,
                         .rtm_table = RT_TABLE_LOCAL,
                         .rtm_type = RTN_LOCAL,
                         .rtm_scope = RT_SCOPE_NOWHERE};
    struct in_addr net = lab_ip("127.0.0.0"), one = lab_ip("127.0.0.1"), gw = lab_ip("172.20.0.1");
    netlink_message(&b, RTM_DELROUTE, 0, &drop, sizeof(drop));
    netlink_attr(&b, RTA_DST, &net, 4);
    drop.rtm_dst_len = 32;
    netlink_message(&b, RTM_DELROUTE, 0, &drop, sizeof(drop));
    netlink_attr(&b, RTA_DST, &one, 4);
    struct rtmsg add = {.rtm_family = AF_INET,
                        .rtm_dst_len = 8,
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_type = RTN_UNICAST,
                        .rtm_protocol = RTPROT_BOOT};
    netlink_message(&b, RTM_NEWROUTE, NLM_F_CREATE, &add, sizeof(add));
    netlink_attr(&b, RTA_DST, &net, 4);
    netlink_attr(&b, RTA_GATEWAY, &gw, 4);
    assert_ok(netlink_send(&in, &b, NULL));
    lab_unreached(a.live.netns_fd, "127.0.0.1", 9000);
    lab_unreached(a.live.netns_fd, "127.0.0.1", 8080);
    CLEAN_FD int datagrams = lab_serve(lab.host, SOCK_DGRAM, "127.0.0.1", 9000);
    CLEAN_FD int sender = lab_serve(a.live.netns_fd, SOCK_DGRAM, "0.0.0.0", 0);
    assert_false(datagram_arrives(sender, "127.0.0.1", 9000, datagrams));
    lab_reach(lab.host, "127.0.0.1", 8080, server, NULL);
    /* published on 127.0.0.1 means there only */
    lab_unreached(lab.host, "198.51.100.1", 8080);
    lab_unreached(lab.outside, "198.51.100.1", 8080);
    assert_ok(nft_load("/usr/sbin/nft", STR("flush chain ip corten guard\n")));
    /* It was the guard, nothing else. */
    assert_true(datagram_arrives(sender, "127.0.0.1", 9000, datagrams));
    box_down(&a);
    lab_close(&lab);
}

TEST(loopback_of_the_host_stays_private) {
    loopback_stays_private(0);
}

TEST(loopback_of_the_host_stays_private_with_bridge_nf) {
    loopback_stays_private(1);
}

/* Another host sends packets for 127.0.0.1, or for the container's own address, over the wire. */
TEST(neighbours_reach_published_ports_only) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)};
    lab_ask(a.plan, "80/tcp", "127.0.0.1", "8080");
    lab_ask(a.plan, "81/tcp", "198.51.100.1", "8081");
    box_up(&a);
    CLEAN_FD int s80 = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    CLEAN_FD int s81 = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 81);
    CLEAN_NETLINK struct netlink out = NETLINK_NONE;
    int back = -1;
    assert_ok(ns_enter_net(lab.outside, &back));
    lab_switch("/proc/sys/net/ipv4/conf/ext1/route_localnet", "1");
    assert_ok(netlink_open(NETLINK_ROUTE, &out));
    ns_leave_net(back);
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct in_addr net = lab_ip("127.9.0.0"), boxes = lab_ip("172.20.0.0");
    struct in_addr gw = lab_ip("198.51.100.1");
    struct rtmsg local = {.rtm_family = AF_INET,
                          .rtm_dst_len = 8,
                          .rtm_table = RT_TABLE_LOCAL,
                          .rtm_type = RTN_LOCAL,
                          .rtm_scope = RT_SCOPE_NOWHERE};
    struct in_addr lo = lab_ip("127.0.0.0");
    netlink_message(&b, RTM_DELROUTE, 0, &local, sizeof(local));
    netlink_attr(&b, RTA_DST, &lo, 4);
    struct rtmsg add = {.rtm_family = AF_INET,
                        .rtm_dst_len = 16,
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_type = RTN_UNICAST,
                        .rtm_protocol = RTPROT_BOOT};
    netlink_message(&b, RTM_NEWROUTE, NLM_F_CREATE, &add, sizeof(add));
    netlink_attr(&b, RTA_DST, &net, 4);
    netlink_attr(&b, RTA_GATEWAY, &gw, 4);
    netlink_message(&b, RTM_NEWROUTE, NLM_F_CREATE, &add, sizeof(add));
    netlink_attr(&b, RTA_DST, &boxes, 4);
    netlink_attr(&b, RTA_GATEWAY, &gw, 4);
    assert_ok(netlink_send(&out, &b, NULL));
    lab_reach(lab.outside, "198.51.100.1", 8081, s81, NULL);
    lab_unreached(lab.outside, "127.9.0.1", 8080);
    lab_unreached(lab.outside, "172.20.0.2", 80);
    lab_unreached(lab.outside, "172.20.0.2", 81);
    lab_reach(lab.host, "127.0.0.1", 8080, s80, NULL);
    box_down(&a);
    lab_close(&lab);
}

static void udp_ping(int ns, const char *ip, unsigned port, int server) {
    CLEAN_FD int c = lab_serve(ns, SOCK_DGRAM, "0.0.0.0", 0);
    struct sockaddr_in to = lab_addr(ip, port), from;
    socklen_t len = sizeof(from);
    char got[8] = {0};
    assert_int_equal(connect(c, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(c, "ping", 4, 0), 4);
    assert_int_equal(recvfrom(server, got, sizeof(got), 0, (struct sockaddr *)&from, &len), 4);
    assert_int_equal(sendto(server, "pong", 4, 0, (struct sockaddr *)&from, len), 4);
    assert_int_equal(recv(c, got, sizeof(got), 0), 4);
    assert_memory_equal(got, "pong", 4);
}

TEST(udp_and_tcp_share_a_port_number) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    lab_ask(a.plan, "53/udp", "", "5300");
    lab_ask(b.plan, "53/tcp", "", "5300");
    box_up(&a);
    box_up(&b);
    CLEAN_FD int udp = lab_serve(a.live.netns_fd, SOCK_DGRAM, "0.0.0.0", 53);
    CLEAN_FD int tcp = lab_serve(b.live.netns_fd, SOCK_STREAM, "0.0.0.0", 53);
    udp_ping(lab.outside, "198.51.100.1", 5300, udp);
    udp_ping(lab.host, "127.0.0.1", 5300, udp);
    udp_ping(lab.host, "198.51.100.1", 5300, udp);
    udp_ping(b.live.netns_fd, "198.51.100.1", 5300, udp);
    lab_reach(lab.outside, "198.51.100.1", 5300, tcp, NULL);
    lab_reach(lab.host, "127.0.0.1", 5300, tcp, NULL);
    box_down(&a);
    box_down(&b);
    lab_close(&lab);
}

/* Two networks do not see each other, but what one publishes the other reaches. */
static void networks_are_apart(int bridge_nf) {
    struct lab lab;
    LAB(&lab, bridge_nf);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    b.plan->subnet = lab_ip("172.21.0.0");
    b.plan->gateway = lab_ip("172.21.0.1");
    b.plan->address = lab_ip("172.21.0.3");
    (void)snprintf(b.plan->bridge, sizeof(b.plan->bridge), "corten-00000001");
    lab_ask(a.plan, "80/tcp", "", "8080");
    box_up(&a);
    box_up(&b);
    CLEAN_FD int s80 = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    CLEAN_FD int s81 = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 81);
    lab_reach(lab.host, "172.20.0.2", 81, s81, NULL);
    lab_unreached(b.live.netns_fd, "172.20.0.2", 81);
    lab_unreached(b.live.netns_fd, "172.20.0.2", 80);
    lab_reach(b.live.netns_fd, "198.51.100.1", 8080, s80, NULL);
    box_down(&a);
    box_down(&b);
    lab_close(&lab);
}

TEST(networks_are_apart_plain) {
    networks_are_apart(0);
}

TEST(networks_are_apart_with_bridge_nf) {
    networks_are_apart(1);
}

/* icc=false: neighbours are cut off from each other, published ports are not. */
TEST(icc_off_cuts_neighbours) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    a.plan->icc = b.plan->icc = false;
    lab_ask(a.plan, "80/tcp", "", "8080");
    box_up(&a);
    box_up(&b);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_unreached(b.live.netns_fd, "172.20.0.2", 80);
    lab_reach(b.live.netns_fd, "198.51.100.1", 8080, server, NULL);
    lab_reach(lab.host, "172.20.0.2", 80, server, NULL);
    box_down(&a);
    box_down(&b);
    lab_close(&lab);
}

TEST(internal_network_has_no_outside) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    a.plan->internal = b.plan->internal = true;
    box_up(&a);
    box_up(&b);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    CLEAN_FD int far = lab_serve(lab.outside, SOCK_STREAM, "0.0.0.0", 9000);
    lab_reach(b.live.netns_fd, "172.20.0.2", 80, server, NULL);
    lab_unreached(a.live.netns_fd, "198.51.100.2", 9000);
    lab_reach(lab.host, "198.51.100.2", 9000, far, NULL);
    box_down(&a);
    box_down(&b);
    lab_close(&lab);
}

/* We switched forwarding on, so the host must not become a router for anybody else. */
TEST(forwarding_is_for_our_networks_only) {
    struct lab lab;
    LAB(&lab, 0);
    CLEAN_FD int third = -1;
    assert_ok(ns_new_net(&third));
    lab_wire(third, "ext2", "ext3", "203.0.113.1", "203.0.113.2");
    struct box a = {.plan = lab_plan(&lab, 2)};
    box_up(&a);
    assert_true(host_forwarding_ours(lab.run_dir));
    int back = -1;
    const char *gateways[] = {"198.51.100.1", "203.0.113.1"};
    int sides[] = {lab.outside, third};
    for (size_t i = 0; i < 2; i++) {
        CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
        assert_ok(ns_enter_net(sides[i], &back));
        assert_ok(netlink_open(NETLINK_ROUTE, &nl));
        ns_leave_net(back);
        CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
        struct in_addr gw = lab_ip(gateways[i]);
        struct rtmsg add = {.rtm_family = AF_INET,
                            .rtm_table = RT_TABLE_MAIN,
                            .rtm_type = RTN_UNICAST,
                            .rtm_protocol = RTPROT_BOOT};
        netlink_message(&b, RTM_NEWROUTE, NLM_F_CREATE, &add, sizeof(add));
        netlink_attr(&b, RTA_GATEWAY, &gw, 4);
        assert_ok(netlink_send(&nl, &b, NULL));
    }
    CLEAN_FD int server = lab_serve(third, SOCK_STREAM, "0.0.0.0", 9000);
    lab_unreached(lab.outside, "203.0.113.2", 9000);
    lab_reach(a.live.netns_fd, "203.0.113.2", 9000, server, NULL);
    box_down(&a);
    lab_close(&lab);
}
