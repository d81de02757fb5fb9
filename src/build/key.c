#include "build/key.h"

void key_begin(struct key *k, const char *op, const char *parent) {
    k->h = sha256_new();
    key_addz(k, KEY_VERSION);
    key_addz(k, op);
    key_addz(k, parent);
}

void key_add(struct key *k, struct str s) {
    uint64_t len = s.len;
    sha256_add(k->h, &len, sizeof(len));
    sha256_add(k->h, s.p, s.len);
}

void key_addz(struct key *k, const char *z) {
    key_add(k, z ? STR("+") : STR("-"));
    if (z)
        key_add(k, str_of(z));
}

void key_add_list(struct key *k, const struct strs *v) {
    uint64_t n = v->n;
    sha256_add(k->h, &n, sizeof(n));
    for (size_t i = 0; i < v->n; i++)
        key_addz(k, v->items[i]);
}

void key_end(struct key *k, char text[KEY_TEXT]) {
    struct digest d;
    sha256_end(k->h, d.bytes);
    digest_hex(&d, text);
}

void key_clean(struct key *k) {
    sha256_free(k->h);
    k->h = NULL;
}
