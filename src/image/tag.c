/* tag.c - giving names: tags and the builder's cache keys. */
#include "base/log.h"
#include "base/time.h"
#include "image/facts.h"
#include <stdlib.h>

struct tagging {
    struct change change;
    struct digest id; /* the image is looked up again when its turn comes */
    struct reference ref;
    int64_t now;
    image_done *done;
    void *arg;
};

static struct err tag_build(struct change *c, struct store_txn *t) {
    struct tagging *g = CONTAINER_OF(c, struct tagging, change);
    struct image_fact *f = map_get(&c->images->by_id, digest_key(&g->id));
    char text[REFERENCE_TEXT_MAX];
    if (!f || f->image.removed)
        return err_new(ERR_NOT_FOUND, "No such image: %s", digest_text(&g->id, text));
    store_add(t, "INSERT OR REPLACE INTO image_tag (ref, image, tagged_at) VALUES (?, ?, ?)", "sbi",
              reference_text(&g->ref, text), digest_key(&g->id), g->now);
    store_add(t, "UPDATE image SET tagged_at = ? WHERE id = ?", "ib", g->now, digest_key(&g->id));
    return OK;
}

static void tag_apply(struct change *c, struct err e) {
    struct tagging *g = CONTAINER_OF(c, struct tagging, change);
    struct images *im = c->images;
    struct image_fact *f = map_get(&im->by_id, digest_key(&g->id));
    if (!err_failed(e) && f) {
        image_set_tag(im, &f->image, &g->ref, g->now);
        char name[REFERENCE_TEXT_MAX];
        image_publish(im, "tag", &f->image, reference_familiar(&g->ref, name));
    }
    if (g->done)
        g->done(g->arg, e);
    else
        log_err(LOG_WARN, e, "tag image");
    free(g);
}

void image_set_tag(struct images *im, struct image *i, const struct reference *ref, int64_t now) {
    char text[REFERENCE_TEXT_MAX];
    struct image_tag *old = map_getz(&im->by_ref, reference_text(ref, text));
    if (!ref->has_digest)
        i->tagged_at = now;
    fact_of(i)->used_at = MAX(fact_of(i)->used_at, now);
    if (old && old->image == i)
        return;
    if (old)
        tag_free(im, old);
    tag_link(im, i, ref);
}

void image_tag(struct images *im, struct image *i, const struct reference *ref, image_done *done,
               void *arg) {
    struct tagging *g = NEW(struct tagging);
    g->change = (struct change){.mode = STORE_DURABLE, .build = tag_build, .apply = tag_apply};
    g->id = i->id;
    g->ref = *ref;
    reference_default_tag(&g->ref);
    g->now = time_now();
    g->done = done;
    g->arg = arg;
    change_start(im, &g->change);
}

/* --- the builder's cache
 * ------------------------------------------------------------------------------ */
static void cache_unlink(struct images *im, struct str key) {
    struct image_fact *old = map_del(&im->cache, key);
    for (size_t n = 0; old && n < old->cache_keys.n; n++)
        if (str_eqz(key, old->cache_keys.items[n])) {
            free(old->cache_keys.items[n]);
            vec_remove(&old->cache_keys, n);
            return;
        }
}

void cache_link(struct images *im, struct str key, struct image_fact *f) {
    cache_unlink(im, key);
    map_set(&im->cache, key, f);
    vec_push(&f->cache_keys, str_dup(key));
}

void image_cache_put(struct images *im, struct str key, struct image *i) {
    if (i->removed)
        return;
    cache_link(im, key, fact_of(i));
    fact_of(i)->used_at = time_now();
    struct store_txn *t = store_txn_new();
    store_add(t, "INSERT OR REPLACE INTO build_cache (key, image, used_at) VALUES (?, ?, ?)", "tbi",
              key, digest_key(&i->id), time_now());
    store_commit(im->store, t, STORE_LAZY, NULL, NULL);
}

bool image_is_cached(const struct image *i) {
    return fact_of_const(i)->cache_keys.n > 0;
}

int64_t image_used_at(const struct image *i) {
    return MAX(fact_of_const(i)->used_at, i->tagged_at);
}

void image_cache_clear(struct images *im, bool (*wanted)(void *arg, const struct image *i),
                       void *arg) {
    size_t it = 0;
    void *p;
    struct store_txn *t = store_txn_new();
    while (map_next(&im->by_id, &it, NULL, &p)) {
        struct image_fact *f = p;
        if (f->cache_keys.n == 0 || (wanted && !wanted(arg, &f->image)))
            continue;
        for (size_t n = 0; n < f->cache_keys.n; n++) {
            map_del(&im->cache, str_of(f->cache_keys.items[n]));
            free(f->cache_keys.items[n]);
        }
        vec_done(&f->cache_keys);
        if (wanted)
            store_add(t, "DELETE FROM build_cache WHERE image = ?", "b", digest_key(&f->image.id));
    }
    if (!wanted)
        store_add(t, "DELETE FROM build_cache", "");
    store_commit(im->store, t, STORE_LAZY, NULL, NULL);
}
