/* loop/state.h - inside of loop/: struct loop and the clock around callbacks. For the files of this
 * folder only; everybody else sees loop/loop.h.
 */
#pragma once
#include "loop/loop.h"
#include <pthread.h>
#include <uv.h>

/* A callback that holds the loop for longer than this, in CPU time, is named and counted. */
#define LOOP_SLOW_NS (10 * INT64_C(1000000))

struct loop {
    uv_loop_t uv;
    uv_async_t wake; /* keeps loop_run running, carries loop_post */
    pthread_mutex_t posts_lock;
    struct list wards; /* struct loop_ward */
    struct list posts; /* struct loop_task, under posts_lock: the only lock of a loop */
    const char *note;  /* what the running callback is about: an op's name */
    uint64_t slow;
    int64_t mark_wall, mark_cpu; /* a recent pair of readings, see loop_enter */
    unsigned depth;
    struct list workers_waiting; /* loop/worker.c */
    unsigned workers_running;
    bool pool_started;
    size_t jobs; /* under way */
};

struct loop_span {
    int64_t wall;
};
/* Around every callback. `what` says which kind it is, `code` is its address. */
struct loop_span loop_enter(struct loop *l);
void loop_leave(struct loop *l, struct loop_span s, const char *what, const void *code);
/* Names what goes on now in the warning about a slow callback; borrowed, NULL ends it. */
void loop_note(struct loop *l, const char *note);
/* libuv calls that can only fail by our own bug or for want of kernel memory: says which, aborts.
 */
void loop_must(int uv_result, const char *what);
