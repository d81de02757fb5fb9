/* GET /containers/json and GET /containers/{id}/json, with sizes when asked. */
#include "api/container_answer.h"
#include "api/container_filter.h"
#include "api/handlers.h"
#include <stdlib.h>
#include <string.h>

/* --- list
 * ------------------------------------------------------------------------------------------ */

static void list_measured(void *arg, const struct container_size *sizes, size_t n) {
    struct api_call *c = arg;
    struct container_answer *w = container_answer_new(c);
    struct json_out jo = {.out = container_answer_text(w)};
    jo_arr(&jo);
    for (size_t i = 0; i < n; i++) {
        struct container *k = NULL;
        struct err e = container_find(c->api->containers, sizes[i].id, &k);
        err_ignore(e); /* what has gone meanwhile is not shown */
        if (k)
            container_answer_summary(w, k, &sizes[i], &jo);
    }
    jo_arr_end(&jo);
    container_answer_send(w);
}

static void list_now(struct api_call *c, struct container *const *list, size_t n) {
    struct container_answer *w = container_answer_new(c);
    struct json_out jo = {.out = container_answer_text(w)};
    jo_arr(&jo);
    for (size_t i = 0; i < n; i++)
        container_answer_summary(w, list[i], NULL, &jo);
    jo_arr_end(&jo);
    container_answer_send(w);
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
    struct err e = container_find(c->api->containers, sizes[0].id, &k);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct container_answer *w = container_answer_new(c);
    container_answer_inspect(w, k, &sizes[0]);
    container_answer_send(w);
}

void api_container_inspect(struct api_call *c) {
    struct container *k = NULL;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    if (api_query_bool(c, "size", false)) {
        containers_measure(c->api->containers, &k, 1, inspect_measured, c);
        return;
    }
    struct container_answer *w = container_answer_new(c);
    container_answer_inspect(w, k, NULL);
    container_answer_send(w);
}
