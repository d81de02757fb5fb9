#include "build/key.h"
#include <stdlib.h>

void key_begin(struct key *k, const char *op, const char *parent) {
    k->h = sha256_new();
    key_addz(k, KEY_VERSION);
    key_addz(k, op);
    key_addz(k, parent);
}

void key_part(struct key *k, const char *name) {
    vec_push(&k->parts, ((struct key_part){name, UINT64_C(14695981039346656037)}));
}

static void add(struct key *k, const void *p, size_t n) {
    sha256_add(k->h, p, n);
    if (k->parts.n == 0)
        return;
    uint64_t *hash = &k->parts.items[k->parts.n - 1].hash; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ ((const uint8_t *)p)[i]) * UINT64_C(1099511628211);
}

void key_add(struct key *k, struct str s) {
    uint64_t len = s.len;
    add(k, &len, sizeof(len));
    add(k, s.p, s.len);
}

void key_addz(struct key *k, const char *z) {
    key_add(k, z ? STR("+") : STR("-"));
    if (z)
        key_add(k, str_of(z));
}

void key_add_list(struct key *k, const struct strs *v) {
    uint64_t n = v->n;
    add(k, &n, sizeof(n));
    for (size_t i = 0; i < v->n; i++)
        key_addz(k, v->items[i]);
}

void key_end(struct key *k, char text[KEY_TEXT]) {
    struct digest d;
    sha256_end(k->h, d.bytes);
    digest_hex(&d, text);
    memcpy(k->text, text, KEY_TEXT);
}

void key_clean(struct key *k) {
    sha256_free(k->h);
    k->h = NULL;
    vec_done(&k->parts);
}
