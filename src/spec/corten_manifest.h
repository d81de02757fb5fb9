/* corten_manifest.h - POST /corten/manifest?name=: a list of manifests for a registry, and the form
 * in which the command line keeps one until then. Ours. Tests: test/e2e/t8340-manifest.sh. */
#pragma once
#include "spec/oci_image.h"

struct manifest_list_push {
    char *list;          /* the index, byte for byte */
    struct strs sources; /* a reference with digest for each manifest of it, in its order */
};
extern const struct fields manifest_list_push_fields;
struct manifest_list_pushed {
    char *digest; /* of the list */
};
extern const struct fields manifest_list_pushed_fields;

struct manifest_entry {
    char *ref;    /* as it was named, whole */
    char *source; /* repository@digest */
    struct oci_descriptor descriptor;
};
extern const struct fields manifest_entry_fields;
struct manifest_list {
    char *name;
    struct objs entries; /* struct manifest_entry */
};
extern const struct fields manifest_list_fields;
