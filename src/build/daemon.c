/* build/daemon.c - calls of the extension routes. */
#include "build/daemon.h"
#include "base/time.h"
#include "spec/oci_annotations.h"

static struct err image_call(struct client *c, struct client_call *call, struct arena *a,
                             char **ret_image) {
    struct build_image reply = {0};
    struct digest d;
    call->out_fields = &build_image_fields;
    call->out = &reply;
    call->arena = a;
    TRY(client_do(c, call));
    TRYF(digest_parse(str_of(reply.image), &d), "the daemon's image id");
    *ret_image = reply.image;
    return OK;
}

struct err daemon_lease(struct client *c, const char *id, const char *dir,
                        struct client **ret_lease) {
    CLEAN_BUF struct buf t = {0};
    CLEAN_CLIENT struct client *lease = NULL;
    TRY(client_open_like(c, &lease));
    buf_adds(&t, "/corten/build/lease");
    client_query(&t, "id", id);
    client_query(&t, "dir", dir);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t), .upgrade = true};
    TRYF(client_begin(lease, &call), "lease");
    *ret_lease = TAKE(lease);
    return OK;
}

struct err daemon_secret(struct client *c, const struct daemon_secret *s, struct str value,
                         struct arena *a, char **ret_path) {
    CLEAN_BUF struct buf t = {0};
    struct build_secret_made reply = {0};
    buf_adds(&t, "/corten/build/secret");
    client_query(&t, "id", s->id);
    client_query(&t, "name", s->name);
    client_query_i64(&t, "uid", s->uid);
    client_query_i64(&t, "gid", s->gid);
    client_query_i64(&t, "mode", s->mode);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .body = value,
                               .content_type = "application/octet-stream",
                               .out_fields = &build_secret_made_fields,
                               .out = &reply,
                               .arena = a};
    TRY(client_do(c, &call));
    *ret_path = reply.path;
    return OK;
}

struct err daemon_secret_remove(struct client *c, const char *id, const char *name) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/secret");
    client_query(&t, "id", id);
    client_query(&t, "name", name);
    struct client_call call = {.method = "DELETE", .target = buf_cstr(&t)};
    return client_do(c, &call);
}

struct err daemon_cache_get(struct client *c, const char *key, struct arena *a, char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/cache");
    client_query(&t, "key", key);
    struct client_call call = {.method = "GET", .target = buf_cstr(&t)};
    struct err e = image_call(c, &call, a, ret_image);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        *ret_image = NULL;
        return OK;
    }
    return e;
}

struct err daemon_cache_put(struct client *c, const char *key, const char *image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/cache");
    client_query(&t, "key", key);
    client_query(&t, "image", image);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t)};
    return client_do(c, &call);
}

struct err daemon_base(struct client *c, const char *name, struct arena *a,
                       struct build_base *ret) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/image");
    client_query(&t, "name", name);
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&t),
                               .out_fields = &build_base_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

struct err daemon_image(struct client *c, const char *layers, const char *key, bool step,
                        const struct oci_image_config *config, struct arena *a, char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/image");
    client_query(&t, "layers", layers);
    client_query(&t, "key", key);
    client_query_bool(&t, "step", step);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .in_fields = &oci_image_config_fields,
                               .in = config};
    return image_call(c, &call, a, ret_image);
}

static void query_annotations(struct buf *t, const struct strmap *annotations) {
    CLEAN_BUF struct buf text = {0};
    struct oci_annotations all = {.all = *annotations};
    if (annotations->n == 0)
        return;
    fields_print(&oci_annotations_fields, &all, &text);
    client_query(t, "annotations", buf_cstr(&text));
}

struct err daemon_result(struct client *c, const char *layers, const char *key,
                         const struct strmap *annotations, const struct oci_image_config *config,
                         struct arena *a, char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/image");
    client_query(&t, "layers", layers);
    client_query(&t, "key", key);
    query_annotations(&t, annotations);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .in_fields = &oci_image_config_fields,
                               .in = config};
    return image_call(c, &call, a, ret_image);
}

struct err daemon_attest(struct client *c, const char *image, struct str statement, bool travels,
                         const struct strmap *index_annotations) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/attest");
    client_query(&t, "image", image);
    client_query_bool(&t, "travels", travels);
    query_annotations(&t, index_annotations);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .body = statement,
                               .content_type = "application/vnd.in-toto+json"};
    return client_do(c, &call);
}

struct err daemon_commit(struct client *c, const char *container, const char *key, int64_t latest,
                         struct arena *a, char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/commit");
    client_query(&t, "container", container);
    client_query(&t, "key", key);
    if (latest != INT64_MAX)
        client_query_i64(&t, "epoch", latest / NSEC_PER_SEC);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t)};
    return image_call(c, &call, a, ret_image);
}

struct err daemon_stack(struct client *c, const char *parent, const char *key, const char *like,
                        const uint32_t *layers, size_t n, struct arena *a, char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    CLEAN_BUF struct buf numbers = {0};
    for (size_t i = 0; i < n; i++)
        buf_addf(&numbers, "%s%u", i ? "," : "", layers[i]);
    buf_adds(&t, "/corten/build/layer");
    client_query(&t, "parent", parent);
    client_query(&t, "key", key);
    client_query(&t, "like", like);
    if (n)
        client_query(&t, "layers", buf_cstr(&numbers));
    struct client_call call = {.method = "POST", .target = buf_cstr(&t)};
    return image_call(c, &call, a, ret_image);
}

struct err daemon_layer(struct client *c, const struct daemon_layer *l, struct arena *a,
                        char **ret_image) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/layer");
    client_query(&t, "parent", l->parent);
    client_query(&t, "key", l->key);
    if (l->base)
        client_query(&t, "base", l->base);
    if (l->keep)
        client_query(&t, "keep", "1");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .content_type = "application/x-tar",
                               .body_read = l->body_read,
                               .body_arg = l->body_arg};
    return image_call(c, &call, a, ret_image);
}

struct err daemon_tree(struct client *c, const char *image, const char *path) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/corten/build/tree");
    client_query(&t, "image", image);
    client_query(&t, "path", path);
    struct client_call call = {.method = "GET", .target = buf_cstr(&t)};
    return client_begin(c, &call);
}

struct err daemon_stat(struct client *c, const char *image, const struct strs *paths,
                       struct arena *a, struct objs *ret_entries) {
    CLEAN_BUF struct buf t = {0};
    struct build_stat_query query = {.paths = *paths};
    struct build_stat_reply reply = {0};
    if (paths->n > BUILD_STAT_PATHS_MAX)
        return err_new(ERR_INVALID, "more than %d directories in one step", BUILD_STAT_PATHS_MAX);
    buf_adds(&t, "/corten/build/stat");
    client_query(&t, "image", image);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .in_fields = &build_stat_query_fields,
                               .in = &query,
                               .out_fields = &build_stat_reply_fields,
                               .out = &reply,
                               .arena = a};
    TRY(client_do(c, &call));
    if (reply.entries.n != paths->n)
        return err_new(ERR_INVALID, "the daemon answered %zu of %zu paths", reply.entries.n,
                       paths->n);
    *ret_entries = reply.entries;
    return OK;
}
