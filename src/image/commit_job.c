/* commit_job.c - the job "image-commit": one more layer on an image, from an overlay's upper
 * directory (renamed or copied) or a tar stream, or a new config alone. */
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "image/clamp.h"
#include "image/compose.h"
#include "image/ingest.h"
#include "image/jobs.h"
#include "image/stack.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct err open_upper(struct ingest *in, const char *name, int *ret_fd) {
    if (!path_is_name(str_of(name)) || in->extra_n == 0)
        return err_new(ERR_INVALID, "image commit without its directory");
    int fd = openat(in->extra[0], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open the container's directory");
    *ret_fd = fd;
    return OK;
}

/* --- renamed
 * ------------------------------------------------------------------------------------------ */
static struct err hash_write(void *arg, const void *p, size_t n) {
    sha256_add(arg, p, n);
    return OK;
}

/* An empty file or directory at `path`, and the empty directories above it, up to the first that
 * holds something else. One that is opaque hides what is below: that was the program's doing. */
static struct err drop_stub(int dir, struct str path) {
    while (path.len > 1) {
        CLEAN_FREE
        char *text = str_dup(path);
        CLEAN_FD
        int parent = -1;
        const char *name;
        struct stat st;
        struct err e = beneath_parent(dir, text, false, &parent, &name);
        if (err_kind(e) == ERR_NOT_FOUND || err_kind(e) == ERR_INVALID) {
            err_free(e); /* nothing of it was written */
            return OK;
        }
        TRY(e);
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            CLEAN_FD
            int it = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            char value[2];
            bool plain = S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0);
            if (!plain || it < 0 || fgetxattr(it, "trusted.overlay.opaque", value, 2) > 0)
                return OK;
            if (unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
                return errno == ENOTEMPTY || errno == EEXIST
                           ? OK
                           : err_errno(errno, "remove the mount point %s", text);
        }
        path = path_dir(path);
    }
    return OK;
}

static struct err drop_stubs(struct ingest *in, int dir) {
    const struct json *list = json_get(in->args, "stubs");
    for (size_t i = 0; i < json_len(list); i++)
        TRY(drop_stub(dir, json_str(json_at(list, i))));
    return OK;
}

static struct err adopt_upper(struct ingest *in, const char *name, struct ingest_layer *l,
                              uint64_t *ret_entries) {
    CLEAN_FD
    int dir = -1;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    struct tar_sink sink = {hash_write, h};
    struct layer_tar t;
    TRY(open_upper(in, name, &dir));
    TRY(drop_stubs(in, dir));
    TRY(layer_drop_mountpoints(dir));
    int64_t latest;
    if (json_i64(json_get(in->args, "latest"), &latest))
        TRY(clamp_times(dir, latest));
    TRY(layer_tar(dir, 0, &sink, &t));
    sha256_end(h, l->diff_id.bytes);
    l->size = t.bytes;
    *ret_entries = t.entries;
    if (t.entries == 0 && json_bool(json_get(in->args, "drop_empty"), false))
        return OK;
    TRY(ingest_reserve(in, l, 1));
    return ingest_adopt(in, l, in->extra[0], name);
}

/* --- copied: tar writer and reader at the ends of a pipe
 * ------------------------------------------------- */
struct copy {
    int dir, fd;
    struct err result;
};

static struct err copy_write(void *arg, const void *p, size_t n) {
    struct copy *c = arg;
    int r = fd_write_all(c->fd, p, n);
    return r < 0 ? err_errno(r, "write to the pipeline") : OK;
}

static void *copy_thread(void *arg) {
    struct copy *c = arg;
    struct tar_sink sink = {copy_write, c};
    struct layer_tar t;
    c->result = layer_tar(c->dir, LAYER_TAR_NO_MOUNTPOINTS, &sink, &t);
    c->fd = fd_close(c->fd);
    return NULL;
}

static struct err copy_upper(struct ingest *in, const char *name, struct ingest_layer *l,
                             uint64_t *ret_entries) {
    CLEAN_FD
    int dir = -1;
    TRY(open_upper(in, name, &dir));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    CLEAN_FD
    int from = ends[0];
    struct copy c = {.dir = dir, .fd = ends[1]};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, copy_thread, &c);
    if (r != 0) {
        fd_close(ends[1]);
        return err_errno(r, "start a thread");
    }
    struct stream *s = stream_fd(from);
    struct err e = ingest_fill_unknown(in, l, INGEST_TREE, s, false, ret_entries);
    stream_free(s);
    from = fd_close(from); /* ends a writer that was left alone */
    pthread_join(thread, NULL);
    if (err_failed(e) && err_errnum(c.result) == EPIPE) { /* the reader failed first */
        err_ignore(c.result);
        return e;
    }
    if (err_failed(c.result)) { /* why the reader saw half an archive */
        err_ignore(e);
        return c.result;
    }
    return e;
}

static struct err unpack_tar(struct ingest *in, struct ingest_layer *l, uint64_t *ret_entries) {
    if (!in->body && in->extra_n == 0)
        return err_new(ERR_INVALID, "image commit without its archive");
    struct stack_keep keep;
    CLEAN_STREAM struct stream *s = in->body ? ingest_body(in) : stream_fd(in->extra[0]);
    /* A step of a build is read again far more often than it is sent anywhere: its compressed form
     * is made when somebody asks for it. */
    bool step = json_bool(json_get(in->args, "step"), false);
    if (!json_bool(json_get(in->args, "keep"), false))
        return ingest_fill_unknown(in, l, INGEST_TREE, s, !step, ret_entries);
    struct stream *from = TAKE(s);
    TRY(stack_keep_begin(in, &keep, from));
    s = &keep.s;
    TRY(ingest_fill_unknown(in, l, INGEST_TREE, s, !step, ret_entries));
    stack_keep_end(in, &keep, *ret_entries, l);
    return OK;
}

/* What was unpacked to the ingest directory goes to its place. */
static struct err take_tree(struct ingest *in, struct ingest_layer *l, uint64_t entries) {
    if (entries == 0 && json_bool(json_get(in->args, "drop_empty"), false))
        return OK;
    TRY(ingest_reserve(in, l, 1));
    TRY(ingest_adopt(in, l, in->dir_fd, INGEST_TREE));
    return ingest_place_blobs(in, l, 1);
}

/* The image whose topmost layer it is stacked on comes after the parent. */
static bool is_stacked(const struct ingest *in) {
    return json_get(in->args, "base") != NULL;
}

static struct err commit_layer(struct ingest *in, struct ingest_layer *l, uint64_t *ret_entries) {
    CLEAN_FREE
    char *upper = str_dup(ingest_arg(in, "upper"));
    if (upper[0] && json_bool(json_get(in->args, "adopt"), false))
        return adopt_upper(in, upper, l, ret_entries);
    if (upper[0])
        TRY(copy_upper(in, upper, l, ret_entries));
    else if (is_stacked(in))
        TRY(stack_fill(in, l, ret_entries));
    else
        TRY(unpack_tar(in, l, ret_entries));
    return take_tree(in, l, *ret_entries);
}

/* --- the image
 * -------------------------------------------------------------------------------------------- */
/* The image whose topmost layer is wanted comes after the parent. */
static bool is_like(const struct ingest *in) {
    return json_bool(json_get(in->args, "like"), false);
}
static bool has_parent(const struct ingest *in) {
    return ingest_images_n(in) > (size_t)is_like(in) + is_stacked(in);
}

struct diff_ids VEC_BODY(struct digest);
static void diff_ids_done(struct diff_ids *v) {
    vec_done(v);
}

/* The layers are here already. */
static struct err like_layers(struct ingest *in, struct diff_ids *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct ingest_image like;
    const struct json *wanted = json_get(in->args, "like_layers");
    if (ingest_images_n(in) == 0)
        return err_new(ERR_INVALID, "image commit without the image whose layers it wants");
    TRY(ingest_image(in, ingest_images_n(in) - 1, &a, &like));
    if (!wanted && like.layers_n)
        vec_push(ret, like.layers[like.layers_n - 1].diff_id);
    for (size_t i = 0; i < json_len(wanted); i++) {
        uint64_t n;
        if (!json_u64(json_at(wanted, i), &n) || n >= like.layers_n)
            return err_new(ERR_INVALID, "the image has no such layer");
        vec_push(ret, like.layers[n].diff_id);
    }
    return ret->n ? OK : err_new(ERR_INVALID, "the image has no layer to take");
}

/* What the new image is made of, out of the arguments. */
static struct err commit_recipe(struct ingest *in, struct arena *a, struct ingest_image *parent,
                                struct compose *ret) {
    int64_t created = 0;
    if (has_parent(in))
        TRY(ingest_image(in, 0, a, parent));
    json_i64(json_get(in->args, "created"), &created);
    *ret = (struct compose){.parent = parent->config,
                            .config = ingest_arg(in, "config"),
                            .author = arena_str(a, ingest_arg(in, "author")),
                            .comment = arena_str(a, ingest_arg(in, "comment")),
                            .created_by = arena_str(a, ingest_arg(in, "created_by")),
                            .created = created ? created : time_now(),
                            .step = json_bool(json_get(in->args, "step"), false),
                            .document = ingest_arg(in, "document")};
    return OK;
}

static struct err commit_tags(struct ingest *in, struct arena *a, struct ingest_commit *k) {
    const struct json *tags = json_get(in->args, "tags");
    struct reference *refs = arena_array(a, json_len(tags) + 1, sizeof(*refs));
    for (size_t i = 0; i < json_len(tags); i++)
        TRY(reference_parse(json_str(json_at(tags, i)), &refs[i]));
    k->tags = refs;
    k->tags_n = json_len(tags);
    return OK;
}

/* layer: new, or NULL; ids: of all that come on top. */
static struct err commit_image(struct ingest *in, struct ingest_layer *layer,
                               const struct diff_ids *ids, struct digest *ret_id) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf config = {0};
    struct ingest_image parent = {0};
    struct compose c;
    struct str key = ingest_arg(in, "cache_key");
    TRY(commit_recipe(in, &a, &parent, &c));
    c.layers = ids->items;
    c.layers_n = ids->n;
    struct ingest_commit k = {.layers = layer,
                              .layers_n = layer != NULL,
                              .cache_key = key.len ? arena_str(&a, key) : NULL};
    if (c.step && c.document.len == 0 && ids->n == 0 && has_parent(in)) {
        /* nothing was written: nothing is new */
        k.same = &parent.id;
        *ret_id = parent.id;
        return ingest_commit(in, &k);
    }
    TRY(compose_config(&c, &config));
    TRY(commit_tags(in, &a, &k));
    if (layer && json_bool(json_get(in->args, "durable"), false) && syncfs(in->layer_fd) < 0)
        return err_errno(errno, "syncfs");
    struct str annotations = ingest_arg(in, "annotations");
    struct oci_annotations said;
    if (annotations.len) {
        TRY(oci_annotations_parse(annotations, &a, &said));
        k.annotations = &said;
    }
    k.config = buf_str(&config);
    k.parent = has_parent(in) ? &parent.id : NULL;
    char name[REFERENCE_TEXT_MAX];
    if (k.tags_n > 0) {
        k.event = "tag";
        k.event_name = reference_familiar(&k.tags[0], name);
    }
    digest_of(k.config, ret_id);
    return ingest_commit(in, &k);
}

/* Only for the client of a commit with a body. */
static struct err commit_answer(struct ingest *in, const struct digest *id) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    char digest[DIGEST_TEXT_MAX];
    jo_obj(&o);
    jo_kstr(&o, "Image", digest_text(id, digest));
    jo_obj_end(&o);
    buf_addc(&text, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, text.data, text.len);
}

static struct err commit_run(struct ingest *in) {
    OWN(diff_ids_done) struct diff_ids ids = {0};
    struct ingest_layer layer = {0};
    struct digest id;
    uint64_t entries = 0;
    bool wanted = json_bool(json_get(in->args, "layer"), false);
    if (is_like(in)) {
        TRY(like_layers(in, &ids));
        TRY(commit_image(in, NULL, &ids, &id));
        return commit_answer(in, &id);
    }
    if (wanted)
        TRY(commit_layer(in, &layer, &entries));
    wanted &= entries > 0 || !json_bool(json_get(in->args, "drop_empty"), false);
    if (wanted)
        vec_push(&ids, layer.diff_id);
    TRY(commit_image(in, wanted ? &layer : NULL, &ids, &id));
    return commit_answer(in, &id);
}

struct err image_commit_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    return ingest_end(&in, commit_run(&in));
}
