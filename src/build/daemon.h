/* build/daemon.h - the extension routes as functions. Private to build/; what each route does is in
 * spec/corten_build.h. Results are in the arena; images are full ids. */
#pragma once
#include "client/client.h"
#include "spec/corten_build.h"

/* NULL: no record. */
/* Takes the lease of this build on a connection of its own, *ret_lease: what the build owns goes
 * when that is closed. dir: see the route. */
struct err daemon_lease(struct client *c, const char *id, const char *dir,
                        struct client **ret_lease);
/* A secret's file; name is the build's own. */
struct daemon_secret {
    const char *id, *name;
    uint32_t uid, gid, mode;
};
struct err daemon_secret(struct client *c, const struct daemon_secret *s, struct str value,
                         struct arena *a, char **ret_path);
struct err daemon_secret_remove(struct client *c, const char *id, const char *name);
struct err daemon_cache_get(struct client *c, const char *key, struct arena *a, char **ret_image);
/* Another key for a step image that exists. */
struct err daemon_cache_put(struct client *c, const char *key, const char *image);
/* ERR_NOT_FOUND when the image is not here. */
struct err daemon_base(struct client *c, const char *name, struct arena *a, struct build_base *ret);
/* Keeps an in-toto statement about the image. */
struct err daemon_attest(struct client *c, const char *image, struct str statement, bool travels,
                         const struct strmap *index_annotations);
/* layers: an image id or "scratch"; key: NULL for none. step: of the config only the platform stays
 * (a step image). */
struct err daemon_image(struct client *c, const char *layers, const char *key, bool step,
                        const struct oci_image_config *config, struct arena *a, char **ret_image);
/* The result of the build; annotations: of its manifest. */
struct err daemon_result(struct client *c, const char *layers, const char *key,
                         const struct strmap *annotations, const struct oci_image_config *config,
                         struct arena *a, char **ret_image);
/* latest: wall ns that no file's time shall pass; INT64_MAX: any. */
struct err daemon_commit(struct client *c, const char *container, const char *key, int64_t latest,
                         struct arena *a, char **ret_image);
/* The tar comes from body_read (http/client.h). base, keep: see the route. */
struct daemon_layer {
    const char *parent, *key;
    const char *base; /* NULL: the layer as a whole */
    bool keep;
    ssize_t (*body_read)(void *arg, void *p, size_t n);
    void *body_arg;
};
struct err daemon_layer(struct client *c, const struct daemon_layer *l, struct arena *a,
                        char **ret_image);
/* Layers of image `like` on parent: those with these numbers, its topmost when n is 0. key: NULL
 * for none. */
struct err daemon_stack(struct client *c, const char *parent, const char *key, const char *like,
                        const uint32_t *layers, size_t n, struct arena *a, char **ret_image);
/* Begins the answer: the tar stream is then read by client_read. */
struct err daemon_tree(struct client *c, const char *image, const char *path);
/* entries: struct build_stat, as many as paths and in their order. */
struct err daemon_stat(struct client *c, const char *image, const struct strs *paths,
                       struct arena *a, struct objs *ret_entries);
