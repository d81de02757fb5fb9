/* kernel/netlink.h - netlink(7): messages are built in a growing buffer, sent as one batch, and
 * every error comes back as an err with the kernel's own words (extended acknowledgement).
 *
 * A batch is any number of messages of one family in one sendmsg(2): the kernel works through them
 * in order before the call returns. rtnetlink messages take effect one by one and go on after a
 * failure; nfnetlink batches (kernel/nft.h) take effect together or not at all.
 *
 * The kernel's answers are complete when sendmsg returns, so nothing here ever waits.
 *
 * Any thread; a socket belongs to one thread at a time and to the network namespace it was made in.
 * Sizes: a nested attribute holds at most 65,535 bytes (16-bit length, checked by assert: it is
 * built by us). Tests: test/kernel/network-endpoints.c.
 */
#pragma once
#include "base/buf.h"
#include <linux/netlink.h>

struct netlink {
    int fd;
    uint32_t seq; /* of the last message that was numbered */
};

/* protocol: NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_SOCK_DIAG. In the namespace of the calling
 * thread. */
struct err netlink_open(int protocol, struct netlink *ret);
void netlink_done(struct netlink *nl);
#define CLEAN_NETLINK OWN(netlink_done)
#define NETLINK_NONE ((struct netlink){.fd = -1})

/* --- building ------------------------------------------------------------------------------- */

struct netlink_batch {
    struct buf bytes;
    size_t last;   /* offset of the last message's header */
    unsigned n;    /* messages */
    unsigned tail; /* messages behind the one to acknowledge: 1 in nfnetlink batches */
};
void netlink_batch_done(struct netlink_batch *b);
#define CLEAN_NETLINK_BATCH OWN(netlink_batch_done)

/* Starts a message; extra is its fixed header (struct ifinfomsg, …). NLM_F_REQUEST is added. */
void netlink_message(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *extra,
                     size_t extra_len);
void netlink_attr(struct netlink_batch *b, uint16_t type, const void *data, size_t len);
void netlink_attr_u8(struct netlink_batch *b, uint16_t type, uint8_t v);
void netlink_attr_u32(struct netlink_batch *b, uint16_t type, uint32_t v);
/* With its NUL. */
void netlink_attr_z(struct netlink_batch *b, uint16_t type, const char *z);
/* Attributes until netlink_nest_end go inside. The value is to be given back there. */
size_t netlink_nest(struct netlink_batch *b, uint16_t type);
void netlink_nest_end(struct netlink_batch *b, size_t nest);
/* Fixed bytes inside a nest (the peer's ifinfomsg of a veth). */
void netlink_raw(struct netlink_batch *b, const void *data, size_t len);

/* --- sending -------------------------------------------------------------------------------- */

/* Sends the batch and waits for the acknowledgement of its last message. The first error that the
 * kernel reported is returned: ERR_SYSTEM with errno; *ret_index (may be NULL) is the message it
 * belongs to. The batch is empty afterwards. */
struct err netlink_send(struct netlink *nl, struct netlink_batch *b, unsigned *ret_index);

/* Sends the one message of the batch (flags NLM_F_DUMP for a list) and calls fn for every answer
 * with its payload (after the nlmsghdr). fn's first error ends the dump, and the socket is then
 * good for netlink_done only. A dump that was interrupted by a change is repeated by the caller:
 * ERR_UNAVAILABLE, errno EINTR. */
struct err netlink_ask(struct netlink *nl, struct netlink_batch *b,
                       struct err (*fn)(void *arg, const struct nlmsghdr *h), void *arg);

/* --- reading -------------------------------------------------------------------------------- */

/* Sets table[type] to each attribute (types above max are ignored); table has max + 1 entries and
 * is zeroed first. Malformed ends end the list. */
void netlink_parse(const void *attrs, size_t len, const struct nlattr **table, unsigned max);
/* As netlink_parse, on the attributes of a message with a fixed header of `extra_len`. */
void netlink_parse_message(const struct nlmsghdr *h, size_t extra_len, const struct nlattr **table,
                           unsigned max);
static inline const void *netlink_data(const struct nlattr *a) {
    return (const char *)a + NLA_HDRLEN;
}
static inline size_t netlink_len(const struct nlattr *a) {
    return (size_t)a->nla_len - NLA_HDRLEN;
}
/* 0 when a is NULL or too short. */
uint32_t netlink_u32(const struct nlattr *a);
/* Borrowed text, NUL-terminated inside the attribute, or "" when it is not. */
const char *netlink_z(const struct nlattr *a);
