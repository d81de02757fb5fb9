/* pull_layers.h - brings the layers of a fetched manifest, several at a time. Private to registry/.
 */
#pragma once
#include "image/image.h"
#include "registry/manifest.h"

/* Fetches those that are not here (have). raw: they are blobs of an artifact, not unpacked. */
struct err pull_blobs(struct ingest *in, struct registry *r, struct ingest_layer *layers, size_t n,
                      bool raw);
/* The first word about each; none when all are here and `here`. */
struct err pull_announce(struct ingest *in, const struct ingest_layer *layers, size_t n, bool here);

/* Unique layers of the image, for the commit; freed with free(3). */
struct pulled {
    struct ingest_layer *layers;
    size_t n;
};
/* here: the store has this very image already. */
struct err pull_layers(struct ingest *in, struct registry *r, const struct fetched *f, bool here,
                       struct pulled *ret);
