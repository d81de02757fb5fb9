/* The end of a socket that was taken for nothing: the error is written, then what the client still
 * sends is dropped until it closes. Facts: loop. */
#include "http/http.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct refusal {
    struct loop_ward ward;
    struct watch *watch;
    struct timer *timer;
    struct buf out;
    size_t sent; /* of out */
    uint64_t dropped;
    int fd;
};

static void end(struct refusal *r) {
    list_remove(&r->ward.link);
    watch_free(r->watch);
    timer_free(r->timer);
    fd_close(r->fd);
    buf_done(&r->out);
    free(r);
}

static void loop_ends(struct loop_ward *w) {
    end(CONTAINER_OF(w, struct refusal, ward));
}

static void too_long(void *arg) {
    end(arg);
}

static bool failed(ssize_t n) {
    return n < 0 && errno != EAGAIN && errno != EINTR;
}

/* To its end, which may be now: who drains has nothing to say. */
static bool say(struct refusal *r) {
    if (r->sent < r->out.len) {
        ssize_t n = send(r->fd, r->out.data + r->sent, r->out.len - r->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (failed(n))
            return false;
        r->sent += n > 0 ? (size_t)n : 0;
    }
    if (r->sent < r->out.len)
        return true;
    shutdown(r->fd, SHUT_WR);
    watch_set(r->watch, WATCH_READ);
    return true;
}

static bool drop(struct refusal *r) {
    char scrap[64 << 10];
    ssize_t n = recv(r->fd, scrap, sizeof(scrap), MSG_DONTWAIT);
    r->dropped += n > 0 ? (uint64_t)n : 0;
    return n != 0 && !failed(n) && r->dropped < HTTP_DRAIN_MAX;
}

static void ready(void *arg, unsigned events) {
    struct refusal *r = arg;
    if (((events & WATCH_WRITE) && !say(r)) || ((events & WATCH_READ) && !drop(r)))
        end(r);
}

/* Consumes out. */
static void drain(struct loop *l, struct http_taken *t, struct buf *out) {
    struct refusal *r = NEW(struct refusal);
    r->out = *out;
    *out = (struct buf){0};
    r->fd = TAKE_FD(t->fd);
    http_taken_done(t);
    r->ward.end = loop_ends;
    loop_ward_add(l, &r->ward);
    r->timer = timer_new(l, HTTP_DRAIN_TIME, 0, too_long, r);
    r->watch = watch_new(l, r->fd, WATCH_READ | WATCH_WRITE, ready, r);
    if (!say(r))
        end(r);
}

void http_taken_drain(struct loop *l, struct http_taken *t) {
    struct buf nothing = {0};
    drain(l, t, &nothing);
}

void http_taken_refuse(struct loop *l, struct http_taken *t, struct err e) {
    CLEAN_BUF struct buf body = {0}, out = {0};
    http_error_body(&body, err_msg(e));
    http_plain_answer(&out, http_error_status(err_kind(e)), "application/json", buf_str(&body));
    if (t->head_request)
        out.len -= body.len;
    drain(l, t, &out);
}
