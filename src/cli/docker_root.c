/* docker_root.c - the documents of a stopped dockerd. */
#include "cli/docker_root.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/bolt.h"
#include "kernel/beneath.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LAYERDB "image/overlay2/layerdb"
#define IMAGEDB "image/overlay2/imagedb"

/* --- reading ---------------------------------------------------------------------------------- */

static struct err read_text(struct docker_root *r, const char *path, const char **ret) {
    CLEAN_BUF struct buf text = {0};
    TRYF(beneath_read(r->fd, path, DOCKER_DOCUMENT_MAX, &text), "'%s/%s'", r->path, path);
    *ret = arena_str(r->arena, str_trim(buf_str(&text)));
    return OK;
}

static struct err read_json(struct docker_root *r, const char *path, struct json **ret) {
    const char *text;
    TRY(read_text(r, path, &text));
    TRYF(json_parse(str_of(text), ret), "'%s/%s'", r->path, path);
    vec_push(&r->documents, *ret);
    return OK;
}

static const char *text_of(struct docker_root *r, const struct json *j, const char *key) {
    struct str s = json_str(json_get(j, key));
    return arena_str(r->arena, s);
}

static const char *object_of(struct docker_root *r, const struct json *j, const char *key) {
    const struct json *o = json_get(j, key);
    CLEAN_BUF struct buf text = {0};
    if (json_type(o) != JSON_OBJECT || json_len(o) == 0)
        return NULL;
    json_print(o, &text);
    return arena_str(r->arena, buf_str(&text));
}

static bool is_hex_id(const char *s) {
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static const char *hex_of(struct docker_root *r, struct str digest) {
    struct str algorithm, hex;
    if (!str_cut(digest, ':', &algorithm, &hex) || !str_eqz(algorithm, "sha256"))
        return NULL;
    const char *text = arena_str(r->arena, hex);
    return is_hex_id(text) ? text : NULL;
}

/* Names in a directory of the root, sorted; none when it is not there. */
static struct err list(struct docker_root *r, const char *path, struct strv *ret) {
    CLEAN_FD int fd = -1;
    struct err e = beneath_open(r->fd, path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err_errnum(e) == ENOENT || err_kind(e) == ERR_NOT_FOUND) {
        err_ignore(e);
        return OK;
    }
    TRYF(e, "'%s/%s'", r->path, path);
    struct dirent **names;
    int n = scandirat(fd, ".", &names, NULL, alphasort);
    if (n < 0)
        return err_errno(errno, "read '%s/%s'", r->path, path);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.')
            strv_add(ret, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return OK;
}

/* --- images ----------------------------------------------------------------------------------- */

static struct err read_chains(struct docker_root *r) {
    struct strv ids __attribute__((cleanup(strv_done))) = {0};
    TRY(list(r, LAYERDB "/sha256", &ids));
    for (size_t i = 0; i < ids.n; i++) {
        const char *dir = arena_printf(r->arena, LAYERDB "/sha256/%s", ids.items[i]);
        struct docker_chain c = {.id = arena_strz(r->arena, ids.items[i]), .parent = ""};
        struct stat st;
        TRY(read_text(r, arena_printf(r->arena, "%s/diff", dir), &c.diff));
        TRY(read_text(r, arena_printf(r->arena, "%s/cache-id", dir), &c.cache));
        const char *parent = arena_printf(r->arena, "%s/parent", dir);
        if (fstatat(r->fd, parent, &st, AT_SYMLINK_NOFOLLOW) == 0)
            TRY(read_text(r, parent, &c.parent));
        if (strchr(c.cache, '/') || !is_hex_id(c.id))
            return err_new(ERR_INVALID, "layer '%s' has a strange name", c.id);
        vec_push(&r->chains, c);
    }
    return OK;
}

/* Chain ids are not computed but followed upwards: each layer names its parent. */
static struct err find_layers(struct docker_root *r, struct docker_image *image,
                              const struct json *diff_ids) {
    size_t n = json_len(diff_ids);
    const char *parent = "";
    image->layers = arena_array(r->arena, n + 1, sizeof(*image->layers));
    image->layers_n = n;
    for (size_t k = 0; k < n; k++) {
        struct str want = json_str(json_at(diff_ids, k));
        const struct docker_chain *c = NULL;
        for (size_t i = 0; i < r->chains.n && !c; i++) {
            const struct docker_chain *x = &r->chains.items[i];
            if (str_eqz(want, x->diff) && !strcmp(x->parent, parent))
                c = x;
        }
        image->layers[k].diff_id = hex_of(r, want);
        if (!c || !image->layers[k].diff_id)
            return err_new(ERR_NOT_FOUND, "image %s: its layer %.*s is not there", image->id,
                           STR_ARG(want));
        image->layers[k].split = arena_printf(r->arena, LAYERDB "/sha256/%s/tar-split.json.gz",
                                              c->id);
        image->layers[k].diff = arena_printf(r->arena, "overlay2/%s/diff", c->cache);
        parent = arena_printf(r->arena, "sha256:%s", c->id);
    }
    return OK;
}

static struct docker_image *image_of(struct docker_root *r, const char *id) {
    for (size_t i = 0; i < r->images.n; i++)
        if (!strcmp(r->images.items[i].id, id))
            return &r->images.items[i];
    return NULL;
}

const struct docker_image *docker_image_of(const struct docker_root *r, const char *id) {
    return image_of((struct docker_root *)(uintptr_t)r, id);
}

static struct err add_image(struct docker_root *r, const char *id, struct docker_image **ret) {
    struct json *root;
    *ret = image_of(r, id);
    if (*ret)
        return OK;
    const char *path = arena_printf(r->arena, IMAGEDB "/content/sha256/%s", id);
    struct docker_image image = {.id = id};
    /* Not trimmed: the id is the digest of these bytes. */
    CLEAN_BUF struct buf text = {0};
    TRYF(beneath_read(r->fd, path, DOCKER_DOCUMENT_MAX, &text), "'%s/%s'", r->path, path);
    image.config = arena_str(r->arena, buf_str(&text));
    TRYF(json_parse(str_of(image.config), &root), "'%s/%s'", r->path, path);
    vec_push(&r->documents, root);
    TRY(find_layers(r, &image, json_get(json_get(root, "rootfs"), "diff_ids")));
    vec_push(&r->images, image);
    *ret = &r->images.items[r->images.n - 1];
    return OK;
}

static struct err read_images(struct docker_root *r) {
    struct json *root;
    struct strv all __attribute__((cleanup(strv_done))) = {0};
    TRY(read_chains(r));
    TRY(read_json(r, "image/overlay2/repositories.json", &root));
    struct json_iter repo = {0};
    while (json_each(json_get(root, "Repositories"), &repo)) {
        struct json_iter tag = {0};
        while (json_each(repo.value, &tag)) {
            const char *id = hex_of(r, json_str(tag.value));
            struct docker_image *image;
            if (!id || str_find(tag.key, '@') >= 0)
                continue; /* by digest: the pull's own book-keeping */
            TRY(add_image(r, id, &image));
            strs_add(&image->tags, r->arena, arena_str(r->arena, tag.key));
        }
    }
    for (size_t i = 0; i < r->containers.n; i++) {
        struct docker_image *image;
        TRY(add_image(r, r->containers.items[i].image, &image));
    }
    TRY(list(r, IMAGEDB "/content/sha256", &all));
    r->unnamed = all.n - MIN(all.n, r->images.n);
    return OK;
}

/* --- networks, volumes ------------------------------------------------------------------------ */

static struct err each_of(struct docker_root *r, const char *path, const char *bucket,
                          bolt_fn *fn) {
    CLEAN_BUF struct buf file = {0};
    struct err e = beneath_read(r->fd, path, BOLT_FILE_MAX, &file);
    if (err_errnum(e) == ENOENT || err_kind(e) == ERR_NOT_FOUND) {
        err_ignore(e);
        return OK;
    }
    if (!err_failed(e))
        e = bolt_each(buf_str(&file), bucket, fn, r);
    return err_wrap(e, "'%s/%s'", r->path, path);
}

static struct err on_network(void *arg, struct str key, struct str value) {
    struct docker_root *r = arg;
    struct json *root;
    if (!str_starts(key, STR("docker/network/v1.0/network/")) || value.len < 8)
        return OK;
    TRY(json_parse(str_from(value, 8), &root)); /* behind the index of libkv */
    vec_push(&r->documents, root);
    struct docker_network n = {
        .name = text_of(r, root, "name"), .driver = text_of(r, root, "networkType"), .root = root};
    vec_push(&r->networks, n);
    return OK;
}

static struct err on_volume(void *arg, struct str key, struct str value) {
    struct docker_root *r = arg;
    struct json *root;
    TRY(json_parse(value, &root));
    vec_push(&r->documents, root);
    struct docker_volume v = {.name = arena_str(r->arena, key),
                              .driver = text_of(r, root, "Driver"),
                              .labels = object_of(r, root, "Labels"),
                              .options = object_of(r, root, "Options")};
    vec_push(&r->volumes, v);
    return OK;
}

/* --- containers ------------------------------------------------------------------------------- */

static struct err add_container(struct docker_root *r, const char *id) {
    struct docker_container c = {.id = id};
    const char *path = arena_printf(r->arena, LAYERDB "/mounts/%s/mount-id", id), *mount;
    TRY(read_json(r, arena_printf(r->arena, "containers/%s/config.v2.json", id), &c.config));
    TRY(read_json(r, arena_printf(r->arena, "containers/%s/hostconfig.json", id), &c.host));
    TRY(read_text(r, path, &mount));
    const char *name = text_of(r, c.config, "Name");
    c.name = name[0] == '/' ? name + 1 : name;
    c.image = hex_of(r, json_str(json_get(c.config, "Image")));
    c.was_running = json_bool(json_get(json_get(c.config, "State"), "Running"), false);
    if (!c.image || strchr(mount, '/'))
        return err_new(ERR_INVALID, "container %s: its documents do not add up", id);
    c.changes = arena_printf(r->arena, "overlay2/%s/diff", mount);
    vec_push(&r->containers, c);
    return OK;
}

static struct err read_containers(struct docker_root *r) {
    struct strv ids __attribute__((cleanup(strv_done))) = {0};
    TRY(list(r, "containers", &ids));
    for (size_t i = 0; i < ids.n; i++)
        if (is_hex_id(ids.items[i]))
            TRY(add_container(r, arena_strz(r->arena, ids.items[i])));
    return OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* A dockerd that runs holds a lock on its databases: of volumes all the time, of networks now and
 * then. */
static struct err check_stopped(struct docker_root *r) {
    static const char *const databases[] = {"volumes/metadata.db", "network/files/local-kv.db"};
    for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
        CLEAN_FD int fd = -1;
        struct err e = beneath_open(r->fd, databases[i], O_RDONLY, 0, &fd);
        bool there = !err_failed(e);
        err_ignore(e); /* it has none */
        if (there && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return err_new(ERR_CONFLICT, "a dockerd runs on '%s': stop it first", r->path);
    }
    return OK;
}

struct err docker_root_read(const char *path, struct arena *a, struct docker_root *ret) {
    struct docker_root *r = ret;
    struct stat st;
    *r = (struct docker_root){.path = path, .fd = -1, .arena = a};
    TRY(dir_open(path, &r->fd));
    if (fstatat(r->fd, "image/overlay2/repositories.json", &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_new(ERR_UNSUPPORTED,
                       "'%s' has no images of the storage driver overlay2: it is no data root of a "
                       "dockerd, or its driver (or image store) is another one, which is not read",
                       path);
    TRY(check_stopped(r));
    TRY(read_containers(r));
    TRY(read_images(r));
    TRY(each_of(r, "network/files/local-kv.db", "libnetwork", on_network));
    return each_of(r, "volumes/metadata.db", "volumes", on_volume);
}

void docker_root_done(struct docker_root *r) {
    for (size_t i = 0; i < r->documents.n; i++)
        json_free(r->documents.items[i]);
    vec_done(&r->documents);
    vec_done(&r->chains);
    vec_done(&r->images);
    vec_done(&r->volumes);
    vec_done(&r->networks);
    vec_done(&r->containers);
    fd_close(r->fd);
}
