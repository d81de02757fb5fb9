/* Images that come and go: load, save, import, pull, push. Each gives the client's socket to a
 * worker, which writes the whole answer. */
#include "api/filter.h"
#include "api/handlers.h"
#include "base/vec.h"
#include <string.h>

/* Answers e when it is one. */
static bool refused(struct api_call *c, struct err e) {
    if (!err_failed(e))
        return false;
    api_reply_err(c, e);
    return true;
}

static struct err check_platform(struct api_call *c, int since) {
    return c->minor >= since ? api_platform_check(c) : OK;
}

/* --- archives ------------------------------------------------------------------------------ */

void api_image_load(struct api_call *c) {
    struct http_taken client;
    struct images *images = c->api->images;
    bool quiet = api_query_bool(c, "quiet", true);
    if (!refused(c, check_platform(c, 48)) && api_take_socket(c, &client))
        image_load(images, &client, quiet, NULL, NULL);
}

static void save(struct api_call *c, const struct strv *names) {
    struct http_taken client;
    struct images *images = c->api->images;
    if (api_take_socket(c, &client))
        image_save(images, &client, names, NULL, NULL);
}

/* Unknown names are told before anything is written. */
static struct err check_names(struct api_call *c, const struct strv *names) {
    struct image *i;
    if (names->n == 0)
        return err_new(ERR_INVALID, "query parameter 'names' is required");
    for (size_t k = 0; k < names->n; k++)
        TRY(image_find(c->api->images, str_of(names->items[k]), &i));
    return check_platform(c, 48);
}

void api_image_get(struct api_call *c) {
    CLEAN_STRV struct strv names = {0};
    strv_add(&names, c->arg[0]);
    if (!refused(c, check_names(c, &names)))
        save(c, &names);
}

void api_images_get(struct api_call *c) {
    CLEAN_STRV struct strv names = {0};
    const char *name;
    for (size_t k = 0; c->r && (name = http_query_nth(c->r, "names", k)); k++)
        strv_add(&names, name);
    if (!refused(c, check_names(c, &names)))
        save(c, &names);
}

/* --- import -------------------------------------------------------------------------------- */

static struct err check_import(struct api_call *c, struct image_import *ret) {
    const char *from = api_query(c, "fromSrc"), *changes = api_query(c, "changes");
    if (!from || strcmp(from, "-") != 0)
        return err_new(ERR_UNSUPPORTED,
                       "query parameter 'fromSrc': only '-' (the request's body) is "
                       "supported");
    if (changes && *changes)
        return err_new(ERR_UNSUPPORTED, "query parameter 'changes' is not supported");
    TRY(api_platform_check(c));
    *ret = (struct image_import){.repo = api_query(c, "repo"),
                                 .tag = api_query(c, "tag"),
                                 .message = api_query(c, "message")};
    return OK;
}

/* The texts of o live in the call's arena, which ends with the call: they are kept until the job
 * has taken them over. */
static void import(struct api_call *c, const struct image_import *o) {
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = c->arena;
    c->arena = (struct arena){0};
    if (api_take_socket(c, &client))
        image_import(images, &client, o, NULL, NULL);
}

void api_image_create(struct api_call *c) {
    struct image_import o;
    const char *from = api_query(c, "fromImage");
    if (from && *from)
        api_reply_err(c, err_new(ERR_UNSUPPORTED, "pull is not supported"));
    else if (!refused(c, check_import(c, &o)))
        import(c, &o);
}

/* --- push ---------------------------------------------------------------------------------- */

void api_image_push(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNSUPPORTED, "push is not supported"));
}
