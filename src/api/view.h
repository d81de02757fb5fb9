/* view.h - images and volumes as lists show them, for their own handlers and system df. Private to
 * api/. All memory in the arena or the noun's. */
#pragma once
#include "api/call.h"
#include "base/map.h"
#include "spec/api_image.h"
#include "spec/api_volume.h"

/* struct api_build_cache of every step of builds that is kept for the next one. */
void view_build_cache(struct images *im, struct arena *a, struct objs *ret);
void view_volume(const struct volume *v, struct arena *a, struct api_volume *ret);
/* How many images have each layer, for SharedSize. Keys are private; map_done frees it. */
void view_layer_users(struct images *im, struct map *ret);
/* reference: only the names that match this filter (NULL: all). users NULL: SharedSize is -1. */
void view_image_summary(struct image *i, const struct strs *reference, const struct map *users,
                        int minor, struct arena *a, struct api_image_summary *ret);
