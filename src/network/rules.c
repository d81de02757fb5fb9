/* The rule set's text and its elements. What they mean stands in ruleset.nft. */
#include "network/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>

static const char ruleset[] =
#include "ruleset.inc"
    ;

static const char ruleset_six[] =
#include "ruleset_six.inc"
    ;

static const char ruleset_bridge[] =
#include "ruleset_bridge.inc"
    ;

/* A table of ours in one family. */
struct half {
    uint8_t family;
    const char *name, *text;
};
static const struct half rules_four = {NFPROTO_IPV4, "ip", ruleset};
static const struct half rules_six = {NFPROTO_IPV6, "ip6", ruleset_six};
static const struct half rules_frames = {NFPROTO_BRIDGE, "bridge", ruleset_bridge};

static struct err open_nft(struct netlink *nl) {
    return netlink_open(NETLINK_NETFILTER, nl);
}

/* The same text has the same name for ever: FNV-1a, unlike the seeded hash of maps. */
static const char *version(const char *text, char out[32]) {
    uint32_t hash = 2166136261u;
    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    (void)snprintf(out, 32, "version_%08x", hash);
    return out;
}

/* A table of an earlier or later version of ours stays in force until it is replaced, in one
 * transaction; connections that are open live on in connection tracking. */
static struct err is_current(struct netlink *nl, const struct host_plan *h, const struct half *half,
                             bool *ret_exists, bool *ret_current) {
    char set[32];
    *ret_current = false;
    TRY(nft_table_exists(nl, half->family, h->table, ret_exists));
    if (!*ret_exists)
        return OK;
    return nft_set_exists(nl, half->family, h->table, version(half->text, set), ret_current);
}

static void fill(struct buf *out, const char *text, const char *table, bool foreign_drop) {
    struct str rest = str_of(text);
    struct str head, name;
    while (str_cut(rest, '@', &head, &rest)) {
        buf_add_str(out, head);
        ssize_t end = str_find(rest, '@');
        name = end >= 0 ? str_sub(rest, 0, (size_t)end) : STR_NONE;
        if (str_eqz(name, "TABLE"))
            buf_adds(out, table);
        else if (str_eqz(name, "FOREIGN"))
            buf_adds(out, foreign_drop ? "drop" : "accept");
        else if (str_eqz(name, "VERSION"))
            buf_adds(out, version(text, (char[32]){0}));
        else {
            buf_addc(out, '@'); /* nft's own: the name of a set */
            continue;
        }
        rest = str_from(rest, (size_t)end + 1);
    }
    buf_add_str(out, head);
}

/* *ret_loaded: it was missing, or another version. */
static struct err load(const struct host_plan *h, const struct half *half, bool foreign_drop,
                       bool *ret_loaded) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    bool exists = false;
    bool current = false;
    *ret_loaded = false;
    TRY(is_current(&nl, h, half, &exists, &current));
    if (current)
        return OK;
    CLEAN_BUF struct buf script = {0};
    if (exists)
        buf_addf(&script, "delete table %s %s\n", half->name, h->table);
    fill(&script, half->text, h->table, foreign_drop);
    struct err e = nft_load(h->nft_program, buf_str(&script));
    *ret_loaded = true;
    if (!err_failed(e))
        return OK;
    /* Somebody else may have been quicker: that is as good. */
    TRY(is_current(&nl, h, half, &exists, &current));
    if (!current)
        return err_wrap(e, "load nftables table '%s %s'", half->name, h->table);
    err_free(e);
    return OK;
}

struct err rules_load(const struct host_plan *h, bool foreign_drop, bool *ret_loaded) {
    return load(h, &rules_four, foreign_drop, ret_loaded);
}

struct err rules_load_six(const struct host_plan *h, bool foreign_drop) {
    bool loaded = false;
    return load(h, &rules_six, foreign_drop, &loaded);
}

struct err rules_load_bridge(const struct host_plan *h) {
    bool loaded = false;
    return load(h, &rules_frames, false, &loaded);
}

/* --- elements ----------------------------------------------------------------------------------
 */

static void key_bytes(struct nft_element *e, const void *p, size_t n) {
    memcpy(e->key + e->key_len, p, n);
    e->key_len += (n + 3) & ~(size_t)3;
}

static void key_name(struct nft_element *e, const char *name) {
    size_t n = strlen(name);
    memcpy(e->key + e->key_len, name, MIN(n, (size_t)IFNAMSIZ - 1));
    e->key_len += IFNAMSIZ;
}

typedef void element_fn(struct nft_batch *b, const char *table, const char *set,
                        const struct nft_element *e);

static struct nft_element subnet_element(const struct host_plan *h, bool six) {
    struct port_source s = {.six = six, .prefix = (uint8_t)(six ? h->prefix6 : h->prefix)};
    uint8_t first[16], last[16];
    size_t n = six ? sizeof(h->gateway6) : sizeof(h->subnet);
    memcpy(s.base, six ? (const void *)&h->gateway6 : (const void *)&h->subnet, n);
    for (unsigned i = s.prefix; i < n * 8; i++)
        s.base[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    source_range(&s, first, last);
    struct nft_element e = {0}, end = {0};
    key_bytes(&e, first, n);
    key_name(&e, h->bridge);
    key_bytes(&end, last, n);
    key_name(&end, h->bridge);
    memcpy(e.end, end.key, end.key_len);
    e.end_len = end.key_len;
    return e;
}

static void source_element(struct nft_batch *b, const struct host_plan *h,
                           const struct nft_element *bridge, element_fn *fn) {
    bool six = b->family == NFPROTO_IPV6;
    struct nft_element e = *bridge;
    if (six ? !six_is_set(&h->source6) : !h->source.s_addr)
        return;
    e.value_len = six ? sizeof(h->source6) : sizeof(h->source);
    memcpy(e.value, six ? (const void *)&h->source6 : (const void *)&h->source, e.value_len);
    fn(b, h->table, "sources", &e);
}

static void network_elements(struct nft_batch *b, const struct host_plan *h, element_fn *fn) {
    struct nft_element one = {0};
    key_name(&one, h->bridge);
    struct nft_element pair = one;
    key_name(&pair, h->bridge);
    struct nft_element subnet = subnet_element(h, b->family == NFPROTO_IPV6);
    enum gateway_mode mode = b->family == NFPROTO_IPV6 ? h->mode6 : h->mode;
    fn(b, h->table, "bridges", &one);
    if (b->family == NFPROTO_IPV6 || h->prefix)
        fn(b, h->table, "subnets", &subnet);
    if (h->icc)
        fn(b, h->table, "within", &pair);
    if (mode == GATEWAY_UNPROTECTED)
        fn(b, h->table, "unprotected", &one);
    if (mode == GATEWAY_ROUTED)
        fn(b, h->table, "routed", &one);
    if (h->internal)
        fn(b, h->table, "internal", &one);
    else if (h->masquerade && mode != GATEWAY_ROUTED)
        fn(b, h->table, "outgoing", &one);
    source_element(b, h, &one, fn);
}

/* What the rules for frames know of a network whose containers may not talk to each other. */
static void frame_elements(struct nft_batch *b, const struct host_plan *h, element_fn *fn) {
    struct nft_element gate = {0};
    uint8_t mac[6];
    bridge_mac(h, mac);
    key_bytes(&gate, mac, sizeof(mac));
    gate.key_len = sizeof(mac); /* a key of one field is not padded */
    fn(b, h->table, "gates", &gate);
}

static struct err commit_removal(struct netlink *nl, struct nft_batch *b) {
    struct err e = nft_commit(nl, b);
    if (err_failed(e) && err_errnum(e) == ENOENT) {
        err_free(e); /* never used, or flushed by somebody */
        return OK;
    }
    return e;
}

/* What an earlier configuration of the default bridge allowed and this one does not. */
static struct err drop_outdated(struct netlink *nl, const struct host_plan *h, uint8_t family) {
    struct nft_element one = {0};
    key_name(&one, h->bridge);
    struct nft_element pair = one;
    key_name(&pair, h->bridge);
    CLEAN_NFT_BATCH struct nft_batch within = {.family = family};
    CLEAN_NFT_BATCH struct nft_batch outgoing = {.family = family};
    if (!h->icc)
        nft_delete(&within, h->table, "within", &pair);
    if (!h->masquerade || h->internal)
        nft_delete(&outgoing, h->table, "outgoing", &one);
    TRY(commit_removal(nl, &within));
    return commit_removal(nl, &outgoing);
}

struct err rules_add_network(const struct host_plan *h) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    TRY(drop_outdated(&nl, h, NFPROTO_IPV4));
    network_elements(&b, h, nft_add);
    TRYF(nft_commit(&nl, &b), "make %s known to the rules", h->bridge);
    if (!h->icc) {
        CLEAN_NFT_BATCH struct nft_batch gate = {.family = NFPROTO_BRIDGE};
        frame_elements(&gate, h, nft_add);
        TRYF(nft_commit(&nl, &gate), "make %s known to the rules for frames", h->bridge);
    }
    if (!h->six || !h->rules6)
        return OK;
    CLEAN_NFT_BATCH struct nft_batch more = {.family = NFPROTO_IPV6};
    TRY(drop_outdated(&nl, h, NFPROTO_IPV6));
    network_elements(&more, h, nft_add);
    return err_wrap(nft_commit(&nl, &more), "make %s known to the IPv6 rules", h->bridge);
}

struct err rules_remove_network(const struct host_plan *h) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    network_elements(&b, h, nft_delete);
    TRYF(commit_removal(&nl, &b), "remove %s from the rules", h->bridge);
    if (!h->icc) {
        CLEAN_NFT_BATCH struct nft_batch gate = {.family = NFPROTO_BRIDGE};
        frame_elements(&gate, h, nft_delete);
        TRYF(commit_removal(&nl, &gate), "remove %s from the rules for frames", h->bridge);
    }
    if (!h->six || !h->rules6)
        return OK;
    CLEAN_NFT_BATCH struct nft_batch more = {.family = NFPROTO_IPV6};
    network_elements(&more, h, nft_delete);
    return err_wrap(commit_removal(&nl, &more), "remove %s from the IPv6 rules", h->bridge);
}

struct change {
    struct nft_batch *b;
    const char *table;
    element_fn *fn;
};

static void change_element(void *arg, bool six, const char *set, const struct nft_element *e) {
    struct change *c = arg;
    c->b->family = six ? NFPROTO_IPV6 : NFPROTO_IPV4;
    c->fn(c->b, c->table, set, e);
}

static struct err change(struct netlink *nl, const struct published *p, element_fn *fn) {
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    struct change c = {&b, p->table, fn};
    port_elements(p->ports, &p->to, change_element, &c);
    return nft_commit(nl, &b);
}

static bool is_errnum(struct err e, int errnum) {
    return err_failed(e) && err_errnum(e) == errnum;
}

/* One element in a transaction of its own; a missing one is no error. */
struct removal {
    struct netlink *nl;
    const char *table;
    struct err e;
};

static void remove_element(void *arg, bool six, const char *set, const struct nft_element *e) {
    struct removal *r = arg;
    if (err_failed(r->e))
        return;
    CLEAN_NFT_BATCH struct nft_batch b = {.family = six ? NFPROTO_IPV6 : NFPROTO_IPV4};
    nft_delete(&b, r->table, set, e);
    r->e = commit_removal(r->nl, &b);
}

static struct err unpublish(struct netlink *nl, const struct published *p) {
    struct err e = change(nl, p, nft_delete);
    if (!is_errnum(e, ENOENT))
        return e;
    err_free(e);
    /* Some are missing, and a batch is all or nothing: one by one. */
    struct removal r = {.nl = nl, .table = p->table};
    port_elements(p->ports, &p->to, remove_element, &r);
    return r.e;
}

static struct err publish(struct netlink *nl, const struct published *p, bool steal) {
    struct err e = change(nl, p, nft_add);
    if (!is_errnum(e, EEXIST) && !is_errnum(e, EBUSY))
        return e;
    if (!steal)
        return err_as(e, ERR_CONFLICT);
    /* Left by an endpoint that died with the daemon. We hold the bound sockets, so it is ours. */
    err_free(e);
    TRY(unpublish(nl, p));
    return change(nl, p, nft_add);
}

/* A refused batch leaves nothing behind in a socket; what failed otherwise is not used again. */
static void give_back(struct nft_sockets *s, struct netlink *nl, struct err e) {
    if (!err_failed(e) || err_kind(e) == ERR_CONFLICT || err_errnum(e) == ENOENT)
        nft_socket_give(s, nl);
    else
        netlink_done(nl);
}

struct err rules_publish(const struct published *p, bool steal) {
    if (!p->ports->n || p->relayed)
        return OK;
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(p->sockets, &nl));
    struct err e = publish(&nl, p, steal);
    give_back(p->sockets, &nl, e);
    return err_wrap(e, "publish ports");
}

struct err rules_unpublish(const struct published *p) {
    if (!p->ports->n || p->relayed)
        return OK;
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(p->sockets, &nl));
    struct err e = unpublish(&nl, p);
    give_back(p->sockets, &nl, e);
    return err_wrap(e, "take published ports back");
}
