#include "base/time.h"
#include "test.h"

static const struct {
    const char *text;
    int64_t ns;
} times[] = {
    {"1970-01-01T00:00:01Z", 1000000000},
    {"2000-02-29T12:34:56.5Z", 951827696500000000},
    {"2026-11-21T08:02:36.123456789Z", 1795248156123456789},
    {"1969-12-31T23:59:59.999999999Z", -1},
    {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
    {"0001-01-01T00:00:00Z", 0},
};

TEST(format_and_parse_agree) {
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char text[TIME_TEXT_MAX];
        int64_t t = 1;
        assert_string_equal(time_format(times[i].ns, text), times[i].text);
        assert_ok(time_parse(str_of(times[i].text), &t));
        assert_true(t == times[i].ns);
    }
}

TEST(fixed_has_nine_digits) {
    char text[TIME_TEXT_MAX];
    assert_string_equal(time_format_fixed(1000000000, text), "1970-01-01T00:00:01.000000000Z");
    assert_string_equal(time_format_fixed(0, text), "0001-01-01T00:00:00.000000000Z");
    assert_string_equal(time_format_fixed(1795248156000000001, text),
                        "2026-11-21T08:02:36.000000001Z");
}

TEST(offsets_and_long_fractions) {
    int64_t t;
    assert_ok(time_parse(STR("1970-01-01T02:00:01+02:00"), &t));
    assert_true(t == NSEC_PER_SEC);
    assert_ok(time_parse(STR("1969-12-31T18:30:01-05:30"), &t));
    assert_true(t == NSEC_PER_SEC);
    assert_ok(time_parse(STR("1970-01-01T00:00:01.1234567899999Z"), &t));
    assert_true(t == 1123456789);
}

TEST(malformed_times) {
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-21",
        "2026-11-21T08:02:36",
        "2026-11-21 08:02:36Z",
        "2026-11-21t08:02:36z",
        "2026-13-21T08:02:36Z",
        "2026-00-21T08:02:36Z",
        "2026-02-29T08:02:36Z",
        "2100-02-29T08:02:36Z",
        "2026-11-00T08:02:36Z",
        "2026-11-31T08:02:36Z",
        "2026-11-21T24:02:36Z",
        "2026-11-21T08:60:36Z",
        "2026-11-21T08:02:60Z",
        "2026-11-21T08:02:36.Z",
        "2026-11-21T08:02:36Zx",
        "2026-11-21T08:02:36+0200",
        "2026-11-21T08:02:36+24:00",
        "+026-11-21T08:02:36Z",
        "2026-11-21T08:02:36,5Z",
        "9999-11-21T08:02:36Z",
        "0001-01-01T00:00:01Z",
    };
    int64_t t = 7;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = time_parse(str_of(bad[i]), &t);
        if (err_kind(e) != ERR_INVALID)
            fail_msg("'%s' is taken for a time", bad[i]);
        err_free(e);
    }
    assert_int_equal(t, 7);
}

TEST(api_times) {
    int64_t t;
    assert_ok(time_parse_api(STR("1700000000.123456789"), &t));
    assert_true(t == 1700000000123456789);
    assert_ok(time_parse_api(STR("1700000000"), &t));
    assert_true(t == 1700000000000000000);
    assert_ok(time_parse_api(STR("1.5"), &t));
    assert_true(t == 1500000000);
    assert_ok(time_parse_api(STR("-1.5"), &t));
    assert_true(t == -1500000000);
    assert_ok(time_parse_api(STR("2026-11-21T08:02:36Z"), &t));
    assert_true(t == 1795248156000000000);
    static const char *const bad[] = {"",   "x", "1.", ".5", "1.5x", "1e9", "99999999999999999999",
                                      "10m"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(time_parse_api(str_of(bad[i]), &t), ERR_INVALID);
}

TEST(durations) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"1s", 1000000000},
        {"1h2m3.5s", 3723500000000},
        {"300ms", 300000000},
        {"-1s", -1000000000},
        {"+5us", 5000},
        {"1\xc2\xb5s", 1000},
        {"1\xce\xbcs", 1000},
        {".5s", 500000000},
        {"1.s", 1000000000},
        {"0.333333333333333333h", 1199999999999},
        {"7ns", 7},
        {"2562047h47m16.854775807s", INT64_MAX},
    };
    static const char *const bad[] = {"",    "1",     "s",           "1x",
                                      "1s ", " 1s",   "-",           "1s-1s",
                                      ".s",  "1..5s", "9223372037s", "99999999999999999999h"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ns = 1;
        assert_ok(duration_parse(str_of(good[i].text), &ns));
        if (ns != good[i].ns)
            fail_msg("'%s' gives %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns = 7;
        struct err e = duration_parse(str_of(bad[i]), &ns);
        if (err_kind(e) != ERR_INVALID || ns != 7)
            fail_msg("'%s' is taken for a duration", bad[i]);
        err_free(e);
    }
}

TEST(clocks_run) {
    int64_t m = time_monotonic();
    assert_true(m > 0 && time_monotonic() >= m);
    assert_true(time_now() > INT64_C(1700000000) * NSEC_PER_SEC);
}
