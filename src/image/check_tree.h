/* check_tree.h - the inside of the job "image-check", for its parts. Private to image/; worker
 * only.
 */
#pragma once
#include "base/map.h"
#include "image/image.h"
#include "spec/corten_store.h"
#include <sys/stat.h>

struct check {
    struct ingest in;
    bool repair;
    struct arena arena;
    struct store_check doc;
    struct map good;  /* digests of whole blobs */
    struct map known; /* paths below image/ */
};

/* Tells of a problem; what is in the arena. */
struct store_problem *check_problem(struct check *k, const char *kind, const char *name,
                                    char *what);
/* What a directory is, as one digest. *ret_there false: it is not there. */
/* base: image/ingest.h, ingest_open_layer; "": none. */
struct err check_tree_digest(struct check *k, int parent, const char *name, const char *base,
                             struct digest *ret, struct stat *ret_root, bool *ret_there);
/* check_base.c: one of args.bases. */
struct err check_base(struct check *k, const struct json *j);
