#include "spec/method_result.h"
#include "base/mem.h"
#include "test.h"

static struct method_result read_as(enum lifecycle_reading how, int code, const char *output,
                                    struct arena *a) {
    struct method_result r = {.method = (char *)"validate", .exit_code = code};
    method_result_read(&r, how, str_of(output), a);
    return r;
}
#define READ(code, output) read_as(LIFECYCLE_AUTO, code, output, &a)

TEST(exit_status_alone) {
    CLEAN_ARENA struct arena a = {0};
    struct method_result r = READ(0, "all is well\n");
    assert_string_equal(r.status, "ok");
    assert_string_equal(r.reading, "exit");
    assert_string_equal(r.summary, "all is well");
    assert_int_equal(r.examples, 1);
    r = READ(1, "first\nzone broken\n\n");
    assert_string_equal(r.status, "failed");
    assert_string_equal(r.summary, "zone broken");
    assert_false(method_result_good(&r));
    assert_string_equal(READ(METHOD_TIMED_OUT, "1..1\nok 1\n").status, "failed");
    assert_string_equal(READ(2, "").status, "failed");
}

TEST(plugins_with_performance_data) {
    CLEAN_ARENA struct arena a = {0};
    struct method_result r =
        READ(1, "DISK WARNING - free 5% | /=2643MB;5948;5958;0;5968 'a b'=3.5s;1\nmore\n"
                "long | c=7c\n");
    assert_string_equal(r.reading, "plugin");
    assert_string_equal(r.status, "warning");
    assert_true(method_result_good(&r));
    assert_string_equal(r.summary, "DISK WARNING - free 5%");
    assert_int_equal(r.perf.n, 3);
    const struct method_perf *p = r.perf.items;
    assert_string_equal(p[0].label, "/");
    assert_true(p[0].value == 2643.0);
    assert_string_equal(p[0].unit, "MB");
    assert_string_equal(p[0].max, "5968");
    assert_string_equal(p[1].label, "a b");
    assert_string_equal(p[2].unit, "c");
    assert_string_equal(READ(2, "CRITICAL: down").status, "critical");
    assert_string_equal(READ(3, "UNKNOWN").status, "unknown");
    assert_string_equal(READ(2, "grep: OK is missing").reading, "exit");
    assert_string_equal(read_as(LIFECYCLE_PLUGIN, 2, "x", &a).status, "critical");
    assert_string_equal(read_as(LIFECYCLE_PLUGIN, 127, "x", &a).status, "unknown");
    assert_int_equal(READ(0, "OK | a=nan b=1").perf.n, 0);
    assert_int_equal(READ(0, "OK | a=0x10").perf.n, 0);
    assert_int_equal(READ(0, "OK | a=1furlong").perf.n, 0);
}

TEST(tap_is_counted) {
    CLEAN_ARENA struct arena a = {0};
    struct method_result r = READ(0, "TAP version 13\n1..4\nok 1 - a\nnot ok 2 # todo later\n"
                                     "ok 3 # SKIP none\nok 4\n");
    assert_string_equal(r.reading, "tap");
    assert_string_equal(r.status, "ok");
    assert_int_equal(r.examples, 4);
    assert_int_equal(r.failures, 0);
    assert_int_equal(r.skipped, 1);
    assert_string_equal(r.summary, "4 examples, 0 failures, 1 skipped");
    r = READ(0, "1..3\nok 1\nnot ok 2\n");
    assert_string_equal(r.status, "failed");
    assert_int_equal(r.failures, 2); /* one of them never came */
    assert_string_equal(READ(1, "1..1\nok 1\n").status, "failed");
    assert_string_equal(READ(0, "ok 1\nok 2\n1..2\n").status, "ok");
    assert_string_equal(READ(0, "1..1\nok 1\nok 2\n").status, "failed");
    assert_string_equal(READ(0, "1..2\nok 1\nBail out! no disk\n").status, "failed");
    assert_string_equal(READ(0, "ok then, this is a text\n").reading, "exit");
    assert_string_equal(read_as(LIFECYCLE_TAP, 0, "nothing", &a).status, "failed");
}

TEST(junit_is_counted_not_believed) {
    CLEAN_ARENA struct arena a = {0};
    struct method_result r =
        READ(0, "<?xml version=\"1.0\"?><!-- <testcase/> --><testsuites><testsuite tests=\"99\" "
                "failures=\"0\"><testcase name=\"a>b\"/><testcase name='c'><failure message=\"no\">"
                "<![CDATA[<testcase/>]]></failure></testcase><testcase><skipped/></testcase>"
                "</testsuite></testsuites>");
    assert_string_equal(r.reading, "junit");
    assert_int_equal(r.examples, 3);
    assert_int_equal(r.failures, 1);
    assert_int_equal(r.skipped, 1);
    assert_string_equal(r.status, "failed");
    assert_string_equal(READ(0, "<testsuite><testcase/></testsuite>").status, "ok");
    assert_string_equal(READ(0, "<testsuite><testcase><failure").status, "failed");
    assert_string_equal(read_as(LIFECYCLE_JUNIT, 0, "hello", &a).status, "unknown");
}

TEST(a_flood_is_not_judged_good) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    buf_adds(&out, "1..1\nok 1\n");
    while (out.len <= METHOD_CAPTURE)
        buf_adds(&out, "# flood flood flood flood flood flood\n");
    struct method_result r = READ(0, buf_cstr(&out));
    assert_true(r.truncated);
    assert_string_equal(r.status, "unknown");
}

TEST(what_is_shown_holds_no_control_bytes) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct method_result r = READ(0, "\x1b]0;title\x07 done\n");
    r.method = (char *)"e\x1bvil";
    method_result_text(&r, &out);
    for (size_t i = 0; i < out.len; i++)
        assert_true((unsigned char)out.data[i] >= 0x20);
    assert_non_null(strstr(buf_cstr(&out), "\\x1b]0;title\\x07 done"));
}
