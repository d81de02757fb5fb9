#include "registry/pull_artifact.h"
#include "base/mem.h"
#include "registry/pull_layers.h"
#include <stdio.h>
#include <stdlib.h>

static struct err add_blob(const struct oci_descriptor *d, struct ingest_documents *docs) {
    struct digest digest;
    TRY(digest_parse(str_of(d->digest), &digest));
    if (d->size < 0)
        return err_new(ERR_INVALID, "blob %s of a negative size", d->digest);
    if (docs->n == ARTIFACT_BLOBS_MAX)
        return err_new(ERR_UNSUPPORTED, "an artifact of more than %d blobs", ARTIFACT_BLOBS_MAX);
    ingest_document_add_file(docs, DOCUMENT_BLOB, &digest, (uint64_t)d->size, "");
    return OK;
}

static struct err list_blobs(const struct fetched *f, struct ingest_documents *docs) {
    const struct oci_descriptor *d = f->manifest.layers.items;
    TRY(add_blob(&f->manifest.config, docs));
    for (size_t i = 0; i < f->manifest.layers.n; i++)
        TRY(add_blob(&d[i], docs));
    return OK;
}

struct err pull_artifact(struct ingest *in, struct registry *r, const struct fetched *f, bool here,
                         struct ingest_documents *docs) {
    if (f->config.len > IMAGE_CONFIG_MAX)
        return err_new(ERR_UNSUPPORTED, "an artifact's manifest of more than %u bytes",
                       IMAGE_CONFIG_MAX);
    TRY(list_blobs(f, docs));
    TRY(ingest_documents_reserve(in, docs));
    CLEAN_FREE struct ingest_layer *blobs = mem_zero((docs->n + 1) * sizeof(*blobs));
    for (size_t i = 0; i < docs->n; i++)
        blobs[i] = (struct ingest_layer){.diff_id = docs->items[i].digest,
                                         .have = docs->items[i].have,
                                         .has_blob = true,
                                         .have_blob = docs->items[i].have,
                                         .blob = docs->items[i].digest,
                                         .blob_size = docs->items[i].size};
    TRY(pull_announce(in, blobs, docs->n, here));
    TRY(pull_blobs(in, r, blobs, docs->n, true));
    for (size_t i = 0; i < docs->n; i++)
        snprintf(docs->items[i].file, sizeof(docs->items[i].file), "%s", blobs[i].blob_file);
    return ingest_place_documents(in, docs);
}
