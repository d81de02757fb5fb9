/* annotations.c - what the manifest and the index of an image said about it when it came: told by
 * the job that brought it, checked again, kept as text with the image's row until the image comes
 * with other ones. */
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include "spec/oci_annotations.h"
#include <stdlib.h>

struct err annotations_build(const struct digest *image, struct str body, struct arena *a,
                             struct store_txn *t) {
    struct str text = msg_get(body, TAG_ANNOTATIONS);
    struct oci_annotations checked;
    if (!msg_has(body, TAG_ANNOTATIONS))
        return OK;
    if (text.len)
        TRY(oci_annotations_parse(text, a, &checked));
    store_add(t, "UPDATE image SET annotations = ? WHERE id = ?", "tb", text, digest_key(image));
    return OK;
}

static void set(struct image_fact *f, struct str text) {
    arena_done(&f->annotations_arena);
    free(f->annotations_text);
    f->annotations_arena = (struct arena){0};
    f->annotations = NULL;
    f->annotations_text = text.len ? str_dup(text) : NULL;
}

void annotations_apply(struct image_fact *f, struct str body) {
    if (msg_has(body, TAG_ANNOTATIONS))
        set(f, msg_get(body, TAG_ANNOTATIONS));
}

void annotations_load(struct image_fact *f, const char *text) {
    set(f, str_of(text ? text : ""));
}

void annotations_free(struct image_fact *f) {
    set(f, STR_NONE);
}

const struct strmap *image_annotations(struct image *i) {
    static const struct strmap none;
    struct image_fact *f = fact_of(i);
    if (!f->annotations_text)
        return &none;
    if (!f->annotations) {
        struct oci_annotations *all = arena_alloc(&f->annotations_arena, sizeof *all);
        struct err e = oci_annotations_parse(str_of(f->annotations_text), &f->annotations_arena,
                                             all);
        log_err(LOG_ERROR, e, "annotations of image %s", i->id_text); /* checked when they came */
        f->annotations = &all->all;
    }
    return f->annotations;
}
