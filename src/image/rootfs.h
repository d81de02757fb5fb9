/* rootfs.h - a container's root file system on disk: three drivers behind one interface.
 *
 *   overlay2  an empty directory to write into, `upper`, that the monitor mounts over the image's
 *             layers. The default; nothing is copied.
 *   btrfs     a snapshot, `root`, of a subvolume that has all the image's layers applied. That one,
 *             the base, is made when the first container of an image is (its data shared with the
 *             layers), lies in <data root>/image/base/<top layer>/ and goes with that layer.
 *   vfs       a copy of it all, `root`; data is shared where the file system can (reflink).
 *
 * Images and layers are the same for all three, and which driver made a container is seen from what
 * lies in its directory: another driver at the next start of the daemon changes nothing for what is
 * there. To commit or to tell changes of a whole `root`, it is compared with the image and what is
 * new is put together as an overlay's upper directory (rootfs_written): from there on all is the
 * same. Files count as unchanged when type, owner, mode, size, time of change (ns) and attributes
 * are equal.
 *
 * Limits of size (--storage-opt size=): overlay2 and vfs by project quota (ext4, xfs mounted with
 * prjquota), btrfs by quota groups (`btrfs quota enable`); refused where these are missing.
 *
 * Threads: rootfs_driver_* anywhere; the rest blocks: pool or worker. Part of the door image.h.
 * Tests: test/kernel/rootfs.c, test/e2e/t1140-drivers.sh (the image and container tests again on
 * each driver), t1141-storage-size.sh; test/vm runs the former on ext4.
 */
#pragma once
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define ROOTFS_WHOLE "root"  /* in the container's directory */
#define ROOTFS_UPPER "upper" /* beside `work` */

struct rootfs_driver;
extern const struct rootfs_driver rootfs_overlay, rootfs_btrfs, rootfs_vfs;
/* By a name that clients know ("overlay2", "overlay", "btrfs", "vfs"). ERR_UNSUPPORTED with the
 * reason, or ERR_INVALID. */
struct err rootfs_driver_find(const char *name, const struct rootfs_driver **ret);
const char *rootfs_driver_name(const struct rootfs_driver *d);

/* What a root is made of. */
struct rootfs {
    const struct rootfs_driver *driver; /* only rootfs_make looks at it */
    int layers_fd;                      /* images_layers_dirfd */
    const char *const *layers;          /* image_layer_names: top first */
    size_t layers_n;
    int dir_fd;     /* the container's own directory */
    const char *id; /* of the container */
    uint64_t size;  /* limit in bytes; 0: none */
    bool brief;     /* need not survive a power cut */
};
/* What is missing is made, whole or not at all; does nothing when there is one of any driver.
 * ERR_UNSUPPORTED: the limit of size, by name. */
struct err rootfs_make(const struct rootfs *r);
/* Does the container have a whole root (btrfs, vfs)? Otherwise it is an overlay's. */
bool rootfs_is_whole(int dir_fd);
/* What a container with a whole root wrote, as a new directory in dir_fd with an overlay's
 * whiteouts; the caller renames it away or removes it. */
struct err rootfs_written(const struct rootfs *r, char ret_name[32]);
/* Bytes on disk of what it wrote. */
struct err rootfs_usage(const struct rootfs *r, uint64_t *ret_bytes);
/* Everything below parent_fd/name, the container's directory. */
struct err rootfs_remove(int parent_fd, const char *name);
