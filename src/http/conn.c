/* One connection: reading, turns of requests, the client's end. */
#include "http/conn.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEC INT64_C(1000000000)
#define TURNS_MAX 32 /* pipelined requests in one round of the loop */

static const int64_t wait_ns[HTTP_WAITS] = {
    [HTTP_WAIT_HEAD] = 10 * SEC,   [HTTP_WAIT_IDLE] = 180 * SEC, [HTTP_WAIT_BODY] = 30 * SEC,
    [HTTP_WAIT_WRITE] = 120 * SEC, [HTTP_WAIT_LINGER] = 1 * SEC,
};

static void on_socket(void *arg, unsigned events);

void conn_wait(struct http_conn *c, enum http_wait wait) {
    list_remove(&c->link);
    c->wait = (uint8_t)wait;
    c->progress = 0;
    if (wait == HTTP_WAIT_NONE) {
        list_push(&c->server->unbound, &c->link);
        return;
    }
    c->deadline = http_now() + wait_ns[wait];
    list_push(&c->server->waits[wait], &c->link);
    server_arm(c->server, c->deadline);
}

void conn_new(struct http_server *s, int fd, bool local) {
    struct http_conn *c = NEW(struct http_conn);
    struct ucred cred;
    socklen_t len = sizeof(cred);
    c->server = s;
    c->fd = fd;
    c->uid = (uid_t)-1;
    /* TCP: pid 0, uid -1 */
    if (local && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        c->uid = cred.uid;
        c->pid = cred.pid;
    }
    s->connections++;
    c->watch = watch_new(s->loop, fd, WATCH_READ, on_socket, c);
    conn_wait(c, HTTP_WAIT_IDLE);
}

void exchange_free(struct http_exchange *x) {
    if (!x)
        return;
    struct arena arena = x->arena; /* the exchange may lie in it one day */
    buf_done(&x->extra);
    buf_done(&x->body);
    free(x);
    arena_done(&arena);
}

void conn_end(struct http_conn *c) {
    if (c->dead)
        return;
    c->dead = true;
    c->watch = watch_free(c->watch);
    list_remove(&c->link);
    list_remove(&c->kick_link);
    if (c->fd >= 0)
        c->fd = fd_close(c->fd);
    if (c->busy == 0) {
        c->busy = 1;
        conn_leave(c);
    }
}

void conn_leave(struct http_conn *c) {
    if (--c->busy > 0 || !c->dead)
        return;
    struct http_server *s = c->server;
    exchange_free(c->x);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
    server_conn_closed(s);
}

void conn_kick(struct http_conn *c) {
    if (c->dead || c->kick_link.next)
        return;
    if (list_empty(&c->server->kicked))
        timer_set(c->server->kick_timer, 0);
    list_push(&c->server->kicked, &c->kick_link);
}

/* What this connection waits for, by its phase. */
void conn_watch(struct http_conn *c) {
    if (c->dead)
        return;
    unsigned events = conn_pending(c) ? WATCH_WRITE : 0;
    switch (c->phase) {
    case PHASE_HEAD:
    case PHASE_BODY:
        events |= WATCH_READ;
        break;
    case PHASE_LINGER:
        /* A half-closed client still gets all of the answer. */
        events = events ? events | WATCH_CLOSED : WATCH_READ;
        break;
    case PHASE_FINISH:
        events |= c->x && !c->x->body_read ? WATCH_READ : WATCH_CLOSED;
        break;
    default:
        events |= c->half ? WATCH_CLOSED : WATCH_HANGUP;
    }
    watch_set(c->watch, c->gone ? 0 : events);
}

/* --- the client's end ------------------------------------------------------------------------ */

bool half_is_gone(const struct http_exchange *x) {
    return x && x->streaming && !x->over && !x->upgrade &&
           (str_eqz(x->req.method, "GET") || x->head_request);
}

void conn_tell_gone(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (!c->gone || c->said_gone || !x || x->over || !x->on_gone)
        return;
    c->said_gone = true;
    x->on_gone(x->gone_arg);
}

/* Ends an exchange that its handler still holds: the handler is told, its http_abort does nothing.
 */
static void exchange_over(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (!x || x->over)
        return;
    x->over = true;
    if (x->on_gone && !c->said_gone) {
        c->said_gone = true;
        x->on_gone(x->gone_arg);
    }
}

void conn_fail(struct http_conn *c, int status) {
    exchange_over(c);
    if (!c->dead)
        conn_refuse(c, status);
}

void conn_lost(struct http_conn *c) {
    c->gone = true;
    buf_done(&c->out);
    c->out_off = 0;
    /* A body that will never be complete ends its exchange. */
    if (c->phase == PHASE_BODY)
        exchange_over(c);
    if (!c->x || c->x->over) {
        conn_end(c);
        return;
    }
    conn_watch(c);
    conn_tell_gone(c);
}

static bool peer_closed(const struct http_conn *c) {
    struct pollfd p = {.fd = c->fd, .events = 0};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void on_hangup(struct http_conn *c, unsigned events) {
    if ((events & WATCH_CLOSED) || peer_closed(c)) {
        conn_lost(c);
        return;
    }
    c->half = true;
    if (half_is_gone(c->x))
        conn_lost(c);
    else
        conn_watch(c);
}

void conn_linger(struct http_conn *c) {
    if (c->dead)
        return;
    c->phase = PHASE_LINGER;
    if (conn_pending(c)) {
        conn_wait(c, HTTP_WAIT_WRITE);
    } else {
        /* Closing with unread bytes could reset the connection before our answer is read. */
        shutdown(c->fd, SHUT_WR);
        conn_wait(c, HTTP_WAIT_LINGER);
    }
    conn_watch(c);
}

void conn_timeout(struct http_conn *c) {
    c->busy++;
    switch ((enum http_wait)c->wait) {
    case HTTP_WAIT_HEAD:
        conn_refuse(c, 408);
        break;
    case HTTP_WAIT_BODY:
        if (c->progress >= HTTP_BODY_MIN_BYTES) {
            conn_wait(c, HTTP_WAIT_BODY);
            break;
        }
        conn_fail(c, 408);
        break;
    case HTTP_WAIT_WRITE:
        if (c->progress > 0) {
            conn_wait(c, HTTP_WAIT_WRITE);
            break;
        }
        conn_lost(c);
        conn_end(c);
        break;
    default:
        conn_end(c);
    }
    if (!c->dead)
        conn_advance(c);
    conn_leave(c);
}

/* --- reading --------------------------------------------------------------------------------- */

static void exchange_fill(struct http_conn *c, struct http_exchange *x, const struct http_head *h) {
    struct http_request *r = &x->req;
    x->conn = c;
    r->method = h->method;
    r->target = h->target;
    r->headers = h->headers;
    r->headers_n = h->headers_n;
    r->minor = h->minor;
    r->framing = h->framing;
    r->content_length = h->content_length;
    r->arena = &x->arena;
    r->peer_uid = c->uid;
    r->peer_pid = c->pid;
    x->left = h->content_length;
    x->head_request = str_eqz(h->method, "HEAD");
    x->upgrade = h->upgrade;
    x->keep = (h->minor >= 1 ? !h->close : h->keep_alive && !h->close);
    x->expect_continue = h->expect_continue;
    x->body_read = h->framing == HTTP_BODY_NONE ||
                   (h->framing == HTTP_BODY_LENGTH && h->content_length == 0);
}

/* A complete head lies at the start of data. */
static void request_begin(struct http_conn *c, struct str head) {
    struct http_exchange *x = NEW(struct http_exchange);
    struct http_head h;
    char *copy = arena_str(&x->arena, head);
    int status = http_request_parse(str_n(copy, head.len), &x->arena, &h);
    if (status == 0)
        status = http_target_parse(h.target, &x->arena, &x->req.path, &x->req.query);
    if (status) {
        exchange_free(x);
        conn_refuse(c, status);
        return;
    }
    exchange_fill(c, x, &h);
    c->x = x;
    c->phase = PHASE_ANSWER;
    c->scan = (struct http_scan){0};
    c->half = c->said_gone = false;
    conn_wait(c, HTTP_WAIT_NONE);
}

/* Looks for a head in data (in c->in when kept is true). True when a request begins. */
static bool head_feed(struct http_conn *c, struct str data, bool kept) {
    ssize_t n = http_scan(&c->scan, data);
    if (n < 0) {
        conn_refuse(c, (int)-n);
        return false;
    }
    if (n == 0) {
        if (!kept)
            buf_add_str(&c->in, data);
        if (c->wait != HTTP_WAIT_HEAD)
            conn_wait(c, HTTP_WAIT_HEAD);
        return false;
    }
    request_begin(c, str_n(data.p, (size_t)n));
    if (c->phase != PHASE_ANSWER)
        return false;
    if (kept)
        buf_drop(&c->in, (size_t)n);
    else
        buf_add_str(&c->in, str_from(data, (size_t)n));
    if (c->in.len == 0)
        buf_done(&c->in);
    c->server->fn(c->server->arg, c->x, &c->x->req);
    return !c->dead;
}

static void read_some(struct http_conn *c) {
    struct http_server *s = c->server;
    ssize_t n = recv(c->fd, s->scratch, sizeof(s->scratch), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        if (c->phase == PHASE_HEAD || c->phase == PHASE_LINGER)
            conn_end(c);
        else
            conn_lost(c);
        return;
    }
    c->progress += (uint64_t)n;
    struct str data = str_n(s->scratch, (size_t)n);
    switch (c->phase) {
    case PHASE_HEAD:
        if (c->in.len) {
            buf_add_str(&c->in, data);
            head_feed(c, buf_str(&c->in), true);
        } else {
            head_feed(c, data, false);
        }
        break;
    case PHASE_BODY:
    case PHASE_FINISH:
        body_feed(c, data, false);
        break;
    default: /* PHASE_LINGER: dropped */
        break;
    }
}

/* The exchange is over and everything of it is read and written, or not. */
static void finish(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (!x->body_read && c->in.len)
        body_feed(c, buf_str(&c->in), true);
    if (c->phase != PHASE_FINISH || c->dead)
        return;
    if (!x->keep || (!x->body_read && x->expect_continue && !x->continue_sent) ||
        c->server->stopping || x->dropped > HTTP_UNREAD_MAX) {
        conn_linger(c);
        return;
    }
    if (!x->body_read || conn_pending(c)) {
        enum http_wait wait = conn_pending(c) ? HTTP_WAIT_WRITE : HTTP_WAIT_BODY;
        if (c->wait != wait)
            conn_wait(c, wait);
        return;
    }
    c->x = NULL;
    c->phase = PHASE_HEAD;
    exchange_free(x);
    conn_wait(c, HTTP_WAIT_IDLE);
}

void conn_advance(struct http_conn *c) {
    for (int turn = 0; !c->dead; turn++) {
        conn_tell_gone(c);
        if (c->gone && (!c->x || c->x->over))
            conn_end(c);
        if (c->dead)
            return;
        if (c->phase == PHASE_FINISH)
            finish(c);
        if (c->phase == PHASE_LINGER && c->wait == HTTP_WAIT_WRITE && !conn_pending(c))
            conn_linger(c);
        if (c->dead || c->phase != PHASE_HEAD || c->in.len == 0 || conn_pending(c))
            break;
        if (turn == TURNS_MAX) {
            conn_kick(c);
            break;
        }
        if (!head_feed(c, buf_str(&c->in), true))
            break;
    }
    conn_watch(c);
}

void conn_settle(struct http_conn *c) {
    if (c->busy > 0 || c->dead)
        return;
    c->busy++;
    if (c->in.len) {
        conn_kick(c);
        conn_watch(c);
    } else {
        conn_advance(c);
    }
    conn_leave(c);
}

static void on_socket(void *arg, unsigned events) {
    struct http_conn *c = arg;
    c->busy++;
    if (events & WATCH_WRITE)
        conn_flush(c);
    if (!c->dead && !c->gone && (events & (WATCH_HANGUP | WATCH_CLOSED)))
        on_hangup(c, events);
    if (!c->dead && !c->gone && (events & WATCH_READ))
        read_some(c);
    if (!c->dead)
        conn_advance(c);
    conn_leave(c);
}
