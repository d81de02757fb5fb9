/* DNS messages and names. What we write is read by ldns, which knows nothing of us. */
#include "test.h"

#include "base/file.h"
#include "network/dns_cache.h"
#include "network/dns_forward.h"
#include "network/dns_names.h"
#include "network/names.h"
#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdlib.h>

static struct str ask(uint8_t *out, const char *name, uint16_t type, bool edns) {
    memset(out, 0, DNS_HEADER);
    out[0] = 0x12, out[1] = 0x34, out[2] = 1, out[5] = 1;
    size_t n = DNS_HEADER + dns_name_write(name, out + DNS_HEADER);
    out[n] = (uint8_t)(type >> 8), out[n + 1] = (uint8_t)type;
    out[n + 2] = 0, out[n + 3] = 1;
    n += 4;
    if (edns) {
        static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0};
        memcpy(out + n, opt, sizeof(opt));
        out[11] = 1;
        n += sizeof(opt);
    }
    return str_n(out, n);
}

static void put(struct dns_names *n, const char *id, const char *name, const char *net,
                const char *address, const char *more) {
    CLEAN_FREE char *text = mem_printf(
        "{\"id\":\"%s00000000\",\"name\":\"%s\",\"live\":true%s,\"places\":[{\"network\":\"%s\","
        "\"name\":\"%s\",\"shared\":true,\"address\":\"%s\",\"subnet\":\"10.1.0.0/24\"}]}",
        id, name, more, net, net, address);
    assert_ok(dns_names_put(n, str_of(text)));
}

/* "code data data …" of what `asker` is answered, or the verdict. */
static char *answer(struct dns_names *n, const char *asker, const char *name, uint16_t type,
                    bool edns) {
    uint8_t question[600], out[DNS_UDP_MAX];
    struct dns_query q;
    struct dns_answer a;
    unsigned rcode = 0;
    assert_int_equal(dns_query_read(ask(question, name, type, edns), &q), DNS_NOERROR);
    dns_answer_begin(&a, out, q.udp_size, &q);
    enum dns_verdict v = dns_names_answer(n, asker, &q, &a, &rcode);
    if (v != DNS_HERE)
        return mem_strdup(v == DNS_FORWARD ? "forward" : "closed");
    size_t len = dns_answer_end(&a, rcode, true);
    ldns_pkt *p = NULL;
    assert_int_equal(ldns_wire2pkt(&p, out, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(p), 0x1234);
    assert_true(ldns_pkt_qr(p) && ldns_pkt_aa(p) && ldns_pkt_rd(p) && ldns_pkt_ra(p));
    assert_int_equal(ldns_pkt_edns(p), edns);
    CLEAN_BUF struct buf text = {0};
    buf_addf(&text, "%d%s", ldns_pkt_get_rcode(p), ldns_pkt_tc(p) ? " cut" : "");
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(p)); i++) {
        ldns_rr *r = ldns_rr_list_rr(ldns_pkt_answer(p), i);
        for (size_t k = 0; k < ldns_rr_rd_count(r); k++) {
            char *z = ldns_rdf2str(ldns_rr_rdf(r, k));
            buf_addf(&text, " %s", z);
            free(z);
        }
    }
    ldns_pkt_free(p);
    return buf_take(&text);
}

static void expect(struct dns_names *n, const char *asker, const char *name, uint16_t type,
                   const char *want) {
    for (int edns = 0; edns < 2; edns++) {
        CLEAN_FREE char *got = answer(n, asker, name, type, edns);
        assert_string_equal(got, want);
    }
}

TEST(ranges_of_ports) {
    struct dns_names *n = dns_names_new();
    put(n, "aaaa", "web", "one", "10.1.0.2", ",\"ports\":[\"7-9/udp\",\"53\",\"9-x/tcp\"]");
    put(n, "bbbb", "wide", "one", "10.1.0.3", ",\"ports\":[\"20000-39999/udp\"]");
    expect(n, "bbbb00000000", "web", DNS_SRV,
           "0 0 0 7 web.one. 0 0 8 web.one. 0 0 9 web.one. 0 0 53 web.one.");
    expect(n, "bbbb00000000", "_8._udp.web", DNS_SRV, "0 0 0 8 web.one.");
    expect(n, "bbbb00000000", "_8._tcp.web", DNS_SRV, "0");
    expect(n, "bbbb00000000", "_10._udp.web", DNS_SRV, "0");
    expect(n, "aaaa00000000", "_39999._udp.wide", DNS_SRV, "0 0 0 39999 wide.one.");
    CLEAN_FREE char *all = answer(n, "aaaa00000000", "wide", DNS_SRV, false);
    assert_true(!strncmp(all, "0 cut ", 6));
    dns_names_free(n);
}

TEST(many_ports_become_ranges) {
    CLEAN_ARENA struct arena a = {0};
    struct strs few = {0}, many = {0};
    strs_add(&few, &a, "80");
    strs_add(&few, &a, "81/tcp");
    assert_int_equal(names_ports(&few, &a).n, 2);
    strs_add(&many, &a, "65535/udp");
    for (unsigned i = 39999; i >= 20000; i--) {
        strs_add(&many, &a, arena_printf(&a, "%u/tcp", i));
        strs_add(&many, &a, arena_printf(&a, "%u/udp", i));
    }
    strs_add(&many, &a, "53");
    strs_add(&many, &a, "40001");
    struct strs got = names_ports(&many, &a);
    static const char *const want[] = {"53/tcp", "20000-39999/tcp", "40001/tcp", "20000-39999/udp",
                                       "65535/udp"};
    assert_int_equal(got.n, ARRAY_LEN(want));
    for (size_t i = 0; i < got.n; i++)
        assert_string_equal(got.items[i], want[i]);
}

TEST(names_of_containers) {
    struct dns_names *n = dns_names_new();
    put(n, "aaaa", "web", "one", "10.1.0.2",
        ",\"ports\":[\"80/tcp\",\"53/udp\"],\"labels\":{\"tier\":\"front\"}");
    put(n, "bbbb", "db", "one", "10.1.0.3", "");
    put(n, "cccc", "far", "two", "10.2.0.2", "");
    expect(n, "aaaa00000000", "DB", DNS_A, "0 10.1.0.3");
    expect(n, "aaaa00000000", "db.One", DNS_A, "0 10.1.0.3");
    expect(n, "aaaa00000000", "bbbb00000000", DNS_A, "0 10.1.0.3");
    expect(n, "aaaa00000000", "db", DNS_AAAA, "0");
    expect(n, "bbbb00000000", "web", DNS_SRV, "0 0 0 80 web.one. 0 0 53 web.one.");
    expect(n, "bbbb00000000", "_53._udp.web", DNS_SRV, "0 0 0 53 web.one.");
    expect(n, "bbbb00000000", "_53._tcp.web", DNS_SRV, "0");
    expect(n, "bbbb00000000", "web", DNS_TXT, "0 \"tier=front\"");
    expect(n, "aaaa00000000", "3.0.1.10.in-addr.arpa", DNS_PTR, "0 db.one.");
    expect(n, "aaaa00000000", "9.0.1.10.in-addr.arpa", DNS_PTR, "3");
    expect(n, "aaaa00000000", "9.9.9.9.in-addr.arpa", DNS_PTR, "forward");
    expect(n, "aaaa00000000", "example.org", DNS_A, "forward");
    expect(n, "aaaa00000000", "far", DNS_A, "3"); /* a name of ours, but not for this one */
    expect(n, "nobody000000", "db", DNS_A, "closed");
    dns_names_drop(n, "bbbb00000000");
    expect(n, "aaaa00000000", "db", DNS_A, "forward");
    dns_names_free(n);
}

TEST(several_addresses_take_turns_and_are_cut) {
    struct dns_names *n = dns_names_new();
    put(n, "ffff", "asker", "one", "10.1.0.200", "");
    for (unsigned i = 1; i <= 100; i++) {
        CLEAN_FREE char *id = mem_printf("%04x", i);
        CLEAN_FREE char *address = mem_printf("10.1.0.%u", i);
        put(n, id, "many", "one", address, "");
    }
    CLEAN_FREE char *first = answer(n, "ffff00000000", "many", DNS_A, true);
    CLEAN_FREE char *second = answer(n, "ffff00000000", "many", DNS_A, true);
    assert_non_null(strstr(first, "0 cut 10.1.0."));
    assert_string_not_equal(first, second);
    dns_names_begin(n);
    put(n, "ffff", "asker", "one", "10.1.0.200", "");
    dns_names_end(n);
    expect(n, "ffff00000000", "many", DNS_A, "forward");
    dns_names_free(n);
}

TEST(bad_questions) {
    uint8_t m[600];
    struct dns_query q;
    struct str good = ask(m, "web", DNS_A, true);
    assert_int_equal(dns_query_read(good, &q), DNS_NOERROR);
    assert_int_equal(q.udp_size, 1232);
    for (size_t len = 0; len < DNS_HEADER; len++)
        assert_int_equal(dns_query_read(str_sub(good, 0, len), &q), -1);
    for (size_t len = DNS_HEADER; len < good.len; len++)
        assert_int_equal(dns_query_read(str_sub(good, 0, len), &q), DNS_FORMERR);
    m[2] |= 0x80; /* an answer */
    assert_int_equal(dns_query_read(good, &q), -1);
    m[2] = 0x10; /* another operation */
    assert_int_equal(dns_query_read(good, &q), DNS_NOTIMP);
    m[2] = 1;
    m[DNS_HEADER] = 0xc0; /* a pointer in a question */
    assert_int_equal(dns_query_read(good, &q), DNS_FORMERR);
    good = ask(m, "a b", DNS_A, false);
    assert_int_equal(dns_query_read(good, &q), DNS_NOERROR);
    assert_true(q.odd);
}

/* An answer to "a" with one record. */
static bool good(const uint8_t *record, size_t n) {
    uint8_t m[64] = {0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    struct dns_look look;
    memcpy(m + 19, record, n);
    return dns_answer_look(str_n(m, 19 + n), str_n(m + 12, 7), &look);
}

TEST(foreign_records_that_are_none) {
    static const uint8_t right[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
    uint8_t r[sizeof(right)];
    assert_true(good(right, sizeof(right)));
    memcpy(r, right, sizeof(r));
    r[1] = 19; /* points to itself */
    assert_false(good(r, sizeof(r)));
    r[1] = 30; /* forward */
    assert_false(good(r, sizeof(r)));
    r[1] = 4; /* into the header */
    assert_false(good(r, sizeof(r)));
    memcpy(r, right, sizeof(r));
    r[11] = 3; /* an address of three bytes */
    assert_false(good(r, sizeof(r) - 1));
    memcpy(r, right, sizeof(r));
    r[3] = DNS_CNAME; /* a name of labels that are too long */
    assert_false(good(r, sizeof(r)));
    r[12] = 2, r[15] = 0;
    assert_true(good(r, sizeof(r)));
}

TEST(foreign_answers_are_kept_and_age) {
    uint8_t m[600], out[UINT16_MAX];
    struct str question = str_from(ask(m, "web", DNS_A, false), DNS_HEADER);
    uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4};
    size_t len = DNS_HEADER + question.len;
    memcpy(m + len, record, sizeof(record));
    len += sizeof(record);
    m[2] = 0x81, m[3] = 0x80, m[7] = 1;
    struct dns_look look;
    assert_true(dns_answer_look(str_n(m, len), question, &look));
    assert_int_equal(look.ttl, 60);
    assert_false(dns_answer_look(str_n(m, len - 1), question, &look));
    assert_false(dns_answer_look(str_n(m, len), STR("\3wet\0\0\1\0\1"), &look));
    assert_true(dns_answer_look(str_n(m, len), STR("\3WEB\0\0\1\0\1"), &look));
    struct dns_cache *c = dns_cache_new();
    dns_cache_put(c, STR("k"), str_n(m, len), &look, 100);
    assert_int_equal(dns_cache_get(c, STR("k"), 145, out), len);
    assert_int_equal(out[len - 7], 15); /* seconds left */
    assert_int_equal(dns_cache_get(c, STR("k"), 160, out), 0);
    dns_cache_free(c);
}
