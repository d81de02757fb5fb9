/* extract.h - unpacks a tar stream below a directory, as hostile as it may be.
 *
 * Every path is cleaned lexically ("/a", "./a/" and "b/../a" are "a"; one that starts with ".."
 * after that is refused) and its directory opened beneath the root by openat2 (kernel/beneath.h),
 * so no link in the archive or on disk leads out. The last component is never followed. What exists
 * is replaced, except that a directory entry merges with a directory. Hard links are made to what
 * the target names beneath the root, never through a link, never to a directory or whiteout.
 *
 * Kept: type, mode with set-id bits, numeric owner, mtime in ns, device numbers, extended
 * attributes user.* , security.capability and system.posix_acl_*. Others (trusted.*,
 * security.selinux) are state of a host, not of an image, and left out; user.overlay.* and
 * trusted.overlay.* would steer the overlay mount.
 *
 * Layers (EXTRACT_LAYER; OCI image-spec "Layer", "Whiteouts"): ".wh.name" becomes the overlay
 * whiteout (char 0:0), ".wh..wh..opq" the attribute trusted.overlay.opaque on its directory, other
 * ".wh..wh." names are bookkeeping of an old driver and skipped. A whiteout speaks about lower
 * layers: together with an entry of that name in the same layer it leaves the entry (a directory
 * then becomes opaque). A device 0:0 in the archive is refused, it would be a whiteout.
 *
 * Limits in struct extract_limits. The process must have umask 0. Directories get their times at
 * the end. Nobody else may change the tree meanwhile for the result to be what the archive says;
 * for the root not to be left, nothing is needed. Tests: test/unit/archive/extract.c; fuzz:
 * test/fuzz/tar.c.
 */
#pragma once
#include "archive/stream.h"
#include "archive/tar_read.h"

#define EXTRACT_PATH_MAX 4095
#define EXTRACT_DEPTH_MAX 512

struct extract_limits {
    uint64_t bytes; /* of file data */
    uint64_t entries;
};
/* A terabyte, ten million entries. */
extern const struct extract_limits extract_default_limits;

/* KEEP_KIND: a directory is never replaced by something else, nor something else by a directory:
 * ERR_INVALID "cannot overwrite …". OWNER: everything gets the owner that is given. */
enum { EXTRACT_LAYER = 1u, EXTRACT_KEEP_KIND = 2u, EXTRACT_OWNER = 4u };

struct extracted {
    uint64_t bytes;   /* of file data written */
    uint64_t entries; /* in the archive */
};
/* Reads `in` (borrowed) to its end. root: a directory, borrowed. After an error the tree is as far
 * as it came. */
struct err extract(struct stream *in, int root, unsigned flags, const struct extract_limits *limits,
                   struct extracted *ret);
/* The archive's root is the directory `below` of root (which is there; "" or a path without ".."),
 * but links on the way are resolved from root: what copying into a container needs. */
struct extract_into {
    const char *below;
    unsigned flags;
    uint32_t uid, gid; /* EXTRACT_OWNER */
};
struct err extract_into(struct stream *in, int root, const struct extract_into *o,
                        const struct extract_limits *limits, struct extracted *ret);
/* The path of an entry, or the target of a hard link, as it is understood: cleaned, "." for the
 * root, never above it, within the limits. */
struct err extract_path(const char *raw, char **ret);
