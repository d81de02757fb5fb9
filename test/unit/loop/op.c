#include "test.h"

#include "base/mem.h"
#include "loop/bus.h"
#include "loop/op.h"

#include <poll.h>

struct order {
    struct loop *loop;
    char text[256];
    int left;
};
struct job {
    struct order *order;
    char name;
    bool refuse, fail, slow;
    struct op_run **hold;
};

static void note(struct job *j, char what) {
    size_t n = strlen(j->order->text);
    assert_true(n + 3 < sizeof(j->order->text));
    j->order->text[n] = j->name;
    j->order->text[n + 1] = what;
    j->order->text[n + 2] = '\0';
}
static struct err prepare(void *arg) {
    struct job *j = arg;
    note(j, 'p');
    return j->refuse ? err_new(ERR_CONFLICT, "refused") : OK;
}
static struct err work(void *arg) {
    struct job *j = arg;
    if (j->slow)
        poll(NULL, 0, 20);
    return j->fail ? err_new(ERR_SYSTEM, "failed") : OK;
}
static void finish(void *arg, struct err e, struct op_run *run) {
    struct job *j = arg;
    note(j, err_failed(e) ? 'x' : 'f');
    err_free(e);
    if (--j->order->left == 0)
        loop_stop(j->order->loop);
    if (j->hold)
        *j->hold = run;
    else
        op_end(run);
}
static const struct op with_work = {"test op", prepare, work, finish};
static const struct op no_work = {"test op without work", prepare, NULL, finish};

TEST(ops_of_a_queue_run_in_order) {
    struct order o = {.loop = loop_new(), .left = 4};
    struct op_queue q;
    op_queue_init(&q);
    struct job a = {&o, 'a', .slow = true}, b = {&o, 'b', .refuse = true},
               c = {&o, 'c', .fail = true}, d = {&o, 'd'};
    op_start(o.loop, &q, &with_work, &a);
    op_start(o.loop, &q, &with_work, &b);
    op_start(o.loop, &q, &with_work, &c);
    op_start(o.loop, &q, &no_work, &d);
    assert_int_equal(q.length, 4);
    loop_run(o.loop);
    assert_string_equal(o.text, "apafbpbxcpcxdpdf");
    assert_int_equal(q.length, 0);
    op_queue_done(&q);
    loop_free(o.loop);
}

TEST(ops_of_two_queues_run_side_by_side) {
    struct order o = {.loop = loop_new(), .left = 2};
    struct op_queue q1, q2;
    op_queue_init(&q1);
    op_queue_init(&q2);
    struct job a = {&o, 'a', .slow = true}, b = {&o, 'b'};
    op_start(o.loop, &q1, &with_work, &a);
    op_start(o.loop, &q2, &with_work, &b);
    loop_run(o.loop);
    assert_string_equal(o.text, "apbpbfaf");
    loop_free(o.loop);
}

TEST(queue_is_held_until_op_end) {
    struct order o = {.loop = loop_new(), .left = 1};
    struct op_queue q;
    struct op_run *held = NULL;
    op_queue_init(&q);
    struct job a = {&o, 'a', .hold = &held}, b = {&o, 'b'};
    op_start(o.loop, &q, &with_work, &a);
    op_start(o.loop, &q, &with_work, &b);
    loop_run(o.loop);
    for (int i = 0; i < 5; i++)
        loop_step(o.loop);
    assert_string_equal(o.text, "apaf");
    o.left = 1;
    op_end(held);
    loop_run(o.loop);
    assert_string_equal(o.text, "apafbpbf");
    loop_free(o.loop);
}

static void owner_gone(void *arg) {
    struct op_queue **q = arg;
    op_queue_done(*q);
    free(*q);
    *q = NULL;
}

TEST(idle_may_free_the_queue_and_thousands_do_not_recurse) {
    enum { MANY = 20000 };
    struct order o = {.loop = loop_new(), .left = MANY};
    struct op_queue *q = NEW(struct op_queue);
    op_queue_init(q);
    q->idle = owner_gone;
    q->idle_arg = &q;
    struct op_run *held = NULL;
    struct job first = {&o, 'f', .hold = &held};
    op_start(o.loop, q, &no_work, &first);
    struct job *jobs = NEW_ARRAY(MANY, struct job);
    static const struct op quiet = {"quiet", NULL, NULL, finish};
    o.left = MANY;
    for (int i = 0; i < MANY; i++) {
        jobs[i].order = &o;
        op_start(o.loop, q, &quiet, &jobs[i]);
    }
    /* finish notes two characters each: too many for the text, so start over as it fills up */
    op_end(held);
    while (o.left > 0) {
        o.text[0] = '\0';
        loop_step(o.loop);
    }
    assert_null(q);
    free(jobs);
    loop_free(o.loop);
}

struct listener {
    struct bus_sub sub;
    struct bus *bus;
    struct listener *kills;
    int heard;
    bool again;
};
static void hear(void *arg, const void *event) {
    struct listener *s = arg;
    s->heard += *(const int *)event;
    if (s->kills)
        bus_unsubscribe(&s->kills->sub);
    if (s->again) {
        s->again = false;
        bus_publish(s->bus, event);
    }
}

TEST(bus_survives_changes_from_callbacks) {
    struct bus b;
    bus_init(&b);
    struct listener s[4] = {0};
    for (int i = 0; i < 4; i++) {
        s[i].bus = &b;
        bus_subscribe(&b, &s[i].sub, hear, &s[i]);
    }
    s[0].kills = &s[1]; /* the next one */
    s[2].kills = &s[2]; /* itself */
    s[3].again = true;  /* publishes while publishing */
    int one = 1;
    bus_publish(&b, &one);
    assert_int_equal(s[0].heard, 2);
    assert_int_equal(s[1].heard, 0);
    assert_int_equal(s[2].heard, 1);
    assert_int_equal(s[3].heard, 2);
    bus_unsubscribe(&s[0].sub);
    bus_unsubscribe(&s[3].sub);
    assert_true(list_empty(&b.subs));
}
