#include "loop/bus.h"

void bus_init(struct bus *b) {
    list_init(&b->subs);
}

void bus_publish(struct bus *b, const void *event) {
    LIST_FOR(&b->subs, n) {
        struct bus_sub *s = CONTAINER_OF(n, struct bus_sub, link);
        s->fn(s->arg, event);
    }
}

void bus_subscribe(struct bus *b, struct bus_sub *s, void (*fn)(void *arg, const void *event), void *arg) {
    s->fn = fn;
    s->arg = arg;
    list_push(&b->subs, &s->link);
}

void bus_unsubscribe(struct bus_sub *s) {
    list_remove(&s->link);
}
