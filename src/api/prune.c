/* POST /containers/prune: everything that does not run goes, as far as the filters allow. */
#include "api/events.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "base/log.h"
#include "base/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prune {
    struct api_call *call;
    struct strs deleted;
    uint64_t reclaimed;
    size_t open; /* removals under way, plus one while they are started */
};
struct removal {
    struct prune *prune;
    char id[65];
    int64_t bytes;
};

static void prune_end(struct prune *p) {
    struct api_call *c = p->call;
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)p->reclaimed);
    struct api_event e = {.type = arena_strz(&c->arena, "container"),
                          .action = arena_strz(&c->arena, "prune")};
    strmap_set(&e.actor.attributes, &c->arena, "reclaimed", text);
    events_record(c->api->events, &e);
    struct api_containers_pruned doc = {.deleted = p->deleted, .space_reclaimed = p->reclaimed};
    free(p);
    api_reply_doc(c, 200, &api_containers_pruned_fields, &doc);
}

static void removed(void *arg, struct err e) {
    struct removal *r = arg;
    struct prune *p = r->prune;
    if (err_failed(e)) {
        /* Somebody started or removed it: the others go on, as with the peer. */
        log_err(LOG_INFO, e, "prune container %s", r->id);
    } else {
        strs_add(&p->deleted, &p->call->arena, arena_strz(&p->call->arena, r->id));
        p->reclaimed += (uint64_t)r->bytes;
    }
    free(r);
    if (--p->open == 0)
        prune_end(p);
}

static void measured(void *arg, const struct container_size *sizes, size_t n) {
    struct prune *p = arg;
    p->open = 1;
    for (size_t i = 0; i < n; i++) {
        struct container *k = NULL;
        struct err e = container_find(p->call->api->containers, sizes[i].id, &k);
        if (err_failed(e)) {
            err_ignore(e); /* gone meanwhile */
            continue;
        }
        struct removal *r = NEW(struct removal);
        *r = (struct removal){.prune = p, .bytes = sizes[i].bytes};
        memcpy(r->id, sizes[i].id, sizeof r->id);
        p->open++;
        container_remove(k, false, false, removed, r);
    }
    if (--p->open == 0)
        prune_end(p);
}

static bool may_go(const struct container *k, const struct api_filters *f, int64_t until) {
    const struct strs *spared = api_filter(f, "label!");
    return (k->state == CONTAINER_CREATED || k->state == CONTAINER_EXITED ||
            k->state == CONTAINER_DEAD) &&
           (until == 0 || k->created < until) &&
           api_filter_labels(api_filter(f, "label"), &k->config->labels) &&
           !(spared && api_filter_any_label(spared, &k->config->labels));
}

void api_container_prune(struct api_call *c) {
    static const char *const allowed[] = {"until", "label", "label!", NULL};
    struct api_filters f;
    int64_t until = 0;
    struct err e = api_read_filters(c, allowed, &f);
    if (!err_failed(e))
        e = api_filter_until(&f, &until);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    size_t n = 0;
    struct container *const *all = containers_all(c->api->containers, &n);
    VEC(struct container *) going = {0};
    for (size_t i = 0; i < n; i++)
        if (may_go(all[i], &f, until))
            vec_push(&going, all[i]);
    struct prune *p = NEW(struct prune);
    p->call = c;
    containers_measure(c->api->containers, going.items, going.n, measured, p);
    vec_done(&going);
}
