/* manifest.h - finding the manifest of an image for this machine. Private to registry/; worker
 * only. */
#pragma once
#include "registry/client.h"
#include "spec/oci_image.h"

struct fetched {
    struct arena arena;
    struct digest digest; /* of the document that the reference names: manifest or index */
    struct oci_manifest manifest;
    struct buf config; /* raw bytes, digest verified */
    struct oci_image_config image;
};
void fetched_done(struct fetched *f);
#define CLEAN_FETCHED OWN(fetched_done)
/* reference: a tag or a digest's text. shown: for messages. */
struct err fetch_manifest(struct registry *r, const char *reference, const char *shown,
                          struct fetched *ret);
/* What a manifest's bytes must be to be taken; *ret is the index's choice or the manifest itself.
 * content_type "" : not told. Fuzzed. */
struct err manifest_check(struct str text, const char *content_type, struct arena *a,
                          bool *ret_index, struct oci_manifest *ret_manifest,
                          struct oci_index *ret_list);
/* The entry for this machine. NULL: none. */
const struct oci_descriptor *index_choose(const struct oci_index *index);
