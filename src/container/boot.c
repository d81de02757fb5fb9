/* What starts with the daemon, in the order of what needs what: links, volumes-from, joined
 * namespaces. A container starts when those that it needs run and, where they have health checks,
 * are healthy; it is not held back for ever by one that fails, turns unhealthy or takes longer than
 * BOOT_PATIENCE. What needs nothing starts at once, oldest first. */
#include "container/private.h"
#include <stdlib.h>

#define BOOT_PATIENCE (120 * NSEC_PER_SEC)

struct boot_item {
    struct boot *boot;
    char id[65];
    VEC(struct boot_item *) needs;
    bool started, settled; /* asked to start; nothing has to wait for it any more */
};

struct boot {
    struct containers *cs;
    VEC(struct boot_item *) items;
    struct bus_sub events;
    struct timer *patience;
    size_t pending; /* starts whose answer has not come */
    bool advancing, again;
};

static void boot_free(struct boot *b) {
    bus_unsubscribe(&b->events);
    (void)timer_free(b->patience);
    for (size_t i = 0; i < b->items.n; i++) {
        vec_done(&b->items.items[i]->needs);
        free(b->items.items[i]);
    }
    vec_done(&b->items);
    free(b);
}

/* --- who needs whom
 * -------------------------------------------------------------------------------- */

static void need(struct boot_item *item, const struct container *other) {
    for (size_t i = 0; other && i < item->boot->items.n; i++) {
        struct boot_item *o = item->boot->items.items[i];
        if (o != item && !strcmp(o->id, other->id))
            vec_push(&item->needs, o);
    }
}

static void need_ref(struct boot_item *item, const char *ref) {
    struct container *other = NULL;
    err_ignore(container_find(item->boot->cs, ref, &other)); /* its start will tell */
    need(item, other);
}

static void find_needs(struct boot_item *item, const struct container *c) {
    const char *const modes[] = {c->host->network_mode, c->host->pid_mode, c->host->ipc_mode};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (container_joins(modes[i]))
            need_ref(item, container_joined_ref(modes[i]));
    for (size_t i = 0; i < c->host->links.n; i++) {
        struct str alias;
        need(item, container_link_target(c, i, &alias));
    }
    for (size_t i = 0; i < c->host->volumes_from.n; i++) {
        struct str ref, mode;
        str_cut(str_of(c->host->volumes_from.items[i]), ':', &ref, &mode);
        CLEAN_FREE char *name = str_dup(ref);
        need_ref(item, name);
    }
}

/* --- moving on
 * ------------------------------------------------------------------------------------- */

static void advance(struct boot *b);

static void item_started(void *arg, struct err e) {
    struct boot_item *item = arg;
    struct boot *b = item->boot;
    b->pending--;
    if (err_failed(e)) {
        log_err(LOG_WARN, e, "container %s: start it after the daemon's start", item->id);
        item->settled = true;
    }
    advance(b);
}

/* Nothing has to wait for it: it runs well, or will not soon. */
static bool is_settled(struct boot_item *item) {
    struct container *c = map_getz(&item->boot->cs->by_id, item->id);
    if (!item->settled && item->started) {
        const char *health = c ? container_health_name(c) : "none";
        bool waits = c && container_is_alive(c) && !strcmp(health, "starting");
        bool runs = c && container_is_alive(c);
        item->settled = !c || (runs && !waits);
    }
    return item->settled;
}

static void start_item(struct boot_item *item) {
    struct container *c = map_getz(&item->boot->cs->by_id, item->id);
    item->started = true;
    if (!c) {
        item->settled = true;
        return;
    }
    item->boot->pending++;
    container_start(c, item_started, item);
}

static bool may_start(const struct boot_item *item) {
    for (size_t i = 0; i < item->needs.n; i++)
        if (!is_settled(item->needs.items[i]))
            return false;
    return true;
}

/* A circle of needs is broken at its oldest member. */
static bool break_circle(struct boot *b) {
    bool under_way = false;
    for (size_t i = 0; i < b->items.n; i++)
        under_way |= b->items.items[i]->started && !is_settled(b->items.items[i]);
    for (size_t i = 0; !under_way && i < b->items.n; i++)
        if (!b->items.items[i]->started) {
            start_item(b->items.items[i]);
            return true;
        }
    return false;
}

static void end_now(void *arg) {
    boot_free(arg);
}

static void advance(struct boot *b) {
    if (b->advancing) {
        b->again = true;
        return;
    }
    b->advancing = true;
    bool open = false;
    do {
        b->again = open = false;
        for (size_t i = 0; i < b->items.n; i++) {
            struct boot_item *item = b->items.items[i];
            if (!item->started && may_start(item)) {
                start_item(item);
                b->again = true;
            }
            open |= !is_settled(item);
        }
    } while (b->again || break_circle(b));
    b->advancing = false;
    if (!open && b->pending == 0 && b->cs->boot == b) {
        struct loop *l = b->cs->config.loop;
        bus_unsubscribe(&b->events);
        b->cs->boot = NULL;
        loop_post(l, end_now, b); /* callbacks further up may still look at it */
    }
}

static void on_event(void *arg, const void *payload) {
    const struct container_event *e = payload;
    if (!strncmp(e->action, "health_status", 13) || !strcmp(e->action, "die") ||
        !strcmp(e->action, "destroy"))
        advance(arg);
}

static void patience_ends(void *arg) {
    struct boot *b = arg;
    for (size_t i = 0; i < b->items.n; i++) {
        struct boot_item *item = b->items.items[i];
        if (item->started && !is_settled(item)) {
            log_warn("container %s is not healthy yet; what needs it is started all the same",
                     item->id);
            item->settled = true;
        }
    }
    advance(b);
}

void container_boot(struct containers *cs, struct container *const *list, size_t n) {
    if (n == 0)
        return;
    struct boot *b = NEW(struct boot);
    b->cs = cs;
    cs->boot = b;
    for (size_t i = 0; i < n; i++) {
        struct boot_item *item = NEW(struct boot_item);
        item->boot = b;
        memcpy(item->id, list[i]->id, sizeof item->id);
        vec_push(&b->items, item);
    }
    for (size_t i = 0; i < n; i++)
        find_needs(b->items.items[i], list[i]);
    bus_subscribe(&cs->bus, &b->events, on_event, b);
    b->patience = timer_new(cs->config.loop, BOOT_PATIENCE, BOOT_PATIENCE, patience_ends, b);
    advance(b);
}

void container_boot_end(struct containers *cs) {
    struct boot *b = TAKE(cs->boot);
    if (b && b->pending == 0) /* else a start would come back to it: the process ends anyway */
        boot_free(b);
    else if (b)
        bus_unsubscribe(&b->events);
}
