/* build/layer.h - a layer as a tar stream that is read, entry by entry. Private to build/.
 * Nothing but the file being sent is in memory. Tests: test/unit/build/copy.c. */
#pragma once
#include "base/map.h"
#include "build/source.h"

/* One entry of the layer. */
struct layer_entry {
    const char *path; /* relative, no leading '/' */
    enum tar_type type;
    uint32_t mode, uid, gid;
    int64_t mtime;
    const struct source_item *item; /* NULL: a directory that is made, or that exists */
    const struct source_file *file;
    const char *link; /* hard link: path of an earlier entry */
};
struct layer_entries VEC_BODY(struct layer_entry *);
struct layer {
    struct layer_entries entries; /* parents before children */
    struct map by_path;
};
void layer_done(struct layer *l);
#define CLEAN_LAYER OWN(layer_done)
/* Adds or replaces the entry at this path. */
struct layer_entry *layer_put(struct layer *l, struct arena *a, const char *path);
struct layer_entry *layer_get(const struct layer *l, const char *path);
/* Entries in the order in which archive/layer_tar.h walks a directory: else the daemon could not
 * make the same bytes again from the unpacked layer, for a push. */
void layer_sort(struct layer *l);
/* That order: byte order of names, a directory before what is in it. */
int layer_path_order(const char *a, const char *b);

struct layer_reader;
struct layer_reader *layer_reader_new(const struct layer *l);
void layer_reader_free(struct layer_reader *r);
void layer_reader_clean(struct layer_reader **r);
#define CLEAN_LAYER_READER OWN(layer_reader_clean)
/* For http/client.h's body_read: arg is the reader. After -errno, layer_reader_error says why. */
ssize_t layer_read(void *arg, void *p, size_t n);
/* The error that ended the reading (taken over); OK when there was none. */
struct err layer_reader_error(struct layer_reader *r);
