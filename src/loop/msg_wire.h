/* msg_wire.h - how a message lies on the socket. Private to loop/. */
#pragma once
#include "loop/msg.h"

#define MSG_MAGIC 0x6e74726fu
#define MSG_INLINE_MAX (32u << 10)
#define MSG_FLAG_MEMFD 1u /* the last descriptor is a sealed memfd that holds the body */

struct msg_head {
    uint32_t magic, type;
    uint64_t seq;
    uint32_t length, flags;
};
struct msg_packed {
    struct msg_head head;
    struct str body; /* borrowed from the caller */
    int fds[MSG_FDS_MAX + 1];
    size_t fds_n;
    int memfd; /* to be closed after the sending; -1: none */
};
struct err msg_pack(uint32_t type, uint64_t seq, struct str body, const int *fds, size_t fds_n, struct msg_packed *ret);
/* 0 or -errno. */
int msg_send_now(int fd, const struct msg_head *h, struct str body, const int *fds, size_t fds_n);
/* ERR_TIMEOUT when nothing is there. */
struct err msg_recv_now(int fd, struct msg *ret);
