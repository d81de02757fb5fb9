/* Bytes of TCP connections, both ways. */
#include "base/log.h"
#include "base/time.h"
#include "network/relay.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS 64 /* at once, before others have their turn */
#define CALLER 0   /* ends of a flow */
#define CALLED 1

struct flow;
struct end {
    struct flow *flow;
    int fd;
    struct watch *watch;
    struct buf rest; /* read from here, not yet taken by the other side */
    bool ended;      /* nothing more is read from here */
    bool shut;       /* the other side has been told so */
};

struct flow {
    struct list link;
    struct relay_port *port;
    struct end ends[2];
    struct timer *patience; /* until the container has answered */
    bool connected;
};

static void flow_free(struct flow *f) {
    f->port->client->relay->flows_n--;
    list_remove(&f->link);
    timer_free(f->patience);
    for (int i = 0; i < 2; i++) {
        watch_free(f->ends[i].watch);
        fd_close(f->ends[i].fd);
        buf_done(&f->ends[i].rest);
    }
    free(f);
}

/* Whoever is there sees a reset, as from a port that nobody listens on. */
static void flow_reset(struct flow *f) {
    struct linger now = {.l_onoff = 1};
    for (int i = 0; i < 2; i++)
        if (f->ends[i].fd >= 0) /* a failure leaves an orderly end, which will do */
            setsockopt(f->ends[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    flow_free(f);
}

static struct end *other(struct end *e) {
    return &e->flow->ends[e == &e->flow->ends[CALLER] ? CALLED : CALLER];
}

/* Reads while the other side takes it; writes while there is a rest for it. */
static void watch_ends(struct flow *f) {
    for (int i = 0; i < 2; i++) {
        struct end *e = &f->ends[i];
        unsigned events = 0;
        if (!e->ended && !e->rest.len && f->connected)
            events |= WATCH_READ;
        if (other(e)->rest.len || (i == CALLED && !f->connected))
            events |= WATCH_WRITE;
        watch_set(e->watch, events);
    }
}

static bool write_rest(struct end *from) {
    struct end *to = other(from);
    while (from->rest.len) {
        ssize_t n = send(to->fd, from->rest.data, from->rest.len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        buf_drop(&from->rest, (size_t)n);
    }
    buf_done(&from->rest);
    if (from->ended && !from->shut) {
        from->shut = true;
        if (shutdown(to->fd, SHUT_WR) < 0)
            return false;
    }
    return true;
}

static bool carry(struct end *from) {
    struct end *to = other(from);
    char *chunk = from->flow->port->client->relay->chunk;
    ssize_t n = recv(from->fd, chunk, RELAY_CHUNK, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
        from->ended = true;
        return write_rest(from);
    }
    ssize_t done = send(to->fd, chunk, (size_t)n, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN)
        return false;
    done = MAX(done, (ssize_t)0);
    if (done < n)
        buf_add(&from->rest, chunk + done, (size_t)(n - done));
    return true;
}

static bool finish_connect(struct flow *f) {
    int e = 0;
    socklen_t len = sizeof(e);
    if (getsockopt(f->ends[CALLED].fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 || e)
        return false;
    f->connected = true;
    f->patience = timer_free(f->patience);
    return true;
}

static void on_end(void *arg, unsigned events) {
    struct end *e = arg;
    struct flow *f = e->flow;
    bool good = true;
    if (!f->connected)
        good = e == &f->ends[CALLED] ? finish_connect(f) : !(events & WATCH_CLOSED);
    else {
        if (events & WATCH_WRITE)
            good = write_rest(other(e));
        if (good && (events & ~(unsigned)WATCH_WRITE) && !e->ended && !e->rest.len)
            good = carry(e);
        else if (good && (events & WATCH_CLOSED) && e->ended)
            good = false;
    }
    if (!good)
        flow_reset(f);
    else if (f->ends[CALLER].shut && f->ends[CALLED].shut)
        flow_free(f);
    else
        watch_ends(f);
}

static void on_patience(void *arg) {
    flow_reset(arg);
}

static void settle_socket(int fd) {
    int on = 1;
    /* Both are improvements: without, it works as well. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void flow_new(struct relay_port *p, int caller) {
    struct relay *r = p->client->relay;
    struct loop *l = r->service.loop;
    struct sockaddr_storage a;
    socklen_t len = relay_target(p, &a);
    struct flow *f = NEW(struct flow);
    f->port = p;
    f->ends[CALLER] = (struct end){.flow = f, .fd = caller};
    f->ends[CALLED] = (struct end){.flow = f, .fd = -1};
    list_push(&p->flows, &f->link);
    r->flows_n++;
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    f->ends[CALLED].fd = fd;
    settle_socket(caller);
    if (fd >= 0)
        settle_socket(fd);
    if (fd < 0 || host_address_any(&p->client->to) ||
        (connect(fd, (struct sockaddr *)&a, len) < 0 && errno != EINPROGRESS)) {
        flow_reset(f);
        return;
    }
    f->patience = timer_new(l, RELAY_CONNECT * NSEC_PER_SEC, 0, on_patience, f);
    for (int i = 0; i < 2; i++)
        f->ends[i].watch = watch_new(l, f->ends[i].fd, i == CALLED ? WATCH_WRITE : 0, on_end,
                                     &f->ends[i]);
}

static void on_accept(void *arg, unsigned events UNUSED) {
    struct relay_port *p = arg;
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_in6 peer = {0}, here = {0};
        socklen_t len = sizeof(peer), here_len = sizeof(here);
        int fd = accept4(p->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        getsockname(fd, (struct sockaddr *)&here, &here_len); /* connected: cannot fail */
        if (p->client->relay->flows_n >= RELAY_FLOWS_MAX ||
            !relay_lets_in(p, &peer, &here.sin6_addr))
            fd_close(fd);
        else
            flow_new(p, fd);
    }
}

void relay_tcp_open(struct relay_port *p) {
    p->watch = watch_new(p->client->relay->service.loop, p->fd, WATCH_READ, on_accept, p);
}

void relay_tcp_close(struct relay_port *p) {
    LIST_FOR (&p->flows, l)
        flow_reset(CONTAINER_OF(l, struct flow, link));
}
