/* push_referrer.c - artifacts to a registry, and what they refer to. */
#include "base/mem.h"
#include "registry/manifest.h"
#include "registry/push_manifest.h"
#include <stdlib.h>
#include <string.h>

const char *push_source(const struct registry *r, const struct ingest_image *image,
                        struct arena *a) {
    for (size_t i = 0; i < image->tags.n; i++) {
        struct reference seen;
        struct err e = reference_parse(str_of(image->tags.items[i]), &seen);
        bool right = !err_failed(e);
        err_ignore(e); /* our own text */
        if (right && seen.has_digest && strcmp(seen.domain, r->shown) == 0 &&
            strcmp(seen.path, r->path) != 0)
            return arena_printf(a, "%s/%s", seen.domain, seen.path);
    }
    return NULL;
}

/* The index under the subject's tag as it is now; an empty one where there is none. */
static struct err get_index(struct registry *r, const char *tag, struct arena *a,
                            struct oci_index *ret) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE char *url = mem_printf("manifests/%s", tag);
    struct registry_call c = {.method = "GET",
                              .url = url,
                              .accept = OCI_INDEX,
                              .body_fd = -1,
                              .max = OCI_MANIFEST_MAX,
                              .redirects = true};
    *ret = (struct oci_index){0};
    TRY(registry_call(r, &c, &answer));
    if (answer.status == 404)
        return OK;
    if (answer.status != 200)
        return registry_error(r, &answer, "look for referrers");
    return err_wrap(oci_index_parse(buf_str(&answer.body), a, ret), "referrers at registry %s",
                    r->shown);
}

static void print_index(const struct oci_index *index, const struct oci_descriptor *one,
                        struct buf *out) {
    const struct oci_descriptor *d = index->manifests.items;
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_ki64(&o, "schemaVersion", 2);
    jo_kstr(&o, "mediaType", OCI_INDEX);
    jo_key(&o, "manifests");
    jo_arr(&o);
    for (size_t i = 0; i < index->manifests.n; i++)
        if (strcmp(d[i].digest, one->digest) != 0)
            fields_encode(&oci_descriptor_fields, &d[i], 0, &o);
    fields_encode(&oci_descriptor_fields, one, 0, &o);
    jo_arr_end(&o);
    jo_obj_end(&o);
}

static struct err list_below(struct registry *r, const char *subject, struct str text,
                             const struct oci_manifest *m) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct oci_index index;
    struct digest digest;
    char id[DIGEST_TEXT_MAX];
    char *tag = arena_strz(&a, subject);
    *strchr(tag, ':') = '-';
    digest_of(text, &digest);
    struct oci_descriptor one = {.media_type = arena_strz(&a, oci_media_type_of(text)),
                                 .digest = digest_text(&digest, id),
                                 .size = (int64_t)text.len,
                                 .artifact_type = arena_strz(&a, oci_artifact_type(m)),
                                 .annotations = m->annotations};
    TRY(get_index(r, tag, &a, &index));
    print_index(&index, &one, &out);
    return err_wrap(push_put_manifest(r, tag, buf_str(&out), NULL, NULL), "list the referrer");
}

struct err push_referrer(struct registry *r, const char *tag, struct str text,
                         const struct oci_manifest *m) {
    bool listed = false;
    TRY(push_put_manifest(r, tag, text, NULL, &listed));
    if (!m->subject || listed)
        return OK;
    struct digest subject;
    TRYF(digest_parse(str_of(m->subject->digest), &subject), "subject");
    return list_below(r, m->subject->digest, text, m);
}
