/* arena.h - memory with the lifetime of a request, op or parsed document, released in one stroke.
 * Pointers stay valid until arena_done. A zeroed struct is a valid empty arena. */
#pragma once
#include "base/str.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t total; /* bytes handed out, for limits */
};
#define CLEAN_ARENA OWN(arena_done)
void arena_done(struct arena *a);
void *arena_alloc(struct arena *a, size_t size)
    __attribute__((returns_nonnull)); /* zeroed, 16-aligned */
void *arena_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_str(struct arena *a, struct str s)
    __attribute__((returns_nonnull));             /* NUL-terminated copy */
char *arena_strz(struct arena *a, const char *z); /* NULL in, NULL out */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
