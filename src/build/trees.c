/* build/trees.c - trees of images and of the context, unpacked. */
#include "build/trees.h"
#include "archive/extract.h"
#include "base/file.h"
#include "base/path.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/tree_stream.h"
#include "build/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct err stage_or_image(struct build *b, struct stage *stage, const struct instr *in,
                          const char *name, const char **ret) {
    struct stage *other;
    struct build_base base = {0};
    const char *context = plan_context(b->plan, name);
    if (context)
        TRY(named_image(b, context, &name));
    other = NULL;
    if (!context)
        TRY(plan_stage(b->plan, stage, in, name, stage->state.file, &other));
    if (other) {
        TRY(execute_stage(b, other));
        *ret = other->state.layers;
        return OK;
    }
    TRY(base_find(b, name, &base));
    *ret = base.image;
    return OK;
}

/* Asks for the tree; the answer can then be read. */
static struct err image_ask(struct build *b, const char *image, const char *source,
                            const char **ret_path) {
    struct strs ask = {0};
    struct objs answer;
    strs_add(&ask, b->arena, source);
    TRY(AWAIT(b, daemon_stat(b->client, image, &ask, b->arena, &answer)));
    const struct build_stat *st = answer.items;
    if (!st->type || !*st->type)
        return err_new(ERR_NOT_FOUND, "%s", source);
    struct str rest = strcmp(st->type, "dir") == 0 ? STR("/") : path_base(str_of(source));
    TRY(AWAIT(b, daemon_tree(b->client, image, source)));
    *ret_path = arena_str(b->arena, rest);
    return OK;
}

struct err image_packed(struct build *b, const char *image, const char *source, struct packed **ret,
                        const char **ret_path) {
    struct context *c = b->context;
    TRY(image_ask(b, image, source, ret_path));
    return AWAIT(b, packed_receive(tree_stream(b->client), c->temp_fd, &c->serial,
                                   &extract_default_limits, ret));
}

struct err image_tree(struct build *b, const char *image, const char *source, int *ret_root,
                      const char **ret_path) {
    struct context *c = b->context;
    TRY(image_ask(b, image, source, ret_path));
    return AWAIT(b, unpack_stream(tree_stream(b->client), c->temp_fd, &c->serial, ret_root));
}

static struct err tree_make(struct build *b, const struct source_root *root, const char *source,
                            int *ret_root, const char **ret_path) {
    CLEAN_LAYER struct layer layer = {0};
    CLEAN_SOURCES struct source_items items = {0};
    struct copy c = {.arena = b->arena, .dest = "/"};
    struct place at = {.path = "/", .type = "dir"};
    struct mode_change mode = {0};
    TRY(AWAIT(b, source_find(root, source, b->arena, &items)));
    if (items.n != 1)
        return err_new(ERR_NOT_FOUND, "%s", source);
    c.items = items; /* borrowed */
    TRY(copy_entries(&c, &at, NULL, &mode, &layer));
    CLEAN_LAYER_READER struct layer_reader *r = layer_reader_new(&layer);
    struct err e = AWAIT(
        b, unpack_stream(layer_stream(r), b->context->temp_fd, &b->context->serial, ret_root));
    struct err cause = layer_reader_error(r);
    if (err_failed(cause)) {
        err_free(e); /* only says that the stream broke off */
        return cause;
    }
    *ret_path = items.items[0].dir ? "/" : items.items[0].name;
    return e;
}

void bound_trees_done(struct bound_trees *v) {
    for (size_t i = 0; i < v->n; i++) {
        fd_close(v->items[i]->fd);
        free(v->items[i]);
    }
    vec_done(v);
}

static const struct bound_tree *bound_find(const struct context *c, const struct source_root *root,
                                           const char *source) {
    for (size_t i = 0; i < c->bound.n; i++)
        if (c->bound.items[i]->root == root && strcmp(c->bound.items[i]->source, source) == 0)
            return c->bound.items[i];
    return NULL;
}

struct err context_tree(struct build *b, const struct source_root *root, const char *source,
                        bool read_only, int *ret_root, const char **ret_path) {
    const struct bound_tree *known = read_only ? bound_find(b->context, root, source) : NULL;
    CLEAN_FD
    int fd = -1;
    if (!known) {
        TRY(tree_make(b, root, source, &fd, ret_path));
        if (!read_only) {
            *ret_root = TAKE_FD(fd);
            return OK;
        }
        struct bound_tree *t = NEW(struct bound_tree);
        *t = (struct bound_tree){root, source, *ret_path, TAKE_FD(fd)};
        vec_push(&b->context->bound, t);
        known = t;
    }
    *ret_path = known->path;
    *ret_root = fcntl(known->fd, F_DUPFD_CLOEXEC, 0);
    return *ret_root < 0 ? err_errno(errno, "open the tree of '%s'", source) : OK;
}
