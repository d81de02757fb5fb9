/* packed.h - rotated log files that were compressed; private to logs/.
 *
 * A packed file `<name>.N.gz` is a gzip stream (RFC 1952) that any gunzip reads: an empty member
 * whose extra field holds the index, then one member per part, each of whole records. Who wants the
 * last lines, or those since a time, inflates the parts that have them and no other. A .gz of
 * somebody else's has no index: it is one part that is read from its beginning.
 *
 * Written by the program corten-compress on behalf of the monitor (pack.c), read by the worker
 * (packed.c). All numbers are little-endian. Tests: test/unit/logs/packed.c.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

#define PACKED_SUFFIX ".gz"
#define PACKED_PART_SUFFIX ".gz.part"  /* being made; there is at most one of a log */
#define PACKED_RAW (UINT64_C(1) << 20) /* bytes of a part before compression, at least */
#define PACKED_PARTS 1000u
#define PACKED_HEAD (256u << 10) /* bytes that tell one file from another: a record at least */

/* Where what stands in the header. */
#define PACKED_AT_LENGTH 10 /* u16: of the extra field */
#define PACKED_AT_FIELD 12  /* 'C' 'T', u16 length */
#define PACKED_AT_VERSION 16
#define PACKED_AT_COUNT 20
#define PACKED_AT_TELLS 24 /* u64: packed_tell of the raw bytes */
#define PACKED_AT_RAW 32   /* u64: raw bytes in all */
#define PACKED_AT_PARTS 40
#define PACKED_PART_SIZE 40 /* offset, raw bytes, records, first time, last time */
#define PACKED_EMPTY 10     /* bytes of an empty deflate stream and its trailer */

struct packed_part {
    uint64_t offset; /* in the file */
    uint64_t raw, records;
    int64_t first, last; /* wall ns, smallest and largest; INT64_MIN and MAX: of all times */
};
struct packed {
    int fd; /* borrowed */
    bool indexed;
    uint64_t tells, raw;
    struct packed_part *parts;
    size_t n;
    struct stream *stream; /* NULL: nothing is being read */
    uint64_t at;           /* raw offset of what it gives next */
};

uint64_t packed_tell(const void *p, size_t n);
uint64_t packed_get(const unsigned char *p, size_t bytes);
void packed_put(unsigned char *p, size_t bytes, uint64_t v);

/* NULL in *ret: no gzip file (yet). */
struct err packed_open(int fd, struct packed **ret);
struct packed *packed_free(struct packed *p); /* NULL allowed */
/* As pread(2) of the raw bytes; forward reads go on where the last one ended. */
struct err packed_read(struct packed *p, void *to, size_t n, uint64_t offset, size_t *ret_n);
/* Where the last *n records begin; false: there are fewer, *n is what is left to be found. */
struct err packed_tail(struct packed *p, uint64_t *n, bool *ret_found, uint64_t *ret_offset);
/* Raw offset of the first part that may hold a record of `since` or later. */
uint64_t packed_since(const struct packed *p, int64_t since);

/* Compresses what src holds into the new file `name` of dir. Blocks. */
struct err pack_file(int src, int dir, const char *name);
