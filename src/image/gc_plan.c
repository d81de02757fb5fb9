/* gc_plan.c - chooses what goes. Images are taken by class (build cache, dangling, tagged), then by
 * last use; one with children waits for them. What a removal would free is counted on a copy of the
 * layers' reference counts, so that a plan for many images adds up. */
#include "image/gc_plan.h"
#include "base/time.h"
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum class { CLASS_STEP, CLASS_DANGLING, CLASS_TAGGED };
static const char *const class_names[] = {"build-cache", "dangling", "image"};

struct candidate {
    struct image *image;
    enum class class;
    int64_t used_at;
    const char *stays; /* why it can never go */
    bool gone;
};

struct plan {
    struct images *images;
    const struct gc_limits *limits;
    struct arena *arena;
    struct store_gc *doc;
    struct candidate *all;
    size_t n;
    struct map refs;     /* layer_fact * → references that are left, + 1 */
    struct map children; /* image * → children that are left, + 1 */
};

static uint64_t layer_bytes(const struct layer_fact *l) {
    return l->layer.disk + (l->blob ? l->blob->size : 0);
}

uint64_t gc_used(const struct images *im) {
    uint64_t layers, blobs;
    images_usage(im, &layers, &blobs);
    return layers + blobs;
}

static struct str pointer_key(const void *const *p) {
    return str_n(p, sizeof(*p));
}

/* A counter by pointer that begins at `first`. */
static uintptr_t count_of(const struct map *m, const void *p, uintptr_t first) {
    uintptr_t n = (uintptr_t)map_get(m, pointer_key(&p));
    return n ? n - 1 : first;
}

static void count_set(struct map *m, const void *p, uintptr_t n) {
    (void)map_set(m, pointer_key(&p), (void *)(n + 1));
}

static bool has_tag(const struct image *i) {
    LIST_FOR ((struct list *)(uintptr_t)&i->tags, n)
        if (CONTAINER_OF(n, struct image_tag, link)->ref.tag[0])
            return true;
    return false;
}

static const char *kept_by_pattern(const struct plan *p, const struct image *i) {
    const struct image_gc_policy *policy = p->limits->policy;
    char whole[REFERENCE_TEXT_MAX], name[REFERENCE_TEXT_MAX];
    LIST_FOR ((struct list *)(uintptr_t)&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        reference_familiar(&t->ref, whole);
        reference_familiar_name(&t->ref, name);
        for (size_t k = 0; k < policy->keep_n; k++)
            if (fnmatch(policy->keep[k], whole, 0) == 0 || fnmatch(policy->keep[k], name, 0) == 0)
                return arena_printf(p->arena, "its name matches '%s'", policy->keep[k]);
    }
    return NULL;
}

/* NULL: it may go. */
static const char *why_it_stays(const struct plan *p, const struct candidate *c) {
    const struct image *i = c->image;
    const char *pattern = kept_by_pattern(p, i);
    if (i->holds_n > 0)
        return arena_printf(p->arena, "container %.12s uses it",
                            CONTAINER_OF(i->holds.next, struct image_hold, link)->container_id);
    if (fact_of_const(i)->pins > 0)
        return "a job reads it";
    if (pattern)
        return pattern;
    if (c->class == CLASS_TAGGED && !p->limits->policy->images)
        return "it has a name, and the policy keeps such images";
    if (p->limits->now - c->used_at < p->limits->grace)
        return "it was used a moment ago";
    return NULL;
}

static int oldest_first(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->used_at != y->used_at)
        return x->used_at < y->used_at ? -1 : 1;
    return strcmp(x->image->id_text, y->image->id_text);
}

static void gather(struct plan *p) {
    size_t it = 0;
    struct image *i;
    p->all = arena_array(p->arena, p->images->visible + 1, sizeof(*p->all));
    while ((i = images_next(p->images, &it)) != NULL) {
        struct candidate *c = &p->all[p->n++];
        *c = (struct candidate){.image = i,
                                .class = i->step      ? CLASS_STEP
                                         : has_tag(i) ? CLASS_TAGGED
                                                      : CLASS_DANGLING,
                                .used_at = MAX(fact_of(i)->used_at, i->tagged_at)};
        c->stays = why_it_stays(p, c);
    }
    qsort(p->all, p->n, sizeof(*p->all), oldest_first);
}

static uint64_t frees(const struct plan *p, const struct image *i) {
    uint64_t n = i->artifact ? i->size : 0;
    for (size_t k = 0; k < i->layers_n; k++) {
        const struct layer_fact *l = layer_fact_of(i->layers[k]);
        if (count_of(&p->refs, l, l->refs) != 1)
            continue;
        n += layer_bytes(l);
        if (l->base && count_of(&p->refs, l->base, l->base->refs) == 1)
            n += layer_bytes(l->base);
    }
    return n;
}

static void duration(int64_t ns, struct arena *a, const char **ret) {
    int64_t s = ns / NSEC_PER_SEC;
    if (s >= 2 * 86400)
        *ret = arena_printf(a, "%" PRId64 " days", s / 86400);
    else if (s >= 2 * 3600)
        *ret = arena_printf(a, "%" PRId64 " hours", s / 3600);
    else if (s >= 2 * 60)
        *ret = arena_printf(a, "%" PRId64 " minutes", s / 60);
    else
        *ret = arena_printf(a, "%" PRId64 " seconds", s);
}

/* NULL: nothing asks for it. */
static const char *why_it_goes(const struct plan *p, const struct candidate *c) {
    const struct image_gc_policy *policy = p->limits->policy;
    uint64_t reclaimed = (uint64_t)p->doc->reclaimed;
    int64_t age = p->limits->now - c->used_at;
    const char *unused, *limit;
    duration(age, p->arena, &unused);
    duration(policy->max_age, p->arena, &limit);
    if (policy->max_age > 0 && age > policy->max_age)
        return arena_printf(p->arena, "unused for %s, more than %s", unused, limit);
    if (policy->max_bytes > 0 && (uint64_t)p->doc->used - reclaimed > policy->max_bytes)
        return arena_printf(p->arena,
                            "unused for %s; images and cache take more than %" PRIu64 " bytes",
                            unused, policy->max_bytes);
    if (policy->min_free > 0 && p->limits->free + reclaimed < policy->min_free)
        return arena_printf(p->arena, "unused for %s; less than %" PRIu64 " bytes are free", unused,
                            policy->min_free);
    return NULL;
}

static struct store_gc_item *add_item(const struct plan *p, struct objs *to,
                                      const struct candidate *c, const char *reason) {
    struct store_gc_item *item = objs_add(to, p->arena, sizeof(*item));
    char name[REFERENCE_TEXT_MAX] = "";
    if (!list_empty(&c->image->tags))
        image_print_name(c->image, name);
    *item = (struct store_gc_item){.kind = arena_strz(p->arena, class_names[c->class]),
                                   .id = arena_strz(p->arena, c->image->id_text),
                                   .name = arena_strz(p->arena, name),
                                   .bytes = (int64_t)frees(p, c->image),
                                   .last_used = c->used_at,
                                   .reason = arena_strz(p->arena, reason)};
    return item;
}

static void take(struct plan *p, struct candidate *c, const char *reason) {
    const struct image *i = c->image;
    const struct store_gc_item *item = add_item(p, &p->doc->removed, c, reason);
    p->doc->reclaimed += item->bytes;
    c->gone = true;
    for (size_t k = 0; k < i->layers_n; k++) {
        const struct layer_fact *l = layer_fact_of(i->layers[k]);
        uintptr_t left = count_of(&p->refs, l, l->refs) - 1;
        count_set(&p->refs, l, left);
        if (left == 0 && l->base)
            count_set(&p->refs, l->base, count_of(&p->refs, l->base, l->base->refs) - 1);
    }
    if (i->parent)
        count_set(&p->children, i->parent,
                  count_of(&p->children, i->parent, i->parent->children) - 1);
}

/* One round over all; true when something went, so that a parent may be free now. */
static bool round_of(struct plan *p) {
    bool any = false;
    for (size_t k = 0; k < p->n; k++) {
        struct candidate *c = &p->all[k];
        if (c->gone || c->stays || count_of(&p->children, c->image, c->image->children) > 0)
            continue;
        const char *reason = why_it_goes(p, c);
        if (reason) {
            take(p, c, reason);
            any = true;
        }
    }
    return any;
}

void gc_plan(struct images *im, const struct gc_limits *limits, struct arena *a,
             struct store_gc *ret) {
    struct plan p = {.images = im, .limits = limits, .arena = a, .doc = ret};
    ret->removed.present = ret->kept.present = true;
    ret->used = (int64_t)gc_used(im);
    ret->free = (int64_t)limits->free;
    gather(&p);
    while (round_of(&p))
        ;
    for (size_t k = 0; k < p.n && !limits->quiet; k++) {
        const struct candidate *c = &p.all[k];
        if (c->gone)
            continue;
        bool parent = count_of(&p.children, c->image, c->image->children) > 0;
        add_item(&p, &ret->kept, c,
                 c->stays ? c->stays
                 : parent ? "another image was built on it"
                          : "the limits are met");
    }
    map_done(&p.refs);
    map_done(&p.children);
}
