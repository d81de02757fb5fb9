#include "base/map.h"
#include "test.h"

static void *num(size_t i) {
    return (void *)(uintptr_t)(i + 1);
}
static struct str key_of(size_t i, char text[32]) {
    return str_n(text, (size_t)snprintf(text, 32, "key-%zu", i));
}

TEST(empty_map) {
    struct map m = {0};
    size_t it = 0;
    assert_null(map_get(&m, STR("a")));
    assert_null(map_del(&m, STR("a")));
    assert_false(map_next(&m, &it, NULL, NULL));
    map_done(&m);
}

TEST(set_get_replace) {
    CLEAN_MAP struct map m = {0};
    char key[] = "web";
    assert_null(map_set(&m, str_of(key), num(1)));
    key[0] = 'X'; /* the map has its own copy */
    assert_ptr_equal(map_getz(&m, "web"), num(1));
    assert_ptr_equal(map_set(&m, STR("web"), num(2)), num(1));
    assert_ptr_equal(map_getz(&m, "web"), num(2));
    assert_int_equal(m.n, 1);
    assert_null(map_getz(&m, "Xeb"));
    assert_null(map_set(&m, STR(""), num(3)));
    assert_ptr_equal(map_get(&m, STR_NONE), num(3));
    assert_null(map_set(&m, STR("a\0b"), num(4)));
    assert_null(map_get(&m, STR("a\0c")));
}

TEST(many_with_deletions) {
    CLEAN_MAP struct map m = {0};
    char text[32];
    for (size_t i = 0; i < 20000; i++) {
        map_set(&m, key_of(i, text), num(i));
        if (i >= 100)
            assert_ptr_equal(map_del(&m, key_of(i - 100, text)), num(i - 100));
    }
    assert_int_equal(m.n, 100);
    assert_true(m.cap <= 1024); /* deleted slots are swept, the table does not grow for ever */
    for (size_t i = 0; i < 20000; i++)
        assert_ptr_equal(map_get(&m, key_of(i, text)), i >= 19900 ? num(i) : NULL);
}

TEST(iteration_sees_each_once_and_may_remove) {
    CLEAN_MAP struct map m = {0};
    char text[32];
    for (size_t i = 0; i < 500; i++)
        map_set(&m, key_of(i, text), num(i));
    size_t it = 0, seen = 0, sum = 0;
    struct str key;
    void *value;
    while (map_next(&m, &it, &key, &value)) {
        seen++;
        sum += (uintptr_t)value;
        char copy[32];
        snprintf(copy, sizeof(copy), "%.*s", STR_ARG(key));
        assert_ptr_equal(map_del(&m, str_of(copy)), value);
    }
    assert_int_equal(seen, 500);
    assert_int_equal(sum, 500 * 501 / 2);
    assert_int_equal(m.n, 0);
}
