/* spec/api_image.h - the documents of /images, /build and the progress streams.
 *
 * Source: Engine API 1.51 (ImageInspect, ImageSummary, ImageHistoryResponseItem, JSON message
 * stream).
 */
#pragma once
#include "spec/oci_image.h"

struct api_graph_driver {
    struct strmap data;
    char *name;
};
extern const struct fields api_graph_driver_fields;

struct api_image_rootfs {
    char *type;
    struct strs layers; /* diff ids */
};
extern const struct fields api_image_rootfs_fields;

struct api_image_metadata {
    int64_t last_tag_time;
};
extern const struct fields api_image_metadata_fields;

/* GET /images/{name}/json */
struct api_image {
    char *id; /* digest of the config */
    struct strs repo_tags;
    struct strs repo_digests;
    char *parent;
    char *comment;
    char *created; /* text of the config; before 1.44 Go's zero time when there is none */
    char *container; /* that a commit made it of, not kept: absent */
    struct api_config *container_config; /* before 1.45 */
    char *docker_version;
    char *author;
    struct api_config *config;
    char *architecture;
    char *variant;
    char *os;
    char *os_version;
    int64_t size;
    int64_t virtual_size;
    struct api_graph_driver graph_driver;
    struct api_image_rootfs rootfs;
    struct api_image_metadata metadata;
    struct oci_descriptor *descriptor;
    struct strmap annotations; /* of corten: what manifest and index said (docs/lifecycle.md) */
};
extern const struct fields api_image_fields;

/* GET /images/json: an array of these. */
struct api_image_summary {
    int64_t containers; /* -1: not counted */
    int64_t created;    /* unix seconds */
    char *id;
    struct strmap labels;
    char *parent_id;
    struct oci_descriptor *descriptor;
    struct strs repo_digests;
    struct strs repo_tags;
    int64_t shared_size; /* -1: not counted */
    int64_t size;
    int64_t virtual_size;
};
extern const struct fields api_image_summary_fields;

/* GET /images/{name}/history: an array of these, newest first. */
struct api_image_history {
    char *comment;
    int64_t created; /* unix seconds */
    char *created_by;
    char *id; /* "<missing>" for layers that are no image of their own */
    int64_t size;
    struct strs tags;
};
extern const struct fields api_image_history_fields;

/* DELETE /images/{name}: an array of these; one member set. */
struct api_image_deleted {
    char *deleted;
    char *untagged;
};
extern const struct fields api_image_deleted_fields;

struct api_images_pruned {
    struct objs deleted; /* struct api_image_deleted */
    uint64_t space_reclaimed;
};
extern const struct fields api_images_pruned_fields;

/* POST /commit, POST /containers/{id}/exec */
struct api_id {
    char *id;
};
extern const struct fields api_id_fields;

/* One line of the streams that pull, push, load, build and import answer with. */
struct api_progress_detail {
    int64_t current;
    int64_t total;
    int64_t start;
    bool hide_counts;
    char *units;
};
extern const struct fields api_progress_detail_fields;

struct api_error_detail {
    int64_t code;
    char *message;
};
extern const struct fields api_error_detail_fields;

struct api_message {
    char *stream;
    char *status;
    struct api_progress_detail *progress_detail;
    char *progress; /* bar as text, for clients that print it as it is */
    char *id;
    struct api_error_detail *error_detail;
    char *error;
    struct str aux;
};
extern const struct fields api_message_fields;

/* aux of push */
struct api_push_result {
    char *tag;
    char *digest;
    int64_t size;
};
extern const struct fields api_push_result_fields;

/* aux of build */
struct api_build_result {
    char *id;
};
extern const struct fields api_build_result_fields;

/* Build cache in system df and its pruning. */
struct api_build_cache {
    char *id;
    struct strs parents;
    char *type;
    char *description;
    bool in_use;
    bool shared;
    int64_t size;
    int64_t created_at;
    int64_t last_used_at;
    int64_t usage_count;
};
extern const struct fields api_build_cache_fields;

struct api_build_pruned {
    struct strs deleted;
    uint64_t space_reclaimed;
};
extern const struct fields api_build_pruned_fields;
