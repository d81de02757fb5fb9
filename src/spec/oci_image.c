#include "spec/oci_image.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct oci_platform, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_platform_fields, struct oci_platform,
       F(architecture, "architecture", F_STR),
       F(os, "os", F_STR),
       F(os_version, "os.version", F_STR, .flags = OMIT_EMPTY),
       F(os_features, "os.features", F_STRS, .flags = OMIT_EMPTY),
       F(variant, "variant", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_descriptor, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_descriptor_fields, struct oci_descriptor,
       F(media_type, "mediaType", F_STR),
       F(digest, "digest", F_STR),
       F(size, "size", F_I64),
       F(urls, "urls", F_STRS, .flags = OMIT_EMPTY),
       F(annotations, "annotations", F_STRMAP, .flags = OMIT_EMPTY),
       F(data, "data", F_STR, .flags = OMIT_EMPTY),
       F(platform, "platform", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_platform_fields),
       F(artifact_type, "artifactType", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_manifest, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_manifest_fields, struct oci_manifest,
       F(schema_version, "schemaVersion", F_I64),
       F(media_type, "mediaType", F_STR, .flags = OMIT_EMPTY),
       F(artifact_type, "artifactType", F_STR, .flags = OMIT_EMPTY),
       F(config, "config", F_OBJ, .flags = F_REQUIRED, .sub = &oci_descriptor_fields),
       F(layers, "layers", F_ARRAY, .flags = F_REQUIRED, .sub = &oci_descriptor_fields),
       F(subject, "subject", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields),
       F(annotations, "annotations", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_index, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_index_fields, struct oci_index,
       F(schema_version, "schemaVersion", F_I64),
       F(media_type, "mediaType", F_STR, .flags = OMIT_EMPTY),
       F(artifact_type, "artifactType", F_STR, .flags = OMIT_EMPTY),
       F(manifests, "manifests", F_ARRAY, .flags = F_REQUIRED, .sub = &oci_descriptor_fields),
       F(subject, "subject", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields),
       F(annotations, "annotations", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_rootfs, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_rootfs_fields, struct oci_rootfs,
       F(type, "type", F_STR),
       F(diff_ids, "diff_ids", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_history, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_history_fields, struct oci_history,
       F(created, "created", F_STR, .flags = OMIT_EMPTY),
       F(created_by, "created_by", F_STR, .flags = OMIT_EMPTY),
       F(author, "author", F_STR, .flags = OMIT_EMPTY),
       F(comment, "comment", F_STR, .flags = OMIT_EMPTY),
       F(empty_layer, "empty_layer", F_BOOL, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_image_config, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_image_config_fields, struct oci_image_config,
       F(created, "created", F_STR, .flags = OMIT_EMPTY),
       F(author, "author", F_STR, .flags = OMIT_EMPTY),
       F(architecture, "architecture", F_STR),
       F(os, "os", F_STR),
       F(os_version, "os.version", F_STR, .flags = OMIT_EMPTY),
       F(os_features, "os.features", F_STRS, .flags = OMIT_EMPTY),
       F(variant, "variant", F_STR, .flags = OMIT_EMPTY),
       F(config, "config", F_OBJ, .sub = &oci_run_fields),
       F(rootfs, "rootfs", F_OBJ, .flags = F_REQUIRED, .sub = &oci_rootfs_fields),
       F(history, "history", F_ARRAY, .flags = OMIT_EMPTY, .sub = &oci_history_fields),
       F(parent, "parent", F_STR, .flags = OMIT_EMPTY),
       F(comment, "comment", F_STR, .flags = OMIT_EMPTY),
       F(container, "container", F_STR, .flags = OMIT_EMPTY),
       F(container_config, "container_config", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_run_fields),
       F(docker_version, "docker_version", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_archive_item, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_archive_item_fields, struct oci_archive_item,
       F(config, "Config", F_STR, .flags = F_REQUIRED),
       F(repo_tags, "RepoTags", F_STRS, .flags = F_NULLABLE),
       F(layers, "Layers", F_STRS, .flags = F_REQUIRED),
       F(parent, "Parent", F_STR, .flags = OMIT_EMPTY),
       F(layer_sources, "LayerSources", F_OBJMAP, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct oci_layout, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_layout_fields, struct oci_layout,
       F(version, "imageLayoutVersion", F_STR, .flags = F_REQUIRED));
#undef F
