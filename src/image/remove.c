/* remove.c - removing tags and images, with the rules and words of the peer (daemon/images
 * image_delete.go of moby 20.10-28): a reference goes first; an image goes when nothing refers to
 * it. */
#include "base/log.h"
#include "image/facts.h"
#include <stdlib.h>

struct removal {
    struct change change;
    char *ref; /* as the client gave it; NULL: `wanted` images (prune) */
    bool force, noprune, dangling_only;
    bool (*wanted)(void *arg, struct image *i);
    void (*done)(void *arg, const struct image_removals *r, struct err e);
    void (*done_prune)(void *arg, const struct image_removals *r, uint64_t reclaimed, struct err e);
    void *arg;
    /* decided by build */
    struct err refused;              /* said after what could be done was done */
    VEC(struct image_tag *) tags;    /* to go */
    VEC(struct image_fact *) images; /* to go, children before parents */
};

static void tag_goes(struct removal *r, struct image_tag *t) {
    if (!t->going)
        vec_push(&r->tags, t);
    t->going = true;
}

static void image_goes(struct removal *r, struct image *i) {
    fact_of(i)->going = true;
    if (i->parent)
        fact_of(i->parent)->children_going++;
    vec_push(&r->images, fact_of(i));
}

/* The lists stay, the marks are the next decision's. */
static void decided(struct removal *r) {
    for (size_t i = 0; i < r->tags.n; i++)
        r->tags.items[i]->going = false;
    for (size_t i = 0; i < r->images.n; i++) {
        struct image_fact *f = r->images.items[i];
        f->going = false;
        if (f->image.parent)
            fact_of(f->image.parent)->children_going = 0;
    }
}

static size_t tags_left(const struct image *i) {
    size_t n = 0;
    LIST_FOR (&i->tags, l)
        n += !CONTAINER_OF(l, struct image_tag, link)->going;
    return n;
}

/* At most one tag, and all digests in the repository of that tag. */
static bool single_reference(const struct image *i) {
    const struct image_tag *tag = NULL, *digest = NULL;
    size_t n = 0;
    LIST_FOR (&i->tags, l) {
        const struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
        n++;
        if (!t->ref.has_digest && tag)
            return false;
        *(t->ref.has_digest ? &digest : &tag) = t;
    }
    if (n <= 1)
        return true;
    char a[REFERENCE_TEXT_MAX], b[REFERENCE_TEXT_MAX];
    const struct image_tag *one = tag ? tag : digest;
    LIST_FOR (&i->tags, l) {
        const struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
        if (strcmp(reference_name(&t->ref, a), reference_name(&one->ref, b)) != 0)
            return false;
    }
    return true;
}

static const struct image_hold *first_hold(const struct image *i, bool running) {
    LIST_FOR (&i->holds, l) {
        const struct image_hold *h = CONTAINER_OF(l, struct image_hold, link);
        if (h->running == running)
            return h;
    }
    return NULL;
}

static unsigned children_left(const struct image *i) {
    return i->children - fact_of_const(i)->children_going;
}

/* What speaks against removing the image itself. soft: also what force overrides. */
static struct err conflict(const struct image *i, bool soft, bool references) {
    const char *id = i->id_text + strlen("sha256:");
    const struct image_hold *h;
    if (children_left(i) > 0)
        return err_new(
            ERR_CONFLICT,
            "conflict: unable to delete %.12s (cannot be forced) - image has dependent child "
            "images",
            id);
    if ((h = first_hold(i, true)) != NULL)
        return err_new(
            ERR_CONFLICT,
            "conflict: unable to delete %.12s (cannot be forced) - image is being used by "
            "running container %.12s",
            id, h->container_id);
    if (soft && references && tags_left(i) > 0)
        return err_new(ERR_CONFLICT,
                       "conflict: unable to delete %.12s (must be forced) - image is referenced in "
                       "multiple repositories",
                       id);
    if (soft && (h = first_hold(i, false)) != NULL)
        return err_new(ERR_CONFLICT,
                       "conflict: unable to delete %.12s (must be forced) - image is being used by "
                       "stopped container %.12s",
                       id, h->container_id);
    return OK;
}

static void all_tags_go(struct removal *r, struct image *i) {
    LIST_FOR (&i->tags, l)
        tag_goes(r, CONTAINER_OF(l, struct image_tag, link));
}

/* Steps with a key are the build cache's. What a build ended in may have one too, and is an image
 * as any other. */
static bool is_cache(const struct image *i) {
    return i->step && fact_of_const(i)->cache_keys.n > 0;
}

/* A prune takes it whatever its tags. */
static bool is_pruned(const struct removal *r, struct image *i) {
    return !r->ref && i->holds_n == 0 && (!r->wanted || r->wanted(r->arg, i));
}

/* The image, then its ancestors as far as nothing speaks against it. quiet: conflicts of an image
 * that is wanted by others are no news. */
static struct err image_and_parents_go(struct removal *r, struct image *i, bool quiet) {
    bool force = r->force;
    for (; i; quiet = true, i = r->noprune ? NULL : i->parent,
              force = i && !r->dangling_only && is_pruned(r, i)) {
        if (quiet && is_cache(i))
            return OK;
        struct err e = conflict(i, !force, true);
        if (err_failed(e)) {
            bool used = i->holds_n > 0, dangling = tags_left(i) == 0 && children_left(i) == 0;
            if (!quiet || (dangling && !used))
                return e;
            err_ignore(e); /* somebody uses it: that is why it stays */
            return OK;
        }
        all_tags_go(r, i);
        image_goes(r, i);
    }
    return OK;
}

/* Digests of a repository whose last tag went say nothing to anybody. */
static void digests_of_repository_go(struct removal *r, struct image *i,
                                     const struct reference *ref) {
    char a[REFERENCE_TEXT_MAX], b[REFERENCE_TEXT_MAX];
    LIST_FOR (&i->tags, l) {
        const struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
        if (!t->going && !t->ref.has_digest &&
            strcmp(reference_name(&t->ref, a), reference_name(ref, b)) == 0)
            return;
    }
    LIST_FOR (&i->tags, l) {
        struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
        if (t->ref.has_digest && strcmp(reference_name(&t->ref, a), reference_name(ref, b)) == 0)
            tag_goes(r, t);
    }
}

static struct err by_reference(struct removal *r, struct image *i) {
    struct images *im = r->change.images;
    const struct image_hold *h = first_hold(i, true);
    if (!h)
        h = first_hold(i, false);
    if (!r->force && single_reference(i) && h)
        return err_new(
            ERR_CONFLICT,
            "conflict: unable to remove repository reference \"%s\" (must force) - container "
            "%.12s is using its referenced image %.12s",
            r->ref, h->container_id, i->id_text + strlen("sha256:"));
    struct reference ref;
    TRY(reference_parse(str_of(r->ref), &ref));
    if (ref.has_digest)
        ref.tag[0] = '\0';
    reference_default_tag(&ref);
    char text[REFERENCE_TEXT_MAX];
    struct image_tag *t = map_getz(&im->by_ref, reference_text(&ref, text));
    if (!t)
        return err_new(ERR_NOT_FOUND, "No such image: %s", reference_familiar(&ref, text));
    tag_goes(r, t);
    if (!ref.has_digest)
        digests_of_repository_go(r, i, &ref);
    if (tags_left(i) > 0)
        return OK;
    return image_and_parents_go(r, i, true);
}

static struct err decide_one(struct removal *r) {
    struct image *i;
    TRY(image_find(r->change.images, str_of(r->ref), &i));
    if (!image_named_by_id(i, str_of(r->ref)))
        return by_reference(r, i);
    if (single_reference(i)) {
        TRY(conflict(i, !r->force, false));
        all_tags_go(r, i);
    }
    return image_and_parents_go(r, i, false);
}

static void decide_prune(struct removal *r) {
    struct images *im = r->change.images;
    size_t it = 0;
    struct image *i;
    while ((i = images_next(im, &it)) != NULL) {
        bool candidate = r->dangling_only ? image_is_dangling(i) : children_left(i) == 0;
        if (!candidate || fact_of(i)->going || is_cache(i) || !is_pruned(r, i))
            continue;
        r->force = true; /* several tags are no reason to stay */
        struct err e = image_and_parents_go(r, i, true);
        err_ignore(e); /* somebody uses it */
    }
}

static struct err take_refusal(struct removal *r) {
    struct err e = r->refused;
    r->refused = OK;
    return e;
}

static struct err removal_build(struct change *c, struct store_txn *t) {
    struct removal *r = CONTAINER_OF(c, struct removal, change);
    char text[REFERENCE_TEXT_MAX];
    if (!r->ref)
        decide_prune(r);
    else
        r->refused = decide_one(r);
    decided(r);
    if (r->tags.n == 0 && r->images.n == 0 && err_failed(r->refused))
        return take_refusal(r);
    for (size_t i = 0; i < r->tags.n; i++)
        store_add(t, "DELETE FROM image_tag WHERE ref = ?", "s",
                  reference_text(&r->tags.items[i]->ref, text));
    for (size_t i = 0; i < r->images.n; i++) {
        struct image_fact *f = r->images.items[i];
        store_add(t, "DELETE FROM build_cache WHERE image = ?", "b", digest_key(&f->image.id));
        if (f->image.holds_n > 0 || f->pins > 0)
            store_add(t, "UPDATE image SET removed = 1, parent = NULL WHERE id = ?", "b",
                      digest_key(&f->image.id));
        else
            store_add(t, "DELETE FROM image WHERE id = ?", "b", digest_key(&f->image.id));
    }
    /* From here on nobody finds them, so nobody can begin to hold them. */
    for (size_t i = 0; i < r->images.n; i++)
        r->images.items[i]->image.removed = true;
    return OK;
}

/* Bytes of layers that only this image has. */
static uint64_t unique_size(const struct image *i) {
    uint64_t n = 0;
    for (size_t k = 0; k < i->layers_n; k++)
        if (layer_fact_of(i->layers[k])->refs == 1)
            n += i->layers[k]->disk;
    return n;
}

/* The peer also names the layers that went, top first, by chain id (image-spec "Layer ChainID"). */
static void list_layers(const struct image *i, struct image_removals *list) {
    char chain[IMAGE_LAYERS_MAX][DIGEST_TEXT_MAX], diff[DIGEST_TEXT_MAX];
    for (size_t n = 0; n < i->layers_n; n++) {
        struct digest d = i->layers[n]->diff_id;
        if (n > 0) {
            CLEAN_BUF struct buf pair = {0};
            buf_addf(&pair, "%s %s", chain[n - 1], digest_text(&d, diff));
            digest_of(buf_str(&pair), &d);
        }
        digest_text(&d, chain[n]);
    }
    for (size_t n = i->layers_n; n-- > 0;) {
        if (layer_fact_of(i->layers[n])->refs > 1)
            return;
        vec_push(list, ((struct image_removal){.deleted = mem_strdup(chain[n])}));
    }
}

static void removal_commit(struct removal *r, struct image_removals *list,
                           uint64_t *ret_reclaimed) {
    struct images *im = r->change.images;
    char text[REFERENCE_TEXT_MAX];
    for (size_t i = 0; i < r->tags.n; i++) {
        struct image_tag *t = r->tags.items[i];
        struct image *image = t->image;
        reference_familiar(&t->ref, text);
        vec_push(list, ((struct image_removal){.untagged = mem_strdup(text)}));
        tag_free(im, t);
        image_publish(im, "untag", image, image->id_text);
    }
    for (size_t i = 0; i < r->images.n; i++) {
        struct image_fact *f = r->images.items[i];
        f->image.removed = false; /* image_fact_hide counts */
        vec_push(list, ((struct image_removal){.deleted = mem_strdup(f->image.id_text)}));
        list_layers(&f->image, list);
        image_publish(im, "delete", &f->image, f->image.id_text);
        *ret_reclaimed += unique_size(&f->image);
        if (f->image.holds_n > 0 || f->pins > 0)
            image_fact_hide(im, f);
        else
            image_fact_free(im, f);
    }
}

static void removal_apply(struct change *c, struct err e) {
    struct removal *r = CONTAINER_OF(c, struct removal, change);
    struct images *im = c->images;
    struct image_removals list = {0};
    uint64_t reclaimed = 0;
    if (!err_failed(e)) {
        removal_commit(r, &list, &reclaimed);
        e = take_refusal(r);
    } else {
        for (size_t i = 0; i < r->images.n; i++)
            r->images.items[i]->image.removed = false;
    }
    bool any = r->images.n > 0;
    if (!r->ref && !err_failed(e))
        partials_sweep(im, true);
    if (r->done)
        r->done(r->arg, &list, e);
    else if (r->done_prune)
        r->done_prune(r->arg, &list, reclaimed, e);
    else
        log_err(LOG_WARN, e, "remove image");
    for (size_t i = 0; i < list.n; i++) {
        free(list.items[i].untagged);
        free(list.items[i].deleted);
    }
    vec_done(&list);
    vec_done(&r->tags);
    vec_done(&r->images);
    free(r->ref);
    free(r);
    if (any)
        images_collect(im);
}

static struct removal *removal_new(void *arg) {
    struct removal *r = NEW(struct removal);
    r->change =
        (struct change){.mode = STORE_DURABLE, .build = removal_build, .apply = removal_apply};
    r->arg = arg;
    return r;
}

void image_remove(struct images *im, struct str ref, bool force, bool noprune,
                  void (*done)(void *arg, const struct image_removals *r, struct err e),
                  void *arg) {
    struct removal *r = removal_new(arg);
    r->ref = str_dup(ref);
    r->force = force;
    r->noprune = noprune;
    r->done = done;
    change_start(im, &r->change);
}

void image_prune(struct images *im, bool dangling_only, bool (*wanted)(void *arg, struct image *i),
                 void (*done)(void *arg, const struct image_removals *r, uint64_t reclaimed,
                              struct err e),
                 void *arg) {
    struct removal *r = removal_new(arg);
    r->dangling_only = dangling_only;
    r->wanted = wanted;
    r->done_prune = done;
    change_start(im, &r->change);
}

/* --- hidden images
 * ----------------------------------------------------------------------------------- */
struct forgetting {
    struct change change;
    struct digest id;
};

static struct err forget_build(struct change *c, struct store_txn *t) {
    struct forgetting *g = CONTAINER_OF(c, struct forgetting, change);
    store_add(t, "DELETE FROM image WHERE id = ? AND removed = 1", "b", digest_key(&g->id));
    return OK;
}

static void forget_apply(struct change *c, struct err e) {
    struct forgetting *g = CONTAINER_OF(c, struct forgetting, change);
    struct images *im = c->images;
    struct image_fact *f = map_get(&im->by_id, digest_key(&g->id));
    bool gone = !err_failed(e);
    log_err(LOG_WARN, e, "forget a removed image (tried again at the next start)");
    if (gone && f && f->image.removed && f->image.holds_n == 0 && f->pins == 0)
        image_fact_free(im, f);
    free(g);
    if (gone)
        images_collect(im);
}

void image_forget(struct image_fact *f) {
    struct forgetting *g = NEW(struct forgetting);
    g->change = (struct change){.mode = STORE_LAZY, .build = forget_build, .apply = forget_apply};
    g->id = f->image.id;
    change_start(f->images, &g->change);
}

void image_unhold(struct images *im, struct image_hold *hold) {
    struct image *i = hold->image;
    if (!i)
        return;
    list_remove(&hold->link);
    hold->image = NULL;
    i->holds_n--;
    if (!im->closing && !i->removed)
        image_used(fact_of(i));
    if (i->removed && i->holds_n == 0 && fact_of(i)->pins == 0 && !im->closing)
        image_forget(fact_of(i));
}
