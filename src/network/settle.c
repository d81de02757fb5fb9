/* After a start, or after somebody flushed our table: compare the kernel with the facts and mend
 * the difference, element by element. Nothing that is right is touched, so connections live on.
 *
 * Two steps. On the pool: bridges, rules and switches of every network in use. Then on the loop,
 * where nobody can reserve or settle meanwhile: the elements of published ports, one list and two
 * batches for each set (a thousand ports take less than a millisecond). */
#include "base/log.h"
#include "network/private.h"
#include <linux/netfilter.h>

struct settle {
    struct networks *networks; /* loop only; NULL: closed meanwhile */
    void (*done)(void *arg, struct err e);
    void *arg;
    char *table, *nft_program, *run_dir;
    VEC(struct host_plan) hosts; /* strings: copies in `names` */
    struct strv names;
    struct strv warnings;
    struct strv bridges, pairs; /* of every network; the pairs that hang on them */
    struct strv parents;        /* interfaces that we made for networks */
    bool exists;                /* the table, after the first step */
};

static struct settle *settle_free(struct settle *s) {
    free(s->table);
    free(s->nft_program);
    free(s->run_dir);
    vec_done(&s->hosts);
    strv_done(&s->names);
    strv_done(&s->warnings);
    strv_done(&s->bridges);
    strv_done(&s->pairs);
    strv_done(&s->parents);
    free(s);
    return NULL;
}

/* --- the elements: loop ------------------------------------------------------------------------
 */

struct wanted { /* an element that a living endpoint has */
    bool six;
    const char *set;
    struct nft_element element;
};

struct facts {
    VEC(struct wanted) all;
    struct map wanted;    /* key of one set → element of `all` */
    struct map unsettled; /* addresses whose endpoint is just coming up: left alone */
};

/* Both ends of the key, which are zero where they are not used. */
static struct str key_of(const struct nft_element *e) {
    return str_n(e->key, sizeof(e->key) + sizeof(e->end));
}

static bool same_value(const struct nft_element *a, const struct nft_element *b) {
    return a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0;
}

static void note(void *arg, bool six, const char *set, const struct nft_element *e) {
    struct facts *f = arg;
    vec_push(&f->all, (struct wanted){six, set, *e});
}

static void collect(const struct networks *n, struct facts *f) {
    size_t it = 0;
    void *value;
    while (map_next(&n->endpoints, &it, NULL, &value)) {
        const struct endpoint *e = value;
        link_elements(e, note, f);
        if (!e->live) {
            if (e->address.s_addr)
                map_set(&f->unsettled, str_n(&e->address, sizeof(e->address)), value);
            if (six_is_set(&e->address6))
                map_set(&f->unsettled, str_n(&e->address6, sizeof(e->address6)), value);
            continue;
        }
        struct port_target to = {.address = e->address,
                                 .routed = e->network->mode == GATEWAY_ROUTED,
                                 .routed6 = e->network->mode6 == GATEWAY_ROUTED};
        if (!e->relayed6)
            to.address6 = e->address6;
        if (!e->relayed)
            port_elements(&e->ports, &to, note, f);
    }
}

static void facts_done(struct facts *f) {
    map_done(&f->wanted);
    map_done(&f->unsettled);
    vec_done(&f->all);
}

/* Of somebody who is just coming up? A set's elements name no address: any of them may be. */
static bool may_be_coming(const struct facts *f, bool six, const struct nft_element *x) {
    size_t n = six ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    return x->value_len ? map_get(&f->unsettled, str_n(x->value, n)) != NULL : f->unsettled.n != 0;
}

static void add_missing(struct facts *f, const struct networks *n, bool six, const char *set,
                        struct nft_batch *b, unsigned *changes) {
    size_t it = 0;
    void *missing;
    b->family = six ? NFPROTO_IPV6 : NFPROTO_IPV4;
    while (map_next(&f->wanted, &it, NULL, &missing)) {
        nft_add(b, n->table, set, missing);
        ++*changes;
    }
    map_done(&f->wanted);
}

/* Removals go first, in a transaction of their own: intervals that overlap cannot be replaced in
 * one. */
static struct err mend_set(const struct networks *n, struct netlink *nl, struct facts *f, bool six,
                           const char *set, unsigned *changes) {
    struct nft_elements have = {0};
    struct err e = nft_list(nl, six, n->table, set, &have);
    if (six && err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* no network with IPv6 has been used */
        return OK;
    }
    TRY(e);
    for (size_t i = 0; i < f->all.n; i++)
        if (f->all.items[i].six == six && strcmp(f->all.items[i].set, set) == 0)
            map_set(&f->wanted, key_of(&f->all.items[i].element), &f->all.items[i].element);
    CLEAN_NFT_BATCH struct nft_batch add = {0};
    CLEAN_NFT_BATCH struct nft_batch drop = {.family = six ? NFPROTO_IPV6 : NFPROTO_IPV4};
    for (size_t i = 0; i < have.n; i++) {
        const struct nft_element *x = &have.items[i];
        const struct nft_element *w = map_get(&f->wanted, key_of(x));
        if (w && same_value(w, x)) {
            (void)map_del(&f->wanted, key_of(x));
        } else if (w || !may_be_coming(f, six, x)) {
            nft_delete(&drop, n->table, set, x);
            ++*changes;
        }
    }
    vec_done(&have);
    add_missing(f, n, six, set, &add, changes);
    TRY(nft_commit(nl, &drop));
    return nft_commit(nl, &add);
}

static const char *const port_sets[] = {"published", "published_at", "ranges",
                                        "ranges_at", "limited",      "allowed",
                                        "linked",    "opened",       "opened_ranges"};

static struct err mend(struct networks *n) {
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(n->sockets, &nl));
    unsigned changes = 0;
    struct err e = OK;
    struct facts f = {0};
    collect(n, &f);
    /* Who may use a port is in force before the port leads anywhere: the list backwards. */
    for (size_t i = ARRAY_LEN(port_sets) * 2; i-- > 0 && !err_failed(e);)
        e = mend_set(n, &nl, &f, i % 2, port_sets[i / 2], &changes);
    facts_done(&f);
    if (err_failed(e)) {
        netlink_done(&nl);
        return e;
    }
    nft_socket_give(n->sockets, &nl);
    if (changes)
        log_info("network: %u published ports differed from the kernel and were mended", changes);
    return OK;
}

struct err settle_links(struct networks *n) {
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(n->sockets, &nl));
    unsigned changes = 0;
    struct facts f = {0};
    size_t it = 0;
    void *e;
    while (map_next(&n->endpoints, &it, NULL, &e))
        link_elements(e, note, &f);
    struct err failed = mend_set(n, &nl, &f, false, "linked", &changes);
    bool nothing = err_kind(failed) == ERR_NOT_FOUND && !f.all.n;
    facts_done(&f);
    if (err_failed(failed))
        netlink_done(&nl);
    else
        nft_socket_give(n->sockets, &nl);
    if (!nothing)
        return err_wrap(failed, "rules of links");
    err_free(failed); /* no rules were ever loaded, and none is wanted */
    return OK;
}

/* --- the job -----------------------------------------------------------------------------------
 */

static struct err settle_work(void *arg) {
    struct settle *s = arg;
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_NETFILTER, &nl));
    for (size_t i = 0; i < s->hosts.n; i++) {
        bool loaded = false;
        TRY(host_prepare(&s->hosts.items[i], &loaded));
    }
    TRY(parents_look(s->table, &s->parents));
    TRY(strays_look(&s->bridges, &s->pairs));
    TRY(nft_table_exists(&nl, NFPROTO_IPV4, s->table, &s->exists));
    return s->exists ? host_warnings(s->table, &s->warnings) : OK;
}

static void settle_done(void *arg, struct err e) {
    struct settle *s = arg;
    struct networks *n = s->networks;
    if (n) {
        n->settling = NULL;
        n->forwarding_ours = host_forwarding_ours(n->run_dir);
        strv_done(&n->warnings);
        n->warnings = s->warnings;
        s->warnings = (struct strv){0};
        strays_remove(n, &s->pairs, &s->parents);
        if (!err_failed(e) && s->exists && n->rules)
            e = mend(n);
    }
    e = err_wrap(e, "compare the networks with the kernel");
    if (s->done)
        s->done(s->arg, e);
    else
        log_err(LOG_WARN, e, "network");
    settle_free(s);
}

static const char *keep(struct settle *s, const char *z) {
    strv_add(&s->names, z);
    return s->names.items[s->names.n - 1];
}

void networks_settle(struct networks *n, void (*done)(void *arg, struct err e), void *arg) {
    struct settle *s = NEW(struct settle);
    s->networks = n;
    s->done = done;
    s->arg = arg;
    s->table = mem_strdup(n->table);
    s->nft_program = mem_strdup(n->nft_program);
    s->run_dir = mem_strdup(n->run_dir);
    for (size_t i = 0; i < n->items_n; i++) {
        const struct network *w = n->items[i];
        if (w->driver != NETWORK_BRIDGE)
            continue;
        strv_add(&s->bridges, w->bridge);
        if (!w->endpoints_n)
            continue;
        struct host_plan h = host_plan_for(n, w);
        h.bridge = keep(s, w->bridge);
        h.table = s->table;
        h.nft_program = s->nft_program;
        h.run_dir = s->run_dir;
        vec_push(&s->hosts, h);
    }
    if (n->settling)
        n->settling->networks = NULL; /* the newer job does what is left of the older */
    n->settling = s;
    job_submit(n->loop, settle_work, settle_done, s);
}

void settle_forget(struct networks *n) {
    if (n->settling)
        n->settling->networks = NULL;
    n->settling = NULL;
}
