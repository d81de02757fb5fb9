/* Giving the socket away, and the heads that its new owner writes. */
#include "http/conn.h"

#include "base/file.h"

#include <assert.h>

void http_take(struct http_exchange *x, struct http_taken *ret) {
    struct http_conn *c = x->conn;
    assert(!x->begun && !x->over);
    struct http_taken t = {.upgrade = x->upgrade, .head_request = x->head_request};
    /* Out of epoll first: the copy that travels would keep the entry alive. */
    c->watch = watch_free(c->watch);
    t.fd = TAKE_FD(c->fd);
    err_ignore(fd_set_nonblock(t.fd, false)); /* cannot fail on a socket */
    if (conn_pending(c))                      /* at most a 100 Continue that had no room */
        fd_write_all(t.fd, c->out.data + c->out_off, conn_pending(c));
    t.early = c->in;
    c->in = (struct buf){0};
    if (!x->body_read) {
        t.body.framing = x->req.framing;
        t.body.remaining = x->left;
        memcpy(t.body.chunk, &x->chunk, sizeof(x->chunk));
        t.body.expects_continue = x->expect_continue && !x->continue_sent;
    }
    x->over = true;
    *ret = t;
    conn_end(c);
}

void http_taken_done(struct http_taken *t) {
    t->fd = fd_close(t->fd);
    buf_done(&t->early);
}

void http_hijack_head(struct buf *out, bool upgrade, const char *content_type) {
    buf_adds(out, upgrade ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n");
    buf_adds(out, "Content-Type: ");
    buf_adds(out, upgrade ? content_type : "application/vnd.docker.raw-stream");
    buf_adds(out, upgrade ? "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" : "\r\n\r\n");
}

void http_plain_answer(struct buf *out, int status, const char *content_type, struct str body) {
    buf_addf(out, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
    if (content_type)
        buf_addf(out, "Content-Type: %s\r\n", content_type);
    buf_addf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.len);
    buf_add_str(out, body);
}
