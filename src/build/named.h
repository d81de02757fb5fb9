/* build/named.h - contexts that the build gave a name (--build-context): directories, images, OCI
 * layouts. Private to build/. Each is opened or loaded once, when a stage first wants it.
 * Tests: test/e2e/t6024-named-contexts.sh. */
#pragma once
#include "build/execute.h"

#define CONTEXT_IMAGE "docker-image://"
#define CONTEXT_LAYOUT "oci-layout://" /* and DIR, DIR:NAME or DIR@DIGEST */

/* Is the context's value a directory? */
bool context_is_dir(const char *value);
/* The files of a directory context, with its own ignore rules. With the turn. */
struct err named_root(struct build *b, const char *dir, const struct source_root **ret);
/* What base_find knows an image context by. With the turn, which is given away meanwhile. */
struct err named_image(struct build *b, const char *value, const char **ret_name);

struct named_dir {
    char *path;
    struct ignore rules;
    struct source_root root;
};
void named_dirs_done(struct named_dirs *v);

/* build/layout.c: brings a layout's images into the daemon; without a name it must have one. */
struct err layout_load(struct build *b, const char *path, const char **ret_image);
/* The image that DIR[:NAME|@DIGEST] means. */
struct err layout_image(struct build *b, const char *value, const char **ret_image);
