/* Where an address lives, how URLs are cut, and where credentials and transfers may go. */
#include "registry/authority.h"
#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static enum address_class v4(const char *text) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
    return address_class((const struct sockaddr *)&a);
}

static enum address_class v6(const char *text) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
    return address_class((const struct sockaddr *)&a);
}

TEST(addresses_of_four_bytes) {
    static const struct {
        const char *text;
        enum address_class class;
    } rows[] = {
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.255.1.2", ADDRESS_LOOPBACK},
        {"126.255.255.255", ADDRESS_PUBLIC},
        {"128.0.0.1", ADDRESS_PUBLIC},
        {"169.254.169.254", ADDRESS_LINK_LOCAL},
        {"169.253.0.1", ADDRESS_PUBLIC},
        {"10.0.0.1", ADDRESS_PRIVATE},
        {"11.0.0.1", ADDRESS_PUBLIC},
        {"172.16.0.1", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"172.15.0.1", ADDRESS_PUBLIC},
        {"172.32.0.1", ADDRESS_PUBLIC},
        {"192.168.3.4", ADDRESS_PRIVATE},
        {"192.169.0.1", ADDRESS_PUBLIC},
        {"100.64.0.1", ADDRESS_PRIVATE},
        {"100.127.255.255", ADDRESS_PRIVATE},
        {"100.128.0.1", ADDRESS_PUBLIC},
        {"0.0.0.0", ADDRESS_PRIVATE},
        {"8.8.8.8", ADDRESS_PUBLIC},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (v4(rows[i].text) != rows[i].class)
            fail_msg("%s", rows[i].text);
}

TEST(addresses_of_sixteen_bytes) {
    assert_int_equal(v6("::1"), ADDRESS_LOOPBACK);
    assert_int_equal(v6("::"), ADDRESS_PRIVATE);
    assert_int_equal(v6("fe80::1"), ADDRESS_LINK_LOCAL);
    assert_int_equal(v6("febf::1"), ADDRESS_LINK_LOCAL);
    assert_int_equal(v6("fec0::1"), ADDRESS_PUBLIC);
    assert_int_equal(v6("fc00::1"), ADDRESS_PRIVATE);
    assert_int_equal(v6("fdff::1"), ADDRESS_PRIVATE);
    assert_int_equal(v6("2001:db8::1"), ADDRESS_PUBLIC);
    /* Four bytes in sixteen: mapped, and translated (RFC 6052). */
    assert_int_equal(v6("::ffff:127.0.0.1"), ADDRESS_LOOPBACK);
    assert_int_equal(v6("::ffff:10.1.2.3"), ADDRESS_PRIVATE);
    assert_int_equal(v6("64:ff9b::169.254.169.254"), ADDRESS_LINK_LOCAL);
    assert_int_equal(v6("64:ff9b::8.8.8.8"), ADDRESS_PUBLIC);
}

TEST(other_sockets_are_no_registry) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_int_equal(address_class((const struct sockaddr *)&a), ADDRESS_LOOPBACK);
}

static bool loopback(const char *text) {
    return authority_is_loopback(str_of(text));
}

TEST(loopback_by_name) {
    assert_true(loopback("localhost"));
    assert_true(loopback("LOCALHOST:5000"));
    assert_true(loopback("127.9.8.7:1"));
    assert_true(loopback("[::1]"));
    assert_true(loopback("[::1]:5000"));
    assert_false(loopback("localhost.example"));
    assert_false(loopback("127.0.0.1.example:5000"));
    assert_false(loopback("128.0.0.1"));
    assert_false(loopback("1270.0.0.1"));
    assert_false(loopback("127.1"));
    assert_false(loopback("[::2]:5000"));
    assert_false(loopback(""));
}

static void expect_host(const char *authority, const char *host) {
    struct str got = authority_host(str_of(authority));
    assert_true(str_eqz(got, host));
}

TEST(hosts) {
    expect_host("a.example:5000", "a.example");
    expect_host("a.example", "a.example");
    expect_host("[::1]:5000", "[::1]");
    expect_host("[fe80::1]", "[fe80::1]");
    expect_host("[broken", "[broken");
}

TEST(urls) {
    struct str scheme, authority;
    assert_true(url_split(STR("https://a.example:1/v2/?x#y"), &scheme, &authority));
    assert_true(str_eqz(scheme, "https"));
    assert_true(str_eqz(authority, "a.example:1"));
    assert_true(url_split(STR("http://a?x"), &scheme, &authority));
    assert_true(str_eqz(authority, "a"));
    assert_true(url_split(STR("http://a#x"), &scheme, &authority));
    assert_true(str_eqz(authority, "a"));
    assert_false(url_split(STR("https:///v2/"), &scheme, &authority));
    assert_false(url_split(STR("://a"), &scheme, &authority));
    assert_false(url_split(STR("a.example/v2"), &scheme, &authority));
    assert_false(url_split(STR("https://user:word@a.example/"), &scheme, &authority));
    assert_false(url_split(STR("https://a.example\\@b.example/"), &scheme, &authority));
    assert_false(url_split(STR("https://a.example/ x"), &scheme, &authority));
    assert_false(url_split(STR("https://a.example/\r\nHost: b"), &scheme, &authority));
}

static bool realm(const char *url, const char *registry, bool insecure) {
    return realm_allowed(str_of(url), str_of(registry), insecure);
}

static bool redirect(const char *url, const char *registry, bool insecure) {
    return redirect_allowed(str_of(url), str_of(registry), insecure);
}

TEST(token_servers) {
    assert_true(realm("https://auth.example/token", "r.example", false));
    assert_false(realm("http://auth.example/token", "r.example", false));
    assert_false(realm("http://r.example/token", "r.example", false));
    assert_true(realm("http://r.example:81/token", "r.example:5000", true));
    assert_false(realm("http://auth.example/token", "r.example", true));
    assert_true(realm("http://127.0.0.1:5001/token", "127.0.0.1:5000", false));
    assert_false(realm("http://127.0.0.2:5001/token", "127.0.0.1:5000", false)); /* another host */
    assert_false(realm("ftp://127.0.0.1/token", "127.0.0.1:5000", false));
    assert_false(realm("file:///etc/passwd", "127.0.0.1:5000", true));
}

TEST(redirects) {
    assert_true(redirect("https://storage.example/x", "r.example", false));
    assert_false(redirect("http://storage.example/x", "r.example", false));
    assert_true(redirect("http://127.0.0.2:9/x", "127.0.0.1:5000", false));
    assert_false(redirect("http://127.0.0.1/x", "r.example", false));
    assert_true(redirect("http://r.example:9/x", "r.example", true));
    assert_false(redirect("http://storage.example/x", "r.example", true));
    assert_false(redirect("gopher://storage.example/x", "r.example", true));
}
