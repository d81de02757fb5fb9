/* artifact.c - artifacts (signatures, SBOMs, charts, models): manifests of anything but an image.
 *
 * One is an image whose config_text is the manifest itself, so that its id is the manifest's
 * digest; its blobs are documents of the kind DOCUMENT_BLOB. It has names, a size and no files:
 * what needs a root file system asks image_find_rootfs. Source: image-spec 1.1 manifest.md,
 * "Guidelines for Artifact Usage". Tests: test/e2e/t1207-artifacts.sh. */
#include "base/time.h"
#include "image/facts.h"

static struct err check_part(struct images *im, const struct image_fact *known, struct str body,
                             const struct oci_descriptor *d) {
    struct digest digest;
    TRY(digest_parse(str_of(d->digest), &digest));
    return documents_have(im, known, body, &digest)
               ? OK
               : err_new(ERR_INVALID, "blob %s of the artifact is missing", d->digest);
}

struct err artifact_commit(struct images *im, struct str text, struct str body, struct arena *a,
                           const char **ret_type, int64_t *ret_created) {
    struct oci_manifest m;
    struct digest id;
    int64_t created = 0;
    TRY(oci_manifest_parse(text, a, &m));
    const char *type = oci_artifact_type(&m);
    if (!type)
        return err_new(ERR_INVALID, "the manifest is an image's");
    digest_of(text, &id);
    const struct image_fact *known = map_get(&im->by_id, digest_key(&id));
    const struct oci_descriptor *layers = m.layers.items;
    TRY(check_part(im, known, body, &m.config));
    for (size_t i = 0; i < m.layers.n; i++)
        TRY(check_part(im, known, body, &layers[i]));
    const char *date = strmap_get(&m.annotations, "org.opencontainers.image.created");
    if (date)
        err_ignore(time_parse(str_of(date), &created)); /* one that is none says nothing */
    *ret_type = type;
    *ret_created = created;
    return OK;
}
