/* What the list's filters mean: patterns that cannot explode, ranges of ports. */
#include "api/container_filter.h"
#include "test.h"

#define PATTERNS(...) \
    (&(struct strs){.items = (char *[]){__VA_ARGS__}, .n = sizeof((char *[]){__VA_ARGS__}) / 8})

TEST(patterns_match_anywhere) {
    char web[] = "web", whole[] = "^web$", any[] = "w.b", many[] = "(we)+b", bad[] = "(",
         dots[] = "x{1,9}", back[] = "(w)\\1";
    assert_true(container_filter_pattern(NULL, "web"));
    assert_true(container_filter_pattern(PATTERNS(web), "my-web-1"));
    assert_false(container_filter_pattern(PATTERNS(whole), "my-web-1"));
    assert_true(container_filter_pattern(PATTERNS(whole), "web"));
    assert_true(container_filter_pattern(PATTERNS(any), "wob"));
    assert_true(container_filter_pattern(PATTERNS(many), "weweb"));
    assert_true(container_filter_pattern(PATTERNS(bad, web), "web"));
    assert_false(container_filter_pattern(PATTERNS(bad), "("));
    assert_false(container_filter_pattern(PATTERNS(dots), "x{1,9}"));
    assert_false(container_filter_pattern(PATTERNS(back), "ww"));
}

TEST(long_patterns_match_nothing) {
    char longer[1024];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(container_filter_pattern(PATTERNS(longer), longer));
}

TEST(ranges_of_ports) {
    struct port_range r;
    assert_ok(port_range_parse("80", &r));
    assert_int_equal(r.from, 80);
    assert_int_equal(r.to, 80);
    assert_int_equal(r.proto, 6);
    assert_ok(port_range_parse("8000-8010/udp", &r));
    assert_int_equal(r.from, 8000);
    assert_int_equal(r.to, 8010);
    assert_int_equal(r.proto, 17);
    static const char *const bad[] = {"", "x", "70000", "80-", "90-80", "80/nosuch", "-1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(port_range_parse(bad[i], &r), ERR_INVALID);
}
