/* The daemon goes and comes back: same kernel state, new `struct networks`. Connections through
 * published ports live on, and what does not fit is mended. */
#include "test.h"

#include "network_lab.h"

/* The threads of the pool are made once and stay in the namespace they were born in, so all tests
 * of this program share one, emptied before each. */
static void lab_shared(struct lab *lab) {
    static bool furnished;
    if (geteuid() != 0)
        SKIP("needs root");
    if (!furnished && unshare(CLONE_NEWNET) < 0)
        SKIP("no network namespaces");
    furnished = true;
    assert_ok(nft_load("/usr/sbin/nft", STR("flush ruleset\n")));
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    assert_ok(netlink_open(NETLINK_ROUTE, &nl));
    static const char *const links[] = {"corten0", "ext0", "ext2"};
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        assert_ok(link_remove(&nl, links[i]));
    assert_true(lab_furnish(lab, 0));
}

struct daemon {
    struct loop *loop;
    struct store *store;
    struct networks *networks;
    struct err result;
};

static void daemon_start(struct daemon *d, const struct lab *lab) {
    CLEAN_FREE char *data = mem_printf("%s/data", lab->run_dir);
    CLEAN_FREE char *run = mem_printf("%s/run", lab->run_dir);
    assert_ok(dir_make(data, 0700));
    d->loop = loop_new();
    assert_ok(store_open(data, d->loop, &d->store));
    struct networks_config c = {.instance = "", .run_dir = run};
    assert_ok(networks_open(d->store, d->loop, &c, &d->networks));
}

static void daemon_stop(struct daemon *d) {
    networks_close(d->networks);
    store_close(d->store);
    loop_free(d->loop);
}

static void done(void *arg, struct err e) {
    struct daemon *d = arg;
    d->result = e;
    loop_stop(d->loop);
}

static void daemon_settle(struct daemon *d) {
    networks_settle(d->networks, done, d);
    loop_run(d->loop);
    assert_ok(d->result);
}

static void created(void *arg, struct err e, struct network *w) {
    (void)w;
    done(arg, e);
}

static struct endpoint_plan *reserve(struct daemon *d, const char *network, const char *container,
                                     const char *port) {
    struct port_request r;
    assert_ok(port_request_parse("80/tcp", "", port, (struct in_addr){0}, NULL, &r));
    struct endpoint_request q = {
        .container_id = container, .container_name = container, .default_route = true};
    vec_push(&q.ports, r);
    struct endpoint_plan *p = NULL;
    assert_ok(endpoint_reserve(d->networks, network_find(d->networks, network), &q, &p));
    vec_done(&q.ports);
    return p;
}

static void up(struct daemon *d, struct box *b) {
    box_up(b);
    assert_non_null(endpoint_settle(d->networks, b->plan));
}

static void down(struct daemon *d, struct box *b) {
    char id[65];
    memcpy(id, b->plan->endpoint_id, sizeof(id));
    box_down(b);
    endpoint_release(d->networks, id);
}

/* What container/ does with the record under /run. */
static void adopt(struct daemon *d, struct box *b) {
    CLEAN_BUF struct buf text = {0};
    endpoint_encode(b->plan, &text);
    b->plan = endpoint_plan_free(b->plan);
    assert_ok(endpoint_decode(buf_str(&text), &b->plan));
    assert_ok(endpoint_adopt(d->networks, b->plan));
}

TEST(connections_survive_a_restart) {
    struct lab lab;
    lab_shared(&lab);
    struct daemon d = {0};
    daemon_start(&d, &lab);
    assert_int_equal(lab_links("corten"), 0); /* no trace before the first container */
    struct box a = {.plan = reserve(&d, "bridge", "a", "8080")};
    up(&d, &a);
    struct box b = {.plan = reserve(&d, "bridge", "b", "")};
    up(&d, &b);
    assert_true(networks_forwarding_ours(d.networks));
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    CLEAN_FD int client = lab_dial(lab.outside, "198.51.100.1", 8080);
    assert_true(client >= 0);
    CLEAN_FD int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    char id[65];
    memcpy(id, network_find(d.networks, "bridge")->id, sizeof(id));
    daemon_stop(&d);
    daemon_start(&d, &lab);
    assert_string_equal(network_find(d.networks, "bridge")->id, id);
    adopt(&d, &a);
    adopt(&d, &b);
    daemon_settle(&d);
    char got[8];
    assert_int_equal(send(client, "ping", 4, 0), 4);
    assert_int_equal(recv(accepted, got, 4, MSG_WAITALL), 4);
    assert_int_equal(send(accepted, "pong", 4, 0), 4);
    assert_int_equal(recv(client, got, 4, MSG_WAITALL), 4);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    /* the facts are there: no address twice, no port twice, the holder by name */
    struct box c = {.plan = reserve(&d, "bridge", "c", "")};
    assert_true(c.plan->address.s_addr != a.plan->address.s_addr);
    assert_true(c.plan->address.s_addr != b.plan->address.s_addr);
    struct port_request r;
    assert_ok(port_request_parse("80/tcp", "127.0.0.1", "8080", (struct in_addr){0}, NULL, &r));
    struct endpoint_request q = {.container_id = "x", .container_name = "x"};
    vec_push(&q.ports, r);
    struct endpoint_plan *none = NULL;
    struct err e = endpoint_reserve(d.networks, network_find(d.networks, "bridge"), &q, &none);
    assert_string_equal(err_msg(e), "Bind for 127.0.0.1:8080 failed: port is already allocated "
                                    "(by container a)");
    err_free(e);
    vec_done(&q.ports);
    endpoint_release(d.networks, c.plan->endpoint_id);
    endpoint_plan_free(c.plan);
    down(&d, &a);
    down(&d, &b);
    assert_int_equal(lab_elements("published"), 0);
    daemon_stop(&d);
    lab_close(&lab);
}

/* While the daemon was away one container ended, and somebody deleted an element. */
TEST(settle_mends_what_differs) {
    struct lab lab;
    lab_shared(&lab);
    struct daemon d = {0};
    daemon_start(&d, &lab);
    struct box a = {.plan = reserve(&d, "bridge", "a", "8080")};
    up(&d, &a);
    struct box b = {.plan = reserve(&d, "bridge", "b", "8081")};
    up(&d, &b);
    daemon_stop(&d);
    assert_ok(nft_load("/usr/sbin/nft",
                       STR("delete element ip corten published { tcp . 8080 }\n"
                           "add element ip corten published_at { udp . 127.0.0.1 . 53 : 172.17.0.9 "
                           ". 53 }\n")));
    daemon_start(&d, &lab);
    adopt(&d, &a);
    daemon_settle(&d); /* b is not adopted */
    assert_int_equal(lab_elements("published"), 1);
    assert_int_equal(lab_elements("published_at"), 0);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    lab_unreached(lab.outside, "198.51.100.1", 8081);
    assert_ok(nft_load("/usr/sbin/nft", STR("flush ruleset\n")));
    daemon_settle(&d);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    /* a container that is just coming up is not taken for a stray */
    struct box c = {.plan = reserve(&d, "bridge", "c", "8082")};
    box_up(&c);
    daemon_settle(&d);
    assert_int_equal(lab_elements("published"), 2);
    assert_non_null(endpoint_settle(d.networks, c.plan));
    down(&d, &c);
    down(&d, &a);
    endpoint_live_done(&b.live);
    endpoint_plan_free(b.plan);
    daemon_stop(&d);
    lab_close(&lab);
}

TEST(user_defined_network_lives_and_dies) {
    struct lab lab;
    lab_shared(&lab);
    struct daemon d = {0};
    daemon_start(&d, &lab);
    struct network_request r = {.name = "backend", .subnet = "10.77.0.0/24"};
    network_create(d.networks, &r, created, &d);
    loop_run(d.loop);
    assert_ok(d.result);
    daemon_stop(&d);
    daemon_start(&d, &lab);
    struct network *w = network_find(d.networks, "backend");
    assert_non_null(w);
    struct box a = {.plan = reserve(&d, "backend", "a", "8080")};
    up(&d, &a);
    struct box b = {.plan = reserve(&d, "bridge", "b", "8081")};
    up(&d, &b);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.outside, "198.51.100.1", 8080, server, NULL);
    lab_reach(lab.host, "10.77.0.2", 80, server, NULL);
    lab_unreached(b.live.netns_fd, "10.77.0.2", 80);
    network_remove(d.networks, w, done, &d);
    loop_run(d.loop);
    assert_int_equal(err_kind(d.result), ERR_FORBIDDEN);
    err_free(d.result);
    down(&d, &a);
    assert_int_equal(lab_links("corten-"), 1);
    network_remove(d.networks, w, done, &d);
    loop_run(d.loop);
    assert_ok(d.result);
    assert_int_equal(lab_links("corten-"), 0);
    assert_int_equal(lab_elements("bridges"), 1);
    assert_int_equal(lab_elements("subnets"), 1);
    assert_null(network_find(d.networks, "backend"));
    down(&d, &b);
    daemon_stop(&d);
    lab_close(&lab);
}

/* The pool was free when it was chosen; somebody took it before the first container came. */
TEST(subnet_moves_out_of_the_way) {
    struct lab lab;
    lab_shared(&lab);
    struct daemon d = {0};
    daemon_start(&d, &lab);
    struct network *w = network_find(d.networks, "bridge");
    assert_int_equal(w->subnet.s_addr, lab_ip("172.17.0.0").s_addr);
    CLEAN_FD int third = -1;
    assert_ok(ns_new_net(&third));
    lab_wire(third, "ext2", "ext3", "172.17.5.1", "172.17.5.2");
    struct box a = {.plan = reserve(&d, "bridge", "a", "8080")};
    assert_int_equal(w->subnet.s_addr, lab_ip("172.18.0.0").s_addr);
    assert_int_equal(a.plan->address.s_addr, lab_ip("172.18.0.2").s_addr);
    up(&d, &a);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.host, "127.0.0.1", 8080, server, NULL);
    lab_reach(third, "172.17.5.1", 8080, server, NULL);
    down(&d, &a);
    daemon_stop(&d);
    daemon_start(&d, &lab);
    assert_int_equal(network_find(d.networks, "bridge")->subnet.s_addr,
                     lab_ip("172.18.0.0").s_addr);
    daemon_stop(&d);
    lab_close(&lab);
}

static struct network_spare *spare_made(struct daemon *d) {
    struct network_spare *s = NULL;
    network_spare_order(d->networks);
    while (!(s = network_spare_take(d->networks)))
        loop_step(d->loop);
    return s;
}

/* A namespace made ahead is as good as one made by the start, and no two starts get the same. */
TEST(a_namespace_made_ahead) {
    struct lab lab;
    lab_shared(&lab);
    struct daemon d = {0};
    daemon_start(&d, &lab);
    assert_null(network_spare_take(d.networks)); /* nothing before the first start */
    struct box a = {.plan = reserve(&d, "bridge", "a", "8080")};
    a.plan->spare = spare_made(&d);
    assert_null(network_spare_take(d.networks));
    up(&d, &a);
    assert_null(a.plan->spare);
    CLEAN_FD int server = lab_serve(a.live.netns_fd, SOCK_STREAM, "0.0.0.0", 80);
    lab_reach(lab.host, "127.0.0.1", 8080, server, NULL);
    int back = -1;
    char off[4] = "";
    assert_ok(ns_enter_net(a.live.netns_fd, &back));
    CLEAN_FD int fd = open("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", O_RDONLY | O_CLOEXEC);
    assert_true(fd < 0 || read(fd, off, 2) == 2);
    ns_leave_net(back);
    assert_true(fd < 0 || off[0] == '1');
    down(&d, &a);
    CLEAN_FD int none = -1;
    assert_ok(network_none_up(spare_made(&d), &none));
    CLEAN_FD int local = lab_serve(none, SOCK_STREAM, "127.0.0.1", 80);
    lab_reach(none, "127.0.0.1", 80, local, NULL);
    network_spare_order(d.networks); /* closed while it is made, or with it ready */
    daemon_stop(&d);
    lab_close(&lab);
}
