/* inflate.h - streams that were compressed: gzip (RFC 1952) and zstd (RFC 8878), told by magic.
 *
 * gzip by ISA-L, or by zlib where ISA-L is missing or INFLATE_ZLIB asks for it (ISA-L reads foreign
 * bytes: the switch is there for the day it has a hole; both give the same verdict in the tests).
 * Concatenated gzip members and zstd frames follow each other; a cut stream, a wrong checksum or
 * bytes after the end that are not zero padding are ERR_INVALID. xz and bzip2 are refused by name
 * (decode.h reads them).
 * Bombs: beyond INFLATE_FREE bytes more than INFLATE_RATIO times the input is refused. zstd windows
 * above 128 MiB are refused.
 * Tests: test/unit/archive/inflate.c; fuzz: test/fuzz/tar.c.
 */
#pragma once
#include "archive/stream.h"

#define INFLATE_RATIO 100
#define INFLATE_FREE (UINT64_C(1) << 30)

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };
#define INFLATE_ZLIB 1u /* flag */

/* Looks at the first bytes of `from` (taken over, also on failure) and gives the plain stream. */
struct err inflate_open(struct stream *from, unsigned flags, struct stream **ret,
                        enum compression *ret_kind);
