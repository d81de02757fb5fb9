/* ingest.h - the worker's side of image jobs: the client's answer, places for layers and blobs, the
 * commit. Used by the jobs in image/ and registry/; runs in corten-worker only, in its main thread
 * unless a function says otherwise.
 *
 * Registration discipline: nothing is created outside the job's own ingest directory before
 * ingest_reserve has registered it; nothing is visible before ingest_commit. Blobs are hashed while
 * they are written, fsynced, renamed into place and their directory fsynced.
 * Tests: test/unit/image/jobs.c drives the jobs over a daemon's side of its own.
 */
#pragma once
#include "archive/extract.h"
#include "archive/inflate.h"
#include "base/json.h"
#include "base/vec.h"
#include "http/body.h"
#include "image/reference.h"
#include "loop/worker.h"
#include "spec/oci_annotations.h"
#include "spec/oci_image.h"

/* A layer that an image needs, and what is known of it. */
struct ingest_layer {
    struct digest diff_id;
    bool have;     /* the store has it unpacked */
    char name[16]; /* else: directory to fill; of a described image: where it is */
    char base[16]; /* the directory that lies below that one (image.h, "stacked"); "": none */
    struct digest base_id; /* diff id of the layer whose that is, for a commit */
    uint64_t own;          /* when stacked: bytes of the files in its own directory */
    uint64_t stream;       /* bytes of what goes to stream/ with it; 0: nothing does */
    char stream_file[32];  /* then: file of the ingest directory */
    uint64_t size;         /* of its files, once filled */
    bool has_blob;         /* its bytes as a tar: */
    struct digest blob;
    uint64_t blob_size;
    enum compression compression;
    bool have_blob;     /* is in the store already */
    char blob_file[96]; /* else: file, by its path from the ingest directory; "": there is none */
    const char *source; /* described images: "host/repository", or NULL */
};

/* What was said about an image where it came from (document.c); the numbers are in the store. */
enum document_kind {
    DOCUMENT_INDEX = 1,
    DOCUMENT_MANIFEST = 2,
    DOCUMENT_BLOB = 3,
    DOCUMENT_INDEX_HERE = 4, /* an index that a build here has made (attest_job.c) */
};
struct ingest_document {
    struct digest digest;
    enum document_kind kind;
    uint64_t size;
    bool have;     /* the store has its bytes */
    char file[96]; /* else: file, by its path from the ingest directory */
};
struct ingest_documents VEC_BODY(struct ingest_document);

struct ingest {
    struct worker_ctx *ctx;
    struct json *args;
    int root_fd, layer_fd, blob_fd; /* image/, image/layer, image/blob/sha256 */
    int lock_fd;                    /* held shared while the job runs */
    int dir_fd;                     /* the job's own directory below image/ingest */
    int client;                     /* -1: nobody listens */
    struct http_body *body;         /* NULL: none */
    const int *extra;               /* the job's own descriptors */
    size_t extra_n;
    bool head_sent, quiet;
    unsigned next_file;
};
/* Opens everything; makes the ingest directory; drops what the process does not need (umask,
 * capabilities, and the network unless network). */
struct err ingest_open(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                       bool network, struct ingest *ret);
void ingest_done(struct ingest *in); /* also in place of a half-opened one */
#define CLEAN_INGEST OWN(ingest_done)
/* Ends a job: a failure after the head is written to the client as an errorDetail line. Passes e
 * on. */
struct err ingest_end(struct ingest *in, struct err e);
struct str ingest_arg(const struct ingest *in, const char *key); /* text; STR_NONE when absent */

/* --- the answer ----------------------------------------------------------------------------------
 */
/* Writes the head (200) once; content_type NULL: application/json. A client that is gone ends the
 * job (ERR_CANCELLED). Without a client all of these do nothing. */
struct err answer_begin(struct ingest *in, const char *content_type);
/* Raw bytes of the body. */
struct err answer_bytes(struct ingest *in, const void *p, size_t n);
struct err answer_end(struct ingest *in);
/* {"status":…,"id":…}; id NULL: without. */
struct err answer_status_line(struct ingest *in, const char *id, const char *fmt, ...) PRINTF(3, 4);
/* With progressDetail (total 0: unknown; both 0: an empty object) and the bar as text; id NULL:
 * without. */
struct err answer_progress(struct ingest *in, const char *id, const char *status, uint64_t current,
                           uint64_t total);
struct err answer_stream_line(struct ingest *in, const char *fmt, ...) PRINTF(2, 3);
struct err answer_aux(struct ingest *in, struct str json);
/* The request's body as a stream. */
struct stream *ingest_body(struct ingest *in);

/* --- layers and blobs
 * ------------------------------------------------------------------------------ */
/* A new file in the ingest directory; its name goes to ret_name. */
struct err ingest_file(struct ingest *in, char ret_name[32], int *ret_fd);
/* The file of a reserved blob that outlives the job, and what an earlier one left in it. *ret_fd
 * -1: another job writes it just now. For jobs that were started as resumable. */
struct err ingest_partial(struct ingest *in, struct ingest_layer *l, int *ret_fd,
                          uint64_t *ret_got);
/* Begins a layer anew whose directory may be there: a try with the part of an earlier job failed.
 */
struct err ingest_discard(const struct ingest *in, const struct ingest_layer *l);
/* Is that image here, under whatever name? */
struct err ingest_has_image(struct ingest *in, const struct digest *id, bool *ret);
/* Registers what is missing: layers by diff id, and blobs where has_blob. Fills have, name,
 * have_blob. May be called again when more is known. At most once per diff id in the list. */
struct err ingest_reserve(struct ingest *in, struct ingest_layer *layers, size_t n);
/* Fills the reserved directory from a tar stream (borrowed, read to its end). When hash, the stream
 * must have the layer's diff id. With compress, the tar is also written as gzip to a new ingest
 * file, which becomes the layer's blob (file named by the caller, fd borrowed). Any thread. */
struct err ingest_fill(const struct ingest *in, struct ingest_layer *l, struct stream *tar,
                       bool hash, int compress_fd);
/* As ingest_fill for a tar whose diff id is not known before: unpacks to `tree` in the ingest
 * directory, fills diff_id, size and (compress) the blob. Then ingest_reserve, ingest_adopt. */
#define INGEST_TREE "tree"
struct err ingest_fill_unknown(struct ingest *in, struct ingest_layer *l, const char *tree,
                               struct stream *tar, bool compress, uint64_t *ret_entries);
/* Only unpacks a layer's tar to `tree` in the ingest directory. */
struct err ingest_unpack(struct ingest *in, const char *tree, struct stream *tar,
                         struct extracted *ret);
/* Renames a finished directory to the reserved place, and the stream; does nothing when the store
 * has the layer. */
struct err ingest_adopt(struct ingest *in, struct ingest_layer *l, int dirfd, const char *name);
/* Opens a layer's directory for reading; one that is stacked as a mount of the two (nobody else
 * sees it, it goes with the descriptor). */
struct err ingest_open_layer(const struct ingest *in, const char *name, const char *base,
                             int *ret_fd);
struct err layer_open(int layers_fd, const char *name, const char *base, int *ret_fd);
/* Runs the ingest files of reserved, missing blobs into place: fsync, rename, fsync. */
struct err ingest_place_blobs(struct ingest *in, struct ingest_layer *layers, size_t n);
struct err ingest_place_documents(struct ingest *in, const struct ingest_documents *docs);

/* --- documents ---------------------------------------------------------------------------------
 */
#define INGEST_DOCUMENT_MAX (16u << 20) /* bytes of one; larger ones are not kept */
#define INGEST_DOCUMENTS_MAX 128        /* of one image */
/* Adds text as a file of the ingest directory, once. */
struct err ingest_document_add(struct ingest *in, enum document_kind kind, struct str text,
                               struct ingest_documents *docs);
/* The same for a file of the ingest directory whose digest was seen while it was written. */
void ingest_document_add_file(struct ingest_documents *docs, enum document_kind kind,
                              const struct digest *d, uint64_t size, const char *file);
/* Registers them; fills `have`. */
struct err ingest_documents_reserve(struct ingest *in, struct ingest_documents *docs);
/* The same, and runs their files into place; a commit then gives them to the image. */
struct err ingest_documents_place(struct ingest *in, struct ingest_documents *docs);

/* The manifests and indexes that the store keeps for a described image, read and checked. */
struct kept_document {
    struct digest digest;
    struct str text;
    bool is_index;
    bool made_here;               /* the index of a build */
    struct oci_manifest manifest; /* one of the two */
    struct oci_index index;
};
struct kept_documents {
    struct arena arena;
    struct kept_document *items; /* newest first */
    size_t n;
    const struct ingest_image *image;
};
struct err ingest_documents_read(const struct ingest *in, const struct ingest_image *image,
                                 struct kept_documents *ret);
void kept_documents_done(struct kept_documents *k);
#define CLEAN_KEPT OWN(kept_documents_done)
/* NULL: not kept. */
const struct kept_document *kept_find(const struct kept_documents *k, const char *digest);
/* Is this (manifest or index) a document that says what the image is: its own manifest, or an index
 * that lists one? Gives the manifest. NULL: neither. */
const struct kept_document *kept_own(const struct kept_documents *k, const struct kept_document *d);
/* Is the manifest, and all that it names, among the documents? */
bool kept_is_whole(const struct kept_documents *k, const struct kept_document *d);
/* Does the store have the very layers that the image's own manifest names? */
bool kept_layers_fit(const struct ingest_image *image, const struct oci_manifest *m);

struct ingest_commit {
    struct str config;                 /* empty: only layers and blobs */
    const struct ingest_layer *layers; /* all that this job brought (have ones are skipped) */
    size_t layers_n;
    const struct digest *parent; /* or NULL */
    const struct reference *tags;
    size_t tags_n;
    const char *event, *event_name;           /* or NULL */
    const char *source;                       /* or NULL */
    const char *cache_key;                    /* or NULL */
    const struct digest *same;                /* no config: this image is the result; or NULL */
    const struct ingest_documents *documents; /* placed; kept for the image; or NULL */
    bool artifact; /* config is the manifest of one; its blobs are among documents, or kept */
    const struct oci_annotations *annotations; /* instead of earlier ones; NULL: nothing is known */
};
struct err ingest_commit(struct ingest *in, const struct ingest_commit *c);

/* An image of one layer from a tar (archive/decode.h; borrowed), as image_import_args say; its id
 * is told to the client. */
struct err ingest_import(struct ingest *in, struct stream *tar);

/* Opens a stored blob (of a layer, or a document) for reading. */
struct err ingest_open_blob(const struct ingest *in, const struct digest *d, int *ret_fd);
/* Makes the blob of a layer that has none from its directory (which must give its diff id again).
 */
struct err ingest_make_blob(struct ingest *in, struct ingest_layer *l);

/* --- images that the daemon described (args.images)
 * -------------------------------------------------- */
struct ingest_image {
    struct digest id;
    struct str config;
    bool artifact;               /* config is the manifest of one */
    struct ingest_layer *layers; /* have; bottom first */
    size_t layers_n;
    struct strs tags;                        /* canonical text */
    struct oci_annotations annotations;      /* for a manifest that is made for it */
    const struct ingest_document *documents; /* have; oldest first */
    size_t documents_n;
};
size_t ingest_images_n(const struct ingest *in);
struct err ingest_image(const struct ingest *in, size_t i, struct arena *a,
                        struct ingest_image *ret);
/* The blobs of a described artifact, each once, as layers without files: diff_id is the digest.
 * ERR_SYSTEM: one of them is not in the store (any more). */
struct err ingest_artifact(const struct ingest_image *image, struct arena *a,
                           struct oci_manifest *ret, struct ingest_layer **ret_blobs,
                           size_t *ret_n);

/* The members of a descriptor (OCI image-spec, descriptor.md) into the object that is open. */
struct json_out;
void descriptor_put(struct json_out *o, const char *type, const struct digest *d, uint64_t size);
