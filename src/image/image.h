/* image.h - images: blobs by digest, layers, tags, root filesystems. The door of image/.
 *
 * What it owns
 *   durable: the tables image (with its config's bytes), image_tag, layer, blob and build_cache of
 *     the store, and
 *     <data-root>/image/blob/sha256/<xx>/<hex>  layers as they came or as they were compressed for
 *                                               a push; the digest of the bytes is the name
 *     <data-root>/image/blob/partial/<hex>      what came of a layer whose pull was cut
 *     <data-root>/image/layer/<row>/            one unpacked layer each: the tree itself, with
 *                                               overlay whiteouts (char 0:0,
 *                                               trusted.overlay.opaque)
 *     <data-root>/image/stream/<row>            the tar of a layer of many files that a build
 *                                               copied: a later one may be stacked on it
 *     <data-root>/image/ingest/<job>/           what a job writes before its digest is known
 *   volatile: the index of all of it, in memory, on the loop; who holds what.
 *
 *   Stacked layers: a build's layer that has all the paths of an earlier one and differs in a few
 * files holds only these in its directory; the earlier one's, its base, lies below it (never
 * deeper than that). Whoever mounts or reads a layer takes the two as one; diff id, size and blob
 * are those of the whole. A base stays as long as a layer is stacked on it. docs/decisions/0008.
 *
 *   Everything is registered in the store before it is created: a layer's row is `pending` while
 * its directory grows, a blob's while its file is renamed into place; the rows turn `present` in
 * the same durable transaction that makes the image visible. On start, pending rows are undone and
 *   orphan ingest directories removed in the background; nothing is scanned.
 *   A layer directory is rebuildable from its blob: the image is answered as soon as the layer is
 *   complete; it is `unsynced` until a background syncfs, and after an unclean boot an unsynced
 * layer is unpacked again (until then image_layer_names refuses with ERR_UNAVAILABLE).
 *
 * Threads: everything in this header runs on the loop, except the section for jobs in the worker.
 * Foreign bytes (tar, gzip, zstd, JSON of manifests) are parsed in corten-worker only; what reaches
 * the daemon from there is checked again (digests, counts, sizes, the config document).
 *
 * It gives mounts, never mounts: image_layer_names and images_layers_dirfd feed
 * kernel/mount.h mount_overlay_detached in the monitor.
 *
 * Limits: IMAGE_LAYERS_MAX layers an image, IMAGE_CONFIG_MAX bytes of config. Names: reference.h.
 * Pull and push are registry/registry.h, on top of image_job_start.
 * Sources: OCI image-spec 1.1 (config, layer, image-layout), docker image spec 1.2 (manifest.json),
 * Engine API 1.24-1.51 "Image"; messages as the peer's daemon/images.
 * Tests: test/unit/image, test/unit/archive, test/e2e/t1*, fuzz: reference, tar, image-manifest.
 */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "http/http.h"
#include "image/reference.h"
#include "image/rootfs.h"
#include "loop/bus.h"
#include "loop/worker.h"
#include "spec/oci_image.h"
#include "spec/platform.h"
#include "store/store.h"

#define IMAGE_LAYERS_MAX 127        /* what one overlay mount takes by every route */
#define IMAGE_CONFIG_MAX (1u << 20) /* bytes of a config document */
#define IMAGE_ID_SHORT 12           /* digits in messages and tables */
#define IMAGE_GC_INTERVAL (INT64_C(30) * 1000000000) /* ns */
#define IMAGE_GC_GRACE                                                        \
    (INT64_C(10) * 60 * 1000000000) /* ns: what was used since stays, unasked \
                                     */

#define IMAGE_PARTIAL_KEEP (INT64_C(24) * 3600 * 1000000000) /* ns: parts of cut pulls stay */

struct images;

/* What may go by itself, and when (gc.c). Zeroes: no limit. */
struct image_gc_policy {
    uint64_t max_bytes;      /* of layers and blobs together */
    uint64_t min_free;       /* of the file system of the data root */
    int64_t max_age;         /* ns since the last use: older goes in any case */
    const char *const *keep; /* shell patterns of names ("name:tag", "name") that stay */
    size_t keep_n;
    bool images; /* tagged images may go too, not only dangling ones and the build cache */
};

struct images_options {
    struct store *store;
    struct loop *loop;
    const char *data_root;      /* absolute; "image" below it is made when missing (0700) */
    const char *worker_program; /* absolute path of corten-worker */
    const char *driver;         /* of root filesystems; NULL: overlay2 */
    struct image_gc_policy gc;  /* looked at every IMAGE_GC_INTERVAL; all zero: never */
};
/* Loads the facts (blocking, at start-up) and starts the background clean-up. */
struct err images_open(const struct images_options *o, struct images **ret);
/* Called once after containers have been restored and hold their images: sweeps images that were
 * removed by force and that nobody holds any more. */
void images_restored(struct images *im);
/* Cancels running jobs, frees everything. NULL allowed. */
void images_close(struct images *im);

/* --- facts ------------------------------------------------------------------------------------ */
/* One unpacked layer; shared by images with the same diff id. Read-only outside image/. */
struct layer {
    struct digest diff_id;
    char name[16];    /* directory below images_layers_dirfd */
    uint64_t size;    /* bytes of its files */
    const char *base; /* NULL, or the directory that lies below its own: it is stacked */
    uint64_t disk;    /* bytes that go with it: of its own directory and of its stream */
};
/* A tag or a digest by which an image is known. */
struct image_tag {
    struct list link;     /* image.tags, oldest first */
    struct reference ref; /* with a tag, or with a digest (then it is a "repo digest") */
    struct image *image;
    bool going; /* private to remove.c */
};
/* One user of an image; embedded in a container. While held, the layers stay. */
struct image_hold {
    struct list link;
    struct image *image;
    const char *container_id; /* borrowed, 64 hex */
    bool running;             /* kept true by the container while it runs */
};
struct image {
    struct digest id;              /* sha256 of config_text */
    char id_text[DIGEST_TEXT_MAX]; /* "sha256:…" */
    struct str config_text;        /* the raw bytes of the config; of an artifact: its manifest */
    const char *artifact;          /* NULL; else its type: a manifest of anything but an image (a
                                    * signature, a chart) with its blobs. Nothing can run it. */
    struct layer **layers;         /* bottom first */
    size_t layers_n;
    uint64_t size;        /* sum of its layers; of an artifact's blobs */
    int64_t created;      /* wall ns, from the config; 0: never said */
    int64_t tagged_at;    /* wall ns of the last tag; 0: never */
    struct list tags;     /* struct image_tag */
    struct image *parent; /* the local image that it was built on, or NULL */
    unsigned children;    /* images that have it as parent */
    struct list holds;    /* struct image_hold */
    unsigned holds_n;
    /* For api/, which fills it: the image's entry of a list as JSON, for that minor version and
     * that number of holds. Emptied when tags or the parent change. */
    struct image_summary {
        char *text; /* owned by the image; NULL: none */
        size_t len;
        int minor;
        unsigned holds_n;
    } summary;
    bool removed; /* hidden: only holds keep it */
    bool step;    /* of the builder: config with layers alone; lists leave it out */
};

/* The decoded config (empty for an artifact); decoded on first use and kept. Never fails: it was
 * checked when it came. */
const struct oci_image_config *image_config(struct image *i);
/* What manifest and index said when it came (spec/oci_annotations.h), never NULL; the image's until
 * it comes again. */
const struct strmap *image_annotations(struct image *i);
/* Iteration over visible images in no order: `size_t it = 0; while ((i = images_next(im, &it)))`.
 * Nothing may be added or removed meanwhile. */
struct image *images_next(struct images *im, size_t *it);
/* Those that lists show: without the builder's steps. */
size_t images_count(const struct images *im);
/* Bytes on disk of all layers (each once) and of all blobs, for system df. */
void images_usage(const struct images *im, uint64_t *ret_layers, uint64_t *ret_blobs);

/* By name, name:tag, name@digest, name:tag@digest, id or unambiguous prefix of an id. ERR_NOT_FOUND
 * "No such image: foo:latest"; ERR_INVALID "invalid reference format". */
struct err image_find(struct images *im, struct str ref, struct image **ret);
/* The same for what is made of files: ERR_INVALID for an artifact. */
struct err image_find_rootfs(struct images *im, struct str ref, struct image **ret);
/* By full id ("sha256:…" or 64 hex digits), hidden ones too: for restored containers. NULL: none.
 */
struct image *image_by_id(struct images *im, struct str id);
/* No tags and no children: what `dangling=true` means. */
bool image_is_dangling(const struct image *i);
/* ERR_NOT_FOUND when i is for another machine than the one wanted (NULL: any), in the peer's words;
 * shown: the name that was asked for. */
struct err image_platform_check(struct image *i, const struct platform *wanted, const char *shown);
/* Does text (as given by the client) name i by a prefix of its id rather than by a reference? */
bool image_named_by_id(const struct image *i, struct str text);

/* The name under which a client would call it: first tag "busybox:latest", else "sha256:…". */
void image_print_name(const struct image *i, char out[REFERENCE_TEXT_MAX]);

/* Holding: hold.container_id and .running are set by the caller. */
void image_hold(struct image *i, struct image_hold *hold);
void image_unhold(struct images *im, struct image_hold *hold);

/* --- root filesystem -------------------------------------------------------------------------- */
/* Directory that the names are relative to; borrowed. */
int images_layers_dirfd(const struct images *im);
/* To be put below the layers of a container, where MOUNT_LAYERS_MAX leaves room for it: empty
 * places for what is mounted in every container, so that a start need not make them. */
#define GROUND_NAME "ground" /* in the image directory */
#define IMAGE_GROUND "../" GROUND_NAME
/* Short directory names, top layer first, in the arena. An image without layers has none: the
 * caller then mounts only the container's own directory. ERR_UNAVAILABLE while a layer is rebuilt
 * after an unclean boot. */
struct err image_layer_names(const struct image *i, struct arena *a, const char *const **ret_names,
                             size_t *ret_n);

/* How new containers get theirs (rootfs.h). */
const struct rootfs_driver *images_driver(const struct images *im);
/* ERR_UNSUPPORTED with the reason: a limit of size would not count on this data root. */
struct err images_size_check(const struct images *im);
/* Absolute paths of the directories of i's layers, top first, without the first `skip`, joined by
 * colons as overlay's lowerdir. */
char *image_layer_paths(const struct image *i, size_t skip, struct arena *a);

/* --- changes ---------------------------------------------------------------------------------- */
typedef void image_done(void *arg, struct err e);

/* Gives ref (tag defaulted) to i, taking it from another image when that has it. Durable. */
void image_tag(struct images *im, struct image *i, const struct reference *ref, image_done *done,
               void *arg);

struct image_removal {
    char *untagged, *deleted; /* one of them; owned */
};
struct image_removals VEC_BODY(struct image_removal);
/* Removes a tag or an image as the peer does, with its conflict rules and messages: by reference
 * takes that tag away (and the image with its last one); by id needs force when several tags or a
 * stopped container refer to it; a running container or a child image can never be overridden.
 * Untagged parents go as well unless noprune. done gets the list (valid during the call) even when
 * e says that a part failed. */
void image_remove(struct images *im, struct str ref, bool force, bool noprune,
                  void (*done)(void *arg, const struct image_removals *r, struct err e), void *arg);
/* Removes every image that nobody holds: dangling ones, or all unused. wanted (NULL: all) may spare
 * some; it must not change anything. */
void image_prune(struct images *im, bool dangling_only, bool (*wanted)(void *arg, struct image *i),
                 void (*done)(void *arg, const struct image_removals *r, uint64_t reclaimed,
                              struct err e),
                 void *arg);

/* --- jobs with a client ----------------------------------------------------------------------- */
/* Each takes the client's connection (http_take; NULL: nobody listens), runs in a worker, which
 * writes the whole HTTP answer; a failure before its head is an HTTP error with {"message"}, one
 * after it is an {"errorDetail"} line, as the peer does. When the client goes away the worker is
 * killed and nothing is left. done (NULL allowed) is for logs and waiting. */

/* POST /images/load: docker-archive or OCI layout, compressed or not (archive/decode.h), in the
 * request's body. wanted: only images for that machine (NULL: those for this one; of a name that
 * has none, the others). */
void image_load(struct images *im, struct http_taken *client, bool quiet,
                const struct platform *wanted, image_done *done, void *arg);
/* GET /images/get: an archive of these references that is both docker-archive and OCI layout. */
void image_save(struct images *im, struct http_taken *client, const struct strv *refs,
                image_done *done, void *arg);
/* POST /images/create?fromSrc=-: a tar (archive/decode.h) becomes a one-layer image. */
struct image_import {
    const char *repo, *tag;          /* "" or NULL: untagged */
    const char *message;             /* "" or NULL gives the peer's "Imported from -" */
    const struct platform *platform; /* NULL: this machine */
    struct str config; /* JSON of the config object ("changes" applied by the caller), or empty */
};
/* o as arguments of a job, inside of a JSON object, or what is wrong with it: to be asked before
 * the socket is taken, because who is refused is still sending. */
struct err image_import_args(const struct image_import *o, struct buf *ret);
void image_import(struct images *im, struct http_taken *client, const struct image_import *o,
                  image_done *done, void *arg);

/* --- commit: one more layer ------------------------------------------------------------------- */
struct image_commit {
    struct image *parent; /* NULL: from scratch */
    /* Where the layer comes from, at most one: none gives no layer (metadata only). */
    struct image *like;          /* layers of it; NULL: none. Only with step */
    const uint32_t *like_layers; /* their numbers, the lowest of the image is 0, in their new order;
                                    NULL: its topmost alone */
    size_t like_layers_n;
    int upper_dirfd;   /* directory that holds `upper`; borrowed; -1: none */
    const char *upper; /* name in it: an overlay upper directory */
    bool adopt;        /* rename it into place instead of copying (nobody may use it any more) */
    bool has_latest;   /* with adopt: times in upper later than `latest` (wall ns) become that */
    int64_t latest;
    /* Mount points that the runtime made in upper: each, and what above it was made for it, is
     * removed when it is empty. Absolute paths; borrowed for the call. */
    const char *const *stubs;
    size_t stubs_n;
    int tar_fd;      /* a tar stream (plain), read to its end; borrowed; -1: none */
    bool drop_empty; /* a layer without entries is left out (history says empty_layer) */
    /* The builder's two other kinds of image (spec/corten_build.h). step: a config of architecture,
     * os and rootfs alone, so that the id depends on the layers only; with drop_empty and nothing
     * written the parent itself comes back. document: a whole config whose rootfs is the parent's;
     * with step only that counts, the rest is left out. */
    bool step;
    struct str document;
    struct image *base; /* with step and a body: the layer is stacked on the topmost of this one, as
                         * spec/corten_build.h says. ERR_CONFLICT: it cannot be */
    bool keep_stream;   /* with step and a body: others may be stacked on it */
    const char *cache_key; /* recorded for the result in the same transaction; NULL: none */
    /* Else the image's config document: `config` is the JSON of its inner "config" object; the rest
     * (created, history, rootfs, architecture and os of the parent or this machine) is filled in.
     */
    struct str config;
    struct str annotations; /* JSON of spec/oci_annotations.h, checked; empty: none */
    const char *author, *comment, *created_by; /* NULL allowed */
    int64_t created;                           /* wall ns; 0: now */
    const struct reference *tags;
    size_t tags_n;
    bool durable; /* do not answer before layer and image would survive a power cut */
};
/* done: the image (visible, in memory) or the error; nothing is left after an error, except that an
 * adopted directory may already have moved. */
void image_commit(struct images *im, const struct image_commit *c,
                  void (*done)(void *arg, struct image *image, struct err e), void *arg);

/* The same with the layer's tar as the client's request body, read by the worker, which answers 200
 * {"Image": id} or the error. */
void image_commit_body(struct images *im, struct http_taken *client, const struct image_commit *c,
                       image_done *done, void *arg);

/* --- attestations ------------------------------------------------------------------------------
 */
#define IMAGE_STATEMENT_MAX (1u << 20) /* bytes of one in-toto statement */
struct image_attestation {
    struct str statement; /* in-toto, JSON */
    /* It goes with pushes and archives, as BuildKit's: the image gets an index of its manifest and
     * of a manifest "unknown/unknown" whose layer is the statement (its subjects then have the
     * digest of the image's manifest). Its layers are compressed for that. Durable. */
    bool travels;
    struct str annotations; /* of that index: JSON of spec/oci_annotations.h, checked; or empty */
};
/* Keeps an in-toto statement as a document of the image; it goes with the image. In the background:
 * done may come after the answer was given. */
void image_attest(struct images *im, struct image *i, const struct image_attestation *a,
                  image_done *done, void *arg);
/* The in-toto statements among the image's documents, newest first, as a JSON array (valid during
 * the call). */
void image_statements(struct images *im, struct image *i,
                      void (*done)(void *arg, struct str statements, struct err e), void *arg);

/* --- squash: several layers as one ------------------------------------------------------------ */
struct image_squash {
    struct image *image;
    struct image *base; /* its layers stay as they are; NULL: all become one */
    const struct reference *tags;
    size_t tags_n;
    int64_t created; /* wall ns; 0: now */
};
/* A new image with the files and the config of `image`, its history with one more entry. Durable.
 * ERR_INVALID: it has no layers above the base. done: as of image_commit. */
void image_squash(struct images *im, const struct image_squash *s,
                  void (*done)(void *arg, struct image *image, struct err e), void *arg);

/* --- the builder's cache ---------------------------------------------------------------------- */
/* Keys are made by the builder: a digest over the step and everything that it reads. NULL: no. */
struct image *image_cache_get(struct images *im, struct str key);
/* Lazy; forgotten with the image. */
void image_cache_put(struct images *im, struct str key, struct image *i);
/* Does an entry name it? */
bool image_is_cached(const struct image *i);
/* Forgets all entries, or those of the images that are wanted (they go by image_prune). */
void image_cache_clear(struct images *im, bool (*wanted)(void *arg, const struct image *i),
                       void *arg);
/* Wall ns of its last use, as a base, a step or a container's. */
int64_t image_used_at(const struct image *i);

/* --- upkeep -----------------------------------------------------------------------------------
 */
/* Proves every blob and layer while they are in use, in a worker; with repair mends what it can:
 * layers from their blobs, orphans removed, blobs that are damaged dropped, images of layers that
 * are lost removed. doc is valid during the call. ERR_CONFLICT while one runs. */
struct store_check;
void images_check(struct images *im, bool repair,
                  void (*done)(void *arg, const struct store_check *doc, struct err e), void *arg);
/* Removes what the policy (NULL: the daemon's own) says, least recently used first, build cache
 * before dangling images before tagged ones; never what a container holds, or what was pulled,
 * built or used within `grace` ns. dry_run only tells. doc says what and why, also why something
 * stays. */
struct store_gc;
void images_gc(struct images *im, const struct image_gc_policy *policy, int64_t grace, bool dry_run,
               void (*done)(void *arg, const struct store_gc *doc, struct err e), void *arg);
const struct image_gc_policy *images_gc_policy(const struct images *im);

/* --- events ----------------------------------------------------------------------------------- */
struct image_event {
    const char *action;  /* pull push tag untag delete load import save */
    const char *id;      /* actor id: "sha256:…", for pull and push the reference */
    const char *name;    /* attribute "name" */
    struct image *image; /* for its labels; NULL when it is gone or not local */
};
struct bus *images_events(struct images *im);

/* --- for registry/: jobs of other folders that bring or read images -----------------------------
 */
/* Starts the job in a worker. The questions of image/ingest.h are answered by image/; `client` as
 * above. args is a JSON object's inside ("\"ref\":…" without braces), completed by image/. */
struct image_job_start {
    const char *job;
    struct str args;
    struct http_taken *client;   /* NULL: none */
    bool body;                   /* the worker reads a request body */
    bool resumable;              /* parts of blobs stay when it is cut */
    struct image *const *images; /* read by the job, kept until its end */
    size_t images_n;
    image_done *done;
    void *arg;
};
void image_job_start(struct images *im, const struct image_job_start *s);
/* Refuses before a job was started: writes the error to the client, calls done. Consumes both. */
void image_job_refuse(struct images *im, struct http_taken *client, image_done *done, void *arg,
                      struct err e);

/* `manifests=1` of lists and inspect: each document (a JSON object that api/ made) with the members
 * Descriptor and Manifests, as an array or, alone, as itself, by a worker to the client. */
struct image_manifests_item {
    struct image *image;
    struct str document;
};
void image_manifests(struct images *im, struct http_taken *client,
                     const struct image_manifests_item *items, size_t n, bool array,
                     image_done *done, void *arg);

/* --- in the worker process ----------------------------------------------------------------------
 */
/* The jobs of this folder for corten-worker; ends with a NULL name. */
extern const struct worker_job image_jobs[];
/* Jobs of registry/ write their answers and bring their layers with image/ingest.h, which this door
 * exposes. */
#include "image/ingest.h"
