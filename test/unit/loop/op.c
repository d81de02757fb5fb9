/* Ops: order on one queue, refusal, work on the pool, watchers, timers, posts. */
#include "loop/op.h"
#include "test.h"
#include <sys/socket.h>
#include <unistd.h>

struct trace {
    struct loop *loop;
    struct op_queue queue;
    char text[64];
    unsigned open;
};
struct step {
    struct trace *t;
    char letter;
    bool refuse;
};

static void note(struct trace *t, char c) {
    size_t n = strlen(t->text);
    assert_true(n + 1 < sizeof t->text);
    t->text[n] = c;
}

static struct err prepare(void *job) {
    struct step *s = job;
    note(s->t, s->letter);
    return s->refuse ? err_new(ERR_CONFLICT, "refused") : OK;
}

static struct err work(void *job) {
    usleep(1000);
    (void)job;
    return OK;
}

static void finish(void *job, struct err e, struct op_run *run) {
    struct step *s = job;
    note(s->t, err_failed(e) ? '!' : (char)(s->letter - 'a' + 'A'));
    err_free(e);
    op_end(run);
    if (--s->t->open == 0)
        loop_stop(s->t->loop);
}

static const struct op slow = {"slow", prepare, work, finish};
static const struct op quick = {"quick", prepare, NULL, finish};

TEST(ops_on_a_queue_run_in_order_and_a_refusal_does_not_work) {
    struct trace t = {.loop = loop_new(), .open = 4};
    op_queue_init(&t.queue);
    struct step steps[] = {{&t, 'a', false}, {&t, 'b', true}, {&t, 'c', false}, {&t, 'd', false}};
    op_start(t.loop, &t.queue, &slow, &steps[0]);
    op_start(t.loop, &t.queue, &slow, &steps[1]);
    op_start(t.loop, &t.queue, &quick, &steps[2]);
    op_start(t.loop, &t.queue, &slow, &steps[3]);
    assert_int_equal(t.queue.length, 4);
    loop_run(t.loop);
    assert_string_equal(t.text, "aAb!cCdD");
    assert_int_equal(t.queue.length, 0);
    op_queue_done(&t.queue);
    loop_free(t.loop);
}

static void count(void *arg) {
    ++*(unsigned *)arg;
}

static void readable(void *arg, unsigned events) {
    assert_true(events & WATCH_READ);
    ++*(unsigned *)arg;
}

/* A descriptor that lives on elsewhere must not wake a loop that has let go of it. */
TEST(freed_watch_is_silent_while_a_copy_lives) {
    struct loop *l = loop_new();
    int pair[2];
    unsigned hits = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int copy = dup(pair[0]);
    struct watch *w = watch_new(l, pair[0], WATCH_READ, readable, &hits);
    watch_free(w);
    close(pair[0]);
    assert_int_equal(write(pair[1], "x", 1), 1);
    unsigned timer_hits = 0;
    struct timer *t = timer_new(l, 2000000, 0, count, &timer_hits);
    while (timer_hits == 0)
        loop_step(l);
    timer_free(t);
    assert_int_equal(hits, 0);
    close(copy);
    close(pair[1]);
    loop_free(l);
}

TEST(posted_calls_run_in_order) {
    struct loop *l = loop_new();
    unsigned n = 0;
    for (int i = 0; i < 100; i++)
        loop_post(l, count, &n);
    while (n < 100)
        loop_step(l);
    loop_free(l);
}
