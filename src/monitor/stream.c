/* stream.c - one client's socket: head, frames, detach keys, slow readers, the end. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME_HEADER 8
#define INPUT_SIZE 16384
#define GATE_TICKS 60 /* of the linger timer: a client that reads a long log first */
/* Clients that read the head of the answer through a buffer (Python's http.client among them) lose
 * what that one read takes beyond it. So the first output waits until the head has been taken. The
 * kernel does not tell when that is: looks, soon at first because every short exec pays for this,
 * HEAD_LOOKS at most. (The loop's own timers are too coarse.) */
#define HEAD_SOON (100 * NSEC_PER_USEC)
#define HEAD_SOON_LOOKS 20
#define HEAD_LATER NSEC_PER_MSEC
#define HEAD_LOOKS 120

struct client {
    struct list link;        /* session.clients, or keeper.clients_ending */
    struct session *session; /* NULL: only being flushed */
    struct keeper *keeper;
    int fd;
    struct watch *watch;
    bool in, out, err; /* streams that it wants */
    bool in_open;      /* its stdin has not ended */
    bool deaf;         /* the peer closed: what it sent is still read, nothing is sent */
    bool ending;       /* close when the queue is empty */
    int gate;          /* -1: open; else nothing is written before its other end is closed */
    struct watch *gate_watch;
    bool dropped; /* of no use any more: freed in a round of its own, callers walk lists */
    struct buf queue;
    size_t queue_done; /* bytes of it that are sent */
    unsigned char keys[DETACH_KEYS_MAX];
    size_t keys_n, keys_seen; /* 0: no detaching */
    unsigned idle_ticks;      /* of the linger timer, without progress */
    struct watch *head_watch; /* not NULL: the head has not been taken, output waits */
    int head_timer;           /* timerfd; -1: none */
    unsigned head_looks;
};

struct client *client_of(struct list *link) {
    return CONTAINER_OF(link, struct client, link);
}

bool client_wants(const struct client *c, enum logs_stream stream) {
    if (c->deaf || c->ending)
        return false;
    return stream == LOGS_STDOUT ? c->out : c->err;
}

size_t client_queued(const struct client *c) {
    return c->queue.len - c->queue_done;
}

static void client_free(struct client *c) {
    struct keeper *k = c->keeper;
    list_remove(&c->link);
    watch_free(c->watch);
    watch_free(c->gate_watch);
    fd_close(c->gate);
    watch_free(c->head_watch);
    fd_close(c->head_timer);
    fd_close(c->fd);
    buf_done(&c->queue);
    free(c);
    exit_maybe(k);
}

/* Nothing is sent yet: the log comes first, or the head has not been taken. */
static bool holds_back(const struct client *c) {
    return c->gate >= 0 || c->head_watch;
}

static void set_events(struct client *c) {
    unsigned events = c->deaf ? 0 : WATCH_CLOSED;
    if (c->in_open && c->session && !session_input_full(c->session))
        events |= WATCH_READ;
    if (client_queued(c) > 0 && !holds_back(c))
        events |= WATCH_WRITE;
    watch_set(c->watch, events);
}

void client_resume(struct client *c) {
    set_events(c);
}

static void free_later(void *arg) {
    client_free(arg);
}

/* Leaves its session; what is queued may still be flushed. */
static void leave_session(struct client *c) {
    struct session *s = TAKE(c->session);
    if (s == NULL)
        return;
    list_remove(&c->link);
    list_push(&c->keeper->clients_ending, &c->link);
    session_update(s); /* it may have held the program back */
}

static void client_drop(struct client *c) {
    if (c->dropped)
        return;
    c->dropped = c->deaf = c->ending = true;
    c->in_open = false;
    buf_done(&c->queue);
    c->queue_done = 0;
    leave_session(c);
    set_events(c);
    loop_post(c->keeper->loop, free_later, c);
}

/* The peer is gone. What it sent before is still its input. */
static void client_deafen(struct client *c) {
    if (c->session && c->session->gone)
        c->session->gone(c->session);
    if (!c->in_open || !c->session) {
        client_drop(c);
        return;
    }
    c->deaf = true;
    buf_done(&c->queue);
    c->queue_done = 0;
    session_update(c->session);
    set_events(c);
}

/* --- output ----------------------------------------------------------------------------------- */

/* Sends the queue; false: the client is gone, the socket is full, or it is too early. (The end of a
 * stream without output need not wait for the head.) */
static bool flush(struct client *c) {
    if (c->gate >= 0 || (c->head_watch && client_queued(c) > 0))
        return false;
    while (client_queued(c) > 0) {
        ssize_t n = send(c->fd, c->queue.data + c->queue_done, client_queued(c),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_deafen(c);
            return false;
        }
        c->queue_done += (size_t)n;
        c->idle_ticks = 0;
    }
    if (client_queued(c) > 0) {
        if (c->queue_done > c->queue.len / 2) { /* moved at most once per byte */
            buf_drop(&c->queue, c->queue_done);
            c->queue_done = 0;
        }
        return false;
    }
    buf_done(&c->queue);
    c->queue_done = 0;
    return true;
}

static void finish(struct client *c) {
    if (!c->deaf)
        shutdown(c->fd, SHUT_WR);
    client_drop(c);
}

static void put_header(unsigned char h[FRAME_HEADER], enum logs_stream stream, size_t n) {
    h[0] = stream == LOGS_STDOUT ? 1 : 2;
    h[1] = h[2] = h[3] = 0;
    for (int i = 0; i < 4; i++)
        h[4 + i] = (unsigned char)(n >> (24 - 8 * i));
}

void client_send(struct client *c, enum logs_stream stream, const void *p, size_t n) {
    unsigned char header[FRAME_HEADER];
    struct iovec iov[2] = {{header, 0}, {(void *)p, n}};
    if (!c->session->terminal || c->session->framed) {
        put_header(header, stream, n);
        iov[0].iov_len = FRAME_HEADER;
    }
    size_t total = iov[0].iov_len + n, sent = 0;
    if (client_queued(c) == 0 && !holds_back(c)) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
        ssize_t w;
        do
            w = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (w < 0 && errno == EINTR);
        if (w < 0 && errno != EAGAIN) {
            client_deafen(c);
            return;
        }
        sent = w > 0 ? (size_t)w : 0;
        if (sent > 0)
            c->idle_ticks = 0;
    }
    if (sent == total)
        return;
    size_t of_header = MIN(sent, iov[0].iov_len);
    buf_add(&c->queue, header + of_header, iov[0].iov_len - of_header);
    buf_add(&c->queue, (const char *)p + (sent - of_header),
            total - sent - (iov[0].iov_len - of_header));
    set_events(c);
}

/* --- input ------------------------------------------------------------------------------------ */

/* Passes bytes on, holding back what may be the beginning of the detach sequence. True: detached.
 */
static bool filter_keys(struct client *c, const char *p, size_t n) {
    if (c->keys_n == 0) {
        session_input(c->session, p, n);
        return false;
    }
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        if (c->keys_seen > 0 && b != c->keys[c->keys_seen]) {
            session_input(c->session, (const char *)c->keys, c->keys_seen);
            c->keys_seen = 0;
            start = i;
        }
        if (b != c->keys[c->keys_seen])
            continue;
        if (c->keys_seen == 0)
            session_input(c->session, p + start, i - start);
        start = i + 1;
        if (++c->keys_seen == c->keys_n)
            return true;
    }
    session_input(c->session, p + start, n - start);
    return false;
}

static void take_input(struct client *c, const char *p, size_t n) {
    if (filter_keys(c, p, n)) {
        c->in_open = false;
        client_end(c);
    }
}

static void input_ended(struct client *c) {
    c->in_open = false;
    bool output_too = session_input_end(c->session);
    if (c->deaf)
        client_drop(c);
    else if (output_too)
        client_end(c);
    else
        set_events(c);
}

static void read_input(struct client *c) {
    char bytes[INPUT_SIZE];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        take_input(c, bytes, (size_t)n);
    else
        input_ended(c); /* an error ends the input as an end does */
    if (!c->ending)
        set_events(c);
    keeper_active(c->keeper);
}

static void on_socket(void *arg, unsigned events) {
    struct client *c = arg;
    if (c->dropped)
        return;
    if (events & WATCH_WRITE) {
        if (flush(c) && c->ending) {
            finish(c);
            return;
        }
        if (c->session && !c->deaf)
            session_update(c->session);
    }
    if (events & WATCH_READ && c->in_open && c->session)
        read_input(c);
    if (events & WATCH_CLOSED && !c->deaf)
        client_deafen(c);
    if (!c->dropped)
        set_events(c);
}

/* Bytes that the other end of a unix socket has not taken (SIOCOUTQ counts what it holds of ours;
 * on TCP, what was not acknowledged). */
static bool head_is_taken(const struct client *c) {
    int held = 0;
    return ioctl(c->fd, SIOCOUTQ, &held) != 0 || held == 0;
}

static void head_timer_set(int fd, int64_t step) {
    const struct timespec ts = {.tv_nsec = step};
    timerfd_settime(fd, 0, &(struct itimerspec){.it_interval = ts, .it_value = ts}, NULL);
}

static void on_head_timer(void *arg, unsigned events) {
    (void)events;
    struct client *c = arg;
    uint64_t ticks;
    if (c->dropped || read(c->head_timer, &ticks, sizeof(ticks)) < 0)
        return;
    if (!head_is_taken(c) && ++c->head_looks < HEAD_LOOKS) {
        if (c->head_looks == HEAD_SOON_LOOKS)
            head_timer_set(c->head_timer, HEAD_LATER);
        return;
    }
    c->head_watch = watch_free(c->head_watch);
    c->head_timer = fd_close(c->head_timer);
    if (flush(c) && c->ending) {
        finish(c);
        return;
    }
    if (c->dropped)
        return;
    if (c->session && !c->deaf)
        session_update(c->session);
    set_events(c);
}

static void wait_for_head(struct client *c) {
    if (c->deaf || c->dropped || head_is_taken(c))
        return;
    c->head_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (c->head_timer < 0)
        return; /* no descriptors left: most clients do not need it */
    head_timer_set(c->head_timer, HEAD_SOON);
    c->head_watch = watch_new(c->keeper->loop, c->head_timer, WATCH_READ, on_head_timer, c);
}

/* --- life ------------------------------------------------------------------------------------- */

static void queue_head(struct client *c, const struct protocol_client *from) {
    if (from->flags & CLIENT_HEAD_SENT)
        return;
    http_hijack_head(&c->queue, from->flags & CLIENT_UPGRADE, from->content_type);
}

static struct client *client_make(struct session *s, struct protocol_client *from) {
    struct client *c = NEW(struct client);
    c->gate = c->head_timer = -1;
    c->session = s;
    c->keeper = s->keeper;
    c->in = from->flags & CLIENT_IN;
    c->out = from->flags & CLIENT_OUT;
    c->err = from->flags & CLIENT_ERR;
    c->in_open = c->in;
    c->fd = TAKE_FD(from->fd);
    if (s->terminal && c->in)
        err_ignore(
            detach_keys_parse(from->detach_keys, c->keys, &c->keys_n)); /* bad: refused before */
    list_push(&s->clients, &c->link);
    c->watch = watch_new(c->keeper->loop, c->fd, WATCH_CLOSED, on_socket, c);
    return c;
}

void client_new(struct session *s, struct protocol_client *from, const char *extra) {
    struct client *c = client_make(s, from);
    queue_head(c, from);
    flush(c);
    wait_for_head(c);
    if (extra && !c->deaf)
        client_send(c, LOGS_STDOUT, extra, strlen(extra));
    if (c->in_open && from->early.len > 0)
        take_input(c, from->early.data, from->early.len);
    if (!c->dropped)
        set_events(c);
    protocol_client_done(from);
}

static void on_gate(void *arg, unsigned events) {
    (void)events;
    struct client *c = arg;
    c->gate_watch = watch_free(c->gate_watch);
    c->gate = fd_close(c->gate);
    if (c->dropped)
        return;
    if (flush(c) && c->ending) {
        finish(c);
        return;
    }
    if (c->dropped)
        return;
    if (c->session && !c->deaf)
        session_update(c->session); /* all of it may have gone at once: no other event comes */
    set_events(c);
}

void client_new_after(struct session *s, struct protocol_client *from, int gate) {
    struct client *c = client_make(s, from);
    c->gate = gate;
    c->gate_watch = watch_new(c->keeper->loop, gate, WATCH_READ, on_gate, c);
    for (int i = 0; i < 2; i++) { /* not in the log yet */
        struct str begun = logs_writer_unfinished(c->keeper->log, (enum logs_stream)i);
        if (begun.len > 0 && client_wants(c, (enum logs_stream)i))
            client_send(c, (enum logs_stream)i, begun.p, begun.len);
    }
    if (c->in_open && from->early.len > 0)
        take_input(c, from->early.data, from->early.len);
    if (!c->dropped)
        set_events(c);
    protocol_client_done(from);
}

void client_end(struct client *c) {
    if (c->ending)
        return;
    c->ending = true;
    c->in_open = false;
    leave_session(c);
    if (flush(c))
        finish(c);
    else if (!c->dropped)
        set_events(c);
}

void clients_end(struct session *s) {
    LIST_FOR (&s->clients, n)
        client_end(client_of(n));
}

void clients_linger(struct keeper *k) {
    LIST_FOR (&k->clients_ending, n) {
        struct client *c = client_of(n);
        if (++c->idle_ticks > (c->gate >= 0 ? GATE_TICKS : 2))
            client_drop(c);
    }
}

void client_refuse(struct protocol_client *c, int status, const char *message) {
    CLEAN_BUF struct buf text = {0};
    http_error_answer(&text, status, message);
    /* A few hundred bytes into an empty socket buffer; a client that is gone misses nothing. */
    if (c->fd >= 0 && !(c->flags & CLIENT_HEAD_SENT))
        (void)!send(c->fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    protocol_client_done(c);
}

/* "a", "ctrl-a" … "ctrl-z", "ctrl-@", "ctrl-[", "ctrl-\", "ctrl-]", "ctrl-^", "ctrl-_", separated
 * by commas; as the peer's CLI documents it. */
static bool parse_key(struct str key, unsigned char *ret) {
    if (key.len == 1) {
        *ret = (unsigned char)key.p[0];
        return true;
    }
    if (!str_starts(key, STR("ctrl-")) || key.len != 6)
        return false;
    char c = key.p[5];
    if (c >= 'a' && c <= 'z')
        *ret = (unsigned char)(c - 'a' + 1);
    else if (c == '@')
        *ret = 0;
    else if (c >= '[' && c <= '_')
        *ret = (unsigned char)(c - '[' + 27);
    else
        return false;
    return true;
}

struct err detach_keys_parse(const char *text, unsigned char out[DETACH_KEYS_MAX], size_t *ret_n) {
    struct str rest = str_of(text && *text ? text : "ctrl-p,ctrl-q"), key;
    size_t n = 0;
    while (str_next(&rest, ',', &key)) {
        if (n == DETACH_KEYS_MAX || !parse_key(key, &out[n]))
            return err_new(ERR_INVALID, "Invalid detach keys (%s) provided", text ? text : "");
        n++;
    }
    *ret_n = n;
    return OK;
}

struct err monitor_check_detach_keys(const char *keys) {
    unsigned char out[DETACH_KEYS_MAX];
    size_t n;
    return detach_keys_parse(keys, out, &n);
}
