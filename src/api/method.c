/* The life cycle in the image: methods of containers and their results, what images and containers
 * are. docs/lifecycle.md, docs/api.md. */
#include "api/handlers.h"
#include <string.h>

static bool find(struct api_call *c, struct container **ret) {
    struct err e = container_find(c->api->containers, c->arg[0], ret);
    if (!err_failed(e))
        return true;
    api_reply_err(c, e);
    return false;
}

static void call_body(struct api_call *c, void *doc) {
    struct container *k = NULL;
    struct container_exec *x = NULL;
    if (!find(c, &k))
        return;
    struct err e = container_method_call(k, c->arg[1], "call", doc, &x);
    api_reply_exec(c, e, x);
}

/* What comes back is an exec: POST /exec/{Id}/start streams it. */
void api_method_call(struct api_call *c) {
    api_read_json(c, &api_method_call_fields, call_body);
}

/* Ready, methods, and results: of ?method=, at most ?limit= of the newest. */
void api_method_list(struct api_call *c) {
    struct container *k = NULL;
    int64_t limit = 0;
    if (!find(c, &k))
        return;
    struct err e = api_query_i64(c, "limit", 0, INT32_MAX, &limit);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_lifecycle none = {.ready = container_ready(k), .methods.present = true};
    struct api_lifecycle *v = container_life_view(k, &c->arena);
    if (!v)
        v = &none;
    v->results = (struct objs){.present = true};
    container_results(k, api_query(c, "method"), (size_t)limit, &c->arena, &v->results);
    api_reply_doc(c, 200, &api_lifecycle_fields, v);
}

void api_method_result(struct api_call *c) {
    struct container *k = NULL;
    if (!find(c, &k))
        return;
    const struct method_result *r = container_result(k, c->arg[1]);
    if (r)
        api_reply_doc(c, 200, &method_result_fields, r);
    else
        api_reply_err(c,
                      err_new(ERR_NOT_FOUND, "container %s has no result %s", k->name, c->arg[1]));
}

/* ?text=1: as `corten examine` shows it. */
static void reply(struct api_call *c, const struct lifecycle_metadata *m) {
    CLEAN_BUF struct buf text = {0};
    if (!api_query_bool(c, "text", false)) {
        api_reply_doc(c, 200, &lifecycle_metadata_fields, m);
        return;
    }
    lifecycle_examine(m, &text);
    api_reply_text(c, 200, "text/plain; charset=utf-8", buf_str(&text));
}

void api_container_lifecycle(struct api_call *c) {
    struct container *k = NULL;
    struct lifecycle_metadata m;
    if (!find(c, &k))
        return;
    container_metadata(k, &c->arena, &m);
    reply(c, &m);
}

void api_image_lifecycle(struct api_call *c) {
    struct image *i = NULL;
    struct lifecycle_metadata m;
    struct err e = image_find_rootfs(c->api->images, str_of(c->arg[0]), &i);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    container_image_metadata(i, &c->arena, &m);
    reply(c, &m);
}
