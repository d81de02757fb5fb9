/* The containers of decoded documents: look-ups and adders. */
#include "spec/fields.h"
#include <string.h>

/* Arrays grow by doubling; what has no room of its own is copied first, so that an adder never
 * writes into memory that somebody else made. */
static void *grow(struct arena *a, void *items, size_t n, uint32_t *cap, size_t size) {
    if (n < *cap)
        return items;
    size_t room = MAX(2 * n, (size_t)4);
    void *bigger = arena_array(a, room, size);
    if (n > 0)
        memcpy(bigger, items, n * size);
    *cap = (uint32_t)room;
    return bigger;
}

const char *strmap_get(const struct strmap *m, const char *key) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->items[i].key, key) == 0)
            return m->items[i].value;
    return NULL;
}

void strmap_set(struct strmap *m, struct arena *a, const char *key, const char *value) {
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->items[i].key, key) == 0) {
            /* Copied, because the slot may be shared with the document it was copied from. */
            struct strpair *own = arena_array(a, m->n, sizeof *own);
            memcpy(own, m->items, m->n * sizeof *own);
            own[i].value = arena_strz(a, value);
            m->items = own;
            m->cap = (uint32_t)m->n;
            return;
        }
    }
    m->items = grow(a, m->items, m->n, &m->cap, sizeof *m->items);
    m->items[m->n++] = (struct strpair){arena_strz(a, key), arena_strz(a, value)};
    m->present = true;
}

void strs_add(struct strs *v, struct arena *a, const char *z) {
    v->items = grow(a, v->items, v->n, &v->cap, sizeof *v->items);
    v->items[v->n++] = arena_strz(a, z);
    v->present = true;
}

bool strs_has(const struct strs *v, const char *z) {
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->items[i], z) == 0)
            return true;
    return false;
}

void *objmap_get(const struct objmap *m, const char *key) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->items[i].key, key) == 0)
            return m->items[i].value;
    return NULL;
}

void *objmap_add(struct objmap *m, struct arena *a, const char *key, size_t size) {
    m->items = grow(a, m->items, m->n, &m->cap, sizeof *m->items);
    void *value = arena_alloc(a, size);
    m->items[m->n++] = (struct objmap_slot){arena_strz(a, key), value};
    m->present = true;
    return value;
}

void *objs_add(struct objs *v, struct arena *a, size_t size) {
    v->items = grow(a, v->items, v->n, &v->cap, size);
    void *element = (char *)v->items + v->n++ * size;
    memset(element, 0, size);
    v->present = true;
    return element;
}

void u64map_add(struct u64map *m, struct arena *a, const char *key, uint64_t value) {
    m->items = grow(a, m->items, m->n, &m->cap, sizeof *m->items);
    m->items[m->n++] = (struct u64pair){arena_strz(a, key), value};
    m->present = true;
}
