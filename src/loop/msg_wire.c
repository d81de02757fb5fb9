#include "loop/msg_wire.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WIRE_MAGIC 0x316d6f63u /* "com1" */
#define WIRE_MEMFD 1u          /* the body lies in a memfd, the first descriptor */
/* Nobody can change or shorten the body while it is being read. */
#define WIRE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct wire_head {
    uint32_t magic, type;
    uint64_t seq;
    uint32_t length, flags;
};

/* What backs the body of a received message. */
struct backing {
    void *map; /* of map_len bytes, or NULL: the bytes follow */
    size_t map_len;
    char bytes[];
};

union wire_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))];
};

static int body_to_memfd(struct str body) {
    int fd = memfd_create("corten-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = fd_write_all(fd, body.p, body.len);
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, WIRE_SEALS | F_SEAL_SEAL) < 0)
        rc = -errno;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int msg_wire_send(int fd, uint32_t type, uint64_t seq, struct str body, const int *fds, size_t n) {
    if (n > MSG_FDS_MAX || body.len > MSG_BODY_MAX)
        return -EMSGSIZE;
    struct wire_head head = {
        .magic = WIRE_MAGIC, .type = type, .seq = seq, .length = (uint32_t)body.len};
    CLEAN_FD
    int memfd = -1;
    int all[MSG_FDS_MAX + 1];
    size_t all_n = 0;
    if (body.len > MSG_INLINE_MAX) {
        memfd = body_to_memfd(body);
        if (memfd < 0)
            return memfd;
        head.flags = WIRE_MEMFD;
        all[all_n++] = memfd;
        body = STR_NONE;
    }
    for (size_t i = 0; i < n; i++)
        all[all_n++] = fds[i];
    struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body.p, body.len}};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = body.len ? 2 : 1};
    union wire_control control = {0};
    if (all_n > 0) {
        mh.msg_control = control.room;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * all_n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * all_n);
        memcpy(CMSG_DATA(c), all, sizeof(int) * all_n);
    }
    ssize_t rc;
    do
        rc = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* Takes every descriptor that came, before anything is judged: none may leak. */
static bool take_fds(struct msghdr *mh, int fds[MSG_FDS_MAX + 1], size_t *ret_n) {
    bool ok = true;
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const unsigned char *p = CMSG_DATA(c);
        for (size_t i = 0; i < count; i++, p += sizeof(int)) {
            int fd;
            memcpy(&fd, p, sizeof(fd));
            if (n < MSG_FDS_MAX + 1) {
                fds[n++] = fd;
            } else {
                close(fd);
                ok = false;
            }
        }
    }
    *ret_n = n;
    return ok;
}

static int body_from_memfd(int fd, size_t length, struct msg *m) {
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & WIRE_SEALS) != WIRE_SEALS || fstat(fd, &st) < 0 ||
        st.st_size != (off_t)length || length == 0)
        return -EPROTO;
    void *map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    struct backing *b = NEW(struct backing);
    b->map = map;
    b->map_len = length;
    m->owned_ = b;
    m->body = str_n(map, length);
    return 0;
}

static int body_from_packet(const char *p, size_t n, struct msg *m) {
    struct backing *b = mem_alloc(sizeof(*b) + n);
    b->map = NULL;
    memcpy(b->bytes, p, n);
    m->owned_ = b;
    m->body = str_n(b->bytes, n);
    return 0;
}

/* packet holds n bytes; m->fds is filled already. */
static int decode(const char *packet, size_t n, struct msg *m) {
    struct wire_head head;
    if (n < sizeof(head))
        return -EPROTO;
    memcpy(&head, packet, sizeof(head));
    if (head.magic != WIRE_MAGIC || (head.flags & ~WIRE_MEMFD) || head.length > MSG_BODY_MAX)
        return -EPROTO;
    m->type = head.type;
    m->seq = head.seq;
    int rc;
    if (head.flags & WIRE_MEMFD) {
        if (n != sizeof(head) || m->fds_n == 0)
            return -EPROTO;
        rc = body_from_memfd(m->fds[0], head.length, m);
        close(m->fds[0]);
        m->fds_n--;
        memmove(m->fds, m->fds + 1, m->fds_n * sizeof(m->fds[0]));
    } else {
        if (n - sizeof(head) != head.length || m->fds_n > MSG_FDS_MAX)
            return -EPROTO;
        rc = body_from_packet(packet + sizeof(head), head.length, m);
    }
    if (rc == 0 && !msg_body_ok(m->body))
        rc = -EPROTO;
    return rc;
}

int msg_wire_recv(int fd, struct msg *ret) {
    /* Not cleared: a small message touches one page of it. */
    __attribute__((uninitialized)) char packet[sizeof(struct wire_head) + MSG_INLINE_MAX];
    union wire_control control;
    struct iovec iov = {packet, sizeof(packet)};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room)};
    ssize_t n;
    /* ECONNRESET: the peer died with messages of ours unread. It is told once and before what the
     * peer itself had sent, which is still there and ends with a plain end. */
    do
        n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return -errno;
    int fds[MSG_FDS_MAX + 1];
    size_t fds_n;
    bool ok = take_fds(&mh, fds, &fds_n);
    if (n == 0 && fds_n == 0)
        return 0;
    struct msg m = {0};
    size_t extra = fds_n > MSG_FDS_MAX ? 1 : 0;
    int last = extra ? fds[MSG_FDS_MAX] : -1;
    memcpy(m.fds, fds, (fds_n - extra) * sizeof(int));
    m.fds_n = fds_n - extra;
    int rc = ok && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? decode(packet, (size_t)n, &m)
                                                              : -EPROTO;
    /* 33 descriptors are right only when the first was the body's. */
    if (extra && rc == 0 && m.fds_n < MSG_FDS_MAX)
        m.fds[m.fds_n++] = TAKE_FD(last);
    else if (extra && rc == 0)
        rc = -EPROTO;
    fd_close(last);
    if (rc < 0) {
        msg_done(&m);
        return rc;
    }
    *ret = m;
    return 1;
}

void msg_done(struct msg *m) {
    for (size_t i = 0; i < m->fds_n; i++)
        fd_close(m->fds[i]);
    struct backing *b = m->owned_;
    if (b && b->map)
        munmap(b->map, b->map_len);
    free(b);
    *m = (struct msg){0};
}
