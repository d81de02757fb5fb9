/* build/packed.h - a tree that came as a tar and is kept as what came: a spool file with the data
 * of its files, and an index of its entries in memory. Private to build/.
 *
 * A context that the client sends, an archive that ADD unpacks, the files of another stage: they
 * are looked at and copied, few of them more than once. Unpacked they would cost an inode each,
 * made and removed again; as data behind each other they cost what they weigh. The digest of each
 * file is computed while it passes. What a RUN mounts is unpacked from here (build/trees.h).
 *
 * The result is the tree that archive/extract.h would make of the same stream: paths are cleaned
 * and stay inside, the last of several entries wins, a directory merges, what is missing above an
 * entry is made (0755), links on the way are followed inside the tree, hard links share an inode.
 * Its limits hold as well, and PACKED_INDEX_MAX for the index.
 *
 * Filled by one thread; then it does not change, and any thread may ask. The spool has no name and
 * ends with its descriptor. Tests: test/unit/build/packed.c, test/e2e/t6026-packed-contexts.sh. */
#pragma once
#include "archive/extract.h"
#include "base/map.h"
#include "base/sha256.h"
#include <sys/stat.h>

#define PACKED_INDEX_MAX (UINT64_C(2) << 30) /* bytes of memory */
#define PACKED_LINKS_MAX 40u                 /* symbolic links on one way, as the kernel's */

struct packed_inode;
struct packed_name {
    const char *name;
    struct packed_inode *inode;
};
struct packed_names VEC_BODY(struct packed_name);
struct packed_inode {
    enum tar_type type; /* TAR_LINK never */
    uint32_t mode, uid, gid, major, minor;
    uint32_t links; /* names of it */
    uint64_t number;
    int64_t mtime;     /* wall ns */
    uint64_t size, at; /* of a file: where its data is in the spool */
    const char *target;
    struct tar_xattr *xattrs; /* of a file, those that travel, in order of names */
    size_t xattrs_n;
    struct digest content;  /* of a file: build/source.h, source_content */
    struct packed_dir *dir; /* of a directory; else NULL */
};
struct packed_dir {
    struct packed_inode *parent;
    struct map by_name;        /* → struct packed_inode */
    struct packed_names names; /* in byte order, when all is there */
};
struct packed;
/* Reads the stream (compressed or not; taken over) to its end. The spool is made in temp_fd. */
struct err packed_receive(struct stream *in, int temp_fd, unsigned *serial,
                          const struct extract_limits *limits, struct packed **ret);
struct packed *packed_free(struct packed *p); /* NULL allowed; returns NULL */
void packed_clean(struct packed **p);
#define CLEAN_PACKED OWN(packed_clean)

/* What is at the path, resolved as if the tree were "/" (kernel/beneath.h); follow: also where the
 * last component is a link. ERR_NOT_FOUND; ERR_INVALID for a ring of links. */
struct err packed_find(const struct packed *p, const char *path, bool follow,
                       const struct packed_inode **ret);
/* The entry of a directory; NULL: none. */
const struct packed_inode *packed_child(const struct packed_inode *dir, const char *name);
void packed_stat(const struct packed_inode *i, struct stat *ret);
int packed_spool(const struct packed *p); /* borrowed; for pread(2) */
/* The content of a regular file, at most max bytes. */
struct err packed_read(const struct packed *p, const char *path, size_t max, struct buf *ret);
