/* build/request.h - the parameters of one build. Private to build/.
 *
 * They come as the query string of POST /build (Engine API 1.51, "Build an image"), from the stock
 * CLI as from `corten build`. What the builder does not do is refused by name; parameters that the
 * API does not know are ignored, as the peer does. Foreign input; everything is in the arena.
 * Tests: test/unit/build/request.c.
 */
#pragma once
#include "spec/api_host.h"
#include "spec/corten_build.h"

#define REQUEST_TAGS_MAX 1000

struct build_arg {
    char *key;
    char *value; /* NULL: given without a value (docker build --build-arg X, X not in the
                    environment) */
    bool used;
};
struct request {
    struct strs tags;
    char *dockerfile; /* path in the context, default "Dockerfile" */
    char *target;     /* "" or NULL: the last stage */
    char *platform;   /* "" or NULL: this machine's */
    char *remote;     /* URL of the context or Dockerfile, or git repository; "" or NULL: none */
    bool no_cache, pull, quiet, squash;
    bool inline_cache;      /* BUILDKIT_INLINE_CACHE: build/cache.h */
    struct strs cache_from; /* names of images */
    int64_t latest;         /* SOURCE_DATE_EPOCH as wall ns; INT64_MAX: not given */
    struct build_arg *args;
    size_t args_n;
    struct strmap labels;
    const struct strmap *contexts; /* of the job: names that are no stages; NULL: none */
    struct api_host_config host;   /* limits, network, extra hosts of the RUN containers */
};
/* ERR_INVALID and ERR_UNSUPPORTED name the parameter. */
struct err request_parse(struct str query, struct arena *a, struct request *ret);
/* The argument of this name, marked as used; NULL when it was not given. */
struct build_arg *request_arg(struct request *r, const char *key);
