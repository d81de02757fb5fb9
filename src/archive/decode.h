/* decode.h - archives as they come: what inflate.h reads, and xz and bzip2 (told by magic).
 *
 * For archives that people hand over; layers are plain, gzip or zstd and nothing else (OCI
 * image-spec). Bombs are refused as inflate.h says, xz dictionaries beyond 256 MiB too; members may
 * follow each other, what is cut or damaged is ERR_INVALID. liblzma and libbz2 are loaded when the
 * first such stream comes: never after entering a container's mount namespace, where they would be
 * its. Tests: test/unit/archive/decode.c, e2e t1151, t6006. */
#pragma once
#include "archive/inflate.h"

/* from: taken over, also on failure. */
struct err decode_open(struct stream *from, struct stream **ret);
