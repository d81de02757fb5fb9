/* spec/oci_image.h - image documents: descriptor, manifest, index, config, and what docker adds.
 *
 * Source: OCI image-spec 1.1 (descriptor.md, manifest.md, image-index.md, config.md,
 * image-layout.md); Docker schema 2 (same shapes, other media types); docker-archive's
 * manifest.json. These are foreign bytes: the oci_*_parse functions decode and check what the
 * tables cannot say (version, media type, digests, sizes, counts). The digest of a document is the
 * digest of the bytes as they came: keep those, never print a document again to get them back.
 * Times in image configs are kept as text, because the epoch (reproducible builds) and "never" are
 * different there; time_parse reads them.
 */
#pragma once
#include "base/sha256.h"
#include "spec/api_config.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_LAYER_FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define OCI_LAYER_FOREIGN_GZIP "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
#define OCI_LAYER_FOREIGN_ZSTD "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define DOCKER_SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"
#define DOCKER_LAYER_FOREIGN_GZIP "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

/* Limits on what is read; a registry refuses manifests over 4 MiB as well. */
#define OCI_MANIFEST_MAX (4u << 20)
#define OCI_IMAGE_CONFIG_MAX (8u << 20)
#define OCI_LAYERS_MAX 4096 /* in a document; image/ allows fewer in a rootfs */
#define OCI_INDEX_ENTRIES_MAX 4096
#define OCI_HISTORY_MAX 16384

struct oci_platform {
    char *architecture;
    char *os;
    char *os_version;
    struct strs os_features;
    char *variant;
};
extern const struct fields oci_platform_fields;

struct oci_descriptor {
    char *media_type;
    char *digest;
    int64_t size;
    struct strs urls;
    struct strmap annotations;
    char *data; /* base64 */
    struct oci_platform *platform;
    char *artifact_type;
};
extern const struct fields oci_descriptor_fields;

struct oci_manifest {
    int64_t schema_version;
    char *media_type;
    char *artifact_type;
    struct oci_descriptor config;
    struct objs layers; /* struct oci_descriptor */
    struct oci_descriptor *subject;
    struct strmap annotations;
};
extern const struct fields oci_manifest_fields;

/* The type of an artifact: a manifest whose config is not an image's (image-spec manifest.md,
 * "Guidelines for Artifact Usage"). NULL: it is an image's. */
const char *oci_artifact_type(const struct oci_manifest *m);

struct oci_index {
    int64_t schema_version;
    char *media_type;
    char *artifact_type;
    struct objs manifests; /* struct oci_descriptor */
    struct oci_descriptor *subject;
    struct strmap annotations;
};
extern const struct fields oci_index_fields;

struct oci_rootfs {
    char *type; /* "layers" */
    struct strs diff_ids;
};
extern const struct fields oci_rootfs_fields;

struct oci_history {
    char *created;
    char *created_by;
    char *author;
    char *comment;
    bool empty_layer;
};
extern const struct fields oci_history_fields;

/* The config blob of an image, whose digest is the image's id. */
struct oci_image_config {
    char *created;
    char *author;
    char *architecture;
    char *os;
    char *os_version;
    struct strs os_features;
    char *variant;
    struct api_config config;
    struct oci_rootfs rootfs;
    struct objs history; /* struct oci_history */
    char *parent;        /* docker, before BuildKit */
    char *comment;       /* docker */
    char *container;     /* docker, of a commit */
    struct api_config *container_config;
    char *docker_version;
};
extern const struct fields oci_image_config_fields;

/* manifest.json of docker-archive ("docker save"): an array of these. */
struct oci_archive_item {
    char *config; /* path in the archive */
    struct strs repo_tags;
    struct strs layers; /* paths in the archive */
    char *parent;
    struct objmap layer_sources; /* struct oci_descriptor */
};
extern const struct fields oci_archive_item_fields;

/* oci-layout */
struct oci_layout {
    char *version;
};
extern const struct fields oci_layout_fields;

/* Decode and check; ERR_INVALID names the field, ERR_UNSUPPORTED the media type or algorithm. A
 * manifest that has "manifests", or an index that has "layers", is refused: one document must have
 * one meaning (image-spec, security advisory on content type confusion). */
/* Parsers differ in which of two members of the same name they believe: ERR_INVALID when there are
 * any. The parse functions for manifests, indexes and manifest.json ask this themselves; who takes
 * a config in asks it for that. */
struct err oci_check_unique(struct str text);
struct err oci_manifest_parse(struct str text, struct arena *a, struct oci_manifest *ret);
struct err oci_index_parse(struct str text, struct arena *a, struct oci_index *ret);
/* history is information only: its non-empty entries may be fewer or more than diff_ids (images
 * that tools have flattened exist), so nobody may index one by the other unchecked. */
struct err oci_image_config_parse(struct str text, struct arena *a, struct oci_image_config *ret);
struct err oci_archive_parse(struct str text, struct arena *a,
                             struct objs *ret); /* oci_archive_item */

/* What a document's own text says it is: its mediaType, else guessed from its members; NULL when it
 * is neither manifest nor index. The answer is one of the constants above. */
const char *oci_media_type_of(struct str text);

enum oci_compression { OCI_TAR, OCI_GZIP, OCI_ZSTD };
/* false: not a layer that we can unpack. */
bool oci_layer_compression(const char *media_type, enum oci_compression *ret);
bool oci_is_index(const char *media_type);    /* OCI index or docker list */
bool oci_is_manifest(const char *media_type); /* OCI or docker schema 2 */
