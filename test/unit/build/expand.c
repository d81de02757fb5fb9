/* Variable expansion, as a table. */
#include "build/expand.h"
#include "test.h"

static const char *variable(void *arg, struct str name) {
    (void)arg;
    static const char *const set[][2] = {
        {"A", "one"},     {"EMPTY", ""},       {"F", "dir/file.tar.gz"},
        {"SP", " a  b "}, {"U", "\xc3\xa4xy"}, {"NL", "a\nb"}};
    for (size_t i = 0; i < ARRAY_LEN(set); i++)
        if (str_eqz(name, set[i][0]))
            return set[i][1];
    return NULL;
}

static const struct expand plain = {.get = variable, .escape = '\\'};

static void is(const char *in, const char *want) {
    CLEAN_BUF struct buf got = {0};
    assert_ok(expand_word(&plain, str_of(in), &got));
    assert_string_equal(buf_cstr(&got), want);
}
static void bad(const char *in) {
    CLEAN_BUF struct buf got = {0};
    assert_err(expand_word(&plain, str_of(in), &got), ERR_INVALID);
}

TEST(quotes_and_escapes) {
    is("a'b $A'c", "ab $Ac");
    is("a\"b $A\"c", "ab onec");
    is("\\$A \\a \"\\$A \\a\"", "$A a $A \\a");
    is("a\\", "a");
    bad("'a");
    bad("\"a");
}

TEST(variables) {
    is("$A$NONE-${A}x", "one-onex");
    is("$ ${A}$", "$ one$");
    is("$1x ${12}", "x ");
    is("${NONE}", "");
    bad("${");
    bad("${}");
    bad("${A");
    bad("${:-x}");
}

TEST(defaults) {
    is("${NONE:-x} ${EMPTY:-x} ${EMPTY-x} ${A:-x}", "x x  one");
    is("${NONE:+x}${EMPTY:+x}${EMPTY+y}${A:+z}", "yz");
    is("${NONE:-${NONE:-$A}}", "one");
    is("${A:?m}${EMPTY?m}", "one");
    bad("${NONE?m}");
    bad("${EMPTY:?}");
    bad("${A=x}");
    bad("${A:#x}");
}

TEST(patterns) {
    is("${F#*/}", "file.tar.gz");
    is("${F%.*} ${F%%.*} ${F##*.}", "dir/file.tar dir/file gz");
    is("${F%nothing}${F#nothing}", "dir/file.tar.gzdir/file.tar.gz");
    is("${A#?}${A%?}", "neon");
    is("${U#?}", "xy");
    is("${NL#*}${NL##*}", "a\nb\nb");
    is("${A/n/N} ${F//i/I} ${A/x/y}", "oNe dIr/fIle.tar.gz one");
    is("${F/.*/}", "dir/file");
    bad("${A/n}");
    bad("${A#\\x}");
}

TEST(keeping) {
    struct expand x = {.get = variable, .escape = '\\', .keep_unset = true, .keep_quotes = true};
    CLEAN_BUF struct buf got = {0};
    assert_ok(expand_word(&x, STR("\"$A\" '$A' $NO ${NO} ${NO:-a} ${NO/a/b}"), &got));
    assert_string_equal(buf_cstr(&got), "\"one\" '$A' $NO ${NO} ${NO:-a} ${NO/a/b}");
    struct expand doc = {.get = variable, .escape = '\\', .ignore_quotes = true};
    buf_clear(&got);
    assert_ok(expand_word(&doc, STR("it's \"$A\" \\$A"), &got));
    assert_string_equal(buf_cstr(&got), "it's \"one\" $A");
}

TEST(splitting) {
    CLEAN_STRV struct strv w = {0};
    assert_ok(expand_words(&plain, STR("x${SP}y \"${SP}\" a\\ b <<  E"), &w));
    assert_int_equal(w.n, 7);
    assert_string_equal(w.items[0], "x");
    assert_string_equal(w.items[1], "a");
    assert_string_equal(w.items[2], "b");
    assert_string_equal(w.items[3], "y");
    assert_string_equal(w.items[4], " a  b ");
    assert_string_equal(w.items[5], "a b");
    assert_string_equal(w.items[6], "<<  E");
}

TEST(names_that_are_not_set) {
    CLEAN_STRV struct strv unset = {0};
    struct expand x = {.get = variable, .escape = '\\', .unset = &unset};
    CLEAN_BUF struct buf got = {0};
    assert_ok(expand_word(&x, STR("$A $B ${C:-x}"), &got));
    assert_int_equal(unset.n, 2);
    assert_string_equal(unset.items[0], "B");
    assert_string_equal(unset.items[1], "C");
}

TEST(limits) {
    CLEAN_BUF struct buf in = {0};
    CLEAN_BUF struct buf got = {0};
    for (int i = 0; i < 100; i++)
        buf_adds(&in, "${N:-");
    for (int i = 0; i < 100; i++)
        buf_addc(&in, '}');
    assert_err(expand_word(&plain, buf_str(&in), &got), ERR_INVALID);
    /* A text of 200 KB against a pattern of as many stars ends in time. */
    CLEAN_BUF struct buf text = {0};
    CLEAN_BUF struct buf pattern = {0};
    for (int i = 0; i < 200000; i++)
        buf_addc(&text, 'a');
    for (int i = 0; i < 20000; i++)
        buf_adds(&pattern, "*b");
    struct err e = pattern_replace(buf_str(&text), buf_str(&pattern), STR("x"), true, &got);
    assert_int_equal(err_kind(e), ERR_INVALID);
    err_free(e);
}
