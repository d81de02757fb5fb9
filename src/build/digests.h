/* build/digests.h - digests of files that were read before, by inode and times. Private to build/.
 *
 * A context that is a directory of the caller is read once; after that a file whose device, inode,
 * size, mtime and ctime are those of last time is not opened again (ctime cannot be set by a
 * program, and changes with the extended attributes, too). A file that was changed less than
 * DIGESTS_SETTLE ago is not remembered: another change could leave the same times.
 *
 * One file per context, replaced as a whole after the build, native endian; one that cannot be read
 * is as good as none. Any thread may ask and add; opening and saving are one thread's.
 * Tests: test/unit/build/digests.c. */
#pragma once
#include "base/sha256.h"

#define DIGESTS_MAX 2000000u              /* entries */
#define DIGESTS_SETTLE INT64_C(100000000) /* ns */

struct digests;
/* What a file looks like: equal when its content is. */
struct digest_stamp {
    uint64_t dev, ino, size;
    int64_t mtime, ctime; /* wall ns */
};
/* path: of the file; it need not exist. */
struct digests *digests_open(const char *path);
bool digests_find(const struct digests *d, const struct digest_stamp *s, struct digest *ret);
void digests_add(struct digests *d, const struct digest_stamp *s, const struct digest *digest);
/* Writes what is new, if anything. */
struct err digests_save(struct digests *d);
struct digests *digests_free(struct digests *d); /* NULL allowed; returns NULL */
