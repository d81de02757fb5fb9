#include "loop/state.h"

#include "base/mem.h"

#include <stdlib.h>

struct watch {
    uv_poll_t poll;
    struct loop *loop;
    watch_fn *fn;
    void *arg;
    unsigned events;
    bool freed;
};

static int to_uv(unsigned events) {
    return (events & WATCH_READ ? UV_READABLE : 0) | (events & WATCH_WRITE ? UV_WRITABLE : 0) |
           (events & WATCH_HANGUP ? UV_DISCONNECT : 0) |
           (events & WATCH_CLOSED ? UV_PRIORITIZED : 0);
}

static void on_poll(uv_poll_t *poll, int status, int uv_events);

/* uv_poll_start takes the descriptor out of epoll first, so what was reported before is forgotten.
 */
static void arm(struct watch *w) {
    if (w->events)
        loop_must(uv_poll_start(&w->poll, to_uv(w->events), on_poll), "poll start");
    else
        uv_poll_stop(&w->poll);
}

static void on_poll(uv_poll_t *poll, int status, int uv_events) {
    struct watch *w = poll->data;
    struct loop *l = w->loop;
    unsigned events = w->events;
    if (status >= 0)
        events = (uv_events & UV_READABLE ? WATCH_READ : 0) |
                 (uv_events & UV_WRITABLE ? WATCH_WRITE : 0) |
                 (uv_events & UV_DISCONNECT ? WATCH_HANGUP : 0) |
                 (uv_events & UV_PRIORITIZED ? WATCH_CLOSED : 0);
    const void *code = (const void *)(uintptr_t)w->fn;
    struct loop_span s = loop_enter(l);
    w->fn(w->arg, events);
    loop_leave(l, s, "watcher", code);
    /* On EPOLLERR libuv has stopped the poll. The contract is level-triggered: go on. The memory of
     * w outlives the callback, libuv gives it back later in the round. */
    if (status < 0 && !w->freed)
        arm(w);
}

struct watch *watch_new(struct loop *l, int fd, unsigned events, watch_fn *fn, void *arg) {
    struct watch *w = NEW(struct watch);
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    w->events = events;
    loop_must(uv_poll_init(&l->uv, &w->poll, fd),
              "poll init (descriptor not pollable or watched twice)");
    w->poll.data = w;
    arm(w);
    return w;
}

void watch_set(struct watch *w, unsigned events) {
    if (w->freed || w->events == events)
        return;
    w->events = events;
    arm(w);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

struct watch *watch_free(struct watch *w) {
    if (w && !w->freed) {
        w->freed = true;
        /* Takes the descriptor out of epoll now and drops its events of this round; only the memory
         * waits for the end of the round. */
        uv_close((uv_handle_t *)&w->poll, on_closed);
    }
    return NULL;
}
