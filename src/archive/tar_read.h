/* tar_read.h - a strict reader of tar streams: ustar, pax and GNU long names.
 *
 * Reads headers one by one from a stream; the data of an entry is read in between or skipped by the
 * next call. The stream is consumed to its end by tar_finish (a diff id covers the padding too).
 *
 * Strictness: checksums must be right; numbers must be whole, not negative and in range (octal or
 * base 256); pax records must have the length they say; NUL in names is refused; one header may
 * have TAR_HEADER_MAX bytes of pax records or long names; a stream that ends inside an entry is
 * refused. Sizes of links, devices, directories and fifos mean nothing (as for everybody else).
 * Global pax headers are skipped. Sparse files (tar_sparse.h) read as what they were, with zeros
 * for holes. Multi-volume parts and unknown types are refused by name. Extended attributes:
 * SCHILY.xattr.* (as Go, GNU tar and libarchive write them). Sources: POSIX.1-2017 pax interchange
 * format; GNU tar manual, "Basic Tar Format". Tests: test/unit/archive/tar.c; fuzz:
 * test/fuzz/tar.c.
 */
#pragma once
#include "archive/stream.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#define TAR_BLOCK 512
#define TAR_HEADER_MAX (1u << 20)
#define TAR_XATTRS_MAX 256
#define TAR_XATTR_NAME_MAX 255   /* XATTR_NAME_MAX */
#define TAR_XATTR_SIZE_MAX 65536 /* XATTR_SIZE_MAX */

enum tar_type { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_LINK, TAR_CHAR, TAR_BLOCKDEV, TAR_FIFO };

struct tar_xattr {
    const char *name; /* without the prefix */
    struct str value;
};
struct tar_xattrs VEC_BODY(struct tar_xattr);

struct tar_entry { /* pointers are valid until the next tar_next */
    enum tar_type type;
    const char *path;   /* as it came: may be absolute, hold "..", end with '/' */
    const char *target; /* of links; "" otherwise */
    uint64_t size;      /* of TAR_FILE, 0 otherwise */
    uint32_t mode;      /* 07777 */
    uint32_t uid, gid;
    uint32_t major, minor;
    int64_t mtime; /* wall ns */
    struct tar_xattrs xattrs;
};

struct tar_reader;
/* Borrows the stream, and reads ahead of what it gives. */
struct tar_reader *tar_reader_new(struct stream *s);
void tar_reader_free(struct tar_reader *t); /* NULL allowed */
void tar_reader_clean(struct tar_reader **t);
#define CLEAN_TAR_READER OWN(tar_reader_clean)
/* The next entry, or *ret = NULL at the end of the archive. */
struct err tar_next(struct tar_reader *t, const struct tar_entry **ret);
/* Where in the archive the current entry's headers begin, and the one before it ends; after the
 * last entry: where the closing blocks do. */
uint64_t tar_begin(const struct tar_reader *t);
/* Data of the current entry; *ret_n = 0 at its end. */
struct err tar_read(struct tar_reader *t, void *p, size_t n, size_t *ret_n);
/* Bytes of the hole at this place of the current entry's data, which are skipped; 0: there is none.
 * For who can do better than write zeros. */
uint64_t tar_skip_hole(struct tar_reader *t);
/* The whole data of the current entry, at most max bytes (else ERR_INVALID). */
struct err tar_read_all(struct tar_reader *t, size_t max, struct buf *ret);
/* The data of the current entry as a stream; free it before the next tar_next. */
struct stream *tar_data(struct tar_reader *t);
/* Reads what follows the end of the archive. */
struct err tar_finish(struct tar_reader *t);
