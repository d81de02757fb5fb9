/* verbs.c - what starts jobs: load, save, import, commit, and rebuilding after an unclean boot. */
#include "base/log.h"
#include "base/time.h"
#include "image/job.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_optional(struct json_out *o, const char *key, const char *z) {
    if (z && z[0])
        jo_kstr(o, key, z);
}

void image_load(struct images *im, struct http_taken *client, bool quiet,
                const struct platform *wanted, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out o = {.out = &args};
    char text[PLATFORM_TEXT_MAX];
    jo_kbool(&o, "quiet", quiet);
    if (wanted)
        jo_kstr(&o, "platform", platform_text(wanted, text));
    struct image_job_new n = {.job = "image-load",
                              .client = client,
                              .body = true,
                              .done = done,
                              .arg = arg,
                              .args = buf_str(&args)};
    job_start(im, &n);
}

/* --- save
 * -------------------------------------------------------------------------------------------------
 */
struct selection {
    VEC(struct image *) images;
    VEC(struct strv) names; /* canonical text, one list for each image */
};

static void selection_done(struct selection *s) {
    for (size_t i = 0; i < s->names.n; i++)
        strv_done(&s->names.items[i]);
    vec_done(&s->images);
    vec_done(&s->names);
}

static struct strv *selection_of(struct selection *s, struct image *image) {
    for (size_t i = 0; i < s->images.n; i++)
        if (s->images.items[i] == image)
            return &s->names.items[i];
    vec_push(&s->images, image);
    return vec_add(&s->names);
}

static void names_add(struct strv *names, const char *text) {
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i], text) == 0)
            return;
    strv_add(names, text);
}

/* A name without a tag stands for all tags of that repository, as for the peer. */
static struct err select_repository(struct images *im, const struct reference *wanted,
                                    struct selection *s, bool *ret_any) {
    char name[REFERENCE_TEXT_MAX], other[REFERENCE_TEXT_MAX];
    size_t it = 0;
    struct image *image;
    reference_name(wanted, name);
    while ((image = images_next(im, &it)) != NULL) {
        LIST_FOR (&image->tags, l) {
            const struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
            if (t->ref.has_digest || strcmp(reference_name(&t->ref, other), name) != 0)
                continue;
            names_add(selection_of(s, image), reference_text(&t->ref, other));
            *ret_any = true;
        }
    }
    return OK;
}

static struct err select_image(struct images *im, const char *ref, struct selection *s) {
    struct image *image;
    struct reference r;
    char text[REFERENCE_TEXT_MAX];
    struct err e = reference_parse(str_of(ref), &r);
    if (!err_failed(e) && r.tag[0] == '\0' && !r.has_digest) {
        bool any = false;
        TRY(select_repository(im, &r, s, &any));
        if (any)
            return OK;
    }
    bool is_reference = !err_failed(e);
    err_ignore(e); /* an id, then */
    TRY(image_find(im, str_of(ref), &image));
    struct strv *names = selection_of(s, image);
    if (is_reference && !r.has_digest && !image_named_by_id(image, str_of(ref))) {
        reference_default_tag(&r);
        names_add(names, reference_text(&r, text));
    }
    return OK;
}

static void save_args(const struct selection *s, struct buf *out) {
    struct json_out o = {.out = out};
    jo_key(&o, "names");
    jo_arr(&o);
    for (size_t i = 0; i < s->names.n; i++) {
        jo_arr(&o);
        for (size_t k = 0; k < s->names.items[i].n; k++)
            jo_strz(&o, s->names.items[i].items[k]);
        jo_arr_end(&o);
    }
    jo_arr_end(&o);
}

static struct err save_select(struct images *im, const struct strv *refs, struct selection *s) {
    if (refs->n == 0)
        return err_new(ERR_INVALID, "no image was named");
    for (size_t i = 0; i < refs->n; i++)
        TRY(select_image(im, refs->items[i], s));
    return OK;
}

void image_save(struct images *im, struct http_taken *client, const struct strv *refs,
                image_done *done, void *arg) {
    struct selection s OWN(selection_done) = {0};
    CLEAN_BUF struct buf args = {0};
    struct err e = save_select(im, refs, &s);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    save_args(&s, &args);
    struct image_job_new n = {.job = "image-save",
                              .args = buf_str(&args),
                              .client = client,
                              .images = s.images.items,
                              .images_n = s.images.n,
                              .done = done,
                              .arg = arg};
    for (size_t i = 0; i < s.images.n; i++)
        image_publish(im, "save", s.images.items[i], s.images.items[i]->id_text);
    job_start(im, &n);
}

/* --- import
 * -------------------------------------------------------------------------------------------------
 */
struct err image_import_args(const struct image_import *o, struct buf *out) {
    struct json_out j = {.out = out};
    struct reference r;
    char text[REFERENCE_TEXT_MAX];
    if (o->platform) {
        TRY(platform_check_os(o->platform));
        jo_kstr(&j, "architecture", o->platform->architecture);
        put_optional(&j, "variant", o->platform->variant);
    }
    jo_kstr(&j, "comment", o->message && o->message[0] ? o->message : "Imported from -");
    if (o->repo && o->repo[0]) {
        TRY(reference_parse_with_tag(str_of(o->repo), str_of(o->tag ? o->tag : ""), &r));
        if (r.has_digest)
            return err_new(ERR_INVALID, "cannot import digest reference");
        reference_default_tag(&r);
        jo_kstr(&j, "ref", reference_text(&r, text));
    }
    if (o->config.len > 0) {
        jo_key(&j, "config");
        jo_str(&j, o->config);
    }
    return OK;
}

void image_import(struct images *im, struct http_taken *client, const struct image_import *o,
                  image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct err e = image_import_args(o, &args);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    struct image_job_new n = {.job = "image-import",
                              .args = buf_str(&args),
                              .client = client,
                              .body = true,
                              .done = done,
                              .arg = arg};
    job_start(im, &n);
}

/* --- commit
 * -------------------------------------------------------------------------------------------------
 */
static void commit_args(const struct image_commit *c, bool layer, struct buf *out) {
    struct json_out o = {.out = out};
    char text[REFERENCE_TEXT_MAX];
    jo_kbool(&o, "layer", layer);
    jo_kbool(&o, "step", c->step);
    jo_kbool(&o, "like", c->like != NULL);
    if (c->like_layers) {
        jo_key(&o, "like_layers");
        jo_arr(&o);
        for (size_t i = 0; i < c->like_layers_n; i++)
            jo_i64(&o, c->like_layers[i]);
        jo_arr_end(&o);
    }
    put_optional(&o, "cache_key", c->cache_key);
    if (c->document.len > 0) {
        jo_key(&o, "document");
        jo_str(&o, c->document);
    }
    put_optional(&o, "upper", c->upper);
    if (c->has_latest)
        jo_ki64(&o, "latest", c->latest);
    if (c->stubs_n) {
        jo_key(&o, "stubs");
        jo_arr(&o);
        for (size_t i = 0; i < c->stubs_n; i++)
            jo_strz(&o, c->stubs[i]);
        jo_arr_end(&o);
    }
    jo_kbool(&o, "adopt", c->adopt);
    jo_kbool(&o, "drop_empty", c->drop_empty);
    jo_kbool(&o, "durable", c->durable);
    jo_key(&o, "config");
    jo_str(&o, c->config);
    if (c->annotations.len) {
        jo_key(&o, "annotations");
        jo_str(&o, c->annotations);
    }
    put_optional(&o, "author", c->author);
    put_optional(&o, "comment", c->comment);
    put_optional(&o, "created_by", c->created_by);
    jo_ki64(&o, "created", c->created ? c->created : time_now());
    jo_key(&o, "tags");
    jo_arr(&o);
    for (size_t i = 0; i < c->tags_n; i++) {
        struct reference r = c->tags[i];
        reference_default_tag(&r);
        jo_strz(&o, reference_text(&r, text));
    }
    jo_arr_end(&o);
}

static struct err commit_check(const struct image_commit *c, bool layer) {
    size_t below = c->parent ? c->parent->layers_n : 0;
    size_t above = c->like_layers ? c->like_layers_n : layer;
    if (below + above > IMAGE_LAYERS_MAX)
        return err_new(ERR_INVALID, "the image would have more than %d layers", IMAGE_LAYERS_MAX);
    if (c->document.len > IMAGE_CONFIG_MAX || c->config.len > IMAGE_CONFIG_MAX)
        return err_new(ERR_INVALID, "image config is larger than %u bytes", IMAGE_CONFIG_MAX);
    /* Texts become JSON strings on their way to the worker: only whole UTF-8 arrives as it is. */
    if (!str_is_utf8(c->document) || !str_is_utf8(c->config))
        return err_new(ERR_INVALID, "image config is not UTF-8");
    return OK;
}

void image_commit(struct images *im, const struct image_commit *c,
                  void (*done)(void *arg, struct image *image, struct err e), void *arg) {
    CLEAN_BUF struct buf args = {0};
    bool layer = c->upper || c->tar_fd >= 0;
    struct image *images[2];
    size_t images_n = 0;
    struct err e = commit_check(c, layer || c->like);
    if (c->parent)
        images[images_n++] = c->parent;
    if (c->like)
        images[images_n++] = c->like;
    if (err_failed(e)) {
        done(arg, NULL, e);
        return;
    }
    commit_args(c, layer, &args);
    int fd = c->upper ? c->upper_dirfd : c->tar_fd;
    struct image_job_new n = {.job = "image-commit",
                              .args = buf_str(&args),
                              .images = images,
                              .images_n = images_n,
                              .fds = &fd,
                              .fds_n = fd >= 0,
                              .lazy = c->step,
                              .committed_fn = done,
                              .arg = arg};
    job_start(im, &n);
}

/* What the layer shall be stacked on. Roots that are no overlay need it as a whole. */
static struct err base_args(const struct images *im, const struct image_commit *c,
                            struct buf *out) {
    struct json_out o = {.out = out};
    bool overlay = im->driver == &rootfs_overlay;
    buf_addc(out, ',');
    jo_kbool(&o, "keep", c->keep_stream && overlay);
    if (!c->base)
        return OK;
    if (c->base->layers_n == 0 || !overlay)
        return err_new(ERR_CONFLICT, "no layer can be stacked on that");
    const struct layer *base = c->base->layers[c->base->layers_n - 1];
    const struct layer_fact *l = CONTAINER_OF(base, struct layer_fact, layer);
    char text[DIGEST_TEXT_MAX];
    if (l->base || l->stream == 0 || l->suspect)
        return err_new(ERR_CONFLICT, "no layer can be stacked on that");
    jo_key(&o, "base");
    jo_obj(&o);
    jo_kstr(&o, "name", base->name);
    jo_kstr(&o, "diff_id", digest_text(&base->diff_id, text));
    jo_obj_end(&o);
    return OK;
}

void image_commit_body(struct images *im, struct http_taken *client, const struct image_commit *c,
                       image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct image *images[2];
    size_t images_n = 0;
    struct err e = commit_check(c, true);
    if (c->parent)
        images[images_n++] = c->parent;
    if (c->base)
        images[images_n++] = c->base;
    commit_args(c, true, &args);
    if (!err_failed(e))
        e = base_args(im, c, &args);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    if (c->base)
        image_used(fact_of(c->base));
    struct image_job_new n = {.job = "image-commit",
                              .args = buf_str(&args),
                              .client = client,
                              .body = true,
                              .images = images,
                              .images_n = images_n,
                              .lazy = c->step,
                              .done = done,
                              .arg = arg};
    job_start(im, &n);
}
