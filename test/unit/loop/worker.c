#include "test.h"

#include "base/mem.h"
#include "loop/worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* --- the worker: this program again, told apart by its argv[1] ------------------------------- */

static struct err job_echo(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    (void)ctx;
    buf_addf(ret_result, "%.*s:%zu:", STR_ARG(args), fds_n);
    for (size_t i = 0; i < fds_n; i++) {
        char c = 0;
        if (read(fds[i], &c, 1) == 1)
            buf_addc(ret_result, c);
        close(fds[i]);
    }
    return OK;
}
static struct err job_fail(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    (void)ctx, (void)args, (void)fds, (void)fds_n, (void)ret_result;
    return err_kind_errno(ERR_CONFLICT, 28, "unpack layer");
}
static struct err job_die(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                          struct buf *ret_result) {
    (void)ctx, (void)fds, (void)fds_n, (void)ret_result;
    if (str_eqz(args, "exit"))
        _exit(7);
    raise(SIGKILL);
    return OK;
}
static struct err job_talk(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    (void)args, (void)fds, (void)fds_n;
    for (int i = 0; i < 100; i++)
        worker_notice(ctx, 100, STR_NONE, NULL, 0);
    CLEAN_BUF struct buf q = {0};
    msg_putz(&q, 1, "really?");
    CLEAN_MSG struct msg a = {0};
    TRY(worker_ask(ctx, 101, buf_str(&q), &a));
    buf_add_str(ret_result, msg_get(a.body, 1));
    return OK;
}
static struct err job_hang(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    (void)args, (void)fds, (void)fds_n, (void)ret_result;
    worker_notice(ctx, 100, STR_NONE, NULL, 0);
    while (!worker_orphaned(ctx))
        poll(NULL, 0, 5);
    return OK;
}
static struct err job_garbage(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                              struct buf *ret_result) {
    (void)ctx, (void)args, (void)fds, (void)fds_n, (void)ret_result;
    if (write(3, "garbage", 7) != 7)
        _exit(3);
    pause();
    return OK;
}
static const struct worker_job jobs[] = {
    {"echo", job_echo}, {"fail", job_fail}, {"die", job_die},
    {"talk", job_talk}, {"hang", job_hang}, {"garbage", job_garbage},
};

__attribute__((constructor)) static void become_worker(int argc, char **argv) {
    if (argc == 2 && fcntl(3, F_GETFD) >= 0 && strcmp(argv[0], "/proc/self/exe") == 0)
        exit(worker_main(jobs, ARRAY_LEN(jobs)));
}

/* --- the daemon ------------------------------------------------------------------------------ */

struct seen {
    struct loop *loop;
    struct worker *worker;
    int notices, done, want;
    bool cancel_at_notice;
    enum err_kind kind;
    char text[128];
};

static void on_notice(void *arg, struct worker *w, struct msg *m) {
    struct seen *s = arg;
    s->notices++;
    if (m->type == 101) {
        assert_true(str_eqz(msg_get(m->body, 1), "really?"));
        CLEAN_BUF struct buf b = {0};
        msg_putz(&b, 1, "yes");
        worker_reply(w, m->seq, buf_str(&b), NULL, 0);
    }
    if (s->cancel_at_notice)
        worker_cancel(w);
}
static void on_done(void *arg, struct str result, struct err e) {
    struct seen *s = arg;
    s->kind = err_kind(e);
    if (err_failed(e))
        snprintf(s->text, sizeof(s->text), "%s", err_msg(e));
    else
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(result));
    err_free(e);
    if (++s->done == s->want)
        loop_stop(s->loop);
}

static void start(struct seen *s, const char *job, const char *args, const int *fds, size_t n) {
    s->worker = worker_start(s->loop, &(struct worker_start){.program = "/proc/self/exe",
                                                             .job = job,
                                                             .args = str_of(args),
                                                             .fds = fds,
                                                             .fds_n = n,
                                                             .notice = on_notice,
                                                             .done = on_done,
                                                             .arg = s});
}
/* Reaps what is left. */
static void settle(struct loop *l) {
    for (int i = 0; i < 200; i++) {
        loop_step(l);
        poll(NULL, 0, 1);
    }
    loop_free(l);
}
static struct seen run(const char *job, const char *args) {
    struct seen s = {.loop = loop_new(), .want = 1};
    start(&s, job, args, NULL, 0);
    loop_run(s.loop);
    assert_int_equal(s.done, 1);
    settle(s.loop);
    assert_int_equal(s.done, 1);
    return s;
}

TEST(result_and_descriptors) {
    struct seen s = {.loop = loop_new(), .want = 1};
    int p[2], fds[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(write(p[1], "xy", 2), 2);
    fds[0] = fds[1] = p[0];
    start(&s, "echo", "{\"a\":1}", fds, 2);
    loop_run(s.loop);
    assert_string_equal(s.text, "{\"a\":1}:2:xy");
    close(p[0]), close(p[1]);
    settle(s.loop);
}

TEST(errors_and_deaths) {
    struct seen s = run("fail", "");
    assert_int_equal(s.kind, ERR_CONFLICT);
    assert_string_equal(s.text, "unpack layer: No space left on device");
    s = run("nonesuch", "");
    assert_int_equal(s.kind, ERR_UNSUPPORTED);
    s = run("die", "exit");
    assert_string_equal(s.text, "die: worker ended with status 7 and no result");
    s = run("die", "");
    assert_string_equal(s.text, "die: worker killed by signal 9");
    s = run("garbage", "");
    assert_int_equal(s.kind, ERR_SYSTEM);
}

TEST(program_that_is_not_there) {
    struct seen s = {.loop = loop_new(), .want = 1};
    worker_start(s.loop,
                 &(struct worker_start){
                     .program = "/nonexistent/worker", .job = "x", .done = on_done, .arg = &s});
    loop_run(s.loop);
    assert_int_equal(s.kind, ERR_NOT_FOUND);
    settle(s.loop);
}

TEST(notices_and_questions) {
    struct seen s = run("talk", "");
    assert_int_equal(s.notices, 101);
    assert_string_equal(s.text, "yes");
}

TEST(cancelled_while_running_starting_and_waiting) {
    struct seen s = {.loop = loop_new(), .want = 1, .cancel_at_notice = true};
    start(&s, "hang", "", NULL, 0);
    loop_run(s.loop);
    assert_int_equal(s.kind, ERR_CANCELLED);
    s = (struct seen){.loop = s.loop, .want = 1};
    start(&s, "hang", "", NULL, 0);
    worker_cancel(s.worker);
    loop_run(s.loop);
    assert_int_equal(s.kind, ERR_CANCELLED);
    settle(s.loop);
}

TEST(only_so_many_run_at_once) {
    enum { MANY = WORKERS_MAX + 20 };
    struct seen s = {.loop = loop_new(), .want = MANY};
    struct worker *w[MANY];
    for (int i = 0; i < MANY; i++) {
        start(&s, "hang", "", NULL, 0);
        w[i] = s.worker;
    }
    for (int i = 0; i < 5000 && s.notices < WORKERS_MAX; i++) {
        loop_step(s.loop);
        poll(NULL, 0, 1);
    }
    for (int i = 0; i < 50; i++)
        loop_step(s.loop);
    assert_int_equal(s.notices, WORKERS_MAX);
    s.want = 20;
    for (int i = WORKERS_MAX; i < MANY; i++)
        worker_cancel(w[i]);
    loop_run(s.loop);
    s.want = MANY;
    for (int i = 0; i < WORKERS_MAX; i++)
        worker_cancel(w[i]);
    loop_run(s.loop);
    assert_int_equal(s.kind, ERR_CANCELLED);
    settle(s.loop);
}
