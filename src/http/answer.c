/* Answers: complete and streamed. */
#include "http/conn.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PARTS_MAX 3
#define COMPACT_ABOVE (64u << 10)

/* --- the socket ------------------------------------------------------------------------------ */

size_t conn_pending(const struct http_conn *c) {
    return c->out.len - c->out_off;
}

/* Found while writing, told in a round of its own: the writer is a handler in the middle of work.
 */
static void write_failed(struct http_conn *c) {
    c->gone = true;
    buf_done(&c->out);
    c->out_off = 0;
    conn_kick(c);
}

void conn_write(struct http_conn *c, const struct str *parts, size_t n) {
    struct iovec iov[PARTS_MAX];
    size_t sent = 0;
    assert(n <= PARTS_MAX);
    if (c->gone || c->dead)
        return;
    if (conn_pending(c) == 0) {
        for (size_t i = 0; i < n; i++)
            iov[i] = (struct iovec){(void *)(uintptr_t)parts[i].p, parts[i].len};
        struct msghdr mh = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t rc;
        do
            rc = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (rc < 0 && errno == EINTR);
        if (rc < 0 && errno != EAGAIN) {
            write_failed(c);
            return;
        }
        sent = rc > 0 ? (size_t)rc : 0;
    }
    for (size_t i = 0; i < n; i++) {
        size_t skip = MIN(sent, parts[i].len);
        sent -= skip;
        buf_add_str(&c->out, str_from(parts[i], skip));
    }
}

void conn_flush(struct http_conn *c) {
    while (conn_pending(c)) {
        ssize_t n = send(c->fd, c->out.data + c->out_off, conn_pending(c),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            conn_lost(c);
            return;
        }
        c->out_off += (size_t)n;
        c->progress += (uint64_t)n;
    }
    if (conn_pending(c) == 0) {
        buf_done(&c->out);
        c->out_off = 0;
    } else if (c->out_off > COMPACT_ABOVE && c->out_off > c->out.len / 2) {
        buf_drop(&c->out, c->out_off);
        c->out_off = 0;
    }
    struct http_exchange *x = c->x;
    if (x && !x->over && x->want_drain && conn_pending(c) < HTTP_DRAIN_BELOW) {
        x->want_drain = false;
        if (x->on_drain)
            x->on_drain(x->drain_arg);
    }
}

/* --- heads ----------------------------------------------------------------------------------- */

static void head_start(struct http_server *s, int minor, int status, const char *content_type) {
    struct buf *b = &s->head;
    buf_clear(b);
    buf_adds(b, minor ? "HTTP/1.1 " : "HTTP/1.0 ");
    buf_add_u64(b, (uint64_t)status);
    buf_addc(b, ' ');
    buf_adds(b, http_status_text(status));
    buf_adds(b, "\r\n");
    buf_adds(b, s->common);
    if (content_type) {
        buf_adds(b, "Content-Type: ");
        buf_adds(b, content_type);
        buf_adds(b, "\r\n");
    }
    buf_adds(b, "Date: ");
    buf_adds(b, server_date(s));
    buf_adds(b, "\r\n");
}

static void head_length(struct buf *b, size_t length) {
    buf_adds(b, "Content-Length: ");
    buf_add_u64(b, length);
    buf_adds(b, "\r\n");
}

static void head_end(struct http_exchange *x) {
    struct buf *b = &x->conn->server->head;
    buf_add_str(b, buf_str(&x->extra));
    if (!x->keep)
        buf_adds(b, "Connection: close\r\n");
    else if (x->req.minor == 0)
        buf_adds(b, "Connection: keep-alive\r\n");
    buf_adds(b, "\r\n");
    x->begun = true;
}

/* May the connection live on after this answer, as far as the request's body goes? */
static void keep_decide(struct http_exchange *x) {
    bool waits = x->expect_continue && !x->continue_sent;
    bool too_long = x->req.framing == HTTP_BODY_LENGTH && x->left > HTTP_UNREAD_MAX;
    if (x->conn->server->stopping || (!x->body_read && (waits || too_long)))
        x->keep = false;
}

void http_add_header(struct http_exchange *x, const char *name, const char *value) {
    buf_adds(&x->extra, name);
    buf_adds(&x->extra, ": ");
    for (; *value; value++) /* a value can carry foreign text: it must stay one line */
        buf_addc(&x->extra, http_text_byte((unsigned char)*value) ? *value : ' ');
    buf_adds(&x->extra, "\r\n");
}

/* --- answers --------------------------------------------------------------------------------- */

static void finished(struct http_exchange *x) {
    struct http_conn *c = x->conn;
    x->over = true;
    c->phase = PHASE_FINISH;
    conn_settle(c);
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body) {
    struct http_conn *c = x->conn;
    struct http_server *s = c->server;
    assert(!x->begun && !x->over);
    bool bodiless = status == 204 || status == 304 || status < 200;
    keep_decide(x);
    head_start(s, x->req.minor, status, bodiless ? NULL : content_type);
    if (!bodiless)
        head_length(&s->head, body.len);
    head_end(x);
    struct str parts[2] = {buf_str(&s->head), body};
    conn_write(c, parts, bodiless || x->head_request || body.len == 0 ? 1 : 2);
    finished(x);
}

void http_stream_begin(struct http_exchange *x, int status, const char *content_type) {
    struct http_conn *c = x->conn;
    struct http_server *s = c->server;
    assert(!x->begun && !x->over);
    x->streaming = true;
    x->chunked = x->req.minor >= 1;
    if (!x->chunked)
        x->keep = false;
    keep_decide(x);
    head_start(s, x->req.minor, status, content_type);
    if (x->chunked)
        buf_adds(&s->head, "Transfer-Encoding: chunked\r\n");
    head_end(x);
    struct str head = buf_str(&s->head);
    conn_write(c, &head, 1);
    if (c->half && half_is_gone(x)) {
        c->gone = true;
        conn_kick(c);
    }
    conn_settle(c);
}

bool http_stream_write(struct http_exchange *x, struct str data) {
    struct http_conn *c = x->conn;
    char size[24];
    assert(x->streaming && !x->over);
    if (data.len == 0 || x->head_request || c->gone)
        return true;
    size_t before = conn_pending(c);
    if (x->chunked) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", data.len);
        struct str parts[3] = {str_n(size, (size_t)n), data, STR("\r\n")};
        conn_write(c, parts, 3);
    } else {
        conn_write(c, &data, 1);
    }
    if (before == 0 && conn_pending(c))
        conn_watch(c);
    if (conn_pending(c) > HTTP_PENDING_MAX)
        x->want_drain = true;
    return !x->want_drain;
}

void http_stream_on_drain(struct http_exchange *x, void (*drain)(void *arg), void *arg) {
    x->on_drain = drain;
    x->drain_arg = arg;
}

size_t http_stream_pending(const struct http_exchange *x) {
    return conn_pending(x->conn);
}

void http_stream_end(struct http_exchange *x) {
    assert(x->streaming && !x->over);
    struct str last = STR("0\r\n\r\n");
    if (x->chunked && !x->head_request)
        conn_write(x->conn, &last, 1);
    finished(x);
}

void http_abort(struct http_exchange *x) {
    if (x->over)
        return;
    x->over = true;
    conn_end(x->conn);
}

void conn_refuse(struct http_conn *c, int status) {
    if (c->x && c->x->begun) {
        conn_end(c);
        return;
    }
    CLEAN_BUF struct buf b = {0}, body = {0};
    buf_addf(&body, "{\"message\":\"%s\"}\n", http_status_text(status));
    http_plain_answer(&b, status, "application/json", buf_str(&body));
    struct str all = buf_str(&b);
    if (c->x) {
        c->x->over = true;
        c->x->begun = true;
    }
    conn_write(c, &all, 1);
    conn_linger(c);
}

/* --- the exchange ---------------------------------------------------------------------------- */

const struct http_request *http_request_of(struct http_exchange *x) {
    return &x->req;
}

struct loop *http_loop_of(struct http_exchange *x) {
    return x->conn->server->loop;
}

void http_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg) {
    x->on_gone = gone;
    x->gone_arg = arg;
    if (gone && x->conn->gone && !x->conn->said_gone)
        conn_kick(x->conn);
}
