/* copy.h - objects of one tree copied into another: a volume that is filled, a root file system
 * that is made of layers, what a container wrote.
 *
 * Data is shared where the file system can (FICLONE, ioctl_ficlonerange(2)), else copied; holes
 * stay holes. Owner, mode, times and extended attributes come along, the overlay's own attributes
 * do not. Both trees may be hostile: every call is one name below an open directory, never
 * followed. A regular file that is exchanged meanwhile is ERR_CONFLICT. Any thread; blocks. Tests:
 * test/kernel/volume-copy.c, test/kernel/rootfs.c.
 */
#pragma once
#include "base/err.h"
#include <sys/stat.h>

/* A file, link, device, fifo or socket (not a directory) of this name, which is not in to_dir yet.
 * st: of lstat. */
struct err copy_object(int from_dir, int to_dir, const char *name, const struct stat *st);
/* Owner, mode, attributes and times of a directory or file that has its content. Both open for
 * reading or O_PATH-less. */
struct err copy_attributes(int from, int to, const struct stat *st);
/* Data alone, from the start of both. */
struct err copy_data(int from, int to);
