/* The grammar of names. */
#include "image/reference.h"
#include "test.h"

static const char *canonical(const char *text) {
    static char out[REFERENCE_TEXT_MAX];
    struct reference r;
    struct err e = reference_parse(str_of(text), &r);
    if (err_failed(e)) {
        snprintf(out, sizeof(out), "!%s", err_msg(e));
        err_free(e);
        return out;
    }
    return reference_text(&r, out);
}

static const char *familiar(const char *text) {
    static char out[REFERENCE_TEXT_MAX];
    struct reference r;
    assert_ok(reference_parse(str_of(text), &r));
    return reference_familiar(&r, out);
}

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEST(defaults) {
    assert_string_equal(canonical("busybox"), "docker.io/library/busybox");
    assert_string_equal(canonical("busybox:1"), "docker.io/library/busybox:1");
    assert_string_equal(canonical("a/b"), "docker.io/a/b");
    assert_string_equal(canonical("index.docker.io/a"), "docker.io/library/a");
    assert_string_equal(canonical("docker.io/a/b:x"), "docker.io/a/b:x");
    assert_string_equal(canonical("localhost/a"), "localhost/a");
    assert_string_equal(canonical("localhost:5000/a:b"), "localhost:5000/a:b");
    assert_string_equal(canonical("Host/a"), "Host/a");
    assert_string_equal(canonical("[::1]:5000/a"), "[::1]:5000/a");
    assert_string_equal(canonical("x:5000/y"), "x:5000/y");
    assert_string_equal(canonical("a@" D), "docker.io/library/a@" D);
    assert_string_equal(canonical("a:t@" D), "docker.io/library/a:t@" D);
    assert_string_equal(canonical("a__b/c--d.e"), "docker.io/a__b/c--d.e");
}

TEST(familiar_names) {
    assert_string_equal(familiar("docker.io/library/busybox:latest"), "busybox:latest");
    assert_string_equal(familiar("docker.io/a/b"), "a/b");
    assert_string_equal(familiar("h.io/library/x"), "h.io/library/x");
}

TEST(refused) {
    static const char *const bad[] = {
        "",        ":tag",     "a:",         "a:-t",    "a:.t",        "A",          "a/B",
        "a//b",    "/a",       "a/",         "a b",     "a\tb",        "-a",         "a-",
        "a___b",   "a..b",     "a.-b",       "a@",      "a@sha256:12", "a@md5:0123", "a:t:u",
        "host:/a", "host:x/a", "-h.io/a",    "h-.io/a", "a.b-/c",      "[zz]/a",     "a@" D "@" D,
        "../a",    "a/../b",   "http://a/b", HEX,       "\xc3\xa4",    "a:\xc3\xa4",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (canonical(bad[i])[0] != '!')
            fail_msg("'%s' was taken as '%s'", bad[i], canonical(bad[i]));
    char big[400];
    memset(big, 'a', sizeof(big));
    big[230] = '\0';
    assert_true(canonical(big)[0] != '!');
    big[230] = 'a';
    big[250] = '\0';
    assert_true(canonical(big)[0] == '!');
    struct reference r;
    assert_err(reference_parse(STR("a\0b"), &r), ERR_INVALID);
}

TEST(with_a_tag_beside) {
    struct reference r;
    char out[REFERENCE_TEXT_MAX];
    assert_ok(reference_parse_with_tag(STR("a"), STR("v1"), &r));
    assert_string_equal(reference_familiar(&r, out), "a:v1");
    assert_ok(reference_parse_with_tag(STR("a:x"), STR("v1"), &r));
    assert_string_equal(reference_familiar(&r, out), "a:v1");
    assert_ok(reference_parse_with_tag(STR("a:x"), STR(""), &r));
    assert_string_equal(reference_familiar(&r, out), "a:x");
    assert_ok(reference_parse_with_tag(STR("a"), STR(D), &r));
    assert_string_equal(reference_familiar(&r, out), "a@" D);
    assert_err(reference_parse_with_tag(STR("a"), STR("b c"), &r), ERR_INVALID);
    assert_err(reference_parse_with_tag(STR("a"), STR("sha256:zz"), &r), ERR_INVALID);
}

TEST(ids) {
    struct digest d;
    assert_true(reference_is_id(STR(HEX), &d));
    assert_true(reference_is_id(STR(D), &d));
    assert_false(reference_is_id(STR("sha256:12"), &d));
    assert_false(reference_is_id(
        STR("0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"), &d));
}
