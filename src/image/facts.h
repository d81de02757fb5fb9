/* facts.h - the inside of struct images: the index, changes, reaping. Private to image/.
 *
 * Every change of what the store says goes through one queue (change_start), so memory is always
 * what was committed last, plus nothing. Loop thread only.
 */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "image/image.h"

enum row_state { ROW_PENDING = 0, ROW_PRESENT = 1, ROW_REMOVING = 2, ROW_PARTIAL = 3 };

/* A layer with what only image/ knows. */
struct layer_fact {
    struct layer layer; /* what others see */
    int64_t row;
    enum row_state state;
    bool suspect; /* unsynced before an unclean boot: being rebuilt */
    bool unsynced;
    struct layer_fact *base; /* it is stacked on; counted in its refs once this one is present */
    uint64_t own;            /* bytes of its own directory, when stacked */
    uint64_t stream;         /* bytes of its file in stream/; 0: there is none */
    bool has_tree;           /* tree: the digest that its directory was proved to have (check.c) */
    struct digest tree;
    unsigned refs;     /* images, hidden ones too, and layers that are stacked on it */
    unsigned stacked;  /* the latter */
    unsigned pins;     /* jobs */
    struct blob *blob; /* its bytes as a tar, or NULL */
};

/* A file below blob/: the tar of one layer, plain or compressed, or a document. */
struct blob {
    struct digest digest, diff_id;
    uint64_t size;
    int compression; /* enum compression of archive/inflate.h, or BLOB_DOCUMENT (protocol.h) */
    enum row_state state;
    unsigned pins;  /* jobs */
    unsigned docs;  /* images that keep it as a document */
    bool resumable; /* a pull may have left a part of it in blob/partial */
    uint64_t got;   /* ROW_PARTIAL: bytes there */
    int64_t since;  /* and since when; wall ns */
    char *source;   /* "host/repository" where it can be mounted from in a push, or NULL */
};

/* A manifest or index that said what an image is, or what belongs to one (document.c). */
struct document {
    struct blob *blob;
    int kind; /* enum document_kind */
};

struct image_fact {
    struct image image;
    struct images *images;
    struct arena arena;               /* of config */
    struct oci_image_config *config;  /* decoded on first use */
    unsigned pins;                    /* jobs that read it */
    VEC(char *) cache_keys;           /* entries of the build cache that name it */
    VEC(struct document) documents;   /* oldest first */
    bool going;                       /* while a removal is decided: it is in its list, */
    unsigned children_going;          /* and so many of its children are */
    int64_t used_at;                  /* wall ns of its last use, for gc.c */
    char *annotations_text;           /* NULL: none */
    const struct strmap *annotations; /* decoded on first use */
    struct arena annotations_arena;   /* of them */
};

struct images {
    struct store *store;
    struct loop *loop;
    char *data_root, *worker_program;
    const struct rootfs_driver *driver;
    int root_fd, layer_fd, blob_fd, ingest_fd;
    struct bus events;
    struct map by_id;   /* 32 bytes → image_fact; hidden ones too */
    struct map by_ref;  /* canonical text → image_tag */
    struct map layers;  /* diff id → layer_fact, present ones */
    struct map blobs;   /* digest → blob, all states */
    struct map blob_of; /* diff id → blob, present ones */
    struct map cache;   /* key → image_fact */
    size_t visible;
    int64_t next_layer_row;
    uint64_t next_job;
    char boot_id[40];

    struct list changes;  /* struct change, first one is running */
    bool applying;        /* a change that is over is changing memory */
    struct list jobs;     /* struct image_job */
    struct list deferred; /* struct deferred: questions that wait for the reaper */
    struct reaper *reaper;
    struct rebuild *rebuild; /* the running one */
    struct worker *rebuild_worker;
    struct timer *rebuild_timer;  /* until the next try */
    struct check *check;          /* the running one */
    struct gc *gc;                /* the running one */
    struct settle *settle;        /* the running one */
    VEC(struct blob *) unsettled; /* pinned until it has looked at them */
    struct timer *partial_timer;
    struct timer *gc_timer;
    struct image_gc_policy gc_policy; /* texts in gc_arena */
    struct arena gc_arena;
    struct timer *sync_timer;
    struct sync *sync; /* the running one */
    bool sync_again;
    bool closing;
};

static inline struct image_fact *fact_of(struct image *i) {
    return CONTAINER_OF(i, struct image_fact, image);
}
static inline const struct image_fact *fact_of_const(const struct image *i) {
    return CONTAINER_OF(i, struct image_fact, image);
}
static inline struct layer_fact *layer_fact_of(struct layer *l) {
    return CONTAINER_OF(l, struct layer_fact, layer);
}
static inline struct str digest_key(const struct digest *d) {
    return str_n(d->bytes, SHA256_SIZE);
}

/* --- facts.c: memory only
 * ------------------------------------------------------------------------- */
/* Layer with its directory name made from row. */
struct layer_fact *layer_fact_new(int64_t row, const struct digest *diff_id);
/* It is present: its base stays as long. */
static inline void layer_fact_hold_base(struct layer_fact *l) {
    if (!l->base)
        return;
    l->base->refs++;
    l->base->stacked++;
}
/* Says what its own directory and its stream weigh; base NULL: it is not stacked. */
void layer_fact_stack(struct layer_fact *l, struct layer_fact *base, uint64_t own, uint64_t stream);
/* Is what it consists of being restored? */
bool layer_suspect(const struct layer_fact *l);
/* The directories of all layers of the image, top first; names has room for LAYER_DIRS_MAX. */
#define LAYER_DIRS_MAX (2 * IMAGE_LAYERS_MAX)
size_t layer_dirs(const struct image *i, const char **names);
/* An image with its layers (refs are counted); takes config_text over. Not yet in the index. */
struct image_fact *image_fact_new(struct images *im, const struct digest *id, char *config_text,
                                  size_t config_len, struct layer **layers, size_t layers_n);
/* It is an artifact of this type (NULL: none). Its documents come after that. */
void image_fact_artifact(struct image_fact *f, const char *type);
void image_fact_index(struct images *im, struct image_fact *f);
/* Takes it out of the index, drops its refs, frees it. */
void image_fact_free(struct images *im, struct image_fact *f);
/* Hides: out of the counts, tags must be gone. */
void image_fact_hide(struct images *im, struct image_fact *f);
void image_set_parent(struct image_fact *f, struct image *parent);
/* What lists show of it is another now. */
void image_changed(struct image *i);
/* Links key → image in memory, taking the key from whoever has it. */
void cache_link(struct images *im, struct str key, struct image_fact *f);
struct image_tag *tag_link(struct images *im, struct image *i, const struct reference *ref);
void tag_free(struct images *im, struct image_tag *t);
/* Gives the tag, taking it from whoever has it. */
void image_set_tag(struct images *im, struct image *i, const struct reference *ref, int64_t now);
void image_publish(struct images *im, const char *action, struct image *i, const char *name);

/* Is it worth keeping a part of it? Documents are small, but for the blobs of artifacts. */
#define DOCUMENT_RESUMES (8u << 20)
bool blob_resumes(const struct blob *b);

/* --- document.c
 * ---------------------------------------------------------------------------------------------- */
#define IMAGE_DOCUMENTS_MAX 256 /* of one image; older ones go first */
/* What a commit's question says about documents of `image` (known: NULL for a new one): statements
 * now, memory once they are committed. */
void documents_build(struct images *im, const struct image_fact *known, const struct digest *image,
                     struct str body, struct store_txn *t);
/* Does the question tell of that blob, or has the image it already? */
bool documents_have(const struct images *im, const struct image_fact *known, struct str body,
                    const struct digest *d);
void documents_apply(struct images *im, struct image_fact *f, struct str body);
void documents_unlink(struct image_fact *f);
/* A damaged one goes: no image has it any more. */
void document_drop(struct images *im, struct blob *b, struct store_txn *t);
struct err document_load(void *arg, struct store_row *r);
struct json_out;
/* The value of "documents" in a job's arguments. */
void documents_describe(struct json_out *o, const struct image_fact *f);

/* --- artifact.c
 * ---------------------------------------------------------------------------------------------- */
/* What a commit says is an artifact: is text the manifest of one, and are all its blobs told in
 * body or kept? *ret_created 0: it does not say. */
struct err artifact_commit(struct images *im, struct str text, struct str body, struct arena *a,
                           const char **ret_type, int64_t *ret_created);

/* --- annotations.c ---------------------------------------------------------------------------- */
/* As documents: of a commit's question; arena for the check. */
struct err annotations_build(const struct digest *image, struct str body, struct arena *a,
                             struct store_txn *t);
void annotations_apply(struct image_fact *f, struct str body);
void annotations_load(struct image_fact *f, const char *text); /* NULL: none */
void annotations_free(struct image_fact *f);

/* --- partial.c
 * -----------------------------------------------------------------------------------------------
 */
/* A pending blob that no job wants any more: what came of it stays. */
void partial_settle(struct images *im, struct blob *b);
/* Parts that nobody asked for for IMAGE_PARTIAL_KEEP go, or all that no job uses. */
void partials_sweep(struct images *im, bool all);
void partials_open(struct images *im);
void partials_close(struct images *im);

/* --- load.c: the store's rows
 * ---------------------------------------------------------------------- */
struct err facts_load(struct images *im);
/* ground.c: IMAGE_GROUND, made where it is missing. */
struct err ground_make(int root_fd);

/* --- change.c
 * ---------------------------------------------------------------------------------------- */
/* One change: build adds statements (may refuse: then apply is called with that error); apply
 * changes memory when e is success, answers, frees what holds `change`. */
struct change {
    struct list link;
    struct images *images;
    enum store_mode mode;
    struct err (*build)(struct change *c, struct store_txn *t);
    void (*apply)(struct change *c, struct err e);
};
void change_start(struct images *im, struct change *c);

/* --- reap.c
 * ------------------------------------------------------------------------------------------ */
/* Finds layers (and their blobs) that nobody uses, marks and removes them. */
void images_collect(struct images *im);
/* Is this directory of layer/ or ingest/ waiting to be removed? */
bool reaper_has(const struct images *im, const char *layer, const char *ingest);
/* And this file of stream/ alone? */
bool reaper_has_stream(const struct images *im, const char *name);
/* Queues what is marked ROW_REMOVING already; takes l / b over. */
void reap_layer(struct images *im, struct layer_fact *l);
void reap_blob(struct images *im, struct blob *b);
/* The tar that was kept of a layer; the row says already that there is none. */
void reap_stream(struct images *im, const struct layer_fact *l);
/* A part of a blob that is there as a whole. */
void reap_partial(struct images *im, const struct digest *d);
/* A directory below ingest/. */
void reap_ingest(struct images *im, const char *name);
/* All of ingest/ (start-up); jobs get names that are not in it. */
void reap_all_ingest(struct images *im);
struct reaper *reaper_new(struct images *im);
void reaper_free(struct reaper *r);
/* A syncfs of the layers soon; unsynced rows are cleared after it. */
void images_sync_later(struct images *im);
/* At the end: what runs must not touch `im` again. */
void sync_detach(struct images *im);
/* Calls fn when no file of a blob is being removed. */
void after_reaping(struct images *im, void (*fn)(void *arg), void *arg);

/* --- streams.c
 * ------------------------------------------------------------------------------------------ */
/* Removes tars of layers whose row knows of none (start-up). */
void streams_sweep(struct images *im);

/* --- remove.c
 * ------------------------------------------------------------------------------------------ */
/* Deletes a hidden image that nobody holds or reads any more. */
void image_forget(struct image_fact *f);

/* --- job.c
 * ------------------------------------------------------------------------------------------- */
void jobs_cancel(struct images *im);
/* Unpacks suspect layers again. */
void images_rebuild(struct images *im);
void rebuild_detach(struct images *im);
bool rebuild_has(const struct images *im, const char *ingest);
/* The images of a layer that is lost for good cannot be used: they go, with a word in the log.
 * Returns how many; each calls gone (NULL: nobody waits) when it is no more. */
size_t drop_images_of(struct images *im, struct layer_fact *l, const char *why,
                      void (*gone)(void *arg, const struct image_removals *r, struct err e),
                      void *arg);

/* --- check.c, gc.c
 * ----------------------------------------------------------------------------------- */
void check_detach(struct images *im);
/* Begins looking at the disk now and then. */
void gc_open(struct images *im, const struct image_gc_policy *p);
void gc_close(struct images *im);
/* In the store, lazily: it was used now. */
void image_used(struct image_fact *f);
