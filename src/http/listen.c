/* Listening sockets: unix and TCP. */
#include "base/file.h"
#include "http/http.h"
#include "loop/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_BACKLOG 1024

struct err http_listen_unix(const char *path, int mode, gid_t gid, int *ret_fd) {
    return unix_listen(AT_FDCWD, path, SOCK_STREAM, mode, gid, ret_fd);
}

/* What an accepted connection inherits: answers leave at once, dead peers are found. */
static int prepare(int fd) {
    const int on = 1, idle = 60, interval = 15, probes = 4;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0)
        return -errno;
    return 0;
}

static bool is_loopback(const struct sockaddr *a) {
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    return a->sa_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                   : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

struct err http_listen_tcp(const char *address, const char *port, int *ret_fd, bool *ret_loopback) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int bad = getaddrinfo(address && *address ? address : NULL, port, &hints, &found);
    if (bad)
        return err_new(ERR_INVALID, "'%s' port '%s': %s", address ? address : "", port,
                       gai_strerror(bad));
    CLEAN_FD int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = fd < 0 ? -errno : prepare(fd);
    bool loopback = is_loopback(found->ai_addr);
    if (failed == 0 &&
        (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, TCP_BACKLOG) < 0))
        failed = -errno;
    freeaddrinfo(found);
    if (failed)
        return err_errno(-failed, "listen on %s port %s", address && *address ? address : "*",
                         port);
    *ret_fd = TAKE_FD(fd);
    *ret_loopback = loopback;
    return OK;
}
