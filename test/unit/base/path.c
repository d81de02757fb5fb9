#include "base/path.h"
#include "test.h"

static const struct {
    const char *in, *clean;
} cleaned[] = {
    {"", "."},
    {".", "."},
    {"/", "/"},
    {"//", "/"},
    {"a/b", "a/b"},
    {"a//b/", "a/b"},
    {"a/./b", "a/b"},
    {"a/../b", "b"},
    {"a/..", "."},
    {"..", ".."},
    {"../..", "../.."},
    {"../a/..", ".."},
    {"/..", "/"},
    {"/../a", "/a"},
    {"/a/../..", "/"},
    {"a/b/../../..", ".."},
    {"/a/b/../c", "/a/c"},
    {"../../a", "../../a"},
    {"a/b/..", "a"},
    {"/a/..", "/"},
};

TEST(clean_is_lexical) {
    for (size_t i = 0; i < ARRAY_LEN(cleaned); i++) {
        CLEAN_FREE
        char *out = path_clean(str_of(cleaned[i].in));
        if (strcmp(out, cleaned[i].clean))
            fail_msg("'%s' gives '%s', want '%s'", cleaned[i].in, out, cleaned[i].clean);
    }
}

static void joined(const char *a, const char *b, const char *want) {
    CLEAN_FREE
    char *out = path_join(a, b);
    assert_string_equal(out, want);
}

TEST(join_has_one_slash) {
    joined("a", "b", "a/b");
    joined("a/", "/b", "a/b");
    joined("/", "b", "/b");
    joined("", "b", "b");
    joined("/a//", "b/c", "/a/b/c");
}

TEST(base_and_dir) {
    assert_true(str_eq(path_base(STR("a/b/")), STR("b")));
    assert_true(str_eq(path_base(STR("/")), STR("/")));
    assert_true(str_eq(path_base(STR("x")), STR("x")));
    assert_true(str_eq(path_dir(STR("a/b")), STR("a")));
    assert_true(str_eq(path_dir(STR("a//b")), STR("a")));
    assert_true(str_eq(path_dir(STR("/x")), STR("/")));
    assert_true(str_eq(path_dir(STR("x")), STR(".")));
    assert_true(path_is_abs(STR("/x")));
    assert_false(path_is_abs(STR_NONE));
}

TEST(names) {
    char longest[256];
    memset(longest, 'n', sizeof(longest));
    assert_true(path_is_name(str_n(longest, 255)));
    assert_false(path_is_name(str_n(longest, 256)));
    assert_true(path_is_name(STR("...")));
    assert_false(path_is_name(STR("")));
    assert_false(path_is_name(STR(".")));
    assert_false(path_is_name(STR("..")));
    assert_false(path_is_name(STR("a/b")));
    assert_false(path_is_name(STR("a\0b")));
}
