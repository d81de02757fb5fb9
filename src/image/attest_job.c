/* attest_job.c - the job "image-attest": an in-toto statement for an image that is here, as one
 * more document; or, when it travels, as a part of an index that pushes and archives hand on.
 *
 * The index is BuildKit's: the image's manifest, and for the platform unknown/unknown a manifest
 * whose layers are statements, annotated with the digest of the manifest that they are about.
 * Sources: BuildKit docs/attestations/attestation-storage.md, in-toto attestation framework v1.
 * Tests: test/e2e/t6029-attest.sh. */
#include "base/json.h"
#include "image/ingest.h"
#include "image/jobs.h"
#include <stdlib.h>

#define IN_TOTO "application/vnd.in-toto+json"

struct attesting {
    struct ingest *in;
    struct arena arena;
    struct ingest_image image;
    struct ingest_documents docs;
    struct json *statement;
    struct digest manifest, attestation;
    size_t manifest_size, attestation_size;
};

static void attesting_done(struct attesting *t) {
    json_free(t->statement);
    vec_done(&t->docs);
    arena_done(&t->arena);
}

static void manifest_begin(struct json_out *o, const struct digest *config, size_t size) {
    jo_obj(o);
    jo_ki64(o, "schemaVersion", 2);
    jo_kstr(o, "mediaType", OCI_MANIFEST);
    jo_key(o, "config");
    jo_obj(o);
    descriptor_put(o, OCI_CONFIG, config, size);
    jo_obj_end(o);
    jo_key(o, "layers");
    jo_arr(o);
}

/* --- what is made, from the bottom ---------------------------------------------------------------
 */
static struct err add(struct attesting *t, enum document_kind kind, const struct buf *text,
                      struct digest *ret, size_t *ret_size) {
    digest_of(buf_str(text), ret);
    *ret_size = text->len;
    return ingest_document_add(t->in, kind, buf_str(text), &t->docs);
}

static struct err add_manifest(struct attesting *t) {
    static const char *const types[] = {[COMPRESSION_NONE] = OCI_LAYER,
                                        [COMPRESSION_GZIP] = OCI_LAYER_GZIP,
                                        [COMPRESSION_ZSTD] = OCI_LAYER_ZSTD};
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    manifest_begin(&o, &t->image.id, t->image.config.len);
    for (size_t i = 0; i < t->image.layers_n; i++) {
        struct ingest_layer *l = &t->image.layers[i];
        if (!l->has_blob)
            TRY(ingest_make_blob(t->in, l));
        jo_obj(&o);
        descriptor_put(&o, types[l->compression], &l->blob, l->blob_size);
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    oci_annotations_put(&o, &t->image.annotations);
    jo_obj_end(&o);
    return add(t, DOCUMENT_MANIFEST, &text, &t->manifest, &t->manifest_size);
}

/* The builder knows the image by its config; who has it from a registry, by its manifest. */
static void put_subjects(const struct attesting *t, const struct json *subjects,
                         struct json_out *o) {
    char hex[65];
    digest_hex(&t->manifest, hex);
    jo_arr(o);
    for (size_t i = 0; i < json_len(subjects); i++) {
        jo_obj(o);
        jo_key(o, "name");
        jo_str(o, json_str(json_get(json_at(subjects, i), "name")));
        jo_key(o, "digest");
        jo_obj(o);
        jo_kstr(o, "sha256", hex);
        jo_obj_end(o);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

static struct err add_statement(struct attesting *t, struct digest *ret, size_t *ret_size) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    struct json_iter it = {0};
    TRYF(json_parse(ingest_arg(t->in, "statement"), &t->statement), "in-toto statement");
    if (json_type(t->statement) != JSON_OBJECT)
        return err_new(ERR_INVALID, "the document is no in-toto statement");
    jo_obj(&o);
    while (json_each(t->statement, &it)) {
        CLEAN_BUF struct buf value = {0};
        jo_keys(&o, it.key);
        json_print(it.value, &value);
        if (str_eqz(it.key, "subject"))
            put_subjects(t, it.value, &o);
        else
            jo_raw(&o, buf_str(&value));
    }
    jo_obj_end(&o);
    return add(t, DOCUMENT_BLOB, &text, ret, ret_size);
}

static struct err add_config(struct attesting *t, const struct digest *statement,
                             struct digest *ret, size_t *ret_size) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    char id[DIGEST_TEXT_MAX];
    jo_obj(&o);
    jo_kstr(&o, "architecture", "unknown");
    jo_kstr(&o, "os", "unknown");
    jo_key(&o, "config");
    jo_raw(&o, STR("{}"));
    jo_key(&o, "rootfs");
    jo_obj(&o);
    jo_kstr(&o, "type", "layers");
    jo_key(&o, "diff_ids");
    jo_arr(&o);
    jo_strz(&o, digest_text(statement, id));
    jo_arr_end(&o);
    jo_obj_end(&o);
    jo_obj_end(&o);
    return add(t, DOCUMENT_BLOB, &text, ret, ret_size);
}

static struct err add_attestation(struct attesting *t) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    struct digest statement, config;
    size_t statement_size, config_size;
    TRY(add_statement(t, &statement, &statement_size));
    TRY(add_config(t, &statement, &config, &config_size));
    manifest_begin(&o, &config, config_size);
    jo_obj(&o);
    descriptor_put(&o, IN_TOTO, &statement, statement_size);
    jo_key(&o, "annotations");
    jo_obj(&o);
    jo_key(&o, "in-toto.io/predicate-type");
    jo_str(&o, json_str(json_get(t->statement, "predicateType")));
    jo_obj_end(&o);
    jo_obj_end(&o);
    jo_arr_end(&o);
    jo_obj_end(&o);
    return add(t, DOCUMENT_MANIFEST, &text, &t->attestation, &t->attestation_size);
}

static void put_platform(struct json_out *o, struct str architecture, struct str os,
                         struct str variant) {
    jo_key(o, "platform");
    jo_obj(o);
    jo_key(o, "architecture");
    jo_str(o, architecture);
    jo_key(o, "os");
    jo_str(o, os);
    if (variant.len) {
        jo_key(o, "variant");
        jo_str(o, variant);
    }
    jo_obj_end(o);
}

static struct err add_index(struct attesting *t) {
    CLEAN_JSON struct json *config = NULL;
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    struct oci_annotations said = {0};
    struct str annotations = ingest_arg(t->in, "annotations");
    struct digest index;
    size_t size;
    char about[DIGEST_TEXT_MAX];
    if (annotations.len)
        TRY(oci_annotations_parse(annotations, &t->arena, &said));
    TRYF(json_parse(t->image.config, &config), "config of the image");
    jo_obj(&o);
    jo_ki64(&o, "schemaVersion", 2);
    jo_kstr(&o, "mediaType", OCI_INDEX);
    jo_key(&o, "manifests");
    jo_arr(&o);
    jo_obj(&o);
    descriptor_put(&o, OCI_MANIFEST, &t->manifest, t->manifest_size);
    put_platform(&o, json_str(json_get(config, "architecture")), json_str(json_get(config, "os")),
                 json_str(json_get(config, "variant")));
    jo_obj_end(&o);
    jo_obj(&o);
    descriptor_put(&o, OCI_MANIFEST, &t->attestation, t->attestation_size);
    jo_key(&o, "annotations");
    jo_obj(&o);
    jo_kstr(&o, "vnd.docker.reference.digest", digest_text(&t->manifest, about));
    jo_kstr(&o, "vnd.docker.reference.type", "attestation-manifest");
    jo_obj_end(&o);
    put_platform(&o, STR("unknown"), STR("unknown"), STR_NONE);
    jo_obj_end(&o);
    jo_arr_end(&o);
    oci_annotations_put(&o, &said);
    jo_obj_end(&o);
    return add(t, DOCUMENT_INDEX_HERE, &text, &index, &size);
}

static struct err attest(struct attesting *t) {
    struct ingest *in = t->in;
    if (ingest_images_n(in) != 1)
        return err_new(ERR_INVALID, "image attest without its image");
    TRY(ingest_image(in, 0, &t->arena, &t->image));
    if (json_bool(json_get(in->args, "travels"), false)) {
        TRY(add_manifest(t));
        TRY(add_attestation(t));
        TRY(add_index(t)); /* last: it is the newest that is said about the image */
    } else {
        TRY(ingest_document_add(in, DOCUMENT_BLOB, ingest_arg(in, "statement"), &t->docs));
    }
    TRY(ingest_documents_place(in, &t->docs));
    /* Not its config: an image that is being removed does not come back. */
    struct ingest_commit c = {.same = &t->image.id, .documents = &t->docs};
    return ingest_commit(in, &c);
}

struct err image_attest_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    struct attesting t OWN(attesting_done) = {.in = &in};
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    return ingest_end(&in, attest(&t));
}
