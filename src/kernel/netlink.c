#include "kernel/netlink.h"
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536 /* bytes of one answer datagram; the kernel's dumps use at most 32 KiB */

struct err netlink_open(int protocol, struct netlink *ret) {
    CLEAN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return err_errno(errno, "open netlink socket");
    /* Words with errors, and no echo of what we sent. Both are old enough for every kernel we know,
     * and without them only the words are missing. */
    int on = 1;
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    *ret = (struct netlink){.fd = TAKE_FD(fd), .seq = 0};
    return OK;
}

void netlink_done(struct netlink *nl) {
    nl->fd = fd_close(nl->fd);
}

void netlink_batch_done(struct netlink_batch *b) {
    buf_done(&b->bytes);
    b->n = b->tail = 0;
    b->last = 0;
}

static void pad(struct netlink_batch *b) {
    static const char zero[NLMSG_ALIGNTO];
    size_t rest = b->bytes.len % NLMSG_ALIGNTO;
    if (rest)
        buf_add(&b->bytes, zero, NLMSG_ALIGNTO - rest);
}

/* The header's length is kept true after every addition, so there is no "end of message". */
static void grown(struct netlink_batch *b) {
    uint32_t len = (uint32_t)(b->bytes.len - b->last);
    memcpy(b->bytes.data + b->last + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

void netlink_message(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *extra,
                     size_t extra_len) {
    pad(b);
    b->last = b->bytes.len;
    b->n++;
    struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST};
    buf_add(&b->bytes, &h, sizeof(h));
    buf_add(&b->bytes, extra, extra_len);
    pad(b);
    grown(b);
}

void netlink_attr(struct netlink_batch *b, uint16_t type, const void *data, size_t len) {
    assert(len <= UINT16_MAX - NLA_HDRLEN);
    struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
    buf_add(&b->bytes, &a, sizeof(a));
    if (len)
        buf_add(&b->bytes, data, len);
    pad(b);
    grown(b);
}

void netlink_attr_u8(struct netlink_batch *b, uint16_t type, uint8_t v) {
    netlink_attr(b, type, &v, sizeof(v));
}

void netlink_attr_u32(struct netlink_batch *b, uint16_t type, uint32_t v) {
    netlink_attr(b, type, &v, sizeof(v));
}

void netlink_attr_z(struct netlink_batch *b, uint16_t type, const char *z) {
    netlink_attr(b, type, z, strlen(z) + 1);
}

size_t netlink_nest(struct netlink_batch *b, uint16_t type) {
    size_t at = b->bytes.len;
    netlink_attr(b, type | NLA_F_NESTED, NULL, 0);
    return at;
}

void netlink_nest_end(struct netlink_batch *b, size_t nest) {
    size_t len = b->bytes.len - nest;
    assert(len <= UINT16_MAX);
    uint16_t l = (uint16_t)len;
    memcpy(b->bytes.data + nest + offsetof(struct nlattr, nla_len), &l, sizeof(l));
}

void netlink_raw(struct netlink_batch *b, const void *data, size_t len) {
    buf_add(&b->bytes, data, len);
    pad(b);
    grown(b);
}

/* Numbers the messages from nl->seq + 1 on and asks for an acknowledgement of the last one only:
 * the kernel reports errors of the others without being asked. */
static void number(struct netlink *nl, struct netlink_batch *b, bool ack) {
    size_t at = 0;
    for (unsigned i = 0; i < b->n; i++) {
        struct nlmsghdr h;
        memcpy(&h, b->bytes.data + at, sizeof(h));
        h.nlmsg_seq = ++nl->seq;
        if (ack && i + b->tail + 1 == b->n)
            h.nlmsg_flags |= NLM_F_ACK;
        memcpy(b->bytes.data + at, &h, sizeof(h));
        at += NLMSG_ALIGN(h.nlmsg_len);
    }
}

static struct err push(struct netlink *nl, struct netlink_batch *b) {
    struct sockaddr_nl to = {.nl_family = AF_NETLINK};
    ssize_t n;
    do
        n = sendto(nl->fd, b->bytes.data, b->bytes.len, 0, (struct sockaddr *)&to, sizeof(to));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(errno, "send to netlink");
    return OK;
}

/* One datagram. Answers that do not come from the kernel are dropped: any process may send to us.
 * Never blocks: what the kernel has to say is there when the request has been sent. */
static struct err pull(struct netlink *nl, char *into, size_t size, size_t *ret_len) {
    for (;;) {
        struct sockaddr_nl from = {0};
        struct iovec iov = {.iov_base = into, .iov_len = size};
        struct msghdr m = {
            .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(nl->fd, &m, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "receive from netlink");
        if (from.nl_pid != 0)
            continue;
        if (m.msg_flags & MSG_TRUNC)
            return err_errno(EMSGSIZE, "receive from netlink");
        *ret_len = (size_t)n;
        return OK;
    }
}

/* The error of an NLMSG_ERROR message; success for an acknowledgement. */
static struct err verdict(const struct nlmsghdr *h) {
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return err_errno(EBADMSG, "netlink answer");
    const struct nlmsgerr *e = NLMSG_DATA(h);
    if (e->error == 0)
        return OK;
    const char *words = "";
    if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
        /* With NETLINK_CAP_ACK only the header of our message is repeated before the attributes;
         * without it, the whole of it. */
        size_t skip = sizeof(*e);
        if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
            skip += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
        const struct nlattr *a[NLMSGERR_ATTR_MSG + 1];
        if (h->nlmsg_len >= NLMSG_HDRLEN + skip) {
            netlink_parse((const char *)e + skip, h->nlmsg_len - NLMSG_HDRLEN - skip, a,
                          NLMSGERR_ATTR_MSG);
            words = netlink_z(a[NLMSGERR_ATTR_MSG]);
        }
    }
    if (*words)
        return err_errno(e->error, "%s", words);
    return err_errno(e->error, "netlink");
}

struct err netlink_send(struct netlink *nl, struct netlink_batch *b, unsigned *ret_index) {
    assert(b->n > 0);
    uint32_t first = nl->seq + 1;
    number(nl, b, true);
    uint32_t last = nl->seq - b->tail;
    struct err failed = push(nl, b);
    netlink_batch_done(b);
    if (err_failed(failed))
        return failed;
    _Alignas(struct nlmsghdr) char answer[8192];
    for (bool more = true; more;) {
        size_t len = 0;
        struct err e = pull(nl, answer, sizeof(answer), &len);
        if (err_failed(e)) {
            /* A batch that was refused as a whole has no acknowledgement of its own. */
            if (!err_failed(failed))
                return e;
            err_free(e);
            return failed;
        }
        ssize_t rest = (ssize_t)len; /* NLMSG_NEXT may take it below 0 */
        for (const struct nlmsghdr *h = (const void *)answer; NLMSG_OK(h, rest);
             h = NLMSG_NEXT(h, rest)) {
            if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first > nl->seq - first)
                continue;
            if (h->nlmsg_seq == last)
                more = false;
            struct err v = verdict(h);
            if (!err_failed(v))
                continue;
            if (err_failed(failed)) {
                err_free(v); /* the first failure is the cause of the others */
                continue;
            }
            failed = v;
            if (ret_index)
                *ret_index = h->nlmsg_seq - first;
        }
    }
    return failed;
}

/* Works through one datagram of answers; *ret_end when the last one was in it. */
static struct err answers(const struct netlink *nl, const char *p, size_t len, bool dump,
                          struct err (*fn)(void *arg, const struct nlmsghdr *h), void *arg,
                          bool *ret_end) {
    ssize_t rest = (ssize_t)len;
    for (const struct nlmsghdr *h = (const void *)p; NLMSG_OK(h, rest); h = NLMSG_NEXT(h, rest)) {
        if (h->nlmsg_seq != nl->seq)
            continue;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            return err_kind_errno(ERR_UNAVAILABLE, EINTR, "netlink dump");
        if (h->nlmsg_type == NLMSG_ERROR) {
            *ret_end = true;
            return verdict(h);
        }
        if (h->nlmsg_type == NLMSG_DONE) {
            *ret_end = true;
            return OK;
        }
        TRY(fn(arg, h));
        if (!dump)
            *ret_end = true;
    }
    return OK;
}

struct err netlink_ask(struct netlink *nl, struct netlink_batch *b,
                       struct err (*fn)(void *arg, const struct nlmsghdr *h), void *arg) {
    assert(b->n == 1);
    struct nlmsghdr h;
    memcpy(&h, b->bytes.data, sizeof(h));
    bool dump = (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    number(nl, b, false);
    struct err e = push(nl, b);
    netlink_batch_done(b);
    if (err_failed(e))
        return e;
    CLEAN_BUF struct buf answer = {0};
    char *room = buf_room(&answer, ANSWER_MAX);
    bool end = false;
    while (!end) {
        size_t len = 0;
        TRY(pull(nl, room, ANSWER_MAX, &len));
        TRY(answers(nl, room, len, dump, fn, arg, &end));
    }
    return OK;
}

void netlink_parse(const void *attrs, size_t len, const struct nlattr **table, unsigned max) {
    for (unsigned i = 0; i <= max; i++)
        table[i] = NULL;
    const char *p = attrs;
    while (len >= NLA_HDRLEN) {
        const struct nlattr *a = (const void *)p;
        if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
            return;
        unsigned type = a->nla_type & NLA_TYPE_MASK;
        if (type <= max)
            table[type] = a;
        size_t step = MIN((size_t)NLA_ALIGN(a->nla_len), len);
        p += step;
        len -= step;
    }
}

void netlink_parse_message(const struct nlmsghdr *h, size_t extra_len, const struct nlattr **table,
                           unsigned max) {
    size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(extra_len);
    if (h->nlmsg_len < head)
        netlink_parse(NULL, 0, table, max);
    else
        netlink_parse((const char *)h + head, h->nlmsg_len - head, table, max);
}

uint32_t netlink_u32(const struct nlattr *a) {
    uint32_t v = 0;
    if (a && netlink_len(a) >= sizeof(v))
        memcpy(&v, netlink_data(a), sizeof(v));
    return v;
}

const char *netlink_z(const struct nlattr *a) {
    if (!a || !memchr(netlink_data(a), 0, netlink_len(a)))
        return "";
    return netlink_data(a);
}
