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
static struct err is_current(struct netlink *nl, const struct host_plan *h, const char *text,
                             bool six, bool *ret_exists, bool *ret_current) {
    char set[32];
    *ret_current = false;
    TRY(six ? nft_table_exists_six(nl, h->table, ret_exists)
            : nft_table_exists(nl, h->table, ret_exists));
    if (!*ret_exists)
        return OK;
    return nft_set_exists(nl, six, h->table, version(text, set), ret_current);
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

struct err rules_load(const struct host_plan *h, bool foreign_drop, bool *ret_loaded) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    bool exists = false;
    bool current = false;
    TRY(is_current(&nl, h, ruleset, false, &exists, &current));
    if (current) {
        *ret_loaded = false;
        return OK;
    }
    CLEAN_BUF struct buf script = {0};
    if (exists)
        buf_addf(&script, "delete table ip %s\n", h->table);
    fill(&script, ruleset, h->table, foreign_drop);
    struct err e = nft_load(h->nft_program, buf_str(&script));
    if (err_failed(e)) {
        /* Somebody else may have been quicker: that is as good. */
        TRY(is_current(&nl, h, ruleset, false, &exists, &current));
        if (!current)
            return err_wrap(e, "load nftables table '%s'", h->table);
        err_free(e);
    }
    *ret_loaded = true;
    return OK;
}

struct err rules_load_six(const struct host_plan *h, bool foreign_drop) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    bool exists = false;
    bool current = false;
    TRY(is_current(&nl, h, ruleset_six, true, &exists, &current));
    if (current)
        return OK;
    CLEAN_BUF struct buf script = {0};
    if (exists)
        buf_addf(&script, "delete table ip6 %s\n", h->table);
    fill(&script, ruleset_six, h->table, foreign_drop);
    struct err e = nft_load(h->nft_program, buf_str(&script));
    if (!err_failed(e))
        return OK;
    /* somebody else may have been quicker */
    TRY(is_current(&nl, h, ruleset_six, true, &exists, &current));
    if (!current)
        return err_wrap(e, "load nftables table 'ip6 %s'", h->table);
    err_free(e);
    return OK;
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

static void network_elements(struct nft_batch *b, const struct host_plan *h, element_fn *fn) {
    struct nft_element one = {0};
    key_name(&one, h->bridge);
    struct nft_element pair = one;
    key_name(&pair, h->bridge);
    struct nft_element subnet = {0};
    key_bytes(&subnet, &h->subnet, sizeof(h->subnet));
    key_name(&subnet, h->bridge);
    memcpy(subnet.end, subnet.key, subnet.key_len);
    subnet.end_len = subnet.key_len;
    uint32_t last = h->subnet.s_addr | htonl(~prefix_mask(h->prefix));
    memcpy(subnet.end, &last, sizeof(last));
    fn(b, h->table, "bridges", &one);
    if (b->family != NFPROTO_IPV6)
        fn(b, h->table, "subnets", &subnet);
    if (h->icc)
        fn(b, h->table, "within", &pair);
    if (h->internal)
        fn(b, h->table, "internal", &one);
    else if (h->masquerade)
        fn(b, h->table, "outgoing", &one);
}

struct err rules_add_network(const struct host_plan *h) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    network_elements(&b, h, nft_add);
    TRYF(nft_commit(&nl, &b), "make %s known to the rules", h->bridge);
    if (!h->six)
        return OK;
    CLEAN_NFT_BATCH struct nft_batch six = {.family = NFPROTO_IPV6};
    network_elements(&six, h, nft_add);
    return err_wrap(nft_commit(&nl, &six), "make %s known to the IPv6 rules", h->bridge);
}

static struct err commit_removal(struct netlink *nl, struct nft_batch *b) {
    struct err e = nft_commit(nl, b);
    if (err_failed(e) && err_errnum(e) == ENOENT) {
        err_free(e); /* never used, or flushed by somebody */
        return OK;
    }
    return e;
}

struct err rules_remove_network(const struct host_plan *h) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(open_nft(&nl));
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    network_elements(&b, h, nft_delete);
    TRYF(commit_removal(&nl, &b), "remove %s from the rules", h->bridge);
    if (!h->six)
        return OK;
    CLEAN_NFT_BATCH struct nft_batch six = {.family = NFPROTO_IPV6};
    network_elements(&six, h, nft_delete);
    return err_wrap(commit_removal(&nl, &six), "remove %s from the IPv6 rules", h->bridge);
}

const char *rules_port_map(const struct port_mapping *m) {
    return m->host_ip.s_addr == INADDR_ANY ? "published" : "published_at";
}

void rules_port_element(const struct port_mapping *m, struct in_addr address,
                        struct nft_element *ret) {
    *ret = (struct nft_element){0};
    uint16_t from = htons(m->host_port), to = htons(m->container_port);
    key_bytes(ret, &m->proto, sizeof(m->proto));
    if (m->host_ip.s_addr != INADDR_ANY)
        key_bytes(ret, &m->host_ip, sizeof(m->host_ip));
    key_bytes(ret, &from, sizeof(from));
    memcpy(ret->value, &address, sizeof(address));
    memcpy(ret->value + sizeof(address), &to, sizeof(to));
    ret->value_len = 8;
}

static void port_elements(struct nft_batch *b, const struct published *p, element_fn *fn) {
    for (size_t i = 0; i < p->ports->n; i++) {
        struct nft_element e;
        rules_port_element(&p->ports->items[i], p->address, &e);
        fn(b, p->table, rules_port_map(&p->ports->items[i]), &e);
    }
}

static struct err change(struct netlink *nl, const struct published *p, element_fn *fn) {
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    port_elements(&b, p, fn);
    return nft_commit(nl, &b);
}

static bool is_errnum(struct err e, int errnum) {
    return err_failed(e) && err_errnum(e) == errnum;
}

static struct err unpublish(struct netlink *nl, const struct published *p) {
    struct err e = change(nl, p, nft_delete);
    if (!is_errnum(e, ENOENT))
        return e;
    err_free(e);
    /* Some are missing, and a batch is all or nothing: one by one. */
    for (size_t i = 0; i < p->ports->n; i++) {
        struct port_mappings only = {.items = &p->ports->items[i], .n = 1};
        struct published one = *p;
        one.ports = &only;
        e = change(nl, &one, nft_delete);
        if (err_failed(e) && err_errnum(e) != ENOENT)
            return e;
        err_free(e);
    }
    return OK;
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
    if (!p->ports->n)
        return OK;
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(p->sockets, &nl));
    struct err e = publish(&nl, p, steal);
    give_back(p->sockets, &nl, e);
    return err_wrap(e, "publish ports");
}

struct err rules_unpublish(const struct published *p) {
    if (!p->ports->n)
        return OK;
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(p->sockets, &nl));
    struct err e = unpublish(&nl, p);
    give_back(p->sockets, &nl, e);
    return err_wrap(e, "take published ports back");
}
