/* Message connections on the loop. */
#include "base/log.h"
#include "base/mem.h"
#include "loop/msg.h"
#include "loop/msg_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct queued {
    struct list link;
    struct msg_packed packed;
    char *body;
};

struct msg_conn {
    struct loop *loop;
    struct watch *watch;
    int fd;
    msg_fn *fn;
    msg_closed_fn *closed;
    void *arg;
    struct list out;
    unsigned inside; /* callbacks on the stack */
    bool dead;       /* freed from inside a callback */
};

static void queued_free(struct queued *q) {
    for (size_t i = 0; i < q->packed.fds_n; i++)
        fd_close(q->packed.fds[i]);
    free(q->body);
    free(q);
}

static void conn_release(struct msg_conn *c) {
    watch_free(c->watch);
    for (struct list *n; (n = list_pop(&c->out));)
        queued_free(CONTAINER_OF(n, struct queued, link));
    fd_close(c->fd);
    free(c);
}

static void want(struct msg_conn *c) {
    watch_set(c->watch, WATCH_READ | (list_empty(&c->out) ? 0 : WATCH_WRITE));
}

static void flush(struct msg_conn *c) {
    while (!list_empty(&c->out)) {
        struct queued *q = CONTAINER_OF(c->out.next, struct queued, link);
        int r = msg_send_now(c->fd, &q->packed.head, q->packed.body, q->packed.fds, q->packed.fds_n);
        if (r == -EAGAIN || r == -ETOOMANYREFS)
            break;
        /* A broken socket is found by reading. */
        list_remove(&q->link);
        queued_free(q);
    }
    want(c);
}

static void receive(struct msg_conn *c) {
    while (!c->dead) {
        CLEAN_MSG struct msg m = {0};
        struct err e = msg_recv_now(c->fd, &m);
        if (!err_failed(e)) {
            c->fn(c->arg, &m);
            continue;
        }
        enum err_kind kind = err_kind(e);
        if (kind == ERR_TIMEOUT || kind == ERR_UNAVAILABLE)
            err_ignore(e); /* drained, or gone as told below */
        else
            log_err(LOG_ERROR, e, "message connection");
        if (kind == ERR_TIMEOUT)
            return;
        watch_set(c->watch, 0);
        c->closed(c->arg);
        return;
    }
}

static void conn_event(void *arg, unsigned events) {
    struct msg_conn *c = arg;
    c->inside++;
    if (events & WATCH_WRITE)
        flush(c);
    if (events & (WATCH_READ | WATCH_HANGUP))
        receive(c);
    if (--c->inside == 0 && c->dead)
        conn_release(c);
}

struct msg_conn *msg_conn_new(struct loop *l, int fd, msg_fn *fn, msg_closed_fn *closed, void *arg) {
    struct msg_conn *c = NEW(struct msg_conn);
    *c = (struct msg_conn){.loop = l, .fd = fd, .fn = fn, .closed = closed, .arg = arg};
    list_init(&c->out);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    c->watch = watch_new(l, fd, WATCH_READ, conn_event, c);
    return c;
}

/* Keeps own copies of body and descriptors until the socket takes them. */
static void enqueue(struct msg_conn *c, const struct msg_packed *p) {
    struct queued *q = NEW(struct queued);
    q->packed = *p;
    q->packed.memfd = -1;
    q->body = p->body.len ? mem_dup(p->body.p, p->body.len) : NULL;
    q->packed.body = str_n(q->body, p->body.len);
    for (size_t i = 0; i < p->fds_n; i++)
        q->packed.fds[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, 3);
    list_push(&c->out, &q->link);
    want(c);
}

void msg_conn_send(struct msg_conn *c, uint32_t type, uint64_t seq, struct str body, const int *fds, size_t fds_n) {
    struct msg_packed p;
    struct err e = msg_pack(type, seq, body, fds, fds_n, &p);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "send message");
        return;
    }
    int r = list_empty(&c->out) ? msg_send_now(c->fd, &p.head, p.body, p.fds, p.fds_n) : -EAGAIN;
    if (r == -EAGAIN || r == -ETOOMANYREFS)
        enqueue(c, &p);
    fd_close(p.memfd);
}

int msg_conn_fd(const struct msg_conn *c) {
    return c->fd;
}

int msg_conn_take(struct msg_conn *c) {
    int fd = TAKE_FD(c->fd);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    msg_conn_free(c);
    return fd;
}

struct msg_conn *msg_conn_free(struct msg_conn *c) {
    if (!c)
        return NULL;
    c->watch = watch_free(c->watch);
    if (c->inside)
        c->dead = true;
    else
        conn_release(c);
    return NULL;
}
