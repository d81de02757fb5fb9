/* corten-relay: the process, and who handed which sockets to it. */
#include "base/log.h"
#include "network/private.h"
#include "network/relay.h"
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define FIELDS_MAX 3

bool relay_lets_in(const struct relay_port *p, const struct sockaddr_in6 *peer,
                   const struct in6_addr *here) {
    struct host_address a = {.six = true, .v6 = peer->sin6_addr};
    if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr)) {
        a = (struct host_address){0};
        memcpy(&a.four, peer->sin6_addr.s6_addr + 12, sizeof(a.four));
    }
    /* From one of the host's addresses to the same one: the host itself. */
    return memcmp(&peer->sin6_addr, here, sizeof(*here)) == 0 || host_address_loopback(&a) ||
           sources_allow(&p->from, &a);
}

socklen_t relay_target(const struct relay_port *p, struct sockaddr_storage *ret) {
    const struct host_address *a = &p->client->to;
    const struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_addr = a->four, .sin_port = htons(p->to)};
    const struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_addr = a->v6, .sin6_port = htons(p->to)};
    socklen_t len = a->six ? sizeof(six) : sizeof(four);
    memcpy(ret, a->six ? (const void *)&six : (const void *)&four, len);
    return len;
}

static void port_free(struct relay_port *p) {
    if (p->udp)
        relay_udp_close(p);
    else
        relay_tcp_close(p);
    list_remove(&p->link);
    watch_free(p->watch);
    fd_close(p->fd);
    free(p);
}

/* "tcp 80 10.0.0.0/8,fd00::/8" */
static struct err line_parse(struct str line, struct relay_port *to) {
    CLEAN_ARENA struct arena a = {0};
    struct str proto, port, from, one;
    struct strs sources = {0};
    uint64_t number = 0;
    str_cut(line, ' ', &proto, &line);
    str_cut(line, ' ', &port, &from);
    TRYF(str_to_u64(port, UINT16_MAX, &number), "port");
    while (from.len) {
        str_cut(from, ',', &one, &from);
        strs_add(&sources, &a, arena_str(&a, one));
    }
    to->udp = str_eqz(proto, "udp");
    to->to = (uint16_t)number;
    return sources_parse(&sources, &to->from);
}

static void add_port(struct relay_client *c, struct str line, int fd) {
    struct relay_port *p = NEW(struct relay_port);
    struct err e = line_parse(line, p);
    if (err_failed(e)) {
        log_err(LOG_WARN, e, "corten-relay");
        fd_close(fd);
        free(p);
        return;
    }
    p->client = c;
    p->fd = fd;
    list_init(&p->flows);
    list_push(&c->ports, &p->link);
    if (p->udp)
        relay_udp_open(p);
    else
        relay_tcp_open(p);
}

static void add_ports(struct relay_client *c, struct msg *m) {
    struct str lines = msg_get(m->body, RELAY_TAG_LINES), line;
    for (size_t i = 0; i < m->fds_n && str_next(&lines, '\n', &line); i++)
        add_port(c, line, TAKE_FD(m->fds[i]));
}

/* "tcp :: 8080" */
static bool is_port(const struct relay_port *p, struct str line) {
    struct sockaddr_in6 a = {0};
    socklen_t len = sizeof(a);
    char text[INET6_ADDRSTRLEN];
    struct in_addr four;
    getsockname(p->fd, (struct sockaddr *)&a, &len); /* of a bound socket: cannot fail */
    memcpy(&four, a.sin6_addr.s6_addr + 12, sizeof(four));
    const char *address = IN6_IS_ADDR_V4MAPPED(&a.sin6_addr) ? address_format(four, text)
                                                             : six_format(&a.sin6_addr, text);
    CLEAN_FREE char *wanted = mem_printf("%s %s %u", p->udp ? "udp" : "tcp", address,
                                         ntohs(a.sin6_port));
    return str_eqz(line, wanted);
}

static void drop_ports(struct relay_client *c, struct str lines) {
    struct str line;
    while (str_next(&lines, '\n', &line))
        LIST_FOR (&c->ports, l) {
            struct relay_port *p = CONTAINER_OF(l, struct relay_port, link);
            if (is_port(p, line))
                port_free(p);
        }
}

static void set_address(struct relay_client *c, struct str text) {
    CLEAN_FREE char *z = str_dup(text);
    c->to = (struct host_address){0};
    if (*z)
        log_err(LOG_WARN, host_address_parse(z, &c->to), "corten-relay");
}

static void on_message(void *arg, struct companion_peer *from, struct msg *m) {
    if (!from->own) {
        struct relay_client *c = NEW(struct relay_client);
        c->relay = arg;
        list_init(&c->ports);
        from->own = c;
    }
    switch (m->type) {
    case RELAY_ADDRESS:
        set_address(from->own, msg_get(m->body, RELAY_TAG_ADDRESS));
        break;
    case RELAY_SOCKETS:
        add_ports(from->own, m);
        break;
    case RELAY_RELEASE:
        drop_ports(from->own, msg_get(m->body, RELAY_TAG_LINES));
        break;
    default:
        break; /* of a later version */
    }
}

static void on_gone(void *arg UNUSED, struct companion_peer *from) {
    struct relay_client *c = from->own;
    if (!c)
        return;
    LIST_FOR (&c->ports, l)
        port_free(CONTAINER_OF(l, struct relay_port, link));
    free(c);
}

static void on_open(void *arg) {
    struct relay *r = arg;
    list_init(&r->ports);
}

static void on_close(void *arg) {
    struct relay *r = arg;
    r->look = timer_free(r->look);
}

int relay_main(void) {
    struct relay *r = NEW(struct relay);
    r->service = (struct companion_service){.name = "corten-relay",
                                            .peers_max = CLIENTS_MAX,
                                            .open = on_open,
                                            .message = on_message,
                                            .gone = on_gone,
                                            .close = on_close,
                                            .arg = r};
    int status = companion_main(&r->service);
    free(r);
    return status;
}
