/* loop/msg_wire.h - inside of loop/: one message, one sendmsg or recvmsg. */
#pragma once
#include "loop/msg.h"

/* Bodies up to this size travel in the packet, longer ones in a memfd. */
#define MSG_INLINE_MAX (32u << 10)

/* 0 or -errno; never blocks (-EAGAIN; -ETOOMANYREFS: too many descriptors in flight, try later). */
int msg_wire_send(int fd, uint32_t type, uint64_t seq, struct str body, const int *fds, size_t n);
/* 1: a message; 0: the peer closed; -EAGAIN; -EPROTO: malformed; other -errno. Never blocks. */
int msg_wire_recv(int fd, struct msg *ret);
