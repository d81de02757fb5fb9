/* change.c - one change of the facts at a time: build the rows, commit, then change memory. */
#include "image/facts.h"
#include <stdlib.h>

static void change_run(struct images *im);

static void change_committed(void *arg, struct err e) {
    struct change *c = arg;
    struct images *im = c->images;
    if (im->closing) { /* the daemon stops: nobody waits, memory says nothing any more */
        err_ignore(e);
        return;
    }
    list_remove(&c->link);
    c->apply(c, e); /* frees c */
    change_run(im);
}

/* Runs the first change of the queue; a refused one is over at once. */
static void change_run(struct images *im) {
    while (!list_empty(&im->changes)) {
        struct change *c = CONTAINER_OF(im->changes.next, struct change, link);
        struct store_txn *t = store_txn_new();
        struct err e = c->build(c, t);
        if (!err_failed(e)) {
            store_commit(im->store, t, c->mode, change_committed, c);
            return;
        }
        store_txn_free(t);
        list_remove(&c->link);
        c->apply(c, e);
    }
}

void change_start(struct images *im, struct change *c) {
    bool idle = list_empty(&im->changes);
    c->images = im;
    list_push(&im->changes, &c->link);
    if (idle)
        change_run(im);
}
