/* save_job.c - the job "image-save": an archive that is a docker-archive (manifest.json,
 * repositories) and an OCI layout (index.json) at once, with the layers as they are stored. */
#include "archive/tar_write.h"
#include "base/file.h"
#include "image/ingest.h"
#include "image/jobs.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_SIZE (256u << 10)

struct saved {
    struct ingest_image image; /* of an artifact: layers are its blobs */
    const char *artifact;      /* its type; or NULL */
    struct strs names;         /* canonical tags to save it under */
    struct buf made; /* OCI manifest of ours, where none is kept whose layers the store has */
    struct digest made_digest;
    struct kept_documents kept;
    const struct kept_document *top, *own; /* what it came with; NULL: ours */
};

struct save {
    struct ingest *in;
    struct arena arena;
    struct saved *items;
    size_t n;
    struct buf out;             /* gathers small writes */
    VEC(struct digest) written; /* blobs that are in the archive */
};

static void save_done(struct save *s) {
    for (size_t i = 0; i < s->n; i++) {
        buf_done(&s->items[i].made);
        kept_documents_done(&s->items[i].kept);
    }
    buf_done(&s->out);
    vec_done(&s->written);
    arena_done(&s->arena);
}

/* --- documents
 * --------------------------------------------------------------------------------------------- */
static const char *layer_type(enum compression c) {
    return c == COMPRESSION_GZIP   ? OCI_LAYER_GZIP
           : c == COMPRESSION_ZSTD ? OCI_LAYER_ZSTD
                                   : OCI_LAYER;
}

void descriptor_put(struct json_out *o, const char *type, const struct digest *d, uint64_t size) {
    char text[DIGEST_TEXT_MAX];
    jo_kstr(o, "mediaType", type);
    jo_kstr(o, "digest", digest_text(d, text));
    jo_ki64(o, "size", (int64_t)size);
}

static void make_manifest(struct saved *v) {
    struct json_out o = {.out = &v->made};
    jo_obj(&o);
    jo_ki64(&o, "schemaVersion", 2);
    jo_kstr(&o, "mediaType", OCI_MANIFEST);
    jo_key(&o, "config");
    jo_obj(&o);
    descriptor_put(&o, OCI_CONFIG, &v->image.id, v->image.config.len);
    jo_obj_end(&o);
    jo_key(&o, "layers");
    jo_arr(&o);
    for (size_t i = 0; i < v->image.layers_n; i++) {
        const struct ingest_layer *l = &v->image.layers[i];
        jo_obj(&o);
        descriptor_put(&o, layer_type(l->compression), &l->blob, l->blob_size);
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    oci_annotations_put(&o, &v->image.annotations);
    jo_obj_end(&o);
    digest_of(buf_str(&v->made), &v->made_digest);
}

/* An index that is whole, else a manifest whose layers are those of the store; the newest. */
static struct err choose_manifest(struct save *s, struct saved *v) {
    TRY(ingest_documents_read(s->in, &v->image, &v->kept));
    for (size_t i = 0; i < v->kept.n; i++) {
        const struct kept_document *d = &v->kept.items[i];
        const struct kept_document *own = kept_own(&v->kept, d);
        bool whole = own && kept_layers_fit(&v->image, &own->manifest);
        const struct oci_descriptor *e = d->index.manifests.items;
        for (size_t k = 0; whole && d->is_index && k < d->index.manifests.n; k++) {
            const struct kept_document *m = kept_find(&v->kept, e[k].digest);
            whole = m && kept_is_whole(&v->kept, m);
        }
        if (!whole || (v->own && !d->is_index))
            continue;
        v->top = d;
        v->own = own;
        if (d->is_index)
            break;
    }
    if (!v->own)
        make_manifest(v);
    return OK;
}

/* One entry for each name, one without for an image that was named by id. */
static void put_index_entry(struct json_out *o, const struct saved *v, const char *name) {
    struct str text = v->top ? v->top->text : buf_str(&v->made);
    if (v->artifact)
        text = v->image.config;
    jo_obj(o);
    descriptor_put(o, oci_media_type_of(text),
                   v->artifact ? &v->image.id
                   : v->top    ? &v->top->digest
                               : &v->made_digest,
                   text.len);
    if (v->artifact)
        jo_kstr(o, "artifactType", v->artifact);
    if (name) {
        struct reference r;
        bool right = !err_failed(reference_parse(str_of(name), &r)); /* the daemon's own text */
        jo_key(o, "annotations");
        jo_obj(o);
        jo_kstr(o, "io.containerd.image.name", name);
        jo_kstr(o, "org.opencontainers.image.ref.name", right ? r.tag : "");
        jo_obj_end(o);
    }
    jo_obj_end(o);
}

static void make_index(const struct save *s, struct buf *out) {
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_ki64(&o, "schemaVersion", 2);
    jo_kstr(&o, "mediaType", OCI_INDEX);
    jo_key(&o, "manifests");
    jo_arr(&o);
    for (size_t i = 0; i < s->n; i++) {
        const struct saved *v = &s->items[i];
        for (size_t k = 0; k < v->names.n; k++)
            put_index_entry(&o, v, v->names.items[k]);
        if (v->names.n == 0)
            put_index_entry(&o, v, NULL);
    }
    jo_arr_end(&o);
    jo_obj_end(&o);
}

static void put_blob_path(struct json_out *o, const struct digest *d) {
    CLEAN_BUF struct buf path = {0};
    buf_adds(&path, "blobs/sha256/");
    buf_add_hex(&path, d->bytes, SHA256_SIZE);
    jo_str(o, buf_str(&path));
}

static void make_manifest_json(const struct save *s, struct buf *out) {
    struct json_out o = {.out = out};
    jo_arr(&o);
    for (size_t i = 0; i < s->n; i++) {
        const struct saved *v = &s->items[i];
        if (v->artifact)
            continue; /* index.json alone knows what that is */
        jo_obj(&o);
        jo_key(&o, "Config");
        put_blob_path(&o, &v->image.id);
        jo_key(&o, "RepoTags");
        jo_arr(&o);
        for (size_t k = 0; k < v->names.n; k++) {
            struct reference r;
            char text[REFERENCE_TEXT_MAX];
            if (!err_failed(reference_parse(str_of(v->names.items[k]), &r)))
                jo_strz(&o, reference_familiar(&r, text));
        }
        jo_arr_end(&o);
        jo_key(&o, "Layers");
        jo_arr(&o);
        for (size_t k = 0; k < v->image.layers_n; k++)
            put_blob_path(&o, &v->image.layers[k].blob);
        jo_arr_end(&o);
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
}

/* --- the archive
 * --------------------------------------------------------------------------------------------- */
static struct err save_flush(struct save *s) {
    TRY(answer_bytes(s->in, s->out.data, s->out.len));
    buf_clear(&s->out);
    return OK;
}

static struct err save_write(void *arg, const void *p, size_t n) {
    struct save *s = arg;
    buf_add(&s->out, p, n);
    return s->out.len >= OUT_SIZE ? save_flush(s) : OK;
}

static struct err save_dir(const struct tar_sink *sink, const char *path) {
    struct tar_entry e = {.type = TAR_DIR, .path = path, .target = "", .mode = 0755};
    return tar_put_header(sink, &e);
}

/* True the first time. */
static bool save_once(struct save *s, const struct digest *d) {
    for (size_t i = 0; i < s->written.n; i++)
        if (digest_eq(&s->written.items[i], d))
            return false;
    vec_push(&s->written, *d);
    return true;
}

static void blob_name(const struct digest *d, struct buf *out) {
    buf_adds(out, "blobs/sha256/");
    buf_add_hex(out, d->bytes, SHA256_SIZE);
}

static struct err save_text(struct save *s, const struct tar_sink *sink, const struct digest *d,
                            struct str text) {
    CLEAN_BUF struct buf path = {0};
    if (!save_once(s, d))
        return OK;
    blob_name(d, &path);
    return tar_put_file(sink, buf_cstr(&path), text, 0);
}

/* The bytes are checked again: what was damaged on disk is not handed out as whole. */
static struct err save_blob(struct save *s, const struct tar_sink *sink,
                            const struct ingest_layer *l) {
    CLEAN_BUF struct buf path = {0};
    CLEAN_FD
    int fd = -1;
    if (!save_once(s, &l->blob))
        return OK;
    blob_name(&l->blob, &path);
    TRY(ingest_open_blob(s->in, &l->blob, &fd));
    struct tar_entry e = {.type = TAR_FILE,
                          .path = buf_cstr(&path),
                          .target = "",
                          .size = l->blob_size,
                          .mode = 0644};
    TRY(tar_put_header(sink, &e));
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    uint64_t count = 0;
    CLEAN_STREAM struct stream *in = stream_tee(stream_fd(fd), h, &count);
    CLEAN_FREE
    char *p = mem_alloc(OUT_SIZE);
    for (;;) {
        size_t n;
        TRY(stream_read(in, p, OUT_SIZE, &n));
        if (n == 0)
            break;
        if (count > l->blob_size)
            break;
        TRY(tar_put_data(sink, p, n));
    }
    struct digest got;
    sha256_end(h, got.bytes);
    if (count != l->blob_size || !digest_eq(&got, &l->blob))
        return err_new(ERR_SYSTEM, "%s is damaged", buf_cstr(&path));
    return tar_put_padding(sink, l->blob_size);
}

static struct err save_part(struct save *s, const struct tar_sink *sink,
                            const struct oci_descriptor *d) {
    CLEAN_BUF struct buf text = {.max = INGEST_DOCUMENT_MAX};
    CLEAN_FD
    int fd = -1;
    struct digest wanted, got;
    TRY(digest_parse(str_of(d->digest), &wanted));
    TRY(ingest_open_blob(s->in, &wanted, &fd));
    int r = fd_read_buf(fd, &text);
    digest_of(buf_str(&text), &got);
    if (r < 0 || text.overflow || !digest_eq(&got, &wanted))
        return err_new(ERR_SYSTEM, "blob %s is damaged", d->digest);
    return save_text(s, sink, &wanted, buf_str(&text));
}

/* Attestations with their parts, then the index. */
static struct err save_index(struct save *s, const struct tar_sink *sink, const struct saved *v) {
    const struct oci_descriptor *e = v->top->index.manifests.items;
    for (size_t i = 0; i < v->top->index.manifests.n; i++) {
        const struct kept_document *m = kept_find(&v->kept, e[i].digest);
        const struct oci_descriptor *layers = m->manifest.layers.items;
        if (m == v->own)
            continue;
        TRY(save_part(s, sink, &m->manifest.config));
        for (size_t k = 0; k < m->manifest.layers.n; k++)
            TRY(save_part(s, sink, &layers[k]));
        TRY(save_text(s, sink, &m->digest, m->text));
    }
    return save_text(s, sink, &v->top->digest, v->top->text);
}

/* What says what the layers are comes before them: who reads it can unpack them on the way. */
static struct err save_archive(struct save *s) {
    struct tar_sink sink = {save_write, s};
    CLEAN_BUF struct buf index = {0}, manifest = {0};
    make_index(s, &index);
    make_manifest_json(s, &manifest);
    TRY(tar_put_file(&sink, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}"), 0));
    TRY(tar_put_file(&sink, "index.json", buf_str(&index), 0));
    TRY(tar_put_file(&sink, "manifest.json", buf_str(&manifest), 0));
    TRY(save_dir(&sink, "blobs/"));
    TRY(save_dir(&sink, "blobs/sha256/"));
    for (size_t i = 0; i < s->n; i++) {
        struct saved *v = &s->items[i];
        TRY(save_text(s, &sink, &v->image.id, v->image.config));
        if (v->artifact)
            continue;
        TRY(v->own ? save_text(s, &sink, &v->own->digest, v->own->text)
                   : save_text(s, &sink, &v->made_digest, buf_str(&v->made)));
        if (v->top && v->top->is_index)
            TRY(save_index(s, &sink, v));
    }
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->items[i].image.layers_n; k++)
            TRY(save_blob(s, &sink, &s->items[i].image.layers[k]));
    TRY(tar_put_end(&sink));
    return save_flush(s);
}

static struct err prepare_image(struct save *s, struct saved *v) {
    for (size_t k = 0; k < v->image.layers_n; k++)
        if (!v->image.layers[k].has_blob)
            TRY(ingest_make_blob(s->in, &v->image.layers[k]));
    return choose_manifest(s, v);
}

static struct err prepare_artifact(struct save *s, struct saved *v) {
    struct oci_manifest m;
    TRY(ingest_artifact(&v->image, &s->arena, &m, &v->image.layers, &v->image.layers_n));
    v->artifact = oci_artifact_type(&m);
    return OK;
}

/* Everything that can fail for a reason of its own comes before the head of the answer. */
static struct err save_prepare(struct save *s) {
    const struct json *names = json_get(s->in->args, "names");
    s->n = ingest_images_n(s->in);
    s->items = arena_array(&s->arena, s->n + 1, sizeof(*s->items));
    for (size_t i = 0; i < s->n; i++) {
        struct saved *v = &s->items[i];
        TRY(ingest_image(s->in, i, &s->arena, &v->image));
        const struct json *own = json_at(names, i);
        for (size_t k = 0; k < json_len(own); k++)
            strs_add(&v->names, &s->arena, arena_str(&s->arena, json_str(json_at(own, k))));
        TRY(v->image.artifact ? prepare_artifact(s, v) : prepare_image(s, v));
    }
    return OK;
}

static struct err save_run(struct ingest *in) {
    struct save s OWN(save_done) = {.in = in};
    TRY(save_prepare(&s));
    TRY(answer_begin(in, "application/x-tar"));
    return save_archive(&s);
}

struct err image_save_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                          struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    struct err e = save_run(&in);
    /* After the head there is no place for words: a cut stream is what says that it failed. */
    return err_failed(e) ? e : answer_end(&in);
}
