/* build/key.h - the digest of a step: what it starts from and everything that it depends on.
 *
 * Fields are hashed with their length in front, so that no two different steps run together. A key
 * changes with KEY_VERSION when the meaning of a step changes. Private to build/.
 * Tests: test/unit/build/key.c. */
#pragma once
#include "base/sha256.h"
#include "base/vec.h"
#include "spec/fields.h"

#define KEY_VERSION "corten-build-5"
#define KEY_TEXT 65

/* One thing that a key depends on, to tell two keys apart in words. */
struct key_part {
    const char *name; /* borrowed */
    uint64_t hash;
};
struct key_parts VEC_BODY(struct key_part);
struct key {
    struct sha256 *h;
    struct key_parts parts;
    char text[KEY_TEXT]; /* after key_end */
};
/* op: "run", "copy" …; parent: the step image. */
void key_begin(struct key *k, const char *op, const char *parent);
/* What is added from now on belongs to this part. */
void key_part(struct key *k, const char *name);
void key_add(struct key *k, struct str s);
void key_addz(struct key *k, const char *z); /* NULL differs from "" */
void key_add_list(struct key *k, const struct strs *v);
void key_end(struct key *k, char text[KEY_TEXT]);
void key_clean(struct key *k);
#define CLEAN_KEY OWN(key_clean)
