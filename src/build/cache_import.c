/* build/cache_import.c - steps of a cache image into the daemon. */
#include "base/map.h"
#include "build/cache.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/reference.h"
#include <stdlib.h>

static void map_clean(struct map *m) {
    map_done(m);
}

/* A step image of these layers, with its key. Steps of a chain have the same layers seldom, but
 * several keys may stand for one. */
static struct err adopt_step(struct build *b, const char *image, struct str key,
                             const struct cache_layers *l, struct map *made, unsigned *count) {
    CLEAN_BUF struct buf text = {0};
    char *step = NULL, *keyz = arena_str(b->arena, key);
    TRY(daemon_cache_get(b->client, keyz, b->arena, &step));
    if (step)
        return OK;
    cache_layers_print(l, &text);
    ++*count;
    step = map_get(made, buf_str(&text));
    if (step)
        return daemon_cache_put(b->client, keyz, step);
    TRY(daemon_stack(b->client, "scratch", keyz, image, l->numbers, l->n, b->arena, &step));
    map_set(made, str_of(arena_str(b->arena, buf_str(&text))), step);
    return OK;
}

static struct err adopt_steps(struct build *b, const struct build_base *base, const char *label,
                              size_t layers_n, unsigned *ret_count) {
    OWN(map_clean) struct map made = {0};
    struct str rest = str_of(label), key;
    struct cache_layers layers;
    for (size_t n = 0; n < CACHE_RECORDS_MAX; n++) {
        bool more;
        TRY(cache_next(&rest, layers_n, &key, &layers, &more));
        if (!more)
            return OK;
        TRY(adopt_step(b, base->image, key, &layers, &made, ret_count));
    }
    return err_new(ERR_INVALID, "more than %u steps", CACHE_RECORDS_MAX);
}

static struct err adopt(struct build *b, const char *image, const char *from) {
    struct build_base base = {0};
    struct oci_image_config c;
    unsigned count = 0;
    TRY(daemon_base(b->client, image, b->arena, &base));
    TRY(oci_image_config_parse(base.config, b->arena, &c));
    const char *label = strmap_get(&c.config.labels, CACHE_STEPS_LABEL);
    if (!label)
        return err_new(ERR_NOT_FOUND, "the image has no build cache in it");
    TRY(adopt_steps(b, &base, label, c.rootfs.diff_ids.n, &count));
    return report_text(b->report, "cache from %s: %u steps are new here\n", from, count);
}

/* --- from a registry, or an image that is here --------------------------------------------------
 */
static struct err take_registry(struct build *b, const struct build_cache *from) {
    struct build_base base = {0};
    struct loan loan;
    TRY(loan_take(b, from->name, &loan));
    if (loan.owner && from->local_first)
        return adopt(b, loan.owner, from->name);
    struct err e = base_pull(b, loan.name);
    if (!err_failed(e))
        e = daemon_base(b->client, loan.name, b->arena, &base);
    bool other = !err_failed(e) && (!loan.owner || strcmp(base.image, loan.owner) != 0);
    if (!err_failed(e))
        e = adopt(b, base.image, from->name);
    struct err back = other ? loan_return(b, &loan) : OK;
    if (err_failed(e)) {
        err_ignore(back); /* the first counts */
        return e;
    }
    return back;
}

/* --- from a directory ---------------------------------------------------------------------------
 */
static struct err take_layout(struct build *b, const struct build_cache *from) {
    const char *image = NULL;
    TRY(layout_load(b, from->name, &image));
    if (!image)
        return err_new(ERR_INVALID, "no image is in it");
    struct err e = adopt(b, image, from->name);
    struct err gone = image_forget(b, image);
    if (err_failed(e)) {
        err_ignore(gone); /* the first counts */
        return e;
    }
    return gone;
}

/* A cache that cannot be had makes a build slower, not wrong: as the peer, it is said. */
static struct err take(struct build *b, const struct build_cache *from) {
    struct err e = strcmp(from->type, "local") == 0 ? take_layout(b, from) : take_registry(b, from);
    if (!err_failed(e) || err_kind(e) == ERR_CANCELLED)
        return e;
    struct err told = report_text(b->report, "[Warning] cache from %s: %s\n", from->name,
                                  err_msg(e));
    err_free(e); /* was told */
    return told;
}

struct err cache_import(struct build *b) {
    const struct build_cache *from = b->job->cache_from.items;
    for (size_t i = 0; i < b->job->cache_from.n; i++)
        TRY(take(b, &from[i]));
    for (size_t i = 0; i < b->request->cache_from.n; i++)
        TRY(take(b, &(struct build_cache){.type = (char *)"registry",
                                          .name = b->request->cache_from.items[i],
                                          .local_first = true}));
    return OK;
}
