/* build/trees.h - trees of files for a step: out of an image, out of the context. Private to
 * build/.
 *
 * They are made in the builder's own directory (build/context.h), owners and modes kept, and live
 * as long as the build. */
#pragma once
#include "build/execute.h"

/* The image behind --from or from=: the step image of a stage (which runs first), or an image by
 * name. Full id. */
struct err stage_or_image(struct build *b, struct stage *stage, const struct instr *in,
                          const char *name, const char **ret);
/* What `source` ("/…", no pattern) is in the image, as a packed tree of the caller's that holds it
 * at *ret_path. ERR_NOT_FOUND. */
struct err image_packed(struct build *b, const char *image, const char *source, struct packed **ret,
                        const char **ret_path);
/* The same as a new directory *ret_root. */
struct err image_tree(struct build *b, const char *image, const char *source, int *ret_root,
                      const char **ret_path);
/* The same of the context, without what the ignore rules leave out. One that is read only is made
 * once for all steps. */
struct err context_tree(struct build *b, const struct source_root *root, const char *source,
                        bool read_only, int *ret_root, const char **ret_path);

struct bound_tree {
    const struct source_root *root;
    const char *source, *path;
    int fd;
};
void bound_trees_done(struct bound_trees *v);
