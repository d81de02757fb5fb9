/* change.c - one change of the facts at a time: build the rows, commit, then change memory. */
#include "image/facts.h"
#include <stdlib.h>

static void change_run(struct images *im);

/* Takes c out of the queue and applies it, which frees it. apply may start further changes: they
 * wait for the change_run that follows, or they would be committed twice. */
static void change_over(struct change *c, struct err e) {
    struct images *im = c->images;
    list_remove(&c->link);
    im->applying = true;
    c->apply(c, e);
    im->applying = false;
}

static void change_committed(void *arg, struct err e) {
    struct change *c = arg;
    struct images *im = c->images;
    if (im->closing) { /* the daemon stops: nobody waits, memory says nothing any more */
        err_ignore(e);
        return;
    }
    change_over(c, e);
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
        change_over(c, e);
    }
}

void change_start(struct images *im, struct change *c) {
    bool idle = list_empty(&im->changes) && !im->applying;
    c->images = im;
    list_push(&im->changes, &c->link);
    if (idle)
        change_run(im);
}
