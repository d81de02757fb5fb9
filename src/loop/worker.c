/* Daemon side of workers. */
#include "loop/worker.h"

#include "base/mem.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "loop/state.h"
#include "loop/worker_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
    struct list link; /* in loop->workers_waiting until its turn */
    struct loop *loop;
    char *program, *job;
    struct buf first; /* body of the first message */
    int fds[MSG_FDS_MAX];
    size_t fds_n;
    void (*notice)(void *arg, struct worker *w, struct msg *m);
    void (*done)(void *arg, struct str result, struct err e);
    void *arg;
    int socket, pidfd;
    pid_t pid;
    struct msg_conn *conn;
    int wait_status;
    bool cancelled, said_done, exited, closed;
    void (*begun)(void *arg, struct err e);
    int errnum; /* of a descriptor that could not be kept */
};

static void turns(struct loop *l);

static void say_done(struct worker *w, struct str result, struct err e) {
    if (w->said_done) {
        err_free(e);
        return;
    }
    w->said_done = true;
    w->done(w->arg, result, e);
}

static void worker_free(struct worker *w) {
    msg_conn_free(w->conn);
    fd_close(w->socket);
    fd_close(w->pidfd);
    for (size_t i = 0; i < w->fds_n; i++)
        fd_close(w->fds[i]);
    buf_done(&w->first);
    free(w->program);
    free(w->job);
    free(w);
}

static void worker_end(struct worker *w) {
    struct loop *l = w->loop;
    l->workers_running--;
    worker_free(w);
    turns(l);
}

static void worker_kill(struct worker *w) {
    err_ignore(pidfd_signal(w->pidfd, SIGKILL)); /* it may have ended just now */
}

/* The process is gone and everything that it sent has been read. */
static void maybe_end(struct worker *w) {
    if (!w->exited || !w->closed)
        return;
    int st = w->wait_status;
    if (w->cancelled)
        say_done(w, STR_NONE, err_new(ERR_CANCELLED, "%s: cancelled", w->job));
    else if (WIFSIGNALED(st))
        say_done(w, STR_NONE,
                 err_new(ERR_SYSTEM, "%s: worker killed by signal %d", w->job, WTERMSIG(st)));
    else
        say_done(w, STR_NONE,
                 err_new(ERR_SYSTEM, "%s: worker ended with status %d and no result", w->job,
                         WEXITSTATUS(st)));
    worker_end(w);
}

static void on_message(void *arg, struct msg *m) {
    struct worker *w = arg;
    if (w->said_done || w->cancelled)
        return;
    if (m->type == WORKER_RESULT) {
        struct err e = msg_get_err(m->body, WORKER_TAG_ERROR);
        say_done(w, err_failed(e) ? STR_NONE : msg_get(m->body, WORKER_TAG_TEXT), e);
    } else if (m->type >= WORKER_TYPE_FREE && w->notice) {
        w->notice(w->arg, w, m);
    }
}

static void on_closed(void *arg) {
    struct worker *w = arg;
    w->conn = msg_conn_free(w->conn);
    w->closed = true;
    /* Without a result: it speaks nonsense or has closed its only way to speak. */
    if (!w->said_done && !w->exited)
        worker_kill(w);
    maybe_end(w);
}

static void on_exit_status(void *arg, int status) {
    struct worker *w = arg;
    w->exited = true;
    w->wait_status = status;
    maybe_end(w);
}

/* Pool thread: the loop does not wait for an exec. */
static struct err start_work(void *arg) {
    struct worker *w = arg;
    CLEAN_FD
    int theirs = -1;
    int pair[2];
    if (w->errnum)
        return err_errno(w->errnum, "start worker");
    TRY(msg_pair(pair));
    w->socket = pair[0];
    theirs = pair[1];
    struct spawn_fd fds[] = {{STDERR_FILENO, STDERR_FILENO}, {theirs, WORKER_FD}};
    char *argv[] = {w->program, w->job, NULL};
    struct spawn s = {.program = w->program,
                      .program_fd = -1,
                      .argv = argv,
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds),
                      .new_session = true};
    struct spawned child;
    TRYF(spawn(&s, &child), "start worker");
    w->pid = child.pid;
    w->pidfd = child.pidfd;
    return msg_send(w->socket, WORKER_START, 0, buf_str(&w->first), w->fds, w->fds_n);
}

static void start_done(void *arg, struct err e) {
    struct worker *w = arg;
    for (size_t i = 0; i < w->fds_n; i++)
        fd_close(w->fds[i]);
    w->fds_n = 0;
    buf_done(&w->first);
    bool running = w->pidfd >= 0;
    if (w->begun)
        w->begun(w->arg, running ? OK : e);
    if (!running) {
        if (w->cancelled) {
            err_free(e);
            e = err_new(ERR_CANCELLED, "%s: cancelled", w->job);
        }
        say_done(w, STR_NONE, e);
        worker_end(w);
        return;
    }
    /* It runs. A failed first message ends it; what it says of that itself comes first. */
    if (w->cancelled || err_failed(e))
        worker_kill(w);
    err_free(e);
    w->conn = msg_conn_new(w->loop, TAKE_FD(w->socket), on_message, on_closed, w);
    child_watch(w->loop, w->pid, w->pidfd, on_exit_status, w);
}

/* Starts who waits, as far as there is room. */
static void turns(struct loop *l) {
    while (l->workers_running < WORKERS_MAX && !list_empty(&l->workers_waiting)) {
        struct worker *w = CONTAINER_OF(list_pop(&l->workers_waiting), struct worker, link);
        l->workers_running++;
        job_submit(l, start_work, start_done, w);
    }
}

struct worker *worker_start(struct loop *l, const struct worker_start *s) {
    struct worker *w = NEW(struct worker);
    w->loop = l;
    w->program = mem_strdup(s->program);
    w->job = mem_strdup(s->job);
    w->notice = s->notice;
    w->done = s->done;
    w->arg = s->arg;
    w->socket = w->pidfd = -1;
    msg_putz(&w->first, WORKER_TAG_JOB, s->job);
    msg_put(&w->first, WORKER_TAG_TEXT, s->args);
    w->begun = s->begun;
    for (; w->fds_n < MIN(s->fds_n, (size_t)MSG_FDS_MAX); w->fds_n++) {
        w->fds[w->fds_n] = fcntl(s->fds[w->fds_n], F_DUPFD_CLOEXEC, 3);
        if (w->fds[w->fds_n] < 0)
            w->errnum = errno;
    }
    list_push(&l->workers_waiting, &w->link);
    turns(l);
    return w;
}

void worker_reply(struct worker *w, uint64_t seq, struct str body, const int *fds, size_t fds_n) {
    if (w->conn)
        msg_conn_send(w->conn, WORKER_ANSWER, seq, body, fds, fds_n);
}

static void cancelled_waiting(void *arg) {
    struct worker *w = arg;
    say_done(w, STR_NONE, err_new(ERR_CANCELLED, "%s: cancelled", w->job));
    worker_free(w);
}

void worker_cancel(struct worker *w) {
    if (w->cancelled || w->said_done)
        return;
    w->cancelled = true;
    if (w->link.next) {
        list_remove(&w->link);
        loop_post(w->loop, cancelled_waiting, w);
    } else if (w->conn && !w->exited) {
        worker_kill(w);
    }
}
