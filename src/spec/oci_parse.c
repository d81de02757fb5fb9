/* Checks on image documents that the tables cannot say. */
#include "spec/oci_image.h"
#include <string.h>

struct media {
    const char *type;
    enum { MEDIA_INDEX, MEDIA_MANIFEST, MEDIA_LAYER } what;
    enum oci_compression compression;
};
static const struct media media_types[] = {
    {OCI_INDEX, MEDIA_INDEX, 0},
    {DOCKER_LIST, MEDIA_INDEX, 0},
    {OCI_MANIFEST, MEDIA_MANIFEST, 0},
    {DOCKER_MANIFEST, MEDIA_MANIFEST, 0},
    {OCI_LAYER, MEDIA_LAYER, OCI_TAR},
    {OCI_LAYER_GZIP, MEDIA_LAYER, OCI_GZIP},
    {OCI_LAYER_ZSTD, MEDIA_LAYER, OCI_ZSTD},
    {OCI_LAYER_FOREIGN, MEDIA_LAYER, OCI_TAR},
    {OCI_LAYER_FOREIGN_GZIP, MEDIA_LAYER, OCI_GZIP},
    {OCI_LAYER_FOREIGN_ZSTD, MEDIA_LAYER, OCI_ZSTD},
    {DOCKER_LAYER, MEDIA_LAYER, OCI_TAR},
    {DOCKER_LAYER_GZIP, MEDIA_LAYER, OCI_GZIP},
    {DOCKER_LAYER_ZSTD, MEDIA_LAYER, OCI_ZSTD},
    {DOCKER_LAYER_FOREIGN_GZIP, MEDIA_LAYER, OCI_GZIP},
};

static const struct media *media_find(const char *type) {
    for (size_t i = 0; type && i < ARRAY_LEN(media_types); i++)
        if (strcmp(media_types[i].type, type) == 0)
            return &media_types[i];
    return NULL;
}

bool oci_is_index(const char *media_type) {
    const struct media *m = media_find(media_type);
    return m && m->what == MEDIA_INDEX;
}

bool oci_is_manifest(const char *media_type) {
    const struct media *m = media_find(media_type);
    return m && m->what == MEDIA_MANIFEST;
}

bool oci_layer_compression(const char *media_type, enum oci_compression *ret) {
    const struct media *m = media_find(media_type);
    if (!m || m->what != MEDIA_LAYER)
        return false;
    *ret = m->compression;
    return true;
}

static const char *media_of(const struct json *j) {
    struct str said = json_str(json_get(j, "mediaType"));
    for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
        if (media_types[i].what != MEDIA_LAYER && str_eqz(said, media_types[i].type))
            return media_types[i].type;
    if (said.len > 0)
        return NULL;
    bool index = json_type(json_get(j, "manifests")) == JSON_ARRAY;
    bool manifest = json_type(json_get(j, "layers")) == JSON_ARRAY;
    if (index == manifest)
        return NULL;
    return index ? OCI_INDEX : OCI_MANIFEST;
}

const char *oci_artifact_type(const struct oci_manifest *m) {
    const char *config = m->config.media_type;
    if (strcmp(config, OCI_CONFIG) == 0 || strcmp(config, DOCKER_CONFIG) == 0)
        return NULL;
    return m->artifact_type && *m->artifact_type ? m->artifact_type : config;
}

const char *oci_media_type_of(struct str text) {
    CLEAN_JSON struct json *j = NULL;
    CLEAN_ERR struct err e = json_parse(text, &j);
    return err_failed(e) ? NULL : media_of(j);
}

/* --- one meaning -------------------------------------------------------------------------------
 */
/* Members of all objects below; json_parse has bounded the depth. */
static size_t count_members(const struct json *j) {
    size_t n = 0;
    struct json_iter it = {0};
    if (json_type(j) == JSON_OBJECT)
        while (json_each(j, &it))
            n += 1 + count_members(it.value);
    else if (json_type(j) == JSON_ARRAY)
        for (size_t i = 0; i < json_len(j); i++)
            n += count_members(json_at(j, i));
    return n;
}

/* Each member is one colon outside of strings. */
static size_t count_colons(struct str text) {
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.p[i] == '\\')
            i++;
        else if (text.p[i] == '"')
            quoted = !quoted;
        else if (text.p[i] == ':' && !quoted)
            n++;
    }
    return n;
}

/* The tree has each name once: fewer members than the text means that a name came twice. */
static struct err check_unique(struct str text, const struct json *j) {
    if (count_colons(text) != count_members(j))
        return err_new(ERR_INVALID, "a member of an object is there twice");
    return OK;
}

struct err oci_check_unique(struct str text) {
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(text, &j));
    return check_unique(text, j);
}

static struct err check_size(struct str text, size_t max, const char *what) {
    if (text.len > max)
        return err_new(ERR_INVALID, "%s is larger than %zu bytes", what, max);
    return OK;
}

static struct err check_digest(const char *text) {
    struct digest parsed;
    return digest_parse(str_of(text), &parsed);
}

static struct err check_descriptor(const struct oci_descriptor *d) {
    if (!d->media_type || !*d->media_type)
        return err_new(ERR_INVALID, "mediaType: is required");
    TRYF(check_digest(d->digest), "digest");
    if (d->size < 0)
        return err_new(ERR_INVALID, "size: must not be negative");
    return OK;
}

static struct err check_descriptors(const struct objs *v, size_t max, const char *name) {
    const struct oci_descriptor *d = v->items;
    if (v->n > max)
        return err_new(ERR_INVALID, "%s: more than %zu entries", name, max);
    for (size_t i = 0; i < v->n; i++)
        TRYF(check_descriptor(&d[i]), "%s[%zu]", name, i);
    return OK;
}

/* What manifests and indexes share: version, media type, and the other one's member is not there.
 */
static struct err check_document(const struct json *j, bool index) {
    int64_t version = 0;
    (void)json_i64(json_get(j, "schemaVersion"), &version);
    if (version == 1)
        return err_new(ERR_UNSUPPORTED, "schemaVersion 1 (Docker schema 1) is not supported");
    if (version != 2)
        return err_new(ERR_INVALID, "schemaVersion: must be 2");
    struct str said = json_str(json_get(j, "mediaType"));
    const char *type = media_of(j);
    if (said.len > 0 && !type)
        return err_new(ERR_UNSUPPORTED, "mediaType '%.*s' is not supported",
                       (int)MIN(said.len, (size_t)128), said.p);
    if (type && (index ? !oci_is_index(type) : !oci_is_manifest(type)))
        return err_new(ERR_INVALID, "mediaType: '%s' is not one of %s", type,
                       index ? "an index" : "a manifest");
    const char *foreign = index ? "layers" : "manifests";
    if (json_type(json_get(j, foreign)) != JSON_NULL)
        return err_new(ERR_INVALID, "%s: must not be in %s", foreign,
                       index ? "an index" : "a manifest");
    return OK;
}

struct err oci_manifest_parse(struct str text, struct arena *a, struct oci_manifest *ret) {
    CLEAN_JSON struct json *j = NULL;
    struct oci_manifest m;
    TRY(check_size(text, OCI_MANIFEST_MAX, "manifest"));
    TRYF(json_parse(text, &j), "manifest");
    TRYF(check_unique(text, j), "manifest");
    TRYF(check_document(j, false), "manifest");
    TRYF(fields_decode_json(&oci_manifest_fields, j, "", a, &m), "manifest");
    TRYF(check_descriptor(&m.config), "manifest: config");
    TRYF(check_descriptors(&m.layers, OCI_LAYERS_MAX, "layers"), "manifest");
    *ret = m;
    return OK;
}

struct err oci_index_parse(struct str text, struct arena *a, struct oci_index *ret) {
    CLEAN_JSON struct json *j = NULL;
    struct oci_index x;
    TRY(check_size(text, OCI_MANIFEST_MAX, "index"));
    TRYF(json_parse(text, &j), "index");
    TRYF(check_unique(text, j), "index");
    TRYF(check_document(j, true), "index");
    TRYF(fields_decode_json(&oci_index_fields, j, "", a, &x), "index");
    TRYF(check_descriptors(&x.manifests, OCI_INDEX_ENTRIES_MAX, "manifests"), "index");
    *ret = x;
    return OK;
}

static struct err check_image_config(const struct oci_image_config *c) {
    if (c->rootfs.type && strcmp(c->rootfs.type, "layers") != 0)
        return err_new(ERR_UNSUPPORTED, "rootfs.type: only 'layers' is supported");
    if (c->rootfs.diff_ids.n > OCI_LAYERS_MAX)
        return err_new(ERR_INVALID, "rootfs.diff_ids: more than %d entries", OCI_LAYERS_MAX);
    for (size_t i = 0; i < c->rootfs.diff_ids.n; i++)
        TRYF(check_digest(c->rootfs.diff_ids.items[i]), "rootfs.diff_ids[%zu]", i);
    if (c->history.n > OCI_HISTORY_MAX)
        return err_new(ERR_INVALID, "history: more than %d entries", OCI_HISTORY_MAX);
    return OK;
}

struct err oci_image_config_parse(struct str text, struct arena *a, struct oci_image_config *ret) {
    struct oci_image_config c;
    TRY(check_size(text, OCI_IMAGE_CONFIG_MAX, "image config"));
    TRYF(fields_decode(&oci_image_config_fields, text, a, &c), "image config");
    TRYF(check_image_config(&c), "image config");
    *ret = c;
    return OK;
}

struct err oci_archive_parse(struct str text, struct arena *a, struct objs *ret) {
    struct objs v;
    TRY(check_size(text, OCI_MANIFEST_MAX, "manifest.json"));
    TRYF(oci_check_unique(text), "manifest.json");
    TRYF(fields_decode_objs(&oci_archive_item_fields, text, a, &v), "manifest.json");
    const struct oci_archive_item *item = v.items;
    for (size_t i = 0; i < v.n; i++)
        if (item[i].layers.n > OCI_LAYERS_MAX)
            return err_new(ERR_INVALID, "manifest.json: [%zu].Layers: more than %d entries", i,
                           OCI_LAYERS_MAX);
    *ret = v;
    return OK;
}
