/* The worker's side. */
#include "loop/worker.h"

#include "base/log.h"
#include "kernel/oom.h"
#include "loop/worker_wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define FIRST_WAIT_NS (30 * INT64_C(1000000000))

struct worker_ctx {
    int fd;
    uint64_t seq; /* of the last question */
};

void worker_notice(struct worker_ctx *ctx, uint32_t type, struct str body, const int *fds,
                   size_t fds_n) {
    /* A daemon that is gone is seen by worker_orphaned. */
    err_ignore(msg_send(ctx->fd, type, 0, body, fds, fds_n));
}

struct err worker_ask(struct worker_ctx *ctx, uint32_t type, struct str body, struct msg *ret) {
    uint64_t seq = ++ctx->seq;
    TRY(msg_send(ctx->fd, type, seq, body, NULL, 0));
    for (;;) {
        struct msg m;
        TRY(msg_recv(ctx->fd, -1, &m));
        if (m.type == WORKER_ANSWER && m.seq == seq) {
            *ret = m;
            return OK;
        }
        msg_done(&m);
    }
}

int worker_socket(const struct worker_ctx *ctx) {
    return ctx->fd;
}

struct err worker_next(struct worker_ctx *ctx, struct msg *ret) {
    for (;;) {
        struct msg m;
        TRY(msg_recv(ctx->fd, -1, &m));
        if (m.type == WORKER_ANSWER && m.seq == 0) {
            *ret = m;
            return OK;
        }
        msg_done(&m);
    }
}

struct str worker_text(const struct msg *m) {
    return msg_get(m->body, WORKER_TEXT);
}

bool worker_orphaned(struct worker_ctx *ctx) {
    struct pollfd p = {.fd = ctx->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}

static struct err run_job(struct worker_ctx *ctx, const struct worker_job *jobs, size_t n,
                          struct msg *m, struct buf *ret_result) {
    struct str name = msg_get(m->body, WORKER_TAG_JOB);
    if (m->type != WORKER_START)
        return err_new(ERR_INVALID, "first message is no job");
    for (size_t i = 0; i < n; i++) {
        if (!str_eqz(name, jobs[i].name))
            continue;
        size_t fds_n = m->fds_n;
        m->fds_n = 0; /* the job's now */
        return jobs[i].run(ctx, msg_get(m->body, WORKER_TAG_TEXT), m->fds, fds_n, ret_result);
    }
    return err_new(ERR_UNSUPPORTED, "worker knows no job '%.*s'", STR_ARG(name));
}

int worker_main(const struct worker_job *jobs, size_t n) {
    struct worker_ctx ctx = {.fd = WORKER_FD};
    CLEAN_MSG struct msg first = {0};
    CLEAN_BUF struct buf result = {0}, body = {0};
    fcntl(ctx.fd, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    oom_score_ordinary(); /* not the daemon's, which protects it */
    struct err e = msg_recv(ctx.fd, FIRST_WAIT_NS, &first);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "worker");
        return 1;
    }
    e = run_job(&ctx, jobs, n, &first, &result);
    if (!err_failed(e) && result.len > MSG_BODY_MAX - 64)
        e = err_new(ERR_SYSTEM, "result of %zu bytes is too long", result.len);
    bool failed = err_failed(e);
    if (failed)
        msg_put_err(&body, WORKER_TAG_ERROR, e);
    else
        msg_put(&body, WORKER_TAG_TEXT, buf_str(&result));
    err_free(e);
    e = msg_send(ctx.fd, WORKER_RESULT, 0, buf_str(&body), NULL, 0);
    bool unsent = err_failed(e);
    err_free(e); /* the daemon has gone: nobody is left to tell */
    return failed || unsent ? 1 : 0;
}
