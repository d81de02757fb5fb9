/* The builder's cache as others see it: steps are images that no list shows. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/view.h"
#include "base/time.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Layers of the images that lists show. */
static void find_users(struct images *im, struct map *ret) {
    size_t at = 0;
    struct image *i;
    while ((i = images_next(im, &at)))
        for (size_t k = 0; !i->step && k < i->layers_n; k++)
            (void)map_set(ret, str_n(&i->layers[k], sizeof(i->layers[k])), i);
}

void view_build_cache(struct images *im, struct arena *a, struct objs *ret) {
    CLEAN_MAP struct map users = {0};
    size_t at = 0;
    struct image *i;
    find_users(im, &users);
    ret->present = true;
    while ((i = images_next(im, &at))) {
        /* What a stage begins with has no layer of its own. */
        if (!i->step || i->layers_n == 0 || (i->parent && i->parent->layers_n == i->layers_n))
            continue;
        struct layer *own = i->layers[i->layers_n - 1];
        struct api_build_cache *c = objs_add(ret, a, sizeof(*c));
        c->id = arena_strz(a, i->id_text);
        c->type = arena_strz(a, "regular");
        c->description = arena_strz(a, "");
        c->in_use = i->holds_n > 0;
        c->shared = map_get(&users, str_n(&own, sizeof(own))) != NULL;
        c->size = (int64_t)own->disk;
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
    int64_t until;                        /* wall ns; 0: any */
    int64_t keep;                         /* bytes that may stay; -1: none */
    int64_t reserved, max_used, min_free; /* what keep is made of, once the sum is known; 0: none */
    struct map chosen;
    struct map users; /* layers of images that lists show */
    bool mounts;
    struct api_build_pruned doc;
};

/* Entries have no labels: `system prune --filter label=…` of the stock client asks for none of
 * them, `label!=…` for all. */
static bool no_entry(const struct prune *p) {
    return api_filter(&p->filters, "label") != NULL;
}

/* A part of an id, as the peer takes it. */
static bool names_id(const struct strs *ids, const char *id) {
    for (size_t n = 0; ids && n < ids->n; n++)
        if (!strstr(id, ids->items[n]))
            return false;
    return true;
}

static bool is_what(const struct prune *p, const char *filter, bool is) {
    const struct strs *v = api_filter(&p->filters, filter);
    return !v || api_filter_bool(v) == is;
}

static bool is_text(const struct prune *p, const char *filter, const char *text) {
    const struct strs *v = api_filter(&p->filters, filter);
    return !v || strs_has(v, text);
}

/* Steps, and results that only a record has kept. */
static bool may_go(const struct prune *p, const struct image *i) {
    if (no_entry(p))
        return false;
    if (!i->step && (!image_is_cached(i) || !list_empty(&i->tags)))
        return false;
    struct layer *own = i->layers_n ? i->layers[i->layers_n - 1] : NULL;
    bool shared = own && map_get(&p->users, str_n(&own, sizeof(own)));
    if (!names_id(api_filter(&p->filters, "id"), i->id_text) ||
        !is_text(p, "parent", i->parent ? i->parent->id_text : "") ||
        !is_text(p, "description", "") || !is_what(p, "inuse", i->holds_n > 0) ||
        !is_what(p, "shared", shared) || !is_what(p, "private", !shared))
        return false;
    return p->until == 0 || image_used_at(i) < p->until;
}

/* Bytes of those of its layers that are not among the kept ones. */
static uint64_t more_bytes(const struct image *i, const struct map *kept) {
    uint64_t bytes = 0;
    for (size_t k = 0; k < i->layers_n; k++)
        if (!map_get(kept, str_n(&i->layers[k], sizeof(i->layers[k]))))
            bytes += i->layers[k]->disk;
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

/* Bytes that may stay of `sum`, as the peer reckons: no more than max-used-space, so much less that
 * min-free-space becomes free, but reserved-space in any case. -1: all goes. */
static int64_t bytes_kept(const struct prune *p, uint64_t sum, uint64_t available) {
    int64_t keep = p->max_used > 0 ? p->max_used : -1;
    if (p->min_free > 0) {
        uint64_t lacks = (uint64_t)p->min_free - MIN((uint64_t)p->min_free, available);
        int64_t left = (int64_t)(sum - MIN(sum, lacks));
        keep = keep < 0 ? left : MIN(keep, left);
    }
    return p->reserved > 0 ? MAX(keep, p->reserved) : keep;
}

static uint64_t sum_of(struct image *const *all, size_t n, const struct map *kept) {
    CLEAN_MAP struct map seen = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < all[i]->layers_n; k++) {
            struct str key = str_n(&all[i]->layers[k], sizeof(all[i]->layers[k]));
            if (!map_get(kept, key) && !map_set(&seen, key, all[i]))
                sum += all[i]->layers[k]->disk;
        }
    return sum;
}

/* What was used last stays, as much as may: an image with all its layers. */
static void choose(struct prune *p, struct images *im, uint64_t available) {
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
    p->keep = bytes_kept(p, sum_of(all.items, all.n, &kept), available);
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

static void maps_done(struct prune *p) {
    map_done(&p->chosen);
    map_done(&p->users);
}

static void reply(struct api_call *c) {
    struct prune *p = c->state;
    maps_done(p);
    api_reply_doc(c, 200, &api_build_pruned_fields, &p->doc);
}

static bool is_cache_mount(void *arg, const struct volume *v) {
    const struct api_call *c = arg;
    const struct prune *p = c->state;
    const struct strs *ids = api_filter(&p->filters, "id");
    const char *id = strmap_get(&v->labels, BUILD_CACHE_LABEL);
    return id && !no_entry(p) && names_id(ids, id) && (p->until == 0 || v->created < p->until);
}

static bool failed(struct api_call *c, struct err e) {
    if (err_failed(e)) {
        maps_done(c->state);
        api_reply_err(c, e);
        return true;
    }
    return false;
}

static void mounts_pruned(void *arg, struct err e, const struct strv *removed, uint64_t bytes) {
    struct api_call *c = arg;
    struct prune *p = c->state;
    if (failed(c, e))
        return;
    for (size_t i = 0; i < removed->n; i++)
        strs_add(&p->doc.deleted, &c->arena, arena_strz(&c->arena, removed->items[i]));
    p->doc.space_reclaimed += bytes;
    reply(c);
}

static void pruned(void *arg, const struct image_removals *r, uint64_t reclaimed, struct err e) {
    struct api_call *c = arg;
    struct prune *p = c->state;
    if (failed(c, e))
        return;
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].deleted)
            strs_add(&p->doc.deleted, &c->arena, r->items[i].deleted);
    p->doc.space_reclaimed += reclaimed;
    if (p->mounts)
        volumes_prune(c->api->volumes, is_cache_mount, mounts_pruned, c);
    else
        reply(c);
}

static struct err read_amounts(struct api_call *c, struct prune *p) {
    const struct {
        const char *name;
        int64_t *to;
    } all[] = {{"keep-storage", &p->reserved}, /* until API 1.47 */
               {"reserved-space", &p->reserved},
               {"max-used-space", &p->max_used},
               {"min-free-space", &p->min_free}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *text = api_query(c, all[i].name);
        if (text && *text)
            TRY(api_query_i64(c, all[i].name, 0, INT64_MAX, all[i].to));
    }
    return OK;
}

/* `unused-for` is the other name of `until`; of both the earlier time counts. */
static struct err read_until(struct prune *p) {
    int64_t other = 0;
    TRY(api_filter_until(&p->filters, &p->until));
    TRY(api_filter_time(&p->filters, "unused-for", &other));
    if (other && (!p->until || other < p->until))
        p->until = other;
    return OK;
}

static struct err read_filters(struct api_call *c, struct prune *p) {
    static const char *const allowed[] = {"until",       "unused-for", "type",   "id",
                                          "parent",      "inuse",      "shared", "private",
                                          "description", "label",      "label!", NULL};
    TRY(api_read_filters(c, allowed, &p->filters));
    TRY(read_until(p));
    TRY(api_filter_check_bool(&p->filters, "inuse"));
    TRY(api_filter_check_bool(&p->filters, "shared"));
    return api_filter_check_bool(&p->filters, "private");
}

/* Bytes that a program may still write to the data root's file system; asked of the kernel alone.
 */
static struct err find_available(const struct api *api, uint64_t *ret) {
    struct statvfs fs;
    if (statvfs(api->data_root, &fs) < 0)
        return err_errno(errno, "statvfs '%s'", api->data_root);
    *ret = (uint64_t)fs.f_bavail * fs.f_frsize;
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
    struct prune *p = arena_alloc(&c->arena, sizeof(*p));
    bool steps = false;
    uint64_t available = 0;
    *p = (struct prune){0};
    struct err e = read_filters(c, p);
    if (!err_failed(e))
        e = read_types(c, p, &steps);
    if (!err_failed(e))
        e = read_amounts(c, p);
    if (!err_failed(e) && p->min_free > 0)
        e = find_available(c->api, &available);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    c->state = p;
    find_users(c->api->images, &p->users);
    if (steps)
        choose(p, c->api->images, available);
    image_cache_clear(c->api->images, forgets, c);
    image_prune(c->api->images, true, goes, pruned, c);
}
