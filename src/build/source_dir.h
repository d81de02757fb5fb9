/* build/source_dir.h - directories of a root, on disk or packed (build/packed.h). Private to
 * build/source*.c. Links are not followed but on the way to a root's path, and then inside it. */
#pragma once
#include "base/vec.h"
#include "build/source.h"
#include <sys/stat.h>

struct source_dir {
    int fd;                            /* owned; -1: packed */
    const struct packed_inode *packed; /* NULL: on disk */
};
void source_dir_done(struct source_dir *d);
#define CLEAN_SOURCE_DIR OWN(source_dir_done)

/* The directory at the root's path. ERR_NOT_FOUND. */
struct err source_dir_open(const struct source_root *root, const char *path,
                           struct source_dir *ret);
/* A directory in it, by name; false: there is none (errno). */
bool source_dir_sub(const struct source_dir *d, const char *name, struct source_dir *ret);
/* Its names, in byte order. */
struct err source_dir_names(const struct source_dir *d, struct strv *ret);
/* What a name is; *ret_packed: NULL on disk. */
struct err source_dir_stat(const struct source_dir *d, const char *name, struct stat *ret,
                           const struct packed_inode **ret_packed);
/* The target of a link. */
struct err source_dir_link(const struct source_dir *d, const char *name, struct arena *a,
                           const char **ret);
