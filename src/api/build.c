/* POST /build and the builder's extension routes (spec/corten_build.h). The daemon keeps the facts
 * of a build and reads none of its bytes: the client's socket goes to corten-build, layers to a
 * worker. */
#include "api/build_lease.h"
#include "api/handlers.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "http/body.h"
#include "kernel/spawn.h"
#include "spec/corten_build.h"
#include "spec/oci_annotations.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- POST /build
 * -------------------------------------------------------------------------------------------- */

struct build {
    const struct api *api;
    char id[65];
    struct spawned process;
    char *temp_dir;
};

static struct err sweep_work(void *arg) {
    struct build *b = arg;
    CLEAN_FD int dir = -1;
    TRY(dir_open(b->temp_dir, &dir));
    return dir_remove(dir, b->id);
}

static void sweep_done(void *arg, struct err e) {
    struct build *b = arg;
    log_err(LOG_WARN, e, "remove the files of build %.12s", b->id);
    fd_close(b->process.pidfd);
    free(b->temp_dir);
    free(b);
}

static void build_ended(void *arg, int status) {
    struct build *b = arg;
    if (!WIFEXITED(status))
        log_warn("build %.12s: the builder ended by signal %d", b->id, WTERMSIG(status));
    build_sweep_containers(b->api, b->id);
    job_submit(b->api->loop, sweep_work, sweep_done, b);
}

/* A file in memory that the builder reads from its start. */
static struct err memory_file(const char *name, struct str text, int *ret_fd) {
    CLEAN_FD int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    int r = fd_write_all(fd, text.p, text.len);
    if (r < 0)
        return err_errno(-r, "write %s", name);
    if (lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(errno, "rewind %s", name);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err spawn_builder(struct build *b, struct str job, struct http_taken *taken) {
    CLEAN_FD int job_fd = -1;
    CLEAN_FD int body_fd = -1;
    CLEAN_BUF struct buf packed = {0};
    http_body_pack(&taken->body, buf_str(&taken->early), &packed);
    TRY(memory_file("build-job", job, &job_fd));
    TRY(memory_file("build-body", buf_str(&packed), &body_fd));
    struct spawn_fd fds[] = {
        {2, 2}, {job_fd, BUILD_JOB_FD}, {taken->fd, BUILD_SOCKET_FD}, {body_fd, BUILD_BODY_FD}};
    char *argv[] = {(char *)"corten-build", NULL};
    struct spawn s = {
        .program = b->api->build_program,
        .argv = argv,
        .fds = fds,
        .fds_n = ARRAY_LEN(fds),
        .new_session = true,
    };
    TRY(fd_set_nonblock(taken->fd, false));
    return spawn(&s, &b->process);
}

/* The client has handed its socket over: what goes wrong here is answered on it by hand. */
static void refuse(struct http_taken *taken, struct err e) {
    CLEAN_BUF struct buf out = {0};
    http_error_answer(&out, http_error_status(err_kind(e)), err_msg(e));
    log_err(LOG_WARN, e, "start the builder");
    if (fd_write_all(taken->fd, out.data, out.len) < 0)
        log_debug("the build's client has left");
}

void api_build(struct api_call *c) {
    const struct api *api = c->api;
    struct http_taken taken;
    struct build *b = NEW(struct build);
    b->api = api;
    random_id(b->id);
    b->temp_dir = mem_printf("%s/" BUILD_TEMP, api->data_root);
    struct build_job job = {
        .host = (char *)api->host,
        .id = b->id,
        .query = arena_str(&c->arena, c->r->query),
        .temp_dir = b->temp_dir,
        .registry_config = arena_str(&c->arena, http_header_get(c->r, "X-Registry-Config")),
        .context = (char *)"",
        .id_file = (char *)"",
    };
    CLEAN_BUF struct buf text = {0};
    fields_print(&build_job_fields, &job, &text);
    struct err e = dir_make(b->temp_dir, 0700);
    if (err_failed(e)) {
        api_reply_err(c, e);
    } else if (api_take_socket(c, &taken)) {
        e = spawn_builder(b, buf_str(&text), &taken);
        if (!err_failed(e)) {
            http_taken_done(&taken);
            child_watch(api->loop, b->process.pid, b->process.pidfd, build_ended, b);
            return;
        }
        refuse(&taken, e);
        http_taken_done(&taken);
    }
    free(b->temp_dir);
    free(b);
}

/* --- facts
 * -----------------------------------------------------------------------------------------------------
 */

static struct err check_key(const char *key) {
    if (!key || strlen(key) != 64 || strspn(key, "0123456789abcdef") != 64)
        return err_new(ERR_INVALID, "query parameter 'key' must be 64 hex digits");
    return OK;
}

static struct err image_parameter(struct api_call *c, const char *name, struct image **ret) {
    const char *id = api_query(c, name);
    if (!id || !str_starts(str_of(id), STR("sha256:")) || strlen(id) != 71)
        return err_new(ERR_INVALID, "query parameter '%s' must be a full image id", name);
    *ret = image_by_id(c->api->images, str_of(id));
    return *ret ? OK : err_new(ERR_NOT_FOUND, "No such image: %s", id);
}

static void reply_image(struct api_call *c, const char *id) {
    struct build_image doc = {.image = (char *)id};
    api_reply_doc(c, 200, &build_image_fields, &doc);
}

void api_build_cache(struct api_call *c) {
    const char *key = api_query(c, "key");
    struct err e = check_key(key);
    struct image *i = err_failed(e) ? NULL : image_cache_get(c->api->images, str_of(key));
    if (err_failed(e))
        api_reply_err(c, e);
    else if (!i)
        api_reply_err(c, err_new(ERR_NOT_FOUND, "no record for this key"));
    else
        reply_image(c, i->id_text);
}

void api_build_record(struct api_call *c) {
    const char *key = api_query(c, "key");
    struct image *i = NULL;
    struct err e = check_key(key);
    if (!err_failed(e))
        e = image_parameter(c, "image", &i);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    image_cache_put(c->api->images, str_of(key), i);
    api_reply_status(c, 204);
}

void api_build_base(struct api_call *c) {
    const char *name = api_query(c, "name");
    struct image *i = NULL;
    struct err e = image_find_rootfs(c->api->images, str_of(name ? name : ""), &i);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct build_base doc = {.image = i->id_text, .config = i->config_text};
    api_reply_doc(c, 200, &build_base_fields, &doc);
}

static void image_made(void *arg, struct image *i, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        reply_image(c, i->id_text);
}

static void make_image(struct api_call *c, struct str body) {
    const char *layers = api_query(c, "layers"), *key = api_query(c, "key");
    struct image_commit commit = {.upper_dirfd = -1,
                                  .tar_fd = -1,
                                  .document = body,
                                  .cache_key = key,
                                  .step = api_query_bool(c, "step", false)};
    struct err e = key ? check_key(key) : OK;
    const char *annotations = api_query(c, "annotations");
    struct oci_annotations checked;
    if (!err_failed(e) && annotations) {
        e = oci_annotations_parse(str_of(annotations), &c->arena, &checked);
        commit.annotations = str_of(annotations);
    }
    if (!err_failed(e) && (!layers || strcmp(layers, "scratch") != 0))
        e = image_parameter(c, "layers", &commit.parent);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        image_commit(c->api->images, &commit, image_made, c);
}

void api_build_image(struct api_call *c) {
    api_read_body(c, make_image);
}

static void adopted(void *arg, struct err e, const char *id) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        reply_image(c, id);
}

void api_build_commit(struct api_call *c) {
    const char *key = api_query(c, "key"), *name = api_query(c, "container");
    struct container *k = NULL;
    int64_t epoch = -1;
    struct err e = check_key(key);
    if (!err_failed(e) && api_query(c, "epoch"))
        e = api_query_i64(c, "epoch", 0, INT64_MAX / NSEC_PER_SEC, &epoch);
    if (!err_failed(e))
        e = container_find(c->api->containers, name ? name : "", &k);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        container_adopt(k, key, epoch < 0 ? INT64_MAX : epoch * NSEC_PER_SEC, adopted, c);
}

static void layer_done(void *arg UNUSED, struct err e) {
    /* A builder that has its answer may leave before the worker does. */
    log_err(err_kind(e) == ERR_CANCELLED ? LOG_DEBUG : LOG_INFO, e,
            "layer from the builder"); /* the worker has answered the client */
}

/* "0,1,5": numbers of layers of the image. */
static struct err layer_numbers(struct api_call *c, struct image_commit *commit) {
    const char *text = api_query(c, "layers");
    struct str rest = str_of(text ? text : ""), one;
    if (!text)
        return OK;
    uint32_t *all = arena_array(&c->arena, IMAGE_LAYERS_MAX, sizeof(*all));
    while (str_next(&rest, ',', &one)) {
        uint64_t n;
        if (commit->like_layers_n == IMAGE_LAYERS_MAX)
            return err_new(ERR_INVALID, "more than %d layers", IMAGE_LAYERS_MAX);
        TRYF(str_to_u64(one, commit->like->layers_n - 1, &n), "query parameter 'layers'");
        all[commit->like_layers_n++] = (uint32_t)n;
    }
    commit->like_layers = all;
    return OK;
}

/* Layers that are here already, on another parent. */
static void stack_layers(struct api_call *c, struct image_commit *commit) {
    struct err e = image_parameter(c, "like", &commit->like);
    if (!err_failed(e) && commit->like->layers_n == 0)
        e = err_new(ERR_INVALID, "the image has no layer to take");
    if (!err_failed(e))
        e = layer_numbers(c, commit);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        image_commit(c->api->images, commit, image_made, c);
}

void api_build_layer(struct api_call *c) {
    const char *key = api_query(c, "key"), *parent = api_query(c, "parent");
    struct image_commit commit = {.upper_dirfd = -1, .tar_fd = -1, .step = true};
    struct images *images = c->api->images;
    struct http_taken taken;
    bool like = api_query(c, "like");
    struct err e = like && !key ? OK : check_key(key);
    if (!err_failed(e) && (!parent || strcmp(parent, "scratch") != 0))
        e = image_parameter(c, "parent", &commit.parent);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    CLEAN_FREE char *kept = mem_strdup_opt(key);
    commit.cache_key = kept;
    commit.keep_stream = api_query_bool(c, "keep", false);
    if (!like && api_query(c, "base"))
        e = image_parameter(c, "base", &commit.base);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    if (like) {
        stack_layers(c, &commit);
        return;
    }
    if (api_take_socket(c, &taken))
        image_commit_body(images, &taken, &commit, layer_done, NULL);
}

/* --- looking into an image: by a worker, on the client's socket
 * ------------------------------------------------- */

static void look_done(void *arg, struct str result UNUSED, struct err e) {
    CLEAN_FREE char *what = arg;
    log_err(LOG_INFO, e, "%s", what); /* the worker has answered the client */
}

static struct err layer_list(struct api_call *c, const struct image *i, struct json_out *jo) {
    const char *const *names;
    size_t n;
    TRY(image_layer_names(i, &c->arena, &names, &n));
    jo_key(jo, "layers");
    jo_arr(jo);
    for (size_t k = 0; k < n; k++)
        jo_strz(jo, names[k]);
    jo_arr_end(jo);
    jo_key(jo, "below"); /* which of them is no layer by itself, but what the one before lies on */
    jo_arr(jo);
    for (size_t k = i->layers_n; k-- > 0;) {
        jo_bool(jo, false);
        if (i->layers[k]->base)
            jo_bool(jo, true);
    }
    jo_arr_end(jo);
    return OK;
}

static void look_into(struct api_call *c, const struct image *i, const char *job, const char *key,
                      struct str value, bool raw) {
    struct http_taken taken;
    CLEAN_BUF struct buf args = {0};
    struct json_out jo = {.out = &args};
    jo_obj(&jo);
    struct err e = layer_list(c, i, &jo);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    jo_key(&jo, key);
    if (raw)
        jo_raw(&jo, value);
    else
        jo_str(&jo, value);
    jo_obj_end(&jo);
    const struct api *api = c->api;
    if (!api_take_socket(c, &taken))
        return;
    int fds[] = {taken.fd, images_layers_dirfd(api->images)};
    struct worker_start s = {
        .program = api->worker_program,
        .job = job,
        .args = buf_str(&args),
        .fds = fds,
        .fds_n = ARRAY_LEN(fds),
        .done = look_done,
        .arg = mem_printf("%s", job),
    };
    worker_start(api->loop, &s);
    http_taken_done(&taken);
}

static void look(struct api_call *c, const char *job, const char *key, struct str value, bool raw) {
    struct image *i = NULL;
    struct err e = image_parameter(c, "image", &i);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        look_into(c, i, job, key, value, raw);
}

/* What made each layer, bottom first, goes along: the worker knows directories only. */
void api_image_explain(struct api_call *c) {
    struct image *i = NULL;
    CLEAN_BUF struct buf made = {0};
    struct json_out jo = {.out = &made};
    struct err e = image_find_rootfs(c->api->images, str_of(c->arg[0]), &i);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    const struct oci_image_config *config = image_config(i);
    const struct oci_history *h = config->history.items;
    jo_arr(&jo);
    for (size_t k = 0; k < config->history.n; k++)
        if (!h[k].empty_layer)
            jo_strz(&jo, h[k].created_by ? h[k].created_by : "");
    jo_arr_end(&jo);
    look_into(c, i, "image-explain", "made", buf_str(&made), true);
}

void api_build_tree(struct api_call *c) {
    const char *path = api_query(c, "path");
    if (!path || path[0] != '/')
        api_reply_err(c, err_new(ERR_INVALID, "query parameter 'path' must be an absolute path"));
    else
        look(c, "image-tree", "path", str_of(path), false);
}

static void stat_body(struct api_call *c, void *doc) {
    const struct build_stat_query *q = doc;
    if (q->paths.n > BUILD_STAT_PATHS_MAX) {
        api_reply_err(c, err_new(ERR_INVALID, "Paths: more than %d", BUILD_STAT_PATHS_MAX));
        return;
    }
    CLEAN_BUF struct buf text = {0};
    fields_print(&build_stat_query_fields, q, &text);
    look(c, "image-stat", "query", buf_str(&text), true);
}

void api_build_stat(struct api_call *c) {
    api_read_json(c, &build_stat_query_fields, stat_body);
}
