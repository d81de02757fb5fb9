/* Volumes and images of a container that are not simply directories of the host: acquired before a
 * start, opened as detached trees, kept by the monitor, released at the end. */
#include "base/file.h"
#include "container/private.h"
#include "kernel/mount.h"
#include <stdlib.h>

/* --- images that are mounted -------------------------------------------------------------------
 */

void container_hold_images(struct container *c) {
    for (size_t i = 0; i < c->mounts_n; i++) {
        struct container_mount *m = &c->mounts[i];
        if (!m->image_id || m->image)
            continue;
        struct image *image = image_by_id(c->all->config.images, str_of(m->image_id));
        if (!image) {
            log_warn("container %s: image %s, mounted at %s, is gone", c->id, m->image_id,
                     m->destination);
            continue;
        }
        m->image = arena_alloc(&c->arena, sizeof(*m->image));
        *m->image = (struct image_hold){.container_id = c->id};
        image_hold(image, m->image);
    }
}

void container_unhold_images(struct container *c) {
    for (size_t i = 0; i < c->mounts_n; i++) {
        struct image_hold *hold = TAKE(c->mounts[i].image);
        if (hold)
            image_unhold(c->all->config.images, hold);
    }
}

/* --- acquire, release --------------------------------------------------------------------------
 */

static bool is_mounted(const struct container *c, const struct container_mount *m) {
    struct volume *v = !strcmp(m->type, "volume") && m->name
                           ? volume_find(c->all->config.volumes, m->name)
                           : NULL;
    return v && volume_is_mounted(v);
}

bool container_has_mounted_volumes(const struct container *c) {
    for (size_t i = 0; i < c->mounts_n; i++)
        if (is_mounted(c, &c->mounts[i]))
            return true;
    return false;
}

struct acquiring {
    struct container *c;
    struct arena arena;
    size_t next;
    const char *const *layers;
    size_t layers_n;
    container_done *done;
    void *arg;
};

static void acquire_end(struct acquiring *q, struct err e) {
    if (err_failed(e))
        container_volumes_release(q->c);
    q->done(q->arg, e);
    arena_done(&q->arena);
    free(q);
}

static void acquire_next(struct acquiring *q);

static void acquired(void *arg, struct err e, int keep UNUSED) {
    struct acquiring *q = arg;
    if (err_failed(e))
        acquire_end(q, e);
    else
        acquire_next(q);
}

static void acquire_next(struct acquiring *q) {
    struct container *c = q->c;
    while (q->next < c->mounts_n) {
        const struct container_mount *m = &c->mounts[q->next++];
        if (!is_mounted(c, m))
            continue;
        struct volume_fill fill = {images_layers_dirfd(c->all->config.images), q->layers,
                                   q->layers_n, m->no_copy ? NULL : m->destination};
        volume_acquire(c->all->config.volumes, m->name, c->id, &fill, acquired, q);
        return;
    }
    acquire_end(q, OK);
}

void container_volumes_acquire(struct container *c, container_done *done, void *arg) {
    struct acquiring *q = NEW(struct acquiring);
    q->c = c;
    q->done = done;
    q->arg = arg;
    struct err e = image_layer_names(c->hold.image, &q->arena, &q->layers, &q->layers_n);
    if (err_failed(e))
        acquire_end(q, e);
    else
        acquire_next(q);
}

void container_volumes_release(struct container *c) {
    for (size_t i = 0; i < c->mounts_n; i++)
        if (!strcmp(c->mounts[i].type, "volume") && c->mounts[i].name)
            volume_release(c->all->config.volumes, c->mounts[i].name, c->id);
}

void container_volumes_adopt(struct container *c, struct monitor_hello *h) {
    for (size_t i = 0; i < h->keeps_n; i++)
        volume_adopt(c->all->config.volumes, h->keeps[i].name, c->id, TAKE_FD(h->keeps[i].fd));
}

/* --- trees -------------------------------------------------------------------------------------
 */

struct box_tree {
    const char *destination; /* for messages */
    int keep;                /* borrowed; -1: not of a mounted volume */
    const char *directory;   /* of a plain volume; NULL: of an image */
    const char *subpath;
    const char *const *layers;
    size_t layers_n;
};

static struct err keep_it(struct box_trees *t, const struct container_mount *m, int keep) {
    for (size_t i = 0; i < t->keeps_n; i++)
        if (!strcmp(t->keeps[i].name, m->name))
            return OK;
    if (t->keeps_n == MONITOR_KEEPS_MAX)
        return err_new(ERR_INVALID, "more than %d volumes that are mounts", MONITOR_KEEPS_MAX);
    t->keeps[t->keeps_n++] = (struct monitor_keep){m->name, keep};
    return OK;
}

static struct err plan_one(struct container *c, struct container_mount *m, struct arena *a,
                           struct box_trees *t) {
    bool mounted = is_mounted(c, m), subpath = m->subpath && *m->subpath;
    m->tree = 0;
    if (!mounted && !m->image_id && !subpath)
        return OK;
    struct box_tree x = {.destination = m->destination,
                         .keep = -1,
                         .subpath = arena_strz(a, subpath ? m->subpath : "")};
    if (mounted) {
        x.keep = volume_keep(volume_find(c->all->config.volumes, m->name));
        if (x.keep < 0)
            return err_new(ERR_SYSTEM, "volume '%s' is not mounted", m->name);
        TRY(keep_it(t, m, x.keep));
    } else if (m->image_id) {
        if (!m->image)
            return err_new(ERR_NOT_FOUND, "image %s, mounted at %s, is gone", m->image_id,
                           m->destination);
        TRY(image_layer_names(m->image->image, a, &x.layers, &x.layers_n));
    } else {
        x.directory = m->source;
    }
    t->items[t->n++] = x;
    m->tree = (unsigned)t->n;
    return OK;
}

struct err container_trees_plan(struct container *c, struct arena *a, struct box_trees *ret) {
    *ret = (struct box_trees){
        .items = arena_array(a, c->mounts_n + 1, sizeof(struct box_tree)),
        .fds = arena_array(a, c->mounts_n + 1, sizeof(int)),
        .keeps = arena_array(a, MONITOR_KEEPS_MAX, sizeof(struct monitor_keep)),
        .layers_fd = images_layers_dirfd(c->all->config.images),
    };
    for (size_t i = 0; i < c->mounts_n; i++)
        ret->fds[i] = -1;
    for (size_t i = 0; i < c->mounts_n; i++)
        TRY(plan_one(c, &c->mounts[i], a, ret));
    return OK;
}

static struct err image_tree(const struct box_trees *t, const struct box_tree *x, int *ret_fd) {
    struct mount_overlay o = {.layers_fd = t->layers_fd,
                              .layers = x->layers,
                              .layers_n = x->layers_n,
                              .upper_fd = -1,
                              .work_fd = -1,
                              .attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};
    if (!x->layers_n)
        return mount_new_fs("tmpfs", "image", NULL, 0, MOUNT_ATTR_RDONLY, 0, ret_fd);
    if (!*x->subpath)
        return mount_overlay_detached(&o, ret_fd);
    CLEAN_FD int whole = -1, keep = -1;
    TRY(mount_overlay_detached(&o, &whole));
    TRY(volume_keep_make(whole, &keep));
    return volume_keep_clone(keep, x->subpath, ret_fd);
}

static struct err open_tree_of(const struct box_trees *t, const struct box_tree *x, int *ret_fd) {
    if (x->keep >= 0)
        return volume_keep_clone(x->keep, x->subpath, ret_fd);
    if (!x->directory)
        return image_tree(t, x, ret_fd);
    CLEAN_FD int dir = -1;
    TRY(volume_open_dir(x->directory, &dir));
    return volume_dir_clone(dir, x->subpath, ret_fd);
}

struct err container_trees_open(struct box_trees *t) {
    for (size_t i = 0; i < t->n; i++) {
        struct err e = open_tree_of(t, &t->items[i], &t->fds[i]);
        if (err_failed(e)) /* the program is there: its volume is not */
            return err_wrap(err_as(e, ERR_SYSTEM), "mount at '%s'", t->items[i].destination);
    }
    return OK;
}

void container_trees_done(struct box_trees *t) {
    for (size_t i = 0; i < t->n; i++)
        t->fds[i] = fd_close(t->fds[i]);
}
