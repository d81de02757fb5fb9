#include "network/dns_cache.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "network/dns_forward.h"
#include <stdlib.h>

struct entry {
    struct list link;
    char *key;
    size_t key_len;
    int64_t since, until;
    struct dns_look look;
    size_t len;
    uint8_t bytes[];
};

struct dns_cache {
    struct map map;
    struct list order; /* oldest first */
    size_t n, bytes;
};

struct dns_cache *dns_cache_new(void) {
    struct dns_cache *c = NEW(struct dns_cache);
    list_init(&c->order);
    return c;
}

/* The look's list of offsets is long and mostly empty: only what is used is kept. */
static size_t look_size(const struct dns_look *l) {
    return offsetof(struct dns_look, ttls) + l->ttls_n * sizeof(l->ttls[0]);
}

static void drop(struct dns_cache *c, struct entry *e) {
    (void)map_del(&c->map, str_n(e->key, e->key_len));
    list_remove(&e->link);
    c->n--;
    c->bytes -= e->len;
    free(e->key);
    free(e);
}

struct dns_cache *dns_cache_free(struct dns_cache *c) {
    if (!c)
        return NULL;
    LIST_FOR (&c->order, l)
        drop(c, CONTAINER_OF(l, struct entry, link));
    map_done(&c->map);
    free(c);
    return NULL;
}

void dns_cache_put(struct dns_cache *c, struct str key, struct str answer,
                   const struct dns_look *look, int64_t now) {
    uint32_t most = look->rcode == DNS_NOERROR && look->answers ? DNS_CACHE_TTL
                                                                : DNS_CACHE_NEGATIVE;
    uint32_t ttl = MIN(look->ttl, most);
    if (look->truncated || ttl == 0 || (look->rcode != DNS_NOERROR && look->rcode != DNS_NXDOMAIN))
        return;
    struct entry *old = map_get(&c->map, key);
    if (old)
        drop(c, old);
    struct entry *e = mem_alloc(sizeof(*e) + answer.len);
    memset(e, 0, offsetof(struct entry, look));
    memcpy(&e->look, look, look_size(look));
    e->key = mem_alloc(key.len);
    memcpy(e->key, key.p, key.len);
    e->key_len = key.len;
    e->since = now;
    e->until = now + ttl;
    e->len = answer.len;
    memcpy(e->bytes, answer.p, answer.len);
    map_set(&c->map, key, e);
    list_push(&c->order, &e->link);
    c->n++;
    c->bytes += e->len;
    while (c->n > DNS_CACHE_MAX || c->bytes > DNS_CACHE_BYTES)
        drop(c, CONTAINER_OF(c->order.next, struct entry, link));
}

size_t dns_cache_get(struct dns_cache *c, struct str key, int64_t now, uint8_t *out) {
    struct entry *e = map_get(&c->map, key);
    if (!e)
        return 0;
    if (now >= e->until) {
        drop(c, e);
        return 0;
    }
    memcpy(out, e->bytes, e->len);
    dns_answer_age(out, e->len, &e->look, (uint32_t)(now - e->since));
    return e->len;
}
