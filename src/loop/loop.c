/* libuv behind loop.h. */
#include "loop/loop.h"
#include "base/log.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <uv.h>

#define SLOW_NS 10000000

struct post {
    struct post *next;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    uv_loop_t uv;
    uv_async_t async;
    pthread_mutex_t lock; /* of posts: the one thing other threads touch */
    struct post *posts, **posts_end;
    uint64_t slow;
};

/* --- time of callbacks ------------------------------------------------------------------------------------ */

static int64_t cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check_slow(struct loop *l, int64_t before, const char *what) {
    int64_t took = cpu_now() - before;
    if (took < SLOW_NS)
        return;
    l->slow++;
    log_warn("the loop was held for %lld us by %s", (long long)(took / 1000), what);
}

/* --- posts ------------------------------------------------------------------------------------------------ */

static void run_posts(uv_async_t *async) {
    struct loop *l = async->data;
    pthread_mutex_lock(&l->lock);
    struct post *p = l->posts;
    l->posts = NULL;
    l->posts_end = &l->posts;
    pthread_mutex_unlock(&l->lock);
    while (p) {
        struct post *next = p->next;
        int64_t before = cpu_now();
        p->fn(p->arg);
        check_slow(l, before, "a posted call");
        free(p);
        p = next;
    }
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg) {
    struct post *p = NEW(struct post);
    p->fn = fn;
    p->arg = arg;
    pthread_mutex_lock(&l->lock);
    *l->posts_end = p;
    l->posts_end = &p->next;
    pthread_mutex_unlock(&l->lock);
    uv_async_send(&l->async);
}

/* --- the loop ----------------------------------------------------------------------------------------------- */

struct loop *loop_new(void) {
    struct loop *l = NEW(struct loop);
    int r = uv_loop_init(&l->uv);
    assert(r == 0);
    pthread_mutex_init(&l->lock, NULL);
    l->posts_end = &l->posts;
    uv_async_init(&l->uv, &l->async, run_posts);
    l->async.data = l;
    return l;
}

void loop_free(struct loop *l) {
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->async, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int r = uv_loop_close(&l->uv);
    assert(r == 0);
    pthread_mutex_destroy(&l->lock);
    free(l);
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

void loop_set_pool_size(unsigned n) {
    char text[16];
    snprintf(text, sizeof text, "%u", n);
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

/* --- descriptors ---------------------------------------------------------------------------------------------- */

struct watch {
    uv_poll_t uv;
    struct loop *loop;
    watch_fn *fn;
    void *arg;
    unsigned events;
};

static void watch_event(uv_poll_t *uv, int status, int events) {
    struct watch *w = uv->data;
    unsigned got = 0;
    if (status < 0)
        got = w->events;
    got |= events & UV_READABLE ? WATCH_READ : 0;
    got |= events & UV_WRITABLE ? WATCH_WRITE : 0;
    got |= events & UV_DISCONNECT ? WATCH_HANGUP : 0;
    struct loop *l = w->loop;
    int64_t before = cpu_now();
    w->fn(w->arg, got);
    check_slow(l, before, "a descriptor's callback");
}

struct watch *watch_new(struct loop *l, int fd, unsigned events, watch_fn *fn, void *arg) {
    struct watch *w = NEW(struct watch);
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    int r = uv_poll_init(&l->uv, &w->uv, fd);
    assert(r == 0);
    w->uv.data = w;
    watch_set(w, events);
    return w;
}

void watch_set(struct watch *w, unsigned events) {
    int uv = 0;
    w->events = events;
    uv |= events & WATCH_READ ? UV_READABLE : 0;
    uv |= events & WATCH_WRITE ? UV_WRITABLE : 0;
    uv |= events & WATCH_HANGUP ? UV_DISCONNECT : 0;
    if (uv)
        uv_poll_start(&w->uv, uv, watch_event);
    else
        uv_poll_stop(&w->uv);
}

static void watch_closed(uv_handle_t *h) {
    free(h->data);
}

struct watch *watch_free(struct watch *w) {
    if (w) {
        uv_poll_stop(&w->uv); /* takes the descriptor out of epoll at once */
        uv_close((uv_handle_t *)&w->uv, watch_closed);
    }
    return NULL;
}

/* --- timers ------------------------------------------------------------------------------------------------------ */

struct timer {
    uv_timer_t uv;
    struct loop *loop;
    timer_fn *fn;
    void *arg;
    uint64_t repeat;
};

static void timer_event(uv_timer_t *uv) {
    struct timer *t = uv->data;
    struct loop *l = t->loop;
    int64_t before = cpu_now();
    t->fn(t->arg);
    check_slow(l, before, "a timer");
}

static uint64_t to_ms(int64_t ns) {
    return ns <= 0 ? 0 : (uint64_t)(ns + 999999) / 1000000;
}

struct timer *timer_new(struct loop *l, int64_t delay_ns, int64_t repeat_ns, timer_fn *fn, void *arg) {
    struct timer *t = NEW(struct timer);
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    t->repeat = to_ms(repeat_ns);
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    timer_set(t, delay_ns);
    return t;
}

void timer_set(struct timer *t, int64_t delay_ns) {
    uv_update_time(&t->loop->uv);
    uv_timer_start(&t->uv, timer_event, to_ms(delay_ns), t->repeat);
}

struct timer *timer_free(struct timer *t) {
    if (t) {
        uv_timer_stop(&t->uv);
        uv_close((uv_handle_t *)&t->uv, watch_closed);
    }
    return NULL;
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

struct sigwatch {
    uv_signal_t uv;
    signal_fn *fn;
    void *arg;
};

static void signal_event(uv_signal_t *uv, int signo) {
    struct sigwatch *s = uv->data;
    s->fn(s->arg, signo);
}

struct sigwatch *sigwatch_new(struct loop *l, int signo, signal_fn *fn, void *arg) {
    struct sigwatch *s = NEW(struct sigwatch);
    s->fn = fn;
    s->arg = arg;
    uv_signal_init(&l->uv, &s->uv);
    s->uv.data = s;
    uv_signal_start(&s->uv, signal_event, signo);
    return s;
}

struct sigwatch *sigwatch_free(struct sigwatch *s) {
    if (s) {
        uv_signal_stop(&s->uv);
        uv_close((uv_handle_t *)&s->uv, watch_closed);
    }
    return NULL;
}

/* --- children ------------------------------------------------------------------------------------------------------ */

struct child {
    struct watch *watch;
    pid_t pid;
    int pidfd;
    child_fn *fn;
    void *arg;
};

static void child_event(void *arg, unsigned events UNUSED) {
    struct child *c = arg;
    int status = 0;
    pid_t r;
    while ((r = waitpid(c->pid, &status, WNOHANG | __WALL)) < 0 && errno == EINTR)
        ;
    if (r == 0)
        return;
    child_fn *fn = c->fn;
    void *fn_arg = c->arg;
    child_free(c);
    fn(fn_arg, status);
}

struct child *child_watch(struct loop *l, pid_t pid, int pidfd, child_fn *fn, void *arg) {
    struct child *c = NEW(struct child);
    *c = (struct child){.pid = pid, .pidfd = pidfd, .fn = fn, .arg = arg};
    c->watch = watch_new(l, pidfd, WATCH_READ, child_event, c);
    return c;
}

struct child *child_free(struct child *c) {
    if (c) {
        watch_free(c->watch);
        free(c);
    }
    return NULL;
}

/* --- jobs ------------------------------------------------------------------------------------------------------------ */

struct job {
    uv_work_t uv;
    struct loop *loop;
    struct err (*work)(void *arg);
    void (*done)(void *arg, struct err result);
    void *arg;
    struct err result;
};

static void job_work(uv_work_t *uv) {
    struct job *j = uv->data;
    j->result = j->work(j->arg);
}

static void job_done(uv_work_t *uv, int status UNUSED) {
    struct job *j = uv->data;
    struct loop *l = j->loop;
    int64_t before = cpu_now();
    j->done(j->arg, j->result);
    check_slow(l, before, "the end of a job");
    free(j);
}

void job_submit(struct loop *l, struct err (*work)(void *arg), void (*done)(void *arg, struct err result), void *arg) {
    struct job *j = NEW(struct job);
    *j = (struct job){.loop = l, .work = work, .done = done, .arg = arg};
    j->uv.data = j;
    uv_queue_work(&l->uv, &j->uv, job_work, job_done);
}
