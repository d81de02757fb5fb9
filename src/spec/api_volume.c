#include "spec/api_volume.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_volume_create, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_create_fields, struct api_volume_create,
       F(name, "Name", F_STR, .flags = OMIT_EMPTY),
       F(driver, "Driver", F_STR, .flags = OMIT_EMPTY),
       F(driver_opts, "DriverOpts", F_STRMAP, .flags = OMIT_EMPTY),
       F(labels, "Labels", F_STRMAP, .flags = OMIT_EMPTY),
       F(cluster_spec, "ClusterVolumeSpec", F_RAW, .flags = OMIT_EMPTY));
#undef F

FIELDS(api_volume_labels_fields, struct api_volume_labels,
       FIELD(struct api_volume_labels, labels, "Labels", F_STRMAP, .flags = F_REQUIRED));

#define F(member, name, kind, ...) FIELD(struct api_volume_usage, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_usage_fields, struct api_volume_usage,
       F(ref_count, "RefCount", F_I64),
       F(size, "Size", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_volume, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_fields, struct api_volume,
       F(created_at, "CreatedAt", F_TIME, .flags = OMIT_EMPTY),
       F(driver, "Driver", F_STR),
       F(labels, "Labels", F_STRMAP, .flags = F_NULLABLE),
       F(mountpoint, "Mountpoint", F_STR),
       F(name, "Name", F_STR),
       F(options, "Options", F_STRMAP, .flags = F_NULLABLE),
       F(scope, "Scope", F_STR),
       F(usage, "UsageData", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_volume_usage_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_volume_list, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_list_fields, struct api_volume_list,
       F(volumes, "Volumes", F_ARRAY, .sub = &api_volume_fields),
       F(warnings, "Warnings", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_volume_pruned, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_pruned_fields, struct api_volume_pruned,
       F(deleted, "VolumesDeleted", F_STRS, .flags = F_NULLABLE),
       F(space_reclaimed, "SpaceReclaimed", F_U64));
#undef F
