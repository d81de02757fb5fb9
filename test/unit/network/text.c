/* Everything in network/ that is text: ports, subnets, addresses, MACs, records, files. */
#include "test.h"

#include "base/path.h"
#include "network/private.h"
#include <arpa/inet.h>

static const struct in_addr any = {0};

static struct in_addr ip(const char *text) {
    struct in_addr a = {0};
    assert_ok(address_parse(text, &a));
    return a;
}

TEST(port_names) {
    uint8_t proto = 0;
    uint16_t port = 0;
    assert_ok(port_parse(STR("80"), &proto, &port));
    assert_int_equal(proto, IPPROTO_TCP);
    assert_int_equal(port, 80);
    assert_ok(port_parse(STR("53/UDP"), &proto, &port));
    assert_int_equal(proto, IPPROTO_UDP);
    assert_ok(port_parse(STR("80/sctp"), &proto, &port));
    assert_int_equal(proto, IPPROTO_SCTP);
    static const char *const bad[] = {"", "0", "65536", "-1", "80x", "80/x", "/tcp", "8 0", "+80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(port_parse(str_of(bad[i]), &proto, &port), ERR_INVALID);
    assert_int_equal(port, 80);
}

TEST(port_requests) {
    struct port_request r;
    assert_ok(port_request_parse("80/tcp", "", "8080", any, NULL, &r));
    assert_int_equal(r.host_first, 8080);
    assert_int_equal(r.host_last, 8080);
    assert_ok(port_request_parse("80", NULL, NULL, ip("10.0.0.1"), NULL, &r));
    assert_int_equal(r.host_first, 0);
    assert_int_equal(r.host_ip.four.s_addr, ip("10.0.0.1").s_addr);
    assert_false(r.both);
    assert_ok(port_request_parse("80", "127.0.0.1", "0", any, NULL, &r));
    assert_int_equal(r.host_first, 0);
    assert_ok(port_request_parse("80", "", "8000-8010", any, NULL, &r));
    assert_int_equal(r.host_first, 8000);
    assert_int_equal(r.host_last, 8010);
    assert_err(port_request_parse("80", "", "8010-8000", any, NULL, &r), ERR_INVALID);
    assert_err(port_request_parse("80", "", "0-5", any, NULL, &r), ERR_INVALID);
    assert_err(port_request_parse("80", "", "70000", any, NULL, &r), ERR_INVALID);
    assert_err(port_request_parse("80", "1.2.3", "80", any, NULL, &r), ERR_INVALID);
    assert_ok(port_request_parse("80", "::", "80", any, NULL, &r));
    assert_true(r.host_ip.six && host_address_any(&r.host_ip) && !r.both);
    assert_ok(port_request_parse("80", "::ffff:10.0.0.1", "80", any, NULL, &r));
    assert_false(r.host_ip.six);
    assert_err(port_request_parse("80", "fe80::1", "80", any, NULL, &r), ERR_UNSUPPORTED);
}

TEST(subnets) {
    struct subnet s;
    uint32_t address = 0;
    assert_ok(subnet_parse("10.1.0.0/16", &s, NULL));
    assert_int_equal(s.base, 0x0a010000);
    assert_true(subnet_has(s, 0x0a01ffff));
    assert_false(subnet_has(s, 0x0a020000));
    assert_err(subnet_parse("10.1.0.1/16", &s, NULL), ERR_INVALID);
    assert_ok(subnet_parse("10.1.0.1/16", &s, &address));
    assert_int_equal(address, 0x0a010001);
    static const char *const bad[] = {
        "",          "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/31",
        "0.0.0.0/0", "10.0.0/8", "x/8",       "10.0.0.0/8/8"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(subnet_parse(bad[i], &s, NULL), ERR_INVALID);
    struct subnet small = {0x0a01ff00, 24}, other = {0x0a020000, 16}, big = {0x0a000000, 8};
    assert_true(subnet_overlap(s, small) && subnet_overlap(small, s));
    assert_true(subnet_overlap(s, big) && subnet_overlap(big, s));
    assert_false(subnet_overlap(s, other));
}

TEST(pools_of_the_configuration) {
    struct subnet_sources own = {0};
    struct subnets taken = {0};
    struct subnet s;
    assert_ok(subnet_sources_parse(NULL, &own));
    assert_ok(subnet_sources_parse("[\"base=10.9.0.0/23,size=24\"]", &own));
    assert_ok(subnet_sources_parse("[{\"base\":\"10.8.0.0/16\",\"size\":20}]", &own));
    const uint32_t want[] = {0x0a090000, 0x0a090100, 0x0a080000, 0x0a081000};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(subnet_choose(&own, &taken, &s));
        assert_int_equal(s.base, want[i]);
        vec_push(&taken, s);
    }
    static const char *const bad[] = {"{}",
                                      "[5]",
                                      "[\"base=10.0.0.0/8\"]",
                                      "[\"size=24\"]",
                                      "[\"base=10.0.0.0/8,size=4\"]",
                                      "[\"base=fd00::/8,size=64\"]",
                                      "[{\"base\":\"10.0.0.0/8\"}]",
                                      "[\"base=10.0.0.0/8,x=1\"]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = subnet_sources_parse(bad[i], &own);
        assert_true(err_failed(e));
        err_free(e);
    }
    vec_done(&taken);
    vec_done(&own);
}

TEST(first_free_pool_is_chosen) {
    const struct subnet_sources none = {0};
    struct subnets taken = {0};
    struct subnet s;
    assert_true(subnet_choose(&none, &taken, &s));
    assert_int_equal(s.base, 0xac110000);
    assert_int_equal(s.prefix, 16);
    vec_push(&taken, (struct subnet){0xac110500, 24});
    vec_push(&taken, (struct subnet){0xac120000, 15});
    assert_true(subnet_choose(&none, &taken, &s));
    assert_int_equal(s.base, 0xac140000);
    vec_push(&taken, (struct subnet){0xac100000, 12});
    assert_true(subnet_choose(&none, &taken, &s));
    assert_int_equal(s.base, 0xc0a80000);
    assert_int_equal(s.prefix, 20);
    vec_push(&taken, (struct subnet){0xc0a80000, 16});
    assert_false(subnet_choose(&none, &taken, &s));
    vec_done(&taken);
}

TEST(addresses_rotate) {
    struct subnet s = {0x0a000000, 29}; /* .1 to .6 */
    struct network_pool *p = pool_new(s, s);
    uint32_t a = 0;
    assert_ok(pool_take_fixed(p, 0x0a000001, "gateway"));
    assert_ok(pool_take(p, "a", &a));
    assert_int_equal(a, 0x0a000002);
    pool_give(p, a);
    assert_ok(pool_take(p, "b", &a)); /* not the one that has just been given back */
    assert_int_equal(a, 0x0a000003);
    for (int i = 0; i < 3; i++)
        assert_ok(pool_take(p, "c", &a));
    assert_int_equal(a, 0x0a000006);
    assert_ok(pool_take(p, "d", &a)); /* once around */
    assert_int_equal(a, 0x0a000002);
    assert_err(pool_take(p, "e", &a), ERR_SYSTEM);
    assert_err(pool_take_fixed(p, 0x0a000004, "f"), ERR_CONFLICT);
    pool_give(p, 0x0a000004);
    assert_ok(pool_take(p, "g", &a));
    assert_int_equal(a, 0x0a000004);
    pool_free(p);
}

TEST(mac_addresses) {
    uint8_t mac[6];
    char text[18];
    assert_ok(mac_parse("02:42:aC:11:00:02", mac));
    assert_string_equal(mac_format(mac, text), "02:42:ac:11:00:02");
    static const char *const bad[] = {"",
                                      "02:42:ac:11:00",
                                      "02:42:ac:11:00:0g",
                                      "02-42-ac-11-00-02",
                                      "01:42:ac:11:00:02",
                                      " 2:42:ac:11:00:02",
                                      "02:42:ac:11:00:022"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(mac_parse(bad[i], mac), ERR_INVALID);
}

TEST(record_of_an_endpoint) {
    struct endpoint_plan *p = NEW(struct endpoint_plan), *q = NULL;
    memset(p->endpoint_id, 'a', 64);
    memset(p->container_id, 'b', 64);
    memset(p->network_id, 'c', 64);
    p->container_name = mem_strdup("we\"b");
    p->address = ip("172.17.0.2");
    p->gateway = ip("172.17.0.1");
    p->subnet = ip("172.17.0.0");
    p->prefix = 16;
    p->mtu = 1400;
    p->mac[0] = 2;
    p->icc = p->masquerade = true;
    memcpy(p->bridge, "corten0", 8);
    memcpy(p->host_if, "vethaaaaaaaa", 13);
    memcpy(p->table, "corten", 7);
    p->nft_program = mem_strdup("/usr/sbin/nft");
    p->run_dir = mem_strdup("/run/x");
    vec_push(&p->ports, (struct port_mapping){.proto = IPPROTO_UDP,
                                              .container_port = 53,
                                              .host_ip.four = ip("127.0.0.1"),
                                              .host_port = 5300,
                                              .count = 1});
    CLEAN_BUF struct buf text = {0}, again = {0};
    endpoint_encode(p, &text);
    assert_ok(endpoint_decode(buf_str(&text), &q));
    endpoint_encode(q, &again);
    assert_string_equal(buf_cstr(&text), buf_cstr(&again));
    assert_string_equal(q->container_name, "we\"b");
    assert_int_equal(q->ports.items[0].host_port, 5300);
    assert_true(q->icc && q->masquerade && !q->internal);
    endpoint_plan_free(q);
    endpoint_plan_free(p);
    /* every byte that is missing at the end, and every field that is wrong, is noticed */
    for (size_t n = 0; n < text.len; n++)
        assert_err(endpoint_decode(str_n(text.data, n), &q), ERR_INVALID);
    assert_err(endpoint_decode(STR("{}"), &q), ERR_INVALID);
    for (char *c = strchr(text.data, '1'); c; c = strchr(c + 1, '1')) {
        *c = 'x';
        struct err e = endpoint_decode(buf_str(&text), &q);
        if (!err_failed(e))
            endpoint_plan_free(q);
        err_free(e);
        *c = '1';
    }
}

/* --- files -------------------------------------------------------------------------------------
 */

#define LIST(arena, ...) list(arena, (const char *const[]){__VA_ARGS__, NULL})

static struct strs list(struct arena *a, const char *const *items) {
    struct strs out = {.present = true};
    for (; *items; items++)
        strs_add(&out, a, *items);
    return out;
}

static void expect(void (*fn)(const struct network_files *f, struct buf *out),
                   const struct network_files *f, const char *want) {
    CLEAN_BUF struct buf out = {0};
    fn(f, &out);
    assert_string_equal(buf_cstr(&out), want);
}

static void hosts(const struct network_files *f, struct buf *out) {
    assert_ok(network_hosts(f, out));
}

#define STANDARD                                                                               \
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n" \
    "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"

TEST(hosts_file) {
    struct network_files f = {.hostname = "web", .driver = NETWORK_BRIDGE};
    expect(hosts, &f, STANDARD);
    struct in_addr addresses[] = {ip("172.17.0.2"), ip("10.5.0.3")};
    f.addresses = addresses;
    f.addresses_n = 1;
    f.gateway = ip("172.17.0.1");
    expect(hosts, &f, STANDARD "172.17.0.2\tweb\n");
    f.domainname = "example.org";
    CLEAN_ARENA struct arena arena = {0};
    f.extra_hosts = LIST(&arena, "a:10.0.0.1", "b:host-gateway", "c:::1", "d=[fd00::1]");
    expect(hosts, &f,
           STANDARD "10.0.0.1\ta\n172.17.0.1\tb\n::1\tc\nfd00::1\td\n"
                    "172.17.0.2\tweb.example.org web\n");
    f.extra_hosts.n = 0;
    f.addresses_n = 2; /* a line for each network */
    expect(hosts, &f, STANDARD "172.17.0.2\tweb.example.org web\n10.5.0.3\tweb.example.org web\n");
    struct network_files h = {
        .hostname = "box", .driver = NETWORK_HOST, .host_hosts = "127.0.0.1 localhost\n10.1.1.1 x"};
    expect(hosts, &h, "127.0.0.1 localhost\n10.1.1.1 x\n");
    expect(network_hostname, &h, "box\n");
}

TEST(extra_hosts_are_checked) {
    assert_ok(network_extra_host_check("a:1.2.3.4"));
    assert_ok(network_extra_host_check("a:fd00::1"));
    assert_ok(network_extra_host_check("a:[fd00::1]"));
    assert_ok(network_extra_host_check("a=host-gateway"));
    static const char *const bad[] = {"",    "a",           "a:",           ":1.2.3.4",  "a:1.2.3",
                                      "a:x", "a b:1.2.3.4", "a\nb:1.2.3.4", "a#:1.2.3.4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(network_extra_host_check(bad[i]), ERR_INVALID);
}

TEST(resolv_conf) {
    struct network_files f = {
        .driver = NETWORK_BRIDGE,
        .host_resolv = "# comment\nsearch lan\nnameserver 127.0.0.53\nnameserver 10.0.0.1\n"
                       "options edns0\n"};
    expect(network_resolv, &f, "search lan\nnameserver 10.0.0.1\noptions edns0\n");
    f.driver = NETWORK_HOST;
    expect(network_resolv, &f, f.host_resolv);
    f.driver = NETWORK_BRIDGE;
    CLEAN_ARENA struct arena arena = {0};
    f.dns = LIST(&arena, "9.9.9.9");
    expect(network_resolv, &f, "search lan\noptions edns0\nnameserver 9.9.9.9\n");
    f.dns_search = LIST(&arena, "a.org", "b.org");
    f.dns_options = LIST(&arena, "ndots:2");
    expect(network_resolv, &f, "search a.org b.org\nnameserver 9.9.9.9\noptions ndots:2\n");
    f.dns_search = LIST(&arena, ".");
    expect(network_resolv, &f, "nameserver 9.9.9.9\noptions ndots:2\n");
    /* nothing but a loopback server: we invent none */
    struct network_files lo = {.driver = NETWORK_BRIDGE, .host_resolv = "nameserver 127.0.0.1\n"};
    expect(network_resolv, &lo, "nameserver 127.0.0.1\n");
    struct network_files none = {.driver = NETWORK_BRIDGE};
    expect(network_resolv, &none, "");
}
