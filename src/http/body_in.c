/* The body of a request, read on the loop. */
#include "http/conn.h"

/* Hands the body to whoever asked for it. */
static void body_complete(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (c->phase != PHASE_BODY)
        return;
    c->phase = PHASE_ANSWER;
    conn_wait(c, HTTP_WAIT_NONE);
    x->body_done(x->body_arg, x, buf_str(&x->body));
}

/* False when there is more than wanted. */
static bool keep_piece(struct http_conn *c, struct str piece) {
    struct http_exchange *x = c->x;
    if (c->phase != PHASE_BODY) {
        x->dropped += piece.len;
        return true;
    }
    if (piece.len > x->body.max - x->body.len)
        return false;
    buf_add_str(&x->body, piece);
    return true;
}

/* Bytes of data that belong to the body, or minus a status. Sets x->body_read at its end. */
static ssize_t body_take(struct http_conn *c, struct str data) {
    struct http_exchange *x = c->x;
    size_t used = 0;
    if (x->req.framing == HTTP_BODY_LENGTH) {
        used = (size_t)MIN((uint64_t)data.len, x->left);
        x->left -= used;
        x->body_read = x->left == 0;
        return keep_piece(c, str_n(data.p, used)) ? (ssize_t)used : -413;
    }
    while (used < data.len && !x->body_read) {
        struct str piece = STR_NONE;
        size_t n = 0;
        switch (http_chunk_next(&x->chunk, str_from(data, used), &n, &piece)) {
        case HTTP_CHUNK_BAD:
            return -400;
        case HTTP_CHUNK_DATA:
            if (!keep_piece(c, piece))
                return -413;
            break;
        case HTTP_CHUNK_END:
            x->body_read = true;
            break;
        case HTTP_CHUNK_MORE:
            break;
        }
        used += n;
    }
    return (ssize_t)used;
}

void body_feed(struct http_conn *c, struct str data, bool kept) {
    ssize_t used = body_take(c, data);
    if (used < 0) {
        c->x->keep = false;
        if (c->phase == PHASE_BODY)
            conn_fail(c, (int)-used);
        else
            conn_linger(c); /* answered already */
        return;
    }
    if (kept)
        buf_drop(&c->in, (size_t)used);
    else
        buf_add_str(&c->in, str_from(data, (size_t)used));
    if (c->in.len == 0)
        buf_done(&c->in);
    if (c->x->body_read)
        body_complete(c);
}

void http_read_body(struct http_exchange *x, size_t max,
                    void (*done)(void *arg, struct http_exchange *x, struct str body), void *arg) {
    struct http_conn *c = x->conn;
    if (x->over)
        return;
    c->busy++;
    x->body_done = done;
    x->body_arg = arg;
    x->body.max = max;
    c->phase = PHASE_BODY;
    if (x->body_read) {
        body_complete(c);
    } else if (x->req.framing == HTTP_BODY_LENGTH && x->req.content_length > max) {
        conn_fail(c, 413);
    } else {
        conn_wait(c, HTTP_WAIT_BODY);
        if (c->in.len) {
            body_feed(c, buf_str(&c->in), true);
        } else if (x->expect_continue) {
            struct str line = STR("HTTP/1.1 100 Continue\r\n\r\n");
            conn_write(c, &line, 1);
        }
        x->continue_sent = true;
    }
    if (c->busy > 1 || c->dead) {
        conn_leave(c);
        return;
    }
    c->busy--;
    conn_settle(c);
}
