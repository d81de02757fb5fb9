/* driver.c - how root filesystems are made of layers, and what that is called. There is one way,
 * overlay: every layer is a directory of its own, and no container copies anything. */
#include "image/facts.h"
#include <string.h>

static const struct {
    const char *name, *why;
} refused[] = {
    {"aufs", "it is in no kernel; overlay2 does the same"},
    {"devicemapper", "the peer has removed it; overlay2 does the same"},
    {"btrfs", "overlay2 works on btrfs"},
    {"zfs", "overlay2 works on zfs from 2.2 on"},
    {"vfs", "it copies the whole image for each container"},
    {"fuse-overlayfs", "the daemon runs as root and needs no FUSE"},
};

struct err image_driver_check(const char *name) {
    if (strcmp(name, IMAGE_DRIVER) == 0 || strcmp(name, "overlay") == 0)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strcmp(refused[i].name, name) == 0)
            return err_new(ERR_UNSUPPORTED, "'%s' is not supported: %s", name, refused[i].why);
    return err_new(ERR_INVALID, "'%s' is not a storage driver; there is " IMAGE_DRIVER, name);
}

char *image_layer_paths(const struct image *i, size_t skip, struct arena *a) {
    const struct images *im = fact_of_const(i)->images;
    CLEAN_BUF struct buf out = {0};
    for (size_t n = skip; n < i->layers_n; n++)
        buf_addf(&out, "%s%s/image/layer/%s", out.len ? ":" : "", im->data_root,
                 i->layers[i->layers_n - 1 - n]->name);
    return arena_str(a, buf_str(&out));
}
