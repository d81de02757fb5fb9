#include "http/client.h"

#include "base/mem.h"
#include "base/time.h"
#include "http/body.h"
#include "http/parse.h"
#include "http/send.h"
#include "loop/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (16u << 10)
#define SEND_SIZE (64u << 10)
#define INTERIM_MAX 16 /* 1xx answers before the real one */

#define WAIT_PERIOD_MS 250

struct http_client {
    char *host;      /* as given: in messages */
    char *authority; /* the Host header */
    char *path;      /* unix socket, or NULL: TCP to name and port */
    char *name, *port;
    http_dialer *dialer;    /* or NULL: path or name */
    int fd;                 /* -1: not connected */
    struct buf in;          /* bytes after the last head */
    struct http_body *body; /* of the answer, when framed */
    bool until_close;       /* the answer ends with the connection */
    bool keep;              /* the connection serves after this answer */
    bool used;              /* it has served before */
    http_waiter *waiter;    /* NULL: nobody wants to know */
    void *waiter_arg;
};

/* --- connecting ------------------------------------------------------------------------------ */

static struct err dial_tcp(struct http_client *c, int *ret_fd) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(c->name, c->port, &hints, &list);
    if (rc != 0)
        return err_new(ERR_UNAVAILABLE, "look up '%s': %s", c->name, gai_strerror(rc));
    CLEAN_FD
    int fd = -1;
    int errnum = 0;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        errnum = errno;
        fd = fd_close(fd);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_kind_errno(ERR_UNAVAILABLE, errnum, "connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err client_connect(struct http_client *c) {
    if (c->dialer) {
        c->used = false;
        return c->dialer(c->host, &c->fd);
    }
    struct err e = c->path ? unix_dial(AT_FDCWD, c->path, SOCK_STREAM, &c->fd)
                           : dial_tcp(c, &c->fd);
    c->used = false;
    if (!err_failed(e))
        return OK;
    int errnum = err_errnum(e);
    if (err_kind(e) == ERR_FORBIDDEN) {
        err_free(e);
        return err_kind_errno(ERR_FORBIDDEN, errnum,
                              "permission denied while trying to connect to the Docker daemon "
                              "socket at %s",
                              c->host);
    }
    err_free(e);
    return err_new(ERR_UNAVAILABLE,
                   "Cannot connect to the Docker daemon at %s. Is the docker daemon running?",
                   c->host);
}

static void answer_drop(struct http_client *c) {
    http_body_free(c->body);
    c->body = NULL;
    c->until_close = false;
}

static void client_close(struct http_client *c) {
    answer_drop(c);
    buf_done(&c->in);
    c->fd = fd_close(c->fd);
    c->keep = false;
}

/* tcp://host:port, tcp://[::1]:port */
static struct err parse_tcp(struct http_client *c, struct str s) {
    ssize_t colon = str_rfind(s, ':');
    uint64_t port;
    while (str_ends(s, STR("/")))
        s.len--;
    if (colon < 1 || (size_t)colon + 1 >= s.len)
        return err_new(ERR_INVALID, "host '%s': want tcp://host:port", c->host);
    struct str name = str_sub(s, 0, (size_t)colon), digits = str_from(s, (size_t)colon + 1);
    TRYF(str_to_u64(digits, 65535, &port), "host '%s'", c->host);
    if (str_starts(name, STR("[")) && str_ends(name, STR("]")))
        name = str_sub(name, 1, name.len - 1);
    c->name = str_dup(name);
    c->port = str_dup(digits);
    c->authority = str_dup(s);
    return OK;
}

struct err http_dial(const char *host, struct http_client **ret) {
    OWN(http_client_clean) struct http_client *c = NEW(struct http_client);
    struct str s = str_of(host);
    c->fd = -1;
    c->host = mem_strdup(host);
    if (str_starts(s, STR("unix://"))) {
        c->path = str_dup(str_from(s, 7));
        c->authority = mem_strdup("localhost");
        if (c->path[0] == '\0')
            return err_new(ERR_INVALID, "host '%s': no path", host);
    } else if (str_starts(s, STR("tcp://"))) {
        TRY(parse_tcp(c, str_from(s, 6)));
    } else {
        return err_new(ERR_UNSUPPORTED, "host '%s': want unix:// or tcp://", host);
    }
    TRY(client_connect(c));
    *ret = TAKE(c);
    return OK;
}

struct err http_dial_by(const char *host, http_dialer *dialer, struct http_client **ret) {
    OWN(http_client_clean) struct http_client *c = NEW(struct http_client);
    c->fd = -1;
    c->host = mem_strdup(host);
    c->authority = mem_strdup("localhost");
    c->dialer = dialer;
    TRY(client_connect(c));
    *ret = TAKE(c);
    return OK;
}

void http_client_free(struct http_client *c) {
    if (!c)
        return;
    client_close(c);
    free(c->host);
    free(c->authority);
    free(c->path);
    free(c->name);
    free(c->port);
    free(c);
}

void http_client_clean(struct http_client **c) {
    http_client_free(*c);
}

/* --- the request ----------------------------------------------------------------------------- */

static void request_head(const struct http_client *c, const struct http_call *call, struct buf *b) {
    buf_addf(b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: corten/" CORTEN_VERSION "\r\n",
             call->method, call->target, c->authority);
    if (call->content_type)
        buf_addf(b, "Content-Type: %s\r\n", call->content_type);
    if (call->upgrade)
        buf_adds(b, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    if (call->headers)
        buf_adds(b, call->headers);
    bool bodiless = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    if (call->body_read)
        buf_adds(b, "Transfer-Encoding: chunked\r\n");
    else if (call->body.len || !bodiless)
        buf_addf(b, "Content-Length: %zu\r\n", call->body.len);
    buf_adds(b, "\r\n");
}

/* 0; -errno of the socket; positive errno of the caller's body_read. */
static int send_chunks(struct http_client *c, const struct http_call *call) {
    CLEAN_FREE
    char *p = mem_alloc(SEND_SIZE);
    for (;;) {
        ssize_t n = call->body_read(call->body_arg, p, SEND_SIZE);
        if (n < 0)
            return (int)-n;
        int rc = n ? http_answer_write(c->fd, str_n(p, (size_t)n)) : http_answer_end(c->fd);
        if (rc < 0 || n == 0)
            return rc;
    }
}

static int send_request(struct http_client *c, const struct http_call *call) {
    CLEAN_BUF struct buf b = {0};
    request_head(c, call, &b);
    bool small = call->body.len <= READ_SIZE;
    if (small)
        buf_add_str(&b, call->body);
    int rc = http_send(c->fd, buf_str(&b));
    if (rc == 0 && !small)
        rc = http_send(c->fd, call->body);
    if (rc == 0 && call->body_read)
        rc = send_chunks(c, call);
    return rc;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* Until there is something to read; who waits is told every now and then. */
static void await(const struct http_client *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
    int64_t begun = time_monotonic();
    bool told = false;
    if (!c->waiter)
        return;
    for (int r = 0; r == 0 || (r < 0 && errno == EINTR);) {
        r = poll(&p, 1, WAIT_PERIOD_MS);
        if (r == 0)
            c->waiter(c->waiter_arg, time_monotonic() - begun);
        told |= r == 0;
    }
    if (told)
        c->waiter(c->waiter_arg, -1);
}

/* Reads one head into ret->head; what follows it stays in c->in. 0 or -errno; -ENODATA: closed
 * before its first byte. */
static int read_head(struct http_client *c, struct http_answer *ret, struct arena *arena,
                     struct http_head *ret_head) {
    struct http_scan scan = {0};
    for (;;) {
        ssize_t n = c->in.len ? http_scan(&scan, buf_str(&c->in)) : 0;
        if (n < 0)
            return -EPROTO;
        if (n > 0) {
            buf_clear(&ret->head);
            buf_add(&ret->head, c->in.data, (size_t)n);
            buf_drop(&c->in, (size_t)n);
            return http_answer_parse(buf_str(&ret->head), arena, ret_head);
        }
        await(c);
        ssize_t got = http_recv(c->fd, buf_room(&c->in, READ_SIZE), READ_SIZE);
        if (got <= 0)
            return c->in.len == 0 ? -ENODATA : got < 0 ? (int)got : -ECONNRESET;
        buf_added(&c->in, (size_t)got);
    }
}

static void answer_begin(struct http_client *c, const struct http_call *call,
                         const struct http_head *h, struct http_answer *a) {
    bool bodiless = strcmp(call->method, "HEAD") == 0 || h->status == 204 || h->status == 304;
    struct str type = http_head_get(h, "content-type");
    a->status = h->status;
    a->content_type = str_dup(type);
    c->used = true;
    c->keep = h->minor >= 1 ? !h->close : h->keep_alive && !h->close;
    if (h->status == 101 ||
        (call->upgrade && h->status == 200 && h->framing == HTTP_BODY_NONE && !bodiless)) {
        a->upgraded = true;
        c->keep = false;
        c->until_close = true;
        return;
    }
    if (!bodiless && h->framing == HTTP_BODY_NONE) {
        c->until_close = true;
        c->keep = false;
        return;
    }
    struct http_body_state state = {.framing = bodiless ? HTTP_BODY_NONE : h->framing,
                                    .remaining = h->content_length};
    c->body = http_body_new(c->fd, &state, buf_str(&c->in));
    /* One request at a time: bytes behind the answer are nobody's. */
    if (bodiless && c->in.len)
        c->keep = false;
    buf_clear(&c->in);
}

static int read_answer(struct http_client *c, const struct http_call *call, struct http_answer *a) {
    for (int heads = 0; heads < INTERIM_MAX; heads++) {
        CLEAN_ARENA struct arena arena = {0};
        struct http_head h;
        int rc = read_head(c, a, &arena, &h);
        if (rc < 0)
            return rc;
        if (h.status >= 200 || h.status == 101) {
            if (h.status == 101 && !call->upgrade)
                return -EPROTO;
            answer_begin(c, call, &h, a);
            return 0;
        }
    }
    return -EPROTO;
}

/* Not when the last answer was left unread, nor when the server has closed or spoken unasked. */
static bool can_reuse(const struct http_client *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
    if (c->until_close || (c->body && !(c->keep && http_body_ended(c->body))))
        return false;
    return poll(&p, 1, 0) == 0;
}

static struct err call_once(struct http_client *c, const struct http_call *call,
                            struct http_answer *a, bool *ret_again) {
    bool kept = c->used;
    *ret_again = false;
    int sent = send_request(c, call);
    if (sent > 0) {
        client_close(c);
        return err_errno(sent, "read the body to send");
    }
    /* A server may answer and close before it has read everything: look, whatever sending says. */
    int rc = read_answer(c, call, a);
    if (rc == 0) {
        if (sent < 0)
            c->keep = false;
        return OK;
    }
    /* Only what can be done twice: the daemon may have died in the middle of a create. */
    bool repeatable = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    *ret_again = kept && rc == -ENODATA && repeatable && !call->body_read;
    client_close(c);
    if (rc == -ENODATA)
        return err_new(ERR_UNAVAILABLE, "the daemon closed the connection without an answer");
    if (rc == -EPROTO)
        return err_new(ERR_SYSTEM, "the daemon's answer is malformed");
    return err_errno(rc, "read the daemon's answer");
}

struct err http_call(struct http_client *c, const struct http_call *call, struct http_answer *ret) {
    struct http_answer a = {0};
    bool again = false;
    a.head.max = HTTP_HEAD_MAX;
    if (c->fd >= 0 && !can_reuse(c))
        client_close(c);
    answer_drop(c);
    for (;;) {
        if (c->fd < 0)
            TRY(client_connect(c));
        struct err e = call_once(c, call, &a, &again);
        if (!err_failed(e)) {
            *ret = a;
            return OK;
        }
        buf_done(&a.head);
        if (!again)
            return e;
        err_free(e);
    }
}

ssize_t http_call_read(struct http_client *c, void *p, size_t n) {
    ssize_t rc = 0;
    if (c->until_close && c->in.len) {
        rc = (ssize_t)MIN(n, c->in.len);
        memcpy(p, c->in.data, (size_t)rc);
        buf_drop(&c->in, (size_t)rc);
        return rc;
    }
    if (c->until_close)
        rc = http_recv(c->fd, p, n);
    else if (c->body)
        rc = http_body_read(c->body, p, n);
    if (rc > 0 || n == 0)
        return rc;
    if (rc < 0 || !c->keep)
        client_close(c);
    else
        answer_drop(c);
    return rc;
}

bool http_call_buffered(const struct http_client *c) {
    if (c->until_close)
        return c->in.len > 0;
    return !c->body || http_body_buffered(c->body) || http_body_ended(c->body);
}

struct err http_call_read_all(struct http_client *c, size_t max, struct buf *ret) {
    CLEAN_BUF struct buf b = {0};
    for (;;) {
        ssize_t n = http_call_read(c, buf_room(&b, READ_SIZE), READ_SIZE);
        if (n < 0)
            return err_errno((int)n, "read the daemon's answer");
        if (n == 0)
            break;
        buf_added(&b, (size_t)n);
        if (b.len > max) {
            client_close(c);
            return err_new(ERR_INVALID, "the daemon's answer is longer than %zu bytes", max);
        }
    }
    buf_add_str(ret, buf_str(&b));
    return OK;
}

int http_client_hijack(struct http_client *c, struct buf *ret_early) {
    buf_add_str(ret_early, buf_str(&c->in));
    int fd = TAKE_FD(c->fd);
    client_close(c);
    return fd;
}

int http_client_fd(struct http_client *c) {
    return c->fd;
}

void http_answer_done(struct http_answer *a) {
    free(a->content_type);
    buf_done(&a->head);
    *a = (struct http_answer){0};
}

struct str http_answer_header(const struct http_answer *a, const char *name) {
    struct str rest = buf_str(&a->head), line, key, value;
    while (str_next(&rest, '\n', &line))
        if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, str_of(name)))
            return str_trim(value);
    return STR_NONE;
}

void http_client_on_wait(struct http_client *c, http_waiter *fn, void *arg) {
    c->waiter = fn;
    c->waiter_arg = arg;
}
