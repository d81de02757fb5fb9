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
    buf_adds(out, content_type);
    buf_adds(out, upgrade ? "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" : "\r\n\r\n");
}

void http_plain_answer(struct buf *out, int status, const char *content_type, struct str body) {
    buf_addf(out, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
    if (content_type)
        buf_addf(out, "Content-Type: %s\r\n", content_type);
    buf_addf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.len);
    buf_add_str(out, body);
}

const char *http_status_text(int status) {
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Requested Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}
