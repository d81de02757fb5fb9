#include "kernel/nft_rule.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static void message(struct netlink_batch *b, uint16_t type, uint16_t flags) {
    struct nfgenmsg g = {.nfgen_family = NFPROTO_IPV4};
    netlink_message(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &g, sizeof(g));
}

static void border(struct netlink_batch *b, uint16_t type) {
    struct nfgenmsg g = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_message(b, type, 0, &g, sizeof(g));
}

void nft_begin(struct netlink_batch *b) {
    border(b, NFNL_MSG_BATCH_BEGIN);
}

struct err nft_end(struct netlink *nl, struct netlink_batch *b) {
    border(b, NFNL_MSG_BATCH_END);
    b->tail = 1; /* the end of a batch is not acknowledged before Linux 6.10 */
    return netlink_send(nl, b, NULL);
}

static void attr_be32(struct netlink_batch *b, uint16_t type, uint32_t v) {
    netlink_attr_u32(b, type, htonl(v));
}

void nft_new_table(struct netlink_batch *b, const char *table) {
    message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
    netlink_attr_z(b, NFTA_TABLE_NAME, table);
}

void nft_new_chain(struct netlink_batch *b, const char *table, const char *chain, const char *type,
                   unsigned hook, int priority) {
    message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    netlink_attr_z(b, NFTA_CHAIN_TABLE, table);
    netlink_attr_z(b, NFTA_CHAIN_NAME, chain);
    size_t nest = netlink_nest(b, NFTA_CHAIN_HOOK);
    attr_be32(b, NFTA_HOOK_HOOKNUM, hook);
    attr_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)priority);
    netlink_nest_end(b, nest);
    netlink_attr_z(b, NFTA_CHAIN_TYPE, type);
}

struct nft_rule nft_rule_begin(struct netlink_batch *b, const char *table, const char *chain) {
    message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    netlink_attr_z(b, NFTA_RULE_TABLE, table);
    netlink_attr_z(b, NFTA_RULE_CHAIN, chain);
    return (struct nft_rule){b, netlink_nest(b, NFTA_RULE_EXPRESSIONS)};
}

void nft_rule_end(struct nft_rule *r) {
    netlink_nest_end(r->batch, r->expressions);
}

struct expression {
    size_t element, data;
};

static struct expression begin(struct nft_rule *r, const char *name) {
    struct expression e = {.element = netlink_nest(r->batch, NFTA_LIST_ELEM)};
    netlink_attr_z(r->batch, NFTA_EXPR_NAME, name);
    e.data = netlink_nest(r->batch, NFTA_EXPR_DATA);
    return e;
}

static void end(struct nft_rule *r, const struct expression *e) {
    netlink_nest_end(r->batch, e->data);
    netlink_nest_end(r->batch, e->element);
}

static void value(struct nft_rule *r, uint16_t attr, const void *data, size_t len) {
    size_t nest = netlink_nest(r->batch, attr);
    netlink_attr(r->batch, NFTA_DATA_VALUE, data, len);
    netlink_nest_end(r->batch, nest);
}

static void compare(struct nft_rule *r, const void *data, size_t len) {
    struct expression e = begin(r, "cmp");
    attr_be32(r->batch, NFTA_CMP_SREG, NFT_REG32_00);
    attr_be32(r->batch, NFTA_CMP_OP, NFT_CMP_EQ);
    value(r, NFTA_CMP_DATA, data, len);
    end(r, &e);
}

void nft_match_payload(struct nft_rule *r, unsigned base, unsigned offset, const void *data,
                       size_t len) {
    struct expression e = begin(r, "payload");
    attr_be32(r->batch, NFTA_PAYLOAD_DREG, NFT_REG32_00);
    attr_be32(r->batch, NFTA_PAYLOAD_BASE, base);
    attr_be32(r->batch, NFTA_PAYLOAD_OFFSET, offset);
    attr_be32(r->batch, NFTA_PAYLOAD_LEN, (uint32_t)len);
    end(r, &e);
    compare(r, data, len);
}

void nft_match_meta(struct nft_rule *r, unsigned key, const void *data, size_t len) {
    struct expression e = begin(r, "meta");
    attr_be32(r->batch, NFTA_META_DREG, NFT_REG32_00);
    attr_be32(r->batch, NFTA_META_KEY, key);
    end(r, &e);
    compare(r, data, len);
}

static void immediate(struct nft_rule *r, uint32_t reg, const void *data, size_t len) {
    struct expression e = begin(r, "immediate");
    attr_be32(r->batch, NFTA_IMMEDIATE_DREG, reg);
    value(r, NFTA_IMMEDIATE_DATA, data, len);
    end(r, &e);
}

void nft_dnat(struct nft_rule *r, const void *address, const void *port) {
    immediate(r, NFT_REG32_00, address, 4);
    immediate(r, NFT_REG32_01, port, 2);
    struct expression e = begin(r, "nat");
    attr_be32(r->batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    attr_be32(r->batch, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    attr_be32(r->batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG32_00);
    attr_be32(r->batch, NFTA_NAT_REG_PROTO_MIN, NFT_REG32_01);
    end(r, &e);
}
