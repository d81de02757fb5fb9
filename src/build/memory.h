/* build/memory.h - what each step was made of when it was last built from a context, to say why the
 * cache does not have it now. Private to build/.
 *
 * One file beside the context's digests (build/digests.h), replaced as a whole after a build in
 * which something changed; native endian; one that cannot be read is as good as none. A step is
 * known again by its stage and its text, else by its place in the stage.
 * Asked and told with the turn (build/lane.h). Tests: test/unit/build/memory.c,
 * test/e2e/t6022-build-explain.sh. */
#pragma once
#include "build/key.h"
#include "build/source.h"

#define MEMORY_STEPS_MAX 2000u
#define MEMORY_FILE_MAX (128u << 20) /* bytes */

struct memory_file {
    const char *path;
    uint64_t attributes, content;
};
struct memory_files VEC_BODY(struct memory_file);
struct memory_step {
    const char *dockerfile, *stage, *text;
    uint32_t place; /* in its stage */
    const char *key, *parent;
    const char *why; /* it was not in the cache; "": it was */
    struct key_parts parts;
    struct memory_files files; /* in order of paths */
};
struct memory;
struct memory *memory_open(const char *path);
struct memory *memory_free(struct memory *m); /* NULL allowed; returns NULL */
/* NULL: not known. */
const struct memory_step *memory_find(const struct memory *m, const struct memory_step *like);
/* Takes its place, or a new one; copied. */
void memory_put(struct memory *m, const struct memory_step *s);
void memory_cached(struct memory *m, const struct memory_step *s); /* as it was, and not missed */
struct err memory_save(struct memory *m);

/* All of them: the steps, oldest build first. */
const struct memory_step *memory_all(const struct memory *m, size_t *ret_n);
/* In words: what is different. cascade: the step before it was made anew. */
void memory_compare(const struct memory_step *was, const struct memory_step *is, bool cascade,
                    struct buf *out);
