/* The server's connection: what a client sends, in which pieces, when it half-closes, closes, stops
 * reading, against handlers that answer now, later, in streams, read bodies or take the socket. */
#include "http/conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct loop *loop;
    struct http_server *server;
    struct http_exchange *held; /* an answer that is still being prepared */
    bool streaming, reading;
};

static void gone(void *arg) {
    struct world *w = arg;
    struct http_exchange *x = w->held;
    if (!x)
        abort();
    w->held = NULL;
    http_abort(x);
}

static void hold(struct world *w, struct http_exchange *x) {
    if (w->held)
        abort(); /* one connection, one exchange */
    w->held = x;
    http_on_gone(x, gone, w);
}

static void body_done(void *arg, struct http_exchange *x, struct str body) {
    struct world *w = arg;
    if (w->held != x)
        abort();
    w->held = NULL;
    http_reply(x, 200, "text/plain", body);
}

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    struct world *w = arg;
    struct http_taken t;
    w->streaming = w->reading = false;
    switch (r->path.len > 1 ? r->path.p[1] : 0) {
    case 'b':
        hold(w, x);
        http_read_body(x, 64, body_done, w);
        break;
    case 'h':
        hold(w, x);
        break;
    case 's':
        hold(w, x);
        w->streaming = true;
        http_stream_begin(x, 200, NULL);
        break;
    case 'l':
        hold(w, x);
        w->reading = true;
        break;
    case 't':
        http_take(x, &t);
        http_taken_done(&t);
        break;
    case 'a':
        http_abort(x);
        break;
    default:
        http_reply(x, 200, "text/plain", STR("a longer answer than the smallest buffer may take"));
    }
}

/* The held exchange goes on. */
static void go_on(struct world *w) {
    struct http_exchange *x = w->held;
    static const char block[8192];
    if (!x)
        return;
    if (w->reading) {
        w->reading = false;
        http_read_body(x, 64, body_done, w);
    } else if (w->streaming) {
        if (http_stream_pending(x) < 16384) {
            http_stream_write(x, str_n(block, sizeof(block)));
        } else {
            w->held = NULL;
            http_stream_end(x);
        }
    } else if (x->conn->phase == PHASE_ANSWER) {
        w->held = NULL;
        http_reply(x, 200, "text/plain", str_n(block, sizeof(block)));
    }
}

static struct world *world_new(void) {
    static struct world w; /* of the process: a loop per input would cost more than the input */
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)) < 0 ||
        listen(fd, 1) < 0)
        abort();
    w.loop = loop_new();
    w.server = http_server_new(w.loop, fd, handle, &w);
    return &w;
}

/* One byte of script: what happens next. True when the client closed. */
static bool play(struct world *w, int *fd, uint8_t op, const uint8_t **p, size_t *left) {
    char drop[4096];
    size_t n = MIN((size_t)(op >> 3) * 4 + 1, *left);
    switch (op & 7) {
    case 0:
    case 1:
    case 2:
        if (send(*fd, *p, n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
            *p += n;
            *left -= n;
        }
        break;
    case 3:
        if (recv(*fd, drop, sizeof(drop), MSG_DONTWAIT) < 0)
            break;
        break;
    case 4:
        go_on(w);
        break;
    case 5:
        shutdown(*fd, SHUT_WR);
        break;
    case 6:
        if (op >> 3 == 31) {
            *fd = fd_close(*fd);
            return true;
        }
        break;
    default:
        break;
    }
    loop_step(w->loop);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct world *w;
    int sv[2], small = 1;
    if (!w)
        w = world_new();
    if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
        return 0;
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    conn_new(w->server, sv[0], true);
    /* first the script's length, the script, then what the client sends */
    size_t script = MIN((size_t)data[0], size - 1), left = size - 1 - script;
    const uint8_t *p = data + 1 + script;
    bool closed = false;
    for (size_t i = 0; i < script && !closed; i++)
        closed = play(w, &sv[1], data[1 + i], &p, &left);
    while (!closed && left > 0) {
        size_t before = left;
        play(w, &sv[1], 0xf8, &p, &left);
        if (left == before)
            break;
    }
    go_on(w);
    sv[1] = fd_close(sv[1]);
    for (int i = 0; i < 20 && w->server->connections; i++) {
        loop_step(w->loop);
        go_on(w);
    }
    if (w->server->connections || w->held)
        abort(); /* a client that closed was not noticed, or an exchange was forgotten */
    return 0;
}
