#include "base/str.h"
#include "test.h"

TEST(equality_and_order) {
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(STR("a\0b"), str_n("a\0b", 3)));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_eqz(STR("abc"), "abc"));
    assert_false(str_eqz(STR("abc"), "abcd"));
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_eq_nocase(STR("[\xc3\x84"), STR("{\xc3\xa4"))); /* ASCII letters only */
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("a\0")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR("x"), STR("x")), 0);
}

TEST(prefixes_and_finding) {
    assert_true(str_starts(STR("sha256:x"), STR("sha256:")));
    assert_false(str_starts(STR("sha"), STR("sha256:")));
    assert_true(str_ends(STR("a.tar.gz"), STR(".gz")));
    assert_true(str_ends(STR("x"), STR_NONE));
    assert_int_equal(str_find(STR("a=b=c"), '='), 1);
    assert_int_equal(str_rfind(STR("a=b=c"), '='), 3);
    assert_int_equal(str_find(STR_NONE, '='), -1);
    assert_int_equal(str_find_str(STR("xxab"), STR("ab")), 2);
    assert_int_equal(str_find_str(STR("a"), STR("ab")), -1);
    assert_int_equal(str_find_str(STR_NONE, STR("")), 0);
}

TEST(slices_are_clamped) {
    assert_true(str_eq(str_sub(STR("hello"), 1, 3), STR("el")));
    assert_true(str_eq(str_sub(STR("hello"), 3, 99), STR("lo")));
    assert_int_equal(str_sub(STR("hello"), 9, 99).len, 0);
    assert_int_equal(str_sub(STR("hello"), 3, 1).len, 0);
    assert_int_equal(str_from(STR_NONE, 1).len, 0);
    assert_true(str_eq(str_trim(STR(" \t a b \r\n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \n ")).len, 0);
}

TEST(cut_at_the_first) {
    struct str head, tail;
    assert_true(str_cut(STR("k=v=w"), '=', &head, &tail));
    assert_true(str_eq(head, STR("k")) && str_eq(tail, STR("v=w")));
    assert_false(str_cut(STR("k"), '=', &head, &tail));
    assert_true(str_eq(head, STR("k")) && tail.len == 0);
}

static int fields(const char *text, char *out) {
    struct str rest = str_of(text), field;
    int n = 0;
    *out = '\0';
    while (str_next(&rest, ',', &field)) {
        out += snprintf(out, 16, "<%.*s>", STR_ARG(field));
        n++;
    }
    return n;
}

TEST(fields_of_a_list) {
    char out[128];
    assert_int_equal(fields("", out), 0);
    assert_int_equal(fields("a", out), 1);
    assert_int_equal(fields("a,", out), 2);
    assert_string_equal(out, "<a><>");
    assert_int_equal(fields(",", out), 2);
    assert_string_equal(out, "<><>");
    assert_int_equal(fields("a,,bc", out), 3);
    assert_string_equal(out, "<a><><bc>");
}

TEST(utf8_is_strict) {
    assert_true(str_is_utf8(STR("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x90\xb3")));
    assert_true(str_is_utf8(STR_NONE));
    static const struct str bad[] = {
        {"\x80", 1},             /* lone continuation */
        {"\xc0\xaf", 2},         /* overlong */
        {"\xe0\x9f\xbf", 3},     /* overlong */
        {"\xed\xa0\x80", 3},     /* surrogate */
        {"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80", 4}, /* five bytes */
        {"\xe2\x82", 2},         /* cut off */
        {"\xe2\x28\xa1", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (str_is_utf8(bad[i]))
            fail_msg("row %zu is taken for UTF-8", i);
    assert_int_equal(str_utf8_len(STR("\xe2\x82\xac")), 3);
    assert_int_equal(str_utf8_len(STR("\xe2\x82")), 0);
}

TEST(hash_is_by_content) {
    char a[] = "container", b[] = "container";
    assert_true(str_hash(str_of(a)) == str_hash(str_of(b)));
    assert_true(str_hash(STR("container")) != str_hash(STR("containes")));
    assert_true(str_hash(STR("a")) != str_hash(STR("a\0")));
    assert_true(str_hash(STR_NONE) == str_hash(STR("")));
}

TEST(unsigned_numbers_are_strict) {
    uint64_t v = 7;
    assert_ok(str_to_u64(STR("0"), 10, &v));
    assert_int_equal(v, 0);
    assert_ok(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "0x1",
                                      "1.0",
                                      "18446744073709551616",
                                      "11",
                                      "1e1",
                                      "99999999999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        v = 7;
        assert_err(str_to_u64(str_of(bad[i]), 10, &v), ERR_INVALID);
        assert_int_equal(v, 7);
    }
    assert_err(str_to_u64(STR("1\0"), 10, &v), ERR_INVALID);
    assert_err(str_to_u64(STR_NONE, 10, &v), ERR_INVALID);
}

TEST(signed_numbers_are_strict) {
    int64_t v = 7;
    assert_ok(str_to_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v));
    assert_true(v == INT64_MIN);
    assert_ok(str_to_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &v));
    assert_true(v == INT64_MAX);
    assert_ok(str_to_i64(STR("-5"), -5, 5, &v));
    assert_int_equal(v, -5);
    static const char *const bad[] = {"",
                                      "-",
                                      "--1",
                                      "+1",
                                      "6",
                                      "-6",
                                      "9223372036854775808",
                                      "x",
                                      "1-",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(str_to_i64(str_of(bad[i]), -5, 5, &v), ERR_INVALID);
    assert_int_equal(v, -5);
}

TEST(copies_end_with_nul) {
    CLEAN_FREE
    char *z = str_dup(str_n("abcdef", 3));
    assert_string_equal(z, "abc");
    CLEAN_FREE
    char *empty = str_dup(STR_NONE);
    assert_string_equal(empty, "");
    assert_true(str_has_nul(STR("a\0b")));
    assert_false(str_has_nul(STR("ab")));
}
