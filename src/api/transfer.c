/* Images that come and go: load, save, import, pull, push. Each gives the client's socket to a
 * worker, which writes the whole answer. */
#include "api/changes.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "base/vec.h"
#include "registry/registry.h"
#include <string.h>

/* Answers e when it is one. */
static bool refused(struct api_call *c, struct err e) {
    if (!err_failed(e))
        return false;
    api_reply_err(c, e);
    return true;
}

/* --- archives ------------------------------------------------------------------------------ */

void api_image_load(struct api_call *c) {
    struct http_taken client;
    struct images *images = c->api->images;
    bool quiet = api_query_bool(c, "quiet", true);
    struct platform *asked = NULL;
    if (c->minor >= 48 && refused(c, api_platform(c, &asked)))
        return;
    struct platform wanted = asked ? *asked : (struct platform){0};
    if (api_take_socket(c, &client))
        image_load(images, &client, quiet, asked ? &wanted : NULL, NULL, NULL);
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
    for (size_t k = 0; k < names->n; k++) {
        TRY(image_find(c->api->images, str_of(names->items[k]), &i));
        if (c->minor >= 48)
            TRY(api_platform_fits(c, i, names->items[k]));
    }
    return OK;
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

/* X-Registry-Auth as it came; NULL: none. */
static const char *auth_of(struct api_call *c) {
    struct str text = c->r ? http_header_get(c->r, "X-Registry-Auth") : STR_NONE;
    return text.len > 0 ? arena_str(&c->arena, text) : NULL;
}

/* --- import -------------------------------------------------------------------------------- */

/* The config that the image gets: empty but for `changes`. */
static struct err read_changes(struct api_call *c, struct str *ret) {
    CLEAN_BUF struct buf json = {0};
    struct api_config config = {0};
    TRY(changes_read(c, &config));
    fields_print(&oci_run_fields, &config, &json);
    *ret = str_n(arena_str(&c->arena, buf_str(&json)), json.len);
    return OK;
}

static struct err check_import(struct api_call *c, struct image_import *ret) {
    CLEAN_BUF struct buf args = {0};
    struct platform *platform;
    TRY(api_platform(c, &platform));
    *ret = (struct image_import){.repo = api_query(c, "repo"),
                                 .tag = api_query(c, "tag"),
                                 .message = api_query(c, "message"),
                                 .platform = platform};
    TRY(read_changes(c, &ret->config));
    return image_import_args(ret, &args);
}

/* The texts of o live in the call's arena, which ends with the call: they are kept until the job
 * has taken them over. */
static void import(struct api_call *c, const char *from, const struct image_import *o) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = c->arena;
    c->arena = (struct arena){0};
    if (!api_take_socket(c, &client))
        return;
    if (strcmp(from, "-") == 0)
        image_import(images, &client, o, NULL, NULL);
    else
        registry_import(images, &options, &client, from, o, NULL, NULL);
}

static void pull(struct api_call *c, const char *name) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const struct registry_pull o = {.name = name,
                                    .tag = api_query(c, "tag"),
                                    .platform = api_query(c, "platform"),
                                    .auth = auth_of(c)};
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = c->arena;
    c->arena = (struct arena){0};
    if (api_take_socket(c, &client))
        registry_pull(images, &options, &client, &o, NULL, NULL);
}

void api_image_create(struct api_call *c) {
    struct image_import o;
    const char *image = api_query(c, "fromImage"), *from = api_query(c, "fromSrc");
    if (image && *image)
        pull(c, image);
    else if (!from || !*from)
        api_reply_err(c,
                      err_new(ERR_INVALID, "query parameter 'fromImage' or 'fromSrc' is required"));
    else if (!refused(c, check_import(c, &o)))
        import(c, from, &o);
}

/* --- push ---------------------------------------------------------------------------------- */

/* Of the image that the name stands for; what is not here is the job's to say. */
static struct err check_push(struct api_call *c) {
    const char *tag = api_query(c, "tag");
    const char *name = tag && *tag ? arena_printf(&c->arena, "%s:%s", c->arg[0], tag) : c->arg[0];
    struct image *i = NULL;
    if (c->minor < 46)
        return OK;
    err_ignore(image_find(c->api->images, str_of(name), &i));
    return i ? api_platform_fits(c, i, name) : OK;
}

void api_image_push(struct api_call *c) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const struct registry_push o = {
        .name = arena_strz(&c->arena, c->arg[0]), .tag = api_query(c, "tag"), .auth = auth_of(c)};
    struct images *images = c->api->images;
    struct http_taken client;
    if (refused(c, check_push(c)))
        return;
    CLEAN_ARENA struct arena kept = c->arena;
    c->arena = (struct arena){0};
    if (api_take_socket(c, &client))
        registry_push(images, &options, &client, &o, NULL, NULL);
}
