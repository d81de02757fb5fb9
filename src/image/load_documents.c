/* load_documents.c - what the archive's index says about its images, kept as it came: manifests,
 * indexes, attestations. An archive without index.json, or one that is damaged there, has none. */
#include "image/load_job.h"
#include <stdlib.h>
#include <string.h>

struct walk {
    const struct spool *s;
    struct loads *loads;
    struct arena arena;
};

/* The text of a blob of the archive. false: it is not there, or not what its name says. */
static bool blob_text(struct walk *w, const struct oci_descriptor *d, struct member **ret_member,
                      struct str *ret) {
    CLEAN_BUF struct buf text = {0};
    struct err e = spool_blob(w->s, d->digest, d->size, ret_member);
    if (!err_failed(e) && ((*ret_member)->unpacked || !(*ret_member)->file[0]))
        return false;
    if (!err_failed(e))
        e = spool_text(w->s, *ret_member, OCI_MANIFEST_MAX, &text);
    bool there = !err_failed(e);
    err_ignore(e); /* who needs it has said so */
    if (there)
        *ret = (struct str){arena_str(&w->arena, buf_str(&text)), text.len};
    return there;
}

static bool parse_manifest(struct walk *w, struct str text, struct oci_manifest *ret) {
    struct err e = oci_manifest_parse(text, &w->arena, ret);
    bool right = !err_failed(e);
    err_ignore(e); /* then it is no document of an image */
    return right;
}

static void add_member(struct loaded *l, enum document_kind kind, const struct member *m) {
    if (l->documents.n < INGEST_DOCUMENTS_MAX)
        ingest_document_add_file(&l->documents, kind, &m->digest, m->size, m->file);
}

static bool part(struct walk *w, const struct oci_descriptor *d, struct member **ret) {
    struct err e = spool_blob(w->s, d->digest, d->size, ret);
    bool there = !err_failed(e) && !(*ret)->unpacked && (*ret)->file[0] &&
                 (*ret)->size <= INGEST_DOCUMENT_MAX;
    err_ignore(e); /* the attestation is left out */
    return there;
}

/* An attestation of the image: taken when all that it names is there. */
static void add_attestation(struct walk *w, const struct oci_descriptor *d, struct loaded *l) {
    struct member *m, *p;
    struct str text;
    struct oci_manifest a;
    if (!oci_is_manifest(d->media_type) || !blob_text(w, d, &m, &text) ||
        !parse_manifest(w, text, &a) || !part(w, &a.config, &p))
        return;
    const struct oci_descriptor *layers = a.layers.items;
    for (size_t i = 0; i < a.layers.n; i++)
        if (!part(w, &layers[i], &p))
            return;
    for (size_t i = 0; i < a.layers.n; i++)
        if (part(w, &layers[i], &p))
            add_member(l, DOCUMENT_BLOB, p);
    if (part(w, &a.config, &p))
        add_member(l, DOCUMENT_BLOB, p);
    add_member(l, DOCUMENT_MANIFEST, m);
}

static void add_attestations(struct walk *w, const struct oci_index *index, const char *about,
                             struct loaded *l) {
    const struct oci_descriptor *d = index->manifests.items;
    for (size_t i = 0; i < index->manifests.n; i++) {
        const char *of = strmap_get(&d[i].annotations, "vnd.docker.reference.digest");
        if (of && strcmp(of, about) == 0)
            add_attestation(w, &d[i], l);
    }
}

/* What is nearest to the image is believed. */
static void annotate(struct loaded *l, const struct oci_manifest *m, const struct oci_descriptor *d,
                     const struct oci_index *index) {
    oci_annotations_add(&l->annotations, &l->notes, &m->annotations);
    oci_annotations_add(&l->annotations, &l->notes, &d->annotations);
    if (index)
        oci_annotations_add(&l->annotations, &l->notes, &index->annotations);
}

/* The manifest, for the images of which it is one; with the index that lists it. */
static void add_manifest(struct walk *w, const struct oci_descriptor *d,
                         const struct oci_index *index, const struct member *index_member) {
    struct member *m;
    struct str text;
    struct oci_manifest manifest;
    char id[DIGEST_TEXT_MAX];
    if (!oci_is_manifest(d->media_type) || !blob_text(w, d, &m, &text) ||
        !parse_manifest(w, text, &manifest))
        return;
    for (size_t i = 0; i < w->loads->n; i++) {
        struct loaded *l = &w->loads->items[i];
        digest_text(&l->id, id);
        if (l->artifact && strcmp(id, d->digest) == 0) /* its manifest is itself */
            annotate(l, &manifest, d, index);
        if (l->artifact || strcmp(id, manifest.config.digest) != 0)
            continue;
        add_member(l, DOCUMENT_MANIFEST, m);
        annotate(l, &manifest, d, index);
        if (!index)
            continue;
        add_attestations(w, index, d->digest, l);
        add_member(l, DOCUMENT_INDEX, index_member);
    }
}

static void add_index(struct walk *w, const struct oci_descriptor *d) {
    struct member *m;
    struct str text;
    struct oci_index index;
    if (!blob_text(w, d, &m, &text))
        return;
    struct err e = oci_index_parse(text, &w->arena, &index);
    bool right = !err_failed(e);
    err_ignore(e); /* then it says nothing about an image */
    const struct oci_descriptor *entries = right ? index.manifests.items : NULL;
    for (size_t i = 0; right && i < index.manifests.n; i++)
        add_manifest(w, &entries[i], &index, m);
}

void load_documents(const struct spool *s, struct loads *loads) {
    CLEAN_BUF struct buf text = {0};
    struct walk w = {.s = s, .loads = loads};
    struct oci_index top;
    struct member *m = spool_find(s, "index.json");
    struct err e = m ? spool_text(s, m, OCI_MANIFEST_MAX, &text) : OK;
    if (m && !err_failed(e))
        e = oci_index_parse(buf_str(&text), &w.arena, &top);
    bool right = m && !err_failed(e);
    err_ignore(e); /* manifest.json has said what the images are */
    const struct oci_descriptor *d = right ? top.manifests.items : NULL;
    for (size_t i = 0; right && i < top.manifests.n; i++) {
        if (oci_is_index(d[i].media_type))
            add_index(&w, &d[i]);
        else
            add_manifest(&w, &d[i], NULL, NULL);
    }
    arena_done(&w.arena);
}
