/* compose.h - config documents of images made here. Private to image/. */
#pragma once
#include "spec/oci_image.h"

struct compose {
    struct str parent;                         /* config text of the parent, or empty */
    struct str config;                         /* JSON of the inner config object, or empty */
    const struct digest *layers;               /* diff ids on top, bottom first */
    size_t layers_n;                           /* 0: an empty layer in the history */
    const char *author, *comment, *created_by; /* "" or NULL: none */
    const char *architecture, *variant;        /* "" or NULL: the parent's, else this machine's */
    int64_t created;                           /* wall ns */
    bool step;                                 /* architecture, os and rootfs alone */
    struct str document;                       /* a whole config; only its rootfs is ours */
};
struct err compose_config(const struct compose *c, struct buf *ret);
/* The member "rootfs": the first below_n diff ids of the array `below` (NULL: none), then `above`.
 */
void compose_rootfs(struct json_out *o, const struct json *below, size_t below_n,
                    const struct digest *above, size_t above_n);
