/* explain_job.c - the job "image-explain": what each layer of an image adds, and what of it later
 * layers hide (spec/corten_explain.h). Walks the layers' directories from the bottom up and keeps
 * one tree of what is seen; a file that is replaced, removed by a whiteout or hidden by an opaque
 * directory is waste of the layer that brought it. Descriptors and arguments as in tree.h, and
 * "made": what made each layer, bottom first. Nothing is mounted, links are never followed. */
#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "http/body.h"
#include "image/ingest.h"
#include "image/tree.h"
#include "kernel/mount.h"
#include "kernel/xattr.h"
#include "spec/corten_explain.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 512
#define NODES_MAX 5000000u
#define OPAQUE "trusted.overlay.opaque"

struct node {
    struct map children; /* struct node */
    struct node *parent;
    uint64_t bytes;
    int layer;
    char name[];
};

struct explain {
    struct json *args;
    int layers_fd, now; /* the layer that is walked */
    size_t nodes;
    struct node *root;
    struct arena arena;
    struct explain_layer *layers;
    size_t n;
    struct map links; /* "dev:ino" of files with several names, in this layer */
};

static struct node *node_new(struct explain *x, struct node *parent, const char *name) {
    size_t n = strlen(name) + 1;
    struct node *k = arena_alloc(&x->arena, sizeof *k + n);
    memcpy(k->name, name, n);
    k->parent = parent;
    x->nodes++;
    return k;
}

static char *path_of(const struct node *k, struct arena *a) {
    return k->parent
               ? arena_printf(a, "%s/%s", k->parent->parent ? path_of(k->parent, a) : "", k->name)
               : arena_strz(a, "/");
}

/* Keeps the largest of a list, largest first. */
static void keep(struct explain *x, struct objs *list, const struct node *k, int by) {
    struct explain_file *f = list->items;
    size_t at = list->n;
    while (at > 0 && (uint64_t)f[at - 1].bytes < k->bytes)
        at--;
    if (at >= EXPLAIN_FILES_MAX || k->bytes == 0)
        return;
    if (!f)
        f = list->items = arena_array(&x->arena, EXPLAIN_FILES_MAX, sizeof *f);
    if (list->n < EXPLAIN_FILES_MAX)
        list->n++;
    memmove(f + at + 1, f + at, (list->n - 1 - at) * sizeof *f);
    f[at] = (struct explain_file){path_of(k, &x->arena), (int64_t)k->bytes, by};
}

/* What was below and at k is seen no more. */
static void waste(struct explain *x, struct node *k) {
    size_t it = 0;
    void *child;
    while (map_next(&k->children, &it, NULL, &child))
        waste(x, child);
    map_done(&k->children);
    if (k->layer == x->now)
        return;
    struct explain_layer *from = &x->layers[k->layer], *by = &x->layers[x->now];
    from->wasted += (int64_t)k->bytes;
    by->hides += (int64_t)k->bytes;
    keep(x, &from->wasted_files, k, x->now + 1);
}

static void drop(struct explain *x, struct node *dir, const char *name) {
    struct node *k = map_getz(&dir->children, name);
    if (!k)
        return;
    waste(x, k);
    map_del(&dir->children, str_of(name));
}

static bool is_whiteout(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int fd) {
    CLEAN_BUF struct buf value = {0};
    struct err e = xattr_get(fd, OPAQUE, &value);
    bool yes = !err_failed(e) && str_eqz(buf_str(&value), "y");
    err_free(e); /* no such attribute: an ordinary one */
    return yes;
}

/* Bytes of a file are counted once, whatever its names. */
static uint64_t bytes_of(struct explain *x, const struct stat *st) {
    if (!S_ISREG(st->st_mode))
        return 0;
    if (st->st_nlink > 1) {
        char key[48];
        snprintf(key, sizeof key, "%llu:%llu", (unsigned long long)st->st_dev,
                 (unsigned long long)st->st_ino);
        if (map_getz(&x->links, key))
            return 0;
        map_set(&x->links, str_of(key), x);
    }
    return (uint64_t)st->st_size;
}

static struct err walk(struct explain *x, int fd, struct node *dir, int depth);

static struct err enter(struct explain *x, int parent, struct node *k, int depth) {
    int fd = openat(parent, k->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open a directory of a layer");
    if (is_opaque(fd)) {
        size_t it = 0;
        void *child;
        while (map_next(&k->children, &it, NULL, &child))
            waste(x, child);
        map_done(&k->children);
    }
    return walk(x, fd, k, depth + 1);
}

static struct err visit(struct explain *x, int fd, struct node *dir, const char *name, int depth) {
    struct explain_layer *l = &x->layers[x->now];
    struct stat st;
    struct node *k = map_getz(&dir->children, name);
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(errno, "look at a file of a layer");
    bool is_dir = S_ISDIR(st.st_mode);
    if (is_whiteout(&st)) {
        l->removes++;
        drop(x, dir, name);
        return OK;
    }
    if (k && !(is_dir && k->layer != x->now)) {
        l->replaces += k->layer != x->now;
        drop(x, dir, name);
        k = NULL;
    }
    if (!k) {
        if (x->nodes >= NODES_MAX)
            return err_new(ERR_UNSUPPORTED, "more than %u files", NODES_MAX);
        k = node_new(x, dir, name);
        k->layer = x->now;
        map_set(&dir->children, str_of(k->name), k);
    }
    if (is_dir) {
        l->directories++;
        return enter(x, fd, k, depth);
    }
    k->bytes = bytes_of(x, &st);
    l->files++;
    l->bytes += (int64_t)k->bytes;
    keep(x, &l->largest, k, 0);
    return OK;
}

/* Consumes fd. */
static struct err walk(struct explain *x, int fd, struct node *dir, int depth) {
    struct err e = OK;
    DIR *d = fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return err_errno(errno, "read a directory of a layer");
    }
    if (depth > DEPTH_MAX)
        e = err_new(ERR_UNSUPPORTED, "more than %d directories deep", DEPTH_MAX);
    for (struct dirent *n; !err_failed(e) && (n = readdir(d));)
        if (strcmp(n->d_name, ".") != 0 && strcmp(n->d_name, "..") != 0)
            e = visit(x, dirfd(d), dir, n->d_name, depth);
    closedir(d);
    return e;
}

static struct err explain(struct explain *x) {
    const struct json *names = json_get(x->args, "layers"), *made = json_get(x->args, "made");
    const struct json *below_list = json_get(x->args, "below");
    x->n = json_len(names);
    if (x->n > MOUNT_LAYERS_MAX)
        return err_new(ERR_INVALID, "more than %d layers", MOUNT_LAYERS_MAX);
    x->layers = arena_array(&x->arena, x->n + 1, sizeof *x->layers);
    x->root = node_new(x, NULL, "");
    size_t i = 0, left = x->n; /* the list is top first */
    for (; left > 0; i++) {
        /* What a stacked layer lies on follows it in the list: the two are read as one. */
        bool below = left > 1 && json_bool(json_at(below_list, left - 1), false);
        struct str base = below ? json_str(json_at(names, --left)) : STR("");
        struct str name = json_str(json_at(names, --left));
        int fd = -1;
        x->now = (int)i;
        x->layers[i].made_by = arena_str(&x->arena, json_str(json_at(made, i)));
        TRYF(layer_open(x->layers_fd, arena_str(&x->arena, name), arena_str(&x->arena, base), &fd),
             "layer %zu", i + 1);
        TRY(walk(x, fd, x->root, 0));
        map_done(&x->links);
    }
    x->n = i;
    return OK;
}

static void forget(struct node *k) {
    size_t it = 0;
    void *child;
    while (map_next(&k->children, &it, NULL, &child))
        forget(child);
    map_done(&k->children);
}

struct err image_explain_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                             size_t fds_n, struct buf *ret_result UNUSED) {
    struct explain x = {0};
    CLEAN_BUF struct buf body = {0}, out = {0};
    if (fds_n != 2)
        return err_new(ERR_INVALID, "expected two descriptors, got %zu", fds_n);
    x.layers_fd = fds[1];
    struct err e = json_parse(args, &x.args);
    if (!err_failed(e))
        e = explain(&x);
    if (err_failed(e)) {
        http_error_answer(&out, http_error_status(err_kind(e)), err_msg(e));
    } else {
        struct explain_image doc = {.layers = {x.layers, x.n, true, 0}};
        fields_print(&explain_image_fields, &doc, &body);
        http_plain_answer(&out, 200, "application/json", buf_str(&body));
    }
    if (fd_write_all(fds[0], out.data, out.len) < 0 && !err_failed(e))
        e = err_new(ERR_CANCELLED, "the client has left");
    if (x.root)
        forget(x.root);
    map_done(&x.links);
    json_free(x.args);
    arena_done(&x.arena);
    return e;
}
