#include "api/events.h"
#include "api/metrics.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

struct kept {
    struct arena arena;
    struct api_event event;
};

struct events {
    const struct api *api;
    struct kept ring[EVENTS_KEPT];
    size_t next, n;
    int64_t last; /* time of the newest */
    uint64_t seq; /* of the next one; its row in the store is seq % EVENTS_KEPT */
    struct list listeners;
    size_t listeners_n;
    struct bus_sub containers, images, networks, volumes;
};

/* One client. Its filters live in the arena that was the call's. */
struct listener {
    struct list link;
    struct events *events;
    struct http_exchange *x;
    struct arena arena;
    struct api_filters filters;
    const struct api_policy *policy; /* of where it came in */
    struct timer *until;
    int minor;
};

/* --- clients ------------------------------------------------------------------------------- */

static void listener_free(struct listener *l) {
    list_remove(&l->link);
    l->events->listeners_n--;
    (void)timer_free(l->until);
    arena_done(&l->arena);
    free(l);
}

static void listener_gone(void *arg) {
    struct listener *l = arg;
    struct http_exchange *x = l->x;
    listener_free(l);
    http_abort(x);
}

static void listener_end(void *arg) {
    struct listener *l = arg;
    struct http_exchange *x = l->x;
    listener_free(l);
    http_stream_end(x);
}

/* A listener for projects hears of their containers; the labels are among the attributes. */
static bool is_for(const struct api_policy *p, const struct api_event *e) {
    return !p || !p->projects ||
           (strcmp(e->type, "container") == 0 && api_policy_sees(p, &e->actor.attributes));
}

/* false: the listener is gone. */
static bool listener_send(struct listener *l, const struct api_event *e) {
    CLEAN_BUF struct buf line = {0};
    /* The peer tells of image creation since 1.46 only. */
    bool too_new = l->minor < 46 && strcmp(e->type, "image") == 0 &&
                   strcmp(e->action, "create") == 0;
    if (too_new || !events_match(e, &l->filters) || !is_for(l->policy, e))
        return true;
    fields_encode(&api_event_fields, e, l->minor, &(struct json_out){.out = &line});
    buf_addc(&line, '\n');
    if (http_stream_write(l->x, buf_str(&line)))
        return true;
    log_info("a listener to events does not read: cut");
    listener_gone(l);
    return false;
}

static bool replay(struct listener *l, int64_t since, int64_t until) {
    struct events *e = l->events;
    for (size_t i = 0; i < e->n; i++) {
        const struct api_event *event =
            &e->ring[(e->next + EVENTS_KEPT - e->n + i) % EVENTS_KEPT].event;
        if (event->time_nano >= since && (!until || event->time_nano <= until) &&
            !listener_send(l, event))
            return false;
    }
    return true;
}

void events_serve(struct events *e, struct api_call *c, const struct api_filters *f, int64_t since,
                  int64_t until) {
    int64_t now = time_now();
    struct listener *l = NEW(struct listener);
    l->events = e;
    l->filters = *f;
    l->minor = c->minor;
    l->policy = c->policy;
    l->arena = c->arena; /* the filters' memory outlives the call */
    c->arena = (struct arena){0};
    list_push(&e->listeners, &l->link);
    e->listeners_n++;
    l->x = api_take_exchange(c);
    if (!l->x) {
        listener_free(l);
        return;
    }
    http_on_gone(l->x, listener_gone, l);
    http_stream_begin(l->x, 200, "application/json");
    if ((since || until) && !replay(l, since, until))
        return;
    if (until && until <= now)
        listener_end(l);
    else if (until)
        l->until = timer_new(e->api->loop, until - now, 0, listener_end, l);
}

/* --- recording ----------------------------------------------------------------------------- */

static void copy_event(struct kept *k, const struct api_event *from) {
    struct arena *a = &k->arena;
    struct api_event *e = &k->event;
    *e = (struct api_event){
        .status = arena_strz(a, from->status),
        .id = arena_strz(a, from->id),
        .from = arena_strz(a, from->from),
        .type = arena_strz(a, from->type),
        .action = arena_strz(a, from->action),
        .actor.id = arena_strz(a, from->actor.id),
        .scope = arena_strz(a, "local"),
        .time_nano = from->time_nano,
    };
    e->time = e->time_nano / NSEC_PER_SEC;
    for (size_t i = 0; i < from->actor.attributes.n; i++) {
        const struct strpair *p = &from->actor.attributes.items[i];
        strmap_set(&e->actor.attributes, a, p->key, p->value ? p->value : "");
    }
}

static struct kept *next_place(struct events *e) {
    struct kept *k = &e->ring[e->next];
    arena_done(&k->arena);
    *k = (struct kept){0};
    e->next = (e->next + 1) % EVENTS_KEPT;
    e->n = MIN(e->n + 1, (size_t)EVENTS_KEPT);
    return k;
}

static void save(struct events *e, const struct api_event *event) {
    CLEAN_BUF struct buf text = {0};
    struct store_txn *t = store_txn_new();
    fields_print(&api_event_fields, event, &text);
    store_add(t, "INSERT OR REPLACE INTO event (slot, seq, doc) VALUES (?, ?, ?)", "iit",
              (int64_t)(e->seq % EVENTS_KEPT), (int64_t)e->seq, buf_str(&text));
    store_commit(e->api->store, t, STORE_LAZY, NULL, NULL);
    e->seq++;
}

static struct err load_row(void *arg, struct store_row *r) {
    struct events *e = arg;
    struct kept k = {0};
    struct err bad = fields_decode(&api_event_fields, row_blob(r, 1), &k.arena, &k.event);
    e->seq = (uint64_t)row_int(r, 0) + 1;
    if (err_failed(bad)) {
        log_err(LOG_WARN, bad, "an event of an earlier daemon cannot be read");
        arena_done(&k.arena);
        return OK;
    }
    e->last = MAX(e->last, k.event.time_nano);
    *next_place(e) = k;
    return OK;
}

void events_record(struct events *e, const struct api_event *event) {
    struct api_event timed = *event;
    struct kept *k = next_place(e);
    metrics_event(e->api->metrics);
    /* A clock that was set back, or stands still, does not make two events change places. */
    timed.time_nano = MAX(event->time_nano ? event->time_nano : time_now(), e->last + 1);
    e->last = timed.time_nano;
    copy_event(k, &timed);
    save(e, &k->event);
    LIST_FOR (&e->listeners, n)
        (void)listener_send(CONTAINER_OF(n, struct listener, link), &k->event);
}

static void add_labels(struct api_event *e, struct arena *a, const struct strmap *labels) {
    for (size_t i = 0; i < labels->n; i++)
        strmap_set(&e->actor.attributes, a, labels->items[i].key, labels->items[i].value);
}

/* The documents' strings are char *; what is borrowed here is copied before anybody could write. */
static char *borrow(const char *z) {
    return (char *)(uintptr_t)z;
}

static void on_container(void *arg, const void *payload) {
    const struct container_event *ev = payload;
    const struct container *k = ev->container;
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = {.type = borrow("container"),
                          .action = borrow(ev->action),
                          .status = borrow(ev->action),
                          .id = borrow(k->id),
                          .from = k->image_ref,
                          .actor.id = borrow(k->id),
                          .time_nano = ev->time};
    if (k->config)
        add_labels(&e, &a, &k->config->labels);
    strmap_set(&e.actor.attributes, &a, "image", k->image_ref ? k->image_ref : "");
    strmap_set(&e.actor.attributes, &a, "name", k->name);
    for (size_t i = 0; i + 1 < ARRAY_LEN(ev->attributes) && ev->attributes[i]; i += 2)
        strmap_set(&e.actor.attributes, &a, ev->attributes[i], ev->attributes[i + 1]);
    events_record(arg, &e);
}

static void on_image(void *arg, const void *payload) {
    const struct image_event *ev = payload;
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = {.type = borrow("image"),
                          .action = borrow(ev->action),
                          .status = borrow(ev->action),
                          .id = borrow(ev->id),
                          .actor.id = borrow(ev->id)};
    if (ev->image)
        add_labels(&e, &a, &image_config(ev->image)->config.labels);
    if (ev->name)
        strmap_set(&e.actor.attributes, &a, "name", ev->name);
    events_record(arg, &e);
}

static void on_network(void *arg, const void *payload) {
    const struct network_event *ev = payload;
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = {.type = borrow("network"),
                          .action = borrow(ev->action),
                          .actor.id = borrow(ev->network->id)};
    if (ev->container_id)
        strmap_set(&e.actor.attributes, &a, "container", ev->container_id);
    strmap_set(&e.actor.attributes, &a, "name", ev->network->name);
    strmap_set(&e.actor.attributes, &a, "type", network_driver_name(ev->network->driver));
    events_record(arg, &e);
}

static void on_volume(void *arg, const void *payload) {
    const struct volume_event *ev = payload;
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = {
        .type = borrow("volume"), .action = borrow(ev->action), .actor.id = borrow(ev->name)};
    strmap_set(&e.actor.attributes, &a, "driver", "local");
    events_record(arg, &e);
}

struct events *events_new(const struct api *api) {
    struct events *e = NEW(struct events);
    e->api = api;
    list_init(&e->listeners);
    bus_subscribe(containers_bus(api->containers), &e->containers, on_container, e);
    bus_subscribe(images_events(api->images), &e->images, on_image, e);
    bus_subscribe(networks_bus(api->networks), &e->networks, on_network, e);
    bus_subscribe(volumes_bus(api->volumes), &e->volumes, on_volume, e);
    log_err(LOG_WARN,
            store_load(api->store, "SELECT seq, doc FROM event ORDER BY seq", load_row, e),
            "load earlier events");
    return e;
}

void events_free(struct events *e) {
    if (!e)
        return;
    LIST_FOR (&e->listeners, n)
        listener_end(CONTAINER_OF(n, struct listener, link));
    bus_unsubscribe(&e->containers);
    bus_unsubscribe(&e->images);
    bus_unsubscribe(&e->networks);
    bus_unsubscribe(&e->volumes);
    for (size_t i = 0; i < EVENTS_KEPT; i++)
        arena_done(&e->ring[i].arena);
    free(e);
}

size_t events_listeners(const struct events *e) {
    return e->listeners_n;
}
