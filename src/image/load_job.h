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
    struct buf config;
    struct digest id;
    VEC(struct loaded_layer) layers; /* bottom first */
    VEC(struct reference) tags;
    struct ingest_documents documents;
};
struct loads VEC_BODY(struct loaded);
/* Reads index.json of an OCI layout and appends its images. */
struct err load_layout(const struct spool *s, struct loads *ret);
/* The same for `repositories` of an archive of the first generation. */
struct err load_legacy(const struct spool *s, struct member *repositories, struct loads *ret);
/* Adds what index.json, when there is one, says about the images. */
void load_documents(const struct spool *s, struct loads *loads);
/* Takes the config and finds as many members as it has diff ids. paths: of layers. */
struct err loaded_config(const struct spool *s, struct member *config, struct loaded *ret,
                         struct strs *ret_diff_ids, struct arena *a);
struct err loaded_layer_add(struct loaded *l, const char *diff_id, struct member *m);
