/* WWW-Authenticate. */
#include "registry/challenge.h"
#include "base/buf.h"
#include "test.h"

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
