/* why_disk.c - `corten why disk`: who has the space, and what gives it back. */
#include "cli/why.h"
#include "spec/api_volume.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 5

struct owner {
    const char *kind, *name, *next; /* next: what gives it back; NULL: it is in use */
    int64_t bytes;
};
struct owners VEC_BODY(struct owner);

static int compare_owners(const void *a, const void *b) {
    int64_t x = ((const struct owner *)a)->bytes, y = ((const struct owner *)b)->bytes;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void add(struct owners *all, const char *kind, const char *name, int64_t bytes,
                const char *next) {
    if (bytes > 0)
        vec_push(all, ((struct owner){kind, name, next, bytes}));
}

static void containers(const struct api_disk_usage *d, struct arena *a, struct owners *all) {
    const struct api_container_summary *k = d->containers.items;
    for (size_t i = 0; i < d->containers.n; i++) {
        const char *name = k[i].names.n ? k[i].names.items[0] + 1 : k[i].id;
        bool runs = !strcmp(k[i].state, "running") || !strcmp(k[i].state, "paused");
        add(all, "container", name, k[i].size_rw,
            runs ? NULL : arena_printf(a, "corten rm %s", name));
    }
}

static void images(const struct api_disk_usage *d, struct arena *a, struct owners *all) {
    const struct api_image_summary *i = d->images.items;
    for (size_t k = 0; k < d->images.n; k++) {
        const char *name = i[k].repo_tags.n ? i[k].repo_tags.items[0]
                                            : arena_str(a, view_id(i[k].id, true).s);
        add(all, "image", name, i[k].size - MAX(i[k].shared_size, INT64_C(0)),
            i[k].containers > 0 ? NULL : arena_printf(a, "corten rmi %s", name));
    }
}

static void volumes(const struct api_disk_usage *d, struct arena *a, struct owners *all) {
    const struct api_volume *v = d->volumes.items;
    for (size_t i = 0; i < d->volumes.n; i++)
        if (v[i].usage)
            add(all, "volume", v[i].name, v[i].usage->size,
                v[i].usage->ref_count > 0 ? NULL
                                          : arena_printf(a, "corten volume rm %s", v[i].name));
}

static int64_t cache_bytes(const struct api_disk_usage *d) {
    const struct api_build_cache *b = d->build_cache.items;
    int64_t sum = 0;
    for (size_t i = 0; i < d->build_cache.n; i++)
        sum += b[i].shared || b[i].in_use ? 0 : b[i].size;
    return sum;
}

static void tell(struct why *w, struct owners *all) {
    CLEAN_BUF struct buf total = {0}, free_ = {0};
    int64_t sum = 0, reclaimable = 0;
    for (size_t i = 0; i < all->n; i++) {
        sum += all->items[i].bytes;
        reclaimable += all->items[i].next ? all->items[i].bytes : 0;
    }
    human_bytes((double)sum, 4, &total);
    human_bytes((double)reclaimable, 4, &free_);
    if (all->n == 0) {
        why_cause(w, "nothing takes space");
        return;
    }
    why_cause(w, "%s belong to containers, images, volumes and build cache; nobody uses %s of it",
              buf_cstr(&total), buf_cstr(&free_));
    qsort(all->items, all->n, sizeof *all->items, compare_owners);
    for (size_t i = 0; i < MIN(all->n, (size_t)SHOWN); i++) {
        CLEAN_BUF struct buf size = {0};
        human_bytes((double)all->items[i].bytes, 4, &size);
        why_fact(w, "%s %s: %s%s", all->items[i].kind, all->items[i].name, buf_cstr(&size),
                 all->items[i].next ? ", unused" : "");
    }
    size_t said = 0;
    for (size_t i = 0; i < all->n && said < SHOWN; i++)
        if (all->items[i].next && ++said)
            why_next(w, "%s", all->items[i].next);
    if (reclaimable > 0)
        why_next(w, "corten system prune --dry-run   (all at once: what would go)");
}

static int disk_run(struct invocation *in) {
    struct why w = {.in = in, .subject = "disk", .of = in->host};
    struct owners all = {0};
    struct api_disk_usage d = {0};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    struct err e = cli_disk_usage(c, &in->arena, &d);
    if (!err_failed(e)) {
        containers(&d, &in->arena, &all);
        images(&d, &in->arena, &all);
        volumes(&d, &in->arena, &all);
        add(&all, "build cache", "(steps of builds)", cache_bytes(&d), "corten builder prune");
        tell(&w, &all);
    }
    vec_done(&all);
    return why_end(&w, e);
}

const struct command command_why_disk = {
    .name = "why disk",
    .usage = "why disk",
    .summary = "Say what takes space on the disk, and what gives it back",
    .json = true,
    .run = disk_run};
