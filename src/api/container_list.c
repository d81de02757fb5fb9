/* GET /containers/json and GET /containers/{id}/json, with sizes when asked. */
#include "api/container_filter.h"
#include "api/handlers.h"
#include "api/older.h"
#include <stdlib.h>
#include <string.h>

/* --- list
 * ------------------------------------------------------------------------------------------ */

static void put_one(const struct container *k, const struct container_size *size, int minor,
                    struct json_out *jo) {
    CLEAN_ARENA struct arena a = {0};
    struct api_container_summary doc;
    view_summary(k, minor, &a, &doc);
    if (size) {
        doc.size_rw = size->bytes;
        doc.size_root_fs = size->bytes + (k->hold.image ? (int64_t)k->hold.image->size : 0);
    }
    fields_encode(&api_container_summary_fields, &doc, minor, jo);
}

static void list_measured(void *arg, const struct container_size *sizes, size_t n) {
    struct api_call *c = arg;
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    jo_arr(&jo);
    for (size_t i = 0; i < n; i++) {
        struct container *k = NULL;
        struct err e = container_find(c->api->containers, sizes[i].id, &k);
        err_ignore(e); /* what has gone meanwhile is not shown */
        if (k)
            put_one(k, &sizes[i], c->minor, &jo);
    }
    jo_arr_end(&jo);
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

static void list_now(struct api_call *c, struct container *const *list, size_t n) {
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    jo_arr(&jo);
    for (size_t i = 0; i < n; i++)
        put_one(list[i], NULL, c->minor, &jo);
    jo_arr_end(&jo);
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

void api_container_list(struct api_call *c) {
    struct container_filter f;
    struct err e = container_filter_read(c, &f);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    size_t n = 0;
    struct container *const *all = containers_all(c->api->containers, &n);
    VEC(struct container *) shown = {0};
    for (size_t i = 0; i < n && f.limit != 0; i++) {
        if (!api_policy_sees(c->policy, &all[i]->config->labels) ||
            !container_filter_wants(&f, all[i]))
            continue;
        vec_push(&shown, all[i]);
        f.limit -= f.limit > 0;
    }
    if (api_query_bool(c, "size", false))
        containers_measure(c->api->containers, shown.items, shown.n, list_measured, c);
    else
        list_now(c, shown.items, shown.n);
    vec_done(&shown);
}

/* --- inspect
 * --------------------------------------------------------------------------------------- */

static void inspect_measured(void *arg, const struct container_size *sizes, size_t n UNUSED) {
    struct api_call *c = arg;
    struct container *k = NULL;
    struct api_container doc;
    struct err e = container_find(c->api->containers, sizes[0].id, &k);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    view_container(k, c->minor, &c->arena, &doc);
    older_container(&doc, c->minor, &c->arena);
    doc.size_rw = arena_alloc(&c->arena, sizeof *doc.size_rw);
    doc.size_root_fs = arena_alloc(&c->arena, sizeof *doc.size_root_fs);
    *doc.size_rw = sizes[0].bytes;
    *doc.size_root_fs = sizes[0].bytes + (k->hold.image ? (int64_t)k->hold.image->size : 0);
    api_reply_doc(c, 200, &api_container_fields, &doc);
}

void api_container_inspect(struct api_call *c) {
    struct container *k = NULL;
    struct api_container doc;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    if (api_query_bool(c, "size", false)) {
        containers_measure(c->api->containers, &k, 1, inspect_measured, c);
        return;
    }
    view_container(k, c->minor, &c->arena, &doc);
    older_container(&doc, c->minor, &c->arena);
    api_reply_doc(c, 200, &api_container_fields, &doc);
}
