/* manifests_job.c - the job "image-manifests": documents about images (of a list, or one inspect)
 * completed by what their kept manifests and indexes say: Descriptor and Manifests.
 *
 * Descriptor: a memory file with an array of {id, layers, size, architecture, os, variant,
 * containers, documents, document}, artifacts also with {artifact, media_type, manifest_size}. A
 * manifest that went away meanwhile is one that is not there. Source: Engine API 1.48
 * ImageManifestSummary. Tests: test/e2e/t1205-manifests.sh. */
#include "base/file.h"
#include "image/image.h"
#include "image/jobs.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (512u << 20)

struct item {
    struct arena arena;
    const struct json *json;
    struct ingest_image image; /* id, number of layers, documents */
    struct kept_documents kept;
    const struct kept_document *top, *own;
};

static void item_done(struct item *i) {
    kept_documents_done(&i->kept);
    arena_done(&i->arena);
}

static int64_t number(const struct json *j, const char *key) {
    int64_t n = 0;
    json_i64(json_get(j, key), &n);
    return n;
}

/* The newest one that says what the image is. */
static void choose_top(struct item *i) {
    for (size_t k = 0; k < i->kept.n && !i->top; k++) {
        i->own = kept_own(&i->kept, &i->kept.items[k]);
        i->top = i->own ? &i->kept.items[k] : NULL;
    }
}

static struct err item_read(const struct ingest *in, const struct json *j, struct item *i) {
    const struct json *docs = json_get(j, "documents");
    struct ingest_document *d = arena_array(&i->arena, json_len(docs) + 1, sizeof(*d));
    size_t n = json_len(docs);
    i->json = j;
    i->image.layers_n = (size_t)number(j, "layers");
    i->image.documents = d;
    i->image.documents_n = n;
    TRY(digest_parse(json_str(json_get(j, "id")), &i->image.id));
    for (size_t k = 0; k < n; k++) {
        const struct json *one = json_at(docs, k);
        d[k] = (struct ingest_document){.kind = (enum document_kind)number(one, "kind"),
                                        .size = (uint64_t)number(one, "size"),
                                        .have = true};
        TRY(digest_parse(json_str(json_get(one, "digest")), &d[k].digest));
    }
    struct err e = ingest_documents_read(in, &i->image, &i->kept);
    if (err_failed(e))
        i->kept = (struct kept_documents){0};
    err_ignore(e); /* `system check` tells of damage; what is removed just now is nobody's */
    choose_top(i);
    return OK;
}

/* --- the parts of the answer -------------------------------------------------------------------
 */

static void put_descriptor(struct json_out *o, const struct kept_document *d,
                           const struct oci_descriptor *entry, struct arena *a) {
    struct oci_descriptor own = {0};
    if (entry)
        own = *entry;
    else
        own.media_type = arena_strz(a, oci_media_type_of(d->text));
    if (!entry)
        own.digest = digest_text(&d->digest, arena_alloc(a, DIGEST_TEXT_MAX));
    if (!entry)
        own.size = (int64_t)d->text.len;
    fields_encode(&oci_descriptor_fields, &own, 0, o);
}

/* Bytes of what the manifest names, with itself. */
static int64_t content_size(const struct kept_document *m) {
    const struct oci_descriptor *layers = m->manifest.layers.items;
    int64_t sum = (int64_t)m->text.len + m->manifest.config.size;
    for (size_t i = 0; i < m->manifest.layers.n; i++)
        sum += layers[i].size;
    return sum;
}

static void put_size(struct json_out *o, int64_t content, int64_t unpacked) {
    jo_key(o, "Size");
    jo_obj(o);
    jo_ki64(o, "Content", content);
    jo_ki64(o, "Total", content + unpacked);
    jo_obj_end(o);
}

static void put_platform(struct json_out *o, const struct item *i,
                         const struct oci_descriptor *entry) {
    struct oci_platform p = {.architecture = str_dup(json_str(json_get(i->json, "architecture"))),
                             .os = str_dup(json_str(json_get(i->json, "os"))),
                             .variant = str_dup(json_str(json_get(i->json, "variant")))};
    jo_key(o, "Platform");
    fields_encode(&oci_platform_fields, entry && entry->platform ? entry->platform : &p, 0, o);
    free(p.architecture);
    free(p.os);
    free(p.variant);
}

static void put_image_data(struct json_out *o, const struct item *i, bool own,
                           const struct oci_descriptor *entry) {
    const struct json *containers = json_get(i->json, "containers");
    jo_key(o, "ImageData");
    jo_obj(o);
    put_platform(o, i, entry);
    jo_key(o, "Size");
    jo_obj(o);
    jo_ki64(o, "Unpacked", own ? number(i->json, "size") : 0);
    jo_obj_end(o);
    jo_key(o, "Containers");
    jo_arr(o);
    for (size_t k = 0; own && k < json_len(containers); k++)
        jo_str(o, json_str(json_at(containers, k)));
    jo_arr_end(o);
    jo_obj_end(o);
}

/* One manifest: m NULL: known from an index only. entry NULL: it is the top document itself. */
static void put_manifest(struct json_out *o, struct item *i, const struct kept_document *m,
                         const struct oci_descriptor *entry) {
    const char *of = entry ? strmap_get(&entry->annotations, "vnd.docker.reference.digest") : NULL;
    bool attestation = of != NULL, own = m && m == i->own;
    bool there = own || (attestation && m && kept_is_whole(&i->kept, m));
    char text[DIGEST_TEXT_MAX];
    jo_obj(o);
    jo_kstr(o, "ID", entry ? entry->digest : digest_text(&m->digest, text));
    jo_key(o, "Descriptor");
    put_descriptor(o, m, entry, &i->arena);
    jo_kbool(o, "Available", there);
    put_size(o, there ? content_size(m) : 0, own ? number(i->json, "size") : 0);
    jo_kstr(o, "Kind",
            attestation                 ? "attestation"
            : entry && !entry->platform ? "unknown"
                                        : "image");
    if (attestation) {
        jo_key(o, "AttestationData");
        jo_obj(o);
        jo_kstr(o, "For", of);
        jo_obj_end(o);
    } else if (!entry || entry->platform) {
        put_image_data(o, i, own, entry);
    }
    jo_obj_end(o);
}

static void put_manifests(struct json_out *o, struct item *i) {
    const struct oci_descriptor *entries = i->top ? i->top->index.manifests.items : NULL;
    jo_key(o, "Manifests");
    jo_arr(o);
    if (i->top && !i->top->is_index)
        put_manifest(o, i, i->top, NULL);
    for (size_t k = 0; i->top && i->top->is_index && k < i->top->index.manifests.n; k++)
        put_manifest(o, i, kept_find(&i->kept, entries[k].digest), &entries[k]);
    jo_arr_end(o);
}

/* An artifact is its own and only manifest. */
static void put_artifact(struct json_out *o, const struct item *i) {
    CLEAN_BUF struct buf text = {0};
    struct json_out d = {.out = &text};
    int64_t size = number(i->json, "size");
    jo_obj(&d);
    jo_key(&d, "mediaType");
    jo_str(&d, json_str(json_get(i->json, "media_type")));
    jo_key(&d, "digest");
    jo_str(&d, json_str(json_get(i->json, "id")));
    jo_ki64(&d, "size", number(i->json, "manifest_size"));
    jo_key(&d, "artifactType");
    jo_str(&d, json_str(json_get(i->json, "artifact")));
    jo_obj_end(&d);
    jo_key(o, "Descriptor");
    jo_raw(o, buf_str(&text));
    jo_key(o, "Manifests");
    jo_arr(o);
    jo_obj(o);
    jo_key(o, "ID");
    jo_str(o, json_str(json_get(i->json, "id")));
    jo_key(o, "Descriptor");
    jo_raw(o, buf_str(&text));
    jo_kbool(o, "Available", true);
    put_size(o, size, 0);
    jo_kstr(o, "Kind", "unknown");
    jo_obj_end(o);
    jo_arr_end(o);
}

static struct err put_item(const struct ingest *in, const struct json *j, struct json_out *o) {
    struct item i OWN(item_done) = {0};
    struct json_iter it = {0};
    TRY(item_read(in, j, &i));
    jo_obj(o);
    while (json_each(json_get(j, "document"), &it)) {
        CLEAN_BUF struct buf value = {0};
        json_print(it.value, &value);
        jo_keys(o, it.key);
        jo_raw(o, buf_str(&value));
    }
    if (i.top) {
        jo_key(o, "Descriptor");
        put_descriptor(o, i.top, NULL, &i.arena);
    }
    if (json_get(j, "artifact"))
        put_artifact(o, &i);
    else
        put_manifests(o, &i);
    jo_obj_end(o);
    return OK;
}

static struct err manifests_run(struct ingest *in) {
    CLEAN_JSON struct json *all = NULL;
    CLEAN_BUF struct buf text = {.max = TEXT_MAX}, out = {0};
    struct json_out o = {.out = &out};
    bool array = json_bool(json_get(in->args, "array"), false);
    if (in->extra_n == 0)
        return err_new(ERR_INVALID, "image-manifests without its images");
    lseek(in->extra[0], 0, SEEK_SET);
    int r = fd_read_buf(in->extra[0], &text);
    if (r < 0 || text.overflow)
        return err_errno(r < 0 ? r : -E2BIG, "read the images");
    TRY(json_parse(buf_str(&text), &all));
    if (array)
        jo_arr(&o);
    for (size_t i = 0; i < json_len(all); i++)
        TRY(put_item(in, json_at(all, i), &o));
    if (array)
        jo_arr_end(&o);
    buf_addc(&out, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, out.data, out.len);
}

struct err image_manifests_job(struct worker_ctx *ctx, struct str args, const int *fds,
                               size_t fds_n, struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* the client has it */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    return ingest_end(&in, manifests_run(&in));
}
