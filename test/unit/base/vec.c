#include "base/vec.h"
#include "test.h"

TEST(push_add_remove) {
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        vec_push(&v, i);
    assert_int_equal(v.n, 1000);
    assert_int_equal(v.items[999], 999);
    vec_remove(&v, 0);
    assert_int_equal(v.items[0], 1);
    vec_remove(&v, v.n - 1);
    assert_int_equal(v.items[v.n - 1], 998);
    int *fresh = vec_add(&v);
    assert_int_equal(*fresh, 0);
    vec_done(&v);
    assert_int_equal(v.n, 0);
}

TEST(structs_by_value) {
    struct point {
        int x, y;
    };
    VEC(struct point) v = {0};
    vec_push(&v, (struct point){1, 2});
    vec_push(&v, (struct point){.y = 4});
    assert_int_equal(v.items[0].y, 2);
    assert_int_equal(v.items[1].x, 0);
    vec_done(&v);
}

TEST(strings_are_owned) {
    CLEAN_STRV struct strv v = {0};
    char name[] = "one";
    strv_add(&v, name);
    name[0] = 'X';
    strv_addf(&v, "%d-%s", 2, "two");
    char **argv = strv_argv(&v);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "2-two");
    assert_null(argv[2]);
    assert_int_equal(v.n, 2);
}

TEST(argv_of_nothing_and_at_capacity) {
    CLEAN_STRV struct strv v = {0};
    assert_null(strv_argv(&v)[0]);
    while (v.n < v.cap)
        strv_add(&v, "x");
    assert_null(strv_argv(&v)[v.n]);
}
