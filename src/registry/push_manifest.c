#include "registry/push_manifest.h"
#include "base/mem.h"
#include "registry/upload.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- a manifest of our own -------------------------------------------------------------------- */
static void put_descriptor(struct json_out *o, const char *type, const struct digest *d,
                           uint64_t size) {
    char text[DIGEST_TEXT_MAX];
    jo_obj(o);
    jo_kstr(o, "mediaType", type);
    jo_ki64(o, "size", (int64_t)size);
    jo_kstr(o, "digest", digest_text(d, text));
    jo_obj_end(o);
}

/* Docker's types as long as they have one for every layer: every registry takes them. */
static bool docker_types(const struct ingest_image *image) {
    if (image->annotations.all.n) /* they have no place for them */
        return false;
    for (size_t i = 0; i < image->layers_n; i++)
        if (image->layers[i].compression != COMPRESSION_GZIP)
            return false;
    return true;
}

static void make_manifest(const struct ingest_image *image, struct buf *out) {
    static const char *const oci[] = {[COMPRESSION_NONE] = OCI_LAYER,
                                      [COMPRESSION_GZIP] = OCI_LAYER_GZIP,
                                      [COMPRESSION_ZSTD] = OCI_LAYER_ZSTD};
    bool docker = docker_types(image);
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_ki64(&o, "schemaVersion", 2);
    jo_kstr(&o, "mediaType", docker ? DOCKER_MANIFEST : OCI_MANIFEST);
    jo_key(&o, "config");
    put_descriptor(&o, docker ? DOCKER_CONFIG : OCI_CONFIG, &image->id, image->config.len);
    jo_key(&o, "layers");
    jo_arr(&o);
    for (size_t i = 0; i < image->layers_n; i++) {
        const struct ingest_layer *l = &image->layers[i];
        put_descriptor(&o, docker ? DOCKER_LAYER_GZIP : oci[l->compression], &l->blob,
                       l->blob_size);
    }
    jo_arr_end(&o);
    oci_annotations_put(&o, &image->annotations);
    jo_obj_end(&o);
}

/* --- the choice ------------------------------------------------------------------------------- */
/* Repositories of this registry where the image was seen: a blob may be mounted from there. */
static struct err find_elsewhere(struct registry *r, const struct ingest_image *image,
                                 const struct digest *d, struct arena *a, struct push_found *ret) {
    ret->how = FOUND_NOT;
    for (size_t i = 0; i <= image->tags.n; i++) {
        struct reference seen = {0};
        bool first = i == 0; /* no mount: only look */
        bool found, mounted;
        if (!first)
            err_ignore(reference_parse(str_of(image->tags.items[i - 1]), &seen)); /* our own text */
        if (!first && (!seen.has_digest || strcmp(seen.domain, r->shown) != 0 ||
                       strcmp(seen.path, r->path) == 0))
            continue;
        TRY(upload_find(r, d, first ? NULL : seen.path, &found, &mounted));
        if (!found)
            continue;
        ret->how = mounted ? FOUND_MOUNTED : FOUND_EXISTS;
        ret->from = first ? NULL : arena_strz(a, seen.path);
        return OK;
    }
    return OK;
}

/* Can all layers of the manifest be had by the registry? */
static struct err layers_at_hand(struct registry *r, const struct ingest_image *image,
                                 const struct oci_manifest *m, struct arena *a,
                                 struct push_found *found, bool *ret) {
    const struct oci_descriptor *d = m->layers.items;
    *ret = false;
    for (size_t i = 0; i < image->layers_n; i++) {
        struct digest wanted;
        found[i] = (struct push_found){FOUND_NOT, NULL};
        TRY(digest_parse(str_of(d[i].digest), &wanted));
        if (image->layers[i].has_blob && digest_eq(&image->layers[i].blob, &wanted))
            continue;
        TRY(find_elsewhere(r, image, &wanted, a, &found[i]));
        if (found[i].how == FOUND_NOT)
            return OK;
    }
    *ret = true;
    return OK;
}

static struct err registry_has_manifest(struct registry *r, const char *digest, bool *ret) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = mem_printf("manifests/%s", digest);
    struct registry_call c = {.method = "HEAD",
                              .url = url,
                              .accept = OCI_MANIFEST ", " DOCKER_MANIFEST ", " OCI_INDEX
                                                     ", " DOCKER_LIST,
                              .body_fd = -1};
    TRY(registry_call(r, &c, &answer));
    *ret = answer.status == 200;
    return OK;
}

/* Will the registry have everything that the index lists? */
static struct err index_complete(struct registry *r, const struct kept_documents *k,
                                 const struct kept_document *index, const struct kept_document *own,
                                 bool *ret) {
    const struct oci_descriptor *d = index->index.manifests.items;
    *ret = true;
    for (size_t i = 0; i < index->index.manifests.n && *ret; i++) {
        const struct kept_document *m = kept_find(k, d[i].digest);
        if (m && (m == own || kept_is_whole(k, m)))
            continue;
        TRY(registry_has_manifest(r, d[i].digest, ret));
    }
    return OK;
}

static bool known_there(const struct ingest_image *image, const struct reference *ref,
                        const struct kept_document *d) {
    for (size_t i = 0; i < image->tags.n; i++) {
        struct reference seen;
        struct err e = reference_parse(str_of(image->tags.items[i]), &seen);
        bool right = !err_failed(e);
        err_ignore(e); /* the daemon's own text */
        if (right && seen.has_digest && digest_eq(&seen.digest, &d->digest) &&
            strcmp(seen.domain, ref->domain) == 0 && strcmp(seen.path, ref->path) == 0)
            return true;
    }
    return false;
}

static struct err try_document(struct registry *r, const struct ingest_image *image,
                               const struct kept_document *d, struct push_plan *p) {
    const struct kept_document *own = kept_own(&p->kept, d);
    bool right = false;
    if (!own || p->top)
        return OK;
    TRY(layers_at_hand(r, image, &own->manifest, &p->kept.arena, p->found, &right));
    if (right && d->is_index)
        TRY(index_complete(r, &p->kept, d, own, &right));
    if (right) {
        p->top = d;
        p->own = own;
    }
    return OK;
}

static struct err choose(struct registry *r, const struct ingest_image *image,
                         const struct reference *ref, struct push_plan *p) {
    /* What a build has just said is what is wanted, whatever the repository has. */
    if (p->kept.n > 0 && p->kept.items[0].made_here)
        TRY(try_document(r, image, &p->kept.items[0], p));
    for (int there = 1; there >= 0; there--)
        for (size_t i = 0; i < p->kept.n; i++)
            if (known_there(image, ref, &p->kept.items[i]) == there)
                TRY(try_document(r, image, &p->kept.items[i], p));
    return OK;
}

struct err push_plan_make(const struct ingest *in, struct registry *r,
                          const struct ingest_image *image, const struct reference *ref,
                          struct push_plan *ret) {
    CLEAN_PLAN struct push_plan p = {0};
    TRY(ingest_documents_read(in, image, &p.kept));
    p.found = arena_array(&p.kept.arena, image->layers_n + 1, sizeof(*p.found));
    TRY(choose(r, image, ref, &p));
    if (!p.top)
        memset(p.found, 0, (image->layers_n + 1) * sizeof(*p.found));
    *ret = p;
    p = (struct push_plan){0};
    return OK;
}

void push_plan_done(struct push_plan *p) {
    kept_documents_done(&p->kept);
}

/* --- sending ---------------------------------------------------------------------------------- */
static struct err push_text(struct registry *r, const struct digest *d, struct str text) {
    CLEAN_FD
    int fd = memfd_create("corten-text", MFD_CLOEXEC);
    enum upload_how how;
    if (fd < 0 || pwrite(fd, text.p, text.len, 0) != (ssize_t)text.len)
        return err_errno(errno, "image config");
    struct upload u = {.digest = d, .fd = fd, .size = text.len, .memory_fd = -1};
    return upload_blob(r, &u, &how);
}

struct err push_put_manifest(struct registry *r, const char *reference, struct str text,
                             long *ret_status, bool *ret_subject) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = mem_printf("manifests/%s", reference);
    struct registry_call c = {.method = "PUT",
                              .url = url,
                              .text = text,
                              .content_type = oci_media_type_of(text),
                              .body_fd = -1};
    TRY(registry_call(r, &c, &answer));
    if (ret_status)
        *ret_status = answer.status;
    if (ret_subject)
        *ret_subject = answer.subject != NULL;
    return answer.status == 201 ? OK : registry_error(r, &answer, "put the manifest");
}

static struct err push_part(struct ingest *in, struct registry *r, const struct oci_descriptor *d) {
    CLEAN_FD
    int fd = -1;
    struct digest digest;
    enum upload_how how;
    TRY(digest_parse(str_of(d->digest), &digest));
    TRY(ingest_open_blob(in, &digest, &fd));
    struct upload u = {.digest = &digest, .fd = fd, .size = (uint64_t)d->size, .memory_fd = -1};
    return upload_blob(r, &u, &how);
}

/* An attestation: its parts, then itself, named by its digest. */
static struct err push_member(struct ingest *in, struct registry *r, const struct kept_document *m,
                              const char *digest) {
    const struct oci_descriptor *layers = m->manifest.layers.items;
    TRY(push_part(in, r, &m->manifest.config));
    for (size_t i = 0; i < m->manifest.layers.n; i++)
        TRY(push_part(in, r, &layers[i]));
    return push_put_manifest(r, digest, m->text, NULL, NULL);
}

static struct err push_members(struct ingest *in, struct registry *r, const struct push_plan *p) {
    const struct oci_descriptor *d = p->top->index.manifests.items;
    for (size_t i = 0; i < p->top->index.manifests.n; i++) {
        const struct kept_document *m = kept_find(&p->kept, d[i].digest);
        if (m && m == p->own)
            TRY(push_put_manifest(r, d[i].digest, m->text, NULL, NULL));
        else if (m && kept_is_whole(&p->kept, m))
            TRY(push_member(in, r, m, d[i].digest));
    }
    return OK;
}

struct err push_documents(struct ingest *in, struct registry *r, const struct ingest_image *image,
                          const char *tag, struct push_plan *p, struct buf *scratch,
                          struct str *ret_text, bool *ret_made) {
    long status = 0;
    TRY(push_text(r, &image->id, image->config));
    if (p->top && p->top->is_index)
        TRY(push_members(in, r, p));
    if (!p->top)
        make_manifest(image, scratch);
    struct str text = p->top ? p->top->text : buf_str(scratch);
    struct err e = push_put_manifest(r, tag, text, &status, NULL);
    /* Registries that know no index, or not this kind, still take the manifest in it. */
    if (err_failed(e) && p->top && p->top->is_index &&
        (status == 400 || status == 404 || status == 415)) {
        err_ignore(e); /* the second try says what is wrong */
        text = p->own->text;
        e = push_put_manifest(r, tag, text, &status, NULL);
    }
    TRY(e);
    *ret_text = text;
    *ret_made = !p->top;
    return OK;
}
