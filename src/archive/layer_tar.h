/* layer_tar.h - a directory as a tar stream: a layer directory, or a container's upper directory.
 *
 * The walk is in byte order of names, parents before children, the root not mentioned; a second
 * name of a file is a hard link to the first. Overlay whiteouts come out as ".wh.name", opaque
 * directories with a ".wh..wh..opq" first. Sockets are left out. trusted.* attributes are the
 * overlay's and stay behind. The same tree gives the same bytes (tar_write.h), so the stream of a
 * layer made here can be made again for a push and has the same diff id. What overlay would need
 * more than the tree for (redirected or metadata-only copies) is refused; corten mounts with both
 * off.
 *
 * No recursion: depth is bounded by LAYER_TAR_DEPTH_MAX open directories. Directories are opened
 * relative to their parent's descriptor, links are never followed.
 * Tests: test/unit/archive/extract.c.
 */
#pragma once
#include "archive/tar_write.h"

#define LAYER_TAR_DEPTH_MAX 512

struct layer_tar {
    uint64_t entries; /* written */
    uint64_t bytes;   /* of file data */
};
/* Empty files and directories that a runtime makes to mount on are left out: etc/hosts,
 * etc/hostname, etc/resolv.conf, dev, proc, sys. */
enum { LAYER_TAR_NO_MOUNTPOINTS = 2u };
/* The same by removing them, and an etc that held nothing else. dir: an upper directory that
 * becomes a layer. */
struct err layer_drop_mountpoints(int dir);
enum { LAYER_TAR_PLAIN = 1u }; /* whiteouts mean nothing here: copy nodes as they are (export) */
/* Ends with tar_put_end. dir: borrowed. */
struct err layer_tar(int dir, unsigned flags, const struct tar_sink *s, struct layer_tar *ret);
/* One file, link or directory of dir (name "." for dir itself) as a tar whose names begin with `as`
 * ("" gives "/", "/bin" …). Ends with tar_put_end. */
struct err layer_tar_tree(int dir, const char *name, const char *as, unsigned flags,
                          const struct tar_sink *s, struct layer_tar *ret);
/* Bytes of file data and whether anything is in there at all. */
struct err layer_size(int dir, uint64_t *ret_bytes, bool *ret_empty);
