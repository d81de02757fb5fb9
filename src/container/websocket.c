/* websocket: attach for browsers. A worker stands between the client and the monitor: frames on one
 * side, the stream of an ordinary attach on the other, which the monitor serves as any other. So
 * foreign frames are parsed outside of the daemon, and the stream outlives it. Both outputs arrive
 * as they come, one after the other, as the peer sends them.
 *
 * Daemon half: container_websocket. Worker half: the job "container-websocket" with the client's
 * socket and one end of a pair; it answers the handshake once the monitor serves the other end, and
 * passes an error on as plain HTTP. */
#include "http/websocket.h"
#include "base/file.h"
#include "container/private.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX (WORKERS_MAX / 2) /* the others are for pulls, logs and the like */
#define BUFFER (64u << 10)
#define HEAD_MAX (64u << 10)
#define FRAME_HEADER 8
#define GOODBYE_MS 2000
#define STATUS_NORMAL 1000
#define STATUS_BROKEN 1002

/* --- in the daemon -----------------------------------------------------------------------------
 */

struct websocket_call {
    struct containers *cs;
    struct http_taken taken; /* until the worker has it */
};

static void begun(void *arg, struct err e) {
    struct websocket_call *call = arg;
    if (err_failed(e))
        http_taken_refuse(call->cs->config.loop, &call->taken, e);
    else
        http_taken_done(&call->taken);
}

static void ended(void *arg, struct str result UNUSED, struct err e) {
    struct websocket_call *call = arg;
    call->cs->websockets--;
    log_err(LOG_DEBUG, e, "WebSocket");
    free(call);
}

struct err container_websocket(struct containers *cs, const struct container_websocket *o,
                               struct http_taken *taken, struct http_taken *ret) {
    int pair[2];
    CLEAN_BUF struct buf args = {0};
    struct json_out jo = {.out = &args};
    if (cs->websockets >= CLIENTS_MAX)
        return err_new(ERR_UNAVAILABLE, "%d WebSockets are open, the most at a time", CLIENTS_MAX);
    if (taken->early.len > 0)
        return err_new(ERR_INVALID, "WebSocket: frames before the handshake");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(errno, "socketpair");
    jo_obj(&jo);
    jo_kstr(&jo, "accept", o->accept);
    jo_kbool(&jo, "multiplexed", o->multiplexed);
    jo_kbool(&jo, "text", o->text);
    jo_obj_end(&jo);
    const int fds[] = {taken->fd, pair[1]};
    struct websocket_call *call = NEW(struct websocket_call);
    *call = (struct websocket_call){cs, *taken};
    *taken = (struct http_taken){.fd = -1};
    struct worker_start s = {.program = cs->config.worker_program,
                             .job = "container-websocket",
                             .args = buf_str(&args),
                             .fds = fds,
                             .fds_n = 2,
                             .begun = begun,
                             .done = ended,
                             .arg = call};
    cs->websockets++;
    worker_start(cs->config.loop, &s);
    fd_close(pair[1]);
    *ret = (struct http_taken){.fd = pair[0], .upgrade = true};
    return OK;
}

/* --- in the worker -----------------------------------------------------------------------------
 */

struct bridge {
    int client, inner;
    struct json *args;
    bool multiplexed, open;       /* open: the handshake was answered */
    bool client_done, inner_done; /* no more is read from it */
    struct buf to_client, to_inner, head;
    struct websocket_in in;
    unsigned char frame[FRAME_HEADER]; /* of the monitor's stream */
    uint8_t frame_n;
    uint32_t frame_left;
};

static void put_frame(struct bridge *b, enum websocket_opcode opcode, struct str payload) {
    unsigned char head[WEBSOCKET_HEAD_MAX];
    buf_add(&b->to_client, head, websocket_head(head, opcode, payload.len));
    buf_add_str(&b->to_client, payload);
}

static void put_close(struct bridge *b, unsigned status) {
    const char code[] = {(char)(status >> 8), (char)status};
    put_frame(b, WEBSOCKET_OP_CLOSE, str_n(code, sizeof code));
}

static void put_output(struct bridge *b, struct str bytes) {
    bool text = json_bool(json_get(b->args, "text"), false);
    if (bytes.len > 0)
        put_frame(b, text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, bytes);
}

/* The monitor's frames name the stream; here both are one. */
static void put_stream(struct bridge *b, struct str bytes) {
    while (b->multiplexed && bytes.len > 0) {
        if (b->frame_left > 0) {
            size_t n = MIN((size_t)b->frame_left, bytes.len);
            put_output(b, str_sub(bytes, 0, n));
            b->frame_left -= (uint32_t)n;
            bytes = str_from(bytes, n);
            continue;
        }
        b->frame[b->frame_n++] = (unsigned char)bytes.p[0];
        bytes = str_from(bytes, 1);
        if (b->frame_n < FRAME_HEADER)
            continue;
        b->frame_n = 0;
        for (size_t i = 4; i < FRAME_HEADER; i++)
            b->frame_left = b->frame_left << 8 | b->frame[i];
    }
    if (!b->multiplexed)
        put_output(b, bytes);
}

/* The monitor's head: 101 opens the WebSocket, everything else is passed on as it is. */
static struct err read_head(struct bridge *b, struct str bytes) {
    buf_add_str(&b->head, bytes);
    ssize_t end = str_find_str(buf_str(&b->head), STR("\r\n\r\n"));
    if (end < 0)
        return b->head.len < HEAD_MAX ? OK : err_new(ERR_INVALID, "the monitor's head has no end");
    if (!str_starts(buf_str(&b->head), STR("HTTP/1.1 101 "))) {
        buf_add_str(&b->to_client, buf_str(&b->head));
        b->client_done = true;
        buf_truncate(&b->head, 0);
        return OK;
    }
    buf_addf(&b->to_client,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %.*s\r\n\r\n",
             STR_ARG(json_str(json_get(b->args, "accept"))));
    b->open = true;
    put_stream(b, str_from(buf_str(&b->head), (size_t)end + 4));
    buf_truncate(&b->head, 0);
    return OK;
}

static struct err read_inner(struct bridge *b) {
    char bytes[16 << 10];
    ssize_t n = recv(b->inner, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return OK;
    if (n <= 0) {
        b->inner_done = b->client_done = true;
        if (b->open)
            put_close(b, STATUS_NORMAL);
        return OK;
    }
    if (b->open)
        put_stream(b, str_n(bytes, (size_t)n));
    else if (b->client_done)
        buf_add(&b->to_client, bytes, (size_t)n);
    else
        return read_head(b, str_n(bytes, (size_t)n));
    return OK;
}

/* A client that leaves detaches. */
static void leave(struct bridge *b, unsigned status) {
    if (b->open && status)
        put_close(b, status);
    b->inner_done = b->client_done = true;
}

static void read_client(struct bridge *b) {
    unsigned char bytes[16 << 10], *p = bytes;
    struct str payload;
    ssize_t n = recv(b->client, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !b->open) {
        leave(b, 0);
        return;
    }
    for (size_t left = (size_t)n;;) {
        switch (websocket_next(&b->in, &p, &left, &payload)) {
        case WEBSOCKET_MORE:
            return;
        case WEBSOCKET_DATA:
            buf_add_str(&b->to_inner, payload);
            break;
        case WEBSOCKET_PING:
            put_frame(b, WEBSOCKET_OP_PONG, payload);
            break;
        case WEBSOCKET_CLOSE:
            leave(b, STATUS_NORMAL);
            return;
        case WEBSOCKET_BAD:
            leave(b, STATUS_BROKEN);
            return;
        }
    }
}

/* false: the other end is gone. */
static bool flush(int fd, struct buf *out) {
    if (out->len == 0)
        return true;
    ssize_t n = send(fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_drop(out, (size_t)n);
    return true;
}

/* Neither side is read while the other does not take what came before. */
static struct err step(struct bridge *b, int timeout) {
    struct pollfd p[2] = {{.fd = b->client}, {.fd = b->inner}};
    p[0].events = (short)((!b->client_done && b->to_inner.len < BUFFER ? POLLIN : 0) |
                          (b->to_client.len ? POLLOUT : 0));
    p[1].events = (short)((!b->inner_done && b->to_client.len < BUFFER ? POLLIN : 0) |
                          (b->to_inner.len ? POLLOUT : 0));
    for (size_t i = 0; i < 2; i++)
        p[i].fd = p[i].events ? p[i].fd : -1;
    int n = poll(p, 2, timeout);
    if (n == 0 || (n < 0 && errno != EINTR))
        return err_new(ERR_TIMEOUT, "the client does not read");
    if (n > 0 && (p[1].revents & (POLLIN | POLLHUP | POLLERR)))
        TRY(read_inner(b));
    if (n > 0 && (p[0].revents & (POLLIN | POLLHUP | POLLERR)))
        read_client(b);
    if (!flush(b->client, &b->to_client))
        return err_new(ERR_CANCELLED, "the client has left");
    if (!flush(b->inner, &b->to_inner))
        buf_truncate(&b->to_inner, 0); /* stdin is closed; its output may go on */
    return OK;
}

static struct err websocket_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result UNUSED) {
    if (fds_n != 2)
        return err_new(ERR_INVALID, "container-websocket: expected two descriptors");
    struct bridge b = {.client = fds[0], .inner = fds[1]};
    struct err e = json_parse(args, &b.args);
    b.multiplexed = json_bool(json_get(b.args, "multiplexed"), false);
    while (!err_failed(e) && !b.inner_done)
        e = step(&b, -1);
    while (!err_failed(e) && b.to_client.len > 0)
        e = step(&b, GOODBYE_MS);
    shutdown(b.client, SHUT_RDWR);
    json_free(b.args);
    buf_done(&b.to_client);
    buf_done(&b.to_inner);
    buf_done(&b.head);
    return e;
}

const struct worker_job container_websocket_job = {"container-websocket", websocket_job};
