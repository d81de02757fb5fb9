/* spec/oci_annotations.h - what manifests and indexes say about an image beside its config.
 *
 * Source: OCI image-spec 1.1, annotations.md. They are foreign bytes, and no part of what an
 * image's id is made of: they tell, and configure nothing. What is beyond the limits is left out.
 *
 * Any thread: no state. Tests: test/unit/spec/annotations.c, test/e2e/t9370-travel.sh.
 */
#pragma once
#include "spec/fields.h"

#define OCI_ANNOTATIONS_MAX 64            /* of one image */
#define OCI_ANNOTATION_KEY_MAX 256u       /* bytes */
#define OCI_ANNOTATION_VALUE_MAX 4096u    /* bytes */
#define OCI_ANNOTATIONS_BYTES (64u << 10) /* keys and values of one image */
#define OCI_ANNOTATIONS_TEXT (512u << 10) /* of them as JSON, where each byte may be escaped */

struct oci_annotations {
    struct strmap all; /* in the order in which they came */
    size_t bytes;
};
extern const struct fields oci_annotations_fields;
/* Adds what is not there yet. Names of the image itself, of which the store has its own, and what
 * belongs to an attestation stay out. Strings are copied to the arena. */
void oci_annotations_add(struct oci_annotations *to, struct arena *a, const struct strmap *from);
/* The member "annotations" of a manifest that is being written; none when there are none. */
struct json_out;
void oci_annotations_put(struct json_out *o, const struct oci_annotations *x);
/* Reads what the table has written, and checks the limits again. ERR_INVALID. */
struct err oci_annotations_parse(struct str text, struct arena *a, struct oci_annotations *ret);
