/* pull_layers.h - brings the layers of a fetched manifest, several at a time. Private to registry/.
 */
#pragma once
#include "image/image.h"
#include "registry/manifest.h"

/* Unique layers of the image, for the commit; freed with free(3). */
struct pulled {
    struct ingest_layer *layers;
    size_t n;
};
/* current: the name stands for this very image already. */
struct err pull_layers(struct ingest *in, struct registry *r, const struct fetched *f, bool current,
                       struct pulled *ret);
