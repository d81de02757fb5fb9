/* Bodies, and messages on blocking sockets. */
#include "loop/msg.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "loop/msg_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- bodies --------------------------------------------------------------------------------------------------- */

struct field_head {
    uint16_t tag, zero;
    uint32_t length;
};

void msg_put(struct buf *body, uint16_t tag, struct str value) {
    struct field_head h = {tag, 0, (uint32_t)value.len};
    buf_add(body, &h, sizeof h);
    buf_add(body, value.p, value.len);
}

void msg_putz(struct buf *body, uint16_t tag, const char *z) {
    if (z)
        msg_put(body, tag, str_of(z));
}

void msg_put_u64(struct buf *body, uint16_t tag, uint64_t v) {
    msg_put(body, tag, str_n(&v, sizeof v));
}

void msg_put_i64(struct buf *body, uint16_t tag, int64_t v) {
    msg_put(body, tag, str_n(&v, sizeof v));
}

bool msg_next(struct str *body, uint16_t *ret_tag, struct str *ret_value) {
    struct field_head h;
    if (body->len < sizeof h)
        return false;
    memcpy(&h, body->p, sizeof h);
    if (h.zero != 0 || h.length > body->len - sizeof h)
        return false;
    *ret_tag = h.tag;
    *ret_value = str_sub(*body, sizeof h, sizeof h + h.length);
    *body = str_from(*body, sizeof h + h.length);
    return true;
}

static bool find_field(struct str body, uint16_t tag, struct str *ret) {
    uint16_t t;
    while (msg_next(&body, &t, ret))
        if (t == tag)
            return true;
    return false;
}

struct str msg_get(struct str body, uint16_t tag) {
    struct str v;
    return find_field(body, tag, &v) ? v : STR_NONE;
}

bool msg_has(struct str body, uint16_t tag) {
    struct str v;
    return find_field(body, tag, &v);
}

uint64_t msg_get_u64(struct str body, uint16_t tag) {
    struct str v;
    uint64_t n = 0;
    if (find_field(body, tag, &v) && v.len == sizeof n)
        memcpy(&n, v.p, sizeof n);
    return n;
}

int64_t msg_get_i64(struct str body, uint16_t tag) {
    return (int64_t)msg_get_u64(body, tag);
}

void msg_put_err(struct buf *body, uint16_t tag, struct err e) {
    if (!err_failed(e))
        return;
    msg_putz(body, tag, err_kind_name(err_kind(e)));
    msg_put_i64(body, tag + 1, err_errnum(e));
    msg_putz(body, tag + 2, err_msg(e));
}

struct err msg_get_err(struct str body, uint16_t tag) {
    struct str kind;
    if (!find_field(body, tag, &kind))
        return OK;
    CLEAN_FREE char *name = str_dup(kind);
    struct str text = msg_get(body, tag + 2);
    /* The text ends with the errno's own words already. */
    return err_new(err_kind_from_name(name), "%.*s", STR_ARG(text));
}

/* --- the wire --------------------------------------------------------------------------------------------------- */

void msg_done(struct msg *m) {
    for (size_t i = 0; i < m->fds_n; i++)
        m->fds[i] = fd_close(m->fds[i]);
    m->fds_n = 0;
    free(m->owned_);
    m->owned_ = NULL;
    m->body = STR_NONE;
}

static struct err to_memfd(struct str body, int *ret_fd) {
    CLEAN_FD int fd = memfd_create("msg", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    int r = fd_write_all(fd, body.p, body.len);
    if (r < 0)
        return err_errno(r, "write message body");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return err_errno(errno, "seal message body");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

int msg_send_now(int fd, const struct msg_head *h, struct str body, const int *fds, size_t fds_n) {
    struct iovec iov[2] = {{(void *)h, sizeof *h}, {(void *)body.p, body.len}};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))];
        struct cmsghdr align;
    } control;
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = body.len ? 2 : 1};
    memset(&control, 0, sizeof control);
    if (fds_n) {
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * fds_n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fds_n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fds_n);
    }
    ssize_t r;
    while ((r = sendmsg(fd, &mh, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return r < 0 ? -errno : 0;
}

struct err msg_pack(uint32_t type, uint64_t seq, struct str body, const int *fds, size_t fds_n, struct msg_packed *ret) {
    if (fds_n > MSG_FDS_MAX || body.len > MSG_BODY_MAX)
        return err_new(ERR_INVALID, "message %u: %zu bytes and %zu descriptors are too much", type, body.len, fds_n);
    *ret = (struct msg_packed){.head = {MSG_MAGIC, type, seq, (uint32_t)body.len, 0}, .memfd = -1, .body = body};
    memcpy(ret->fds, fds, fds_n * sizeof *fds);
    ret->fds_n = fds_n;
    if (body.len > MSG_INLINE_MAX) {
        TRY(to_memfd(body, &ret->memfd));
        ret->head.flags |= MSG_FLAG_MEMFD;
        ret->fds[ret->fds_n++] = ret->memfd;
        ret->body = STR_NONE;
    }
    return OK;
}

struct err msg_send(int fd, uint32_t type, uint64_t seq, struct str body, const int *fds, size_t fds_n) {
    struct msg_packed p;
    TRY(msg_pack(type, seq, body, fds, fds_n, &p));
    int r;
    while ((r = msg_send_now(fd, &p.head, p.body, p.fds, p.fds_n)) == -EAGAIN) {
        struct pollfd pfd = {fd, POLLOUT, 0};
        poll(&pfd, 1, -1);
    }
    fd_close(p.memfd);
    if (r == -EPIPE || r == -ECONNRESET)
        return err_kind_errno(ERR_UNAVAILABLE, -r, "send message");
    return r < 0 ? err_errno(-r, "send message") : OK;
}

/* Puts a body that travelled in a memfd in place. */
static struct err from_memfd(struct msg *m, uint32_t length) {
    if (m->fds_n == 0)
        return err_new(ERR_INVALID, "message %u lacks its body", m->type);
    CLEAN_FD int fd = m->fds[--m->fds_n];
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) != 0 || st.st_size != (off_t)length)
        return err_new(ERR_INVALID, "message %u: its body is no sealed memfd of %u bytes", m->type, length);
    char *bytes = mem_alloc((size_t)length + 1);
    ssize_t got = 0;
    while (got < (ssize_t)length) {
        ssize_t r = pread(fd, bytes + got, length - (size_t)got, got);
        if (r <= 0)
            break;
        got += r;
    }
    bytes[got] = '\0';
    m->owned_ = bytes;
    if (got != (ssize_t)length)
        return err_new(ERR_INVALID, "message %u: its body is cut short", m->type);
    m->body = str_n(bytes, length);
    return OK;
}

struct err msg_recv_now(int fd, struct msg *ret) {
    struct msg_head h;
    CLEAN_FREE char *inline_body = mem_alloc(MSG_INLINE_MAX + 1);
    struct iovec iov[2] = {{&h, sizeof h}, {inline_body, MSG_INLINE_MAX}};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))];
        struct cmsghdr align;
    } control;
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct msg m = {0};
    ssize_t r;
    while ((r = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0 && errno == EINTR)
        ;
    if (r < 0 && errno == EAGAIN)
        return err_kind_errno(ERR_TIMEOUT, EAGAIN, "receive message");
    if (r <= 0)
        return err_new(ERR_UNAVAILABLE, "receive message: the other end is gone");
    int all[MSG_FDS_MAX + 1];
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < got; i++) {
                int one;
                memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof one);
                if (n < ARRAY_LEN(all))
                    all[n++] = one;
                else
                    fd_close(one);
            }
        }
    bool memfd = r >= (ssize_t)sizeof h && h.flags & MSG_FLAG_MEMFD;
    bool bad = r < (ssize_t)sizeof h || h.magic != MSG_MAGIC || mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
               h.length > MSG_BODY_MAX || (!memfd && (size_t)r - sizeof h != h.length) || n > MSG_FDS_MAX + (size_t)memfd;
    if (bad) {
        for (size_t i = 0; i < n; i++)
            fd_close(all[i]);
        return err_new(ERR_INVALID, "received a malformed message");
    }
    m.type = h.type;
    m.seq = h.seq;
    int body_fd = memfd && n ? all[--n] : -1;
    memcpy(m.fds, all, n * sizeof *all);
    m.fds_n = n;
    struct err e = OK;
    if (memfd) {
        struct msg tmp = {.type = m.type, .fds = {body_fd}, .fds_n = body_fd >= 0};
        e = from_memfd(&tmp, h.length);
        m.body = tmp.body;
        m.owned_ = tmp.owned_;
    } else {
        inline_body[h.length] = '\0';
        m.body = str_n(inline_body, h.length);
        m.owned_ = TAKE(inline_body);
    }
    if (err_failed(e)) {
        msg_done(&m);
        return e;
    }
    *ret = m;
    return OK;
}

struct err msg_recv(int fd, int64_t timeout_ns, struct msg *ret) {
    int64_t deadline = timeout_ns < 0 ? 0 : time_monotonic() + timeout_ns;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = timeout_ns < 0 ? -1 : (deadline - time_monotonic()) / NSEC_PER_MSEC;
        int r = poll(&p, 1, timeout_ns < 0 ? -1 : (int)MAX(left, 0));
        if (r < 0 && errno != EINTR)
            return err_errno(errno, "wait for a message");
        if (r == 0)
            return err_new(ERR_TIMEOUT, "no message within %lld ms", (long long)(timeout_ns / NSEC_PER_MSEC));
        if (r < 0)
            continue;
        struct err e = msg_recv_now(fd, ret);
        if (err_kind(e) != ERR_TIMEOUT)
            return e;
        err_free(e);
    }
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

static struct err new_socket(int *ret_fd) {
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "make a message socket");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* The address of name below dirfd: short whatever the directory's own path is. */
static struct err address(int dirfd, const char *name, struct sockaddr_un *ret) {
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
    if (n < 0 || (size_t)n >= sizeof ret->sun_path)
        return err_new(ERR_INVALID, "socket name '%s' is too long", name);
    return OK;
}

struct err msg_listen(int dirfd, const char *name, int mode, int *ret_fd) {
    struct sockaddr_un a;
    CLEAN_FD int fd = -1;
    TRY(address(dirfd, name, &a));
    TRY(new_socket(&fd));
    unlinkat(dirfd, name, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0)
        return err_errno(errno, "bind '%s'", name);
    if (fchmodat(dirfd, name, (mode_t)mode, 0) != 0)
        return err_errno(errno, "chmod '%s'", name);
    if (listen(fd, 64) != 0)
        return err_errno(errno, "listen on '%s'", name);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err msg_dial(int dirfd, const char *name, int *ret_fd) {
    struct sockaddr_un a;
    CLEAN_FD int fd = -1;
    TRY(address(dirfd, name, &a));
    TRY(new_socket(&fd));
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;
        return err_kind_errno(nobody ? ERR_NOT_FOUND : ERR_SYSTEM, errno, "dial '%s'", name);
    }
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err msg_pair(int ret_fds[2]) {
    int size = 256 * 1024;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) != 0)
        return err_errno(errno, "make a pair of message sockets");
    for (int i = 0; i < 2; i++)
        setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* a wish */
    return OK;
}
