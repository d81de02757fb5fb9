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
/* What `source` ("/…", no pattern) is in the image: *ret_root is a new directory, owned by the
 * caller, that holds it at *ret_path. ERR_NOT_FOUND. */
struct err image_tree(struct build *b, const char *image, const char *source, int *ret_root,
                      const char **ret_path);
/* The same of the context, without what the ignore rules leave out. */
struct err context_tree(struct build *b, const struct source_root *root, const char *source,
                        int *ret_root, const char **ret_path);
