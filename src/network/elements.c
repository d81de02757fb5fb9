/* What a published port, or a link, is to the rules: elements of the sets and maps of ruleset.nft
 * and ruleset_six.nft. One place says it for publishing, taking back, and comparing with the
 * kernel. */
#include "network/private.h"
#include <arpa/inet.h>

static void put(uint8_t *at, size_t *len, const void *p, size_t n) {
    memcpy(at + *len, p, n);
    *len += (n + 3) & ~(size_t)3;
}

/* One field of a key: from first to last, which only an interval set is told. */
static void field(struct nft_element *e, bool interval, const void *first, const void *last,
                  size_t n) {
    put(e->key, &e->key_len, first, n);
    if (interval)
        put(e->end, &e->end_len, last, n);
}

static void address_field(struct nft_element *e, bool interval, const struct host_address *a,
                          bool all) {
    size_t n = a->six ? sizeof(a->v6) : sizeof(a->four);
    const void *p = a->six ? (const void *)&a->v6 : (const void *)&a->four;
    uint8_t ones[sizeof(a->v6)];
    memset(ones, 0xff, sizeof(ones));
    field(e, interval, p, all && host_address_any(a) ? ones : p, n);
}

static void port_field(struct nft_element *e, bool interval, unsigned first, unsigned last) {
    uint16_t from = htons((uint16_t)first), to = htons((uint16_t)last);
    field(e, interval, &from, &to, sizeof(from));
}

struct walk {
    const struct port_target *to;
    port_element_fn *fn;
    void *arg;
};

static void value_address(struct nft_element *e, const struct walk *w, bool six) {
    put(e->value, &e->value_len,
        six ? (const void *)&w->to->address6 : (const void *)&w->to->address,
        six ? sizeof(w->to->address6) : sizeof(w->to->address));
}

static void single(const struct walk *w, const struct port_mapping *m, unsigned i) {
    struct nft_element e = {0};
    uint16_t to = htons((uint16_t)(m->container_port + i));
    bool any = host_address_any(&m->host_ip);
    field(&e, false, &m->proto, &m->proto, sizeof(m->proto));
    if (!any)
        address_field(&e, false, &m->host_ip, false);
    port_field(&e, false, m->host_port + i, 0);
    value_address(&e, w, m->host_ip.six);
    put(e.value, &e.value_len, &to, sizeof(to));
    w->fn(w->arg, m->host_ip.six, any ? "published" : "published_at", &e);
}

/* Equal ports on both sides: the kernel keeps them, so one element serves them all. */
static void range(const struct walk *w, const struct port_mapping *m) {
    struct nft_element e = {0};
    bool any = host_address_any(&m->host_ip);
    field(&e, true, &m->proto, &m->proto, sizeof(m->proto));
    if (!any)
        address_field(&e, true, &m->host_ip, false);
    port_field(&e, true, m->host_port, m->host_port + m->count - 1U);
    value_address(&e, w, m->host_ip.six);
    w->fn(w->arg, m->host_ip.six, any ? "ranges" : "ranges_at", &e);
}

static void limits(const struct walk *w, const struct port_mapping *m) {
    struct nft_element e = {0};
    field(&e, true, &m->proto, &m->proto, sizeof(m->proto));
    address_field(&e, true, &m->host_ip, true);
    port_field(&e, true, m->host_port, m->host_port + m->count - 1U);
    w->fn(w->arg, m->host_ip.six, "limited", &e);
    for (uint8_t i = 0; i < m->from.n; i++) {
        struct nft_element allowed = e;
        uint8_t first[16], last[16];
        if (m->from.items[i].six != m->host_ip.six)
            continue;
        source_range(&m->from.items[i], first, last);
        field(&allowed, true, first, last, m->host_ip.six ? 16 : 4);
        w->fn(w->arg, m->host_ip.six, "allowed", &allowed);
    }
}

/* A port that is reached by the container's own address. */
static void opened(const struct walk *w, const struct port_mapping *m) {
    bool range = m->count > 1, six = m->host_ip.six;
    struct nft_element e = {0};
    struct host_address a = {.six = six, .four = w->to->address, .v6 = w->to->address6};
    field(&e, range, &m->proto, &m->proto, sizeof(m->proto));
    address_field(&e, range, &a, false);
    port_field(&e, range, m->container_port, m->container_port + m->count - 1U);
    w->fn(w->arg, six, range ? "opened_ranges" : "opened", &e);
}

void port_elements(const struct port_mappings *ports, const struct port_target *to,
                   port_element_fn *fn, void *arg) {
    const struct walk w = {to, fn, arg};
    for (size_t i = 0; i < ports->n; i++) {
        const struct port_mapping *m = &ports->items[i];
        bool six = m->host_ip.six;
        /* A container without that family is reached through corten-relay, which looks at the
         * sources. */
        if (six ? !six_is_set(&to->address6) : !to->address.s_addr)
            continue;
        if (six ? to->routed6 : to->routed) {
            opened(&w, m);
            continue;
        }
        if (!m->host_port) /* it came here from a routed network */
            continue;
        if (m->from.n)
            limits(&w, m);
        if (m->count > 1 && m->host_port == m->container_port)
            range(&w, m);
        else
            for (unsigned k = 0; k < m->count; k++)
                single(&w, m, k);
    }
}

void link_elements(const struct endpoint *from, port_element_fn *fn, void *arg) {
    for (size_t i = 0; i < from->link_rules.n; i++) {
        const struct link_rule *r = &from->link_rules.items[i];
        if (!from->address.s_addr || !r->to.s_addr)
            continue; /* IPv6 only */
        struct nft_element e = {0};
        field(&e, false, &from->address, NULL, sizeof(from->address));
        field(&e, false, &r->to, NULL, sizeof(r->to));
        field(&e, false, &r->proto, NULL, sizeof(r->proto));
        port_field(&e, false, r->port, 0);
        fn(arg, false, "linked", &e);
    }
}
