/* Records of the peer's and of other writers. */
#include "test.h"

#include "base/mem.h"
#include "logs/logs.h"

static ssize_t parse(const char *text, struct logs_record *r, struct buf *out) {
    return logs_parse(str_of(text), r, out);
}

static void check(const char *line, enum logs_stream stream, const char *text, const char *time) {
    struct logs_record r = {0};
    CLEAN_BUF struct buf out = {0};
    assert_int_equal(parse(line, &r, &out), strlen(line));
    assert_int_equal(r.stream, stream);
    assert_string_equal(buf_cstr(&out), text);
    assert_true(str_eqz(r.time, time));
    logs_record_done(&r);
}

TEST(records_of_the_peer) {
    check("{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T10:00:00.123456789Z\"}"
          "\n",
          LOGS_STDOUT, "hello\n", "2024-05-01T10:00:00.123456789Z");
    check("{\"log\":\"\\u001b[1m\\\"x\\\"\\\\ \\u003ca\\u0026b\\u003e "
          "\\t\\r\\n\",\"stream\":\"stderr\","
          "\"time\":\"2024-05-01T10:00:00Z\"}\n",
          LOGS_STDERR, "\x1b[1m\"x\"\\ <a&b> \t\r\n", "2024-05-01T10:00:00Z");
    check("{\"log\":\"\\ud83d\\udc0b \\ud83d x "
          "\\udc0b\\u00e9\",\"stream\":\"stdout\",\"time\":\"t\"}\n",
          LOGS_STDOUT, "\xf0\x9f\x90\x8b \xef\xbf\xbd x \xef\xbf\xbd\xc3\xa9", "t");
}

TEST(records_of_others) {
    check("{\"time\":\"2024-05-01T10:00:00Z\", \"stream\": \"stderr\", \"log\": \"x\\n\"}\n",
          LOGS_STDERR, "x\n", "2024-05-01T10:00:00Z");
    check("{\"stream\":\"stdout\",\"time\":\"2024-05-01T10:00:00Z\"}\n", LOGS_STDOUT, "",
          "2024-05-01T10:00:00Z");
}

TEST(attributes) {
    struct logs_record r = {0};
    CLEAN_BUF struct buf out = {0};
    const char *line =
        "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"a b\",\"env\":\"1,2\"},"
        "\"time\":\"2024-05-01T10:00:00Z\"}\n";
    assert_int_equal(parse(line, &r, &out), strlen(line));
    assert_string_equal(buf_cstr(&r.attrs), "env=1%2C2,tag=a+b");
    logs_record_done(&r);
}

/* Records that share attributes are read the fast way; the next ones have their own, or none. */
TEST(attributes_change_from_record_to_record) {
    static const char *const attrs[] = {"\"attrs\":{\"a\":\"1\"},",
                                        "\"attrs\":{\"a\":\"1\"},",
                                        "\"attrs\":{\"a\":\"1\",\"b\":\"2\"},",
                                        "",
                                        "\"attrs\":{},",
                                        "\"attrs\":{\"a\":\"},\\\"time\\\":\"},"};
    static const char *const want[] = {"a=1", "a=1", "a=1,b=2", "", "", "a=%7D%2C%22time%22%3A"};
    struct logs_record r = {0};
    for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
        CLEAN_BUF struct buf out = {0};
        CLEAN_FREE char *line = mem_printf("{\"log\":\"\\\"attrs\\\":x\\n\",\"stream\":\"stdout\",%"
                                           "s\"time\":\"2024-05-01T10:00:00Z\"}\n",
                                           attrs[i]);
        assert_int_equal(parse(line, &r, &out), strlen(line));
        assert_string_equal(buf_cstr(&out), "\"attrs\":x\n");
        assert_string_equal(buf_cstr(&r.attrs), want[i]);
    }
    logs_record_done(&r);
}

TEST(torn_and_foreign_lines_are_skipped) {
    static const char *const bad[] = {"\n",
                                      "garbage\n",
                                      "{\"log\":\"x\n",
                                      "{\"log\":\"x\\q\",\"stream\":\"stdout\",\"time\":\"t\"}\n",
                                      "{\"log\":\"x\",\"stream\":\"stdlog\",\"time\":\"t\"}\n",
                                      "[]\n",
                                      "{\"log\":\"\\u12\"}\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct logs_record r = {0};
        CLEAN_BUF struct buf out = {0};
        assert_int_equal(parse(bad[i], &r, &out), -(ssize_t)strlen(bad[i]));
        assert_int_equal(out.len, 0);
        logs_record_done(&r);
    }
}

TEST(an_unfinished_record_waits) {
    const char *line =
        "{\"log\":\"a\\\\b\\u00e9c\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T10:00:00Z\"}\n";
    for (size_t n = 0; n < strlen(line); n++) {
        struct logs_record r = {0};
        CLEAN_BUF struct buf out = {0};
        CLEAN_FREE
        char *exact = malloc(n ? n : 1); /* a read past the end is seen by the sanitizer */
        memcpy(exact, line, n);
        assert_int_equal(logs_parse(str_n(exact, n), &r, &out), 0);
        assert_int_equal(out.len, 0);
        logs_record_done(&r);
    }
}

TEST(a_line_without_end_is_not_kept_for_ever) {
    CLEAN_BUF struct buf big = {0}, out = {0};
    struct logs_record r = {0};
    buf_adds(&big, "{\"log\":\"");
    while (big.len < LOGS_RECORD_MAX + 100)
        buf_adds(&big, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_int_equal(logs_parse(buf_str(&big), &r, &out), -(ssize_t)LOGS_RECORD_MAX);
    logs_record_done(&r);
}
