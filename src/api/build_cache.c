/* The builder's cache as others see it: steps are images that no list shows. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/view.h"
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
    }
}

/* Steps, and results that only a record has kept: c->state has their ids. */
static bool is_cache(void *arg, struct image *i) {
    const struct api_call *c = arg;
    const struct strs *kept = c->state;
    return i->step || strs_has(kept, i->id_text);
}

static void pruned(void *arg, const struct image_removals *r, uint64_t reclaimed, struct err e) {
    struct api_call *c = arg;
    struct api_build_pruned doc = {.space_reclaimed = reclaimed};
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].deleted)
            strs_add(&doc.deleted, &c->arena, r->items[i].deleted);
    api_reply_doc(c, 200, &api_build_pruned_fields, &doc);
}

/* Records go all at once; what asks to keep some of them is refused. */
static struct err check(struct api_call *c) {
    static const char *const amounts[] = {"keep-storage", "reserved-space", "max-used-space",
                                          "min-free-space"};
    static const char *const none[] = {NULL};
    struct api_filters filters = {0};
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
        const char *value = api_query(c, amounts[i]);
        if (value && *value && strcmp(value, "0") != 0)
            return err_new(ERR_UNSUPPORTED, "query parameter '%s' is not supported", amounts[i]);
    }
    return api_read_filters(c, none, &filters);
}

void api_build_prune(struct api_call *c) {
    struct err e = check(c);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct strs *kept = arena_alloc(&c->arena, sizeof(*kept));
    struct image *i;
    size_t at = 0;
    while ((i = images_next(c->api->images, &at)))
        if (!i->step && image_is_cached(i))
            strs_add(kept, &c->arena, i->id_text);
    c->state = kept;
    image_cache_clear(c->api->images);
    image_prune(c->api->images, true, is_cache, pruned, c);
}
