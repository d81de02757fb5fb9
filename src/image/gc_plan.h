/* gc_plan.h - what a collection would remove, and why. Private to image/. Looks only. */
#pragma once
#include "image/facts.h"
#include "spec/corten_store.h"

struct gc_limits {
    const struct image_gc_policy *policy;
    int64_t now, grace;
    uint64_t free; /* of the file system */
    bool quiet;    /* nobody asks why something stays */
};
/* Fills used, free, reclaimed, removed and kept; removed is in the order in which it must go
 * (children first). Memory in a. */
void gc_plan(struct images *im, const struct gc_limits *limits, struct arena *a,
             struct store_gc *ret);
/* Bytes of all layers and blobs as the policy counts them. */
uint64_t gc_used(const struct images *im);
