/* loop/loop.h - the event loop: watchers, timers, children, the job pool. libuv inside, seen
 * nowhere else. One thread, the loop, owns every fact; pool threads see only their job.
 *
 * Every callback runs on the loop thread. Objects are made and freed there too. The loop names any
 * callback that holds it for more than 10 ms of its own CPU time (log_warn, counted; see
 * loop_slow). The monitor uses watchers, timers and children only: it never submits jobs, so libuv
 * never starts its threads there. Tests: test/unit/loop.
 */
#pragma once
#include "base/err.h"
#include "base/list.h"
#include <sys/types.h>

struct loop;
struct loop *loop_new(void);
/* All watchers must be gone; what was posted still runs, and jobs under way come to their end. NULL
 * allowed. */
void loop_free(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Runs pending callbacks once without blocking (tests). */
void loop_step(struct loop *l);
/* What nobody else owns and what ends by itself: loop_free ends what is left. Who ends before takes
 * himself out of the list. */
struct loop_ward {
    struct list link;
    void (*end)(struct loop_ward *w); /* takes it out */
};
void loop_ward_add(struct loop *l, struct loop_ward *w);
/* Callbacks over the 10 ms budget since start. */
uint64_t loop_slow(const struct loop *l);
/* Pool threads to use; call before the first job. Default 8. */
void loop_set_pool_size(unsigned n);

/* --- descriptors --------------------------------------------------------------------------- */
/* HANGUP: the peer will send no more (half-close or close); seen even while reads are paused and
 * bytes are unread. CLOSED: only the end of both directions or an error (unix sockets and pipes; a
 * TCP peer that closes shows HANGUP). */
enum watch_event { WATCH_READ = 1, WATCH_WRITE = 2, WATCH_HANGUP = 4, WATCH_CLOSED = 8 };
struct watch;
typedef void watch_fn(void *arg, unsigned events);
/* Watches fd (borrowed, must be pollable; level-triggered). Errors and hang-ups are reported as all
 * asked events. Sets O_NONBLOCK on the open file, which copies of fd share. One watch per
 * descriptor number. */
struct watch *watch_new(struct loop *l, int fd, unsigned events, watch_fn *fn, void *arg);
void watch_set(struct watch *w, unsigned events); /* 0 pauses */
/* Removes from epoll at once (before the caller closes or passes fd). NULL allowed; returns NULL.
 * May be called from its own callback. */
struct watch *watch_free(struct watch *w);

/* --- timers -------------------------------------------------------------------------------- */
struct timer;
typedef void timer_fn(void *arg);
/* One shot after delay_ns (monotonic); repeat_ns > 0 repeats. */
struct timer *timer_new(struct loop *l, int64_t delay_ns, int64_t repeat_ns, timer_fn *fn,
                        void *arg);
void timer_set(struct timer *t, int64_t delay_ns); /* re-arms */
struct timer *timer_free(struct timer *t);         /* NULL allowed; from its own callback too */

/* Calls fn once on the loop, after the current callback. Any thread may call it. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* --- signals ------------------------------------------------------------------------------- */
/* One sigwatch per signal: it blocks the signal in this thread (signalfd inside, no handlers). Pool
 * threads take no signals; other threads must block it themselves. */
typedef void signal_fn(void *arg, int signo);
struct sigwatch;
struct sigwatch *sigwatch_new(struct loop *l, int signo, signal_fn *fn, void *arg);
struct sigwatch *sigwatch_free(struct sigwatch *s);

/* --- children ------------------------------------------------------------------------------ */
/* Watches a child by pidfd, reaps it, calls fn once with the wait status (as waitpid). pidfd is
 * borrowed until then. */
typedef void child_fn(void *arg, int wait_status);
struct child;
struct child *child_watch(struct loop *l, pid_t pid, int pidfd, child_fn *fn, void *arg);
struct child *child_free(struct child *c); /* stops watching; does not kill; NULL allowed */

/* --- jobs ---------------------------------------------------------------------------------- */
/* work runs on a pool thread and sees only arg; done runs on the loop after it. Quick kernel work
 * and local disk only: what can hang goes into a worker process. */
void job_submit(struct loop *l, struct err (*work)(void *arg),
                void (*done)(void *arg, struct err result), void *arg);
