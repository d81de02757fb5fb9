/* build/stack.h - what differs from the layer that the same copy made before, for a daemon that can
 * stack the new one on it (spec/corten_build.h, "POST /corten/build/layer"; docs/decisions/0008).
 * Private to build/.
 *
 * Of each copy of many files the last layer that was sent as a whole is remembered, by a mark of
 * each of its entries, in one file beside the context's digests: native endian, replaced as a
 * whole, one that cannot be read is as good as none. Nothing here is believed by the daemon. The
 * file is asked and told with the turn (build/lane.h), the rest is for any thread. Tests:
 * test/unit/build/stack.c, test/e2e/t6025-stacked-layers.sh. */
#pragma once
#include "build/key.h"
#include "build/layer.h"

#define STACK_ENTRIES_MIN 500u      /* of a layer for which it is worth it; as the daemon's */
#define STACK_BYTES_MAX (96u << 20) /* of its files */
#define STACK_MORE_MAX (24u << 20)  /* bytes that differ */
#define STACKS_MAX 32u              /* copies of one context */

/* One entry: its path, and all of it with its content. */
struct stack_mark {
    uint64_t path;
    unsigned char whole[16];
};
struct stack_marks VEC_BODY(struct stack_mark);
/* Of all entries. `fits` is false when the layer is too small or too large, or has hard links. */
struct err stack_marks(const struct layer *l, struct stack_marks *ret, bool *ret_fits);

/* Which entries of `was` stay, as the text of BUILD_STACK_LIST, and those of l that come instead.
 */
struct stack_change {
    struct buf list;
    struct layer more; /* its entries are l's */
};
void stack_change_done(struct stack_change *c);
/* False: it cannot be stacked, or too much is new. */
bool stack_compare(const struct stack_marks *was, const struct layer *l,
                   const struct stack_marks *is, struct stack_change *ret);

struct stack_known {
    char copy[KEY_TEXT]; /* which one */
    char *image;         /* whose topmost layer it is; owned */
    struct stack_marks marks;
};
struct stacks;
struct stacks *stacks_open(const char *path);
const struct stack_known *stacks_find(struct stacks *s, const char *copy); /* NULL: not known */
/* Takes the marks over. */
void stacks_put(struct stacks *s, const char *copy, const char *image, struct stack_marks *marks);
struct err stacks_save(struct stacks *s);
struct stacks *stacks_free(struct stacks *s); /* NULL allowed; returns NULL */
