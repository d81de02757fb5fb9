/* build/unpack.h - foreign tar streams to directories of ours. Private to build/. */
#pragma once
#include "build/copy.h"

/* ADD: every file among the items that is a tar archive (plain, gzip, zstd) is unpacked and
 * replaced by its content. Other files stay. ERR_UNSUPPORTED for archives in a compression that is
 * not read. */
struct err unpack_archives(struct copy *c);
/* A new directory below temp_fd with the stream's content; the stream may be compressed and is
 * taken over. */
struct err unpack_stream(struct stream *in, int temp_fd, unsigned *serial, int *ret_fd);
