/* A bound socket per published port: other programs see that the port is taken, and we see that
 * they have it. Nobody ever reads from the IPv4 ones: packets are translated before they could
 * arrive. Those of IPv6 listen for corten-relay, which serves what the kernel cannot translate.
 * Ranges of more than NETWORK_BOUND_MAX ports are only looked up. */
#include "kernel/diag.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 512
#define HOLDER_LEN 128
#define GOING_TRIES 200
#define GOING_PAUSE_NS (5L * 1000 * 1000)
#define DRAWS_MAX 16 /* of a random port that is free for both families */

struct binding {
    const struct port_request *r;
    struct host_address ip;
    bool relay;  /* IPv6 sockets are for corten-relay */
    bool mapped; /* and those of IPv4: IPv6 sockets with an IPv4 address (RFC 4291 2.5.5.2) */
};

static int type_of(uint8_t proto) {
    return proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

static bool is_mapped(const struct binding *b) {
    return b->relay && b->mapped && !b->ip.six && b->r->proto != IPPROTO_SCTP;
}

static int bind_mapped(int fd, struct in_addr four, uint16_t port) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
    memcpy(a.sin6_addr.s6_addr + 12, &four, sizeof(four));
    return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static int bind_to(int fd, const struct host_address *ip, uint16_t port) {
    struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_addr = ip->four, .sin_port = htons(port)};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_addr = ip->v6, .sin6_port = htons(port)};
    const struct sockaddr *a = ip->six ? (const void *)&six : (const void *)&four;
    return bind(fd, a, ip->six ? sizeof(six) : sizeof(four)) < 0 ? -errno : 0;
}

static int open_bound(const struct binding *b, uint16_t port, bool reuse, int *ret_fd) {
    uint8_t proto = b->r->proto;
    bool mapped = is_mapped(b);
    bool listens = b->relay && (b->ip.six || mapped) && proto == IPPROTO_TCP;
    CLEAN_FD
    int fd = socket(b->ip.six || mapped ? AF_INET6 : AF_INET,
                    type_of(proto) | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
    int on = 1, off = 0;
    if (fd < 0)
        return -errno;
    if (b->ip.six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return -errno;
    if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (mapped && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return -errno;
    int e = mapped ? bind_mapped(fd, b->ip.four, port) : bind_to(fd, &b->ip, port);
    if (e < 0)
        return e;
    /* What is accepted here is given this too: then lingering connections do not block the port's
     * next owner, who asks the second way of bind_one. */
    if (listens &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || listen(fd, BACKLOG) < 0))
        return -errno;
    /* With reuse two sockets that do not listen may share a port: listening for a moment is the
     * question whether anybody else has it, shutdown ends it and keeps the port. */
    if (reuse && !listens &&
        (listen(fd, 0) < 0 || shutdown(fd, SHUT_RDWR) < 0 ||
         setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) < 0))
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_in6 a = {0};
    socklen_t len = sizeof(a);
    getsockname(fd, (struct sockaddr *)&a, &len); /* of a bound socket: cannot fail */
    return ntohs(a.sin6_port);                    /* where sin_port is */
}

/* --- who is in the way ---------------------------------------------------------------------------
 */

struct search {
    const struct host_address *ip;
    unsigned first, last;
    uint32_t inode;
    uint16_t port; /* 0: nobody */
};

static bool in_the_way(void *arg, const struct diag_socket *d) {
    struct search *s = arg;
    static const uint8_t any[16] = {0};
    size_t n = d->six ? 16 : 4;
    const void *ours = s->ip->six ? (const void *)&s->ip->v6 : (const void *)&s->ip->four;
    if (d->port < s->first || d->port > s->last)
        return true;
    if (d->six != s->ip->six) { /* [::] takes IPv4 too unless it says otherwise */
        if (!d->six || d->six_only || memcmp(d->address, any, 16) != 0)
            return true;
    } else if (memcmp(d->address, any, n) != 0 && !host_address_any(s->ip) &&
               memcmp(d->address, ours, n) != 0) {
        return true;
    }
    s->port = d->port;
    s->inode = d->inode;
    return false;
}

static void look_for(struct search *s, uint8_t proto) {
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; proto != IPPROTO_SCTP && i < 2 && !s->port; i++)
        err_ignore(diag_sockets(families[i], proto, in_the_way, s)); /* a kernel without */
}

/* " (by nginx, pid 4711)", or nothing. */
static char *holder_text(const struct search *s, char *out, size_t size) {
    char who[HOLDER_LEN];
    *out = '\0';
    if (s->port && diag_holder(s->inode, who, sizeof(who)))
        (void)snprintf(out, size, " (by %s)", who);
    return out;
}

static struct err refused(const struct binding *b, unsigned port, int e) {
    char ip[HOST_ADDRESS_LEN], by[160] = "";
    struct search s = {.ip = &b->ip, .first = port, .last = port};
    if (e == -EPROTONOSUPPORT || e == -ESOCKTNOSUPPORT)
        return err_new(ERR_UNSUPPORTED, "publish port %u/%s: this kernel has no %s", port,
                       port_proto_name(b->r->proto), port_proto_name(b->r->proto));
    if (e == -EADDRINUSE) {
        look_for(&s, b->r->proto);
        holder_text(&s, by, sizeof(by));
    }
    /* Scripts look for the peer's words, which are not strerror's. */
    const char *why = e == -EADDRINUSE      ? "address already in use"
                      : e == -EADDRNOTAVAIL ? "cannot assign requested address"
                                            : strerror(-e);
    return err_new(ERR_SYSTEM, "listen %s%c %s:%u: bind: %s%s", port_proto_name(b->r->proto),
                   b->ip.six ? '6' : '4', host_address_bracket(&b->ip, ip), port, why, by);
}

/* The plain way is what makes the port visibly taken for everybody. Connections of an earlier owner
 * that linger in TIME_WAIT are in its way, but not in that of the second. */
static int bind_now(const struct binding *b, uint16_t port, int *ret_fd) {
    int e = open_bound(b, port, false, ret_fd);
    if (e == -EADDRINUSE && b->r->proto == IPPROTO_TCP && port != 0)
        e = open_bound(b, port, true, ret_fd);
    return e;
}

/* Nobody who is known here has the port: facts were asked before. What one of our programs still
 * listens on is the port of a container that has just ended; it hears of the end when we do. Nobody
 * to be seen: it has gone while we looked. */
static bool ours_is_going(const struct binding *b, uint16_t port) {
    char who[HOLDER_LEN];
    struct search s = {.ip = &b->ip, .first = port, .last = port};
    look_for(&s, b->r->proto);
    return !s.port || !diag_holder(s.inode, who, sizeof(who)) || !strncmp(who, "corten-", 7);
}

static int bind_one(const struct binding *b, uint16_t port, int *ret_fd) {
    int e = bind_now(b, port, ret_fd);
    for (unsigned i = 0; e == -EADDRINUSE && port && i < GOING_TRIES && ours_is_going(b, port);
         i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = GOING_PAUSE_NS}, NULL);
        e = bind_now(b, port, ret_fd);
    }
    return e;
}

/* A range that is too long to be bound: the kernel is asked who listens there. */
static struct err check_range(const struct binding *b) {
    char ip[HOST_ADDRESS_LEN], by[160];
    struct search s = {
        .ip = &b->ip, .first = b->r->host_first, .last = b->r->host_first + b->r->count - 1U};
    look_for(&s, b->r->proto);
    if (!s.port)
        return OK;
    return err_new(ERR_SYSTEM, "listen %s%c %s:%u: bind: address already in use%s",
                   port_proto_name(b->r->proto), b->ip.six ? '6' : '4',
                   host_address_bracket(&b->ip, ip), s.port, holder_text(&s, by, sizeof(by)));
}

/* --- requests ------------------------------------------------------------------------------------
 */

/* All sockets of all requests, until they are handed out. */
struct bound {
    VEC(int) held;
    VEC(int) relay;
    struct buf lines;
};

static void bound_done(struct bound *b) {
    for (size_t i = 0; i < b->held.n; i++)
        fd_close(b->held.items[i]);
    for (size_t i = 0; i < b->relay.n; i++)
        fd_close(b->relay.items[i]);
    vec_done(&b->held);
    vec_done(&b->relay);
    buf_done(&b->lines);
}

static void keep(struct bound *to, const struct binding *b, int fd, unsigned nth) {
    char text[HOST_ADDRESS_LEN + 4];
    if (!b->relay || !(b->ip.six || b->mapped) || b->r->proto == IPPROTO_SCTP) {
        vec_push(&to->held, fd);
        return;
    }
    vec_push(&to->relay, fd);
    buf_addf(&to->lines, "%s %u", port_proto_name(b->r->proto), b->r->container_port + nth);
    for (uint8_t i = 0; i < b->r->from.n; i++)
        buf_addf(&to->lines, "%c%s", i ? ',' : ' ', source_format(&b->r->from.items[i], text));
    buf_addc(&to->lines, '\n');
}

/* No IPv6 here: what was meant for both is IPv4 alone. */
static bool no_six(int e) {
    return e == -EAFNOSUPPORT || e == -EADDRNOTAVAIL || e == -EPROTONOSUPPORT;
}

/* The same port for the other family. */
static int bind_other(const struct binding *b, uint16_t port, int *ret_fd) {
    int e = bind_one(b, port, ret_fd);
    if (no_six(e)) {
        *ret_fd = -1;
        return 0;
    }
    return e;
}

/* Port `port` (0: any) of one request, for one or both families. *ret_six: it failed for the other
 * one. */
static int bind_port(const struct binding *b, unsigned port, int ret_fds[2], uint16_t *ret_port,
                     bool *ret_six) {
    struct binding other = {b->r, {.six = true}, b->relay, b->mapped};
    int e = -EADDRINUSE;
    for (unsigned draw = 0; draw < (port ? 1 : DRAWS_MAX) && e == -EADDRINUSE; draw++) {
        CLEAN_FD int first = -1;
        CLEAN_FD int second = -1;
        e = bind_one(b, (uint16_t)port, &first);
        if (e < 0)
            return e;
        *ret_port = bound_port(first);
        if (b->r->both)
            e = bind_other(&other, *ret_port, &second);
        *ret_six = e < 0;
        if (e == 0) {
            ret_fds[0] = TAKE_FD(first);
            ret_fds[1] = TAKE_FD(second);
        }
    }
    return e;
}

static void note(struct port_mappings *ports, const struct binding *b, uint16_t port, bool six) {
    struct port_mapping m = {.proto = b->r->proto,
                             .container_port = b->r->container_port,
                             .host_ip = b->ip,
                             .host_port = port,
                             .count = b->r->count,
                             .from = b->r->from};
    vec_push(ports, m);
    if (!six)
        return;
    m.host_ip = (struct host_address){.six = true};
    vec_push(ports, m);
}

static struct err bind_fixed(const struct binding *b, struct port_mappings *ports,
                             struct bound *to) {
    struct binding other = {b->r, {.six = true}, b->relay, b->mapped};
    bool six = false;
    if (b->r->count > NETWORK_BOUND_MAX) {
        TRY(check_range(b));
        if (b->r->both)
            TRY(check_range(&other));
        note(ports, b, b->r->host_first, b->r->both);
        return OK;
    }
    for (unsigned i = 0; i < b->r->count; i++) {
        int fds[2] = {-1, -1};
        unsigned port = b->r->host_first + i;
        uint16_t got = 0;
        bool other_failed = false;
        int e = bind_port(b, port, fds, &got, &other_failed);
        if (e < 0)
            return refused(other_failed ? &other : b, port, e);
        keep(to, b, fds[0], i);
        if (fds[1] >= 0)
            keep(to, &other, fds[1], i);
        six |= fds[1] >= 0;
    }
    note(ports, b, b->r->host_first, six);
    return OK;
}

static struct err bind_request(const struct binding *b, struct port_mappings *ports,
                               struct bound *to) {
    const struct port_request *r = b->r;
    struct binding other = {r, {.six = true}, b->relay, b->mapped};
    char ip[HOST_ADDRESS_LEN];
    int fds[2] = {-1, -1}, e = -EADDRINUSE;
    uint16_t got = 0;
    bool other_failed = false;
    if (r->routed) { /* by the container's own address: no port of the host */
        note(ports, b, 0, false);
        return OK;
    }
    if (r->host_first && r->host_first == r->host_last)
        return bind_fixed(b, ports, to);
    for (unsigned port = r->host_first; port <= r->host_last && e == -EADDRINUSE; port++)
        e = bind_port(b, port, fds, &got, &other_failed);
    if (e == -EADDRINUSE)
        return err_new(ERR_SYSTEM, "Bind for %s:%u-%u failed: all ports are allocated",
                       host_address_bracket(&r->host_ip, ip), r->host_first, r->host_last);
    if (e < 0)
        return refused(other_failed ? &other : b, r->host_first, e);
    keep(to, b, fds[0], 0);
    if (fds[1] >= 0)
        keep(to, &other, fds[1], 0);
    note(ports, b, got, fds[1] >= 0);
    return OK;
}

/* What corten-relay cannot do for a translation that is not there. */
static struct err check_relayed(const struct port_request *r) {
    if (r->count > NETWORK_BOUND_MAX)
        return err_new(
            ERR_UNSUPPORTED,
            "a range of more than %d ports needs translation, and ports are published by "
            "corten-relay",
            NETWORK_BOUND_MAX);
    if (r->proto == IPPROTO_SCTP)
        return err_new(ERR_UNSUPPORTED, "sctp needs translation, and ports are published by "
                                        "corten-relay");
    return OK;
}

struct err ports_bind(const struct port_requests *requests, struct port_server by,
                      struct port_mappings *ports, struct endpoint_live *l) {
    struct bound bound = {0};
    ports->n = 0;
    for (size_t i = 0; i < requests->n; i++) {
        const struct binding b = {&requests->items[i], requests->items[i].host_ip, by.relay,
                                  by.mapped};
        struct err e = by.all ? check_relayed(b.r) : OK;
        if (!err_failed(e))
            e = bind_request(&b, ports, &bound);
        if (err_failed(e)) {
            bound_done(&bound);
            ports->n = 0;
            return e;
        }
    }
    l->held_fds = bound.held.items;
    l->held_n = bound.held.n;
    l->relay_fds = bound.relay.items;
    l->relay_n = bound.relay.n;
    buf_done(&l->relay_lines);
    l->relay_lines = bound.lines;
    return OK;
}
