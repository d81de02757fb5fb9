/* rebuild.c - layers that were not synced before an unclean boot: unpacked again from their blob,
 * or (made here, without a blob) read once more and compared with their diff id.
 *
 * One that is wrong is lost, and its images with it. One that cannot be made just now (no room, a
 * disk that does not answer) is tried again every REBUILD_AGAIN; until then its images say so. */
#include "base/json.h"
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REBUILD_AGAIN (INT64_C(5) * 1000000000)

struct rebuild {
    struct images *images; /* NULL once they are closed */
    char name[24];         /* of its ingest directory */
    VEC(struct layer_fact *) layers;
};

static void rebuild_args(const struct rebuild *r, struct buf *out) {
    struct json_out o = {.out = out};
    char text[DIGEST_TEXT_MAX];
    jo_obj(&o);
    jo_kstr(&o, "ingest", r->name);
    jo_key(&o, "layers");
    jo_arr(&o);
    for (size_t i = 0; i < r->layers.n; i++) {
        const struct layer_fact *l = r->layers.items[i];
        jo_obj(&o);
        jo_kstr(&o, "diff_id", digest_text(&l->layer.diff_id, text));
        jo_kstr(&o, "name", l->layer.name);
        if (l->layer.base)
            jo_kstr(&o, "base", l->layer.base);
        if (l->blob)
            jo_kstr(&o, "blob", digest_text(&l->blob->digest, text));
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    jo_obj_end(&o);
}

size_t drop_images_of(struct images *im, struct layer_fact *l, const char *why,
                      void (*gone)(void *arg, const struct image_removals *r, struct err e),
                      void *arg) {
    VEC(struct image *) lost = {0};
    size_t it = 0;
    struct image *i;
    while ((i = images_next(im, &it)) != NULL)
        for (size_t n = 0; n < i->layers_n; n++)
            if (i->layers[n] == &l->layer || i->layers[n]->base == l->layer.name) {
                vec_push(&lost, i);
                break;
            }
    for (size_t n = 0; n < lost.n; n++) {
        log_error("image %s %s and is removed", lost.items[n]->id_text, why);
        image_remove(im, str_of(lost.items[n]->id_text), true, true, gone, arg);
    }
    size_t n = lost.n;
    vec_done(&lost);
    return n;
}

static void rebuild_again(void *arg) {
    struct images *im = arg;
    im->rebuild_timer = timer_free(im->rebuild_timer);
    images_rebuild(im);
}

/* Whether it has to be tried again. */
static bool rebuilt(struct images *im, struct layer_fact *l, char how, struct store_txn *t) {
    l->pins--;
    if (how == REBUILD_LOST)
        drop_images_of(im, l, "was lost in an unclean shutdown", NULL, NULL);
    if (how != REBUILD_WHOLE)
        return how != REBUILD_LOST && l->refs > 0;
    l->suspect = false;
    store_add(t, "UPDATE layer SET unsynced = ? WHERE id = ?", "si", im->boot_id, l->row);
    return false;
}

/* result: one letter for each layer. */
static void rebuild_done(void *arg, struct str result, struct err e) {
    struct rebuild *r = arg;
    struct images *im = r->images;
    bool again = false;
    if (im) {
        log_err(LOG_ERROR, e, "restore layers after an unclean shutdown");
        im->rebuild = NULL;
        struct store_txn *t = store_txn_new();
        for (size_t i = 0; i < r->layers.n; i++)
            again |= rebuilt(im, r->layers.items[i], i < result.len ? result.p[i] : REBUILD_LATER,
                             t);
        store_commit(im->store, t, STORE_LAZY, NULL, NULL);
        images_sync_later(im);
        images_collect(im); /* what was removed meanwhile */
        reap_ingest(im, r->name);
        if (again && !im->closing)
            im->rebuild_timer = timer_new(im->loop, REBUILD_AGAIN, 0, rebuild_again, im);
    } else {
        err_ignore(e); /* the daemon stops; it is done again at the next start */
    }
    vec_done(&r->layers);
    free(r);
}

bool rebuild_has(const struct images *im, const char *ingest) {
    return im->rebuild && strcmp(im->rebuild->name, ingest) == 0;
}

void rebuild_detach(struct images *im) {
    im->rebuild_timer = timer_free(im->rebuild_timer);
    if (im->rebuild) {
        im->rebuild->images = NULL;
        worker_cancel(im->rebuild_worker);
    }
}

void images_rebuild(struct images *im) {
    struct rebuild *r = NEW(struct rebuild);
    r->images = im;
    snprintf(r->name, sizeof(r->name), "%llu", (unsigned long long)++im->next_job);
    /* What others are stacked on comes first: they are read together with it. */
    for (int stacked = 0; stacked < 2; stacked++) {
        size_t it = 0;
        void *p;
        while (map_next(&im->layers, &it, NULL, &p)) {
            struct layer_fact *l = p;
            if (!l->suspect || (l->base != NULL) != stacked)
                continue;
            l->pins++;
            vec_push(&r->layers, l);
        }
    }
    if (r->layers.n == 0) {
        free(r);
        return;
    }
    log_info("%zu image layers are restored after an unclean shutdown", r->layers.n);
    CLEAN_BUF struct buf args = {0};
    rebuild_args(r, &args);
    struct worker_start s = {.program = im->worker_program,
                             .job = "image-unpack",
                             .args = buf_str(&args),
                             .fds = &im->root_fd,
                             .fds_n = 1,
                             .done = rebuild_done,
                             .arg = r};
    im->rebuild = r;
    im->rebuild_worker = worker_start(im->loop, &s);
}
