/* /volumes. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/view.h"
#include "base/time.h"
#include "spec/api_volume.h"
#include <string.h>

void view_volume(const struct volume *v, struct arena *a, struct api_volume *ret) {
    *ret = (struct api_volume){
        .name = v->name,
        .driver = v->driver,
        .mountpoint = volume_is_plugged(v) ? v->plugged_at : v->mountpoint,
        .scope = arena_strz(a, "local"),
        .labels = v->labels,
        .options = v->options,
        .created_at = v->created / NSEC_PER_SEC * NSEC_PER_SEC, /* whole seconds, as the peer */
    };
}

static bool find(struct api_call *c, struct volume **ret) {
    struct err e = volume_get(c->api->volumes, c->arg[0], ret);
    if (!err_failed(e))
        return true;
    api_reply_err(c, e);
    return false;
}

/* --- list, inspect ------------------------------------------------------------------------- */

static bool wanted(const struct volume *v, const struct api_filters *f) {
    const struct strs *dangling = api_filter(f, "dangling"), *driver = api_filter(f, "driver");
    return v->state == VOLUME_READY && api_filter_match(api_filter(f, "name"), v->name) &&
           (!driver || strs_has(driver, v->driver)) &&
           (!dangling || api_filter_bool(dangling) == (v->holders.n == 0)) &&
           api_filter_labels(api_filter(f, "label"), &v->labels);
}

/* What a plugin has and nobody here has made: no labels, and no container that uses it. */
static bool wanted_foreign(const struct volumes *all, const struct volume_plugged *p,
                           const struct api_filters *f) {
    const struct strs *dangling = api_filter(f, "dangling"), *driver = api_filter(f, "driver");
    const struct volume *ours = volume_find(all, p->name);
    return !(ours && !strcmp(ours->driver, p->driver)) &&
           api_filter_match(api_filter(f, "name"), p->name) &&
           (!driver || strs_has(driver, p->driver)) && (!dangling || api_filter_bool(dangling)) &&
           !api_filter(f, "label");
}

static void view_foreign(const struct volume_plugged *p, struct arena *a, struct api_volume *ret) {
    *ret = (struct api_volume){.name = arena_strz(a, p->name),
                               .driver = arena_strz(a, p->driver),
                               .mountpoint = arena_strz(a, p->mountpoint),
                               .scope = arena_strz(a, "local")};
}

struct volume_answer {
    struct api_filters filters;
    struct api_volume_list doc;
};

static void list_end(void *arg, const struct volume_foreign *foreign) {
    struct api_call *c = arg;
    struct volume_answer *l = c->state;
    size_t at = 0;
    struct volume *v;
    while ((v = volume_next(c->api->volumes, &at)))
        if (wanted(v, &l->filters))
            view_volume(v, &c->arena,
                        objs_add(&l->doc.volumes, &c->arena, sizeof(struct api_volume)));
    const struct volume_plugged *p = foreign->items.items;
    for (size_t i = 0; i < foreign->items.n; i++)
        if (wanted_foreign(c->api->volumes, &p[i], &l->filters))
            view_foreign(&p[i], &c->arena,
                         objs_add(&l->doc.volumes, &c->arena, sizeof(struct api_volume)));
    l->doc.warnings = foreign->warnings;
    api_reply_doc(c, 200, &api_volume_list_fields, &l->doc);
}

void api_volume_list(struct api_call *c) {
    static const char *const filters[] = {"dangling", "driver", "label", "name", NULL};
    struct volume_answer *l = arena_alloc(&c->arena, sizeof(*l));
    struct api_filters f;
    struct err e = api_read_filters(c, filters, &f);
    if (!err_failed(e))
        e = api_filter_check_bool(&f, "dangling");
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    l->filters = f;
    c->state = l;
    volumes_foreign(c->api->volumes, list_end, c);
}

static void reply_volume(struct api_call *c, int status, const struct volume *v) {
    struct api_volume doc;
    view_volume(v, &c->arena, &doc);
    api_reply_doc(c, status, &api_volume_fields, &doc);
}

static void inspect_foreign(void *arg, const struct volume_foreign *foreign) {
    struct api_call *c = arg;
    struct volume *v = NULL;
    const struct volume_plugged *p = foreign->items.items;
    for (size_t i = 0; i < foreign->items.n; i++) {
        if (strcmp(p[i].name, c->arg[0]) != 0)
            continue;
        struct api_volume doc;
        view_foreign(&p[i], &c->arena, &doc);
        api_reply_doc(c, 200, &api_volume_fields, &doc);
        return;
    }
    if (find(c, &v)) /* it says that there is none, unless it has been made meanwhile */
        reply_volume(c, 200, v);
}

void api_volume_inspect(struct api_call *c) {
    struct volume *v = volume_find(c->api->volumes, c->arg[0]);
    if (v)
        reply_volume(c, 200, v);
    else
        volumes_foreign(c->api->volumes, inspect_foreign, c);
}

/* --- create, remove, prune ----------------------------------------------------------------- */

static void created(void *arg, struct err e, struct volume *v) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        reply_volume(c, 201, v);
}

static void create_body(struct api_call *c, void *arg) {
    const struct api_volume_create *doc = arg;
    struct volume_request r = {.name = doc->name,
                               .driver = doc->driver,
                               .labels = doc->labels,
                               .options = doc->driver_opts};
    if (doc->cluster_spec.len > 0)
        api_reply_err(c, err_new(ERR_UNSUPPORTED, "ClusterVolumeSpec is not supported"));
    else
        volume_create(c->api->volumes, &r, created, c);
}

void api_volume_create(struct api_call *c) {
    api_read_json(c, &api_volume_create_fields, create_body);
}

static void removed(void *arg, struct err e) {
    struct api_call *c = arg;
    bool *force = c->state;
    if (*force && err_kind(e) == ERR_NOT_FOUND) {
        err_ignore(e); /* asked for: gone is gone */
        e = OK;
    }
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

void api_volume_remove(struct api_call *c) {
    bool *force = arena_alloc(&c->arena, sizeof(*force));
    *force = api_query_bool(c, "force", false);
    c->state = force;
    volume_remove(c->api->volumes, c->arg[0], removed, c);
}

struct prune {
    struct api_filters filters;
    bool all;
};

static bool prunable(void *arg, const struct volume *v) {
    const struct api_call *c = arg;
    const struct prune *p = c->state;
    return (p->all || v->anonymous) &&
           api_filter_labels(api_filter(&p->filters, "label"), &v->labels) &&
           !api_filter_any_label(api_filter(&p->filters, "label!"), &v->labels);
}

static void pruned(void *arg, struct err e, const struct strv *names, uint64_t bytes) {
    struct api_call *c = arg;
    struct api_volume_pruned doc = {.space_reclaimed = bytes};
    for (size_t i = 0; i < names->n; i++)
        strs_add(&doc.deleted, &c->arena, names->items[i]);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 200, &api_volume_pruned_fields, &doc);
}

void api_volume_prune(struct api_call *c) {
    static const char *const filters[] = {"all", "label", "label!", NULL};
    struct prune *p = arena_alloc(&c->arena, sizeof(*p));
    struct err e = api_read_filters(c, filters, &p->filters);
    if (!err_failed(e))
        e = api_filter_check_bool(&p->filters, "all");
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    /* Before 1.42 it meant all of them. */
    p->all = c->minor < 42 || api_filter_bool(api_filter(&p->filters, "all"));
    c->state = p;
    volumes_prune(c->api->volumes, prunable, pruned, c);
}
