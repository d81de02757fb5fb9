/* kernel/xattr.h - extended attributes by descriptor: xattr(7).
 *
 * fd: an open descriptor, or O_PATH (then through /proc/self/fd, which never follows a link: the
 * descriptor is the object). Names and values come from layers: their sizes are the kernel's limits
 * and are checked before allocation. Any thread. Tests: test/unit/archive/extract.c, test/kernel/volume-copy.c.
 */
#pragma once
#include "base/buf.h"
#include "base/vec.h"

#define XATTR_LIST_BYTES_MAX 65536  /* all names of a file, NULs included */
#define XATTR_VALUE_BYTES_MAX 65536 /* one value */

/* All names; none on file systems without attributes. */
struct err xattr_list(int fd, struct strv *ret_names);
/* ERR_NOT_FOUND when the file has no such attribute. */
struct err xattr_get(int fd, const char *name, struct buf *ret);
/* ERR_UNSUPPORTED when the file system has none of that kind (ENOTSUP), ERR_FORBIDDEN for EPERM. */
struct err xattr_set(int fd, const char *name, struct str value);
struct err xattr_remove(int fd, const char *name);
