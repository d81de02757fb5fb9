/* The own table of published ports: conflicts between containers, with the holder's name. */
#include "network/private.h"

struct port_key {
    uint8_t bytes[3];
};

static struct port_key key_of(uint8_t proto, unsigned port) {
    return (struct port_key){{proto, (uint8_t)(port >> 8), (uint8_t)port}};
}

static struct str key_str(const struct port_key *k) {
    return str_n(k->bytes, sizeof(k->bytes));
}

static bool meet(const struct host_address *a, const struct host_address *b) {
    return a->six == b->six &&
           (host_address_any(a) || host_address_any(b) || host_address_equal(a, b));
}

struct port_hold *hold_find(const struct networks *n, uint8_t proto, const struct host_address *ip,
                            uint16_t port) {
    struct port_key k = key_of(proto, port);
    for (struct port_hold *h = map_get(&n->ports, key_str(&k)); h; h = h->next)
        if (meet(&h->ip, ip))
            return h;
    return NULL;
}

static void hold_one(struct networks *n, struct endpoint *e, const struct port_mapping *m,
                     unsigned port) {
    struct port_key k = key_of(m->proto, port);
    struct port_hold *first = map_get(&n->ports, key_str(&k));
    for (struct port_hold *h = first; h; h = h->next)
        if (h->endpoint == e && host_address_equal(&h->ip, &m->host_ip))
            return;
    struct port_hold *h = NEW(struct port_hold);
    *h = (struct port_hold){.next = first, .ip = m->host_ip, .endpoint = e};
    map_set(&n->ports, key_str(&k), h);
}

void hold_add(struct networks *n, struct endpoint *e, const struct port_mapping *m) {
    for (unsigned i = 0; i < m->count && m->host_port; i++)
        hold_one(n, e, m, m->host_port + i);
}

static void hold_drop(struct networks *n, struct endpoint *e, uint8_t proto, unsigned port) {
    struct port_key k = key_of(proto, port);
    struct port_hold *first = map_get(&n->ports, key_str(&k));
    struct port_hold **at = &first;
    while (*at) {
        struct port_hold *h = *at;
        if (h->endpoint == e) {
            *at = h->next;
            free(h);
        } else {
            at = &h->next;
        }
    }
    if (first)
        map_set(&n->ports, key_str(&k), first);
    else
        (void)map_del(&n->ports, key_str(&k));
}

void hold_drop_all(struct networks *n, struct endpoint *e) {
    for (size_t i = 0; i < e->ports.n; i++)
        for (unsigned k = 0; k < e->ports.items[i].count && e->ports.items[i].host_port; k++)
            hold_drop(n, e, e->ports.items[i].proto, e->ports.items[i].host_port + k);
}
