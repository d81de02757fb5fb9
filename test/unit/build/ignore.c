/* File name patterns and ignore files, as tables. */
#include "build/ignore.h"
#include "test.h"

static bool matches(const char *pattern, enum glob_dialect d, const char *name) {
    struct glob g;
    assert_ok(glob_compile(str_of(pattern), d, &g));
    bool yes = glob_match(&g, str_of(name));
    glob_done(&g);
    return yes;
}
static bool ignored(const char *file, const char *path) {
    CLEAN_IGNORE struct ignore ig = {0};
    assert_ok(ignore_parse(str_of(file), ".dockerignore", &ig));
    return ignore_match(&ig, str_of(path));
}

TEST(path_patterns) {
    static const struct {
        const char *pattern, *name;
        bool yes;
    } t[] = {
        {"abc", "abc", true},
        {"*", "abc", true},
        {"*c", "abc", true},
        {"a*", "ab/c", false},
        {"a*/b", "abc/b", true},
        {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
        {"a*b?c*x", "abxbbxdbxebxczzx", true},
        {"ab[c]", "abc", true},
        {"ab[b-d]", "abc", true},
        {"ab[^c]", "abc", false},
        {"ab[^b-d]", "abe", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "ab", false},
        {"a?b",
         "a\xe2\x98\xba"
         "b",
         true},
        {"a[^a]b",
         "a\xe2\x98\xba"
         "b",
         true},
        {"a???b",
         "a\xe2\x98\xba"
         "b",
         false},
        {"[\\]a]", "]", true},
        {"[x\\-]", "-", true},
        {"*x", "xxx", true},
        {"a?b", "a/b", false},
        {"a**b", "a/b", false},
        {"a**b", "axb", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        if (matches(t[i].pattern, GLOB_PATH, t[i].name) != t[i].yes)
            fail_msg("'%s' and '%s'", t[i].pattern, t[i].name);
}

TEST(double_star) {
    static const struct {
        const char *pattern, *name;
        bool yes;
    } t[] = {
        {"**", "a", true},
        {"**", "a/b/c", true},
        {"**/file", "file", true},
        {"**/file", "a/file", true},
        {"**/file", "a/b/file", true},
        {"**/file", "afile", false},
        {"**/file", "a/xfile", false},
        {"dir/**", "dir/a/b", true},
        {"dir/**", "dir", false},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b", "ab", false},
        {"**.o", "a/b.o", false},
        {"**/*.o", "a/b.o", true},
        {"**/**/x", "x", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        if (matches(t[i].pattern, GLOB_IGNORE, t[i].name) != t[i].yes)
            fail_msg("'%s' and '%s'", t[i].pattern, t[i].name);
}

TEST(bad_patterns) {
    static const char *const bad[] = {"[", "[a", "a\\", "[]a]", "[-x]", "[x-]", "[^]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct glob g;
        assert_err(glob_compile(str_of(bad[i]), GLOB_PATH, &g), ERR_INVALID);
    }
    CLEAN_IGNORE struct ignore ig = {0};
    struct err e = ignore_parse(STR("ok\n# [\n[\n"), ".dockerignore", &ig);
    assert_true(err_failed(e));
    assert_non_null(strstr(err_msg(e), ".dockerignore:3"));
    err_free(e);
    assert_err(ignore_parse(STR("!"), ".dockerignore", &ig), ERR_INVALID);
}

TEST(ignore_files) {
    assert_true(ignored("node_modules", "node_modules/a/b"));
    assert_false(ignored("node_modules", "x/node_modules"));
    assert_true(ignored("**/node_modules", "x/node_modules/y"));
    assert_true(ignored("/a/", "a"));
    assert_true(ignored("./a/../b", "b/c"));
    assert_false(ignored("#a", "#a"));
    assert_true(ignored(" a \r\n", "a"));
    assert_true(ignored("*\n!keep", "other"));
    assert_false(ignored("*\n!keep", "keep"));
    assert_false(ignored("*\n!keep", "keep/below"));
    assert_true(ignored("*\n!keep\nkeep/not", "keep/not/x"));
    assert_false(ignored("!a", "a"));
    assert_true(ignored("a\n!a\na", "a"));
    assert_false(ignored("", "a"));
}

TEST(hostile_patterns_take_linear_time) {
    CLEAN_BUF struct buf p = {0};
    CLEAN_BUF struct buf n = {0};
    for (int i = 0; i < 1300; i++)
        buf_adds(&p, "**/");
    for (int i = 0; i < 2000; i++)
        buf_adds(&n, "a/");
    buf_adds(&p, "b");
    assert_false(matches(buf_cstr(&p), GLOB_IGNORE, buf_cstr(&n)));
}
