/* UDP: what a client sends goes to the container from a socket of its own; what comes back goes to
 * the client from the address that it had called. */
#include "base/time.h"
#include "network/relay.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAMS 64 /* at once, before others have their turn */
#define LOOK_EVERY (10 * NSEC_PER_SEC)

struct exchange {
    struct relay_port *port;
    struct sockaddr_in6 caller;
    struct in6_pktinfo here; /* what the caller called */
    int fd;
    struct watch *watch;
    int64_t used;
};

static void exchange_free(struct exchange *x) {
    struct relay_port *p = x->port;
    (void)map_del(&p->exchanges, str_n(&x->caller, sizeof(x->caller)));
    p->client->relay->exchanges_n--;
    watch_free(x->watch);
    fd_close(x->fd);
    free(x);
    if (!p->exchanges.n)
        list_remove(&p->udp_link);
}

static void on_answer(void *arg, unsigned events UNUSED) {
    struct exchange *x = arg;
    char *chunk = x->port->client->relay->chunk;
    for (int i = 0; i < DATAGRAMS; i++) {
        ssize_t n = recv(x->fd, chunk, RELAY_CHUNK, 0);
        if (n < 0)
            return; /* nothing more, or "refused": the client waits as it would without us */
        char control[CMSG_SPACE(sizeof(x->here))] = {0};
        struct iovec v = {chunk, (size_t)n};
        struct msghdr m = {.msg_name = &x->caller,
                           .msg_namelen = sizeof(x->caller),
                           .msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(x->here)),
                              .cmsg_level = IPPROTO_IPV6,
                              .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &x->here, sizeof(x->here));
        (void)sendmsg(x->port->fd, &m, MSG_NOSIGNAL); /* UDP may lose it */
        x->used = time_monotonic();
    }
}

static void on_look(void *arg) {
    struct relay *r = arg;
    int64_t now = time_monotonic();
    LIST_FOR (&r->ports, l) {
        struct relay_port *p = CONTAINER_OF(l, struct relay_port, udp_link);
        VEC(struct exchange *) old = {0};
        size_t it = 0;
        void *x;
        while (map_next(&p->exchanges, &it, NULL, &x))
            if (now - ((struct exchange *)x)->used > RELAY_IDLE * NSEC_PER_SEC)
                vec_push(&old, x);
        for (size_t i = 0; i < old.n; i++)
            exchange_free(old.items[i]);
        vec_done(&old);
    }
    if (!r->exchanges_n)
        r->look = timer_free(r->look);
}

static struct exchange *exchange_new(struct relay_port *p, const struct sockaddr_in6 *caller,
                                     const struct in6_pktinfo *here) {
    struct relay *r = p->client->relay;
    struct sockaddr_storage a;
    socklen_t len = relay_target(p, &a);
    if (r->exchanges_n >= RELAY_FLOWS_MAX || host_address_any(&p->client->to) ||
        !relay_lets_in(p, caller, &here->ipi6_addr))
        return NULL;
    CLEAN_FD int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, len) < 0)
        return NULL;
    struct exchange *x = NEW(struct exchange);
    *x = (struct exchange){.port = p, .caller = *caller, .here = *here, .fd = TAKE_FD(fd)};
    x->here.ipi6_ifindex = 0;
    if (!p->exchanges.n)
        list_push(&r->ports, &p->udp_link);
    map_set(&p->exchanges, str_n(&x->caller, sizeof(x->caller)), x);
    r->exchanges_n++;
    x->watch = watch_new(r->service.loop, x->fd, WATCH_READ, on_answer, x);
    if (!r->look)
        r->look = timer_new(r->service.loop, LOOK_EVERY, LOOK_EVERY, on_look, r);
    return x;
}

static void on_datagram(void *arg, unsigned events UNUSED) {
    struct relay_port *p = arg;
    char *chunk = p->client->relay->chunk;
    for (int i = 0; i < DATAGRAMS; i++) {
        struct sockaddr_in6 caller = {0};
        struct in6_pktinfo here = {0};
        char control[256];
        struct iovec v = {chunk, RELAY_CHUNK};
        struct msghdr m = {.msg_name = &caller,
                           .msg_namelen = sizeof(caller),
                           .msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(p->fd, &m, 0);
        if (n < 0)
            return;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
            if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
                memcpy(&here, CMSG_DATA(c), sizeof(here));
        struct exchange *x = map_get(&p->exchanges, str_n(&caller, sizeof(caller)));
        if (!x)
            x = exchange_new(p, &caller, &here);
        if (x) {
            (void)send(x->fd, chunk, (size_t)n, MSG_NOSIGNAL); /* UDP may lose it */
            x->used = time_monotonic();
        }
    }
}

void relay_udp_open(struct relay_port *p) {
    int on = 1;
    /* It cannot fail for an IPv6 socket, and another one gets no answers that matter. */
    setsockopt(p->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    p->watch = watch_new(p->client->relay->service.loop, p->fd, WATCH_READ, on_datagram, p);
}

void relay_udp_close(struct relay_port *p) {
    while (p->exchanges.n) {
        size_t it = 0;
        void *x = NULL;
        map_next(&p->exchanges, &it, NULL, &x);
        exchange_free(x);
    }
    map_done(&p->exchanges);
}
