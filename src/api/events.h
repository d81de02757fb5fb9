/* events.h - the record behind GET /events. Private to api/.
 *
 * Subscribes to the buses of all nouns, keeps the last EVENTS_KEPT events for `since`, and passes
 * each new one on to the clients that listen. They are kept in the store too (lazily: they survive
 * a kill -9), in a ring of EVENTS_KEPT rows, and a new daemon goes on with them; what ended while
 * no daemon was there is told by the next. No two events have the same time, and later ones have
 * later times, so that since=<time of the last one seen> loses and repeats nothing but that one.
 * Loop thread. A client that does not read is cut once it has a MiB waiting; it never holds up
 * anybody. Source: Engine API 1.51 SystemEvents. Tests: test/unit/api/filter.c, test/e2e/t2040-events.sh. */
#pragma once
#include "api/call.h"
#include "spec/api_system.h"

#define EVENTS_KEPT 1024

struct events;
struct events *events_new(const struct api *api); /* subscribes, loads; api must outlive it */
void events_free(struct events *e);               /* cuts the listeners; NULL allowed */
size_t events_listeners(const struct events *e);
/* For events that no bus carries. The event is copied; scope and times are filled in. */
void events_record(struct events *e, const struct api_event *event);

extern const char *const events_filters[];
bool events_match(const struct api_event *event, const struct api_filters *f);
/* Replays what is kept from since to until (wall ns, 0: open), then follows until `until` or the
 * end of the client. since and until 0: only what is new. Ends the call. */
void events_serve(struct events *e, struct api_call *c, const struct api_filters *f, int64_t since,
                  int64_t until);
