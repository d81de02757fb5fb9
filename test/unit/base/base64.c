/* Base64 in both alphabets. */
#include "base/base64.h"
#include "test.h"

static void there_and_back(struct str raw, const char *plain, const char *url) {
    CLEAN_BUF struct buf a = {0}, b = {0}, c = {0}, d = {0};
    base64_encode(raw, &a);
    assert_string_equal(buf_cstr(&a), plain);
    base64url_encode(raw, &b);
    assert_string_equal(buf_cstr(&b), url);
    assert_ok(base64_decode(buf_str(&a), &c));
    assert_true(str_eq(buf_str(&c), raw));
    assert_ok(base64_decode(buf_str(&b), &d));
    assert_true(str_eq(buf_str(&d), raw));
}

TEST(vectors) { /* RFC 4648, 10 */
    there_and_back(STR(""), "", "");
    there_and_back(STR("f"), "Zg==", "Zg==");
    there_and_back(STR("fo"), "Zm8=", "Zm8=");
    there_and_back(STR("foo"), "Zm9v", "Zm9v");
    there_and_back(STR("foobar"), "Zm9vYmFy", "Zm9vYmFy");
    there_and_back(STR("user:pass?>"), "dXNlcjpwYXNzPz4=", "dXNlcjpwYXNzPz4=");
    there_and_back(STR("\xff\xef\xbe"), "/+++", "_---");
}

TEST(reading) {
    CLEAN_BUF struct buf out = {0};
    assert_ok(base64_decode(STR("_-8="), &out));
    assert_true(str_eq(buf_str(&out), STR("\xff\xef")));
    buf_clear(&out);
    assert_ok(base64_decode(STR("Zg"), &out));
    assert_string_equal(buf_cstr(&out), "f");
    assert_err(base64_decode(STR("a b"), &out), ERR_INVALID);
    assert_err(base64_decode(STR("abcde"), &out), ERR_INVALID);
    assert_err(base64_decode(STR("ab=c"), &out), ERR_INVALID);
    assert_err(base64_decode(str_n("ab\0c", 4), &out), ERR_INVALID);
}
