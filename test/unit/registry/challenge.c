/* WWW-Authenticate, and where credentials and transfers may go. */
#include "registry/challenge.h"
#include "base/buf.h"
#include "registry/authority.h"
#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct challenge parse(struct arena *a, const char *text) {
    struct challenge c = {0};
    assert_ok(challenge_parse(str_of(text), a, &c));
    return c;
}

TEST(schemes) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c = parse(&a, "Bearer realm=\"https://a/t\",service=\"s x\",scope=\"q\\\"r\"");
    assert_int_equal(c.scheme, CHALLENGE_BEARER);
    assert_string_equal(c.realm, "https://a/t");
    assert_string_equal(c.service, "s x");
    assert_string_equal(c.scope, "q\"r");
    assert_int_equal(parse(&a, "basic realm=x").scheme, CHALLENGE_BASIC);
    c = parse(&a, "Basic realm=\"b\", Bearer realm=\"https://t\" , Digest nonce=\"1\"");
    assert_int_equal(c.scheme, CHALLENGE_BEARER);
    assert_string_equal(c.realm, "https://t");
}

TEST(malformed) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c;
    assert_err(challenge_parse(STR(""), &a, &c), ERR_UNSUPPORTED);
    assert_err(challenge_parse(STR("Digest realm=x"), &a, &c), ERR_UNSUPPORTED);
    assert_err(challenge_parse(STR("Bearer realm=\"open"), &a, &c), ERR_INVALID);
    assert_err(challenge_parse(STR("Bearer realm=\"a\nb\""), &a, &c), ERR_INVALID);
    assert_err(challenge_parse(STR("Bearer service=x"), &a, &c), ERR_INVALID);
    assert_err(challenge_parse(STR("\"Bearer\""), &a, &c), ERR_INVALID);
    CLEAN_BUF struct buf big = {0};
    buf_adds(&big, "Bearer realm=");
    for (int i = 0; i < 10000; i++)
        buf_addc(&big, 'x');
    assert_err(challenge_parse(buf_str(&big), &a, &c), ERR_INVALID);
}

TEST(token_servers) {
    assert_true(realm_allowed(STR("https://auth.example/token"), STR("registry.example"), false));
    assert_false(realm_allowed(STR("http://auth.example/token"), STR("registry.example"), false));
    assert_false(realm_allowed(STR("http://127.0.0.1/token"), STR("registry.example"), false));
    assert_true(realm_allowed(STR("http://127.0.0.1:9/token"), STR("127.0.0.1:5000"), false));
    assert_false(realm_allowed(STR("http://127.0.0.2:9/token"), STR("127.0.0.1:5000"), false));
    assert_false(realm_allowed(STR("https://user@host/token"), STR("registry.example"), false));
    assert_false(realm_allowed(STR("file:///etc/passwd"), STR("localhost"), false));
    assert_false(realm_allowed(STR("https://a b/"), STR("registry.example"), false));
    assert_false(realm_allowed(STR("https:///x"), STR("registry.example"), false));
}

TEST(redirects) {
    assert_true(redirect_allowed(STR("https://cdn.example/x"), STR("registry.example"), false));
    assert_false(redirect_allowed(STR("http://cdn.example/x"), STR("registry.example"), false));
    assert_false(redirect_allowed(STR("http://cdn.example/x"), STR("localhost:5000"), false));
    assert_true(redirect_allowed(STR("http://[::1]:7/x"), STR("localhost:5000"), false));
}

TEST(loopback_by_name) {
    static const char *const yes[] = {"localhost",    "LOCALHOST:1", "127.0.0.1",
                                      "127.9.9.9:80", "[::1]",       "[::1]:5000"};
    static const char *const no[] = {"localhost.example",
                                     "127.0.0.1.example:5",
                                     "128.0.0.1",
                                     "1270.0.0.1",
                                     "[::2]:1",
                                     "example",
                                     "127.1"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(authority_is_loopback(str_of(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(authority_is_loopback(str_of(no[i])));
}

static enum address_class class_of(const char *text) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_class((struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_class((struct sockaddr *)&in6);
}

TEST(addresses) {
    assert_int_equal(class_of("8.8.8.8"), ADDRESS_PUBLIC);
    assert_int_equal(class_of("10.1.2.3"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("172.16.0.1"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("172.32.0.1"), ADDRESS_PUBLIC);
    assert_int_equal(class_of("192.168.1.1"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("100.64.0.1"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("0.0.0.0"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("169.254.169.254"), ADDRESS_LINK_LOCAL);
    assert_int_equal(class_of("127.0.0.53"), ADDRESS_LOOPBACK);
    assert_int_equal(class_of("::1"), ADDRESS_LOOPBACK);
    assert_int_equal(class_of("::ffff:169.254.1.1"), ADDRESS_LINK_LOCAL);
    assert_int_equal(class_of("64:ff9b::a00:1"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("fe80::1"), ADDRESS_LINK_LOCAL);
    assert_int_equal(class_of("fd00::1"), ADDRESS_PRIVATE);
    assert_int_equal(class_of("2001:4860::1"), ADDRESS_PUBLIC);
}
