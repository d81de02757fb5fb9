/* kernel/beneath.h - paths below a root that somebody else controls: openat2(2).
 *
 * Every path here is hostile: a layer, a rootfs, a volume or a running container can put a symbolic
 * link anywhere and exchange it at any moment. It is resolved by the kernel in one step as if
 * `root` were "/" (RESOLVE_IN_ROOT: "..", absolute links and absolute paths stay inside) and never
 * through a magic link of /proc (RESOLVE_NO_MAGICLINKS). The result is a descriptor; act on that,
 * never on the path again. Where openat2 is missing (before 5.6, or a filter that says ENOSYS) the
 * path is walked by hand with one O_PATH|O_NOFOLLOW descriptor per directory, with the same result.
 *
 * root: any directory descriptor (O_PATH will do), borrowed. path: relative or absolute, the same
 * thing; "" and "/" are the root itself. At most PATH_MAX bytes, else ERR_INVALID.
 * Errors: ERR_NOT_FOUND for ENOENT and ENOTDIR, ERR_INVALID for ELOOP and ENAMETOOLONG, else
 * ERR_SYSTEM; errno is kept. Any thread; keeps no state. Tests: test/kernel/beneath.c.
 */
#pragma once
#include "base/buf.h"
#include <sys/stat.h>

/* open(2) flags; O_CLOEXEC is added. O_CREAT is allowed and takes mode; add O_NOFOLLOW (or O_EXCL)
 * where a link as last component must be refused. */
struct err beneath_open(int root, const char *path, int flags, mode_t mode, int *ret_fd);
/* mkdir -p: makes what is missing with mode (before umask) and gives the last directory as O_PATH.
 * A link that leads nowhere is followed: its target is made, inside the root. */
struct err beneath_mkdirs(int root, const char *path, mode_t mode, int *ret_fd);
/* Opens the file as O_PATH, or makes it (empty, with missing parents 0755) when nothing is there:
 * a place for a bind mount of a file. A directory there is ERR_INVALID. */
struct err beneath_touch(int root, const char *path, mode_t mode, int *ret_fd);
/* Splits off the last component: *ret_dir is an O_PATH descriptor of its directory (made with 0755
 * when make), *ret_name a borrowed part of path, for the *at calls with AT_SYMLINK_NOFOLLOW. The
 * path must have a last component that is not ".." */
struct err beneath_parent(int root, const char *path, bool make, int *ret_dir,
                          const char **ret_name);
/* The content of a regular file (anything else, or more than max bytes: ERR_INVALID). */
struct err beneath_read(int root, const char *path, size_t max, struct buf *ret);
/* Text of the symbolic link that is the last component. ERR_INVALID when it is not a link. */
struct err beneath_readlink(int root, const char *path, struct buf *ret);
struct err beneath_stat(int root, const char *path, bool follow, struct stat *ret);
