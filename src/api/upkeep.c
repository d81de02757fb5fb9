/* The store's upkeep: POST /corten/system/check, POST /corten/system/gc (spec/corten_store.h). */
#include "api/handlers.h"
#include "spec/corten_store.h"

static void checked(void *arg, const struct store_check *doc, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 200, &store_check_fields, doc);
}

void api_store_check(struct api_call *c) {
    images_check(c->api->images, api_query_bool(c, "repair", false), checked, c);
}

static void collected(void *arg, const struct store_gc *doc, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 200, &store_gc_fields, doc);
}

static struct err read_limit(const char *name, const int64_t *given, int64_t *ret) {
    if (given && *given < 0)
        return err_new(ERR_INVALID, "%s: must not be negative", name);
    if (given)
        *ret = *given;
    return OK;
}

/* Somebody asks for it: what was used a moment ago may go as well. */
static void collect(struct api_call *c, void *doc) {
    const struct store_gc_query *q = doc;
    struct image_gc_policy policy = *images_gc_policy(c->api->images);
    int64_t max_bytes = (int64_t)policy.max_bytes, min_free = (int64_t)policy.min_free;
    struct err e = read_limit("MaxBytes", q->max_bytes, &max_bytes);
    if (!err_failed(e))
        e = read_limit("MinFree", q->min_free, &min_free);
    if (!err_failed(e))
        e = read_limit("MaxAge", q->max_age, &policy.max_age);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    policy.max_bytes = (uint64_t)max_bytes;
    policy.min_free = (uint64_t)min_free;
    if (q->images)
        policy.images = *q->images;
    if (q->keep.present) {
        policy.keep = (const char *const *)q->keep.items;
        policy.keep_n = q->keep.n;
    }
    images_gc(c->api->images, &policy, 0, q->dry_run, collected, c);
}

void api_store_gc(struct api_call *c) {
    api_read_json(c, &store_gc_query_fields, collect);
}
