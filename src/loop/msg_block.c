/* Blocking use: pool threads, start-up, small clients. */
#include "loop/msg_wire.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/* Descriptors in flight are limited per user; they go down as receivers take them. */
#define IN_FLIGHT_TRIES 400
#define IN_FLIGHT_WAIT_MS 5

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct err msg_send(int fd, uint32_t type, uint64_t seq, struct str body, const int *fds,
                    size_t fds_n) {
    for (int tries = 0;;) {
        int rc = msg_wire_send(fd, type, seq, body, fds, fds_n);
        if (rc == 0)
            return OK;
        if (rc == -EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (rc == -ETOOMANYREFS && ++tries < IN_FLIGHT_TRIES) {
            poll(NULL, 0, IN_FLIGHT_WAIT_MS);
        } else if (rc == -EPIPE || rc == -ECONNRESET || rc == -ENOTCONN) {
            return err_kind_errno(ERR_UNAVAILABLE, -rc, "send message %u", type);
        } else {
            return err_errno(-rc, "send message %u", type);
        }
    }
}

struct err msg_recv(int fd, int64_t timeout_ns, struct msg *ret) {
    int64_t end = timeout_ns < 0 ? 0 : now_ns() + timeout_ns;
    for (;;) {
        int rc = msg_wire_recv(fd, ret);
        if (rc == 1)
            return OK;
        if (rc == 0)
            return err_new(ERR_UNAVAILABLE, "peer closed the message socket");
        if (rc == -EPROTO)
            return err_new(ERR_INVALID, "malformed message");
        if (rc != -EAGAIN)
            return err_errno(-rc, "receive message");
        int64_t left = timeout_ns < 0 ? -1 : end - now_ns();
        if (timeout_ns >= 0 && left <= 0)
            return err_new(ERR_TIMEOUT, "no message within %lld ms",
                           (long long)(timeout_ns / 1000000));
        struct timespec ts = {left / 1000000000, left % 1000000000};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ppoll(&p, 1, timeout_ns < 0 ? NULL : &ts, NULL);
    }
}
