#include "base/list.h"
#include "test.h"

struct item {
    int n;
    struct list link;
};

static int order(struct list *h) {
    int v = 0;
    LIST_FOR (h, n)
        v = v * 10 + CONTAINER_OF(n, struct item, link)->n;
    return v;
}

TEST(push_both_ends_and_pop) {
    struct list head;
    struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3};
    list_init(&head);
    assert_true(list_empty(&head));
    list_push(&head, &b.link);
    list_push(&head, &c.link);
    list_push_front(&head, &a.link);
    assert_int_equal(order(&head), 123);
    assert_ptr_equal(list_pop(&head), &a.link);
    assert_int_equal(order(&head), 23);
}

TEST(remove_is_safe_twice_and_while_walking) {
    struct list head;
    struct item items[4] = {{.n = 1}, {.n = 2}, {.n = 3}, {.n = 4}};
    list_init(&head);
    for (int i = 0; i < 4; i++)
        list_push(&head, &items[i].link);
    LIST_FOR (&head, n) {
        struct item *it = CONTAINER_OF(n, struct item, link);
        if (it->n % 2 == 0)
            list_remove(n);
    }
    assert_int_equal(order(&head), 13);
    list_remove(&items[1].link);
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    assert_true(list_empty(&head));
    assert_null(list_pop(&head));
}
