/* squash_job.c - the job "image-squash": the layers of an image, all or those above a base, as one.
 *
 * Arguments: images[0], the image; images[1], the base, if any; "created", "tags". The layers'
 * directories are laid over one another (flatten.c); above a base the whiteouts stay, for they hide
 * what the base has. The config is the image's with another rootfs; its history stays, and says
 * that what was merged left no layer of its own. */
#include "archive/layer_tar.h"
#include "base/time.h"
#include "image/compose.h"
#include "image/image.h"
#include "image/jobs.h"
#include "image/rootfs_driver.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err hash_write(void *arg, const void *p, size_t n) {
    sha256_add(arg, p, n);
    return OK;
}

/* The tree below the ingest directory, and what it is called as a layer. */
static struct err merge(const struct ingest *in, const struct ingest_image *i, size_t kept,
                        struct ingest_layer *ret) {
    const char *names[2 * IMAGE_LAYERS_MAX];
    size_t n = 0;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    struct tar_sink sink = {hash_write, h};
    struct layer_tar t;
    if (mkdirat(in->dir_fd, INGEST_TREE, 0755) < 0)
        return err_errno(errno, "make the layer's directory");
    CLEAN_FD int dir = openat(in->dir_fd, INGEST_TREE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(errno, "open the layer's directory");
    for (size_t k = i->layers_n; k-- > kept;) {
        names[n++] = i->layers[k].name;
        if (i->layers[k].base[0])
            names[n++] = i->layers[k].base;
    }
    TRY(flatten(in->layer_fd, names, n, kept > 0, dir));
    TRY(layer_tar(dir, 0, &sink, &t));
    sha256_end(h, ret->diff_id.bytes);
    ret->size = t.bytes;
    return OK;
}

/* --- the config --------------------------------------------------------------------------------
 */

static void put_value(struct json_out *o, const struct json *v) {
    CLEAN_BUF struct buf text = {0};
    json_print(v, &text);
    jo_raw(o, buf_str(&text));
}

/* An entry that made a layer which is merged now. */
static void put_emptied(struct json_out *o, const struct json *entry) {
    struct json_iter it = {0};
    jo_obj(o);
    while (json_each(entry, &it)) {
        if (str_eqz(it.key, "empty_layer"))
            continue;
        jo_keys(o, it.key);
        put_value(o, it.value);
    }
    jo_kbool(o, "empty_layer", true);
    jo_obj_end(o);
}

static void put_history(struct json_out *o, const struct json *history, size_t kept,
                        const char *created, const char *comment) {
    size_t layers = 0;
    jo_key(o, "history");
    jo_arr(o);
    for (size_t i = 0; i < json_len(history); i++) {
        const struct json *entry = json_at(history, i);
        if (!json_bool(json_get(entry, "empty_layer"), false) && ++layers > kept)
            put_emptied(o, entry);
        else
            put_value(o, entry);
    }
    jo_obj(o);
    jo_kstr(o, "created", created);
    jo_kstr(o, "comment", comment);
    jo_obj_end(o);
    jo_arr_end(o);
}

struct squash {
    struct ingest_image image, base;
    size_t kept; /* layers of the base */
    int64_t created;
};

static struct err squash_config(const struct squash *s, const struct digest *merged,
                                struct buf *ret) {
    CLEAN_JSON struct json *config = NULL;
    CLEAN_BUF struct buf comment = {0};
    struct json_out o = {.out = ret};
    struct json_iter it = {0};
    char created[TIME_TEXT_MAX], id[DIGEST_TEXT_MAX];
    TRYF(json_parse(s->image.config, &config), "config of the image");
    time_format(s->created, created);
    buf_addf(&comment, s->kept ? "merge %s" : "create new from %s", digest_text(&s->image.id, id));
    if (s->kept)
        buf_addf(&comment, " to %s", digest_text(&s->base.id, id));
    jo_obj(&o);
    while (json_each(config, &it)) {
        if (str_eqz(it.key, "rootfs") || str_eqz(it.key, "history") || str_eqz(it.key, "created"))
            continue;
        jo_keys(&o, it.key);
        put_value(&o, it.value);
    }
    jo_kstr(&o, "created", created);
    put_history(&o, json_get(config, "history"), s->kept, created, buf_cstr(&comment));
    compose_rootfs(&o, json_get(json_get(config, "rootfs"), "diff_ids"), s->kept, merged, 1);
    jo_obj_end(&o);
    return OK;
}

/* --- the job -----------------------------------------------------------------------------------
 */

static struct err squash_open(const struct ingest *in, struct arena *a, struct squash *s) {
    TRY(ingest_image(in, 0, a, &s->image));
    if (ingest_images_n(in) > 1) {
        TRY(ingest_image(in, 1, a, &s->base));
        s->kept = s->base.layers_n;
    }
    if (s->kept >= s->image.layers_n)
        return err_new(ERR_INVALID, "the image has no layer above its base");
    if (s->image.layers_n > IMAGE_LAYERS_MAX)
        return err_new(ERR_INVALID, "more than %d layers", IMAGE_LAYERS_MAX);
    if (!json_i64(json_get(in->args, "created"), &s->created))
        s->created = time_now();
    return OK;
}

static struct err squash_run(struct ingest *in) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf config = {0};
    struct squash s = {0};
    struct ingest_layer layer = {0};
    struct digest id;
    const struct json *tags = json_get(in->args, "tags");
    struct reference *refs = arena_array(&a, json_len(tags) + 1, sizeof(*refs));
    char name[REFERENCE_TEXT_MAX];
    TRY(squash_open(in, &a, &s));
    for (size_t i = 0; i < json_len(tags); i++)
        TRY(reference_parse(json_str(json_at(tags, i)), &refs[i]));
    TRY(merge(in, &s.image, s.kept, &layer));
    TRY(ingest_reserve(in, &layer, 1));
    TRY(ingest_adopt(in, &layer, in->dir_fd, INGEST_TREE));
    if (syncfs(in->layer_fd) < 0)
        return err_errno(errno, "syncfs");
    TRY(squash_config(&s, &layer.diff_id, &config));
    digest_of(buf_str(&config), &id);
    struct ingest_commit k = {.config = buf_str(&config),
                              .layers = &layer,
                              .layers_n = 1,
                              .parent = s.kept ? &s.base.id : NULL,
                              .tags = refs,
                              .tags_n = json_len(tags)};
    if (k.tags_n > 0) {
        k.event = "tag";
        k.event_name = reference_familiar(&refs[0], name);
    }
    return ingest_commit(in, &k);
}

struct err image_squash_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    return ingest_end(&in, squash_run(&in));
}
