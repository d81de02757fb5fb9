#include "base/random.h"
#include "test.h"

TEST(ids_are_hex_and_differ) {
    char a[65], b[65];
    random_id(a);
    random_id(b);
    assert_int_equal(strlen(a), 64);
    assert_int_equal(strspn(a, "0123456789abcdef"), 64);
    assert_string_not_equal(a, b);
    assert_true(random_u64() != random_u64());
}

TEST(short_ids_are_never_decimal) {
    /* One id in 282 would be: 20,000 draws would show it. */
    for (int i = 0; i < 20000; i++) {
        char id[65];
        random_id(id);
        assert_true(strspn(id, "0123456789") < 12);
    }
}
