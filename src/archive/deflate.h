/* deflate.h - gzip for layers that go to a registry or into an archive: ISA-L level 1.
 *
 * Deterministic: the same bytes give the same output whatever the sizes of the writes, because
 * input is gathered into blocks of DEFLATE_BLOCK first. No name, no time in the header. Tests:
 * test/unit/archive/inflate.c (there and back).
 */
#pragma once
#include "base/err.h"
#include "base/sha256.h"

#define DEFLATE_BLOCK (256u << 10)

struct deflate;
/* Writes to fd (borrowed). */
struct deflate *deflate_new(int fd);
struct err deflate_add(struct deflate *d, const void *p, size_t n);
/* Flushes; gives the digest and size of what was written. */
struct err deflate_end(struct deflate *d, struct digest *ret_digest, uint64_t *ret_size);
void deflate_free(struct deflate *d); /* NULL allowed */
void deflate_clean(struct deflate **d);
#define CLEAN_DEFLATE OWN(deflate_clean)
