/* After a start, or after somebody flushed our table: compare the kernel with the facts and mend
 * the difference, element by element. Nothing that is right is touched, so connections live on. */
#include "base/log.h"
#include "network/private.h"
#include <arpa/inet.h>

struct settle_port {
    struct port_mapping mapping;
    struct in_addr address;
};

/* The job: a copy of the facts, and what the pool found. */
struct settle {
    struct networks *networks; /* loop only */
    void (*done)(void *arg, struct err e);
    void *arg;
    char *table, *nft_program, *run_dir;
    VEC(struct host_plan) networks_used; /* strings: copies in `names` */
    struct strv names;
    VEC(struct settle_port) ports;
    struct strv warnings;
    unsigned added, removed;
};

static struct settle *settle_free(struct settle *s) {
    free(s->table);
    free(s->nft_program);
    free(s->run_dir);
    vec_done(&s->networks_used);
    strv_done(&s->names);
    vec_done(&s->ports);
    strv_done(&s->warnings);
    free(s);
    return NULL;
}

static bool same(const struct nft_element *a, const struct nft_element *b) {
    return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0 &&
           a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0;
}

static struct str element_bytes(const struct nft_element *e) {
    return str_n(e->key, e->key_len);
}

/* Brings one map in line. Wanted elements are indexed by key; what the kernel has is looked up
 * there. */
static struct err mend_map(struct netlink *nl, struct settle *s, const char *map) {
    struct nft_elements have = {0};
    TRY(nft_list(nl, s->table, map, &have));
    CLEAN_MAP struct map wanted = {0};
    struct nft_elements want = {0};
    vec_reserve(&want, s->ports.n);
    for (size_t i = 0; i < s->ports.n; i++) {
        const struct settle_port *p = &s->ports.items[i];
        if (strcmp(rules_port_map(&p->mapping), map) != 0)
            continue;
        struct nft_element *e = vec_add(&want);
        rules_port_element(&p->mapping, p->address, e);
        map_set(&wanted, element_bytes(e), e);
    }
    CLEAN_NFT_BATCH struct nft_batch b = {0};
    for (size_t i = 0; i < have.n; i++) {
        const struct nft_element *w = map_get(&wanted, element_bytes(&have.items[i]));
        if (w && same(w, &have.items[i])) {
            (void)map_del(&wanted, element_bytes(&have.items[i]));
            continue;
        }
        nft_delete(&b, s->table, map, &have.items[i]);
        s->removed++;
    }
    size_t it = 0;
    void *missing;
    while (map_next(&wanted, &it, NULL, &missing)) {
        nft_add(&b, s->table, map, missing);
        s->added++;
    }
    vec_done(&have);
    vec_done(&want);
    return nft_commit(nl, &b);
}

static struct err settle_work(void *arg) {
    struct settle *s = arg;
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_NETFILTER, &nl));
    for (size_t i = 0; i < s->networks_used.n; i++) {
        bool loaded = false;
        TRY(host_prepare(&s->networks_used.items[i], &loaded));
    }
    bool exists = false;
    TRY(nft_table_exists(&nl, s->table, &exists));
    if (!exists)
        return OK; /* no endpoints, and never any since boot */
    TRY(mend_map(&nl, s, "published"));
    TRY(mend_map(&nl, s, "published_at"));
    return host_warnings(s->table, &s->warnings);
}

static void settle_done(void *arg, struct err e) {
    struct settle *s = arg;
    struct networks *n = s->networks;
    e = err_wrap(e, "compare published ports with the kernel");
    if (!err_failed(e)) {
        strv_done(&n->warnings);
        n->warnings = s->warnings;
        s->warnings = (struct strv){0};
        n->forwarding_ours = host_forwarding_ours(n->run_dir);
        if (s->added || s->removed)
            log_info("network: published ports mended: %u added, %u removed", s->added, s->removed);
    }
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
        if (!w->endpoints_n)
            continue;
        vec_push(&s->networks_used, host_plan_for(n, w));
        struct host_plan *h = &s->networks_used.items[s->networks_used.n - 1];
        h->bridge = keep(s, w->bridge);
        h->table = s->table;
        h->nft_program = s->nft_program;
        h->run_dir = s->run_dir;
        LIST_FOR (&((struct network *)w)->endpoints, l) {
            struct endpoint *e = CONTAINER_OF(l, struct endpoint, link);
            for (size_t k = 0; e->live && k < e->ports.n; k++)
                vec_push(&s->ports, (struct settle_port){e->ports.items[k], e->address});
        }
    }
    job_submit(n->loop, settle_work, settle_done, s);
}
