/* kernel/nft_rule.h - nf_tables: tables, chains and rules built as messages, for the small rule
 * sets of containers' own namespaces, where starting the `nft` program would cost more than the
 * container's network. What is large and meant to be read stays text (nft_load of kernel/nft.h).
 *
 * Messages are added between nft_begin and nft_end; the batch takes effect as a whole. Registers:
 * NFT_REG32_00 + n. Data is given as it stands in packets (network byte order).
 * Source: include/uapi/linux/netfilter/nf_tables.h. Any thread. Tests: test/kernel/network-endpoints.c.
 */
#pragma once
#include "kernel/netlink.h"

void nft_begin(struct netlink_batch *b);
struct err nft_end(struct netlink *nl, struct netlink_batch *b);

/* Family ip. One that is there already fails the batch with EEXIST. */
void nft_new_table(struct netlink_batch *b, const char *table);
/* type: "nat", "filter". hook: NF_INET_…. policy accept. */
void nft_new_chain(struct netlink_batch *b, const char *table, const char *chain, const char *type,
                   unsigned hook, int priority);

struct nft_rule {
    struct netlink_batch *batch;
    size_t expressions;
};
/* Appends a rule to the chain; expressions until nft_rule_end. */
struct nft_rule nft_rule_begin(struct netlink_batch *b, const char *table, const char *chain);
void nft_rule_end(struct nft_rule *r);
/* base: NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER. Ends the rule's match unless the
 * bytes are these. */
void nft_match_payload(struct nft_rule *r, unsigned base, unsigned offset, const void *data,
                       size_t len);
/* key: NFT_META_…. */
void nft_match_meta(struct nft_rule *r, unsigned key, const void *data, size_t len);
/* Destination of a new connection; 4 and 2 bytes. */
void nft_dnat(struct nft_rule *r, const void *address, const void *port);
