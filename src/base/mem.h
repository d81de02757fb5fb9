/* mem.h - allocation that cannot fail.
 *
 * Our own small allocations abort on failure (crash-only: restart is the recovery). Sizes that come
 * from outside are checked against a named maximum *before* they reach these functions. The monitor
 * allocates what a container's life needs before it starts.
 * All results are freed with free(3).
 */
#pragma once
#include "base/attr.h"

void *mem_alloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *mem_zero(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
/* n * size, aborts on overflow. */
void *mem_array(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
void *mem_resize(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
void *mem_dup(const void *p, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((returns_nonnull));
/* NULL in, NULL out. */
char *mem_strdup_opt(const char *s);
char *mem_printf(const char *fmt, ...) PRINTF(1, 2) __attribute__((returns_nonnull));

/* `struct thing *t = NEW(struct thing);` zeroed. */
#define NEW(type) ((type *)mem_zero(sizeof(type)))
#define NEW_ARRAY(n, type) ((type *)mem_array((n), sizeof(type)))
