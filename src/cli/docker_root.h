/* docker_root.h - what lies in the data root of a dockerd that is stopped. Private to cli/.
 *
 * Everything is only read: descriptors are opened for reading, links are never followed out of the
 * root. What is found there was written by another program and is bounded; texts borrow from the
 * arena. Storage driver overlay2 alone; others are refused by name. Source: moby 20.10 to 28
 * (daemon/container, image/store, layer/filestore, volume/service/db, libnetwork/datastore).
 * Tests: test/e2e/t2080-import-docker.sh.
 */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/vec.h"
#include "spec/fields.h"

#define DOCKER_DOCUMENT_MAX (16u << 20)

struct docker_layer {
    const char *diff_id; /* hex */
    const char *split;   /* path of its tar-split below the root */
    const char *diff;    /* path of its directory */
};
struct docker_chain { /* a layer upon others; texts as their files have them */
    const char *id, *diff, *parent, *cache;
};
struct docker_image {
    const char *id;     /* hex */
    const char *config; /* its text */
    struct strs tags;
    struct docker_layer *layers;
    size_t layers_n;
};
struct docker_volume {
    const char *name, *driver;
    const char *labels, *options; /* JSON objects; NULL: none */
};
struct docker_network {
    const char *name, *driver;
    struct json *root; /* as libnetwork wrote it */
};
struct docker_container {
    const char *id, *name, *image; /* name without '/', image: hex id */
    const char *changes;           /* directory of what it wrote; NULL: there is none */
    struct json *config, *host;    /* config.v2.json, hostconfig.json */
    bool was_running;
};
struct docker_root {
    const char *path;
    int fd;
    struct arena *arena;
    VEC(struct docker_chain) chains;
    VEC(struct docker_image) images; /* those with a name or a container */
    size_t unnamed;                  /* images that are neither */
    VEC(struct docker_volume) volumes;
    VEC(struct docker_network) networks;
    VEC(struct docker_container) containers;
    VEC(struct json *) documents;
};
/* ERR_CONFLICT: a dockerd runs on it. */
struct err docker_root_read(const char *path, struct arena *a, struct docker_root *ret);
void docker_root_done(struct docker_root *r);
const struct docker_image *docker_image_of(const struct docker_root *r, const char *id);
