/* build/unpack.h - foreign tar streams to directories of ours. Private to build/. */
#pragma once
#include "archive/decode.h"
#include "build/copy.h"

/* ADD: every file among the items that is a tar archive, compressed or not, is replaced by its
 * content. Other files stay. */
struct err unpack_archives(struct copy *c);
/* A new directory below temp_fd with the stream's content; the stream may be compressed and is
 * taken over. */
struct err unpack_stream(struct stream *in, int temp_fd, unsigned *serial, int *ret_fd);
/* Is the file a tar archive, compressed or not? */
struct err unpack_is_archive(int dir, const char *name, bool *ret);
