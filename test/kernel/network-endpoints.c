/* Endpoints: port conflicts, random ports, leaks, time, what a container finds inside. */
#include "test.h"

#include "base/time.h"
#include "network_lab.h"

static void text_of(int ns, const char *path, char *into, size_t size) {
    int back = -1;
    assert_ok(ns_enter_net(ns, &back));
    CLEAN_BUF struct buf b = {0};
    struct err e = file_read(path, size, &b);
    ns_leave_net(back);
    assert_ok(e);
    struct str s = str_trim(buf_str(&b));
    (void)snprintf(into, size, "%.*s", STR_ARG(s));
}

TEST(inside_is_ipv4_only) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)};
    box_up(&a);
    char v[64];
    text_of(a.live.netns_fd, "/proc/sys/net/ipv6/conf/eth0/disable_ipv6", v, sizeof(v));
    assert_string_equal(v, "1");
    text_of(a.live.netns_fd, "/proc/sys/net/ipv6/conf/eth0/accept_ra", v, sizeof(v));
    assert_string_equal(v, "0");
    text_of(lab.host, "/proc/sys/net/ipv6/conf/corten0/disable_ipv6", v, sizeof(v));
    assert_string_equal(v, "1");
    box_down(&a);
    lab_close(&lab);
}

TEST(lo_works_in_network_none) {
    if (geteuid() != 0)
        SKIP("needs root");
    CLEAN_FD int ns = -1;
    assert_ok(network_none_up(NULL, &ns));
    CLEAN_FD int server = lab_serve(ns, SOCK_STREAM, "127.0.0.1", 80);
    lab_reach(ns, "127.0.0.1", 80, server, NULL);
    lab_unreached(ns, "198.51.100.1", 80);
}

static void refused_with(struct endpoint_plan *p, const char *words) {
    struct endpoint_live l = {.netns_fd = -1};
    struct err e = endpoint_up(p, -1, &l);
    assert_true(err_failed(e));
    if (!strstr(err_msg(e), words))
        fail_msg("'%s' does not say '%s'", err_msg(e), words);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    err_free(e);
    endpoint_plan_free(p);
}

/* A program has the port: we say so. We have it: the program is told so, at bind or at listen. */
TEST(conflicts_with_programs_both_ways) {
    struct lab lab;
    LAB(&lab, 0);
    CLEAN_FD int program = lab_serve(lab.host, SOCK_STREAM, "127.0.0.1", 8080);
    struct endpoint_plan *p = lab_plan(&lab, 2);
    lab_ask(p, "80/tcp", "", "8080");
    refused_with(p, "listen tcp4 0.0.0.0:8080: bind: address already in use");
    assert_int_equal(lab_links("veth"), 0);
    assert_int_equal(lab_links("corten"), 0);
    program = fd_close(program);
    struct box a = {.plan = lab_plan(&lab, 2)};
    lab_ask(a.plan, "80/tcp", "", "8080");
    lab_ask(a.plan, "53/udp", "127.0.0.1", "5300");
    box_up(&a);
    assert_int_equal(a.live.held_n, 2);
    CLEAN_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in to = lab_addr("0.0.0.0", 8080);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), -1);
    assert_int_equal(errno, EADDRINUSE);
    CLEAN_FD int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to = lab_addr("127.0.0.1", 5300);
    assert_int_equal(bind(udp, (struct sockaddr *)&to, sizeof(to)), -1);
    assert_int_equal(errno, EADDRINUSE);
    p = lab_plan(&lab, 3);
    lab_ask(p, "80/tcp", "198.51.100.1", "8080");
    refused_with(p, "198.51.100.1:8080");
    box_down(&a);
    lab_close(&lab);
}

/* Connections of an earlier server linger in TIME_WAIT: no reason to refuse its port. And it is
 * still visibly ours after that detour. */
TEST(lingering_connections_do_not_block_a_port) {
    struct lab lab;
    LAB(&lab, 0);
    CLEAN_FD int server = lab_serve(lab.host, SOCK_STREAM, "127.0.0.1", 8080);
    CLEAN_FD int client = lab_dial(lab.host, "127.0.0.1", 8080);
    assert_true(client >= 0);
    CLEAN_FD int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    accepted = fd_close(accepted); /* closed here first: TIME_WAIT is on port 8080 */
    char end;
    assert_int_equal(recv(client, &end, 1, 0), 0);
    client = fd_close(client);
    server = fd_close(server);
    CLEAN_FD int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = lab_addr("0.0.0.0", 8080);
    assert_int_equal(bind(plain, (struct sockaddr *)&to, sizeof(to)), -1);
    struct box a = {.plan = lab_plan(&lab, 2)};
    lab_ask(a.plan, "80/tcp", "", "8080");
    box_up(&a);
    CLEAN_FD int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_true(bind(other, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(other, 1) < 0);
    struct endpoint_plan *p = lab_plan(&lab, 3);
    lab_ask(p, "80/tcp", "", "8080");
    refused_with(p, "8080");
    CLEAN_FD int inside = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.host, "127.0.0.1", 8080, inside, NULL);
    box_down(&a);
    lab_close(&lab);
}

TEST(random_ports_and_ranges) {
    struct lab lab;
    LAB(&lab, 0);
    CLEAN_FD int program = lab_serve(lab.host, SOCK_STREAM, "0.0.0.0", 7000);
    struct box a = {.plan = lab_plan(&lab, 2)};
    lab_ask(a.plan, "80/tcp", "", "");
    lab_ask(a.plan, "80/tcp", "127.0.0.1", "0");
    lab_ask(a.plan, "81/tcp", "", "7000-7002");
    lab_ask(a.plan, "82/tcp", "", "7000-7002");
    box_up(&a);
    const struct port_mapping *m = a.plan->ports.items;
    assert_int_equal(a.plan->ports.n, 4);
    assert_true(m[0].host_port >= 1024 && m[1].host_port >= 1024);
    assert_int_equal(m[2].host_port, 7001);
    assert_int_equal(m[3].host_port, 7002);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.outside, "198.51.100.1", m[0].host_port, server, NULL);
    lab_unreached(lab.outside, "198.51.100.1", m[1].host_port);
    lab_reach(lab.host, "127.0.0.1", m[1].host_port, server, NULL);
    struct endpoint_plan *p = lab_plan(&lab, 3);
    lab_ask(p, "80/tcp", "", "7000-7002");
    refused_with(p, "Bind for 0.0.0.0:7000-7002 failed: all ports are allocated");
    box_down(&a);
    lab_close(&lab);
}

TEST(many_ports_in_one_batch) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)};
    for (unsigned port = 10000; port < 10800; port++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%u", port);
        lab_ask(a.plan, text, "", text);
    }
    box_up(&a);
    assert_int_equal(lab_elements("published"), 800);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 10799);
    lab_reach(lab.outside, "198.51.100.1", 10799, server, NULL);
    box_down(&a);
    assert_int_equal(lab_elements("published"), 0);
    lab_close(&lab);
}

/* The element of an endpoint that died with its daemon is replaced. */
TEST(stale_element_is_replaced) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    lab_ask(a.plan, "80/tcp", "", "8080");
    box_up(&a);
    endpoint_live_done(&a.live);
    lab_ask(b.plan, "80/tcp", "", "8080");
    box_up(&b);
    CLEAN_FD int server = lab_serve(b.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    box_down(&b);
    endpoint_plan_free(a.plan);
    lab_close(&lab);
}

/* "nft flush ruleset" by somebody else: the next container brings everything back. */
TEST(flushed_rules_come_back) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)}, b = {.plan = lab_plan(&lab, 3)};
    box_up(&a);
    assert_ok(nft_load("/usr/sbin/nft", STR("flush ruleset\n")));
    b.plan->check_host = false;
    lab_ask(b.plan, "80/tcp", "", "8080");
    box_up(&b);
    assert_true(b.plan->table_loaded);
    CLEAN_FD int server = lab_serve(b.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    CLEAN_FD int far = lab_serve(lab.outside, SOCK_STREAM, "0.0.0.0", 9000);
    lab_reach(a.live.netns_fd, "198.51.100.2", 9000, far, NULL);
    box_down(&a);
    box_down(&b);
    lab_close(&lab);
}

/* Errors of the host must not look like errors of the container's program. */
TEST(missing_nft_is_a_system_error) {
    struct lab lab;
    LAB(&lab, 0);
    struct endpoint_plan *p = lab_plan(&lab, 2);
    free(p->nft_program);
    p->nft_program = mem_strdup("/nonexistent/nft");
    refused_with(p, "/nonexistent/nft");
    p = lab_plan(&lab, 2);
    lab_ask(p, "80/tcp", "192.0.2.77", "80");
    refused_with(p, "listen tcp4 192.0.2.77:80: bind: cannot assign requested address");
    assert_int_equal(lab_links("veth"), 0);
    lab_close(&lab);
}

TEST(foreign_drop_policy_is_reported) {
    struct lab lab;
    LAB(&lab, 0);
    assert_ok(nft_load("/usr/sbin/nft",
                       STR("table ip filter { chain FORWARD { type filter hook forward priority 0; "
                           "policy drop; }; }\n")));
    struct box a = {.plan = lab_plan(&lab, 2)};
    box_up(&a);
    assert_int_equal(a.plan->warnings.n, 1);
    assert_non_null(strstr(a.plan->warnings.items[0], "ip filter FORWARD"));
    box_down(&a);
    lab_close(&lab);
}

/* A second network interface for a container that runs, and its end. */
TEST(connect_and_disconnect_while_running) {
    struct lab lab;
    LAB(&lab, 0);
    struct box a = {.plan = lab_plan(&lab, 2)};
    box_up(&a);
    struct endpoint_plan *second = lab_plan(&lab, 3);
    second->subnet = lab_ip("172.21.0.0");
    second->gateway = lab_ip("172.21.0.1");
    second->address = lab_ip("172.21.0.3");
    second->index = 1;
    second->default_route = false;
    (void)snprintf(second->interface, sizeof(second->interface), "eth1");
    (void)snprintf(second->bridge, sizeof(second->bridge), "corten-00000001");
    struct endpoint_live live = {.netns_fd = -1};
    assert_ok(endpoint_up(second, a.live.netns_fd, &live));
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.host, "172.21.0.3", 80, server, NULL);
    lab_reach(lab.host, "172.20.0.2", 80, server, NULL);
    endpoint_live_done(&live);
    assert_ok(endpoint_disconnect(second, a.live.netns_fd));
    lab_unreached(lab.host, "172.21.0.3", 80);
    lab_reach(lab.host, "172.20.0.2", 80, server, NULL);
    /* a failure takes back what it made */
    CLEAN_FD int program = lab_serve(lab.host, SOCK_STREAM, "0.0.0.0", 8080);
    lab_ask(second, "80/tcp", "", "8080");
    struct err e = endpoint_up(second, a.live.netns_fd, &live);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    err_free(e);
    assert_int_equal(lab_links("veth"), 1);
    endpoint_plan_free(second);
    box_down(&a);
    lab_close(&lab);
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_times(const char *what, int64_t *ns, size_t n) {
    qsort(ns, n, sizeof(*ns), by_value);
    printf("# %s: median %.0f us, min %.0f us, p95 %.0f us\n", what, (double)ns[n / 2] / 1000,
           (double)ns[0] / 1000, (double)ns[n * 95 / 100] / 1000);
}

TEST(two_hundred_cycles_leak_nothing) {
    struct lab lab;
    LAB(&lab, 0);
    enum { CYCLES = 200 };
    int64_t up[CYCLES], down[CYCLES];
    struct box first = {.plan = lab_plan(&lab, 2)};
    lab_ask(first.plan, "80/tcp", "", "8080");
    box_up(&first); /* makes bridge and table */
    unsigned fds = 0;
    for (unsigned i = 0; i < CYCLES; i++) {
        struct box a = {.plan = lab_plan(&lab, 3 + i)};
        a.plan->check_host = false;
        lab_ask(a.plan, "80/tcp", "", "");
        int64_t t = time_monotonic();
        box_up(&a);
        up[i] = time_monotonic() - t;
        t = time_monotonic();
        box_down(&a);
        down[i] = time_monotonic() - t;
        int next = dup(0);
        assert_true(next >= 0 && (i == 0 || (unsigned)next == fds));
        fds = (unsigned)next;
        close(next);
    }
    print_times("endpoint_up with one port", up, CYCLES);
    print_times("endpoint_down", down, CYCLES);
    assert_int_equal(lab_elements("published"), 1);
    /* namespaces end asynchronously */
    for (int i = 0; i < 500 && lab_links("veth") > 1; i++)
        usleep(10000);
    assert_int_equal(lab_links("veth"), 1);
    assert_int_equal(lab_links("corten"), 1);
    box_down(&first);
    assert_int_equal(lab_elements("published"), 0);
    lab_close(&lab);
}
