#include "base/json.h"
#include "base/mem.h"
#include "test.h"

/* As STR, for static tables. */
#define ROW(lit) \
    { "" lit, sizeof(lit) - 1 }

static struct err parse_only(struct str text) {
    CLEAN_JSON struct json *j = NULL;
    return json_parse(text, &j);
}

TEST(values_of_every_type) {
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(STR(" {\"s\":\"a\\u00e9\\n\",\"i\":-5,\"d\":1.5,\"b\":true,\"n\":null,"
                             "\"a\":[1,\"x\"],\"o\":{\"k\":2}} "),
                         &j));
    int64_t i;
    double d;
    assert_int_equal(json_type(j), JSON_OBJECT);
    assert_true(str_eq(json_str(json_get(j, "s")), STR("a\xc3\xa9\n")));
    assert_true(json_i64(json_get(j, "i"), &i) && i == -5);
    assert_true(json_double(json_get(j, "d"), &d) && d == 1.5);
    assert_true(json_double(json_get(j, "i"), &d) && d == -5);
    assert_true(json_bool(json_get(j, "b"), false));
    assert_int_equal(json_type(json_get(j, "n")), JSON_NULL);
    assert_int_equal(json_len(json_get(j, "a")), 2);
    assert_true(str_eq(json_str(json_at(json_get(j, "a"), 1)), STR("x")));
    assert_true(json_i64(json_get(json_get(j, "o"), "k"), &i) && i == 2);
}

TEST(nothing_is_never_a_crash) {
    int64_t i = 7;
    uint64_t u = 7;
    double d = 7;
    struct json_iter it = {0};
    assert_null(json_get(NULL, "x"));
    assert_null(json_at(NULL, 0));
    assert_int_equal(json_len(NULL), 0);
    assert_null(json_str(NULL).p);
    assert_true(json_bool(NULL, true));
    assert_false(json_i64(NULL, &i) || json_u64(NULL, &u) || json_double(NULL, &d));
    assert_false(json_each(NULL, &it));
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(STR("[1]"), &j));
    assert_null(json_get(j, "x"));
    assert_null(json_at(j, 1));
    assert_false(json_each(j, &it));
    json_free(NULL);
}

TEST(integers_are_exact) {
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(STR("[18446744073709551615,9223372036854775807,-9223372036854775808,"
                             "9223372036854775808,1.0]"),
                         &j));
    uint64_t u;
    int64_t i;
    double d;
    assert_true(json_u64(json_at(j, 0), &u) && u == UINT64_MAX);
    assert_false(json_i64(json_at(j, 0), &i));
    assert_true(json_i64(json_at(j, 1), &i) && i == INT64_MAX);
    assert_true(json_i64(json_at(j, 2), &i) && i == INT64_MIN);
    assert_false(json_u64(json_at(j, 2), &u));
    assert_false(json_i64(json_at(j, 3), &i));
    assert_true(json_double(json_at(j, 0), &d) && d == 18446744073709551615.0);
    assert_false(json_i64(json_at(j, 4), &i)); /* a fraction is not an integer, not even .0 */
    /* What fits no integer is refused, not bent to the nearest. */
    assert_err(parse_only(STR("18446744073709551616")), ERR_INVALID);
    assert_err(parse_only(STR("-9223372036854775809")), ERR_INVALID);
}

TEST(order_is_kept_and_the_last_duplicate_wins) {
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(STR("{\"z\":1,\"a\":2,\"z\":3}"), &j));
    struct json_iter it = {0};
    int64_t i;
    assert_true(json_each(j, &it));
    assert_true(str_eq(it.key, STR("z")) && json_i64(it.value, &i) && i == 3);
    assert_true(json_each(j, &it));
    assert_true(str_eq(it.key, STR("a")));
    assert_false(json_each(j, &it));
}

/* Few members are compared each with each, many are sorted: the same comes of it. */
TEST(duplicates_among_many) {
    for (size_t n = 2; n < 400; n += 7) {
        CLEAN_BUF struct buf text = {0}, want = {0}, got = {0};
        CLEAN_JSON struct json *j = NULL;
        struct json_iter it = {0};
        for (size_t i = 0; i < n; i++) /* key k of n/2 + 1 comes once or twice */
            buf_addf(&text, "%s\"key%zu\":[%zu,{\"a\":1,\"a\":%zu}]", i ? "," : "{",
                     i % (n / 2 + 1), i, i);
        buf_addc(&text, '}');
        assert_ok(json_parse(buf_str(&text), &j));
        assert_int_equal(json_len(j), n / 2 + 1);
        for (size_t k = 0; json_each(j, &it); k++) {
            CLEAN_FREE char *key = mem_printf("key%zu", k);
            size_t last = k + n / 2 + 1 < n ? k + n / 2 + 1 : k;
            assert_true(str_eqz(it.key, key) && json_get(j, key) == it.value);
            buf_clear(&want);
            buf_clear(&got);
            buf_addf(&want, "[%zu,{\"a\":%zu}]", last, last);
            json_print(it.value, &got);
            assert_string_equal(buf_cstr(&got), buf_cstr(&want));
        }
    }
}

TEST(escapes_and_surrogates) {
    static const struct {
        struct str text, wanted;
    } rows[] = {
        {ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), ROW("\"\\/\b\f\n\r\t")},
        {ROW("\"\\u0041\\u00e9\\u20AC\""), ROW("A\xc3\xa9\xe2\x82\xac")},
        {ROW("\"\\uD83D\\uDE00!\""), ROW("\xf0\x9f\x98\x80!")},
        {ROW("\"\\ud83d\""), ROW("\xef\xbf\xbd")},
        {ROW("\"\\ud83dx\""), ROW("\xef\xbf\xbdx")},
        {ROW("\"\\ud83d\\u0041\""), ROW("\xef\xbf\xbd"
                                        "A")},
        {ROW("\"\\ude00\\ud83d\\ude00\""), ROW("\xef\xbf\xbd\xf0\x9f\x98\x80")},
        {ROW("\"0123456\\n89abcdef\\t\""), ROW("0123456\n89abcdef\t")},
        {ROW("\"\""), ROW("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_JSON struct json *j = NULL;
        assert_ok(json_parse(rows[i].text, &j));
        assert_true(str_eq(json_str(j), rows[i].wanted));
        assert_int_equal(json_str(j).p[json_str(j).len], 0);
    }
}

/* Every value's text has room, whatever the values are. */
TEST(texts_fill_their_room) {
    static const char *const values[] = {"\"\"",        "1.5", "-0.1e-7",
                                         "\"\\u0001\"", "[]",  "{\"\":1.0}"};
    for (size_t v = 0; v < ARRAY_LEN(values); v++) {
        CLEAN_BUF struct buf text = {0}, again = {0};
        CLEAN_JSON struct json *j = NULL;
        for (size_t i = 0; i < 1000; i++)
            buf_addf(&text, "%s%s", i ? "," : "[", values[v]);
        buf_addc(&text, ']');
        CLEAN_FREE char *exact = mem_dup(buf_str(&text).p, text.len); /* nothing follows it */
        assert_ok(json_parse(str_n(exact, text.len), &j));
        assert_int_equal(json_len(j), 1000);
        json_print(j, &again);
        assert_true(str_eq(buf_str(&again), buf_str(&text)));
    }
    CLEAN_JSON struct json *j = NULL;
    CLEAN_FREE char *bare = mem_dup("12.25", 5);
    double d;
    assert_ok(json_parse(str_n(bare, 5), &j));
    assert_true(json_double(j, &d) && d == 12.25);
}

TEST(strings_may_hold_nul_keys_may_not) {
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(STR("\"a\\u0000b\""), &j));
    assert_int_equal(json_str(j).len, 3);
    assert_err(parse_only(STR("{\"a\\u0000b\":1}")), ERR_INVALID);
}

TEST(bare_values) {
    static const char *const good[] = {"0",     "-0",   "12",   "1e5", "1E-2",    "\"x\"",  "true",
                                       "false", "null", " [] ", "{}",  "\t1\r\n", "[[],{}]"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err e = parse_only(str_of(good[i]));
        if (err_failed(e))
            fail_msg("'%s': %s", good[i], err_msg(e));
    }
}

TEST(what_is_not_rfc_8259_is_refused) {
    static const struct str bad[] = {
        ROW(""),
        ROW(" "),
        ROW("{"),
        ROW("}"),
        ROW("[1,]"),
        ROW("{\"a\":1,}"),
        ROW("{a:1}"),
        ROW("{\"a\" 1}"),
        ROW("{\"a\":}"),
        ROW("[1 2]"),
        ROW("1 2"),
        ROW("{}x"),
        ROW("01"),
        ROW("+1"),
        ROW("1."),
        ROW(".5"),
        ROW("1e"),
        ROW("-"),
        ROW("NaN"),
        ROW("Infinity"),
        ROW("True"),
        ROW("nul"),
        ROW("'a'"),
        ROW("\"a"),
        ROW("\"\\x\""),
        ROW("\"\\u12g4\""),
        ROW("\"\\u12"),
        ROW("\"a\nb\""),
        ROW("/*c*/1"),
        ROW("1//c"),
        ROW("\"\xff\""),
        ROW("\"\xed\xa0\x80\""),
        ROW("1\0"),
        ROW("\0"),
        ROW("\xef\xbb\xbf"
            "1"),
        ROW("[1}"),
        ROW("{\"a\":1]"),
        ROW("nulll"),
        ROW("\"\\"),
        ROW("[,1]"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = parse_only(bad[i]);
        if (err_kind(e) != ERR_INVALID)
            fail_msg("row %zu '%s' is taken for JSON", i, bad[i].p);
        err_free(e);
    }
    assert_err(parse_only(STR_NONE), ERR_INVALID);
}

TEST(the_error_says_where) {
    CLEAN_ERR struct err e = parse_only(STR("{\"a\":tru}"));
    assert_non_null(strstr(err_msg(e), "offset 5"));
}

static struct err nested(size_t depth, const char *open, const char *inner, const char *close) {
    CLEAN_BUF struct buf b = {0};
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, open);
    buf_adds(&b, inner);
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, close);
    return parse_only(buf_str(&b));
}

TEST(depth_is_bounded) {
    assert_ok(nested(JSON_DEPTH_MAX, "[", "1", "]"));
    assert_ok(nested(JSON_DEPTH_MAX, "{\"k\":", "1", "}"));
    assert_err(nested(JSON_DEPTH_MAX + 1, "[", "1", "]"), ERR_INVALID);
    assert_err(nested(JSON_DEPTH_MAX, "[", "[]", "]"), ERR_INVALID);
    assert_err(nested(1000000, "[", "", ""), ERR_INVALID);
}

TEST(writer_puts_the_commas) {
    CLEAN_BUF struct buf b = {0};
    struct json_out o = {.out = &b};
    jo_obj(&o);
    jo_kstr(&o, "name", "web");
    jo_kstr(&o, "none", NULL);
    jo_ki64(&o, "n", -1);
    jo_kbool(&o, "on", true);
    jo_key(&o, "list");
    jo_arr(&o);
    jo_u64(&o, UINT64_MAX);
    jo_null(&o);
    jo_obj(&o);
    jo_obj_end(&o);
    jo_raw(&o, STR("{\"raw\":1}"));
    jo_arr_end(&o);
    jo_keys(&o, STR("k\""));
    jo_bool(&o, false);
    jo_obj_end(&o);
    assert_string_equal(buf_cstr(&b),
                        "{\"name\":\"web\",\"none\":null,\"n\":-1,\"on\":true,\"list\":"
                        "[18446744073709551615,null,{},{\"raw\":1}],\"k\\\"\":false}");
    assert_ok(parse_only(buf_str(&b)));
}

TEST(strings_are_escaped_as_go_does) {
    CLEAN_BUF struct buf b = {0};
    json_quote(&b, STR("a\"\\/\b\f\n\r\t\x01\x7f<&>\xe2\x80\xa8\xe2\x82\xac\xff\xc3"));
    assert_string_equal(buf_cstr(&b), "\"a\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\x7f<&>\\u2028"
                                      "\xe2\x82\xac\\ufffd\\ufffd\"");
    buf_clear(&b);
    json_quote(&b, STR("a\0b"));
    assert_string_equal(buf_cstr(&b), "\"a\\u0000b\"");
    buf_clear(&b);
    json_quote(&b, STR_NONE);
    assert_string_equal(buf_cstr(&b), "\"\"");
}

TEST(doubles_are_shortest) {
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {12345.678, "12345.678"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {1.0 / 3, "0.3333333333333333"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_BUF struct buf b = {0};
        struct json_out o = {.out = &b};
        jo_double(&o, rows[i].v);
        assert_string_equal(buf_cstr(&b), rows[i].text);
    }
}

TEST(print_gives_back_the_document) {
    static const char text[] =
        "{\"a\":[1,-2,18446744073709551615,1.5,null,true],\"b\":{\"c\":\"d\\n\"}}";
    CLEAN_JSON struct json *j = NULL;
    CLEAN_BUF struct buf b = {0};
    assert_ok(json_parse(str_of(text), &j));
    json_print(j, &b);
    assert_string_equal(buf_cstr(&b), text);
}
