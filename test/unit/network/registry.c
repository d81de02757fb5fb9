/* The registry: predefined networks, find, create, the facts of endpoints. Nothing here reaches the
 * kernel but a list of the host's routes. */
#include "test.h"

#include "base/file.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <unistd.h>

struct place {
    char dir[64];
    struct loop *loop;
    struct store *store;
    struct networks *networks;
    struct err result;
    struct network *made;
};

static void open_place(struct place *p, const struct networks_config *with) {
    if (!p->dir[0]) {
        (void)snprintf(p->dir, sizeof(p->dir), "/tmp/corten-unit-network.XXXXXX");
        assert_non_null(mkdtemp(p->dir));
    }
    p->loop = loop_new();
    assert_ok(store_open(p->dir, p->loop, &p->store));
    CLEAN_FREE
    char *run = mem_printf("%s/run", p->dir);
    struct networks_config c = with ? *with : (struct networks_config){0};
    c.run_dir = run;
    if (!c.bip)
        c.bip = "10.213.0.1/16"; /* the machine's routes have no say in these tests */
    assert_ok(networks_open(p->store, p->loop, &c, &p->networks));
}

static void close_place(struct place *p, bool for_good) {
    networks_close(p->networks);
    store_close(p->store);
    loop_free(p->loop);
    if (!for_good)
        return;
    CLEAN_FD
    int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, p->dir + strlen("/tmp/")));
}

static void made(void *arg, struct err e, struct network *w) {
    struct place *p = arg;
    p->result = e;
    p->made = w;
    loop_stop(p->loop);
}

static void gone(void *arg, struct err e) {
    made(arg, e, NULL);
}

static struct err create(struct place *p, const struct network_request *r) {
    network_create(p->networks, r, made, p);
    loop_run(p->loop);
    return p->result;
}

TEST(predefined_networks_keep_their_ids) {
    struct place p = {0};
    open_place(&p, NULL);
    char ids[3][65];
    const char *names[] = {"bridge", "host", "none"};
    const char *drivers[] = {"bridge", "host", "null"};
    size_t it = 0;
    for (int i = 0; i < 3; i++) {
        struct network *w = network_next(p.networks, &it);
        assert_string_equal(w->name, names[i]);
        assert_string_equal(network_driver_name(w->driver), drivers[i]);
        memcpy(ids[i], w->id, 65);
    }
    assert_null(network_next(p.networks, &it));
    close_place(&p, false);
    open_place(&p, NULL);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(network_find(p.networks, names[i])->id, ids[i]);
        assert_ptr_equal(network_find(p.networks, ids[i]), network_find(p.networks, names[i]));
        char prefix[13] = {0};
        memcpy(prefix, ids[i], 12);
        assert_ptr_equal(network_find(p.networks, prefix), network_find(p.networks, names[i]));
    }
    struct network *w = NULL;
    assert_err(network_get(p.networks, "nope", &w), ERR_NOT_FOUND);
    assert_err(network_get(p.networks, "", &w), ERR_NOT_FOUND);
    network_remove(p.networks, network_find(p.networks, "host"), gone, &p);
    loop_run(p.loop);
    assert_err(p.result, ERR_FORBIDDEN);
    close_place(&p, true);
}

TEST(instances_have_their_own_names) {
    struct place p = {0};
    open_place(&p,
               &(struct networks_config){.instance = "1a2b", .bip = "10.9.0.5/24", .mtu = 1400});
    struct network *w = network_find(p.networks, "bridge");
    assert_string_equal(w->bridge, "corten-1a2b");
    assert_string_equal(p.networks->table, "corten-1a2b");
    assert_int_equal(w->mtu, 1400);
    assert_int_equal(ntohl(w->gateway.s_addr), 0x0a090005);
    assert_int_equal(ntohl(w->subnet.s_addr), 0x0a090000);
    close_place(&p, true);
}

TEST(user_networks_survive_a_restart) {
    struct place p = {0};
    open_place(&p, NULL);
    struct arena a = {0};
    struct network_request r = {.name = "back",
                                .subnet = "10.77.0.0/24",
                                .gateway = "10.77.0.9",
                                .ip_range = "10.77.0.128/25",
                                .internal = true};
    strmap_set(&r.labels, &a, "tier", "db");
    strmap_set(&r.options, &a, "com.docker.network.bridge.enable_icc", "false");
    strmap_set(&r.options, &a, "com.docker.network.driver.mtu", "1280");
    assert_ok(create(&p, &r));
    arena_done(&a);
    close_place(&p, false);
    open_place(&p, NULL);
    struct network *w = network_find(p.networks, "back");
    assert_non_null(w);
    assert_true(w->internal && !w->icc && w->masquerade && !w->predefined);
    assert_int_equal(w->mtu, 1280);
    assert_int_equal(ntohl(w->gateway.s_addr), 0x0a4d0009);
    assert_string_equal(strmap_get(&w->labels, "tier"), "db");
    struct endpoint_request q = {.container_id = "c1", .container_name = "one"};
    struct endpoint_plan *plan = NULL;
    assert_ok(endpoint_reserve(p.networks, w, &q, &plan));
    assert_int_equal(ntohl(plan->address.s_addr), 0x0a4d0080);
    endpoint_plan_free(plan);
    close_place(&p, true);
}

TEST(bad_networks_are_refused) {
    struct place p = {0};
    open_place(&p, NULL);
    struct arena a = {0};
    struct network_request r = {.name = "a/b"};
    assert_err(create(&p, &r), ERR_INVALID);
    r.name = "bridge";
    assert_err(create(&p, &r), ERR_FORBIDDEN);
    r = (struct network_request){.name = "x", .driver = "overlay"};
    assert_err(create(&p, &r), ERR_UNSUPPORTED);
    r = (struct network_request){.name = "x", .subnet = "10.213.4.0/24"};
    assert_err(create(&p, &r), ERR_FORBIDDEN); /* overlaps with bridge */
    r = (struct network_request){.name = "x", .gateway = "10.1.0.1"};
    assert_err(create(&p, &r), ERR_INVALID);
    r = (struct network_request){.name = "x", .subnet = "10.1.0.0/24", .gateway = "10.2.0.1"};
    assert_err(create(&p, &r), ERR_INVALID);
    r = (struct network_request){.name = "x", .subnet = "10.1.0.0/24", .ip_range = "10.1.0.0/16"};
    assert_err(create(&p, &r), ERR_INVALID);
    r = (struct network_request){.name = "x", .subnet = "10.1.0.0/24"};
    strmap_set(&r.options, &a, "com.example.unknown", "1");
    assert_err(create(&p, &r), ERR_UNSUPPORTED);
    r.options = (struct strmap){0};
    assert_ok(create(&p, &r));
    assert_err(create(&p, &r), ERR_CONFLICT);
    arena_done(&a);
    close_place(&p, true);
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

static struct err reserve(struct place *p, const char *container, const char *host_ip,
                          const char *port, struct endpoint_plan **ret) {
    struct port_request r;
    assert_ok(port_request_parse("80/tcp", host_ip, port, (struct in_addr){0}, NULL, &r));
    struct endpoint_request q = {.container_id = container, .container_name = container};
    vec_push(&q.ports, r);
    struct err e = endpoint_reserve(p->networks, network_find(p->networks, "bridge"), &q, ret);
    vec_done(&q.ports);
    return e;
}

static void count(void *arg, const void *event) {
    const struct network_event *e = event;
    char *log = arg;
    strncat(log, e->action, 64);
    strncat(log, e->container_id ? e->container_id : "-", 8);
}

TEST(ports_are_held_from_reserve_to_release) {
    struct place p = {0};
    open_place(&p, NULL);
    char log[256] = "";
    struct bus_sub sub = {0};
    bus_subscribe(networks_bus(p.networks), &sub, count, log);
    struct endpoint_plan *a = NULL, *b = NULL;
    assert_ok(reserve(&p, "a", "127.0.0.1", "8080", &a));
    assert_ok(reserve(&p, "b", "127.0.0.2", "8080", &b));
    endpoint_release(p.networks, b->endpoint_id);
    b = endpoint_plan_free(b);
    struct err e = reserve(&p, "b", "", "8080", &b);
    assert_string_equal(err_msg(e),
                        "Bind for 0.0.0.0:8080 failed: port is already allocated (by container a)");
    err_free(e);
    endpoint_renamed(p.networks, "a", "web");
    e = reserve(&p, "b", "127.0.0.1", "8080", &b);
    assert_non_null(strstr(err_msg(e), "(by container web)"));
    err_free(e);
    assert_err(reserve(&p, "a", "", "8081", &b), ERR_FORBIDDEN); /* connected already */
    vec_push(&a->ports, (struct port_mapping){.proto = IPPROTO_TCP,
                                              .container_port = 80,
                                              .host_ip = a->requests.items[0].host_ip,
                                              .host_port = 8080,
                                              .count = 1});
    assert_non_null(endpoint_settle(p.networks, a));
    assert_int_equal(network_find(p.networks, "bridge")->endpoints_n, 1);
    assert_ptr_equal(endpoint_of(network_find(p.networks, "bridge"), "a"),
                     endpoint_find(p.networks, a->endpoint_id));
    endpoint_release(p.networks, a->endpoint_id);
    endpoint_release(p.networks, a->endpoint_id);
    assert_ok(reserve(&p, "b", "", "8080", &b));
    assert_string_equal(log, "connectadisconnecta");
    assert_true(a->address.s_addr != b->address.s_addr);
    endpoint_plan_free(a);
    endpoint_plan_free(b);
    bus_unsubscribe(&sub);
    close_place(&p, true);
}

TEST(random_port_of_one_is_taken_for_another) {
    struct place p = {0};
    open_place(&p, NULL);
    struct endpoint_plan *a = NULL, *b = NULL;
    assert_ok(reserve(&p, "a", "", "", &a));
    vec_push(&a->ports,
             (struct port_mapping){
                 .proto = IPPROTO_TCP, .container_port = 80, .host_port = 40000, .count = 1});
    assert_non_null(endpoint_settle(p.networks, a));
    assert_err(reserve(&p, "b", "10.0.0.1", "40000", &b), ERR_SYSTEM);
    endpoint_release(p.networks, a->endpoint_id);
    assert_ok(reserve(&p, "b", "10.0.0.1", "40000", &b));
    endpoint_plan_free(a);
    endpoint_plan_free(b);
    close_place(&p, true);
}

TEST(adopted_endpoints_are_facts) {
    struct place p = {0};
    open_place(&p, NULL);
    struct endpoint_plan *a = NULL, *b = NULL;
    assert_ok(reserve(&p, "a", "", "8080", &a));
    vec_push(&a->ports,
             (struct port_mapping){
                 .proto = IPPROTO_TCP, .container_port = 80, .host_port = 8080, .count = 1});
    close_place(&p, false);
    open_place(&p, NULL);
    assert_ok(endpoint_adopt(p.networks, a));
    assert_err(endpoint_adopt(p.networks, a), ERR_CONFLICT);
    assert_err(reserve(&p, "b", "", "8080", &b), ERR_SYSTEM);
    assert_ok(reserve(&p, "b", "", "8081", &b));
    assert_true(ntohl(b->address.s_addr) == ntohl(a->address.s_addr) + 1);
    memset(a->network_id, 'f', 64);
    assert_err(endpoint_adopt(p.networks, a), ERR_NOT_FOUND);
    endpoint_plan_free(a);
    endpoint_plan_free(b);
    close_place(&p, true);
}

TEST(fixed_addresses_are_for_user_networks) {
    struct place p = {0};
    open_place(&p, NULL);
    struct network_request r = {.name = "back", .subnet = "10.77.0.0/24"};
    assert_ok(create(&p, &r));
    struct network *w = network_find(p.networks, "back");
    struct endpoint_request q = {
        .container_id = "a", .container_name = "a", .ip = "10.77.0.50", .mac = "02:00:00:00:00:07"};
    struct endpoint_plan *plan = NULL;
    assert_err(endpoint_reserve(p.networks, network_find(p.networks, "bridge"), &q, &plan),
               ERR_INVALID);
    assert_ok(endpoint_reserve(p.networks, w, &q, &plan));
    assert_int_equal(plan->mac[5], 7);
    endpoint_plan_free(plan);
    q.container_id = "b";
    assert_err(endpoint_reserve(p.networks, w, &q, &plan), ERR_CONFLICT);
    q.ip = "10.78.0.1";
    assert_err(endpoint_reserve(p.networks, w, &q, &plan), ERR_INVALID);
    q.ip = "10.77.0.255";
    assert_err(endpoint_reserve(p.networks, w, &q, &plan), ERR_INVALID);
    assert_err(endpoint_reserve(p.networks, network_find(p.networks, "none"), &q, &plan),
               ERR_INVALID);
    close_place(&p, true);
}
