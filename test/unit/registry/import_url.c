/* The URL of an import: scheme, who asks, what is refused. */
#include "registry/import_url.h"
#include "test.h"

static void parses(const char *text, const char *url, const char *basic) {
    CLEAN_IMPORT_URL struct import_url u = {0};
    assert_ok(import_url_parse(str_of(text), &u));
    assert_string_equal(u.url, url);
    if (basic)
        assert_string_equal(u.basic, basic);
    else
        assert_null(u.basic);
}

TEST(what_has_no_scheme_is_http) {
    parses("h:8000/x.tar", "http://h:8000/x.tar", NULL);
    parses("http://h/x.tar?a=b#c", "http://h/x.tar?a=b#c", NULL);
    parses("HTTPS://h/x.tar", "HTTPS://h/x.tar", NULL);
    parses("[::1]:80/x", "http://[::1]:80/x", NULL);
}

TEST(user_and_password_leave_the_url) {
    parses("http://me:pass@h/x", "http://h/x", "me:pass");
    parses("me:p%40s%3as@h/x@y", "http://h/x@y", "me:p@s:s");
    parses("https://token@h", "https://h", "token:");
    parses("http://h/a@b?c=d@e", "http://h/a@b?c=d@e", NULL);
}

TEST(what_is_no_url_is_refused) {
    static const char *const rows[] = {
        "",
        "ftp://h/x",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://h\\x",
        "http://h/x y",
        "http://h/\r\nX: y",
        "http://a:%@h/",
        "http://a%0ab@h/",
        "http://:80/",
        "http://a@b@/c",
        "gopher://h:25/_x",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_IMPORT_URL struct import_url u = {0};
        struct err e = import_url_parse(str_of(rows[i]), &u);
        if (!err_failed(e))
            fail_msg("'%s' was taken as '%s'", rows[i], u.url);
        assert_err(e, ERR_INVALID);
    }
    CLEAN_BUF struct buf big = {0};
    CLEAN_IMPORT_URL struct import_url u = {0};
    buf_adds(&big, "http://h/");
    while (big.len <= IMPORT_URL_MAX)
        buf_addc(&big, 'x');
    assert_err(import_url_parse(buf_str(&big), &u), ERR_INVALID);
}
