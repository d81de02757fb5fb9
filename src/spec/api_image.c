#include "spec/api_image.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_graph_driver, member, name, kind, ##__VA_ARGS__)
FIELDS(api_graph_driver_fields, struct api_graph_driver,
       F(data, "Data", F_STRMAP, .flags = F_NULLABLE),
       F(name, "Name", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_rootfs, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_rootfs_fields, struct api_image_rootfs,
       F(type, "Type", F_STR, .flags = OMIT_EMPTY),
       F(layers, "Layers", F_STRS, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_metadata, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_metadata_fields, struct api_image_metadata,
       F(last_tag_time, "LastTagTime", F_TIME));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_fields, struct api_image,
       F(id, "Id", F_STR),
       F(repo_tags, "RepoTags", F_STRS),
       F(repo_digests, "RepoDigests", F_STRS),
       F(parent, "Parent", F_STR),
       F(comment, "Comment", F_STR),
       F(created, "Created", F_STR, .flags = OMIT_EMPTY),
       F(container, "Container", F_STR, UNTIL(44)),
       F(container_config, "ContainerConfig", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_config_fields),
       F(docker_version, "DockerVersion", F_STR),
       F(author, "Author", F_STR),
       F(config, "Config", F_OBJPTR, .sub = &api_image_config_fields),
       F(architecture, "Architecture", F_STR),
       F(variant, "Variant", F_STR, .flags = OMIT_EMPTY),
       F(os, "Os", F_STR),
       F(os_version, "OsVersion", F_STR, .flags = OMIT_EMPTY),
       F(size, "Size", F_I64),
       F(virtual_size, "VirtualSize", F_I64, UNTIL(43)),
       F(graph_driver, "GraphDriver", F_OBJ, .sub = &api_graph_driver_fields),
       F(rootfs, "RootFS", F_OBJ, .sub = &api_image_rootfs_fields),
       F(metadata, "Metadata", F_OBJ, .sub = &api_image_metadata_fields),
       F(descriptor, "Descriptor", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields, SINCE(48)),
       F(annotations, "Annotations", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_summary, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_summary_fields, struct api_image_summary,
       F(containers, "Containers", F_I64),
       F(created, "Created", F_I64),
       F(id, "Id", F_STR),
       F(labels, "Labels", F_STRMAP, .flags = F_NULLABLE),
       F(parent_id, "ParentId", F_STR),
       F(descriptor, "Descriptor", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields, SINCE(48)),
       F(repo_digests, "RepoDigests", F_STRS),
       F(repo_tags, "RepoTags", F_STRS),
       F(shared_size, "SharedSize", F_I64),
       F(size, "Size", F_I64),
       F(virtual_size, "VirtualSize", F_I64, UNTIL(43)));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_history, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_history_fields, struct api_image_history,
       F(comment, "Comment", F_STR),
       F(created, "Created", F_I64),
       F(created_by, "CreatedBy", F_STR),
       F(id, "Id", F_STR),
       F(size, "Size", F_I64),
       F(tags, "Tags", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_deleted, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_deleted_fields, struct api_image_deleted,
       F(deleted, "Deleted", F_STR, .flags = OMIT_EMPTY),
       F(untagged, "Untagged", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_images_pruned, member, name, kind, ##__VA_ARGS__)
FIELDS(api_images_pruned_fields, struct api_images_pruned,
       F(deleted, "ImagesDeleted", F_ARRAY, .flags = F_NULLABLE, .sub = &api_image_deleted_fields),
       F(space_reclaimed, "SpaceReclaimed", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_id, member, name, kind, ##__VA_ARGS__)
FIELDS(api_id_fields, struct api_id,
       F(id, "Id", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_progress_detail, member, name, kind, ##__VA_ARGS__)
FIELDS(api_progress_detail_fields, struct api_progress_detail,
       F(current, "current", F_I64, .flags = OMIT_EMPTY),
       F(total, "total", F_I64, .flags = OMIT_EMPTY),
       F(start, "start", F_I64, .flags = OMIT_EMPTY),
       F(hide_counts, "hidecounts", F_BOOL, .flags = OMIT_EMPTY),
       F(units, "units", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_error_detail, member, name, kind, ##__VA_ARGS__)
FIELDS(api_error_detail_fields, struct api_error_detail,
       F(code, "code", F_I64, .flags = OMIT_EMPTY),
       F(message, "message", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_message, member, name, kind, ##__VA_ARGS__)
FIELDS(api_message_fields, struct api_message,
       F(stream, "stream", F_STR, .flags = OMIT_EMPTY),
       F(status, "status", F_STR, .flags = OMIT_EMPTY),
       F(progress_detail, "progressDetail", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_progress_detail_fields),
       F(progress, "progress", F_STR, .flags = OMIT_EMPTY),
       F(id, "id", F_STR, .flags = OMIT_EMPTY),
       F(error_detail, "errorDetail", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_error_detail_fields),
       F(error, "error", F_STR, .flags = OMIT_EMPTY),
       F(aux, "aux", F_RAW, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_push_result, member, name, kind, ##__VA_ARGS__)
FIELDS(api_push_result_fields, struct api_push_result,
       F(tag, "Tag", F_STR),
       F(digest, "Digest", F_STR),
       F(size, "Size", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_build_result, member, name, kind, ##__VA_ARGS__)
FIELDS(api_build_result_fields, struct api_build_result,
       F(id, "ID", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_build_cache, member, name, kind, ##__VA_ARGS__)
FIELDS(api_build_cache_fields, struct api_build_cache,
       F(id, "ID", F_STR),
       F(parents, "Parents", F_STRS, .flags = OMIT_EMPTY, SINCE(42)),
       F(type, "Type", F_STR),
       F(description, "Description", F_STR),
       F(in_use, "InUse", F_BOOL),
       F(shared, "Shared", F_BOOL),
       F(size, "Size", F_I64),
       F(created_at, "CreatedAt", F_TIME),
       F(last_used_at, "LastUsedAt", F_TIME, .flags = F_NULLABLE),
       F(usage_count, "UsageCount", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_build_pruned, member, name, kind, ##__VA_ARGS__)
FIELDS(api_build_pruned_fields, struct api_build_pruned,
       F(deleted, "CachesDeleted", F_STRS, .flags = F_NULLABLE),
       F(space_reclaimed, "SpaceReclaimed", F_U64));
#undef F
