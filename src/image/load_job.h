/* load_job.h - what an archive holds: images to be. Private to image/.
 */
#pragma once
#include "base/vec.h"
#include "image/image.h"
#include "image/spool.h"

struct loaded_layer {
    struct ingest_layer layer;
    struct member *member;
};
struct loaded {
    bool artifact; /* config is its manifest; its blobs are documents */
    struct buf config;
    struct digest id;
    VEC(struct loaded_layer) layers; /* bottom first */
    VEC(struct reference) tags;
    struct ingest_documents documents;
    struct oci_annotations annotations; /* memory of notes */
    struct arena notes;
};
struct loads VEC_BODY(struct loaded);
/* Reads index.json of an OCI layout and appends its images: of a name those that are nearest to the
 * machine wanted (NULL: this one; what is for others comes only where there is nothing nearer). */
struct err load_layout(const struct spool *s, const struct platform *wanted, struct loads *ret);
/* The same for `repositories` of an archive of the first generation. */
struct err load_legacy(const struct spool *s, struct member *repositories, struct loads *ret);
/* Adds what index.json, when there is one, says about the images. */
void load_documents(const struct spool *s, struct loads *loads);
/* An artifact of the layout: text is its manifest m. Names are the caller's. */
struct err load_artifact(const struct spool *s, struct str text, const struct oci_manifest *m,
                         struct loaded *ret);
/* The artifacts of an archive whose images manifest.json tells: those that index.json lists. */
struct err load_artifacts(const struct spool *s, struct loads *ret);
/* The name in a descriptor's annotations; one that is no reference names nothing. */
void loaded_name(const struct oci_descriptor *d, struct loaded *l);
/* Takes the config and finds as many members as it has diff ids. paths: of layers. */
struct err loaded_config(const struct spool *s, struct member *config, struct loaded *ret,
                         struct strs *ret_diff_ids, struct arena *a);
struct err loaded_layer_add(struct loaded *l, const char *diff_id, struct member *m);
