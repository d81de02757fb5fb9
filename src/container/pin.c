/* Memory of a container that others read outside of the loop. */
#include "container/private.h"
#include <stdlib.h>

/* One for all readers of a container. */
struct container_pin {
    struct container *of; /* NULL: freed, its memory is here */
    size_t n;
    VEC(struct arena) kept;
};

struct container_pin *container_pin(struct container *c) {
    if (!c->pin) {
        c->pin = NEW(struct container_pin);
        c->pin->of = c;
    }
    c->pin->n++;
    return c->pin;
}

void container_unpin(struct container_pin *p) {
    if (--p->n > 0)
        return;
    if (p->of)
        p->of->pin = NULL;
    for (size_t i = 0; i < p->kept.n; i++)
        arena_done(&p->kept.items[i]);
    vec_done(&p->kept);
    free(p);
}

void container_arena_end(struct container *c, struct arena *a) {
    if (c->pin)
        vec_push(&c->pin->kept, *a);
    else
        arena_done(a);
    *a = (struct arena){0};
}

void container_pin_orphan(struct container *c) {
    if (c->pin)
        c->pin->of = NULL;
}
