/* wait.c - clients that wait for the end: the head at once, the answer when the condition holds. */
#include "base/json.h"
#include "base/mem.h"
#include "monitor/keeper.h"
#include <stdlib.h>
#include <sys/socket.h>

struct waiter {
    struct list link;
    struct keeper *keeper;
    int fd;
    struct watch *watch;
    enum monitor_wait_for what;
};

static const char wait_head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

static void waiter_free(struct waiter *w) {
    list_remove(&w->link);
    watch_free(w->watch);
    fd_close(w->fd);
    free(w);
}

static void on_closed(void *arg, unsigned events) {
    (void)events;
    struct waiter *w = arg;
    struct keeper *k = w->keeper;
    waiter_free(w);
    exit_maybe(k);
}

/* Head and answer are a few hundred bytes into an empty socket buffer: a client that does not take
 * them has lost its answer, nobody waits for it. */
static void send_text(struct waiter *w, const char *p, size_t n) {
    (void)!send(w->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void answer(struct waiter *w) {
    const struct monitor_exit *x = &w->keeper->exit;
    CLEAN_BUF struct buf body = {0}, chunk = {0};
    struct json_out o = {.out = &body};
    jo_obj(&o);
    if (x->error && *x->error) {
        jo_key(&o, "Error");
        jo_obj(&o);
        jo_kstr(&o, "Message", x->error);
        jo_obj_end(&o);
    }
    jo_ki64(&o, "StatusCode", x->code);
    jo_obj_end(&o);
    buf_addc(&body, '\n');
    buf_addf(&chunk, "%zx\r\n%s\r\n0\r\n\r\n", body.len, buf_cstr(&body));
    send_text(w, chunk.data, chunk.len);
    shutdown(w->fd, SHUT_WR);
    waiter_free(w);
}

/* The daemon holds it from here on. */
static void give_back(struct waiter *w) {
    CLEAN_BUF struct buf body = {0};
    msg_put_i64(&body, TAG_EXIT_CODE, w->keeper->exit.code);
    server_notice(w->keeper, PROTOCOL_WAITER_BACK, &body, &w->fd, 1);
    waiter_free(w);
}

void wait_release(struct keeper *k) {
    if (!k->released)
        return;
    bool daemon = k->daemon && k->daemon->taken;
    LIST_FOR (&k->waiters, n) {
        struct waiter *w = CONTAINER_OF(n, struct waiter, link);
        if (w->what == MONITOR_WAIT_EXIT || k->removed)
            answer(w);
        else if (!(k->flags & START_AUTO_REMOVE) && daemon)
            give_back(w);
    }
}

bool wait_pending(const struct keeper *k) {
    return !list_empty(&k->waiters);
}

struct err wait_add(struct keeper *k, struct protocol_client *c, enum monitor_wait_for what) {
    if (c->fd < 0 || (what != MONITOR_WAIT_EXIT && what != MONITOR_WAIT_REMOVED)) {
        protocol_client_done(c);
        return err_new(ERR_INVALID, "wait: no client or an unknown condition");
    }
    struct waiter *w = NEW(struct waiter);
    w->keeper = k;
    w->fd = TAKE_FD(c->fd);
    w->what = what;
    w->watch = watch_new(k->loop, w->fd, WATCH_CLOSED, on_closed, w);
    list_push(&k->waiters, &w->link);
    /* At once: the CLI starts the container only after it has seen the head. */
    if (!(c->flags & CLIENT_HEAD_SENT))
        send_text(w, wait_head, sizeof(wait_head) - 1);
    protocol_client_done(c);
    wait_release(k);
    return OK;
}
