/* build/cache.h - the build cache taken along: steps as an ordinary image, out of this daemon and
 * into another. Private to build/.
 *
 * A cache image is one whose label CACHE_STEPS_LABEL says which of its layers, from the lowest on,
 * a step image has, and for which key: "KEY:0-4,7 KEY:0-5 …". The image that was built can be one
 * itself (inline: its own steps); else it is made for the purpose, of the layers of all steps in
 * question (min: those of the image that was built; max: those of every stage that ran). It travels
 * as any image does: by push and pull, or as an OCI layout in a directory.
 *
 * Keys do not depend on the machine, only on the base image and what goes into a step. Who imports
 * a cache believes its author that a key's layers are what the step would make.
 *
 * Limits: layers IMAGE_LAYERS_MAX of the daemon (127), CACHE_RECORDS_MAX steps.
 * Tests: test/unit/build/cache.c, test/e2e/t6020-build-cache-from.sh. */
#pragma once
#include "base/vec.h"
#include "spec/fields.h"

#define CACHE_STEPS_LABEL "corten.build.steps"
#define CACHE_RECORDS_MAX 10000u
#define CACHE_LAYERS_MAX 127u

struct build;
/* A step that this build has used or made. */
struct cache_record {
    const char *key, *image;
};
struct cache_records VEC_BODY(struct cache_record);

void cache_note(struct build *b, const char *key, const char *image);
/* What the build shall know beforehand. What cannot be had is said, and no error. */
struct err cache_import(struct build *b);
/* The label of the image that is built, in its config, when that is wanted. */
struct err cache_inline(struct build *b);
/* What shall be kept elsewhere. */
struct err cache_export(struct build *b);

/* "0-4,7" of an image with n layers; ERR_INVALID. */
struct cache_layers {
    uint32_t numbers[CACHE_LAYERS_MAX];
    size_t n;
};
struct err cache_layers_parse(struct str text, size_t n, struct cache_layers *ret);
void cache_layers_print(const struct cache_layers *l, struct buf *out);
/* The next "KEY:LAYERS" of a label; false at its end. ERR_INVALID: malformed. */
struct err cache_next(struct str *rest, size_t n, struct str *ret_key, struct cache_layers *ret,
                      bool *ret_more);
