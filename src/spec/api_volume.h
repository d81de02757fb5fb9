/* spec/api_volume.h - the documents of /volumes. Source: Engine API 1.51 (Volume,
 * VolumeCreateOptions).
 */
#pragma once
#include "spec/fields.h"

struct api_volume_create {
    char *name; /* empty: anonymous, the daemon makes one */
    char *driver;
    struct strmap driver_opts;
    struct strmap labels;
    struct str cluster_spec; /* refused when set */
};
extern const struct fields api_volume_create_fields;

/* POST /corten/volumes/{}/labels: they replace what is there. */
struct api_volume_labels {
    struct strmap labels;
};
extern const struct fields api_volume_labels_fields;

/* -1: not known. Only in system df. */
struct api_volume_usage {
    int64_t ref_count;
    int64_t size;
};
extern const struct fields api_volume_usage_fields;

struct api_volume {
    int64_t created_at;
    char *driver;
    struct strmap labels;
    char *mountpoint;
    char *name;
    struct strmap options;
    char *scope;
    struct api_volume_usage *usage;
};
extern const struct fields api_volume_fields;

struct api_volume_list {
    struct objs volumes; /* struct api_volume */
    struct strs warnings;
};
extern const struct fields api_volume_list_fields;

struct api_volume_pruned {
    struct strs deleted;
    uint64_t space_reclaimed;
};
extern const struct fields api_volume_pruned_fields;
