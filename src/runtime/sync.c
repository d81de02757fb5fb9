#include "runtime/sync.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct message {
    uint32_t type;
    int32_t errnum;
    char kind[16];
    char text[SYNC_TEXT_MAX];
};

static int lift(int fd) {
    if (fd < 0 || fd > 2)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return high;
}

struct err sync_pair(int ret_fds[2]) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno(errno, "socketpair");
    ret_fds[0] = lift(fds[0]);
    ret_fds[1] = lift(fds[1]);
    if (ret_fds[0] >= 0 && ret_fds[1] >= 0)
        return OK;
    ret_fds[0] = fd_close(ret_fds[0]);
    ret_fds[1] = fd_close(ret_fds[1]);
    return err_errno(EMFILE, "socketpair");
}

static ssize_t send_bytes(int sock, const void *bytes, size_t len, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        h.msg_control = control;
        h.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    ssize_t n;
    while ((n = sendmsg(sock, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n < 0 ? -errno : n;
}

struct err sync_send(int sock, enum sync_type type, int fd) {
    struct message m = {.type = type};
    ssize_t r = send_bytes(sock, &m, offsetof(struct message, text), fd);
    return r < 0 ? err_errno((int)r, "tell the other side") : OK;
}

/* --- sockets of others ------------------------------------------------------------------------ */

struct err sync_dial(const char *path, int *ret_fd) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    /* A longer path than a socket's name can hold is reached through a descriptor. */
    CLEAN_FD int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return err_errno(errno, "open");
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "make a socket");
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", place);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return err_errno(errno, "connect");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err sync_hand_over(int sock, struct str text, int fd) {
    ssize_t n = send_bytes(sock, text.p, text.len, fd);
    if (n < 0)
        return err_errno((int)n, "send");
    int r = fd_write_all(sock, text.p + n, text.len - (size_t)n);
    return r < 0 ? err_errno(r, "send") : OK;
}

/* --- failing ---------------------------------------------------------------------------------- */

void sync_fail(int sock, struct err e) {
    struct message m = {.type = SYNC_FAILED, .errnum = err_errnum(e)};
    snprintf(m.kind, sizeof(m.kind), "%s", err_kind_name(err_kind(e)));
    snprintf(m.text, sizeof(m.text), "%s", err_msg(e));
    /* write, not sendmsg: a seccomp filter that is already on allows it if it allows anything. A
     * parent that does not listen any more does not need to know. */
    ssize_t n;
    while ((n = write(sock, &m, sizeof(m))) < 0 && errno == EINTR)
        ;
    _exit(1);
}

static int take_fd(struct msghdr *h) {
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    int fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}

static struct err await(int sock) {
    struct pollfd p = {.fd = sock, .events = POLLIN};
    int n;
    while ((n = poll(&p, 1, SYNC_TIMEOUT_MS)) < 0 && errno == EINTR)
        ;
    if (n == 0)
        return err_new(ERR_TIMEOUT, "the container's first process does not answer");
    return n < 0 ? err_errno(errno, "poll") : OK;
}

/* The message carries the finished text; errno goes along for those who look at it. */
static struct err carried(const struct message *m) {
    enum err_kind kind = err_kind_from_name(m->kind);
    return err_new(kind == ERR_OK ? ERR_SYSTEM : kind, "%s", m->text);
}

struct err sync_receive(int sock, enum sync_type *ret_type, int *ret_fd) {
    struct message m = {0};
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    TRY(await(sock));
    ssize_t n;
    while ((n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    /* A child that is killed resets the connection: nothing more will come, as at the end of file.
     */
    if (n < 0 && errno != ECONNRESET)
        return err_errno(errno, "receive");
    CLEAN_FD int fd = n > 0 ? take_fd(&h) : -1;
    if (n > 0 && ((size_t)n < offsetof(struct message, text) || (h.msg_flags & MSG_TRUNC) ||
                  m.type < SYNC_READY || m.type > SYNC_LISTENER))
        return err_new(ERR_INVALID, "malformed message from the container's first process");
    m.kind[sizeof(m.kind) - 1] = m.text[sizeof(m.text) - 1] = '\0';
    if (n > 0 && m.type == SYNC_FAILED)
        return carried(&m);
    *ret_type = n > 0 ? (enum sync_type)m.type : 0;
    if (ret_fd)
        *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err sync_receive_pid(int sock, pid_t *ret) {
    struct message m = {0};
    TRY(await(sock));
    ssize_t n;
    while ((n = recv(sock, &m, sizeof(m), 0)) < 0 && errno == EINTR)
        ;
    m.kind[sizeof(m.kind) - 1] = m.text[sizeof(m.text) - 1] = '\0';
    pid_t pid = 0;
    if (n == sizeof(pid))
        memcpy(&pid, &m, sizeof(pid));
    if (n > (ssize_t)offsetof(struct message, text) && m.type == SYNC_FAILED)
        return carried(&m);
    if (pid <= 0)
        return err_new(ERR_SYSTEM, "the process in between died");
    *ret = pid;
    return OK;
}

static bool hear_go(int sock) {
    struct message m = {0};
    ssize_t n;
    while ((n = recv(sock, &m, sizeof(m), 0)) < 0 && errno == EINTR)
        ;
    return n >= (ssize_t)offsetof(struct message, text) && m.type == SYNC_GO;
}

void sync_wait_go(int sock) {
    if (!hear_go(sock))
        _exit(1);
}

struct err sync_accept_go(int listener, int *ret_sock) {
    for (;;) {
        CLEAN_FD int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (sock < 0 && errno != EINTR && errno != ECONNABORTED)
            return err_errno(errno, "wait for the start");
        if (sock >= 0 && hear_go(sock)) {
            *ret_sock = TAKE_FD(sock);
            return OK;
        }
    }
}
