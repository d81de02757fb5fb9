#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* A slot: key NULL and value NULL: never used; key NULL and value = tombstone: deleted. */
static const char tombstone_mark;
#define TOMBSTONE ((void *)(uintptr_t)&tombstone_mark)

void map_done(struct map *m) {
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){0};
}

/* The slot that holds key, or NULL. */
static struct map_slot *find(const struct map *m, struct str key, uint64_t hash) {
    if (m->cap == 0)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key && !s->value)
            return NULL;
        if (s->key && s->hash == hash && str_eq(str_n(s->key, s->len), key))
            return s;
    }
}

/* The first free slot for a hash that is not in the map. */
static struct map_slot *vacant(struct map_slot *slots, size_t cap, uint64_t hash) {
    size_t i = hash & (cap - 1);
    while (slots[i].key)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

/* Keeps at least a quarter of the slots unused, tombstones counted as used. */
static void make_room(struct map *m) {
    if (m->cap && (m->used + 1) * 4 <= m->cap * 3)
        return;
    size_t cap = 8;
    while (cap < (m->n + 1) * 2)
        cap *= 2;
    struct map_slot *slots = NEW_ARRAY(cap, struct map_slot);
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key)
            *vacant(slots, cap, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    m->used = m->n;
}

void *map_get(const struct map *m, struct str key) {
    if (m->n == 0)
        return NULL;
    struct map_slot *s = find(m, key, str_hash(key));
    return s ? s->value : NULL;
}

void *map_getz(const struct map *m, const char *key) {
    return map_get(m, str_of(key));
}

void *map_set(struct map *m, struct str key, void *value) {
    assert(value);
    uint64_t hash = str_hash(key);
    struct map_slot *s = find(m, key, hash);
    if (s) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    make_room(m);
    s = vacant(m->slots, m->cap, hash);
    if (!s->value)
        m->used++;
    *s = (struct map_slot){.key = str_dup(key), .len = key.len, .hash = hash, .value = value};
    m->n++;
    return NULL;
}

void *map_del(struct map *m, struct str key) {
    struct map_slot *s = m->n ? find(m, key, str_hash(key)) : NULL;
    if (!s)
        return NULL;
    void *old = s->value;
    free(s->key);
    *s = (struct map_slot){.value = TOMBSTONE};
    m->n--;
    return old;
}

bool map_next(const struct map *m, size_t *it, struct str *ret_key, void **ret_value) {
    while (*it < m->cap) {
        const struct map_slot *s = &m->slots[(*it)++];
        if (!s->key)
            continue;
        if (ret_key)
            *ret_key = str_n(s->key, s->len);
        if (ret_value)
            *ret_value = s->value;
        return true;
    }
    return false;
}
