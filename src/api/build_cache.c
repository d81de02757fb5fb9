/* The builder's cache as others see it: steps are images that no list shows. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/view.h"
#include "spec/corten_build.h"
#include <stdlib.h>
#include <string.h>

void view_build_cache(struct images *im, struct arena *a, struct objs *ret) {
    CLEAN_MAP struct map users = {0};
    size_t at = 0;
    struct image *i;
    /* Layers of the images that lists show. */
    while ((i = images_next(im, &at)))
        for (size_t k = 0; !i->step && k < i->layers_n; k++)
            (void)map_set(&users, str_n(&i->layers[k], sizeof(i->layers[k])), i);
    ret->present = true;
    at = 0;
    while ((i = images_next(im, &at))) {
        if (!i->step || i->layers_n == 0)
            continue;
        struct layer *own = i->layers[i->layers_n - 1];
        struct api_build_cache *c = objs_add(ret, a, sizeof(*c));
        c->id = arena_strz(a, i->id_text);
        c->type = arena_strz(a, "regular");
        c->description = arena_strz(a, "");
        c->in_use = i->holds_n > 0;
        c->shared = map_get(&users, str_n(&own, sizeof(own))) != NULL;
        c->size = (int64_t)own->size;
        c->created_at = i->created;
        c->last_used_at = image_used_at(i);
    }
}

/* --- prune --------------------------------------------------------------------------------------
 */
#define TYPE_STEP "regular"
#define TYPE_MOUNT "exec.cachemount" /* as the peer calls it */

struct prune {
    struct api_filters filters;
    int64_t until; /* wall ns; 0: any */
    int64_t keep;  /* bytes that may stay; -1: none is asked for */
    struct map chosen;
    bool mounts;
    struct api_build_pruned doc;
};

/* Entries have no labels: `system prune --filter label=…` of the stock client asks for none of them,
 * `label!=…` for all. */
static bool no_entry(const struct prune *p) {
    return api_filter(&p->filters, "label") != NULL;
}

/* Steps, and results that only a record has kept. */
static bool may_go(const struct prune *p, const struct image *i) {
    if (no_entry(p))
        return false;
    const struct strs *ids = api_filter(&p->filters, "id");
    if (!i->step && (!image_is_cached(i) || !list_empty(&i->tags)))
        return false;
    if (ids && !strs_has(ids, i->id_text))
        return false;
    return p->until == 0 || image_used_at(i) < p->until;
}

/* Bytes of those of its layers that are not among the kept ones. */
static uint64_t more_bytes(const struct image *i, const struct map *kept) {
    uint64_t bytes = 0;
    for (size_t k = 0; k < i->layers_n; k++)
        if (!map_get(kept, str_n(&i->layers[k], sizeof(i->layers[k]))))
            bytes += i->layers[k]->size;
    return bytes;
}
static void keep_layers(const struct image *i, struct map *kept) {
    for (size_t k = 0; k < i->layers_n; k++)
        (void)map_set(kept, str_n(&i->layers[k], sizeof(i->layers[k])), i->layers[k]);
}

static int newest_first(const void *a, const void *b) {
    int64_t x = image_used_at(*(struct image *const *)a),
            y = image_used_at(*(struct image *const *)b);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* What was used last stays, as much as may: an image with all its layers. */
static void choose(struct prune *p, struct images *im) {
    VEC(struct image *) all = {0};
    CLEAN_MAP struct map kept = {0};
    struct image *i;
    size_t at = 0;
    uint64_t bytes = 0;
    while ((i = images_next(im, &at))) {
        if (may_go(p, i))
            vec_push(&all, i);
        else if (!i->step) /* its layers are none of the cache's */
            keep_layers(i, &kept);
    }
    if (all.n && p->keep >= 0)
        qsort(all.items, all.n, sizeof(all.items[0]), newest_first);
    for (size_t n = 0; n < all.n; n++) {
        uint64_t more = more_bytes(all.items[n], &kept);
        if (p->keep < 0 || more > (uint64_t)p->keep - bytes) {
            map_set(&p->chosen, str_of(all.items[n]->id_text), all.items[n]);
            continue;
        }
        bytes += more;
        keep_layers(all.items[n], &kept);
    }
    vec_done(&all);
}

static bool is_chosen(const struct api_call *c, const struct image *i) {
    const struct prune *p = c->state;
    return map_get(&p->chosen, str_of(i->id_text)) != NULL;
}
static bool goes(void *arg, struct image *i) {
    return is_chosen(arg, i);
}
static bool forgets(void *arg, const struct image *i) {
    return is_chosen(arg, i);
}

static void reply(struct api_call *c) {
    struct prune *p = c->state;
    map_done(&p->chosen);
    api_reply_doc(c, 200, &api_build_pruned_fields, &p->doc);
}

static bool is_cache_mount(void *arg, const struct volume *v) {
    const struct api_call *c = arg;
    const struct prune *p = c->state;
    const struct strs *ids = api_filter(&p->filters, "id");
    const char *id = strmap_get(&v->labels, BUILD_CACHE_LABEL);
    return id && !no_entry(p) && (!ids || strs_has(ids, id)) && (p->until == 0 || v->created < p->until);
}

static void mounts_pruned(void *arg, struct err e, const struct strv *removed, uint64_t bytes) {
    struct api_call *c = arg;
    struct prune *p = c->state;
    if (err_failed(e)) {
        map_done(&p->chosen);
        api_reply_err(c, e);
        return;
    }
    for (size_t i = 0; i < removed->n; i++)
        strs_add(&p->doc.deleted, &c->arena, arena_strz(&c->arena, removed->items[i]));
    p->doc.space_reclaimed += bytes;
    reply(c);
}

static void pruned(void *arg, const struct image_removals *r, uint64_t reclaimed, struct err e) {
    struct api_call *c = arg;
    struct prune *p = c->state;
    if (err_failed(e)) {
        map_done(&p->chosen);
        api_reply_err(c, e);
        return;
    }
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].deleted)
            strs_add(&p->doc.deleted, &c->arena, r->items[i].deleted);
    p->doc.space_reclaimed += reclaimed;
    if (p->mounts)
        volumes_prune(c->api->volumes, is_cache_mount, mounts_pruned, c);
    else
        reply(c);
}

/* The least of the amounts that were given: all of them bound what stays. */
static struct err read_amounts(struct api_call *c, struct prune *p) {
    static const char *const names[] = {"keep-storage", "reserved-space", "max-used-space"};
    const char *least = api_query(c, "min-free-space");
    p->keep = -1;
    if (least && *least && strcmp(least, "0") != 0)
        return err_new(ERR_UNSUPPORTED, "query parameter 'min-free-space' is not supported");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int64_t n = 0;
        const char *text = api_query(c, names[i]);
        if (!text || !*text)
            continue;
        TRY(api_query_i64(c, names[i], 0, INT64_MAX, &n));
        if (n > 0 && (p->keep < 0 || n < p->keep))
            p->keep = n;
    }
    return OK;
}

static struct err read_types(struct api_call *c, struct prune *p, bool *ret_steps) {
    const struct strs *types = api_filter(&p->filters, "type");
    *ret_steps = !types || strs_has(types, TYPE_STEP);
    p->mounts = types ? strs_has(types, TYPE_MOUNT) : api_query_bool(c, "all", false);
    for (size_t i = 0; types && i < types->n; i++)
        if (strcmp(types->items[i], TYPE_STEP) != 0 && strcmp(types->items[i], TYPE_MOUNT) != 0)
            return err_new(ERR_INVALID, "filter type=%s: there are " TYPE_STEP " and " TYPE_MOUNT,
                           types->items[i]);
    return OK;
}

void api_build_prune(struct api_call *c) {
    static const char *const allowed[] = {"until", "type", "id", "label", "label!", NULL};
    struct prune *p = arena_alloc(&c->arena, sizeof(*p));
    bool steps = false;
    *p = (struct prune){0};
    struct err e = api_read_filters(c, allowed, &p->filters);
    if (!err_failed(e))
        e = api_filter_until(&p->filters, &p->until);
    if (!err_failed(e))
        e = read_types(c, p, &steps);
    if (!err_failed(e))
        e = read_amounts(c, p);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    c->state = p;
    if (steps)
        choose(p, c->api->images);
    image_cache_clear(c->api->images, forgets, c);
    image_prune(c->api->images, true, goes, pruned, c);
}
