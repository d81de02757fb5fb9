/* GET /system/df: what takes the room. Directories are measured by one job; facts come from memory.
 */
#include "api/container_view.h"
#include "api/handlers.h"
#include "api/view.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "spec/api_system.h"
#include <stdlib.h>
#include <string.h>

enum df_type {
    DF_CONTAINER = 1,
    DF_IMAGE = 2,
    DF_VOLUME = 4,
    DF_BUILD_CACHE = 8,
    DF_COPY = 16, /* never asked for: the whole root of a container, for DF_IMAGE */
};

/* One directory to measure; key is a container's id or a volume's name, from different name spaces.
 */
struct measure {
    enum df_type type;
    char *key, *path;
    struct container_written written; /* of a container, in place of path */
    int64_t bytes;                    /* -1: could not be measured */
};

struct df {
    struct api_call *call;
    unsigned types;
    VEC(struct measure) measures;
    struct arena arena; /* of what was written */
};

static void df_free(struct df *d) {
    for (size_t i = 0; i < d->measures.n; i++) {
        free(d->measures.items[i].key);
        free(d->measures.items[i].path);
    }
    vec_done(&d->measures);
    arena_done(&d->arena);
    free(d);
}

/* --- the job ------------------------------------------------------------------------------- */

/* What goes away meanwhile is no error: it takes no room any more. */
static int64_t measure_one(const struct measure *m) {
    CLEAN_FD int fd = -1;
    uint64_t bytes = 0;
    struct err e = m->path ? dir_open(m->path, &fd) : container_written_bytes(&m->written, &bytes);
    if (!err_failed(e) && m->path)
        e = volume_usage(fd, &bytes);
    if (!err_failed(e))
        return (int64_t)bytes;
    log_err(LOG_DEBUG, e, "measure '%s'", m->path ? m->path : m->written.directory);
    return -1;
}

static struct err df_work(void *arg) {
    struct df *d = arg;
    for (size_t i = 0; i < d->measures.n; i++)
        d->measures.items[i].bytes = measure_one(&d->measures.items[i]);
    return OK;
}

/* --- the answer ---------------------------------------------------------------------------- */

static int64_t measured(const struct df *d, enum df_type type, const char *key) {
    for (size_t i = 0; i < d->measures.n; i++)
        if (d->measures.items[i].type == type && strcmp(d->measures.items[i].key, key) == 0)
            return d->measures.items[i].bytes;
    return -1;
}

/* What containers have of their images in directories of their own (vfs, btrfs), as du counts it:
 * shared data, too. */
static int64_t copies_size(const struct df *d) {
    int64_t sum = 0;
    for (size_t i = 0; i < d->measures.n; i++) {
        const struct measure *m = &d->measures.items[i];
        if (m->type != DF_COPY)
            continue;
        int64_t written = measured(d, DF_CONTAINER, m->key);
        sum += MAX(m->bytes - MAX(written, INT64_C(0)), INT64_C(0));
    }
    return sum;
}

/* Everything below image/ that is not said to be build cache, and copies of it, as du counts it: so
 * the parts of the answer add up. */
static int64_t layers_size(const struct df *d, struct arena *a) {
    int64_t layers = measured(d, DF_IMAGE, "layer"), blobs = measured(d, DF_IMAGE, "blob");
    int64_t bases = measured(d, DF_IMAGE, "base"), streams = measured(d, DF_IMAGE, "stream");
    struct objs cache = {0};
    view_build_cache(d->call->api->images, a, &cache);
    int64_t sum = MAX(layers, INT64_C(0)) + MAX(blobs, INT64_C(0)) + MAX(bases, INT64_C(0)) +
                  MAX(streams, INT64_C(0)) + copies_size(d);
    const struct api_build_cache *b = cache.items;
    for (size_t i = 0; i < cache.n; i++)
        sum -= b[i].shared ? 0 : b[i].size;
    return MAX(sum, INT64_C(0));
}

static void df_images(const struct df *d, struct arena *a, struct api_disk_usage *doc) {
    const struct api_call *c = d->call;
    CLEAN_MAP struct map users = {0};
    size_t at = 0;
    struct image *i;
    doc->layers_size = layers_size(d, a);
    doc->images.present = true;
    view_layer_users(c->api->images, &users);
    while ((i = images_next(c->api->images, &at))) {
        if (i->step)
            continue; /* build cache */
        struct api_image_summary *s = objs_add(&doc->images, a, sizeof(*s));
        view_image_summary(i, NULL, &users, c->minor, a, s);
        s->containers = (int64_t)i->holds_n; /* here in all versions */
    }
}

static void df_containers(const struct df *d, struct arena *a, struct api_disk_usage *doc) {
    const struct api_call *c = d->call;
    size_t n = 0;
    struct container *const *all = containers_all(c->api->containers, &n);
    doc->containers.present = true;
    for (size_t i = 0; i < n; i++) {
        struct api_container_summary *s = objs_add(&doc->containers, a, sizeof(*s));
        view_summary(all[i], c->minor, true, a, s);
        s->size_rw = MAX(measured(d, DF_CONTAINER, all[i]->id), INT64_C(0));
        const struct image *image = all[i]->hold.image;
        s->size_root_fs = s->size_rw + (image ? (int64_t)image->size : 0);
    }
}

static void df_volumes(const struct df *d, struct arena *a, struct api_disk_usage *doc) {
    size_t at = 0;
    struct volume *v;
    doc->volumes.present = true;
    while ((v = volume_next(d->call->api->volumes, &at))) {
        if (v->state != VOLUME_READY)
            continue;
        struct api_volume *x = objs_add(&doc->volumes, a, sizeof(*x));
        view_volume(v, a, x);
        x->usage = arena_alloc(a, sizeof(*x->usage));
        x->usage->ref_count = (int64_t)v->holders.n;
        x->usage->size = measured(d, DF_VOLUME, v->name);
    }
}

static void df_done(void *arg, struct err e) {
    struct df *d = arg;
    struct api_call *c = d->call;
    struct api_disk_usage doc = {0};
    err_ignore(e); /* df_work never fails */
    if (d->types & DF_IMAGE)
        df_images(d, &c->arena, &doc);
    if (d->types & DF_CONTAINER)
        df_containers(d, &c->arena, &doc);
    if (d->types & DF_VOLUME)
        df_volumes(d, &c->arena, &doc);
    if (d->types & DF_BUILD_CACHE)
        view_build_cache(c->api->images, &c->arena, &doc.build_cache);
    df_free(d);
    api_reply_doc(c, 200, &api_disk_usage_fields, &doc);
}

/* --- the question -------------------------------------------------------------------------- */

static struct err read_types(struct api_call *c, unsigned *ret) {
    static const struct {
        const char *name;
        enum df_type type;
    } names[] = {{"container", DF_CONTAINER},
                 {"image", DF_IMAGE},
                 {"volume", DF_VOLUME},
                 {"build-cache", DF_BUILD_CACHE}};
    unsigned types = 0;
    const char *asked;
    for (size_t k = 0; c->r && c->minor >= 42 && (asked = http_query_nth(c->r, "type", k)); k++) {
        size_t i = 0;
        while (i < ARRAY_LEN(names) && strcmp(names[i].name, asked) != 0)
            i++;
        if (i == ARRAY_LEN(names))
            return err_new(ERR_INVALID, "unknown object type: %s", asked);
        types |= names[i].type;
    }
    *ret = types ? types : DF_CONTAINER | DF_IMAGE | DF_VOLUME | DF_BUILD_CACHE;
    return OK;
}

static void add_measure(struct df *d, enum df_type type, const char *key, char *path) {
    vec_push(&d->measures, (struct measure){.type = type, .key = mem_strdup(key), .path = path});
}

static void add_container(struct df *d, const struct container *c) {
    struct container_written w;
    err_ignore(container_written_plan(c, &d->arena, &w)); /* then it cannot be measured */
    vec_push(&d->measures,
             (struct measure){.type = DF_CONTAINER, .key = mem_strdup(c->id), .written = w});
}

static void plan(struct df *d) {
    const struct api *api = d->call->api;
    size_t n = 0, at = 0;
    struct container *const *all = containers_all(api->containers, &n);
    struct volume *v;
    if (d->types & DF_IMAGE) {
        add_measure(d, DF_IMAGE, "layer", mem_printf("%s/image/layer", api->data_root));
        add_measure(d, DF_IMAGE, "blob", mem_printf("%s/image/blob", api->data_root));
        add_measure(d, DF_IMAGE, "base", mem_printf("%s/image/base", api->data_root));
        add_measure(d, DF_IMAGE, "stream", mem_printf("%s/image/stream", api->data_root));
    }
    for (size_t i = 0; i < n; i++) {
        char *copy = d->types & DF_IMAGE ? container_whole_root(all[i]) : NULL;
        if ((d->types & DF_CONTAINER) || copy)
            add_container(d, all[i]);
        if (copy)
            add_measure(d, DF_COPY, all[i]->id, copy);
    }
    while ((d->types & DF_VOLUME) && (v = volume_next(api->volumes, &at)))
        if (v->state == VOLUME_READY && !volume_is_plugged(v))
            add_measure(d, DF_VOLUME, v->name, mem_strdup(v->mountpoint));
}

void api_disk_usage(struct api_call *c) {
    struct df *d = NEW(struct df);
    d->call = c;
    struct err e = read_types(c, &d->types);
    if (err_failed(e)) {
        df_free(d);
        api_reply_err(c, e);
        return;
    }
    plan(d);
    job_submit(c->api->loop, df_work, df_done, d);
}
