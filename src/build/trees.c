/* build/trees.c - trees of images and of the context, unpacked. */
#include "build/trees.h"
#include "archive/extract.h"
#include "base/path.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/tree_stream.h"
#include "build/unpack.h"
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

struct err image_tree(struct build *b, const char *image, const char *source, int *ret_root,
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
    TRY(AWAIT(b, unpack_stream(tree_stream(b->client), b->context->temp_fd, &b->context->serial,
                               ret_root)));
    *ret_path = arena_str(b->arena, rest);
    return OK;
}

struct err context_tree(struct build *b, const struct source_root *root, const char *source,
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
    struct err e = unpack_stream(layer_stream(r), b->context->temp_fd, &b->context->serial,
                                 ret_root);
    struct err cause = layer_reader_error(r);
    if (err_failed(cause)) {
        err_free(e); /* only says that the stream broke off */
        return cause;
    }
    *ret_path = items.items[0].dir ? "/" : items.items[0].name;
    return e;
}
