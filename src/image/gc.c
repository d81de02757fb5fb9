/* gc.c - garbage collection: asks the file system how full it is, plans (gc_plan.c), removes one
 * image after the other. By itself it looks every IMAGE_GC_INTERVAL and acts when a limit of the
 * daemon's policy is passed. */
#include "base/log.h"
#include "base/time.h"
#include "image/gc_plan.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>

struct gc {
    struct images *images; /* NULL once they are closed */
    struct arena arena;
    struct image_gc_policy policy; /* texts in arena */
    int64_t grace;
    bool dry_run, automatic;
    int fd;        /* of the data root */
    uint64_t free; /* of its file system */
    struct store_gc doc;
    size_t next;
    void (*done)(void *arg, const struct store_gc *doc, struct err e);
    void *arg;
};

static void gc_end(struct gc *g, struct err e) {
    if (g->images)
        g->images->gc = NULL;
    if (g->done && g->images)
        g->done(g->arg, &g->doc, e);
    else
        log_err(LOG_WARN, e, "image gc");
    fd_close(g->fd);
    arena_done(&g->arena);
    free(g);
}

static void remove_next(struct gc *g);

static void removed(void *arg, const struct image_removals *r UNUSED, struct err e) {
    struct gc *g = arg;
    struct store_gc_item *item = (struct store_gc_item *)g->doc.removed.items + g->next++;
    if (err_failed(e)) { /* somebody uses it since the plan was made */
        g->doc.reclaimed -= item->bytes;
        item->reason = arena_printf(&g->arena, "stays after all: %s", err_msg(e));
        item->bytes = 0;
        err_free(e);
    } else {
        log_info("image gc: removed %s %.19s %s: %s", item->kind, item->id, item->name,
                 item->reason);
    }
    remove_next(g);
}

static void remove_next(struct gc *g) {
    if (!g->images || g->next == g->doc.removed.n) {
        gc_end(g, OK);
        return;
    }
    const struct store_gc_item *item = (struct store_gc_item *)g->doc.removed.items + g->next;
    struct image *i = image_by_id(g->images, str_of(item->id));
    if (i && !i->removed && (i->holds_n > 0 || i->children > 0))
        removed(g, NULL, err_new(ERR_CONFLICT, "it is used again"));
    else /* force: for several tags; parents go by the plan only */
        image_remove(g->images, str_of(item->id), true, true, removed, g);
}

static struct err look_work(void *arg) {
    struct gc *g = arg;
    struct statvfs s;
    if (fstatvfs(g->fd, &s) < 0)
        return err_errno(errno, "statvfs of the data root");
    g->free = (uint64_t)s.f_bavail * s.f_frsize;
    return OK;
}

static bool limit_passed(const struct gc *g) {
    const struct image_gc_policy *p = &g->policy;
    return (p->max_bytes > 0 && gc_used(g->images) > p->max_bytes) ||
           (p->min_free > 0 && g->free < p->min_free) || p->max_age > 0;
}

static void looked(void *arg, struct err e) {
    struct gc *g = arg;
    if (err_failed(e) || !g->images || (g->automatic && !limit_passed(g))) {
        gc_end(g, e);
        return;
    }
    const struct gc_limits limits = {.policy = &g->policy,
                                     .now = time_now(),
                                     .grace = g->grace,
                                     .free = g->free,
                                     .quiet = g->automatic};
    if (!g->dry_run && limit_passed(g))
        partials_sweep(g->images, true); /* what serves only a pull that may never come */
    g->doc.dry_run = g->dry_run;
    gc_plan(g->images, &limits, &g->arena, &g->doc);
    if (g->dry_run)
        gc_end(g, OK);
    else
        remove_next(g);
}

static void copy_policy(const struct image_gc_policy *from, struct arena *a,
                        struct image_gc_policy *ret) {
    const char **keep = arena_array(a, from->keep_n + 1, sizeof(*keep));
    for (size_t i = 0; i < from->keep_n; i++)
        keep[i] = arena_strz(a, from->keep[i]);
    *ret = *from;
    ret->keep = keep;
}

static struct gc *gc_start(struct images *im, const struct image_gc_policy *policy, int64_t grace) {
    struct gc *g = im->gc = NEW(struct gc);
    g->images = im;
    g->grace = grace;
    copy_policy(policy, &g->arena, &g->policy);
    g->fd = fcntl(im->root_fd, F_DUPFD_CLOEXEC, 0);
    return g;
}

void images_gc(struct images *im, const struct image_gc_policy *policy, int64_t grace, bool dry_run,
               void (*done)(void *arg, const struct store_gc *doc, struct err e), void *arg) {
    if (im->gc) {
        done(arg, NULL, err_new(ERR_CONFLICT, "a collection is already running"));
        return;
    }
    struct gc *g = gc_start(im, policy ? policy : &im->gc_policy, grace);
    g->dry_run = dry_run;
    g->done = done;
    g->arg = arg;
    job_submit(im->loop, look_work, looked, g);
}

const struct image_gc_policy *images_gc_policy(const struct images *im) {
    return &im->gc_policy;
}

static void tick(void *arg) {
    struct images *im = arg;
    if (im->gc)
        return;
    struct gc *g = gc_start(im, &im->gc_policy, IMAGE_GC_GRACE);
    g->automatic = true;
    job_submit(im->loop, look_work, looked, g);
}

void gc_open(struct images *im, const struct image_gc_policy *p) {
    copy_policy(p, &im->gc_arena, &im->gc_policy);
    if (p->max_bytes || p->min_free || p->max_age)
        im->gc_timer = timer_new(im->loop, IMAGE_GC_INTERVAL, IMAGE_GC_INTERVAL, tick, im);
}

void gc_close(struct images *im) {
    im->gc_timer = timer_free(im->gc_timer);
    if (im->gc)
        im->gc->images = NULL; /* what runs frees it */
    im->gc = NULL;
    arena_done(&im->gc_arena);
}

void image_used(struct image_fact *f) {
    int64_t now = time_now();
    bool lately = now - f->used_at < NSEC_PER_SEC;
    f->used_at = now;
    if (lately) /* a row a second is enough to tell the order */
        return;
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE image SET used_at = ? WHERE id = ?", "ib", now, digest_key(&f->image.id));
    store_commit(f->images->store, t, STORE_LAZY, NULL, NULL);
}
