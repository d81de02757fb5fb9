#include "base/vec.h"
#include "base/buf.h"

#include <stdlib.h>

void *vec_grow_(void *items, size_t n, size_t *cap, size_t extra, size_t size) {
    if (*cap - n >= extra && items)
        return items;
    size_t need;
    if (__builtin_add_overflow(n, extra, &need))
        need = SIZE_MAX; /* mem_resize aborts */
    size_t want = *cap > SIZE_MAX / 2 ? need : *cap * 2;
    *cap = MAX(MAX(want, need), (size_t)4);
    return mem_resize(items, *cap, size);
}

void strv_done(struct strv *v) {
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i]);
    vec_done(v);
}

void strv_add(struct strv *v, const char *z) {
    vec_push(v, mem_strdup(z));
}

void strv_addf(struct strv *v, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct buf b = {0};
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    vec_push(v, buf_take(&b));
}

char **strv_argv(struct strv *v) {
    vec_reserve(v, 1);
    v->items[v->n] = NULL;
    return v->items;
}
