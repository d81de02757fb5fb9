/* A bound socket per published port: other programs see that the port is taken, and we see that
 * they have it. Nobody ever reads from these sockets: packets are translated before they could
 * arrive. */
#include "network/private.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_bound(const struct port_request *r, uint16_t port, bool reuse, int *ret_fd) {
    bool udp = r->proto == IPPROTO_UDP;
    CLEAN_FD
    int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1, off = 0;
    if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = r->host_ip, .sin_port = htons(port)};
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return -errno;
    /* With reuse two sockets that do not listen may share a port: listening for a moment is the
     * question whether anybody else has it, shutdown ends it and keeps the port. */
    if (reuse && (listen(fd, 0) < 0 || shutdown(fd, SHUT_RDWR) < 0 ||
                  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) < 0))
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The plain way is what makes the port visibly taken for everybody. Connections of an earlier owner
 * that linger in TIME_WAIT are in its way, but not in that of the second. */
static int bind_one(const struct port_request *r, uint16_t port, int *ret_fd) {
    int e = open_bound(r, port, false, ret_fd);
    if (e == -EADDRINUSE && r->proto == IPPROTO_TCP && port != 0)
        e = open_bound(r, port, true, ret_fd);
    return e;
}

static struct err bound_port(int fd, uint16_t *ret) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return err_errno(errno, "address of a published port");
    *ret = ntohs(a.sin_port);
    return OK;
}

static struct err bind_request(const struct port_request *r, int *ret_fd, uint16_t *ret_port) {
    char ip[INET_ADDRSTRLEN];
    int e = -EADDRINUSE;
    CLEAN_FD
    int fd = -1;
    for (unsigned port = r->host_first; port <= r->host_last && e == -EADDRINUSE; port++)
        e = bind_one(r, (uint16_t)port, &fd);
    if (e == -EADDRINUSE && r->host_first != r->host_last)
        return err_new(ERR_SYSTEM, "Bind for %s:%u-%u failed: all ports are allocated",
                       address_format(r->host_ip, ip), r->host_first, r->host_last);
    if (e < 0) {
        /* Scripts look for the peer's words, which are not strerror's. */
        const char *why = e == -EADDRINUSE      ? "address already in use"
                          : e == -EADDRNOTAVAIL ? "cannot assign requested address"
                                                : strerror(-e);
        return err_new(ERR_SYSTEM, "listen %s4 %s:%u: bind: %s", port_proto_name(r->proto),
                       address_format(r->host_ip, ip), r->host_first, why);
    }
    TRY(bound_port(fd, ret_port));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err ports_bind(const struct port_requests *requests, struct port_mappings *ports,
                      int **ret_fds, size_t *ret_n) {
    VEC(int) fds = {0};
    ports->n = 0;
    for (size_t i = 0; i < requests->n; i++) {
        const struct port_request *r = &requests->items[i];
        int fd = -1;
        uint16_t port = 0;
        struct err e = bind_request(r, &fd, &port);
        if (err_failed(e)) {
            for (size_t k = 0; k < fds.n; k++)
                fd_close(fds.items[k]);
            vec_done(&fds);
            ports->n = 0;
            return e;
        }
        vec_push(&fds, fd);
        vec_push(ports, (struct port_mapping){r->proto, r->container_port, r->host_ip, port});
    }
    *ret_fds = fds.items;
    *ret_n = fds.n;
    return OK;
}
