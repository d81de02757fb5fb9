#include "kernel/nft.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>

/* A list of elements is one attribute with a 16-bit length: a new message is begun well before. */
#define LIST_BYTES_MAX 60000

void nft_batch_done(struct nft_batch *b) {
    netlink_batch_done(&b->batch);
    memset(&b->now, 0, sizeof(b->now));
}

static uint16_t message_type(uint16_t type) {
    return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
}

static void border(struct netlink_batch *b, uint16_t type) {
    struct nfgenmsg g = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_message(b, type, 0, &g, sizeof(g));
}

static void close_list(struct nft_batch *b) {
    if (b->now.open)
        netlink_nest_end(&b->batch, b->now.list);
    b->now.open = false;
}

static void open_list(struct nft_batch *b, uint16_t type, const char *table, const char *set) {
    if (b->now.open && b->now.type == type && b->now.family == b->family &&
        strcmp(b->now.table, table) == 0 && strcmp(b->now.set, set) == 0 &&
        b->batch.bytes.len - b->now.list < LIST_BYTES_MAX)
        return;
    close_list(b);
    if (b->batch.n == 0)
        border(&b->batch, NFNL_MSG_BATCH_BEGIN);
    struct nfgenmsg g = {.nfgen_family = b->family ? b->family : NFPROTO_IPV4};
    netlink_message(&b->batch, message_type(type), type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
                    &g, sizeof(g));
    netlink_attr_z(&b->batch, NFTA_SET_ELEM_LIST_TABLE, table);
    netlink_attr_z(&b->batch, NFTA_SET_ELEM_LIST_SET, set);
    b->now.list = netlink_nest(&b->batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    b->now.open = true;
    b->now.type = type;
    b->now.family = b->family;
    assert(strlen(table) < sizeof(b->now.table) && strlen(set) < sizeof(b->now.set));
    memcpy(b->now.table, table, strlen(table) + 1);
    memcpy(b->now.set, set, strlen(set) + 1);
}

static void data(struct netlink_batch *b, uint16_t attr, const uint8_t *p, size_t len) {
    if (!len)
        return;
    size_t nest = netlink_nest(b, attr);
    netlink_attr(b, NFTA_DATA_VALUE, p, len);
    netlink_nest_end(b, nest);
}

static void element(struct nft_batch *b, const struct nft_element *e, bool with_value) {
    size_t nest = netlink_nest(&b->batch, NFTA_LIST_ELEM);
    data(&b->batch, NFTA_SET_ELEM_KEY, e->key, e->key_len);
    data(&b->batch, NFTA_SET_ELEM_KEY_END, e->end, e->end_len);
    if (with_value)
        data(&b->batch, NFTA_SET_ELEM_DATA, e->value, e->value_len);
    netlink_nest_end(&b->batch, nest);
}

void nft_add(struct nft_batch *b, const char *table, const char *set, const struct nft_element *e) {
    open_list(b, NFT_MSG_NEWSETELEM, table, set);
    element(b, e, true);
}

void nft_delete(struct nft_batch *b, const char *table, const char *set,
                const struct nft_element *e) {
    open_list(b, NFT_MSG_DELSETELEM, table, set);
    element(b, e, false);
}

struct err nft_commit(struct netlink *nl, struct nft_batch *b) {
    if (b->batch.n == 0)
        return OK;
    close_list(b);
    border(&b->batch, NFNL_MSG_BATCH_END);
    b->batch.tail = 1; /* the end of a batch is not acknowledged before Linux 6.10 */
    struct err e = netlink_send(nl, &b->batch, NULL);
    nft_batch_done(b);
    return e;
}

static void request(struct netlink_batch *b, uint16_t type, uint16_t flags, uint8_t family) {
    struct nfgenmsg g = {.nfgen_family = family};
    netlink_message(b, message_type(type), flags, &g, sizeof(g));
}

static struct err ignore_answer(void *arg, const struct nlmsghdr *h) {
    (void)arg, (void)h;
    return OK;
}

struct err nft_table_exists(struct netlink *nl, uint8_t family, const char *table, bool *ret) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    request(&b, NFT_MSG_GETTABLE, 0, family);
    netlink_attr_z(&b, NFTA_TABLE_NAME, table);
    struct err e = netlink_ask(nl, &b, ignore_answer, NULL);
    if (err_failed(e) && err_errnum(e) == ENOENT) {
        err_free(e);
        *ret = false;
        return OK;
    }
    TRYF(e, "look for nftables table '%s'", table);
    *ret = true;
    return OK;
}

struct err nft_set_exists(struct netlink *nl, uint8_t family, const char *table, const char *set,
                          bool *ret) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    request(&b, NFT_MSG_GETSET, 0, family);
    netlink_attr_z(&b, NFTA_SET_TABLE, table);
    netlink_attr_z(&b, NFTA_SET_NAME, set);
    struct err e = netlink_ask(nl, &b, ignore_answer, NULL);
    bool missing = err_failed(e) && err_errnum(e) == ENOENT;
    if (missing)
        err_free(e);
    else
        TRYF(e, "look for nftables set '%s %s'", table, set);
    *ret = !missing;
    return OK;
}

static size_t read_data(const struct nlattr *a, uint8_t into[NFT_KEY_MAX]) {
    if (!a)
        return 0;
    const struct nlattr *d[NFTA_DATA_VALUE + 1];
    netlink_parse(netlink_data(a), netlink_len(a), d, NFTA_DATA_VALUE);
    if (!d[NFTA_DATA_VALUE])
        return 0;
    size_t len = MIN(netlink_len(d[NFTA_DATA_VALUE]), (size_t)NFT_KEY_MAX);
    memcpy(into, netlink_data(d[NFTA_DATA_VALUE]), len);
    return len;
}

struct err nft_read_elements(void *arg, const struct nlmsghdr *h) {
    struct nft_elements *out = arg;
    const struct nlattr *a[NFTA_SET_ELEM_LIST_ELEMENTS + 1];
    netlink_parse_message(h, sizeof(struct nfgenmsg), a, NFTA_SET_ELEM_LIST_ELEMENTS);
    const struct nlattr *list = a[NFTA_SET_ELEM_LIST_ELEMENTS];
    if (!list)
        return OK;
    const char *p = netlink_data(list);
    size_t left = netlink_len(list);
    while (left >= NLA_HDRLEN) {
        const struct nlattr *one = (const void *)p;
        if (one->nla_len < NLA_HDRLEN || one->nla_len > left)
            break;
        const struct nlattr *f[NFTA_SET_ELEM_KEY_END + 1];
        netlink_parse(netlink_data(one), netlink_len(one), f, NFTA_SET_ELEM_KEY_END);
        struct nft_element *e = vec_add(out);
        e->key_len = read_data(f[NFTA_SET_ELEM_KEY], e->key);
        e->end_len = read_data(f[NFTA_SET_ELEM_KEY_END], e->end);
        e->value_len = read_data(f[NFTA_SET_ELEM_DATA], e->value);
        size_t step = MIN((size_t)NLA_ALIGN(one->nla_len), left);
        p += step;
        left -= step;
    }
    return OK;
}

struct err nft_list(struct netlink *nl, bool six, const char *table, const char *set,
                    struct nft_elements *ret) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    request(&b, NFT_MSG_GETSETELEM, NLM_F_DUMP, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
    netlink_attr_z(&b, NFTA_SET_ELEM_LIST_TABLE, table);
    netlink_attr_z(&b, NFTA_SET_ELEM_LIST_SET, set);
    struct nft_elements out = {0};
    struct err e = netlink_ask(nl, &b, nft_read_elements, &out);
    if (err_failed(e)) {
        vec_done(&out);
        if (err_errnum(e) == ENOENT)
            e = err_as(e, ERR_NOT_FOUND);
        return err_wrap(e, "list nftables set '%s %s'", table, set);
    }
    *ret = out;
    return OK;
}

struct drops {
    const char *table;
    struct strv *out;
};

static struct err read_chain(void *arg, const struct nlmsghdr *h) {
    struct drops *d = arg;
    const struct nfgenmsg *g = NLMSG_DATA(h);
    const struct nlattr *a[NFTA_CHAIN_POLICY + 1], *hook[NFTA_HOOK_PRIORITY + 1];
    netlink_parse_message(h, sizeof(*g), a, NFTA_CHAIN_POLICY);
    if ((g->nfgen_family != NFPROTO_IPV4 && g->nfgen_family != NFPROTO_INET) ||
        !a[NFTA_CHAIN_HOOK] || ntohl(netlink_u32(a[NFTA_CHAIN_POLICY])) != NF_DROP)
        return OK;
    netlink_parse(netlink_data(a[NFTA_CHAIN_HOOK]), netlink_len(a[NFTA_CHAIN_HOOK]), hook,
                  NFTA_HOOK_PRIORITY);
    const char *table = netlink_z(a[NFTA_CHAIN_TABLE]);
    if (!hook[NFTA_HOOK_HOOKNUM] || !a[NFTA_CHAIN_POLICY] ||
        ntohl(netlink_u32(hook[NFTA_HOOK_HOOKNUM])) != NF_INET_FORWARD ||
        strcmp(table, d->table) == 0)
        return OK;
    strv_addf(d->out, "%s %s %s", g->nfgen_family == NFPROTO_INET ? "inet" : "ip", table,
              netlink_z(a[NFTA_CHAIN_NAME]));
    return OK;
}

struct err nft_foreign_drops(struct netlink *nl, const char *table, struct strv *ret) {
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    request(&b, NFT_MSG_GETCHAIN, NLM_F_DUMP, AF_UNSPEC);
    struct drops d = {.table = table, .out = ret};
    return netlink_ask(nl, &b, read_chain, &d);
}
