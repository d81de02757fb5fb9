/* loop/bus.h - the event bus: publish on the loop, subscribers are called in order.
 * A plain in-process observer list keyed by nothing: payloads are the publisher's struct. Used by
 * the daemon for the events API and by nouns that react to each other. */
#pragma once
#include "loop/loop.h"

struct bus {
    struct list subs;
};
struct bus_sub {
    struct list link;
    void (*fn)(void *arg, const void *event);
    void *arg;
};
void bus_init(struct bus *b);
void bus_publish(struct bus *b, const void *event);
void bus_subscribe(struct bus *b, struct bus_sub *s, void (*fn)(void *arg, const void *event),
                   void *arg);
void bus_unsubscribe(struct bus_sub *s); /* safe from callbacks */
