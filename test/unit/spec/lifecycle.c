#include "spec/lifecycle.h"
#include "base/mem.h"
#include "base/time.h"
#include "test.h"

static struct strmap labels(struct arena *a, const char *const *pairs) {
    struct strmap m = {0};
    for (size_t i = 0; pairs[i]; i += 2)
        strmap_set(&m, a, pairs[i], pairs[i + 1]);
    return m;
}
#define LABELS(a, ...) labels(a, (const char *const[]){__VA_ARGS__, NULL})

TEST(methods_have_two_forms_and_options) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m = LABELS(&a, "corten.method.validate.timeout", "5s", "corten.method.validate",
                             "check --all | grep ok", "corten.method.validate.env.LEVEL", "high",
                             "corten.method.validate.user", "nobody", "corten.method.update",
                             "[\"git\",\"pull\"]", "corten.method.update.on-failure", "keep",
                             "corten.method.rotate-logs", "x", "corten.method.rotate-logs.interval",
                             "1m30s", "other", "y");
    struct lifecycle l;
    lifecycle_methods(&m, &a, &l);
    assert_int_equal(l.problems.n, 0);
    assert_int_equal(l.methods.n, 3);
    const struct lifecycle_method *v = lifecycle_method(&l, "validate");
    assert_true(v->shell && v->timeout == 5 * NSEC_PER_SEC && v->interval == 0);
    assert_string_equal(v->env.items[0], "LEVEL=high");
    assert_string_equal(v->user, "nobody");
    struct strs w = lifecycle_words(v, NULL, &a);
    assert_int_equal(w.n, 3);
    assert_string_equal(w.items[0], "/bin/sh");
    assert_string_equal(w.items[2], "check --all | grep ok");
    struct strs bash = {0};
    strs_add(&bash, &a, "/bin/bash");
    strs_add(&bash, &a, "-ec");
    assert_string_equal(lifecycle_words(v, &bash, &a).items[1], "-ec");
    const struct lifecycle_method *u = lifecycle_method(&l, "update");
    assert_true(!u->shell && u->on_failure == LIFECYCLE_KEEP && u->timeout == 600 * NSEC_PER_SEC);
    assert_string_equal(lifecycle_words(u, &bash, &a).items[1], "pull");
    assert_true(lifecycle_method(&l, "rotate-logs")->interval == 90 * NSEC_PER_SEC);
    assert_null(lifecycle_method(&l, "start"));
}

TEST(an_empty_value_takes_away) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m = LABELS(&a, "corten.method.validate", "", "corten.method.validate.user", "x",
                             "corten.method.monitor", "m", "corten.method.monitor.timeout", "",
                             "corten.method.monitor.env.A", "", "corten.method.monitor.env.B", "b");
    struct lifecycle l;
    lifecycle_methods(&m, &a, &l);
    assert_int_equal(l.problems.n, 0);
    assert_int_equal(l.methods.n, 1);
    assert_true(lifecycle_method(&l, "monitor")->timeout == 30 * NSEC_PER_SEC);
    assert_int_equal(lifecycle_method(&l, "monitor")->env.n, 1);
    assert_string_equal(lifecycle_method(&l, "monitor")->env.items[0], "B=b");
}

TEST(what_is_wrong_is_named_and_left_out) {
    static const char *const bad[][2] = {
        {"corten.method.Validate", "x"},
        {"corten.method.", "x"},
        {"corten.method.-a", "x"},
        {"corten.method.a--b", "x"},
        {"corten.method.a-", "x"},
        {"corten.method.1a", "x"},
        {"corten.method.e\x1b[31m", "x"},
        {"corten.method.a", "[\"x\""},
        {"corten.method.a", "[]"},
        {"corten.method.a", "[1]"},
        {"corten.method.a", "[\"\"]"},
        {"corten.method.a", "[\"x\\u0000y\"]"},
        {"corten.method.ok.timeout", "1"},
        {"corten.method.ok.timeout", "1ms"},
        {"corten.method.ok.timeout", "25h"},
        {"corten.method.ok.interval", "999ms"},
        {"corten.method.ok.interval", "-1s"},
        {"corten.method.ok.on-failure", "rollback"},
        {"corten.method.ok.on-failure", "x"},
        {"corten.method.ok.result", "xml"},
        {"corten.method.ok.privileged", "1"},
        {"corten.method.ok.env.A B", "1"},
        {"corten.method.ok.env.", "1"},
        {"corten.method.ok.env.1A", "1"},
        {"corten.method.ok.start-period", "2h"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct strmap m = LABELS(&a, "corten.method.ok", "true", bad[i][0], bad[i][1]);
        struct lifecycle l;
        lifecycle_methods(&m, &a, &l);
        if (l.problems.n != 1 || l.methods.n != 1)
            fail_msg("%s=%s: %zu problems, %zu methods", bad[i][0], bad[i][1], l.problems.n,
                     l.methods.n);
        assert_null(strchr(l.problems.items[0], 0x1b));
    }
}

TEST(too_much_is_cut_by_limits) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m = {0};
    for (int i = 0; i < 500; i++)
        strmap_set(&m, &a, arena_printf(&a, "corten.method.m%d", i), "true");
    char *huge = arena_alloc(&a, (10 << 20) + 1);
    memset(huge, 'x', 10 << 20);
    strmap_set(&m, &a, "corten.method.m0", huge);
    strmap_set(&m, &a, "corten.metadata", huge);
    strmap_set(&m, &a, "corten.build.host", huge);
    strmap_set(&m, &a, "corten.build.ancestry", huge);
    struct lifecycle_metadata doc;
    lifecycle_describe(&m, &(struct lifecycle_facts){0}, &a, &doc);
    assert_true(doc.methods.n <= LIFECYCLE_METHODS_MAX);
    assert_int_equal(doc.metadata.len, 0);
    assert_string_equal(doc.build_host, "");
    assert_true(doc.problems.n <= LIFECYCLE_PROBLEMS_MAX && doc.problems.n >= 4);
    CLEAN_BUF struct buf out = {0};
    fields_print(&lifecycle_metadata_fields, &doc, &out);
    assert_true(out.len < (1 << 20));
}

TEST(deep_ancestry_is_refused) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf deep = {0};
    for (int i = 0; i < 60; i++)
        buf_adds(&deep, "[");
    for (int i = 0; i < 60; i++)
        buf_adds(&deep, "]");
    struct strmap m = LABELS(&a, "corten.build.ancestry", buf_cstr(&deep));
    struct lifecycle_metadata doc;
    lifecycle_describe(&m, &(struct lifecycle_facts){0}, &a, &doc);
    assert_int_equal(doc.ancestors.n, 0);
    assert_string_equal(doc.problems.items[0], "corten.build.ancestry is deeper than 8 levels");
}

TEST(ancestry_keeps_its_order_and_what_each_one_was) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m =
        LABELS(&a, "corten.build.ancestry",
               "[{\"name\":\"debian:12\",\"id\":\"sha256:aa\",\"labels\":{"
               "\"org.opencontainers.image.source\":\"https://x/y.git\"}},"
               "{\"name\":\"base:1\",\"id\":\"sha256:bb\",\"created\":\"2026-11-21T10:00:00Z\","
               "\"labels\":{\"corten.build.project\":\"base\",\"corten.build.name\":\"lie\","
               "\"corten.method.validate\":\"check\"}},{\"name\":\"tools\",\"by\":\"copy\"}]",
               "corten.build.ancestors", "ignored@sha256:cc", "corten.build.tags",
               "app:1 app:latest", "corten.metadata", "{\"team\":\"dns\"}");
    struct lifecycle_metadata doc;
    lifecycle_describe(&m, &(struct lifecycle_facts){.name = "app", .id = "sha256:dd"}, &a, &doc);
    const struct lifecycle_metadata *above = doc.ancestors.items;
    assert_int_equal(doc.ancestors.n, 3);
    assert_string_equal(above[0].git_remote, "https://x/y.git");
    assert_string_equal(above[1].image_name, "base:1");
    assert_string_equal(above[1].build_time_stamp, "20261121100000");
    assert_true(above[1].has[1] && !above[0].has[1] && !doc.has[1]);
    assert_string_equal(above[2].by, "copy");
    CLEAN_BUF struct buf out = {0}, shown = {0};
    fields_print(&lifecycle_metadata_fields, &doc, &out);
    struct lifecycle_metadata back;
    assert_ok(fields_decode_strict(&lifecycle_metadata_fields, buf_str(&out), &a, &back));
    assert_int_equal(back.ancestors.n, 3);
    assert_non_null(strstr(buf_cstr(&out), "\"image_tag_names\":[\"app:1\",\"app:latest\"]"));
    assert_non_null(strstr(buf_cstr(&out), "\"metadata\":{\"team\":\"dns\"}"));
    lifecycle_examine(&doc, &shown);
    const char *first = strstr(buf_cstr(&shown), "ancestor debian:12\n");
    const char *second = strstr(buf_cstr(&shown), "ancestor base:1\n");
    assert_true(first && second && first < second);
    assert_non_null(strstr(second, "validate          check\n"));
    assert_non_null(strstr(buf_cstr(&shown), "copied from tools\n"));
}

TEST(names_with_ids_are_an_ancestry_too) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m = LABELS(&a, "corten.build.ancestors",
                             "busybox@sha256:aa r.io:5/a:1@sha256:bb");
    struct objs v;
    struct strs problems = {0};
    lifecycle_ancestors(&m, &a, &v, &problems);
    const struct lifecycle_ancestor *items = v.items;
    assert_int_equal(v.n, 2);
    assert_string_equal(items[1].name, "r.io:5/a:1");
    assert_string_equal(items[1].id, "sha256:bb");
}

TEST(what_a_terminal_acts_upon_is_escaped) {
    static const char *const pairs[][2] = {
        {"plain \xc3\xa4", "plain \xc3\xa4"},
        {"\x1b[31m", "\\x1b[31m"},
        {"a\nb\r", "a\\x0ab\\x0d"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},
        {"\xff", "\\xff"},
        {"\\x41", "\\\\x41"},
        {"\x7f", "\\x7f"},
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        CLEAN_BUF struct buf out = {0};
        lifecycle_escape(&out, str_of(pairs[i][0]), false);
        assert_string_equal(buf_cstr(&out), pairs[i][1]);
    }
    CLEAN_BUF struct buf nul = {0};
    lifecycle_escape(&nul, STR("a\0b\n"), true);
    assert_string_equal(buf_cstr(&nul), "a\\x00b\n");
}

TEST(durations_as_they_are_given) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(lifecycle_duration(90 * NSEC_PER_SEC, &a), "1m30s");
    assert_string_equal(lifecycle_duration(250 * NSEC_PER_MSEC, &a), "250ms");
    assert_string_equal(lifecycle_duration(24 * 3600 * NSEC_PER_SEC, &a), "24h");
    assert_string_equal(lifecycle_duration(0, &a), "");
}

TEST(json_says_the_same_without_tricks) {
    CLEAN_BUF struct buf out = {0};
    lifecycle_escape_json(&out,
                          STR("{\"a\":\"\xe2\x80\xae\xc2\x9b\x7f\xc3\xa4\xf0\x9f\x98\x80\\n\"}"));
    assert_string_equal(buf_cstr(&out),
                        "{\"a\":\"\\u202e\\u009b\\u007f\xc3\xa4\xf0\x9f\x98\x80\\n\"}");
}
