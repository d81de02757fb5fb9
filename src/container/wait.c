/* wait: serves the client's socket until a condition holds. While the program runs the monitor
 * holds the socket, so the answer survives this daemon; before a start and after an exit it is held
 * here. */
#include "base/file.h"
#include "container/private.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char wait_head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

struct container_waiter *container_waiter_free(struct container_waiter *w) {
    if (w) {
        http_taken_done(&w->taken);
        free(w->content_type);
        free(w->detach_keys);
        free(w);
    }
    return NULL;
}

/* Heads and one-line answers fit the empty send buffer of a socket: a client that does not take
 * them is dropped, never waited for. */
static bool send_now(int fd, const void *p, size_t n) {
    return send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

void container_waiter_answer(struct container_waiter *w, int code) {
    CLEAN_BUF struct buf body = {0}, chunk = {0};
    buf_addf(&body, "{\"StatusCode\":%d}\n", code);
    buf_addf(&chunk, "%zx\r\n%s\r\n0\r\n\r\n", body.len, buf_cstr(&body));
    send_now(w->taken.fd, chunk.data, chunk.len);
    container_waiter_free(w);
}

static struct container_waiter *waiter_new(struct http_taken *taken, enum monitor_wait_for wait) {
    struct container_waiter *w = NEW(struct container_waiter);
    w->taken = *taken;
    *taken = (struct http_taken){.fd = -1};
    w->is_wait = true;
    w->wait = wait;
    w->content_type = mem_strdup("application/json");
    return w;
}

static void wait_sent(void *arg UNUSED, struct err e) {
    /* The monitor answers the client itself; when it died the client sees its socket close. */
    err_ignore(e);
}

void container_wait(struct container *c, enum container_wait condition, struct http_taken *taken) {
    enum monitor_wait_for what = condition == CONTAINER_WAIT_REMOVED ? MONITOR_WAIT_REMOVED
                                                                     : MONITOR_WAIT_EXIT;
    if (container_is_alive(c) && c->monitor) {
        struct monitor_client client = {.taken = taken, .content_type = "application/json"};
        monitor_wait(c->monitor, client, what, wait_sent, NULL);
        return;
    }
    if (!send_now(taken->fd, wait_head, sizeof wait_head - 1)) {
        http_taken_done(taken);
        return;
    }
    struct container_waiter *w = waiter_new(taken, what);
    bool starting = c->state == CONTAINER_RESTARTING;
    if (condition == CONTAINER_WAIT_NOT_RUNNING && !starting)
        container_waiter_answer(w, c->exit_code);
    else
        list_push(&c->prestart, &w->link);
}
