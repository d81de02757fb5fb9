/* tar_write.h - writes tar streams: ustar headers, pax records where ustar is too small.
 *
 * Deterministic: the same entries give the same bytes, for ever (a diff id made here must come out
 * again when the layer is written once more): records in a fixed order, no user names, no access
 * times. Times keep their nanoseconds by a pax record.
 * Source: POSIX.1-2017 pax interchange format. Tests: test/unit/archive/tar.c.
 */
#pragma once
#include "archive/tar_read.h"

/* Takes the bytes; an error ends the writing. */
struct tar_sink {
    struct err (*write)(void *arg, const void *p, size_t n);
    void *arg;
};
/* A header. For TAR_FILE exactly e->size bytes of data must follow by tar_put_data, then
 * tar_put_padding. xattrs are written in the order given. */
struct err tar_put_header(const struct tar_sink *s, const struct tar_entry *e);
struct err tar_put_data(const struct tar_sink *s, const void *p, size_t n);
struct err tar_put_padding(const struct tar_sink *s, uint64_t size);
/* Two zero blocks. */
struct err tar_put_end(const struct tar_sink *s);
/* Header, data and padding of a small file. */
struct err tar_put_file(const struct tar_sink *s, const char *path, struct str data, int64_t mtime);
