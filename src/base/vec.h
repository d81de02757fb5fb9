/* vec.h - typed growing array.
 *
 *     VEC(int) v = {0};
 *     vec_push(&v, 3);
 *     for (size_t i = 0; i < v.n; i++) use(v.items[i]);
 *     vec_done(&v);
 *
 * A vec passed between functions gets a named struct: `struct mounts VEC_BODY(struct mount);`
 * Elements are moved by memcpy; what they own is the caller's to free before vec_done.
 */
#pragma once
#include "base/mem.h"

#define VEC_BODY(T)    \
    {                  \
        T *items;      \
        size_t n, cap; \
    }
#define VEC(T) struct VEC_BODY(T)

/* Appends x (by value). */
#define vec_push(v, ...)                      \
    do {                                      \
        vec_reserve((v), 1);                  \
        (v)->items[(v)->n++] = (__VA_ARGS__); \
    } while (0)
/* Appends a zeroed element and gives its address (valid until the next push). */
#define vec_add(v)                                             \
    ({                                                         \
        vec_reserve((v), 1);                                   \
        memset(&(v)->items[(v)->n], 0, sizeof((v)->items[0])); \
        &(v)->items[(v)->n++];                                 \
    })
#define vec_reserve(v, extra) \
    ((v)->items = vec_grow_((v)->items, (v)->n, &(v)->cap, (extra), sizeof((v)->items[0])))
/* Removes element i, keeps order. */
#define vec_remove(v, i)                                        \
    do {                                                        \
        size_t vec_i_ = (i);                                    \
        memmove(&(v)->items[vec_i_], &(v)->items[vec_i_ + 1],   \
                ((v)->n - vec_i_ - 1) * sizeof((v)->items[0])); \
        (v)->n--;                                               \
    } while (0)
#define vec_done(v)            \
    do {                       \
        free((v)->items);      \
        (v)->items = NULL;     \
        (v)->n = (v)->cap = 0; \
    } while (0)

void *vec_grow_(void *items, size_t n, size_t *cap, size_t extra, size_t size);

/* The one vec everybody needs: owned C strings. */
struct strv VEC_BODY(char *);
void strv_done(struct strv *v); /* frees the strings too */
void strv_add(struct strv *v, const char *z);
void strv_addf(struct strv *v, const char *fmt, ...) PRINTF(2, 3);
/* NULL-terminated argv view for exec; the array is owned by v and valid until the next change. */
char **strv_argv(struct strv *v);
#define CLEAN_STRV OWN(strv_done)
