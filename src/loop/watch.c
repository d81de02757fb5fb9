#include "loop/state.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A watch must end before its descriptor does. Else, when another process holds a copy of the open
 * file (a child between clone and execve will do), epoll keeps it and reports it under the number,
 * which belongs to somebody else by then: a stranger's hang-up. Sanitizer builds look. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHES_ARE_CHECKED 1
#else
#define WATCHES_ARE_CHECKED 0
#endif

struct watch {
    uv_poll_t poll;
    struct loop *loop;
    watch_fn *fn;
    void *arg;
    unsigned events;
    bool freed;
    struct stat file; /* where watches are checked */
};

static void check_file(const struct watch *w) {
    uv_os_fd_t fd = -1;
    struct stat now;
    uv_fileno((const uv_handle_t *)&w->poll, &fd);
    if (fstat(fd, &now) != 0 || now.st_dev != w->file.st_dev || now.st_ino != w->file.st_ino) {
        fprintf(stderr, "ERROR: descriptor %d was closed while it was watched\n", fd);
        abort();
    }
}

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
    if (WATCHES_ARE_CHECKED)
        loop_must(fstat(fd, &w->file), "fstat");
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
        if (WATCHES_ARE_CHECKED)
            check_file(w);
        w->freed = true;
        /* Takes the descriptor out of epoll now and drops its events of this round; only the memory
         * waits for the end of the round. */
        uv_close((uv_handle_t *)&w->poll, on_closed);
    }
    return NULL;
}
