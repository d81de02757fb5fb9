/* load_layout.c - OCI image layout (image-spec "Image Layout"): index.json, blobs/. */
#include "image/load_job.h"
#include <stdlib.h>
#include <string.h>

void loaded_name(const struct oci_descriptor *d, struct loaded *l) {
    static const char *const keys[] = {"io.containerd.image.name",
                                       "org.opencontainers.image.ref.name"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *name = strmap_get(&d->annotations, keys[i]);
        struct reference r;
        /* The second one may be a tag alone, of a name that the archive does not tell. */
        if (!name || (i == 1 && !strchr(name, ':') && !strchr(name, '/')))
            continue;
        struct err e = reference_parse(str_of(name), &r);
        bool right = !err_failed(e);
        err_ignore(e); /* not a name: the image is loaded without */
        if (!right || r.has_digest)
            continue;
        reference_default_tag(&r);
        vec_push(&l->tags, r);
        return;
    }
}

static bool is_schema1(const char *media_type) {
    return strcmp(media_type, DOCKER_SCHEMA1) == 0 ||
           strcmp(media_type, DOCKER_SCHEMA1_SIGNED) == 0;
}

static struct err load_manifest(const struct spool *s, const struct oci_descriptor *d,
                                struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_manifest manifest;
    struct member *m;
    if (is_schema1(d->media_type))
        return err_new(ERR_UNSUPPORTED, "manifest %s: schema 1 is not supported", d->digest);
    TRY(spool_blob(s, d->digest, d->size, &m));
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, &text));
    TRYF(oci_manifest_parse(buf_str(&text), &a, &manifest), "manifest %s", d->digest);
    struct loaded *l = vec_add(ret);
    if (oci_artifact_type(&manifest)) {
        loaded_name(d, l);
        return load_artifact(s, buf_str(&text), &manifest, l);
    }
    struct strs diff_ids;
    TRY(spool_blob(s, manifest.config.digest, manifest.config.size, &m));
    TRY(loaded_config(s, m, l, &diff_ids, &a));
    if (diff_ids.n != manifest.layers.n)
        return err_new(ERR_INVALID, "manifest %s has %zu layers, its config %zu", d->digest,
                       manifest.layers.n, diff_ids.n);
    const struct oci_descriptor *layers = manifest.layers.items;
    for (size_t i = 0; i < diff_ids.n; i++) {
        enum oci_compression kind; /* the bytes tell it */
        if (!oci_layer_compression(layers[i].media_type, &kind))
            return err_new(ERR_UNSUPPORTED,
                           "manifest %s: layer media type '%.128s' is not supported", d->digest,
                           layers[i].media_type);
        TRY(spool_blob(s, layers[i].digest, layers[i].size, &m));
        TRY(loaded_layer_add(l, diff_ids.items[i], m));
    }
    loaded_name(d, l);
    return OK;
}

static bool for_this_machine(const struct oci_descriptor *d) {
    const struct oci_platform *p = d->platform;
    return !p || (p->os && p->architecture && strcmp(p->os, "linux") == 0 &&
                  strcmp(p->architecture, IMAGE_ARCHITECTURE) == 0);
}

/* An index inside of the index: its first manifest for this machine, under the outer name. */
static struct err load_index(const struct spool *s, const struct oci_descriptor *outer,
                             struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_index index;
    struct member *m;
    TRY(spool_blob(s, outer->digest, outer->size, &m));
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, &text));
    TRYF(oci_index_parse(buf_str(&text), &a, &index), "index %s", outer->digest);
    const struct oci_descriptor *d = index.manifests.items;
    for (size_t i = 0; i < index.manifests.n; i++) {
        if (!for_this_machine(&d[i]) || !oci_is_manifest(d[i].media_type))
            continue;
        struct oci_descriptor named = d[i];
        named.annotations = outer->annotations;
        return load_manifest(s, &named, ret);
    }
    return err_new(ERR_NOT_FOUND, "no image for linux/" IMAGE_ARCHITECTURE " in index %s",
                   outer->digest);
}

struct err load_layout(const struct spool *s, struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0}, version = {0};
    struct oci_index index;
    struct oci_layout layout;
    struct member *m = spool_find(s, "oci-layout");
    if (!m)
        return err_new(ERR_INVALID, "the archive has an index.json but no oci-layout");
    TRY(spool_text(s, m, 4096, &version));
    TRYF(fields_decode(&oci_layout_fields, buf_str(&version), &a, &layout), "oci-layout");
    if (!layout.version || strcmp(layout.version, "1.0.0") != 0)
        return err_new(ERR_UNSUPPORTED, "OCI layout version '%s' is not supported",
                       layout.version ? layout.version : "");
    m = spool_find(s, "index.json");
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, &text));
    TRYF(oci_index_parse(buf_str(&text), &a, &index), "index.json");
    const struct oci_descriptor *d = index.manifests.items;
    for (size_t i = 0; i < index.manifests.n; i++) {
        if (oci_is_index(d[i].media_type))
            TRY(load_index(s, &d[i], ret));
        else if (for_this_machine(&d[i]))
            TRY(load_manifest(s, &d[i], ret));
    }
    return OK;
}
