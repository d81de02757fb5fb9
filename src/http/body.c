#include "http/body.h"

#include "base/mem.h"
#include "base/time.h"
#include "http/chunk.h"
#include "http/send.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct http_body {
    int fd;
    enum http_framing framing;
    uint64_t left;
    struct http_chunk chunk;
    bool expects_continue, ended;
    int failed; /* -errno, for ever */
    char *early;
    size_t early_len, early_at;
};

struct http_body *http_body_new(int fd, const struct http_body_state *state, struct str early) {
    struct http_body *b = NEW(struct http_body);
    b->fd = fd;
    b->framing = state->framing;
    b->left = state->remaining;
    memcpy(&b->chunk, state->chunk, sizeof(b->chunk));
    b->expects_continue = state->expects_continue;
    if (early.len)
        b->early = mem_dup(early.p, early.len);
    b->early_len = early.len;
    if (state->framing == HTTP_BODY_NONE || (state->framing == HTTP_BODY_LENGTH && b->left == 0))
        b->ended = true;
    return b;
}

void http_body_free(struct http_body *b) {
    if (!b)
        return;
    free(b->early);
    free(b);
}

bool http_body_ended(const struct http_body *b) {
    return b->ended;
}

bool http_body_buffered(const struct http_body *b) {
    return b->early_at < b->early_len;
}

/* Raw bytes: the early ones, then the socket's. */
static ssize_t raw_read(struct http_body *b, void *p, size_t n) {
    size_t early = MIN(n, b->early_len - b->early_at);
    if (early > 0) {
        memcpy(p, b->early + b->early_at, early);
        b->early_at += early;
        return (ssize_t)early;
    }
    if (b->expects_continue) {
        b->expects_continue = false;
        int rc = http_send(b->fd, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        if (rc < 0)
            return rc;
    }
    ssize_t rc = http_recv(b->fd, p, n);
    return rc == 0 ? -ECONNRESET : rc;
}

/* Takes the framing out of the n raw bytes at p, in place: a body is never longer than its coding.
 */
static ssize_t unchunk(struct http_body *b, char *p, size_t n) {
    size_t at = 0, out = 0;
    while (at < n && !b->ended) {
        struct str data = STR_NONE;
        size_t used = 0;
        switch (http_chunk_next(&b->chunk, str_n(p + at, n - at), &used, &data)) {
        case HTTP_CHUNK_BAD:
            return -EPROTO;
        case HTTP_CHUNK_DATA:
            memmove(p + out, data.p, data.len);
            out += data.len;
            break;
        case HTTP_CHUNK_END:
            b->ended = true;
            break;
        case HTTP_CHUNK_MORE:
            break;
        }
        at += used;
    }
    return (ssize_t)out;
}

ssize_t http_body_read(struct http_body *b, void *p, size_t n) {
    ssize_t rc = 0;
    if (b->failed)
        return b->failed;
    if (n > SSIZE_MAX)
        n = SSIZE_MAX;
    while (rc == 0 && n > 0 && !b->ended) {
        if (b->framing == HTTP_BODY_LENGTH) {
            rc = raw_read(b, p, (size_t)MIN((uint64_t)n, b->left));
            b->left -= rc > 0 ? (uint64_t)rc : 0;
            b->ended = b->left == 0;
        } else {
            rc = raw_read(b, p, n);
            if (rc > 0)
                rc = unchunk(b, p, (size_t)rc);
        }
    }
    if (rc < 0)
        b->failed = (int)rc;
    return rc;
}

/* --- between processes ----------------------------------------------------------------------- */

struct packed {
    uint32_t version, framing;
    uint64_t remaining;
    unsigned char chunk[16];
    uint32_t expects_continue, early_len;
};
#define PACKED_VERSION 1u
/* What the server can have read past a head: its head limit and one read. */
#define EARLY_MAX (2u << 20)

void http_body_pack(const struct http_body_state *state, struct str early, struct buf *out) {
    struct packed p = {.version = PACKED_VERSION,
                       .framing = state->framing,
                       .remaining = state->remaining,
                       .expects_continue = state->expects_continue,
                       .early_len = (uint32_t)early.len};
    memcpy(p.chunk, state->chunk, sizeof(p.chunk));
    buf_add(out, &p, sizeof(p));
    buf_add_str(out, early);
}

struct err http_body_unpack(struct str packed, struct http_body_state *ret_state,
                            struct str *ret_early) {
    struct packed p;
    struct http_chunk chunk;
    if (packed.len < sizeof(p))
        return err_new(ERR_INVALID, "packed body is too short");
    memcpy(&p, packed.p, sizeof(p));
    memcpy(&chunk, p.chunk, sizeof(chunk));
    if (p.version != PACKED_VERSION || p.framing > HTTP_BODY_CHUNKED || p.expects_continue > 1 ||
        p.early_len > EARLY_MAX || p.early_len != packed.len - sizeof(p) ||
        p.remaining >= UINT64_C(1) << 60 || !http_chunk_valid(&chunk))
        return err_new(ERR_INVALID, "packed body is malformed");
    *ret_state = (struct http_body_state){.framing = (enum http_framing)p.framing,
                                          .remaining = p.remaining,
                                          .expects_continue = p.expects_continue};
    memcpy(ret_state->chunk, p.chunk, sizeof(p.chunk));
    *ret_early = str_from(packed, sizeof(p));
    return OK;
}

/* --- the answer of the new owner ------------------------------------------------------------- */

int http_answer_begin(int fd, int status, const char *content_type, const char *extra_headers) {
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
    if (content_type)
        buf_addf(&b, "Content-Type: %s\r\n", content_type);
    if (extra_headers)
        buf_adds(&b, extra_headers);
    buf_adds(&b, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    return http_send(fd, buf_str(&b));
}

int http_answer_write(int fd, struct str data) {
    char size[24];
    if (data.len == 0) /* an empty chunk would be the end */
        return 0;
    int n = snprintf(size, sizeof(size), "%zx\r\n", data.len);
    if (data.len < 4096) { /* one packet, one wake-up of the reader */
        CLEAN_BUF struct buf b = {0};
        buf_add(&b, size, (size_t)n);
        buf_add_str(&b, data);
        buf_adds(&b, "\r\n");
        return http_send(fd, buf_str(&b));
    }
    int rc = http_send(fd, str_n(size, (size_t)n));
    if (rc == 0)
        rc = http_send(fd, data);
    return rc == 0 ? http_send(fd, STR("\r\n")) : rc;
}

int http_answer_end(int fd) {
    return http_send(fd, STR("0\r\n\r\n"));
}
