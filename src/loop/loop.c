#include "loop/state.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <time.h>

/* The CPU clock of a thread is a system call, the monotonic clock is not. A reading of both is kept
 * and renewed at most once in this time; it bounds how much a slow callback can be under-reported.
 */
#define MARK_AGE_NS (1 * INT64_C(1000000))

struct loop_task {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void loop_must(int uv_result, const char *what) {
    if (uv_result == 0)
        return;
    log_error("loop: %s: %s", what, uv_strerror(uv_result));
    abort();
}

struct loop_span loop_enter(struct loop *l) {
    struct loop_span s = {clock_ns(CLOCK_MONOTONIC)};
    if (l->depth++ == 0 && s.wall - l->mark_wall > MARK_AGE_NS) {
        l->mark_wall = s.wall;
        l->mark_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    return s;
}

void loop_leave(struct loop *l, struct loop_span s, const char *what, const void *code) {
    const char *note = l->note;
    if (--l->depth > 0)
        return;
    l->note = NULL;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now - s.wall <= LOOP_SLOW_NS)
        return;
    /* What ran between the mark and this callback is not its fault: it is subtracted whole. */
    int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - l->mark_cpu - (s.wall - l->mark_wall);
    if (cpu <= LOOP_SLOW_NS)
        return;
    l->slow++;
    log_warn("loop: %s %s%s%p held the loop for %lld ms", what, note ? note : "",
             note ? " at " : "", code, (long long)(cpu / 1000000));
}

void loop_note(struct loop *l, const char *note) {
    l->note = note;
}

static void run_posts(uv_async_t *async) {
    struct loop *l = async->data;
    struct list todo;
    list_init(&todo);
    pthread_mutex_lock(&l->posts_lock);
    for (struct list *n; (n = list_pop(&l->posts));)
        list_push(&todo, n);
    pthread_mutex_unlock(&l->posts_lock);
    for (struct list *n; (n = list_pop(&todo));) {
        struct loop_task *t = CONTAINER_OF(n, struct loop_task, link);
        struct loop_span s = loop_enter(l);
        t->fn(t->arg);
        loop_leave(l, s, "posted function", (const void *)(uintptr_t)t->fn);
        free(t);
    }
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg) {
    struct loop_task *t = NEW(struct loop_task);
    t->fn = fn;
    t->arg = arg;
    pthread_mutex_lock(&l->posts_lock);
    list_push(&l->posts, &t->link);
    pthread_mutex_unlock(&l->posts_lock);
    uv_async_send(&l->wake);
}

struct loop *loop_new(void) {
    struct loop *l = NEW(struct loop);
    loop_must(uv_loop_init(&l->uv), "init");
    loop_must(uv_async_init(&l->uv, &l->wake, run_posts), "async init");
    l->wake.data = l;
    pthread_mutex_init(&l->posts_lock, NULL);
    list_init(&l->posts);
    list_init(&l->wards);
    list_init(&l->workers_waiting);
    return l;
}

void loop_free(struct loop *l) {
    if (!l)
        return;
    /* What was posted, or is under way, belongs to somebody: it still runs, and may post again. */
    do {
        while (l->jobs)
            uv_run(&l->uv, UV_RUN_ONCE);
        run_posts(&l->wake);
    } while (l->jobs || !list_empty(&l->posts));
    while (!list_empty(&l->wards)) {
        struct loop_ward *w = CONTAINER_OF(l->wards.next, struct loop_ward, link);
        w->end(w);
    }
    uv_close((uv_handle_t *)&l->wake, NULL);
    /* Handles that are being closed get their memory back in the next rounds. */
    int rc = UV_EBUSY;
    for (int round = 0; round < 100 && rc == UV_EBUSY; round++) {
        uv_run(&l->uv, UV_RUN_NOWAIT);
        rc = uv_loop_close(&l->uv);
    }
    loop_must(rc, "close with watchers left");
    pthread_mutex_destroy(&l->posts_lock);
    free(l);
}

void loop_ward_add(struct loop *l, struct loop_ward *w) {
    list_push(&l->wards, &w->link);
}

void loop_run(struct loop *l) {
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l) {
    uv_stop(&l->uv);
}

void loop_step(struct loop *l) {
    uv_run(&l->uv, UV_RUN_NOWAIT);
}

uint64_t loop_slow(const struct loop *l) {
    return l->slow;
}
