/* loop/msg.h - message sockets that carry descriptors: AF_UNIX SOCK_SEQPACKET.
 *
 * The wire between daemon and monitor, daemon and worker. A message is a type, a sequence number (a
 * reply carries the number of its request; 0 for notices), a body of tagged fields and up to
 * MSG_FDS_MAX descriptors. Types and tags are numbered per protocol, append-only: a receiver skips
 * tags that it does not know, so old and new programs understand each other. A body of more than 32
 * KiB travels in a sealed memfd, transparently. Bodies are bounded by MSG_BODY_MAX; anything
 * malformed is ERR_INVALID and never trusted. Received descriptors are CLOEXEC.
 *
 * Body encoding: repeated { u16 tag, u16 reserved 0, u32 length, bytes }, native endian (same
 * host).
 */
#pragma once
#include "base/buf.h"
#include "loop/loop.h"

#define MSG_FDS_MAX 32
#define MSG_BODY_MAX (16u << 20)

struct msg {
    uint32_t type;
    uint64_t seq;
    struct str body; /* when received: valid until msg_done */
    int fds[MSG_FDS_MAX];
    size_t fds_n;
    void *owned_; /* backing of body */
};
/* True when body is a sequence of whole fields; what was received is. */
bool msg_body_ok(struct str body);
/* Closes descriptors that were not taken (TAKE_FD(m.fds[i])), frees the body. */
void msg_done(struct msg *m);
#define CLEAN_MSG OWN(msg_done)

/* Body building and reading. */
void msg_put(struct buf *body, uint16_t tag, struct str value);
void msg_putz(struct buf *body, uint16_t tag, const char *z); /* NULL: left out */
void msg_put_u64(struct buf *body, uint16_t tag, uint64_t v);
void msg_put_i64(struct buf *body, uint16_t tag, int64_t v);
/* First field with that tag; STR_NONE / 0 when absent or of the wrong size. */
struct str msg_get(struct str body, uint16_t tag);
uint64_t msg_get_u64(struct str body, uint16_t tag);
int64_t msg_get_i64(struct str body, uint16_t tag);
bool msg_has(struct str body, uint16_t tag);
/* Iterates all fields: `while (msg_next(&body, &tag, &value))`; stops at malformed bytes. */
bool msg_next(struct str *body, uint16_t *ret_tag, struct str *ret_value);
/* errors on the wire: kind, errno and message under three tags starting at `tag` */
void msg_put_err(struct buf *body, uint16_t tag, struct err e); /* does not consume e */
struct err msg_get_err(struct str body, uint16_t tag);          /* OK when absent */

/* Blocking (pool threads, start-up, small clients). fds are borrowed. timeout_ns < 0: none. */
struct err msg_send(int fd, uint32_t type, uint64_t seq, struct str body, const int *fds,
                    size_t fds_n);
/* ERR_UNAVAILABLE when the peer closed; ERR_TIMEOUT. */
struct err msg_recv(int fd, int64_t timeout_ns, struct msg *ret);

/* On the loop. */
struct msg_conn;
typedef void msg_fn(void *arg, struct msg *m); /* m is done by the caller; TAKE_FD what is kept */
typedef void msg_closed_fn(void *arg); /* peer gone or protocol error; then call msg_conn_free */
/* Takes fd over (made non-blocking). */
struct msg_conn *msg_conn_new(struct loop *l, int fd, msg_fn *fn, msg_closed_fn *closed, void *arg);
/* Queues on EAGAIN (fds are dup'ed then). Never blocks. */
void msg_conn_send(struct msg_conn *c, uint32_t type, uint64_t seq, struct str body, const int *fds,
                   size_t fds_n);
int msg_conn_fd(const struct msg_conn *c);
/* Stops reading and notifying and gives fd back in blocking mode, for hand-over. What could not be
 * sent yet is dropped. c is gone then. */
int msg_conn_take(struct msg_conn *c);
struct msg_conn *msg_conn_free(struct msg_conn *c); /* closes; NULL allowed; from callbacks too */

/* Sockets on the file system. Paths longer than sun_path are bound and dialled relative to dirfd
 * through /proc/self/fd. mode applies to the path. */
struct err msg_listen(int dirfd, const char *name, int mode, int *ret_fd);
/* ERR_NOT_FOUND when nobody listens there. */
struct err msg_dial(int dirfd, const char *name, int *ret_fd);
struct err msg_pair(int ret_fds[2]); /* socketpair, CLOEXEC, big send buffers */
