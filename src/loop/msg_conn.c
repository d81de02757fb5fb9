#include "loop/msg_wire.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define READ_BATCH 32 /* messages per round, then others get their turn */
/* What waits for a peer that does not read; more, and the peer is given up. */
#define QUEUE_BYTES_MAX (64u << 20)
#define QUEUE_MESSAGES_MAX 4096u
#define RETRY_NS (20 * INT64_C(1000000)) /* ETOOMANYREFS and ENOBUFS end by themselves */

struct queued {
    struct list link;
    uint32_t type;
    uint64_t seq;
    char *body;
    size_t body_len, fds_n;
    int fds[MSG_FDS_MAX];
};

struct msg_conn {
    struct loop *loop;
    struct watch *watch;
    struct timer *timer; /* armed: sending is tried again, or `broken` is reported */
    int fd;
    msg_fn *fn;
    msg_closed_fn *closed;
    void *arg;
    struct list queue;
    size_t queue_n, queue_bytes;
    unsigned busy; /* frames of ours on the stack */
    bool broken, freed;
    bool mute; /* the peer is gone: nothing can be sent, what it had sent is still read */
};

static void queued_free(struct queued *q) {
    for (size_t i = 0; i < q->fds_n; i++)
        fd_close(q->fds[i]);
    free(q->body);
    free(q);
}

static void queue_drop(struct msg_conn *c) {
    for (struct list *n; (n = list_pop(&c->queue));)
        queued_free(CONTAINER_OF(n, struct queued, link));
    c->queue_n = c->queue_bytes = 0;
}

static void conn_end(struct msg_conn *c) {
    watch_free(c->watch);
    timer_free(c->timer);
    queue_drop(c);
    fd_close(c->fd);
    free(c);
}

static void on_timer(void *arg);

static void timer_arm(struct msg_conn *c, int64_t delay_ns) {
    if (c->timer)
        timer_set(c->timer, delay_ns);
    else
        c->timer = timer_new(c->loop, delay_ns, 0, on_timer, c);
}

static void watch_update(struct msg_conn *c, bool want_write) {
    if (c->watch)
        watch_set(c->watch, c->broken ? 0 : WATCH_READ | (want_write ? WATCH_WRITE : 0));
}

/* Reported in a round of its own, never from inside msg_conn_send. */
static void conn_break(struct msg_conn *c) {
    if (c->broken)
        return;
    c->broken = true;
    queue_drop(c);
    watch_update(c, false);
    timer_arm(c, 0);
}

static void conn_report(struct msg_conn *c) {
    c->broken = true;
    queue_drop(c);
    watch_update(c, false);
    if (!c->freed)
        c->closed(c->arg);
}

/* The end of the connection is told by the reading side, after the last message. */
static void conn_mute(struct msg_conn *c) {
    c->mute = true;
    queue_drop(c);
    watch_update(c, false);
}

/* 0: sent, or the peer is gone; 1: has to wait; -errno */
static int send_one(struct msg_conn *c, uint32_t type, uint64_t seq, struct str body,
                    const int *fds, size_t n) {
    int rc = msg_wire_send(c->fd, type, seq, body, fds, n);
    if (rc == -EAGAIN) {
        watch_update(c, true);
        return 1;
    }
    if (rc == -ETOOMANYREFS || rc == -ENOBUFS || rc == -EMFILE || rc == -ENFILE) {
        watch_update(c, false);
        timer_arm(c, RETRY_NS);
        return 1;
    }
    if (rc != -EPIPE && rc != -ECONNRESET)
        return rc;
    conn_mute(c);
    return 0;
}

static void queue_flush(struct msg_conn *c) {
    while (!list_empty(&c->queue)) {
        struct queued *q = CONTAINER_OF(c->queue.next, struct queued, link);
        int rc = send_one(c, q->type, q->seq, str_n(q->body, q->body_len), q->fds, q->fds_n);
        if (rc == 1 || c->mute) /* mute: the queue is gone */
            return;
        if (rc < 0) {
            conn_break(c);
            return;
        }
        list_remove(&q->link);
        c->queue_n--;
        c->queue_bytes -= q->body_len;
        queued_free(q);
    }
    watch_update(c, false);
}

static void on_timer(void *arg) {
    struct msg_conn *c = arg;
    c->busy++;
    if (c->broken)
        conn_report(c);
    else
        queue_flush(c);
    c->busy--;
    if (c->freed && c->busy == 0)
        conn_end(c);
}

static void read_batch(struct msg_conn *c) {
    for (int i = 0; i < READ_BATCH && !c->freed && !c->broken && c->watch; i++) {
        struct msg m;
        int rc = msg_wire_recv(c->fd, &m);
        if (rc == -EAGAIN)
            return;
        if (rc <= 0) {
            conn_report(c);
            return;
        }
        c->fn(c->arg, &m);
        msg_done(&m);
    }
}

static void on_socket(void *arg, unsigned events) {
    struct msg_conn *c = arg;
    c->busy++;
    if (events & WATCH_WRITE)
        queue_flush(c);
    if (events & WATCH_READ)
        read_batch(c);
    c->busy--;
    if (c->freed && c->busy == 0)
        conn_end(c);
}

struct msg_conn *msg_conn_new(struct loop *l, int fd, msg_fn *fn, msg_closed_fn *closed,
                              void *arg) {
    struct msg_conn *c = NEW(struct msg_conn);
    c->loop = l;
    c->fd = fd;
    c->fn = fn;
    c->closed = closed;
    c->arg = arg;
    list_init(&c->queue);
    c->watch = watch_new(l, fd, WATCH_READ, on_socket, c);
    return c;
}

void msg_conn_send(struct msg_conn *c, uint32_t type, uint64_t seq, struct str body, const int *fds,
                   size_t fds_n) {
    if (c->broken || c->mute || c->freed || !c->watch)
        return;
    if (list_empty(&c->queue)) {
        int rc = send_one(c, type, seq, body, fds, fds_n);
        if (rc == 0)
            return;
        if (rc < 0) {
            conn_break(c);
            return;
        }
    }
    if (c->queue_n >= QUEUE_MESSAGES_MAX || c->queue_bytes + body.len > QUEUE_BYTES_MAX) {
        conn_break(c);
        return;
    }
    struct queued *q = NEW(struct queued);
    q->type = type;
    q->seq = seq;
    q->body = body.len ? mem_dup(body.p, body.len) : NULL;
    q->body_len = body.len;
    list_push(&c->queue, &q->link);
    c->queue_n++;
    c->queue_bytes += body.len;
    for (; q->fds_n < fds_n; q->fds_n++) {
        q->fds[q->fds_n] = fcntl(fds[q->fds_n], F_DUPFD_CLOEXEC, 3);
        if (q->fds[q->fds_n] < 0) {
            conn_break(c);
            return;
        }
    }
}

int msg_conn_fd(const struct msg_conn *c) {
    return c->fd;
}

int msg_conn_take(struct msg_conn *c) {
    c->watch = watch_free(c->watch);
    err_ignore(fd_set_nonblock(c->fd, false)); /* cannot fail on a socket */
    int fd = TAKE_FD(c->fd);
    msg_conn_free(c);
    return fd;
}

struct msg_conn *msg_conn_free(struct msg_conn *c) {
    if (!c || c->freed)
        return NULL;
    c->freed = true;
    if (c->busy == 0)
        conn_end(c);
    return NULL;
}
