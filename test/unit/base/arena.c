#include "base/arena.h"
#include "test.h"

TEST(zeroed_and_aligned) {
    CLEAN_ARENA struct arena a = {0};
    for (size_t size = 0; size < 3000; size += 7) {
        char *p = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    assert_true(a.total >= 3000 / 7 * 1500);
}

TEST(pointers_stay_valid) {
    CLEAN_ARENA struct arena a = {0};
    char *texts[500];
    for (int i = 0; i < 500; i++) {
        texts[i] = arena_printf(&a, "text %d", i);
        if (i % 50 == 0)
            memset(arena_alloc(&a, 100000), 1, 100000);
    }
    for (int i = 0; i < 500; i++) {
        char want[32];
        snprintf(want, sizeof(want), "text %d", i);
        assert_string_equal(texts[i], want);
    }
}

TEST(strings) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(arena_str(&a, str_n("abcdef", 2)), "ab");
    assert_string_equal(arena_str(&a, STR_NONE), "");
    assert_null(arena_strz(&a, NULL));
    assert_string_equal(arena_strz(&a, "z"), "z");
    int *numbers = arena_array(&a, 10, sizeof(int));
    assert_int_equal(numbers[9], 0);
}

TEST(done_leaves_an_empty_arena) {
    struct arena a = {0};
    arena_alloc(&a, 10);
    arena_done(&a);
    assert_null(a.head);
    arena_alloc(&a, 10);
    arena_done(&a);
}
