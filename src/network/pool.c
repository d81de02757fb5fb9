#include "network/private.h"
#include <arpa/inet.h>

static struct str key(const uint32_t *address) {
    return str_n(address, sizeof(*address));
}

struct network_pool *pool_new(struct subnet range, struct subnet subnet) {
    struct network_pool *p = NEW(struct network_pool);
    p->first = range.base;
    p->last = range.base | ~prefix_mask(range.prefix);
    /* The subnet's own address and its broadcast address belong to nobody. */
    if (p->first == subnet.base)
        p->first++;
    if (p->last == (subnet.base | ~prefix_mask(subnet.prefix)))
        p->last--;
    p->next = p->first;
    return p;
}

struct network_pool *pool_free(struct network_pool *p) {
    if (p)
        map_done(&p->used);
    free(p);
    return NULL;
}

struct err pool_take(struct network_pool *p, const char *holder, uint32_t *ret) {
    uint32_t size = p->last - p->first + 1;
    if (p->used.n < size) {
        for (uint32_t i = 0, a = p->next; i < size; i++, a = a == p->last ? p->first : a + 1) {
            if (map_get(&p->used, key(&a)))
                continue;
            map_set(&p->used, key(&a), (void *)holder);
            p->next = a == p->last ? p->first : a + 1;
            *ret = a;
            return OK;
        }
    }
    return err_new(ERR_SYSTEM, "no available IPv4 addresses on this network's address pools");
}

struct err pool_take_fixed(struct network_pool *p, uint32_t address, const char *holder) {
    if (map_get(&p->used, key(&address)))
        return err_new(ERR_CONFLICT, "Address already in use");
    map_set(&p->used, key(&address), (void *)holder);
    /* After a restart the adopted addresses come in here: the search goes on behind the highest. */
    if (address >= p->next && address < p->last)
        p->next = address + 1;
    return OK;
}

void pool_give(struct network_pool *p, uint32_t address) {
    (void)map_del(&p->used, key(&address));
}
