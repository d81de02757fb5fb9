/* /images: list, inspect, history, tag, remove, prune. Transfers are in transfer.c. */
#include "api/filter.h"
#include "api/handlers.h"
#include "api/view.h"
#include "base/mem.h"
#include "base/time.h"
#include "spec/api_image.h"
#include <stdlib.h>
#include <string.h>

static bool find(struct api_call *c, struct image **ret) {
    struct err e = image_find(c->api->images, str_of(c->arg[0]), ret);
    if (!err_failed(e))
        return true;
    api_reply_err(c, e);
    return false;
}

/* Answers e when it is one. */
static bool refused(struct api_call *c, struct err e) {
    if (!err_failed(e))
        return false;
    api_reply_err(c, e);
    return true;
}

/* --- views --------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Tags and repo digests as clients write them, in order of the alphabet. reference NULL: all. */
static void view_names(const struct image *i, const struct strs *reference, struct arena *a,
                       struct strs *ret_tags, struct strs *ret_digests) {
    LIST_FOR ((struct list *)(uintptr_t)&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        char text[REFERENCE_TEXT_MAX];
        if (api_filter_reference(reference, &t->ref))
            strs_add(t->ref.tag[0] ? ret_tags : ret_digests, a, reference_familiar(&t->ref, text));
    }
    if (ret_tags->n > 1)
        qsort(ret_tags->items, ret_tags->n, sizeof(*ret_tags->items), by_text);
    if (ret_digests->n > 1)
        qsort(ret_digests->items, ret_digests->n, sizeof(*ret_digests->items), by_text);
}

void view_layer_users(struct images *im, struct map *ret) {
    size_t at = 0;
    struct image *i;
    while ((i = images_next(im, &at)))
        for (size_t k = 0; k < i->layers_n; k++) {
            struct str key = str_n(&i->layers[k], sizeof(i->layers[k]));
            uintptr_t n = (uintptr_t)map_get(ret, key);
            (void)map_set(ret, key, (void *)(n + 1));
        }
}

static int64_t shared_size(const struct image *i, const struct map *users) {
    uint64_t sum = 0;
    for (size_t k = 0; k < i->layers_n; k++)
        if ((uintptr_t)map_get(users, str_n(&i->layers[k], sizeof(i->layers[k]))) > 1)
            sum += i->layers[k]->size;
    return (int64_t)sum;
}

void view_image_summary(struct image *i, const struct strs *reference, const struct map *users,
                        int minor, struct arena *a, struct api_image_summary *ret) {
    *ret = (struct api_image_summary){
        .containers = minor < 51 ? -1 : (int64_t)i->holds_n,
        .created = i->created / NSEC_PER_SEC,
        .id = i->id_text,
        .labels = image_config(i)->config.labels,
        .parent_id = i->parent ? i->parent->id_text : NULL,
        .shared_size = users ? shared_size(i, users) : -1,
        .size = (int64_t)i->size,
        .virtual_size = (int64_t)i->size,
    };
    view_names(i, reference, a, &ret->repo_tags, &ret->repo_digests);
    if (minor < 43 && !reference && list_empty(&i->tags)) {
        strs_add(&ret->repo_tags, a, "<none>:<none>");
        strs_add(&ret->repo_digests, a, "<none>@<none>");
    }
}

static const char *comment_of(const struct oci_image_config *config) {
    const struct oci_history *h = config->history.items;
    if (config->comment && *config->comment)
        return config->comment;
    return config->history.n > 0 ? h[config->history.n - 1].comment : NULL;
}

static void view_image(struct image *i, const struct rootfs_driver *driver, int minor,
                       struct arena *a, struct api_image *ret) {
    const struct oci_image_config *config = image_config(i);
    struct api_config *run = arena_alloc(a, sizeof(*run));
    *run = config->config;
    *ret = (struct api_image){
        .id = i->id_text,
        .parent = i->parent ? i->parent->id_text : NULL,
        .comment = arena_strz(a, comment_of(config)),
        .created = config->created,
        .docker_version = config->docker_version,
        .author = config->author,
        .config = run,
        .container_config = run,
        .architecture = config->architecture,
        .variant = config->variant,
        .os = config->os,
        .os_version = config->os_version,
        .size = (int64_t)i->size,
        .virtual_size = (int64_t)i->size,
        .graph_driver.name = arena_strz(a, rootfs_driver_name(driver)),
        .rootfs = {.type = arena_strz(a, "layers"), .layers = config->rootfs.diff_ids},
        .metadata.last_tag_time = i->tagged_at,
        .annotations = *image_annotations(i),
    };
    if (i->layers_n > 0 && driver == &rootfs_overlay) {
        const char *all = image_layer_paths(i, 0, a);
        struct strmap *data = &ret->graph_driver.data;
        if (i->layers_n > 1)
            strmap_set(data, a, "LowerDir", image_layer_paths(i, 1, a));
        strmap_set(data, a, "UpperDir", arena_printf(a, "%.*s", (int)strcspn(all, ":"), all));
    }
    if (i->artifact && i->created)
        ret->created = time_format(i->created, arena_alloc(a, TIME_TEXT_MAX));
    if (minor < 44 && (!ret->created || !*ret->created))
        ret->created = arena_strz(a, "0001-01-01T00:00:00Z");
    view_names(i, NULL, a, &ret->repo_tags, &ret->repo_digests);
}

/* --- list ---------------------------------------------------------------------------------- */

struct list_limits {
    bool all, dangling_asked, dangling;
    int64_t before, since;
};

static struct err read_created(struct api_call *c, const struct api_filters *f, const char *name,
                               int64_t *ret) {
    const struct strs *v = api_filter(f, name);
    struct image *i = NULL;
    if (!v)
        return OK;
    TRY(image_find(c->api->images, str_of(v->items[0]), &i));
    *ret = i->created;
    return OK;
}

static struct err read_limits(struct api_call *c, const struct api_filters *f,
                              struct list_limits *l) {
    int64_t until = INT64_MAX;
    *l = (struct list_limits){.before = INT64_MAX, .since = INT64_MIN};
    TRY(api_filter_check_bool(f, "dangling"));
    l->all = api_query_bool(c, "all", false);
    l->dangling_asked = api_filter(f, "dangling") != NULL;
    l->dangling = api_filter_bool(api_filter(f, "dangling"));
    TRY(read_created(c, f, "before", &l->before));
    TRY(read_created(c, f, "since", &l->since));
    TRY(api_filter_until(f, &until));
    l->before = MIN(l->before, until);
    return OK;
}

/* What the peer shows: nameless images only when nothing was built on them, or with `all`. */
static bool wanted(struct image *i, const struct api_filters *f, const struct list_limits *l) {
    const struct strs *with = api_filter(f, "label"), *without = api_filter(f, "label!");
    bool tagged = false, named = !list_empty(&i->tags);
    if (i->step)
        return false;
    LIST_FOR (&i->tags, n)
        tagged |= CONTAINER_OF(n, struct image_tag, link)->ref.tag[0] != '\0';
    if (i->created >= l->before || i->created <= l->since)
        return false;
    if (l->dangling_asked && l->dangling && (tagged || i->children > 0))
        return false;
    if (!named && ((l->dangling_asked && !l->dangling) || (i->children > 0 && !l->all)))
        return false;
    if (!with && !without)
        return true; /* the config need not be read */
    const struct strmap *labels = &image_config(i)->config.labels;
    return api_filter_labels(with, labels) && !api_filter_any_label(without, labels);
}

static int newest_first(const void *a, const void *b) {
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;
    return x->created != y->created ? (x->created < y->created ? 1 : -1)
                                    : strcmp(x->id_text, y->id_text);
}

/* Ten thousand of them are asked for again and again: an entry is kept as text with its image. */
static struct str summary_text(struct image *i, int minor) {
    struct image_summary *s = &i->summary;
    if (!s->text || s->minor != minor || s->holds_n != i->holds_n) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf out = {0};
        struct api_image_summary doc;
        view_image_summary(i, NULL, NULL, minor, &a, &doc);
        fields_encode(&api_image_summary_fields, &doc, minor, &(struct json_out){.out = &out});
        free(s->text);
        *s = (struct image_summary){mem_dup(out.data, out.len), out.len, minor, i->holds_n};
    }
    return str_n(s->text, s->len);
}

static void write_list(struct api_call *c, struct image **images, size_t n,
                       const struct strs *reference, const struct map *users) {
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    jo_arr(&jo);
    for (size_t i = 0; i < n; i++) {
        CLEAN_ARENA struct arena a = {0};
        struct api_image_summary doc;
        if (!reference && !users) {
            jo_raw(&jo, summary_text(images[i], c->minor));
            continue;
        }
        view_image_summary(images[i], reference, users, c->minor, &a, &doc);
        if (!reference || doc.repo_tags.n + doc.repo_digests.n > 0)
            fields_encode(&api_image_summary_fields, &doc, c->minor, &jo);
    }
    jo_arr_end(&jo);
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

/* The same, each with its manifests: a worker reads those. */
static void write_manifests(struct api_call *c, struct image **images, size_t n,
                            const struct strs *reference, const struct map *users) {
    struct image_manifests_item *items = arena_array(&c->arena, n + 1, sizeof(*items));
    struct images *all = c->api->images;
    struct http_taken client;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        CLEAN_BUF struct buf text = {0};
        struct api_image_summary doc;
        view_image_summary(images[i], reference, users, c->minor, &c->arena, &doc);
        if (reference && doc.repo_tags.n + doc.repo_digests.n == 0)
            continue;
        fields_encode(&api_image_summary_fields, &doc, c->minor, &(struct json_out){.out = &text});
        items[kept++] = (struct image_manifests_item){
            images[i], str_n(arena_str(&c->arena, buf_str(&text)), text.len)};
    }
    CLEAN_ARENA struct arena texts = c->arena; /* they outlive the call */
    c->arena = (struct arena){0};
    if (api_take_socket(c, &client))
        image_manifests(all, &client, items, kept, true, NULL, NULL);
}

static struct err check_list(struct api_call *c, struct api_filters *f, struct list_limits *l) {
    static const char *const filters[] = {"dangling", "label", "label!",    "before",
                                          "since",    "until", "reference", NULL};
    TRY(api_read_filters(c, filters, f));
    TRY(api_filter_check_patterns(api_filter(f, "reference")));
    return read_limits(c, f, l);
}

void api_image_list(struct api_call *c) {
    struct api_filters f;
    struct list_limits l;
    CLEAN_MAP struct map users = {0};
    if (refused(c, check_list(c, &f, &l)))
        return;
    struct image **found = arena_array(&c->arena, images_count(c->api->images) + 1, sizeof(*found)),
                 *i;
    struct strs old = {0};
    const struct strs *reference = api_filter(&f, "reference");
    const char *name = c->minor < 41 ? api_query(c, "filter") : NULL;
    if (!reference && name && *name) {
        strs_add(&old, &c->arena, name);
        reference = &old;
    }
    size_t at = 0, n = 0;
    while ((i = images_next(c->api->images, &at)))
        if (wanted(i, &f, &l))
            found[n++] = i;
    qsort(found, n, sizeof(struct image *), newest_first);
    bool shared = c->minor >= 42 && api_query_bool(c, "shared-size", false);
    if (shared)
        view_layer_users(c->api->images, &users);
    if (c->minor >= 47 && api_query_bool(c, "manifests", false))
        write_manifests(c, found, n, reference, shared ? &users : NULL);
    else
        write_list(c, found, n, reference, shared ? &users : NULL);
}

/* --- inspect, history ---------------------------------------------------------------------- */

/* ContainerConfig went with 1.45, but docker-compose 1.29 asks for the newest version and cannot
 * make a container anew without it. */
static bool wants_container_config(const struct api_call *c) {
    return c->minor < 45 ||
           str_starts(http_header_get(c->r, "User-Agent"), STR("docker-compose/1."));
}

static void inspect_manifests(struct api_call *c, struct image *i, const struct api_image *doc) {
    CLEAN_BUF struct buf text = {0};
    struct images *all = c->api->images;
    struct http_taken client;
    fields_encode(&api_image_fields, doc, c->minor, &(struct json_out){.out = &text});
    struct image_manifests_item item = {i, buf_str(&text)};
    if (api_take_socket(c, &client))
        image_manifests(all, &client, &item, 1, false, NULL, NULL);
}

void api_image_inspect(struct api_call *c) {
    struct image *i = NULL;
    struct api_image doc;
    const char *platform = api_query(c, "platform");
    bool manifests = c->minor >= 48 && api_query_bool(c, "manifests", false);
    if (c->minor >= 49 && platform && *platform && manifests &&
        refused(c, err_new(ERR_INVALID, "conflicting options: manifests and platform options "
                                        "cannot both be set")))
        return;
    if (!find(c, &i) || (c->minor >= 49 && refused(c, api_platform_fits(c, i, c->arg[0]))))
        return;
    view_image(i, images_driver(c->api->images), c->minor, &c->arena, &doc);
    if (!wants_container_config(c))
        doc.container_config = NULL;
    if (manifests)
        inspect_manifests(c, i, &doc);
    else
        api_reply_doc(c, 200, &api_image_fields, &doc);
}

static struct err view_history(struct image *i, struct arena *a, struct objs *ret) {
    const struct oci_image_config *config = image_config(i);
    const struct oci_history *from = config->history.items;
    size_t n = config->history.n, layer = 0;
    struct api_image_history *to = arena_array(a, n + 1, sizeof(*to));
    for (size_t k = 0; k < n; k++) {
        struct api_image_history *h = &to[n - 1 - k]; /* newest first */
        int64_t created = 0;
        if (from[k].created && *from[k].created)
            TRYF(time_parse(str_of(from[k].created), &created), "history[%zu]", k);
        *h = (struct api_image_history){.comment = from[k].comment,
                                        .created = created / NSEC_PER_SEC,
                                        .created_by = from[k].created_by,
                                        .id = arena_strz(a, "<missing>")};
        if (from[k].empty_layer)
            continue;
        if (layer == i->layers_n)
            return err_new(ERR_SYSTEM, "too many non-empty layers in History section");
        h->size = (int64_t)i->layers[layer++]->size;
    }
    for (size_t k = 0; k < n && i; k++, i = i->parent) {
        struct strs digests = {0};
        to[k].id = i->id_text;
        view_names(i, NULL, a, &to[k].tags, &digests);
    }
    *ret = (struct objs){.items = to, .n = n, .present = true};
    return OK;
}

void api_image_history(struct api_call *c) {
    struct image *i = NULL;
    struct objs docs;
    CLEAN_BUF struct buf out = {0};
    if (!find(c, &i) || (c->minor >= 48 && refused(c, api_platform_fits(c, i, c->arg[0]))) ||
        refused(c, view_history(i, &c->arena, &docs)))
        return;
    fields_encode_objs(&api_image_history_fields, &docs, c->minor, &(struct json_out){.out = &out});
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

/* --- tag, remove, prune -------------------------------------------------------------------- */

static void tagged(void *arg, struct err e) {
    struct api_call *c = arg;
    if (!refused(c, e))
        api_reply_status(c, 201);
}

static struct err read_tag(struct api_call *c, struct reference *ret) {
    const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
    if (!repo || !*repo)
        return err_new(ERR_INVALID, "query parameter 'repo' is required");
    TRY(reference_parse_with_tag(str_of(repo), str_of(tag ? tag : ""), ret));
    if (ret->has_digest)
        return err_new(ERR_INVALID, "refusing to create a tag with a digest reference");
    reference_default_tag(ret);
    if (strcmp(ret->domain, "docker.io") == 0 && strcmp(ret->path, "library/sha256") == 0)
        return err_new(ERR_INVALID, "refusing to create an ambiguous tag using digest algorithm "
                                    "as name");
    return OK;
}

void api_image_tag(struct api_call *c) {
    struct image *i = NULL;
    struct reference ref;
    if (!refused(c, read_tag(c, &ref)) && find(c, &i))
        image_tag(c->api->images, i, &ref, tagged, c);
}

static void add_removals(struct api_call *c, const struct image_removals *r, struct objs *ret) {
    for (size_t k = 0; r && k < r->n; k++) {
        struct api_image_deleted *d = objs_add(ret, &c->arena, sizeof(*d));
        d->untagged = arena_strz(&c->arena, r->items[k].untagged);
        d->deleted = arena_strz(&c->arena, r->items[k].deleted);
    }
}

static void removed(void *arg, const struct image_removals *r, struct err e) {
    struct api_call *c = arg;
    struct objs docs = {0};
    CLEAN_BUF struct buf out = {0};
    if (refused(c, e))
        return;
    add_removals(c, r, &docs);
    fields_encode_objs(&api_image_deleted_fields, &docs, c->minor, &(struct json_out){.out = &out});
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

/* A name stands for one image: it goes when it is for one of the machines that were named. */
static struct err check_platforms(struct api_call *c) {
    struct image *i = NULL;
    struct platform p;
    struct err e = OK;
    const char *text;
    for (size_t k = 0; c->r && (text = http_query_nth(c->r, "platforms", k)); k++) {
        if (!i)
            TRY(image_find(c->api->images, str_of(c->arg[0]), &i));
        err_ignore(e); /* only the last one is told */
        e = OK;
        TRY(platform_parse(str_of(text), &p));
        e = image_platform_check(i, &p, c->arg[0]);
        if (!err_failed(e))
            return OK;
    }
    return e;
}

void api_image_remove(struct api_call *c) {
    if (c->minor >= 50 && refused(c, check_platforms(c)))
        return;
    image_remove(c->api->images, str_of(c->arg[0]), api_query_bool(c, "force", false),
                 api_query_bool(c, "noprune", false), removed, c);
}

struct prune {
    struct api_filters filters;
    int64_t until;
};

static bool prunable(void *arg, struct image *i) {
    const struct api_call *c = arg;
    const struct prune *p = c->state;
    const struct strmap *labels = &image_config(i)->config.labels;
    return i->created < p->until && api_filter_labels(api_filter(&p->filters, "label"), labels) &&
           !api_filter_any_label(api_filter(&p->filters, "label!"), labels);
}

static void pruned(void *arg, const struct image_removals *r, uint64_t reclaimed, struct err e) {
    struct api_call *c = arg;
    struct api_images_pruned doc = {.space_reclaimed = reclaimed};
    if (refused(c, e))
        return;
    add_removals(c, r, &doc.deleted);
    api_reply_doc(c, 200, &api_images_pruned_fields, &doc);
}

static struct err read_prune(struct api_call *c, struct prune *ret) {
    static const char *const filters[] = {"dangling", "label", "label!", "until", NULL};
    ret->until = INT64_MAX;
    TRY(api_read_filters(c, filters, &ret->filters));
    TRY(api_filter_check_bool(&ret->filters, "dangling"));
    return api_filter_until(&ret->filters, &ret->until);
}

void api_image_prune(struct api_call *c) {
    struct prune *p = arena_alloc(&c->arena, sizeof(*p));
    if (refused(c, read_prune(c, p)))
        return;
    const struct strs *dangling = api_filter(&p->filters, "dangling");
    c->state = p;
    image_prune(c->api->images, !dangling || api_filter_bool(dangling), prunable, pruned, c);
}
