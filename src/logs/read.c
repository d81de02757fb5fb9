/* read.c - the jobs of the worker: "logs-read" for one reader, "logs-serve" for many followers. */
#include "base/file.h"
#include "base/mem.h"
#include "logs/reader.h"
#include "loop/worker.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Takes all waiting wake messages; false at the log's end. */
static bool drain_wake(int fd) {
    char bytes[256];
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0 || (n < 0 && errno == EINTR))
            continue;
        return n < 0 && errno == EAGAIN;
    }
}

/* --- one -------------------------------------------------------------------------------------- */

static struct err wait_for(struct reader *r, enum reader_wants wants, int wake) {
    struct pollfd p[2] = {{.fd = r->client, .events = POLLRDHUP}, {.fd = -1, .events = POLLIN}};
    if (wants == READER_WANTS_WRITE)
        p[0].events |= POLLOUT;
    else
        p[1].fd = wake;
    int timeout = wants == READER_WANTS_WAKE ? reader_timeout(r) : -1;
    int n = poll(p, 2, timeout);
    if (n < 0 && errno != EINTR)
        return err_errno(errno, "poll");
    if (n > 0 && p[0].revents & ~POLLOUT)
        r->gone = true;
    if (n == 0) /* `until` is now */
        reader_woken(r, true);
    if (n > 0 && p[1].revents)
        reader_woken(r, !drain_wake(wake));
    return OK;
}

struct err logs_read_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                         struct buf *ret_result) {
    (void)ctx; /* a reader outlives the daemon: `logs -f` does not notice its restart */
    (void)ret_result;
    if (fds_n < 2)
        return err_new(ERR_INVALID, "logs-read: needs a client and a directory");
    OWN(reader_done) struct reader r;
    CLEAN_FD int wake = fds_n > 2 ? fds[2] : -1;
    enum reader_wants wants = READER_WANTS_TURN;
    TRY(reader_init(&r, fds[0], fds[1], args));
    r.log_ended = wake < 0;
    while (wants != READER_WANTS_NOTHING) {
        TRY(reader_step(&r, &wants));
        if (wants == READER_WANTS_WRITE || wants == READER_WANTS_WAKE)
            TRY(wait_for(&r, wants, wake));
    }
    return OK;
}

/* --- many ------------------------------------------------------------------------------------- */

/* What wakes all followers of one container. */
struct source {
    struct list link;
    char *id;
    int wake; /* -1: the log has ended */
    size_t refs;
};

struct follower {
    struct list link;
    struct reader reader;
    struct source *source;
    enum reader_wants wants;
    size_t polled; /* index of its client in the poll set */
};

struct serve {
    struct worker_ctx *ctx;
    struct err (*subscribe)(int run_dir_fd, int *ret_fd);
    struct list followers, sources;
    struct pollfd *polls;
    size_t polls_n, polls_cap;
    bool orphaned;
};

static struct source *source_get(struct serve *s, struct str id, int run_dir) {
    LIST_FOR (&s->sources, n) {
        struct source *x = CONTAINER_OF(n, struct source, link);
        if (str_eqz(id, x->id) && x->wake >= 0) {
            x->refs++;
            return x;
        }
    }
    struct source *x = NEW(struct source);
    x->id = str_dup(id);
    x->wake = -1;
    x->refs = 1;
    if (run_dir >= 0)
        err_ignore(s->subscribe(run_dir, &x->wake)); /* it has ended: the log is complete */
    list_push(&s->sources, &x->link);
    return x;
}

static void source_put(struct source *x) {
    if (--x->refs > 0)
        return;
    list_remove(&x->link);
    fd_close(x->wake);
    free(x->id);
    free(x);
}

static void follower_free(struct serve *s, struct follower *f) {
    list_remove(&f->link);
    source_put(f->source);
    reader_done(&f->reader);
    free(f);
    worker_notice(s->ctx, LOGS_SERVE_ENDED, STR_NONE, NULL, 0);
}

/* A client: its socket, the log directory, the run directory; the body is the arguments with the
 * container's id in front, up to a newline. */
static void add_client(struct serve *s, struct msg *m) {
    struct str id, args;
    CLEAN_FD int run_dir = -1;
    str_cut(worker_text(m), '\n', &id, &args);
    struct follower *f = NEW(struct follower);
    f->wants = READER_WANTS_TURN;
    f->reader.client = m->fds_n > 0 ? TAKE_FD(m->fds[0]) : -1;
    int dir = m->fds_n > 1 ? TAKE_FD(m->fds[1]) : -1;
    run_dir = m->fds_n > 2 ? TAKE_FD(m->fds[2]) : -1;
    list_push(&s->followers, &f->link);
    /* Before the first read: what is written in between wakes it. */
    f->source = source_get(s, id, run_dir);
    struct err e = reader_init(&f->reader, f->reader.client, dir, args);
    f->reader.log_ended = f->source->wake < 0;
    if (err_failed(e)) {
        err_ignore(e); /* the client knows */
        follower_free(s, f);
    }
}

static void take_message(struct serve *s) {
    CLEAN_MSG struct msg m = {0};
    struct err e = worker_next(s->ctx, &m);
    if (err_failed(e)) {
        err_ignore(e); /* the daemon is gone; its clients are ours */
        s->orphaned = true;
        return;
    }
    add_client(s, &m);
}

static size_t add_poll(struct serve *s, int fd, short events) {
    if (s->polls_n == s->polls_cap) {
        s->polls_cap = s->polls_cap ? s->polls_cap * 2 : 64;
        s->polls = mem_resize(s->polls, s->polls_cap, sizeof(*s->polls));
    }
    s->polls[s->polls_n] = (struct pollfd){.fd = fd, .events = events};
    return s->polls_n++;
}

static void set_polls(struct serve *s, int *ret_timeout) {
    s->polls_n = 0;
    *ret_timeout = -1;
    add_poll(s, s->orphaned ? -1 : worker_socket(s->ctx), POLLIN);
    LIST_FOR (&s->sources, n)
        add_poll(s, CONTAINER_OF(n, struct source, link)->wake, POLLIN);
    LIST_FOR (&s->followers, n) {
        struct follower *f = CONTAINER_OF(n, struct follower, link);
        bool write = f->wants == READER_WANTS_WRITE;
        int timeout = f->wants == READER_WANTS_TURN ? 0 : write ? -1 : reader_timeout(&f->reader);
        f->polled = add_poll(s, f->reader.client, (short)(POLLRDHUP | (write ? POLLOUT : 0)));
        if (timeout >= 0 && (*ret_timeout < 0 || timeout < *ret_timeout))
            *ret_timeout = timeout;
    }
}

static void wake_all(struct serve *s, const struct source *x, bool ended) {
    LIST_FOR (&s->followers, n) {
        struct follower *f = CONTAINER_OF(n, struct follower, link);
        if (f->source != x)
            continue;
        reader_woken(&f->reader, ended);
        if (f->wants == READER_WANTS_WAKE)
            f->wants = READER_WANTS_TURN;
    }
}

static void see_sources(struct serve *s) {
    size_t i = 1;
    LIST_FOR (&s->sources, n) {
        struct source *x = CONTAINER_OF(n, struct source, link);
        if (!s->polls[i++].revents)
            continue;
        bool ended = !drain_wake(x->wake);
        if (ended)
            x->wake = fd_close(x->wake);
        wake_all(s, x, ended);
    }
}

static void step_follower(struct serve *s, struct follower *f) {
    short seen = s->polls[f->polled].revents;
    if (seen & ~POLLOUT)
        f->reader.gone = true;
    else if (f->wants == READER_WANTS_WAKE && reader_timeout(&f->reader) == 0)
        reader_woken(&f->reader, true); /* `until` is now */
    else if (f->wants == READER_WANTS_WAKE || (f->wants == READER_WANTS_WRITE && !seen))
        return;
    struct err e = f->reader.gone ? OK : reader_step(&f->reader, &f->wants);
    if (f->reader.gone || err_failed(e) || f->wants == READER_WANTS_NOTHING)
        follower_free(s, f);
    err_ignore(e); /* the client sees the stream break off */
}

static struct err round_(struct serve *s) {
    int timeout;
    set_polls(s, &timeout);
    if (poll(s->polls, s->polls_n, timeout) < 0 && errno != EINTR)
        return err_errno(errno, "poll");
    see_sources(s);
    LIST_FOR (&s->followers, n)
        step_follower(s, CONTAINER_OF(n, struct follower, link));
    if (s->polls[0].revents)
        take_message(s);
    return OK;
}

struct err logs_serve(struct worker_ctx *ctx,
                      struct err (*subscribe)(int run_dir_fd, int *ret_fd)) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)!setrlimit(RLIMIT_NOFILE, &files); /* then there are fewer */
    }
    struct serve s = {.ctx = ctx, .subscribe = subscribe};
    list_init(&s.followers);
    list_init(&s.sources);
    worker_notice(ctx, LOGS_SERVE_READY, STR_NONE, NULL, 0);
    struct err e = OK;
    while (!err_failed(e) && (!s.orphaned || !list_empty(&s.followers)))
        e = round_(&s);
    LIST_FOR (&s.followers, n)
        follower_free(&s, CONTAINER_OF(n, struct follower, link));
    free(s.polls);
    return e;
}
