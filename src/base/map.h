/* map.h - hash map from bytes to pointers.
 *
 * Keys are copied into the map; values are the caller's. Open addressing, keyed hash with a
 * per-process random seed (hash flooding by API clients is harmless). Insertion order is not kept.
 * Do not add or remove while iterating, except removing the current entry.
 */
#pragma once
#include "base/str.h"

struct map_slot {
    char *key;
    size_t len;
    uint64_t hash;
    void *value;
};
struct map {
    struct map_slot *slots;
    size_t cap, n, used;
};

void map_done(struct map *m);                       /* frees keys, not values */
void *map_get(const struct map *m, struct str key); /* NULL: not there */
void *map_getz(const struct map *m, const char *key);
/* Adds or replaces; returns the previous value or NULL. value must not be NULL. */
void *map_set(struct map *m, struct str key, void *value);
/* Removes; returns the value or NULL. */
void *map_del(struct map *m, struct str key);
/* `size_t it = 0; while (map_next(&m, &it, &key, &value)) …` key and value may be NULL. */
bool map_next(const struct map *m, size_t *it, struct str *ret_key, void **ret_value);
#define CLEAN_MAP OWN(map_done)
