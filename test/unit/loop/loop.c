#include "test.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct seen {
    struct loop *loop;
    int calls, fd;
    unsigned events;
    struct watch *watch;
    struct timer *timer;
};

static void stop_on_event(void *arg, unsigned events) {
    struct seen *s = arg;
    s->calls++;
    s->events |= events;
    loop_stop(s->loop);
}

/* Runs the loop for so long. */
static void stop_loop(void *arg) {
    loop_stop(arg);
}
static void run_for(struct loop *l, int ms) {
    struct timer *t = timer_new(l, ms * NSEC_PER_MSEC, 0, stop_loop, l);
    loop_run(l);
    timer_free(t);
}

static void pair(int sv[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
}

TEST(reads_are_reported_until_taken) {
    struct loop *l = loop_new();
    int sv[2];
    pair(sv);
    struct seen s = {.loop = l};
    struct watch *w = watch_new(l, sv[0], WATCH_READ, stop_on_event, &s);
    assert_int_equal(write(sv[1], "x", 1), 1);
    loop_run(l);
    loop_run(l);
    assert_int_equal(s.calls, 2);
    assert_int_equal(s.events, WATCH_READ);
    watch_set(w, 0);
    run_for(l, 20);
    assert_int_equal(s.calls, 2);
    watch_set(w, WATCH_READ | WATCH_WRITE);
    loop_run(l);
    assert_int_equal(s.events, WATCH_READ | WATCH_WRITE);
    watch_free(w);
    close(sv[0]);
    close(sv[1]);
    loop_free(l);
}

TEST(hangup_is_seen_while_reads_are_paused) {
    struct loop *l = loop_new();
    int sv[2];
    pair(sv);
    assert_int_equal(write(sv[1], "unread", 6), 6);
    struct seen s = {.loop = l};
    struct watch *w = watch_new(l, sv[0], WATCH_HANGUP, stop_on_event, &s);
    run_for(l, 20);
    assert_int_equal(s.calls, 0);
    shutdown(sv[1], SHUT_WR);
    loop_run(l);
    assert_int_equal(s.events, WATCH_HANGUP);
    /* half-close is no end */
    s = (struct seen){.loop = l};
    watch_set(w, WATCH_CLOSED);
    run_for(l, 20);
    assert_int_equal(s.calls, 0);
    close(sv[1]);
    run_for(l, 1000);
    assert_int_not_equal(s.calls, 0);
    assert_int_equal(s.events, WATCH_CLOSED);
    watch_free(w);
    close(sv[0]);
    loop_free(l);
}

/* A descriptor that was given away lives on elsewhere: nothing of it may come up here. */
TEST(freed_watch_is_silent_while_a_copy_lives) {
    struct loop *l = loop_new();
    int sv[2];
    pair(sv);
    struct seen s = {.loop = l};
    struct watch *w = watch_new(l, sv[0], WATCH_READ, stop_on_event, &s);
    loop_step(l); /* in epoll now */
    int copy = fcntl(sv[0], F_DUPFD_CLOEXEC, 3);
    watch_free(w);
    close(sv[0]);
    assert_int_equal(write(sv[1], "x", 1), 1);
    /* An epoll that still knew it would be ready at once, over and over. */
    struct timespec c0, c1;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c0);
    run_for(l, 200);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c1);
    int64_t cpu = (c1.tv_sec - c0.tv_sec) * NSEC_PER_SEC + c1.tv_nsec - c0.tv_nsec;
    assert_true(cpu < 50 * NSEC_PER_MSEC);
    assert_int_equal(s.calls, 0);
    close(copy);
    close(sv[1]);
    loop_free(l);
}

static void free_both(void *arg, unsigned events) {
    (void)events;
    struct seen *s = arg;
    s[0].calls++;
    s[0].watch = watch_free(s[0].watch);
    s[1].watch = watch_free(s[1].watch);
}

static void second_must_not_run(void *arg, unsigned events) {
    (void)events;
    struct seen *s = arg;
    s->calls++;
    free_both(s - 1, 0);
}

TEST(watch_freed_in_the_same_round_is_not_called) {
    struct loop *l = loop_new();
    int a[2], b[2];
    pair(a);
    pair(b);
    struct seen s[2] = {{.loop = l}, {.loop = l}};
    s[0].watch = watch_new(l, a[0], WATCH_READ, free_both, s);
    s[1].watch = watch_new(l, b[0], WATCH_READ, second_must_not_run, &s[1]);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    run_for(l, 20);
    assert_true(s[0].calls + s[1].calls >= 1 && s[0].calls + s[1].calls <= 2);
    /* Exactly one of the two had events when the other was freed. */
    assert_true(s[1].calls == 0 || s[0].calls == 1);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
    loop_free(l);
}

TEST(error_on_a_pipe_is_reported_again_and_again) {
    struct loop *l = loop_new();
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    struct seen s = {.loop = l};
    struct watch *w = watch_new(l, p[1], WATCH_WRITE, stop_on_event, &s);
    close(p[0]);
    loop_run(l);
    loop_run(l);
    assert_int_equal(s.calls, 2);
    assert_int_equal(s.events, WATCH_WRITE);
    watch_free(w);
    close(p[1]);
    loop_free(l);
}

static void count_timer(void *arg) {
    struct seen *s = arg;
    if (++s->calls == 3) {
        s->timer = timer_free(s->timer);
        loop_stop(s->loop);
    }
}

TEST(timers_repeat_and_never_fire_early) {
    struct loop *l = loop_new();
    struct seen s = {.loop = l};
    int64_t t0 = time_monotonic();
    s.timer = timer_new(l, 5 * NSEC_PER_MSEC, 5 * NSEC_PER_MSEC, count_timer, &s);
    loop_run(l);
    int64_t took = time_monotonic() - t0;
    assert_int_equal(s.calls, 3);
    assert_true(took >= 14 * NSEC_PER_MSEC);
    loop_free(l);
}

TEST(timer_set_counts_from_now) {
    struct loop *l = loop_new();
    struct seen s = {.loop = l, .calls = 2};
    s.timer = timer_new(l, 3600 * NSEC_PER_SEC, 0, count_timer, &s);
    poll(NULL, 0, 30); /* the loop's idea of now is old */
    int64_t t0 = time_monotonic();
    timer_set(s.timer, 20 * NSEC_PER_MSEC);
    loop_run(l);
    assert_true(time_monotonic() - t0 >= 19 * NSEC_PER_MSEC);
    loop_free(l);
}

struct poster {
    struct loop *loop;
    int got;
};
static void posted(void *arg) {
    struct poster *p = arg;
    if (++p->got == 4000)
        loop_stop(p->loop);
}
static void *post_many(void *arg) {
    struct poster *p = arg;
    for (int i = 0; i < 1000; i++)
        loop_post(p->loop, posted, p);
    return NULL;
}

TEST(posts_from_threads_all_arrive) {
    struct loop *l = loop_new();
    struct poster p = {.loop = l};
    pthread_t th[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&th[i], NULL, post_many, &p);
    loop_run(l);
    for (int i = 0; i < 4; i++)
        pthread_join(th[i], NULL);
    assert_int_equal(p.got, 4000);
    loop_free(l);
}

static void on_exit_status(void *arg, int status) {
    struct seen *s = arg;
    s->calls++;
    s->events = (unsigned)status;
    loop_stop(s->loop);
}

static unsigned child_status(int code, int signo) {
    struct loop *l = loop_new();
    struct seen s = {.loop = l};
    pid_t pid = fork();
    if (pid == 0) {
        if (signo)
            raise(signo);
        _exit(code);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(pidfd >= 0);
    child_watch(l, pid, pidfd, on_exit_status, &s);
    loop_run(l);
    assert_int_equal(s.calls, 1);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
    close(pidfd);
    loop_free(l);
    return s.events;
}

TEST(children_are_reaped_with_their_status) {
    assert_int_equal(child_status(0, 0), W_EXITCODE(0, 0));
    assert_int_equal(child_status(137, 0), W_EXITCODE(137, 0));
    unsigned st = child_status(0, SIGKILL);
    assert_true(WIFSIGNALED((int)st) && WTERMSIG((int)st) == SIGKILL);
}

static void on_signo(void *arg, int signo) {
    struct seen *s = arg;
    s->calls++;
    s->events = (unsigned)signo;
    loop_stop(s->loop);
}

TEST(signals_arrive_on_the_loop) {
    struct loop *l = loop_new();
    struct seen s = {.loop = l};
    signal(SIGUSR1, SIG_IGN); /* as nohup leaves SIGHUP */
    struct sigwatch *w = sigwatch_new(l, SIGUSR1, on_signo, &s);
    kill(getpid(), SIGUSR1);
    loop_run(l);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.events, SIGUSR1);
    sigwatch_free(w);
    loop_free(l);
}

struct job_seen {
    struct loop *loop;
    pthread_t on;
    int *done;
};
static struct err job_work(void *arg) {
    struct job_seen *j = arg;
    j->on = pthread_self();
    return err_new(ERR_CONFLICT, "from the pool");
}
static void job_done(void *arg, struct err e) {
    struct job_seen *j = arg;
    assert_false(pthread_equal(j->on, pthread_self()));
    assert_int_equal(err_kind(e), ERR_CONFLICT);
    err_free(e);
    if (++*j->done == 50)
        loop_stop(j->loop);
}

TEST(jobs_run_elsewhere_and_end_here) {
    struct loop *l = loop_new();
    struct job_seen jobs[50];
    int done = 0;
    for (int i = 0; i < 50; i++) {
        jobs[i] = (struct job_seen){.loop = l, .done = &done};
        job_submit(l, job_work, job_done, &jobs[i]);
    }
    loop_run(l);
    assert_int_equal(done, 50);
    loop_free(l);
}

static struct err slow_work(void *arg UNUSED) {
    poll(NULL, 0, 50);
    return OK;
}
static void slow_done(void *arg, struct err e) {
    assert_ok(e);
    (*(int *)arg)++;
}

TEST(jobs_under_way_end_before_their_loop) {
    struct loop *l = loop_new();
    int done = 0;
    job_submit(l, slow_work, slow_done, &done);
    loop_free(l);
    assert_int_equal(done, 1);
}

static void burn(void *arg) {
    struct timespec t;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    while (t.tv_sec * NSEC_PER_SEC + t.tv_nsec < *(int64_t *)arg);
}
static void sleep_only(void *arg) {
    (void)arg;
    poll(NULL, 0, 30);
}

TEST(slow_callbacks_are_counted_by_cpu_time) {
    struct loop *l = loop_new();
    loop_post(l, sleep_only, NULL);
    run_for(l, 50);
    assert_int_equal(loop_slow(l), 0);
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    int64_t until = t.tv_sec * NSEC_PER_SEC + t.tv_nsec + 25 * NSEC_PER_MSEC;
    loop_post(l, burn, &until);
    run_for(l, 50);
    assert_int_equal(loop_slow(l), 1);
    loop_free(l);
}
