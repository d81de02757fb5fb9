#include "image/facts.h"
#include "base/log.h"
#include <stdlib.h>

struct layer_fact *layer_fact_new(int64_t row, const struct digest *diff_id) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct layer_fact *l = NEW(struct layer_fact);
    l->row = row;
    l->layer.diff_id = *diff_id;
    /* Base 36: 127 names must fit into the 4,096 bytes of a mount(2) page. */
    char text[sizeof(l->layer.name)];
    size_t at = sizeof(text);
    text[--at] = '\0';
    do
        text[--at] = digits[row % 36];
    while ((row /= 36) > 0);
    memcpy(l->layer.name, text + at, sizeof(text) - at);
    return l;
}

void layer_fact_stack(struct layer_fact *l, struct layer_fact *base, uint64_t own,
                      uint64_t stream) {
    l->base = base;
    l->own = own;
    l->stream = stream;
    l->layer.base = base ? base->layer.name : NULL;
    l->layer.disk = (base ? own : l->layer.size) + stream;
}

bool layer_suspect(const struct layer_fact *l) {
    return l->suspect || (l->base && l->base->suspect);
}

size_t layer_dirs(const struct image *i, const char **names) {
    size_t n = 0;
    for (size_t k = i->layers_n; k-- > 0;) {
        names[n++] = i->layers[k]->name;
        if (i->layers[k]->base)
            names[n++] = i->layers[k]->base;
    }
    return n;
}

struct image_fact *image_fact_new(struct images *im, const struct digest *id, char *config_text,
                                  size_t config_len, struct layer **layers, size_t layers_n) {
    struct image_fact *f = NEW(struct image_fact);
    struct image *i = &f->image;
    f->images = im;
    i->id = *id;
    digest_text(id, i->id_text);
    i->config_text = str_n(config_text, config_len);
    i->layers = mem_dup(layers, MAX(layers_n, 1u) * sizeof(*layers));
    i->layers_n = layers_n;
    /* What compose.c writes for a step of the builder has neither; an ordinary image has "config".
     */
    i->step = str_find_str(i->config_text, STR("\"config\"")) < 0 &&
              str_find_str(i->config_text, STR("\"created\"")) < 0;
    list_init(&i->tags);
    list_init(&i->holds);
    for (size_t n = 0; n < layers_n; n++) {
        layer_fact_of(layers[n])->refs++;
        i->size += layers[n]->size;
    }
    return f;
}

void image_fact_artifact(struct image_fact *f, const char *type) {
    if (!type || !*type)
        return;
    f->image.artifact = arena_strz(&f->arena, type);
    f->image.size = f->image.config_text.len;
    f->image.step = false;
}

void image_fact_index(struct images *im, struct image_fact *f) {
    map_set(&im->by_id, digest_key(&f->image.id), f);
    if (!f->image.removed)
        im->visible++;
}

void image_changed(struct image *i) {
    free(i->summary.text);
    i->summary = (struct image_summary){0};
}

void image_set_parent(struct image_fact *f, struct image *parent) {
    image_changed(&f->image);
    if (f->image.parent)
        f->image.parent->children--;
    f->image.parent = parent;
    if (parent)
        parent->children++;
}

void image_fact_hide(struct images *im, struct image_fact *f) {
    if (f->image.removed)
        return;
    f->image.removed = true;
    im->visible--;
    image_set_parent(f, NULL);
    for (size_t n = 0; n < f->cache_keys.n; n++) {
        map_del(&im->cache, str_of(f->cache_keys.items[n]));
        free(f->cache_keys.items[n]);
    }
    vec_done(&f->cache_keys);
}

void image_fact_free(struct images *im, struct image_fact *f) {
    image_fact_hide(im, f);
    LIST_FOR (&f->image.tags, n)
        tag_free(im, CONTAINER_OF(n, struct image_tag, link));
    map_del(&im->by_id, digest_key(&f->image.id));
    documents_unlink(f);
    image_changed(&f->image);
    for (size_t n = 0; n < f->image.layers_n; n++)
        layer_fact_of(f->image.layers[n])->refs--;
    free(f->image.layers);
    free((char *)f->image.config_text.p);
    annotations_free(f);
    arena_done(&f->arena);
    free(f);
}

struct image_tag *tag_link(struct images *im, struct image *i, const struct reference *ref) {
    struct image_tag *t = NEW(struct image_tag);
    char text[REFERENCE_TEXT_MAX];
    t->ref = *ref;
    t->image = i;
    list_push(&i->tags, &t->link);
    image_changed(i);
    map_set(&im->by_ref, str_of(reference_text(ref, text)), t);
    return t;
}

void tag_free(struct images *im, struct image_tag *t) {
    char text[REFERENCE_TEXT_MAX];
    list_remove(&t->link);
    image_changed(t->image);
    map_del(&im->by_ref, str_of(reference_text(&t->ref, text)));
    free(t);
}

void image_publish(struct images *im, const char *action, struct image *i, const char *name) {
    struct image_event e = {action, i ? i->id_text : name, name, i};
    bus_publish(&im->events, &e);
}

/* --- what others ask
 * ----------------------------------------------------------------------------------- */
const struct oci_image_config *image_config(struct image *i) {
    struct image_fact *f = fact_of(i);
    if (!f->config) {
        f->config = arena_alloc(&f->arena, sizeof(*f->config));
        struct err e = i->artifact ? OK
                                   : oci_image_config_parse(i->config_text, &f->arena, f->config);
        /* It was parsed when it was registered; only a newer, stricter program can come here. */
        log_err(LOG_ERROR, e, "config of image %s", i->id_text);
    }
    return f->config;
}

struct image *images_next(struct images *im, size_t *it) {
    void *f;
    while (map_next(&im->by_id, it, NULL, &f)) {
        struct image *i = &((struct image_fact *)f)->image;
        if (!i->removed)
            return i;
    }
    return NULL;
}

size_t images_count(const struct images *im) {
    size_t it = 0, n = 0;
    void *f;
    while (map_next(&im->by_id, &it, NULL, &f)) {
        const struct image *i = &((struct image_fact *)f)->image;
        n += !i->removed && !i->step;
    }
    return n;
}

void images_usage(const struct images *im, uint64_t *ret_layers, uint64_t *ret_blobs) {
    size_t it = 0;
    void *p;
    *ret_layers = *ret_blobs = 0;
    while (map_next(&im->layers, &it, NULL, &p))
        *ret_layers += ((struct layer_fact *)p)->layer.disk;
    it = 0;
    while (map_next(&im->blobs, &it, NULL, &p))
        *ret_blobs += ((struct blob *)p)->state == ROW_PRESENT   ? ((struct blob *)p)->size
                      : ((struct blob *)p)->state == ROW_PARTIAL ? ((struct blob *)p)->got
                                                                 : 0;
}

void image_hold(struct image *i, struct image_hold *hold) {
    hold->image = i;
    list_push(&i->holds, &hold->link);
    i->holds_n++;
}

int images_layers_dirfd(const struct images *im) {
    return im->layer_fd;
}

struct bus *images_events(struct images *im) {
    return &im->events;
}

struct err image_layer_names(const struct image *i, struct arena *a, const char *const **ret_names,
                             size_t *ret_n) {
    const char **names = arena_array(a, 2 * i->layers_n + 1, sizeof(*names));
    if (i->artifact)
        return err_new(ERR_INVALID, "%s is an artifact, not an image", i->id_text);
    for (size_t n = 0; n < i->layers_n; n++)
        if (layer_suspect(layer_fact_of(i->layers[n])))
            return err_new(
                ERR_UNAVAILABLE,
                "image %.19s is being restored after an unclean shutdown, try again later",
                i->id_text);
    *ret_n = layer_dirs(i, names);
    for (size_t n = 0; n < *ret_n; n++)
        names[n] = arena_strz(a, names[n]);
    *ret_names = names;
    return OK;
}
