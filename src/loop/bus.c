#include "loop/bus.h"

#include "base/mem.h"

#include <stdlib.h>

void bus_init(struct bus *b) {
    list_init(&b->subs);
}

void bus_subscribe(struct bus *b, struct bus_sub *s, void (*fn)(void *arg, const void *event),
                   void *arg) {
    s->fn = fn;
    s->arg = arg;
    list_push(&b->subs, &s->link);
}

void bus_unsubscribe(struct bus_sub *s) {
    list_remove(&s->link);
}

void bus_publish(struct bus *b, const void *event) {
    /* A place-holder walks through the list: whatever a callback adds, removes or publishes, it
     * still knows where it is. Place-holders of outer rounds have no function. */
    struct bus_sub *here = NEW(struct bus_sub);
    list_push_front(&b->subs, &here->link);
    while (here->link.next != &b->subs) {
        struct list *at = here->link.next;
        list_remove(&here->link);
        list_push_front(at, &here->link); /* right behind it */
        struct bus_sub *s = CONTAINER_OF(at, struct bus_sub, link);
        if (s->fn)
            s->fn(s->arg, event);
    }
    list_remove(&here->link);
    free(here);
}
