/* What the administrator says about registries. */
#include "registry/settings.h"
#include "test.h"

static enum err_kind parse(const char *text, struct arena *a, struct registry_settings *ret) {
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(str_of(text), &j));
    struct err e = settings_parse(j, false, a, ret);
    enum err_kind kind = err_kind(e);
    err_free(e);
    return kind;
}

TEST(nothing_said) {
    CLEAN_ARENA struct arena a = {0};
    struct registry_settings s;
    assert_ok(settings_parse(NULL, false, &a, &s));
    assert_string_equal(s.certs_dirs[0], "/etc/corten/certs.d");
    assert_null(s.insecure[0]);
    assert_null(settings_rule(&s, STR("docker.io/library/x")));
    assert_null(settings_proxy(&s, STR("https://a.example/")));
    assert_false(settings_insecure(&s, STR("10.0.0.1:5000")));
}

TEST(rules) {
    CLEAN_ARENA struct arena a = {0};
    struct registry_settings s;
    assert_int_equal(parse("{\"registry-mirrors\":[\"https://m//\"],\"registries\":["
                           "{\"prefix\":\"a.example\",\"mirrors\":[\"https://one/x/\"]},"
                           "{\"prefix\":\"a.example/team\",\"mirrors\":[\"https://two\"],"
                           "\"fallback\":false}]}",
                           &a, &s),
                     ERR_OK);
    assert_string_equal(settings_rule(&s, STR("a.example/x"))->mirrors.items[0], "https://one/x");
    assert_string_equal(settings_rule(&s, STR("a.example/team"))->prefix, "a.example/team");
    assert_false(settings_rule(&s, STR("a.example/team/y"))->fallback);
    assert_string_equal(settings_rule(&s, STR("a.example/teams"))->prefix, "a.example");
    assert_null(settings_rule(&s, STR("a.example.org/x")));
    assert_string_equal(settings_rule(&s, STR("docker.io/library/x"))->mirrors.items[0],
                        "https://m");
}

TEST(nonsense) {
    static const char *const bad[] = {
        "{\"certs-dirs\":\"/x\"}",
        "{\"insecure-registries\":[\"\"]}",
        "{\"insecure-registries\":[5]}",
        "{\"registry-mirrors\":[\"ftp://x\"]}",
        "{\"registry-mirrors\":[\"https://u@x\"]}",
        "{\"registry-mirrors\":[\"https://x?y\"]}",
        "{\"registries\":{}}",
        "{\"registries\":[5]}",
        "{\"registries\":[{\"prefix\":\"a/\",\"mirrors\":[\"https://x\"]}]}",
        "{\"proxies\":{\"http-proxy\":5}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct registry_settings s;
        assert_int_equal(parse(bad[i], &a, &s), ERR_INVALID);
    }
}

TEST(insecure) {
    CLEAN_ARENA struct arena a = {0};
    struct registry_settings s;
    assert_int_equal(parse("{\"insecure-registries\":[\"r.example:5000\",\"plain.example\","
                           "\"10.1.0.0/16\",\"fd00::/8\"]}",
                           &a, &s),
                     ERR_OK);
    assert_true(settings_insecure(&s, STR("R.example:5000")));
    assert_true(settings_insecure(&s, STR("plain.example:77")));
    assert_true(settings_insecure(&s, STR("10.1.2.3:5000")));
    assert_true(settings_insecure(&s, STR("[fd00::1]:5000")));
    assert_false(settings_insecure(&s, STR("10.2.0.1")));
    assert_false(settings_insecure(&s, STR("[fe80::1]")));
}

TEST(proxies) {
    CLEAN_ARENA struct arena a = {0};
    struct registry_settings s;
    assert_int_equal(parse("{\"proxies\":{\"http-proxy\":\"http://p:1\",\"https-proxy\":"
                           "\"http://p:2\",\"no-proxy\":\"a.example, .b.example,10.0.0.0/8,"
                           "c.example:443,*.d.example\"}}",
                           &a, &s),
                     ERR_OK);
    static const struct {
        const char *url, *proxy;
    } rows[] = {
        {"http://x.example/", "http://p:1"},   {"https://x.example/v2/", "http://p:2"},
        {"https://localhost:5/", NULL},        {"https://127.1.1.1/", NULL},
        {"https://a.example/", NULL},          {"https://x.a.example:5/", NULL},
        {"https://xa.example/", "http://p:2"}, {"https://b.example/", "http://p:2"},
        {"https://x.b.example/", NULL},        {"https://10.9.8.7/", NULL},
        {"https://11.0.0.1/", "http://p:2"},   {"https://c.example:443/", NULL},
        {"https://c.example/", "http://p:2"},  {"https://x.d.example/", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = settings_proxy(&s, str_of(rows[i].url));
        if (rows[i].proxy)
            assert_string_equal(got, rows[i].proxy);
        else
            assert_null(got);
    }
}
