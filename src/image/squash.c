/* squash.c - image_squash: checks, and the job that does it. */
#include "base/time.h"
#include "image/job.h"

/* An image that made no layer (metadata alone) sits on the same base. */
static struct err check(const struct image_squash *s) {
    const struct image *i = s->image, *base = s->base;
    if (i->layers_n == 0)
        return err_new(ERR_INVALID, "the image has no layers");
    if (!base)
        return OK;
    bool below = base->layers_n < i->layers_n;
    for (size_t k = 0; below && k < base->layers_n; k++)
        below = base->layers[k] == i->layers[k];
    return below ? OK
                 : err_new(ERR_INVALID, "image %s was not built on image %s with layers of its own",
                           i->id_text, base->id_text);
}

static void squash_args(const struct image_squash *s, struct buf *out) {
    struct json_out o = {.out = out};
    char text[REFERENCE_TEXT_MAX];
    jo_ki64(&o, "created", s->created ? s->created : time_now());
    jo_key(&o, "tags");
    jo_arr(&o);
    for (size_t i = 0; i < s->tags_n; i++) {
        struct reference r = s->tags[i];
        reference_default_tag(&r);
        jo_strz(&o, reference_text(&r, text));
    }
    jo_arr_end(&o);
}

void image_squash(struct images *im, const struct image_squash *s,
                  void (*done)(void *arg, struct image *image, struct err e), void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct image *images[] = {s->image, s->base};
    struct err e = check(s);
    if (err_failed(e)) {
        done(arg, NULL, e);
        return;
    }
    squash_args(s, &args);
    struct image_job_new n = {.job = "image-squash",
                              .args = buf_str(&args),
                              .images = images,
                              .images_n = s->base ? 2 : 1,
                              .committed_fn = done,
                              .arg = arg};
    job_start(im, &n);
}
