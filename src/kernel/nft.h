/* kernel/nft.h - nf_tables: whole rule sets through the `nft` program, elements of sets and maps
 * through nfnetlink.
 *
 * A rule set is text and is loaded once, in one transaction (about 8 ms, most of it the program's
 * start). What changes while containers come and go are elements: raw messages, microseconds. A
 * batch of element changes takes effect as a whole or not at all.
 *
 * Keys and values are given as the kernel keeps them: every field of a concatenation padded to a
 * multiple of 4 bytes; addresses and ports in network byte order; an interface name is 16 bytes.
 * Tables of family `ip` (NFPROTO_IPV4) unless a batch says otherwise.
 *
 * Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h. Any thread; blocks shortly.
 * Tests: test/kernel/network-endpoints.c, network-restart.c.
 */
#pragma once
#include "base/vec.h"
#include "kernel/netlink.h"

#define NFT_KEY_MAX 64 /* bytes of a key or value; the kernel's own limit for keys */

struct nft_batch {
    struct netlink_batch batch;
    uint8_t family; /* of the tables that come next; 0: NFPROTO_IPV4 */
    struct {
        uint8_t family;
        char table[32], set[32];
        uint16_t type;
        size_t list, bytes; /* open list of elements */
        bool open;
    } now;
};
void nft_batch_done(struct nft_batch *b);
#define CLEAN_NFT_BATCH OWN(nft_batch_done)

struct nft_element {
    uint8_t key[NFT_KEY_MAX], end[NFT_KEY_MAX], value[NFT_KEY_MAX];
    size_t key_len, end_len, value_len; /* end_len 0: no interval; value_len 0: a set */
};
/* Adds an element. One that is there already with the same value is success. */
void nft_add(struct nft_batch *b, const char *table, const char *set, const struct nft_element *e);
/* Removes an element; one that is not there fails the batch with ENOENT. value is not looked at. */
void nft_delete(struct nft_batch *b, const char *table, const char *set,
                const struct nft_element *e);
/* Commits and empties the batch; an empty one is success. errno says why (ENOENT: no such table,
 * set or element; EEXIST: there with another value). */
struct err nft_commit(struct netlink *nl, struct nft_batch *b);

/* Every element of a set or map. ERR_NOT_FOUND when table or set is missing. */
struct nft_elements VEC_BODY(struct nft_element);
struct err nft_list(struct netlink *nl, bool six, const char *table, const char *set,
                    struct nft_elements *ret);
/* One message of such a list, for netlink_ask: appends to the struct nft_elements at arg. Whatever the
 * bytes are, nothing outside of the message is read (test/fuzz/nft-dump.c). */
struct err nft_read_elements(void *arg, const struct nlmsghdr *h);
/* family: NFPROTO_IPV4, _IPV6, _BRIDGE. */
struct err nft_table_exists(struct netlink *nl, uint8_t family, const char *table, bool *ret);
struct err nft_set_exists(struct netlink *nl, uint8_t family, const char *table, const char *set,
                          bool *ret);

/* Base chains at hook forward, families ip and inet, whose policy is drop and that are not in
 * `table`: "ip filter FORWARD". */
struct err nft_foreign_drops(struct netlink *nl, const char *table, struct strv *ret);

/* Runs `program -f -` with the script on its stdin. The error carries what it printed. */
struct err nft_load(const char *program, struct str script);
