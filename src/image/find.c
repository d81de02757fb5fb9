#include "image/facts.h"
#include <stdio.h>

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.len > 0;
}

struct image *image_by_id(struct images *im, struct str id) {
    struct digest d;
    if (!reference_is_id(id, &d))
        return NULL;
    struct image_fact *f = map_get(&im->by_id, digest_key(&d));
    return f ? &f->image : NULL;
}

/* "sha256:" and less than 64 digits, or digits alone; NULL when none or more than one has it. */
static struct image *find_by_prefix(struct images *im, struct str text) {
    if (str_starts(text, STR("sha256:")))
        text = str_from(text, strlen("sha256:"));
    if (text.len > 64 || !is_hex(text))
        return NULL;
    struct image *found = NULL, *i;
    size_t it = 0;
    while ((i = images_next(im, &it)) != NULL) {
        if (!str_starts(str_of(i->id_text + strlen("sha256:")), text))
            continue;
        if (found)
            return NULL;
        found = i;
    }
    return found;
}

static struct image *find_by_reference(struct images *im, struct reference r) {
    char text[REFERENCE_TEXT_MAX];
    if (r.has_digest) /* what a tag says besides a digest cannot change what the digest names */
        r.tag[0] = '\0';
    reference_default_tag(&r);
    struct image_tag *t = map_getz(&im->by_ref, reference_text(&r, text));
    return t ? t->image : NULL;
}

struct err image_platform_check(struct image *i, const struct platform *wanted, const char *shown) {
    const struct oci_image_config *c = image_config(i);
    char a[PLATFORM_TEXT_MAX], b[PLATFORM_TEXT_MAX];
    if (!wanted || platform_distance(wanted, c->os, c->architecture, c->variant) >= 0)
        return OK;
    return err_new(ERR_NOT_FOUND,
                   "image with reference %s was found but does not match the specified platform: "
                   "wanted %s, actual: %s",
                   shown, platform_text(wanted, a),
                   platform_format(c->os, c->architecture, c->variant, b));
}

struct err image_find(struct images *im, struct str ref, struct image **ret) {
    struct digest id;
    if (reference_is_id(ref, &id)) {
        struct image_fact *f = map_get(&im->by_id, digest_key(&id));
        char text[DIGEST_TEXT_MAX];
        if (!f || f->image.removed)
            return err_new(ERR_NOT_FOUND, "No such image: %s", digest_text(&id, text));
        *ret = &f->image;
        return OK;
    }
    struct reference r;
    TRY(reference_parse(ref, &r));
    struct image *i = find_by_reference(im, r);
    if (!i)
        i = find_by_prefix(im, ref);
    if (!i) {
        char text[REFERENCE_TEXT_MAX];
        reference_default_tag(&r);
        return err_new(ERR_NOT_FOUND, "No such image: %s", reference_familiar(&r, text));
    }
    *ret = i;
    return OK;
}

struct err image_find_rootfs(struct images *im, struct str ref, struct image **ret) {
    struct image *i;
    TRY(image_find(im, ref, &i));
    if (i->artifact)
        return err_new(ERR_INVALID, "%.*s is an artifact (%.128s), not an image", STR_ARG(ref),
                       i->artifact);
    *ret = i;
    return OK;
}

bool image_is_dangling(const struct image *i) {
    LIST_FOR (&i->tags, n)
        if (CONTAINER_OF(n, struct image_tag, link)->ref.tag[0])
            return false;
    return i->children == 0;
}

bool image_named_by_id(const struct image *i, struct str text) {
    return str_starts(str_of(i->id_text), text) ||
           str_starts(str_of(i->id_text + strlen("sha256:")), text);
}

void image_print_name(const struct image *i, char out[REFERENCE_TEXT_MAX]) {
    LIST_FOR (&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        if (t->ref.tag[0]) {
            reference_familiar(&t->ref, out);
            return;
        }
    }
    snprintf(out, REFERENCE_TEXT_MAX, "%s", i->id_text);
}

struct image *image_cache_get(struct images *im, struct str key) {
    struct image_fact *f = map_get(&im->cache, key);
    if (f)
        image_used(f);
    return f ? &f->image : NULL;
}
