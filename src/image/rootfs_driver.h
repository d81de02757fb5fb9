/* rootfs_driver.h - what a driver of root file systems gives. Private to image/. */
#pragma once
#include "image/rootfs.h"

struct rootfs_driver {
    const char *name;
    bool whole;
    /* Can it work on the file system of data_root? ERR_UNSUPPORTED says why not. */
    struct err (*probe)(int data_root_fd);
    /* Would a limit of size count there? */
    struct err (*probe_size)(int data_root_fd);
    struct err (*make)(const struct rootfs *r);
};

/* Where btrfs keeps what it makes snapshots of for an image with these layers (top first), from the
 * image directory: "base/<top layer>/<name>". n > 0. */
#define ROOTFS_BASE_MAX 48
void rootfs_base_path(const char *const *layers, size_t n, char out[ROOTFS_BASE_MAX]);
/* Whatever a driver made for images whose top layer goes. */
struct err rootfs_drop_bases(int layers_fd, const char *layer);
/* flatten.c: the layers names[0..n), top first, one after the other onto the directory to. keep:
 * what they say about layers below them stays (whiteouts, opaque directories). */
struct err flatten(int layers_fd, const char *const *names, size_t n, bool keep, int to);
/* written.c: what tree has that image (-1: nothing) has not, as an upper directory in out (empty);
 * out -1: counted alone. */
struct err written(int image, int tree, int out, uint64_t *ret_bytes);
