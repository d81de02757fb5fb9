#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "image/facts.h"
#include "image/rootfs_driver.h"
#include "image/spread.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct err open_below(const char *root, const char *name, int *ret_fd) {
    CLEAN_FREE
    char *path = path_join(root, name);
    TRY(dir_make(path, 0700));
    return dir_open(path, ret_fd);
}

static struct err open_dirs(struct images *im) {
    CLEAN_FREE
    char *root = path_join(im->data_root, "image");
    TRY(dir_make(root, 0700));
    TRY(dir_open(root, &im->root_fd));
    TRY(open_below(root, "layer", &im->layer_fd));
    spread_inodes(im->layer_fd);
    TRY(open_below(root, "blob/sha256", &im->blob_fd));
    TRY(ground_make(im->root_fd));
    CLEAN_FREE
    char *partial = path_join(root, "blob/partial");
    TRY(dir_make(partial, 0700));
    CLEAN_FREE
    char *stream = path_join(root, "stream");
    TRY(dir_make(stream, 0700));
    return open_below(root, "ingest", &im->ingest_fd);
}

#define OLD_JOBS_WAIT 10000 /* ms */

/* Jobs of a daemon that was killed are killed with it (ingest.c), but may still be inside of their
 * last write: what they made must not come after the clean-up. */
static void wait_for_old_jobs(struct images *im) {
    int ms = 0;
    while (flock(im->ingest_fd, LOCK_EX | LOCK_NB) < 0 && ms < OLD_JOBS_WAIT) {
        nanosleep(&(struct timespec){0, 2000000}, NULL);
        ms += 2;
    }
    if (ms >= OLD_JOBS_WAIT)
        log_warn("images: a job of an earlier daemon does not end; `corten system check` finds "
                 "what it leaves");
    flock(im->ingest_fd, LOCK_UN);
}

static void read_boot_id(struct images *im) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read("/proc/sys/kernel/random/boot_id", 256, &text);
    err_ignore(e); /* without it every unsynced layer is rebuilt, which is safe */
    struct str id = str_trim(buf_str(&text));
    snprintf(im->boot_id, sizeof(im->boot_id), "%.*s", STR_ARG(id));
}

static struct err choose_driver(struct images *im, const char *name) {
    im->driver = &rootfs_overlay;
    if (name)
        TRY(rootfs_driver_find(name, &im->driver));
    return err_wrap(im->driver->probe(im->root_fd), "storage-driver");
}

const struct rootfs_driver *images_driver(const struct images *im) {
    return im->driver;
}

struct err images_size_check(const struct images *im) {
    return im->driver->probe_size(im->root_fd);
}

char *image_layer_paths(const struct image *i, size_t skip, struct arena *a) {
    const struct images *im = fact_of_const(i)->images;
    CLEAN_BUF struct buf out = {0};
    const char *names[LAYER_DIRS_MAX];
    size_t dirs = layer_dirs(i, names);
    size_t above = skip && i->layers_n && i->layers[i->layers_n - 1]->base ? skip + 1 : skip;
    for (size_t n = above; n < dirs; n++)
        buf_addf(&out, "%s%s/image/layer/%s", out.len ? ":" : "", im->data_root, names[n]);
    return arena_str(a, buf_str(&out));
}

struct err images_open(const struct images_options *o, struct images **ret) {
    struct images *im = NEW(struct images);
    im->store = o->store;
    im->loop = o->loop;
    im->data_root = mem_strdup(o->data_root);
    im->worker_program = mem_strdup(o->worker_program);
    im->root_fd = im->layer_fd = im->blob_fd = im->ingest_fd = -1;
    im->next_layer_row = 1;
    bus_init(&im->events);
    list_init(&im->changes);
    list_init(&im->jobs);
    im->reaper = reaper_new(im);
    read_boot_id(im);
    struct err e = open_dirs(im);
    if (!err_failed(e))
        e = choose_driver(im, o->driver);
    if (!err_failed(e)) {
        wait_for_old_jobs(im);
        e = facts_load(im);
    }
    if (err_failed(e)) {
        images_close(im);
        return err_wrap(e, "images");
    }
    reap_all_ingest(im);
    streams_sweep(im);
    images_collect(im);
    images_rebuild(im);
    gc_open(im, &o->gc);
    partials_open(im);
    *ret = im;
    return OK;
}

void images_restored(struct images *im) {
    VEC(struct image_fact *) unheld = {0};
    size_t it = 0;
    void *p;
    while (map_next(&im->by_id, &it, NULL, &p)) {
        struct image_fact *f = p;
        if (f->image.removed && f->image.holds_n == 0 && f->pins == 0)
            vec_push(&unheld, f);
    }
    for (size_t i = 0; i < unheld.n; i++)
        image_forget(unheld.items[i]);
    vec_done(&unheld);
}

static void free_facts(struct images *im) {
    size_t it = 0;
    void *p;
    while (map_next(&im->by_id, &it, NULL, &p)) {
        struct image_fact *f = p;
        LIST_FOR (&f->image.tags, n)
            free(CONTAINER_OF(n, struct image_tag, link));
        for (size_t i = 0; i < f->cache_keys.n; i++)
            free(f->cache_keys.items[i]);
        vec_done(&f->cache_keys);
        vec_done(&f->documents);
        image_changed(&f->image);
        free(f->image.layers);
        free((char *)f->image.config_text.p);
        arena_done(&f->arena);
        free(f);
    }
    for (it = 0; map_next(&im->layers, &it, NULL, &p);)
        free(p);
    for (it = 0; map_next(&im->blobs, &it, NULL, &p);) {
        struct blob *b = p;
        if (b->state != ROW_REMOVING) { /* those are the reaper's */
            free(b->source);
            free(b);
        }
    }
    map_done(&im->by_id);
    map_done(&im->by_ref);
    map_done(&im->layers);
    map_done(&im->blobs);
    map_done(&im->blob_of);
    map_done(&im->cache);
}

void images_close(struct images *im) {
    if (!im)
        return;
    im->closing = true;
    jobs_cancel(im);
    sync_detach(im);
    rebuild_detach(im);
    check_detach(im);
    gc_close(im);
    partials_close(im);
    free_facts(im);
    reaper_free(im->reaper);
    fd_close(im->root_fd);
    fd_close(im->layer_fd);
    fd_close(im->blob_fd);
    fd_close(im->ingest_fd);
    free(im->data_root);
    free(im->worker_program);
    if (list_empty(&im->changes)) /* else the commit under way still looks at it */
        free(im);
}
