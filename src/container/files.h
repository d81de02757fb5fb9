/* files.h - a container's files seen from outside: archive (cp), export, changes. Private to
 * container/.
 *
 * The daemon gives the client's socket to a worker, which writes the whole answer. What the worker
 * sees:
 *   running, archive     the container's own mounts, through /proc/PID/root (with its volumes and
 *                        tmpfs mounts), after a check that PID is still the same process;
 *   stopped, archive     an overlay of the image's layers and what the container wrote, with its
 *                        volumes, in a mount namespace of the worker's own;
 *   export, changes      what the container wrote on top of the layers, without any mount.
 * A container with a whole root (image/rootfs.h) is that directory, in place of an overlay; for
 * changes it is compared with the image first.
 * Reading never makes an overlay whose upper directory is the container's: that may be in use. What
 * was written is then one more read-only layer on top. Writing into a stopped container does, and
 * holds its op queue meanwhile.
 *
 * Every path is the container's or the client's, both hostile: openat2 beneath the root.
 * Source: Engine API 1.51 ContainerArchive*, ContainerExport, ContainerChanges.
 * Tests: test/e2e/t2020-files.sh, t1140-drivers.sh. */
#pragma once
#include "container/container.h"

enum files_what {
    FILES_STAT,
    FILES_GET,
    FILES_PUT,
    FILES_EXPORT,
    FILES_CHANGES,
};
struct files_mount {
    char *source, *destination;
    bool rw;
    uint32_t keep; /* n: descriptor 2+n of the job is a volume's keep (volume/volume.h); 0: none */
    char *subpath;
    struct strs layers;           /* of an image */
    char *type, *device, *option; /* of a volume that is a mount and that nobody runs with */
};
/* Arguments of the job "container-files". Descriptors: client, layers, then the request's body
 * (packed by http_body_pack) for FILES_PUT, then keeps. */
struct files_args {
    uint32_t what; /* enum files_what */
    char *name;    /* of the container as the client said it, for messages */
    char *path;
    struct strs layers; /* top first, below the layers' directory */
    char *upper;        /* the same way to the container's upper directory */
    char *directory;    /* absolute: upper and work, or root, are in it */
    char *place;        /* absolute: an existing directory to mount on in a namespace of our own */
    int64_t pid;        /* 0: stopped */
    uint64_t start_time;
    struct objs mounts; /* struct files_mount */
    bool read_only, keep_kind, own;
    bool whole;  /* the worker's: the container has a whole root (image/rootfs.h) */
    bool volume; /* no container: mounts[0] is a volume, and all there is */
    char *user;
};
extern const struct fields files_args_fields;

/* Daemon: the request's body for the worker. */
struct err files_pack_body(const struct http_taken *t, int *ret_fd);

/* The file system to look at; *ret_layer_only for changes. */
struct err files_open_root(const struct files_args *a, int layers_fd, const int *keeps,
                           size_t keeps_n, int *ret_fd);
/* The image's layers alone; -1 when there are none. */
struct err files_open_image(const struct files_args *a, int layers_fd, int *ret_fd);
/* Where path leads inside root, every link followed, as a clean absolute path. What does not exist
 * is taken as it is. For people to read: never opened. Owned. */
char *files_resolve(int root, const char *path);
/* JSON array of struct api_change: upper (a directory) against image (-1: nothing). */
struct err files_changes(int upper, int image, struct buf *ret_json);
