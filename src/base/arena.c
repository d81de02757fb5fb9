#include "base/arena.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_FIRST = 1024, BLOCK_LARGEST = 64 * 1024, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) char bytes[];
};

void arena_done(struct arena *a) {
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    a->total = 0;
}

static struct arena_block *block_new(size_t size) {
    struct arena_block *b = mem_zero(sizeof(*b) + size);
    b->size = size;
    return b;
}

void *arena_alloc(struct arena *a, size_t size) {
    assert(size <= SIZE_MAX / 2); /* sizes from outside are bounded before they come here */
    size_t need = (MAX(size, (size_t)1) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct arena_block *b = a->head;
    if (!b || b->size - b->used < need) {
        size_t next = b ? MIN(b->size * 2, (size_t)BLOCK_LARGEST) : (size_t)BLOCK_FIRST;
        b = block_new(MAX(next, need));
        if (a->head && need > BLOCK_LARGEST / 2) {
            /* A big allocation gets its own block behind the head, which keeps its free rest. */
            b->next = a->head->next;
            a->head->next = b;
        } else {
            b->next = a->head;
            a->head = b;
        }
    }
    void *p = b->bytes + b->used;
    b->used += need;
    a->total += need;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        total = SIZE_MAX; /* arena_alloc asserts */
    return arena_alloc(a, total);
}

char *arena_str(struct arena *a, struct str s) {
    char *z = arena_alloc(a, s.len + 1);
    if (s.len)
        memcpy(z, s.p, s.len);
    return z;
}

char *arena_strz(struct arena *a, const char *z) {
    return z ? arena_str(a, str_of(z)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    char *z = arena_alloc(a, (size_t)n + 1);
    vsnprintf(z, (size_t)n + 1, fmt, again);
    va_end(again);
    return z;
}
