#include "network/dns_serve.h"
#include "base/mem.h"
#include "base/time.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32
#define STREAM_OUT_MAX (256u << 10)

struct datagrams {
    struct mmsghdr heads[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t bytes[BATCH][DNS_UDP_MAX];
};

struct dns_server {
    struct loop *loop;
    struct dns_names *names;
    struct dns_forward *forward;
    struct list clients;
    size_t clients_n;
    bool ready;
    struct datagrams in, out;
    uint8_t answer[UINT16_MAX + 1];
};

struct dns_client {
    struct list link;
    struct dns_server *server;
    char id[65];
    int udp, tcp;
    struct watch *udp_watch, *tcp_watch;
    struct list streams, pending;
    size_t streams_n, pending_n;
};

struct stream { /* one TCP connection */
    struct list link;
    struct dns_client *client;
    int fd;
    struct watch *watch;
    struct timer *idle;
    struct buf in, out;
    size_t pending_n;
    bool ended; /* the peer sends no more */
};

struct pending { /* a question that was forwarded */
    struct list link;
    struct dns_client *client;
    struct stream *stream; /* NULL: by datagram */
    struct sockaddr_in from;
    struct dns_wait *wait;
    uint16_t id;
    size_t limit, question_len;
    uint8_t question[DNS_NAME_MAX + 4];
    struct dns_query query; /* its question points to the bytes above */
};

static void stream_send(struct stream *t, const uint8_t *p, size_t n);
static void stream_check(struct stream *t);

/* --- forwarded questions -------------------------------------------------------------------------
 */

static void pending_free(struct pending *p) {
    list_remove(&p->link);
    p->client->pending_n--;
    if (p->stream)
        p->stream->pending_n--;
    free(p);
}

static void deliver(struct pending *p, const uint8_t *bytes, size_t n) {
    if (p->stream)
        stream_send(p->stream, bytes, n);
    else /* a full socket buffer drops it, as a network would */
        (void)sendto(p->client->udp, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL,
                     (struct sockaddr *)&p->from, sizeof(p->from));
}

/* The id and the spelling are the asker's. What does not fit a datagram is asked again by TCP. */
static void forwarded(void *arg, struct str answer) {
    struct pending *p = arg;
    struct dns_server *s = p->client->server;
    struct stream *t = p->wait ? p->stream : NULL; /* answered at once: the caller is not done */
    size_t n = answer.len;
    if (n && n <= p->limit && n >= DNS_HEADER + p->question_len) {
        memmove(s->answer, answer.p, n);
        s->answer[0] = (uint8_t)(p->id >> 8);
        s->answer[1] = (uint8_t)p->id;
        memcpy(s->answer + DNS_HEADER, p->question, p->question_len);
    } else {
        struct dns_answer a;
        dns_answer_begin(&a, s->answer, p->limit, &p->query);
        a.full = n > p->limit;
        n = dns_answer_end(&a, n ? DNS_NOERROR : DNS_SERVFAIL, false);
    }
    deliver(p, s->answer, n);
    pending_free(p);
    if (t)
        stream_check(t);
}

static bool forward(struct dns_client *c, struct stream *t, const struct sockaddr_in *from,
                    const struct dns_query *q, size_t limit) {
    struct dns_server *s = c->server;
    if (c->pending_n >= DNS_WAITING_MAX)
        return false;
    struct pending *p = NEW(struct pending);
    p->client = c;
    p->stream = t;
    if (from)
        p->from = *from;
    p->id = q->id;
    p->limit = limit;
    p->question_len = q->question.len;
    memcpy(p->question, q->question.p, q->question.len);
    p->query = *q;
    p->query.question = str_n(p->question, p->question_len);
    list_push(&c->pending, &p->link);
    c->pending_n++;
    if (t)
        t->pending_n++;
    struct dns_wait *w = dns_forward_ask(s->forward, dns_names_servers(s->names, c->id), q,
                                         t != NULL, forwarded, p);
    if (w)
        p->wait = w; /* else p is gone already */
    return true;
}

/* --- questions -----------------------------------------------------------------------------------
 */

/* Writes the answer into out; 0: none, or it comes later. */
static size_t answer(struct dns_client *c, struct stream *t, const struct sockaddr_in *from,
                     struct str message, uint8_t *out, size_t room) {
    struct dns_query q;
    struct dns_answer a;
    int refused = dns_query_read(message, &q);
    if (refused < 0)
        return 0;
    size_t limit = t ? room : MIN((size_t)q.udp_size, room);
    dns_answer_begin(&a, out, limit, &q);
    if (refused)
        return dns_answer_end(&a, (unsigned)refused, false);
    unsigned rcode = DNS_NOERROR;
    switch (dns_names_answer(c->server->names, c->id, &q, &a, &rcode)) {
    case DNS_HERE:
        return dns_answer_end(&a, rcode, true);
    case DNS_FORWARD:
        return forward(c, t, from, &q, limit) ? 0 : dns_answer_end(&a, DNS_SERVFAIL, false);
    case DNS_CLOSED:
        break;
    }
    return dns_answer_end(&a, DNS_SERVFAIL, false);
}

static void prepare_in(struct datagrams *d) {
    for (size_t i = 0; i < BATCH; i++) {
        d->parts[i] = (struct iovec){d->bytes[i], DNS_UDP_MAX};
        d->heads[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &d->from[i],
                                                   .msg_namelen = sizeof(d->from[i]),
                                                   .msg_iov = &d->parts[i],
                                                   .msg_iovlen = 1}};
    }
}

static void on_udp(void *arg, unsigned events UNUSED) {
    struct dns_client *c = arg;
    struct dns_server *s = c->server;
    unsigned out = 0;
    prepare_in(&s->in);
    int n = recvmmsg(c->udp, s->in.heads, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        const struct msghdr *h = &s->in.heads[i].msg_hdr;
        if ((h->msg_flags & MSG_TRUNC) || h->msg_namelen != sizeof(struct sockaddr_in))
            continue;
        size_t len = answer(c, NULL, &s->in.from[i], str_n(s->in.bytes[i], s->in.heads[i].msg_len),
                            s->out.bytes[out], DNS_UDP_MAX);
        if (!len)
            continue;
        s->out.from[out] = s->in.from[i];
        s->out.parts[out] = (struct iovec){s->out.bytes[out], len};
        s->out.heads[out] = (struct mmsghdr){.msg_hdr = {.msg_name = &s->out.from[out],
                                                         .msg_namelen = sizeof(s->out.from[out]),
                                                         .msg_iov = &s->out.parts[out],
                                                         .msg_iovlen = 1}};
        out++;
    }
    for (unsigned done = 0; done < out;) {
        int sent = sendmmsg(c->udp, s->out.heads + done, out - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        done += sent > 0 ? (unsigned)sent : 1; /* one that cannot be sent is lost, not the others */
    }
}

/* --- TCP -----------------------------------------------------------------------------------------
 */

static void stream_free(struct stream *t) {
    struct dns_client *c = t->client;
    LIST_FOR (&c->pending, l) {
        struct pending *p = CONTAINER_OF(l, struct pending, link);
        if (p->stream != t)
            continue;
        dns_wait_cancel(p->wait);
        pending_free(p);
    }
    list_remove(&t->link);
    c->streams_n--;
    watch_free(t->watch);
    timer_free(t->idle);
    close(t->fd);
    buf_done(&t->in);
    buf_done(&t->out);
    free(t);
}

static void on_idle(void *arg) {
    stream_free(arg);
}

static void stream_send(struct stream *t, const uint8_t *p, size_t n) {
    buf_addc(&t->out, (char)(n >> 8));
    buf_addc(&t->out, (char)n);
    buf_add(&t->out, p, n);
}

/* Writes what there is; frees the stream when it is of no more use. */
static void stream_check(struct stream *t) {
    if (t->out.len) {
        ssize_t n = send(t->fd, t->out.data, t->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            stream_free(t);
            return;
        }
        if (n > 0)
            buf_drop(&t->out, (size_t)n);
    }
    if (t->out.len > STREAM_OUT_MAX || (t->ended && !t->out.len && !t->pending_n)) {
        stream_free(t);
        return;
    }
    watch_set(t->watch, (t->ended ? 0u : WATCH_READ) | (t->out.len ? WATCH_WRITE : 0u));
}

static void stream_questions(struct stream *t) {
    struct dns_server *s = t->client->server;
    for (;;) {
        const uint8_t *p = (const uint8_t *)t->in.data;
        size_t len = t->in.len >= 2 ? (size_t)(p[0] << 8 | p[1]) : 0;
        if (t->in.len < 2 || t->in.len < len + 2)
            return;
        size_t n = answer(t->client, t, NULL, str_n(p + 2, len), s->answer, UINT16_MAX);
        if (n)
            stream_send(t, s->answer, n);
        buf_drop(&t->in, len + 2);
    }
}

static void on_stream(void *arg, unsigned events) {
    struct stream *t = arg;
    char bytes[DNS_UDP_MAX];
    if (events & WATCH_READ) {
        ssize_t n = recv(t->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            stream_free(t);
            return;
        }
        t->ended |= n == 0;
        if (n > 0) {
            timer_set(t->idle, DNS_STREAM_IDLE * NSEC_PER_SEC);
            buf_add(&t->in, bytes, (size_t)n);
            stream_questions(t);
        }
    }
    stream_check(t);
}

static void on_tcp(void *arg, unsigned events UNUSED) {
    struct dns_client *c = arg;
    int fd = accept4(c->tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (c->streams_n >= DNS_STREAMS_MAX) {
        close(fd);
        return;
    }
    struct stream *t = NEW(struct stream);
    t->client = c;
    t->fd = fd;
    t->idle = timer_new(c->server->loop, DNS_STREAM_IDLE * NSEC_PER_SEC, 0, on_idle, t);
    t->watch = watch_new(c->server->loop, fd, WATCH_READ, on_stream, t);
    list_push(&c->streams, &t->link);
    c->streams_n++;
}

/* --- clients -------------------------------------------------------------------------------------
 */

struct dns_client *dns_client_new(struct dns_server *s, struct str id, int udp, int tcp) {
    if (s->clients_n >= DNS_CLIENTS_MAX || id.len == 0 || id.len > 64 || str_has_nul(id)) {
        close(udp);
        close(tcp);
        return NULL;
    }
    struct dns_client *c = NEW(struct dns_client);
    c->server = s;
    memcpy(c->id, id.p, id.len);
    c->udp = udp;
    c->tcp = tcp;
    list_init(&c->streams);
    list_init(&c->pending);
    c->udp_watch = watch_new(s->loop, udp, s->ready ? WATCH_READ : 0, on_udp, c);
    c->tcp_watch = watch_new(s->loop, tcp, s->ready ? WATCH_READ : 0, on_tcp, c);
    list_push(&s->clients, &c->link);
    s->clients_n++;
    return c;
}

void dns_client_free(struct dns_client *c) {
    if (!c)
        return;
    LIST_FOR (&c->streams, l)
        stream_free(CONTAINER_OF(l, struct stream, link));
    LIST_FOR (&c->pending, l) {
        struct pending *p = CONTAINER_OF(l, struct pending, link);
        dns_wait_cancel(p->wait);
        pending_free(p);
    }
    watch_free(c->udp_watch);
    watch_free(c->tcp_watch);
    close(c->udp);
    close(c->tcp);
    list_remove(&c->link);
    c->server->clients_n--;
    free(c);
}

/* --- the server ----------------------------------------------------------------------------------
 */

struct dns_server *dns_server_new(struct loop *l) {
    struct dns_server *s = NEW(struct dns_server);
    s->loop = l;
    s->names = dns_names_new();
    s->forward = dns_forward_new(l);
    list_init(&s->clients);
    return s;
}

struct dns_server *dns_server_free(struct dns_server *s) {
    if (!s)
        return NULL;
    LIST_FOR (&s->clients, l)
        dns_client_free(CONTAINER_OF(l, struct dns_client, link));
    dns_forward_free(s->forward);
    dns_names_free(s->names);
    free(s);
    return NULL;
}

struct dns_names *dns_server_names(struct dns_server *s) {
    return s->names;
}

void dns_server_domains(struct dns_server *s, struct str lines) {
    dns_forward_domains(s->forward, lines);
}

void dns_server_ready(struct dns_server *s) {
    if (s->ready)
        return;
    s->ready = true;
    LIST_FOR (&s->clients, l) {
        struct dns_client *c = CONTAINER_OF(l, struct dns_client, link);
        watch_set(c->udp_watch, WATCH_READ);
        watch_set(c->tcp_watch, WATCH_READ);
    }
}
