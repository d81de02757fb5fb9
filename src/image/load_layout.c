/* load_layout.c - OCI image layout (image-spec "Image Layout"): index.json, blobs/. */
#include "image/load_job.h"
#include <stdlib.h>
#include <string.h>

static const char *const keys[] = {"io.containerd.image.name", "org.opencontainers.image.ref.name"};

static const char *name_of(const struct oci_descriptor *d) {
    const char *name = strmap_get(&d->annotations, keys[0]);
    return name ? name : strmap_get(&d->annotations, keys[1]);
}

void loaded_name(const struct oci_descriptor *d, struct loaded *l) {
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

/* An attestation stands in indexes as an image of a machine that nobody has. */
static bool is_of_no_machine(const struct oci_descriptor *d) {
    const struct oci_platform *p = d->platform;
    return p && p->os && strcmp(p->os, "unknown") == 0;
}

/* An index inside of the index: the manifest for the machine wanted, under the outer name. An index
 * for other machines only gives its first, when nobody asked for one. */
static struct err load_index(const struct spool *s, const struct oci_descriptor *outer,
                             const struct platform *wanted, struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_index index;
    struct platform here;
    struct member *m;
    TRY(spool_blob(s, outer->digest, outer->size, &m));
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, &text));
    TRYF(oci_index_parse(buf_str(&text), &a, &index), "index %s", outer->digest);
    platform_host(&here);
    const struct oci_descriptor *d = index.manifests.items;
    const struct oci_descriptor *best = oci_index_choose(&index, wanted ? wanted : &here);
    for (size_t i = 0; i < index.manifests.n && !best && !wanted; i++)
        if (oci_is_manifest(d[i].media_type) && !is_of_no_machine(&d[i]))
            best = &d[i];
    if (!best && wanted)
        return OK;
    if (!best)
        return err_new(ERR_NOT_FOUND, "no image in index %s", outer->digest);
    struct oci_descriptor named = *best;
    named.annotations = outer->annotations;
    return load_manifest(s, &named, ret);
}

#define FAR 1000

static int distance(const struct oci_descriptor *d, const struct platform *wanted) {
    const struct oci_platform *p = d->platform;
    int n = p ? platform_distance(wanted, p->os, p->architecture, p->variant) : 0;
    return n < 0 ? FAR : n;
}

static bool same_name(const struct oci_descriptor *a, const struct oci_descriptor *b) {
    const char *x = name_of(a), *y = name_of(b);
    return x == y || (x && y && strcmp(x, y) == 0);
}

/* Is d the manifest to be loaded under its name? asked: nothing else would do. */
static bool is_chosen(const struct oci_index *index, const struct oci_descriptor *d,
                      const struct platform *wanted, bool asked) {
    const struct oci_descriptor *all = index->manifests.items;
    int n = distance(d, wanted);
    if (is_of_no_machine(d) || (asked && n == FAR))
        return false;
    for (size_t i = 0; i < index->manifests.n && d->platform; i++)
        if (all[i].platform && distance(&all[i], wanted) < n && same_name(&all[i], d))
            return false;
    return true;
}

struct err load_layout(const struct spool *s, const struct platform *wanted, struct loads *ret) {
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
    struct platform here;
    platform_host(&here);
    const struct oci_descriptor *d = index.manifests.items;
    for (size_t i = 0; i < index.manifests.n; i++) {
        if (oci_is_index(d[i].media_type))
            TRY(load_index(s, &d[i], wanted, ret));
        else if (is_chosen(&index, &d[i], wanted ? wanted : &here, wanted != NULL))
            TRY(load_manifest(s, &d[i], ret));
    }
    return OK;
}
