/* rebuild.c - layers that were not synced before an unclean boot: unpacked again from their blob,
 * or (made here, without a blob) read once more and compared with their diff id. */
#include "base/json.h"
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include <stdlib.h>

struct rebuild {
    struct images *images; /* NULL once they are closed */
    VEC(struct layer_fact *) layers;
};

static void rebuild_args(const struct images *im, const struct rebuild *r, struct buf *out) {
    struct json_out o = {.out = out};
    char text[DIGEST_TEXT_MAX];
    (void)im;
    jo_obj(&o);
    jo_kstr(&o, "ingest", "rebuild");
    jo_key(&o, "layers");
    jo_arr(&o);
    for (size_t i = 0; i < r->layers.n; i++) {
        const struct layer_fact *l = r->layers.items[i];
        jo_obj(&o);
        jo_kstr(&o, "diff_id", digest_text(&l->layer.diff_id, text));
        jo_kstr(&o, "name", l->layer.name);
        if (l->blob)
            jo_kstr(&o, "blob", digest_text(&l->blob->digest, text));
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    jo_obj_end(&o);
}

void drop_images_of(struct images *im, struct layer_fact *l, const char *why) {
    VEC(struct image *) lost = {0};
    size_t it = 0;
    struct image *i;
    while ((i = images_next(im, &it)) != NULL)
        for (size_t n = 0; n < i->layers_n; n++)
            if (i->layers[n] == &l->layer) {
                vec_push(&lost, i);
                break;
            }
    for (size_t n = 0; n < lost.n; n++) {
        log_error("image %s %s and is removed", lost.items[n]->id_text, why);
        image_remove(im, str_of(lost.items[n]->id_text), true, true, NULL, NULL);
    }
    vec_done(&lost);
}

/* result: one letter for each layer, 'y' when it is whole. */
static void rebuild_done(void *arg, struct str result, struct err e) {
    struct rebuild *r = arg;
    struct images *im = r->images;
    bool over = !err_failed(e);
    if (im) {
        log_err(LOG_ERROR, e, "restore layers after an unclean shutdown");
        im->rebuild = NULL;
        struct store_txn *t = store_txn_new();
        for (size_t i = 0; i < r->layers.n && over; i++) {
            struct layer_fact *l = r->layers.items[i];
            l->pins--;
            if (i >= result.len || result.p[i] != 'y') {
                drop_images_of(im, l, "was lost in an unclean shutdown");
                continue;
            }
            l->suspect = false;
            store_add(t, "UPDATE layer SET unsynced = ? WHERE id = ?", "si", im->boot_id, l->row);
        }
        store_commit(im->store, t, STORE_LAZY, NULL, NULL);
        if (over)
            images_sync_later(im);
        reap_ingest(im, "rebuild");
    } else {
        err_ignore(e); /* the daemon stops; it is done again at the next start */
    }
    vec_done(&r->layers);
    free(r);
}

void rebuild_detach(struct images *im) {
    if (im->rebuild) {
        im->rebuild->images = NULL;
        worker_cancel(im->rebuild_worker);
    }
}

void images_rebuild(struct images *im) {
    struct rebuild *r = NEW(struct rebuild);
    r->images = im;
    size_t it = 0;
    void *p;
    while (map_next(&im->layers, &it, NULL, &p)) {
        struct layer_fact *l = p;
        if (!l->suspect)
            continue;
        l->pins++;
        vec_push(&r->layers, l);
    }
    if (r->layers.n == 0) {
        free(r);
        return;
    }
    log_info("%zu image layers are restored after an unclean shutdown", r->layers.n);
    CLEAN_BUF struct buf args = {0};
    rebuild_args(im, r, &args);
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
