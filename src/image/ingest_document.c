/* ingest_document.c - manifests, indexes and attestations in the worker: written as they came, and
 * read again by who hands an image on. */
#include "base/file.h"
#include "base/mem.h"
#include "image/ingest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_document(const struct ingest_documents *docs, const struct digest *d) {
    for (size_t i = 0; i < docs->n; i++)
        if (digest_eq(&docs->items[i].digest, d))
            return true;
    return false;
}

void ingest_document_add_file(struct ingest_documents *docs, enum document_kind kind,
                              const struct digest *d, uint64_t size, const char *file) {
    struct ingest_document one = {.digest = *d, .kind = kind, .size = size};
    if (has_document(docs, d))
        return;
    snprintf(one.file, sizeof(one.file), "%s", file);
    vec_push(docs, one);
}

struct err ingest_document_add(struct ingest *in, enum document_kind kind, struct str text,
                               struct ingest_documents *docs) {
    CLEAN_FD
    int fd = -1;
    struct digest d;
    char file[32];
    digest_of(text, &d);
    if (has_document(docs, &d))
        return OK;
    TRY(ingest_file(in, file, &fd));
    int r = fd_write_all(fd, text.p, text.len);
    if (r < 0)
        return err_errno(r, "write a file in image/ingest");
    ingest_document_add_file(docs, kind, &d, text.len, file);
    return OK;
}

/* --- read again ------------------------------------------------------------------------------ */
static struct err read_text(const struct ingest *in, const struct ingest_document *d,
                            struct buf *ret) {
    CLEAN_FD
    int fd = -1;
    struct digest got;
    if (d->size > OCI_MANIFEST_MAX)
        return err_new(ERR_INVALID, "manifest is larger than %u bytes", OCI_MANIFEST_MAX);
    TRY(ingest_open_blob(in, &d->digest, &fd));
    ret->max = OCI_MANIFEST_MAX;
    int r = fd_read_buf(fd, ret);
    digest_of(buf_str(ret), &got);
    if (r < 0 || ret->overflow || !digest_eq(&got, &d->digest))
        return err_new(ERR_SYSTEM, "a kept manifest is damaged (`corten system check --repair`)");
    return OK;
}

static struct err read_one(const struct ingest *in, const struct ingest_document *d,
                           struct arena *a, struct kept_document *ret) {
    CLEAN_BUF struct buf text = {0};
    TRY(read_text(in, d, &text));
    struct str s = {arena_str(a, buf_str(&text)), text.len};
    *ret = (struct kept_document){.digest = d->digest,
                                  .text = s,
                                  .is_index = d->kind == DOCUMENT_INDEX ||
                                              d->kind == DOCUMENT_INDEX_HERE,
                                  .made_here = d->kind == DOCUMENT_INDEX_HERE};
    return ret->is_index ? oci_index_parse(s, a, &ret->index)
                         : oci_manifest_parse(s, a, &ret->manifest);
}

void kept_documents_done(struct kept_documents *k) {
    arena_done(&k->arena);
}

struct err ingest_documents_read(const struct ingest *in, const struct ingest_image *image,
                                 struct kept_documents *ret) {
    struct kept_documents k = {.image = image};
    k.items = arena_array(&k.arena, image->documents_n + 1, sizeof(*k.items));
    for (size_t i = image->documents_n; i-- > 0;) {
        const struct ingest_document *d = &image->documents[i];
        if (d->kind == DOCUMENT_BLOB)
            continue;
        struct err e = read_one(in, d, &k.arena, &k.items[k.n]);
        if (err_failed(e)) {
            kept_documents_done(&k);
            return e;
        }
        k.n++;
    }
    *ret = k;
    return OK;
}

const struct kept_document *kept_find(const struct kept_documents *k, const char *digest) {
    char text[DIGEST_TEXT_MAX];
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(digest_text(&k->items[i].digest, text), digest) == 0)
            return &k->items[i];
    return NULL;
}

static bool is_of_image(const struct kept_documents *k, const struct kept_document *d) {
    char id[DIGEST_TEXT_MAX];
    return !d->is_index && strcmp(d->manifest.config.digest, digest_text(&k->image->id, id)) == 0 &&
           d->manifest.layers.n == k->image->layers_n;
}

const struct kept_document *kept_own(const struct kept_documents *k,
                                     const struct kept_document *d) {
    const struct oci_descriptor *entries = d->index.manifests.items;
    if (!d->is_index)
        return is_of_image(k, d) ? d : NULL;
    for (size_t i = 0; i < d->index.manifests.n; i++) {
        const struct kept_document *m = kept_find(k, entries[i].digest);
        if (m && is_of_image(k, m))
            return m;
    }
    return NULL;
}

static bool has_blob(const struct ingest_image *image, const struct oci_descriptor *d) {
    char text[DIGEST_TEXT_MAX];
    for (size_t i = 0; i < image->documents_n; i++)
        if (image->documents[i].size == (uint64_t)d->size &&
            strcmp(digest_text(&image->documents[i].digest, text), d->digest) == 0)
            return true;
    return false;
}

static struct err add_blob(const struct ingest_image *image, const struct oci_descriptor *d,
                           struct ingest_layer *blobs, size_t *n) {
    struct ingest_layer *b = &blobs[*n];
    *b = (struct ingest_layer){.has_blob = true, .blob_size = (uint64_t)d->size};
    TRY(digest_parse(str_of(d->digest), &b->blob));
    for (size_t i = 0; i < *n; i++)
        if (digest_eq(&blobs[i].blob, &b->blob))
            return OK;
    b->diff_id = b->blob;
    b->have_blob = has_blob(image, d);
    (*n)++;
    return b->have_blob ? OK
                        : err_new(ERR_SYSTEM, "blob %s of the artifact is not here: pull it again",
                                  d->digest);
}

struct err ingest_artifact(const struct ingest_image *image, struct arena *a,
                           struct oci_manifest *ret, struct ingest_layer **ret_blobs,
                           size_t *ret_n) {
    size_t n = 0;
    TRY(oci_manifest_parse(image->config, a, ret));
    const struct oci_descriptor *d = ret->layers.items;
    struct ingest_layer *blobs = arena_array(a, ret->layers.n + 1, sizeof(*blobs));
    TRY(add_blob(image, &ret->config, blobs, &n));
    for (size_t i = 0; i < ret->layers.n; i++)
        TRY(add_blob(image, &d[i], blobs, &n));
    *ret_blobs = blobs;
    *ret_n = n;
    return OK;
}

bool kept_is_whole(const struct kept_documents *k, const struct kept_document *d) {
    const struct oci_descriptor *layers = d->manifest.layers.items;
    if (d->is_index)
        return false;
    if (is_of_image(k, d))
        return kept_layers_fit(k->image, &d->manifest);
    bool whole = has_blob(k->image, &d->manifest.config);
    for (size_t i = 0; i < d->manifest.layers.n; i++)
        whole &= has_blob(k->image, &layers[i]);
    return whole;
}

bool kept_layers_fit(const struct ingest_image *image, const struct oci_manifest *m) {
    const struct oci_descriptor *d = m->layers.items;
    char text[DIGEST_TEXT_MAX];
    if (m->layers.n != image->layers_n)
        return false;
    for (size_t i = 0; i < image->layers_n; i++)
        if (!image->layers[i].has_blob || image->layers[i].blob_size != (uint64_t)d[i].size ||
            strcmp(digest_text(&image->layers[i].blob, text), d[i].digest) != 0)
            return false;
    return true;
}
