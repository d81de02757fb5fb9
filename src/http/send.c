#include "http/send.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_for(int fd, short events) {
    struct pollfd p = {.fd = fd, .events = events};
    poll(&p, 1, -1);
}

int http_send(int fd, struct str data) {
    while (data.len > 0) {
        ssize_t n = send(fd, data.p, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK)
            n = write(fd, data.p, data.len);
        if (n < 0 && errno == EAGAIN)
            wait_for(fd, POLLOUT);
        else if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            data = str_from(data, (size_t)n);
    }
    return 0;
}

ssize_t http_recv(int fd, void *p, size_t n) {
    for (;;) {
        ssize_t rc = read(fd, p, n);
        if (rc >= 0)
            return rc;
        if (errno == EAGAIN)
            wait_for(fd, POLLIN);
        else if (errno != EINTR)
            return -errno;
    }
}
