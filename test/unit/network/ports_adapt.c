/* What a request for a port becomes on a network of one family or both, routed or not, with and
 * without corten-relay. */
#include "test.h"

#include "network/private.h"

static struct port_requests one(const char *ip, unsigned count, uint8_t proto) {
    struct port_requests v = {0};
    struct port_request r;
    assert_ok(port_request_parse("80/tcp", ip, "8080", (struct in_addr){0}, NULL, &r));
    r.count = (uint16_t)count;
    r.proto = proto;
    vec_push(&v, r);
    return v;
}

/* "4" "6" "b"(oth), "r4" "r6" for routed ones, one after the other; "!" and the error's kind. */
static const char *adapted(const struct publishing *how, const char *ip, unsigned count,
                           uint8_t proto, char text[32]) {
    struct port_requests from = one(ip, count, proto), to = {0};
    struct err e = ports_adapt(how, &from, &to);
    char *p = text;
    *p = '\0';
    if (err_failed(e))
        p = stpcpy(p, err_kind(e) == ERR_UNSUPPORTED ? "!unsupported" : "!other");
    for (size_t i = 0; i < to.n && !err_failed(e); i++) {
        const struct port_request *r = &to.items[i];
        if (r->routed) {
            assert_true(r->host_first == 0 && r->host_last == 0 && !r->both);
            *p++ = 'r';
        }
        assert_int_equal(r->count, count);
        *p++ = r->both ? 'b' : r->host_ip.six ? '6' : '4';
        *p = '\0';
    }
    err_ignore(e); /* was looked at */
    vec_done(&from);
    vec_done(&to);
    return text;
}

TEST(families_and_the_relay) {
    const struct publishing usual = {.name = "n", .four = true, .relay = true};
    const struct publishing both = {.name = "n", .four = true, .six = true, .relay = true};
    const struct publishing only6 = {.name = "n", .six = true, .relay = true};
    const struct publishing only6_bare = {.name = "n", .six = true};
    const struct publishing both_relayed = {
        .name = "n", .four = true, .six = true, .relay = true, .relayed6 = true};
    const unsigned many = NETWORK_BOUND_MAX + 1;
    static const char no[] = "!unsupported";
    const struct {
        const struct publishing *how;
        const char *ip;
        unsigned count;
        uint8_t proto;
        const char *want;
    } rows[] = {
        {&usual, "", 1, IPPROTO_TCP, "b"},
        {&usual, "0.0.0.0", 1, IPPROTO_TCP, "4"},
        {&usual, "127.0.0.1", many, IPPROTO_TCP, "4"},
        {&usual, "::1", 1, IPPROTO_TCP, "6"}, /* carried */
        {&usual, "::", 1, IPPROTO_UDP, "6"},
        /* of a long range, or sctp, only what the kernel can do; said when that address was named
         */
        {&usual, "", many, IPPROTO_TCP, "4"},
        {&usual, "", 1, IPPROTO_SCTP, "4"},
        {&usual, "::", many, IPPROTO_TCP, no},
        {&usual, "::", NETWORK_BOUND_MAX, IPPROTO_TCP, "6"},
        {&usual, "::", 1, IPPROTO_SCTP, no},
        {&both, "", 1, IPPROTO_TCP, "b"},
        {&both, "", many, IPPROTO_TCP, "b"},
        {&both, "::", many, IPPROTO_TCP, "6"},
        {&both, "::", 1, IPPROTO_SCTP, "6"},
        {&both, "::1", 1, IPPROTO_TCP, "6"}, /* never translated */
        {&both, "::1", many, IPPROTO_TCP, no},
        {&both, "::1", 1, IPPROTO_SCTP, no},
        {&both_relayed, "::", many, IPPROTO_TCP, no},
        {&both_relayed, "", many, IPPROTO_TCP, "4"},
        {&only6, "", 1, IPPROTO_TCP, "b"},
        {&only6, "0.0.0.0", 1, IPPROTO_TCP, "4"},
        {&only6, "0.0.0.0", many, IPPROTO_TCP, no},
        {&only6, "", many, IPPROTO_TCP, "6"},
        {&only6, "", 1, IPPROTO_SCTP, "6"},
        {&only6_bare, "", 1, IPPROTO_TCP, "6"},
        {&only6_bare, "10.0.0.1", 1, IPPROTO_TCP, no},
    };
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(adapted(rows[i].how, rows[i].ip, rows[i].count, rows[i].proto, text),
                            rows[i].want);
    }
}

TEST(networks_that_publish_nothing) {
    char text[32];
    const struct publishing internal = {.name = "n", .four = true, .internal = true};
    const struct publishing parent = {.name = "n", .four = true, .parent = true};
    assert_string_equal(adapted(&internal, "", 1, IPPROTO_TCP, text), "");
    assert_string_equal(adapted(&parent, "127.0.0.1", 1, IPPROTO_TCP, text), "");
}

TEST(routed_networks_take_no_port_of_the_host) {
    char text[32];
    struct publishing how = {
        .name = "n", .four = true, .six = true, .relay = true, .mode = GATEWAY_ROUTED};
    assert_string_equal(adapted(&how, "", 1, IPPROTO_TCP, text), "r46");
    assert_string_equal(adapted(&how, "0.0.0.0", 1, IPPROTO_TCP, text), "r4");
    assert_string_equal(adapted(&how, "::", 1, IPPROTO_TCP, text), "6");
    how.mode6 = GATEWAY_ROUTED;
    assert_string_equal(adapted(&how, "", NETWORK_BOUND_MAX + 1, IPPROTO_TCP, text), "r4r6");
    how.mode = GATEWAY_NAT;
    assert_string_equal(adapted(&how, "", 1, IPPROTO_TCP, text), "r64");
    struct port_requests from = one("", 1, IPPROTO_TCP), to = {0};
    from.items[0].from.n = 1;
    struct err e = ports_adapt(&how, &from, &to);
    assert_non_null(strstr(err_msg(e), "a list of sources for port 80: network n is routed"));
    assert_err(e, ERR_UNSUPPORTED);
    assert_int_equal(to.n, 0);
    vec_done(&from);
}
