/* After a start, or after somebody flushed our table: compare the kernel with the facts and mend
 * the difference, element by element. Nothing that is right is touched, so connections live on.
 *
 * Two steps. On the pool: bridges, rules and switches of every network in use. Then on the loop,
 * where nobody can reserve or settle meanwhile: the elements of published ports, one list and one
 * batch for each map (a thousand ports take less than a millisecond). */
#include "base/log.h"
#include "network/private.h"

struct settle {
    struct networks *networks; /* loop only; NULL: closed meanwhile */
    void (*done)(void *arg, struct err e);
    void *arg;
    char *table, *nft_program, *run_dir;
    VEC(struct host_plan) hosts; /* strings: copies in `names` */
    struct strv names;
    struct strv warnings;
    bool exists; /* the table, after the first step */
};

static struct settle *settle_free(struct settle *s) {
    free(s->table);
    free(s->nft_program);
    free(s->run_dir);
    vec_done(&s->hosts);
    strv_done(&s->names);
    strv_done(&s->warnings);
    free(s);
    return NULL;
}

/* --- the elements: loop ------------------------------------------------------------------------
 */

struct facts {
    struct map wanted;    /* key → element that a living endpoint has */
    struct map unsettled; /* addresses whose endpoint is just coming up: left alone */
    struct nft_elements elements;
};

static struct str key_of(const struct nft_element *e) {
    return str_n(e->key, e->key_len);
}

static bool same_value(const struct nft_element *a, const struct nft_element *b) {
    return a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0;
}

/* The elements of one map; addresses of them are taken, so the room is made first. */
static void collect(const struct networks *n, const char *map, struct facts *f) {
    size_t it = 0, ports = 0;
    void *value;
    while (map_next(&n->endpoints, &it, NULL, &value))
        ports += ((struct endpoint *)value)->ports.n;
    vec_reserve(&f->elements, ports + 1);
    it = 0;
    while (map_next(&n->endpoints, &it, NULL, &value)) {
        const struct endpoint *e = value;
        if (!e->live)
            map_set(&f->unsettled, str_n(&e->address, sizeof(e->address)), value);
        for (size_t i = 0; e->live && i < e->ports.n; i++) {
            if (strcmp(rules_port_map(&e->ports.items[i]), map) != 0)
                continue;
            struct nft_element *x = vec_add(&f->elements);
            rules_port_element(&e->ports.items[i], e->address, x);
            map_set(&f->wanted, key_of(x), x);
        }
    }
}

static void facts_done(struct facts *f) {
    map_done(&f->wanted);
    map_done(&f->unsettled);
    vec_done(&f->elements);
}

static struct err mend_map(struct networks *n, struct netlink *nl, const char *map,
                           unsigned *ret_changes) {
    struct nft_elements have = {0};
    TRY(nft_list(nl, n->table, map, &have));
    struct facts f = {0};
    collect(n, map, &f);
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    for (size_t i = 0; i < have.n; i++) {
        const struct nft_element *x = &have.items[i];
        const struct nft_element *w = map_get(&f.wanted, key_of(x));
        if (w && same_value(w, x)) {
            (void)map_del(&f.wanted, key_of(x));
            continue;
        }
        if (!w && map_get(&f.unsettled, str_n(x->value, sizeof(struct in_addr))))
            continue;
        nft_delete(&b, n->table, map, x);
        ++*ret_changes;
    }
    size_t it = 0;
    void *missing;
    while (map_next(&f.wanted, &it, NULL, &missing)) {
        nft_add(&b, n->table, map, missing);
        ++*ret_changes;
    }
    vec_done(&have);
    facts_done(&f);
    return nft_commit(nl, &b);
}

static struct err mend(struct networks *n) {
    struct netlink nl = NETLINK_NONE;
    TRY(nft_socket_take(n->sockets, &nl));
    unsigned changes = 0;
    struct err e = mend_map(n, &nl, "published", &changes);
    if (!err_failed(e))
        e = mend_map(n, &nl, "published_at", &changes);
    if (err_failed(e)) {
        netlink_done(&nl);
        return e;
    }
    nft_socket_give(n->sockets, &nl);
    if (changes)
        log_info("network: %u published ports differed from the kernel and were mended", changes);
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
    TRY(nft_table_exists(&nl, s->table, &s->exists));
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
        if (!err_failed(e) && s->exists)
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
        if (!w->endpoints_n || w->driver != NETWORK_BRIDGE)
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
