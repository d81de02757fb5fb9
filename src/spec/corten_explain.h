/* corten_explain.h - GET /corten/images/{name}/explain: what each layer of an image adds and
 * wastes. Ours. Tests: test/e2e/t8320-explain.sh. */
#pragma once
#include "spec/fields.h"

#define EXPLAIN_FILES_MAX 10 /* in each list, largest first */

struct explain_file {
    char *path;
    int64_t bytes;
    int64_t by; /* the layer that hides it, from 1; 0: none does */
};
extern const struct fields explain_file_fields;

struct explain_layer {
    char *made_by;              /* the image's history about it */
    int64_t files, directories; /* in it */
    int64_t bytes;              /* of its files */
    int64_t replaces, removes;  /* paths of layers below */
    int64_t hides;              /* bytes of layers below that it replaces or removes */
    int64_t wasted;             /* bytes of its own that layers above hide */
    struct objs largest;        /* struct explain_file */
    struct objs wasted_files;   /* struct explain_file */
};
extern const struct fields explain_layer_fields;

struct explain_image {
    struct objs layers; /* struct explain_layer, bottom first */
};
extern const struct fields explain_image_fields;
