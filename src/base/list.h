/* list.h - intrusive doubly linked list with a sentinel head.
 * `LIST_FOR(&head, n) { struct x *x = CONTAINER_OF(n, struct x, link); … }` allows removing n. */
#pragma once
#include "base/attr.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *h) {
    h->prev = h->next = h;
}
static inline bool list_empty(const struct list *h) {
    return h->next == h || h->next == NULL;
}
static inline void list_push(struct list *h, struct list *n) { /* at the end */
    n->prev = h->prev;
    n->next = h;
    h->prev->next = n;
    h->prev = n;
}
static inline void list_push_front(struct list *h, struct list *n) {
    n->next = h->next;
    n->prev = h;
    h->next->prev = n;
    h->next = n;
}
/* Unlinks n; safe on a node that is in no list (zeroed or already removed). */
static inline void list_remove(struct list *n) {
    if (n->next) {
        n->prev->next = n->next;
        n->next->prev = n->prev;
    }
    n->prev = n->next = NULL;
}
static inline struct list *list_pop(struct list *h) { /* first, or NULL */
    if (list_empty(h))
        return NULL;
    struct list *n = h->next;
    list_remove(n);
    return n;
}
#define LIST_FOR(h, n)                                               \
    for (struct list *n = (h)->next, *n##_next_ = n->next; n != (h); \
         n = n##_next_, n##_next_ = n->next)
