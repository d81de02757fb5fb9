/* partial.c - blobs of pulls that were cut: the bytes that came stay in blob/partial/<hex>, and the
 * next pull goes on from there.
 *
 * The row came before the file (reserve, state pending). When the job has ended without the blob, a
 * pool job looks what is there: something makes the row ROW_PARTIAL, nothing makes it go. A blob
 * that was complete and renamed, but whose commit did not come, goes back to partial/. The bytes
 * are believed by nobody: the next pull hashes them. */
#include "base/time.h"
#include "image/facts.h"
#include "image/protocol.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWEEP_INTERVAL (NSEC_PER_SEC * 3600)

struct settled {
    struct digest digest;
    uint64_t size, got;
};

struct settle {
    struct images *images; /* NULL once they are closed */
    int blob_fd;
    VEC(struct settled) items;
};

static void paths_of(const struct digest *d, char partial[80], char blob[80]) {
    char hex[65];
    digest_hex(d, hex);
    snprintf(partial, 80, "../partial/%s", hex);
    snprintf(blob, 80, "%.2s/%s", hex, hex);
}

static struct err settle_work(void *arg) {
    struct settle *s = arg;
    char partial[80], blob[80];
    for (size_t i = 0; i < s->items.n; i++) {
        struct settled *d = &s->items.items[i];
        struct stat st;
        paths_of(&d->digest, partial, blob);
        int r = fstatat(s->blob_fd, partial, &st, AT_SYMLINK_NOFOLLOW);
        if (r < 0 && renameat(s->blob_fd, blob, s->blob_fd, partial) == 0)
            r = fstatat(s->blob_fd, partial, &st, AT_SYMLINK_NOFOLLOW);
        if (r == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= d->size)
            d->got = (uint64_t)st.st_size;
    }
    return OK;
}

static void settle_blob(struct images *im, struct blob *b, uint64_t got, struct store_txn *t) {
    if (--b->pins > 0 || b->state != ROW_PENDING)
        return; /* wanted again: the end of that job brings it back here */
    if (got == 0) {
        b->state = ROW_REMOVING;
        reap_blob(im, b);
        return;
    }
    b->state = ROW_PARTIAL;
    b->got = got;
    if (b->since == 0)
        b->since = time_now();
    store_add(t, "UPDATE blob SET state = 3, since = ? WHERE digest = ?", "ib", b->since,
              digest_key(&b->digest));
}

static void settle_start(struct images *im);

static void settle_done(void *arg, struct err e) {
    struct settle *s = arg;
    struct images *im = s->images;
    err_ignore(e); /* it has none */
    if (im) {
        struct store_txn *t = store_txn_new();
        im->settle = NULL;
        for (size_t i = 0; i < s->items.n; i++) {
            struct blob *b = map_get(&im->blobs, digest_key(&s->items.items[i].digest));
            if (b)
                settle_blob(im, b, s->items.items[i].got, t);
        }
        store_commit(im->store, t, STORE_LAZY, NULL, NULL);
        settle_start(im);
    }
    fd_close(s->blob_fd);
    vec_done(&s->items);
    free(s);
}

static void settle_start(struct images *im) {
    if (im->settle || im->unsettled.n == 0 || im->closing)
        return;
    struct settle *s = im->settle = NEW(struct settle);
    s->images = im;
    s->blob_fd = fcntl(im->blob_fd, F_DUPFD_CLOEXEC, 0);
    for (size_t i = 0; i < im->unsettled.n; i++) {
        const struct blob *b = im->unsettled.items[i];
        vec_push(&s->items, ((struct settled){.digest = b->digest, .size = b->size}));
    }
    vec_done(&im->unsettled);
    job_submit(im->loop, settle_work, settle_done, s);
}

void partial_settle(struct images *im, struct blob *b) {
    b->pins++;
    vec_push(&im->unsettled, b);
    settle_start(im);
}

void partials_sweep(struct images *im, bool all) {
    size_t it = 0;
    int64_t now = time_now();
    void *p;
    while (map_next(&im->blobs, &it, NULL, &p)) {
        struct blob *b = p;
        if (b->state != ROW_PARTIAL || b->pins > 0 || (!all && now - b->since < IMAGE_PARTIAL_KEEP))
            continue;
        b->state = ROW_REMOVING;
        reap_blob(im, b);
    }
}

static void sweep_old(void *arg) {
    partials_sweep(arg, false);
}

/* The part of a blob that is complete goes without a row that says so (job.c): when the power fails
 * right then, the disk has the file still. No job runs yet, so what no row wants can go. */
static void remove_unwanted(struct images *im) {
    int fd = openat(im->root_fd, "blob/partial", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        char text[80];
        struct digest digest;
        snprintf(text, sizeof(text), "sha256:%.65s", e->d_name);
        CLEAN_ERR struct err other = digest_parse(str_of(text), &digest);
        if (err_failed(other))
            continue; /* not ours: the check names it */
        const struct blob *b = map_get(&im->blobs, digest_key(&digest));
        if (!b || (b->state != ROW_PENDING && b->state != ROW_PARTIAL))
            unlinkat(fd, e->d_name, 0);
    }
    closedir(d);
}

void partials_open(struct images *im) {
    remove_unwanted(im);
    settle_start(im);
    im->partial_timer = timer_new(im->loop, SWEEP_INTERVAL, SWEEP_INTERVAL, sweep_old, im);
}

void partials_close(struct images *im) {
    im->partial_timer = timer_free(im->partial_timer);
    if (im->settle)
        im->settle->images = NULL; /* what runs frees it */
    im->settle = NULL;
    vec_done(&im->unsettled);
}
