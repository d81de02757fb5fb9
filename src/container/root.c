/* Where a container's root file system comes from and what it may take: its share of
 * image/rootfs.h. */
#include "base/file.h"
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the limit of its size: --storage-opt size= ------------------------------------------------
 */

struct err container_size_limit(const struct api_host_config *h, uint64_t *ret) {
    int64_t bytes = 0;
    for (size_t i = 0; i < h->storage_opt.n; i++) {
        const char *key = h->storage_opt.items[i].key, *value = h->storage_opt.items[i].value;
        if (strcmp(key, "size") != 0)
            return err_new(ERR_INVALID, "HostConfig.StorageOpt: unknown option %s, there is size",
                           key);
        struct err e = logs_parse_size(str_of(value), &bytes);
        if (err_failed(e) || bytes <= 0) {
            err_ignore(e); /* what it says is about logs */
            return err_new(ERR_INVALID, "HostConfig.StorageOpt: invalid size: '%s'", value);
        }
    }
    *ret = (uint64_t)bytes;
    return OK;
}

struct err container_size_check(const struct containers *cs, const struct api_host_config *h) {
    uint64_t bytes;
    TRY(container_size_limit(h, &bytes));
    if (bytes)
        TRYF(images_size_check(cs->config.images), "HostConfig.StorageOpt");
    return OK;
}

/* --- the root ----------------------------------------------------------------------------------
 */

struct err container_root(const struct container *c, struct arena *a, struct rootfs *ret) {
    struct images *im = c->all->config.images;
    *ret = (struct rootfs){.driver = images_driver(im),
                           .layers_fd = images_layers_dirfd(im),
                           .dir_fd = -1,
                           .id = c->id,
                           .brief = c->brief};
    TRY(container_size_limit(c->host, &ret->size));
    return image_layer_names(c->hold.image, a, &ret->layers, &ret->layers_n);
}

struct err container_root_make(const struct container *c, const struct rootfs *given) {
    int parent = c->brief ? c->all->ephemeral_fd : c->all->data_fd;
    struct rootfs r = *given;
    if (mkdirat(parent, c->id, 0700) != 0 && errno != EEXIST)
        return err_errno(errno, "make '%s'", c->directory);
    CLEAN_FD int dir = openat(parent, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(errno, "open '%s'", c->directory);
    r.dir_fd = dir;
    return rootfs_make(&r);
}

struct err container_upper(const struct rootfs *r, char ret_name[32]) {
    if (rootfs_is_whole(r->dir_fd))
        return rootfs_written(r, ret_name);
    snprintf(ret_name, 32, ROOTFS_UPPER);
    return OK;
}

char *container_whole_root(const struct container *c) {
    CLEAN_FREE char *root = mem_printf("%s/" ROOTFS_WHOLE, c->directory);
    return access(root, F_OK) == 0 ? TAKE(root) : NULL;
}

const char *container_driver(const struct container *c) {
    CLEAN_FREE char *root = container_whole_root(c);
    const struct rootfs_driver *now = images_driver(c->all->config.images);
    if (!root)
        return rootfs_driver_name(&rootfs_overlay);
    return rootfs_driver_name(now == &rootfs_overlay ? &rootfs_vfs : now);
}

/* --- how much it wrote -------------------------------------------------------------------------
 */

struct err container_written_plan(const struct container *c, struct arena *a,
                                  struct container_written *ret) {
    struct rootfs r = {.layers_fd = -1};
    struct err e = c->hold.image ? container_root(c, a, &r) : OK;
    *ret = (struct container_written){arena_strz(a, c->directory), r};
    return e;
}

struct err container_written_bytes(const struct container_written *w, uint64_t *ret_bytes) {
    CLEAN_FD int dir = -1;
    CLEAN_FD int upper = -1;
    struct rootfs r = w->root;
    TRY(dir_open(w->directory, &dir));
    r.dir_fd = dir;
    if (rootfs_is_whole(dir))
        return rootfs_usage(&r, ret_bytes);
    upper = openat(dir, ROOTFS_UPPER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper < 0)
        return err_errno(errno, "open what the container wrote");
    return volume_usage(upper, ret_bytes);
}
