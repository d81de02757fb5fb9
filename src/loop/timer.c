#include "loop/state.h"

#include "base/mem.h"

#include <stdlib.h>

struct timer {
    uv_timer_t timer;
    struct loop *loop;
    timer_fn *fn;
    void *arg;
    uint64_t repeat_ms;
    bool freed;
};

/* libuv counts milliseconds. Rounded up: a timer never fires early. */
static uint64_t to_ms(int64_t ns) {
    return ns <= 0 ? 0 : ((uint64_t)ns + 999999) / 1000000;
}

static void on_timer(uv_timer_t *handle) {
    struct timer *t = handle->data;
    struct loop *l = t->loop;
    const void *code = (const void *)(uintptr_t)t->fn;
    struct loop_span s = loop_enter(l);
    t->fn(t->arg);
    loop_leave(l, s, "timer", code);
}

void timer_set(struct timer *t, int64_t delay_ns) {
    if (t->freed)
        return;
    /* Delays count from now, not from when this round of the loop began. */
    uv_update_time(&t->loop->uv);
    loop_must(uv_timer_start(&t->timer, on_timer, to_ms(delay_ns), t->repeat_ms), "timer start");
}

struct timer *timer_new(struct loop *l, int64_t delay_ns, int64_t repeat_ns, timer_fn *fn,
                        void *arg) {
    struct timer *t = NEW(struct timer);
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    t->repeat_ms = to_ms(repeat_ns);
    loop_must(uv_timer_init(&l->uv, &t->timer), "timer init");
    t->timer.data = t;
    timer_set(t, delay_ns);
    return t;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

struct timer *timer_free(struct timer *t) {
    if (t && !t->freed) {
        t->freed = true;
        uv_close((uv_handle_t *)&t->timer, on_closed);
    }
    return NULL;
}
