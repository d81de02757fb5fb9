/* manifest.h - finding the manifest of an image for a machine. Private to registry/; worker
 * only. */
#pragma once
#include "registry/client.h"
#include "spec/oci_image.h"
#include "spec/platform.h"

/* What a reference names: manifest or index, checked against its digest. */
struct document {
    struct buf text;
    struct digest digest;
    bool is_index;
    struct arena arena;
    struct oci_manifest manifest; /* one of the two */
    struct oci_index index;
};
void document_done(struct document *d);
#define CLEAN_DOCUMENT OWN(document_done)
struct fetched {
    struct arena arena;
    struct digest digest;          /* of the document that the reference names: manifest or index */
    struct document named, chosen; /* chosen: from an index */
    struct oci_manifest manifest;  /* memory of one of them */
    struct buf config;             /* raw bytes, digest verified; of an artifact: its manifest's */
    const char *artifact;          /* the type of one; NULL: an image, with: */
    struct oci_image_config image;
};
void fetched_done(struct fetched *f);
#define CLEAN_FETCHED OWN(fetched_done)
/* reference: a tag or a digest's text. shown: for messages. */
struct err fetch_document(struct registry *r, const char *reference, const char *shown,
                          struct document *ret);
/* The same, then the manifest for the platform and its config. asked: somebody named the platform,
 * so that an image without an index must be for it. */
struct err fetch_manifest(struct registry *r, const char *reference, const char *shown,
                          const struct platform *p, bool asked, struct fetched *ret);
/* The config of a manifest: bytes and decoded. */
struct err fetch_config(struct registry *r, const struct oci_manifest *m, struct buf *ret,
                        struct arena *a, struct oci_image_config *ret_image);
/* What a manifest's bytes must be to be taken; *ret is the index's choice or the manifest itself.
 * content_type "" : not told. Fuzzed. */
struct err manifest_check(struct str text, const char *content_type, struct arena *a,
                          bool *ret_index, struct oci_manifest *ret_manifest,
                          struct oci_index *ret_list);
