#include "base/buf.h"
#include "test.h"

TEST(empty_is_usable) {
    struct buf b = {0};
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_str(&b).len, 0);
    buf_clear(&b);
    buf_drop(&b, 0);
    CLEAN_FREE
    char *z = buf_take(&b);
    assert_string_equal(z, "");
    buf_done(&b);
}

TEST(grows_and_stays_terminated) {
    CLEAN_BUF struct buf b = {0};
    for (int i = 0; i < 10000; i++) {
        buf_addc(&b, 'x');
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 10000);
    assert_true(b.cap > b.len);
    buf_truncate(&b, 3);
    assert_string_equal(buf_cstr(&b), "xxx");
}

TEST(numbers_and_hex) {
    CLEAN_BUF struct buf b = {0};
    buf_add_u64(&b, 0);
    buf_addc(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_addc(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_addc(&b, ' ');
    buf_add_i64(&b, 42);
    buf_addc(&b, ' ');
    buf_add_hex(&b, "\x00\xaf\xff", 3);
    assert_string_equal(buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 42 00afff");
}

TEST(formats_short_and_long) {
    CLEAN_BUF struct buf b = {0};
    char wide[1000];
    memset(wide, 'w', sizeof(wide));
    buf_addf(&b, "%s-%d", "a", 1);
    assert_string_equal(buf_cstr(&b), "a-1");
    buf_addf(&b, "%.*s|", (int)sizeof(wide), wide);
    assert_int_equal(b.len, 3 + sizeof(wide) + 1);
    assert_int_equal(b.data[b.len - 1], '|');
}

TEST(drop_moves_the_rest) {
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "hello world");
    buf_drop(&b, 6);
    assert_string_equal(buf_cstr(&b), "world");
    buf_drop(&b, 5);
    assert_string_equal(buf_cstr(&b), "");
}

TEST(maximum_sets_overflow) {
    CLEAN_BUF struct buf b = {.max = 4};
    buf_adds(&b, "abcd");
    assert_false(b.overflow);
    buf_addc(&b, 'e');
    assert_true(b.overflow);
    assert_string_equal(buf_cstr(&b), "abcd");
    buf_clear(&b);
    assert_false(b.overflow);
    buf_addf(&b, "%d", 12345);
    assert_true(b.overflow);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    memcpy(buf_room(&b, 10), "0123456789", 10);
    buf_added(&b, 10);
    assert_true(b.overflow);
    assert_string_equal(buf_cstr(&b), "0123");
}

TEST(take_hands_over) {
    struct buf b = {0};
    buf_adds(&b, "mine");
    CLEAN_FREE
    char *z = buf_take(&b);
    assert_string_equal(z, "mine");
    assert_null(b.data);
}
