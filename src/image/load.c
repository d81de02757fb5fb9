/* load.c - reads the rows of the store at start-up. No file is looked at. */
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include <stdlib.h>

/* A row that cannot be right is set aside: it costs its object, not the daemon. */
static bool row_digest(struct store_row *r, int column, struct digest *ret) {
    struct str b = row_blob(r, column);
    if (b.len != SHA256_SIZE)
        return false;
    memcpy(ret->bytes, b.p, SHA256_SIZE);
    return true;
}

static struct err load_layer(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct digest diff_id;
    int64_t row = row_int(r, 0), state = row_int(r, 3);
    im->next_layer_row = MAX(im->next_layer_row, row + 1);
    if (!row_digest(r, 1, &diff_id) || row < 0) {
        log_error("layer row %lld is damaged, left alone", (long long)row);
        return OK;
    }
    struct layer_fact *l = layer_fact_new(row, &diff_id);
    l->layer.size = (uint64_t)row_int(r, 2);
    const char *boot = row_text(r, 4);
    l->unsynced = boot != NULL;
    l->suspect = boot && strcmp(boot, im->boot_id) != 0;
    l->has_tree = row_digest(r, 5, &l->tree);
    struct str below = row_blob(r, 6);
    struct layer_fact *base = below.len ? map_get(&im->layers, below) : NULL;
    layer_fact_stack(l, base, (uint64_t)row_int(r, 7), (uint64_t)row_int(r, 8));
    if (below.len && !base && state == ROW_PRESENT) {
        log_error("layer row %lld has lost what it was stacked on", (long long)row);
        state = ROW_REMOVING;
    }
    if (state != ROW_PRESENT || map_get(&im->layers, digest_key(&diff_id))) {
        l->state = ROW_REMOVING; /* pending ones belonged to a job of the last daemon */
        reap_layer(im, l);
        return OK;
    }
    l->state = ROW_PRESENT;
    layer_fact_hold_base(l);
    map_set(&im->layers, digest_key(&diff_id), l);
    return OK;
}

static struct err load_blob(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct blob *b = NEW(struct blob);
    if (!row_digest(r, 0, &b->digest) || !row_digest(r, 1, &b->diff_id)) {
        log_error("a row of table blob is damaged, left alone");
        free(b);
        return OK;
    }
    b->size = (uint64_t)row_int(r, 2);
    b->compression = (int)row_int(r, 3);
    b->source = mem_strdup_opt(row_text(r, 5));
    map_set(&im->blobs, digest_key(&b->digest), b);
    struct layer_fact *l = map_get(&im->layers, digest_key(&b->diff_id));
    if (b->compression == BLOB_DOCUMENT && row_int(r, 4) == ROW_PRESENT) {
        b->state = ROW_PRESENT; /* document_load counts who keeps it */
        return OK;
    }
    if ((row_int(r, 4) == ROW_PENDING || row_int(r, 4) == ROW_PARTIAL) && !l && blob_resumes(b)) {
        b->state = ROW_PENDING; /* of a job that the last daemon took with it */
        b->resumable = true;
        b->since = row_int(r, 6);
        b->pins++;
        vec_push(&im->unsettled, b);
        return OK;
    }
    if (row_int(r, 4) != ROW_PRESENT || !l || l->blob) {
        b->state = ROW_REMOVING;
        b->resumable = row_int(r, 4) == ROW_PENDING || row_int(r, 4) == ROW_PARTIAL;
        reap_blob(im, b);
        return OK;
    }
    b->state = ROW_PRESENT;
    l->blob = b;
    map_set(&im->blob_of, digest_key(&b->diff_id), b);
    return OK;
}

static struct err load_image(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct digest id;
    struct str config = row_blob(r, 1), ids = row_blob(r, 2);
    struct layer *layers[IMAGE_LAYERS_MAX];
    size_t n = ids.len / SHA256_SIZE;
    if (!row_digest(r, 0, &id) || n > IMAGE_LAYERS_MAX) {
        log_error("a row of table image is damaged, left alone");
        return OK;
    }
    char text[DIGEST_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        struct layer_fact *l = map_get(&im->layers, str_n(ids.p + i * SHA256_SIZE, SHA256_SIZE));
        if (!l) {
            log_error("image %s misses a layer, left alone", digest_text(&id, text));
            return OK;
        }
        layers[i] = &l->layer;
    }
    struct image_fact *f = image_fact_new(im, &id, str_dup(config), config.len, layers, n);
    image_fact_artifact(f, row_text(r, 8));
    f->image.created = row_int(r, 3);
    f->image.tagged_at = row_int(r, 5);
    f->image.removed = row_int(r, 6) != 0;
    f->used_at = MAX(row_int(r, 7), f->image.tagged_at);
    annotations_load(f, row_text(r, 9));
    image_fact_index(im, f);
    return OK;
}

static struct err load_parent(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct image_fact *f = map_get(&im->by_id, row_blob(r, 0));
    struct image_fact *parent = map_get(&im->by_id, row_blob(r, 1));
    if (f && parent && f != parent && !f->image.removed)
        image_set_parent(f, &parent->image);
    return OK;
}

static struct err load_tag(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct reference ref;
    struct image_fact *f = map_get(&im->by_id, row_blob(r, 1));
    const char *text = row_text(r, 0);
    struct err e = reference_parse(str_of(text ? text : ""), &ref);
    if (err_failed(e) || !f) {
        log_err(LOG_ERROR, e, "tag '%s' is damaged, left alone", text ? text : "");
        return OK;
    }
    tag_link(im, &f->image, &ref);
    return OK;
}

static struct err load_cache(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct image_fact *f = map_get(&im->by_id, row_blob(r, 1));
    const char *key = row_text(r, 0);
    if (f && key && !f->image.removed) {
        map_set(&im->cache, str_of(key), f);
        vec_push(&f->cache_keys, mem_strdup(key));
        f->used_at = MAX(f->used_at, row_int(r, 2));
    }
    return OK;
}

/* The number of a row that is gone is never used again: its directory may still be in somebody's
 * hands. */
static struct err load_sequence(void *arg, struct store_row *r) {
    struct images *im = arg;
    im->next_layer_row = MAX(im->next_layer_row, row_int(r, 0) + 1);
    return OK;
}

struct err facts_load(struct images *im) {
    static const struct {
        const char *sql;
        struct err (*row)(void *arg, struct store_row *r);
    } tables[] = {
        {"SELECT seq FROM sqlite_sequence WHERE name = 'layer'", load_sequence},
        {"SELECT id, diff_id, size, state, unsynced, tree, base, own, "
         "stream FROM layer ORDER BY id",
         load_layer},
        {"SELECT digest, diff_id, size, compression, state, source, since FROM blob", load_blob},
        {"SELECT id, config, layers, created, parent, tagged_at, removed, used_at, "
         "artifact, annotations FROM image",
         load_image},
        {"SELECT id, parent FROM image WHERE parent IS NOT NULL", load_parent},
        {"SELECT ref, image FROM image_tag ORDER BY tagged_at, ref", load_tag},
        {"SELECT key, image, used_at FROM build_cache", load_cache},
        {"SELECT image, digest, kind FROM image_document ORDER BY id", document_load},
    };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        TRYF(store_load(im->store, tables[i].sql, tables[i].row, im), "load images");
    return OK;
}
