/* What is asked of registries without bringing images: login, what a name stands for, search. Each
 * gives the client's socket to a worker, which writes the whole answer. */
#include "registry/registry.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "base/base64.h"
#include "spec/api_system.h"
#include "spec/corten_manifest.h"
#include <stdlib.h>

#define SEARCH_LIMIT_MAX 100

/* X-Registry-Auth as it came; NULL: none. */
static const char *auth_of(struct api_call *c) {
    struct str text = c->r ? http_header_get(c->r, "X-Registry-Auth") : STR_NONE;
    return text.len > 0 ? arena_str(&c->arena, text) : NULL;
}

/* Gives the socket away; what the call's arena holds lives on in *kept. */
static bool take(struct api_call *c, struct arena *kept, struct http_taken *ret) {
    *kept = c->arena;
    c->arena = (struct arena){0};
    return api_take_socket(c, ret);
}

static void login(struct api_call *c, void *doc) {
    const struct api_auth *a = doc;
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_BUF struct buf json = {0}, auth = {0};
    fields_print(&api_auth_fields, a, &json);
    base64url_encode(buf_str(&json), &auth);
    CLEAN_ARENA struct arena kept = {0};
    if (take(c, &kept, &client))
        registry_login(images, &options, &client, a->server_address, buf_cstr(&auth), NULL, NULL);
}

void api_auth(struct api_call *c) {
    api_read_json(c, &api_auth_fields, login);
}

/* Parameter `name`, and the client. false: answered. */
static bool take_name(struct api_call *c, const char **ret_name, struct arena *kept,
                      struct http_taken *ret) {
    *ret_name = api_query(c, "name");
    if (*ret_name && **ret_name)
        return take(c, kept, ret);
    api_reply_err(c, err_new(ERR_INVALID, "query parameter 'name' is required"));
    return false;
}

void api_manifest(struct api_call *c) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const char *name, *auth = auth_of(c);
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = {0};
    if (take_name(c, &name, &kept, &client))
        registry_manifest(images, &options, &client, name, auth, NULL, NULL);
}

void api_referrers(struct api_call *c) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const char *name, *type = api_query(c, "artifactType"), *auth = auth_of(c);
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = {0};
    if (take_name(c, &name, &kept, &client))
        registry_referrers(images, &options, &client, name, type, auth, NULL, NULL);
}

static void push_list(struct api_call *c, void *doc) {
    const struct manifest_list_push *p = doc;
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const char *name = api_query(c, "name"), *auth = auth_of(c);
    struct images *images = c->api->images;
    struct http_taken client;
    if (!name || !*name) {
        api_reply_err(c, err_new(ERR_INVALID, "query parameter 'name' is required"));
        return;
    }
    CLEAN_ARENA struct arena kept = {0};
    if (take(c, &kept, &client))
        registry_push_list(images, &options, &client, name, auth, p->list, &p->sources);
}

void api_manifest_push(struct api_call *c) {
    api_read_json(c, &manifest_list_push_fields, push_list);
}

void api_distribution(struct api_call *c) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    const char *name = c->arg[0], *auth = auth_of(c);
    struct images *images = c->api->images;
    struct http_taken client;
    CLEAN_ARENA struct arena kept = {0};
    if (take(c, &kept, &client))
        registry_inspect(images, &options, &client, name, auth, NULL, NULL);
}

static struct err read_search(struct api_call *c, struct registry_search *ret) {
    static const char *const filters[] = {"is-official", "is-automated", "stars", NULL};
    struct api_filters f;
    const char *term = api_query(c, "term"), *limit = api_query(c, "limit");
    *ret =
        (struct registry_search){.term = term, .official = "", .automated = "", .auth = auth_of(c)};
    if (!term || !*term)
        return err_new(ERR_INVALID, "query parameter 'term' is required");
    if (limit && *limit)
        TRYF(str_to_i64(str_of(limit), 0, SEARCH_LIMIT_MAX, &ret->limit),
             "limit %s is outside the range of [1, %d]", limit, SEARCH_LIMIT_MAX);
    TRY(api_read_filters(c, filters, &f));
    TRY(api_filter_check_bool(&f, "is-official"));
    TRY(api_filter_check_bool(&f, "is-automated"));
    const struct strs *v = api_filter(&f, "is-official");
    if (v)
        ret->official = api_filter_bool(v) ? "true" : "false";
    if ((v = api_filter(&f, "is-automated")) != NULL)
        ret->automated = api_filter_bool(v) ? "true" : "false";
    if ((v = api_filter(&f, "stars")) != NULL)
        TRYF(str_to_i64(str_of(v->items[0]), 0, INT32_MAX, &ret->stars), "invalid filter 'stars'");
    return OK;
}

void api_image_search(struct api_call *c) {
    const struct registry_options options = {.settings = str_of(c->api->registries)};
    struct registry_search s;
    struct images *images = c->api->images;
    struct http_taken client;
    struct err e = read_search(c, &s);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    CLEAN_ARENA struct arena kept = {0};
    if (take(c, &kept, &client))
        registry_search(images, &options, &client, &s, NULL, NULL);
}
