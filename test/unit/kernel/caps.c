#include "test.h"

#include "kernel/caps.h"

TEST(names_and_numbers) {
    for (int i = 0; i < CAPS_COUNT; i++)
        assert_int_equal(caps_number(str_of(caps_name(i))), i);
    assert_int_equal(caps_number(STR("CAP_CHOWN")), 0);
    assert_int_equal(caps_number(STR("CAP_SYS_ADMIN")), 21);
    assert_int_equal(caps_number(STR("CAP_CHECKPOINT_RESTORE")), 40);
    static const char *const bad[] = {"", "cap_chown", "CHOWN", "CAP_", "CAP_NONE", "CAP_CHOWN "};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(caps_number(str_of(bad[i])), -1);
    assert_null(caps_name(-1));
    assert_null(caps_name(CAPS_COUNT));
}

TEST(our_own_sets_are_consistent) {
    struct caps c;
    uint64_t possible;
    assert_ok(caps_get(&c));
    assert_ok(caps_possible(&possible));
    assert_int_equal(c.effective & ~c.permitted, 0);
    assert_int_equal(c.ambient & ~(c.permitted & c.inheritable), 0);
    assert_int_equal(possible, c.permitted & c.bounding);
}
