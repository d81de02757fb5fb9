/* load_artifact.c - artifacts in an archive's layout: the manifest, and its blobs as they came. */
#include "archive/inflate.h"
#include "base/file.h"
#include "image/load_job.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A plain tar was unpacked as if it were a layer: what is left of its bytes is their gzip. */
static struct err plain_again(const struct spool *s, const struct member *m, char ret_file[32]) {
    CLEAN_FD int from = -1, to = -1;
    CLEAN_STREAM struct stream *plain = NULL;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    enum compression kind;
    struct digest got;
    uint64_t n;
    from = openat(s->in->dir_fd, m->layer.blob_file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return err_new(ERR_SYSTEM, "a file in image/ingest is gone");
    TRY(ingest_file(s->in, ret_file, &to));
    TRY(inflate_open(stream_fd(from), 0, &plain, &kind));
    CLEAN_STREAM struct stream *seen = stream_tee(stream_borrow(plain), h, NULL);
    TRY(stream_copy_fd(seen, to, &n));
    sha256_end(h, got.bytes);
    return digest_eq(&got, &m->digest) ? OK : err_new(ERR_SYSTEM, "a tar does not come back whole");
}

struct err spool_part(const struct spool *s, const char *digest, int64_t size,
                      struct digest *ret_digest, char ret_file[32]) {
    struct digest d;
    char hex[65];
    TRY(digest_parse(str_of(digest), &d));
    CLEAN_FREE char *path = mem_printf("blobs/sha256/%s", digest_hex(&d, hex));
    struct member *m = spool_find(s, path);
    if (!m)
        return err_new(ERR_INVALID, "the archive has no blob %s", digest);
    if (m->file[0])
        err_ignore(member_check(m)); /* as a layer it is wrong, as bytes it need not be */
    else
        TRYF(member_check(m), "blob %s", digest);
    if (!digest_eq(&m->digest, &d) || m->size != (uint64_t)size)
        return err_new(ERR_INVALID, "blob %s has another digest or size", digest);
    *ret_digest = d;
    if (!m->file[0] && !m->layer.has_blob)
        return err_new(ERR_UNSUPPORTED, "blob %s of the artifact is a layer of an image here",
                       digest);
    if (!m->file[0])
        return plain_again(s, m, ret_file);
    memcpy(ret_file, m->file, sizeof(m->file));
    return OK;
}

static struct err add_part(const struct spool *s, const struct oci_descriptor *d,
                           struct loaded *ret) {
    struct digest digest;
    char file[32];
    TRY(spool_part(s, d->digest, d->size, &digest, file));
    if (ret->documents.n == INGEST_DOCUMENTS_MAX)
        return err_new(ERR_UNSUPPORTED, "an artifact of more than %d blobs", INGEST_DOCUMENTS_MAX);
    ingest_document_add_file(&ret->documents, DOCUMENT_BLOB, &digest, (uint64_t)d->size, file);
    return OK;
}

struct err load_artifact(const struct spool *s, struct str text, const struct oci_manifest *m,
                         struct loaded *ret) {
    const struct oci_descriptor *layers = m->layers.items;
    ret->artifact = true;
    buf_add_str(&ret->config, text);
    digest_of(text, &ret->id);
    TRY(add_part(s, &m->config, ret));
    for (size_t i = 0; i < m->layers.n; i++)
        TRY(add_part(s, &layers[i], ret));
    return OK;
}

/* NULL: the entry is no artifact. */
static struct err read_entry(const struct spool *s, const struct oci_descriptor *d, struct arena *a,
                             struct buf *text, struct oci_manifest *ret, bool *ret_artifact) {
    struct member *m;
    *ret_artifact = false;
    if (!oci_is_manifest(d->media_type))
        return OK;
    TRY(spool_blob(s, d->digest, d->size, &m));
    TRY(spool_text(s, m, OCI_MANIFEST_MAX, text));
    TRY(oci_manifest_parse(buf_str(text), a, ret));
    *ret_artifact = oci_artifact_type(ret) != NULL;
    return OK;
}

struct err load_artifacts(const struct spool *s, struct loads *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_index index;
    struct member *m = spool_find(s, "index.json");
    struct err e = m ? spool_text(s, m, OCI_MANIFEST_MAX, &text) : OK;
    if (m && !err_failed(e))
        e = oci_index_parse(buf_str(&text), &a, &index);
    bool right = m && !err_failed(e);
    err_ignore(e); /* manifest.json has said what the images are */
    const struct oci_descriptor *d = right ? index.manifests.items : NULL;
    for (size_t i = 0; right && i < index.manifests.n; i++) {
        CLEAN_BUF struct buf one = {0};
        struct oci_manifest manifest;
        bool artifact;
        e = read_entry(s, &d[i], &a, &one, &manifest, &artifact);
        bool read = !err_failed(e);
        err_ignore(e); /* as above */
        if (!read || !artifact)
            continue;
        struct loaded *l = vec_add(ret);
        loaded_name(&d[i], l);
        TRYF(load_artifact(s, buf_str(&one), &manifest, l), "artifact %s", d[i].digest);
    }
    return OK;
}
