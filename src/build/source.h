/* build/source.h - files to copy: what a COPY or ADD source names below a root. Private to build/.
 *
 * A root is a directory that somebody else may have filled, the caller's say, or a packed tree
 * (build/packed.h): a context that was sent, an archive, the files of another stage. Every path is
 * resolved beneath it (kernel/beneath.h); links inside are copied as links, only the source itself
 * is followed.
 *
 * The digest of a file says what a cache key needs: type, mode, owner (unless the root's owners do
 * not count), content. Times do not count, as in the peer. Tests: test/unit/build/source.c. */
#pragma once
#include "archive/tar_read.h"
#include "base/sha256.h"
#include "build/digests.h"
#include "build/ignore.h"
#include <sys/stat.h>

#define SOURCE_FILES_MAX 1000000u
#define SOURCE_DEPTH_MAX 512u

struct packed;
struct packed_inode;
struct source_root {
    int fd;                      /* directory; borrowed */
    const struct packed *packed; /* or this, borrowed; NULL: the directory */
    const struct ignore *ignore; /* NULL: nothing is left out */
    struct digests *digests;     /* of its files; NULL: all are read */
    bool owners;                 /* uid and gid are kept; else everything is 0:0 */
};
/* One file of a source. Strings are in the arena. */
struct source_file {
    const char *path; /* relative to the item; "" for the item itself */
    const char *real; /* relative to the root */
    enum tar_type type;
    uint32_t mode, uid, gid, major, minor;
    uint64_t size;
    int64_t mtime, ctime;
    const char *target;             /* of a symbolic link */
    const struct source_file *same; /* an earlier name of the same inode: a hard link */
    dev_t dev;
    ino_t ino;
    nlink_t links;
    const struct packed_inode *packed; /* in such a root; else NULL */
    struct source_seen *seen;          /* what was read of it; NULL: is not kept */
};
struct source_seen {
    bool known;
    struct digest content;
};
struct source_files VEC_BODY(struct source_file *);
/* What one source (or one match of its pattern) is. */
struct source_item {
    const struct source_root *root;
    const char *name; /* base name as written */
    bool dir;
    bool archive;              /* unpacked when it is one */
    bool unpacked;             /* was one: its entries keep owner and mode, whatever is asked for */
    const char *under;         /* COPY --parents: its whole path below the destination; else NULL */
    struct source_files files; /* [0] is the item itself; parents before children, names in order */
    struct str content;        /* a heredoc's text: then there is no root and no file on disk */
};
struct source_items VEC_BODY(struct source_item);
void source_items_done(struct source_items *v);
#define CLEAN_SOURCES OWN(source_items_done)

/* Adds what `path` names: itself, or every match when it is a pattern (none is no error, as in the
 * peer). ERR_NOT_FOUND when a plain path is not there or left out. */
struct err source_find(const struct source_root *root, const char *path, struct arena *a,
                       struct source_items *ret);
/* COPY --parents: the same with `under` set: the path as written, from "/./" on when that is in it.
 * "**" stands for any number of directories. */
struct err source_find_parents(const struct source_root *root, const char *path, struct arena *a,
                               struct source_items *ret);
/* --exclude: takes out what the rules match, below a directory by the path in it, a file by its
 * name. A file that is taken out whole leaves an item without files, which is removed. */
void source_exclude(struct source_items *items, size_t first, const struct ignore *rules);
/* A file with this name and content, 0644. */
void source_doc(const char *name, struct str content, struct arena *a, struct source_items *ret);
/* The digest of a regular file's content and attributes (of none: of nothing); it is read once at
 * most. */
struct err source_content(const struct source_item *item, const struct source_file *f,
                          struct digest *ret);
/* A regular file of an item, open for reading. */
struct source_data {
    int fd;
    bool borrowed;
    uint64_t at, left; /* bytes */
    const struct packed_inode *packed;
};
struct err source_open(const struct source_root *root, const struct source_file *f,
                       struct source_data *ret);
/* Bytes read, 0 when nothing is left, -1 with errno. */
ssize_t source_read(struct source_data *d, void *p, size_t n);
/* From its beginning; borrows what is read. */
struct stream *source_stream(struct source_data *d);
void source_close(struct source_data *d);
#define CLEAN_SOURCE_DATA OWN(source_close)
/* The extended attributes that travel in images, in order of names; in the arena but for the vec.
 */
struct err source_xattrs(const struct source_data *d, struct arena *a, struct tar_xattrs *ret);
/* Does this one? (archive/extract.h keeps the same) */
bool source_xattr_travels(const char *name);
/* What comes before the data in the digest of a file's content: its attributes, its size. */
void source_hash_begin(struct sha256 *h, const struct tar_xattr *attrs, size_t n, uint64_t size);
/* A file of the root, whole, at most max bytes. ERR_NOT_FOUND. */
struct err source_text(const struct source_root *root, const char *path, size_t max,
                       struct buf *ret);
/* The root's rules for this Dockerfile: "<Dockerfile>.dockerignore", else ".dockerignore", else
 * none. */
struct err source_rules(const struct source_root *root, const char *dockerfile, struct ignore *ret);
struct err source_stat(const struct source_root *root, const char *path, struct stat *ret);
/* What source_hash looks at, of one file, in short. */
struct source_marks {
    uint64_t attributes, content;
};
struct err source_marks(const struct source_item *item, const struct source_file *f,
                        struct source_marks *ret);
/* Adds everything that matters of the item to the hash; reads the files. */
struct err source_hash(const struct source_item *item, struct sha256 *h);
