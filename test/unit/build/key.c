/* Keys of steps: every part counts, and no two parts run together. */
#include "build/key.h"
#include "test.h"

/* The key of up to three texts, NULL included. */
static void key_of(const char *op, const char *parent, const char *const *parts, size_t n,
                   char ret[KEY_TEXT]) {
    CLEAN_KEY struct key k = {0};
    key_begin(&k, op, parent);
    for (size_t i = 0; i < n; i++)
        key_addz(&k, parts[i]);
    key_end(&k, ret);
}

TEST(same_parts_same_key) {
    const char *const parts[] = {"a", NULL, ""};
    char one[KEY_TEXT], two[KEY_TEXT];
    key_of("run", "sha256:0", parts, 3, one);
    key_of("run", "sha256:0", parts, 3, two);
    assert_string_equal(one, two);
    assert_int_equal(strlen(one), 64);
    assert_int_equal(strspn(one, "0123456789abcdef"), 64);
}

TEST(different_parts_different_keys) {
    static const char *const rows[][4] = {
        {"run", "p", "ab", "c"},   {"run", "p", "a", "bc"},  {"run", "p", "abc", ""},
        {"run", "p", "abc", NULL}, {"run", "p", "", "abc"},  {"run", "p", NULL, "abc"},
        {"run", "pab", "c", ""},   {"copy", "p", "ab", "c"}, {"runp", "", "ab", "c"},
        {"run", "p", "+", "ab"},   {"run", "p", "-", "ab"},
    };
    char keys[ARRAY_LEN(rows)][KEY_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        key_of(rows[i][0], rows[i][1], rows[i] + 2, 2, keys[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
}

TEST(lists_keep_their_borders) {
    CLEAN_ARENA struct arena a = {0};
    struct strs two = {0}, one = {0}, none = {0};
    strs_add(&two, &a, "x");
    strs_add(&two, &a, "y");
    strs_add(&one, &a, "x");
    char split[KEY_TEXT], whole[KEY_TEXT];
    CLEAN_KEY struct key k = {0};
    key_begin(&k, "run", "p");
    key_add_list(&k, &two);
    key_add_list(&k, &none);
    key_end(&k, split);
    CLEAN_KEY struct key l = {0};
    key_begin(&l, "run", "p");
    key_add_list(&l, &one);
    key_addz(&l, "y");
    key_add_list(&l, &none);
    key_end(&l, whole);
    assert_string_not_equal(split, whole);
}

TEST(parts_with_nul) {
    char one[KEY_TEXT], two[KEY_TEXT];
    CLEAN_KEY struct key k = {0};
    key_begin(&k, "copy", "p");
    key_add(&k, str_n("a\0b", 3));
    key_end(&k, one);
    CLEAN_KEY struct key l = {0};
    key_begin(&l, "copy", "p");
    key_add(&l, str_n("a\0c", 3));
    key_end(&l, two);
    assert_string_not_equal(one, two);
}
