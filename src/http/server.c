#include "http/conn.h"
#include "http/tls.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_BATCH 64
#define ACCEPT_PAUSE_NS (100 * INT64_C(1000000)) /* when descriptors or memory have run out */

/* Not exact: the kernel's tick is enough for deadlines of seconds. */
int64_t http_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

const char *server_date(struct http_server *s) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != s->date_sec) {
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        s->date_sec = now.tv_sec;
        snprintf(s->date, sizeof(s->date), "%s, %02d %s %d %02d:%02d:%02d GMT",
                 days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12], tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
    }
    return s->date;
}

/* --- deadlines ------------------------------------------------------------------------------- */

void server_arm(struct http_server *s, int64_t at) {
    if (s->timer_at && s->timer_at <= at)
        return;
    s->timer_at = at;
    timer_set(s->timer, at - http_now());
}

static void on_deadline(void *arg) {
    struct http_server *s = arg;
    int64_t now = http_now(), next = 0;
    s->timer_at = 0;
    for (int i = 0; i < HTTP_WAITS; i++) {
        while (!list_empty(&s->waits[i])) {
            struct http_conn *c = CONTAINER_OF(s->waits[i].next, struct http_conn, link);
            if (c->deadline > now) {
                next = next ? MIN(next, c->deadline) : c->deadline;
                break;
            }
            conn_timeout(c); /* ends it or moves it to the end of a list */
        }
    }
    if (next)
        server_arm(s, next);
}

static void on_kick(void *arg) {
    struct http_server *s = arg;
    struct list todo;
    list_init(&todo);
    for (struct list *n; (n = list_pop(&s->kicked));)
        list_push(&todo, n);
    for (struct list *n; (n = list_pop(&todo));) {
        struct http_conn *c = CONTAINER_OF(n, struct http_conn, kick_link);
        c->busy++;
        conn_advance(c);
        conn_leave(c);
    }
}

/* --- accepting ------------------------------------------------------------------------------- */

static void accept_resume(void *arg) {
    struct http_server *s = arg;
    if (!s->stopping && s->connections < HTTP_CONNECTIONS_MAX) {
        s->accept_paused = false;
        watch_set(s->watch, WATCH_READ);
    }
}

static void accept_pause(struct http_server *s, bool retry) {
    s->accept_paused = true;
    watch_set(s->watch, 0);
    if (retry)
        timer_set(s->accept_timer, ACCEPT_PAUSE_NS);
}

void server_conn_closed(struct http_server *s) {
    s->connections--;
    if (s->accept_paused && !s->stopping)
        accept_resume(s);
}

static void on_secured(void *arg, int fd) {
    struct http_server *s = arg;
    if (s->stopping)
        fd_close(fd);
    else
        conn_new(s, fd, false);
}

static void on_listen(void *arg, unsigned events UNUSED) {
    struct http_server *s = arg;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if (s->connections >= HTTP_CONNECTIONS_MAX) {
            accept_pause(s, false);
            return;
        }
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0 && s->tls)
            tls_server_accept(s->tls, s->loop, fd, on_secured, s);
        else if (fd >= 0)
            conn_new(s, fd, true);
        if (fd >= 0)
            continue;
        switch (errno) {
        case EINTR:
        case ECONNABORTED:
            continue;
        case EAGAIN:
            return;
        default: /* EMFILE, ENFILE, ENOMEM, ENOBUFS: clients wait in the backlog */
            accept_pause(s, true);
            return;
        }
    }
}

/* --- life ------------------------------------------------------------------------------------ */

struct http_server *http_server_new(struct loop *l, int listen_fd, http_handler *fn, void *arg) {
    struct http_server *s = NEW(struct http_server);
    const int64_t never = INT64_C(1) << 60;
    s->loop = l;
    s->fd = listen_fd;
    s->fn = fn;
    s->arg = arg;
    s->common = "";
    for (int i = 0; i < HTTP_WAITS; i++)
        list_init(&s->waits[i]);
    list_init(&s->unbound);
    list_init(&s->kicked);
    s->timer = timer_new(l, never, 0, on_deadline, s);
    s->accept_timer = timer_new(l, never, 0, accept_resume, s);
    s->kick_timer = timer_new(l, never, 0, on_kick, s);
    s->watch = watch_new(l, listen_fd, WATCH_READ, on_listen, s);
    return s;
}

void http_server_set_common_headers(struct http_server *s, const char *lines) {
    s->common = lines ? lines : "";
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls) {
    s->tls = tls;
}

void http_server_stop(struct http_server *s) {
    if (s->stopping)
        return;
    s->stopping = true;
    s->watch = watch_free(s->watch);
    s->fd = fd_close(s->fd);
    struct list *lists[] = {&s->waits[HTTP_WAIT_IDLE], &s->waits[HTTP_WAIT_HEAD]};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        LIST_FOR (lists[i], n) {
            conn_end(CONTAINER_OF(n, struct http_conn, link));
        }
    }
}

static void end_all(struct list *conns) {
    while (!list_empty(conns)) {
        struct http_conn *c = CONTAINER_OF(conns->next, struct http_conn, link);
        c->busy++;
        c->gone = true;
        conn_tell_gone(c);
        conn_end(c);
        conn_leave(c);
    }
}

void http_server_free(struct http_server *s) {
    if (!s)
        return;
    http_server_stop(s);
    for (int i = 0; i < HTTP_WAITS; i++)
        end_all(&s->waits[i]);
    end_all(&s->unbound);
    timer_free(s->timer);
    timer_free(s->accept_timer);
    timer_free(s->kick_timer);
    buf_done(&s->head);
    free(s);
}
