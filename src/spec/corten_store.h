/* spec/corten_store.h - what the daemon says about its image store: `corten system check` and
 * `corten system gc`.
 *
 * POST /corten/system/check[?repair=1]      no body; 200 struct store_check. 409 while one runs.
 * POST /corten/system/gc                    struct store_gc_query; 200 struct store_gc.
 *
 * Both answer when they are done; sizes are bytes, ages nanoseconds, times RFC 3339.
 */
#pragma once
#include "spec/fields.h"

/* One thing that is not as it should be. Kinds:
 *   blob-missing blob-truncated blob-damaged   a file below image/blob; name: its digest
 *   layer-missing layer-damaged                a directory below image/layer; name: the diff id
 *   layer-unproved                             nothing is left to compare this layer with
 *   orphan                                     a path below image/ that no row knows */
struct store_problem {
    char *kind, *name;
    char *what;   /* in words */
    char *repair; /* what was done about it; "": nothing */
};
extern const struct fields store_problem_fields;

/* The tree of a layer that was proved by its blob: digest of the tar that layer_tar makes of it. */
struct store_tree {
    char *diff_id, *tree;
};
extern const struct fields store_tree_fields;

struct store_check {
    int64_t blobs, layers; /* looked at */
    int64_t bytes;         /* read */
    struct objs problems;  /* struct store_problem */
    struct objs trees;     /* struct store_tree; between worker and daemon only */
};
extern const struct fields store_check_fields;

/* What is not given is as the daemon's settings say. */
struct store_gc_query {
    int64_t *max_bytes; /* of images and build cache; 0: no limit */
    int64_t *min_free;  /* of the file system; 0: no limit */
    int64_t *max_age;   /* unused for longer goes in any case; 0: no limit */
    struct strs keep;   /* shell patterns of names that stay */
    bool *images;       /* tagged images may go as well */
    bool dry_run;
};
extern const struct fields store_gc_query_fields;

struct store_gc_item {
    char *kind; /* "build-cache", "dangling", "image" */
    char *id, *name;
    int64_t bytes; /* that come free */
    int64_t last_used;
    char *reason;
};
extern const struct fields store_gc_item_fields;

struct store_gc {
    bool dry_run;
    int64_t used, free; /* before */
    int64_t reclaimed;
    struct objs removed, kept; /* struct store_gc_item */
};
extern const struct fields store_gc_fields;
