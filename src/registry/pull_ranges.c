#include "registry/pull_ranges.h"
#include "base/mem.h"
#include "registry/registry.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLOTS 2

struct lane {
    const struct ranges_fetch *f;
    unsigned number;
    _Atomic bool *stop;
    pthread_t thread;
    bool running;
    struct registry *registry;
    int full, free; /* semaphores */
    struct {
        char *data;
        size_t len; /* 0: failed */
    } slots[SLOTS];
    struct err result; /* written by the thread, read after the join */
};

static void post(int fd) {
    static const uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void await(int fd) {
    uint64_t one;
    while (read(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* --- a lane's thread -------------------------------------------------------------------------- */
struct piece {
    struct lane *lane;
    char *data;
    size_t got, size;
};

static int piece_sink(void *arg, const void *p, size_t n, long status) {
    struct piece *k = arg;
    if (status != 206)
        return -EOPNOTSUPP;
    if (atomic_load(k->lane->stop) || atomic_load(k->lane->f->abandon))
        return -ECANCELED;
    if (n > k->size - k->got)
        return -EFBIG;
    memcpy(k->data + k->got, p, n);
    k->got += n;
    return 0;
}

static struct err piece_try(struct piece *k, uint64_t at, bool *ret_again,
                            struct registry_answer *answer) {
    struct lane *l = k->lane;
    struct registry_call c = {.method = "GET",
                              .url = l->f->url,
                              .body_fd = -1,
                              .redirects = true,
                              .once = true,
                              .range_from = at + k->got,
                              .range_to = at + k->size - 1,
                              .sink = piece_sink,
                              .sink_arg = k};
    struct err e = registry_call(l->registry, &c, answer);
    *ret_again = registry_again(e, answer);
    if (err_errnum(e) == EOPNOTSUPP)
        return err_as(e, ERR_UNSUPPORTED);
    TRY(e);
    if (answer->status != 206)
        return registry_error(l->registry, answer, "layer");
    if (k->got == k->size)
        return OK;
    *ret_again = true;
    return err_new(ERR_UNAVAILABLE, "registry %s sent %zu of %zu bytes", l->registry->shown, k->got,
                   k->size);
}

static struct err piece_fetch(struct lane *l, char *data, uint64_t at, size_t size) {
    struct piece k = {.lane = l, .data = data, .size = size};
    for (int attempt = 0;; attempt++) {
        CLEAN_ANSWER struct registry_answer answer = {0};
        bool again = false;
        struct err e = piece_try(&k, at, &again, &answer);
        if (!err_failed(e) || !again || attempt + 1 >= REGISTRY_ATTEMPTS || atomic_load(l->stop))
            return e;
        err_ignore(e); /* the next attempt has its own */
        registry_pause(attempt, &answer);
    }
}

static void *lane_main(void *arg) {
    struct lane *l = arg;
    const struct ranges_fetch *f = l->f;
    uint64_t step = (uint64_t)f->lanes * RANGES_PIECE;
    unsigned slot = 0;
    for (uint64_t at = f->from + (uint64_t)l->number * RANGES_PIECE; at < f->size; at += step) {
        size_t size = MIN(f->size - at, (uint64_t)RANGES_PIECE);
        await(l->free);
        if (atomic_load(l->stop))
            break;
        l->result = piece_fetch(l, l->slots[slot].data, at, size);
        l->slots[slot].len = err_failed(l->result) ? 0 : size;
        post(l->full);
        if (err_failed(l->result))
            break;
        slot = (slot + 1) % SLOTS;
    }
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */
static struct err lane_start(struct lane *l) {
    l->registry = registry_clone(l->f->registry);
    l->full = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    l->free = eventfd(SLOTS, EFD_CLOEXEC | EFD_SEMAPHORE);
    if (l->full < 0 || l->free < 0)
        return err_errno(errno, "eventfd");
    for (unsigned i = 0; i < SLOTS; i++)
        l->slots[i].data = mem_alloc(RANGES_PIECE);
    int rc = pthread_create(&l->thread, NULL, lane_main, l);
    l->running = rc == 0;
    return rc == 0 ? OK : err_errno(rc, "start a thread");
}

static void lane_end(struct lane *l) {
    if (l->running) {
        post(l->free);
        pthread_join(l->thread, NULL);
    }
    if (l->full >= 0)
        close(l->full);
    if (l->free >= 0)
        close(l->free);
    for (unsigned i = 0; i < SLOTS; i++)
        free(l->slots[i].data);
    registry_free(l->registry);
}

/* *ret_lane: the lane whose piece did not come; NULL: none. */
static struct err take_all(const struct ranges_fetch *f, struct lane *lanes,
                           struct lane **ret_lane) {
    uint64_t piece = 0;
    for (uint64_t at = f->from; at < f->size; at += RANGES_PIECE, piece++) {
        struct lane *l = &lanes[piece % f->lanes];
        unsigned slot = (unsigned)(piece / f->lanes % SLOTS);
        await(l->full);
        if (l->slots[slot].len == 0) {
            *ret_lane = l;
            return OK;
        }
        int r = f->take(f->arg, l->slots[slot].data, l->slots[slot].len);
        if (r < 0)
            return err_errno(r, "store the answer");
        post(l->free);
    }
    return OK;
}

struct err ranges_fetch(const struct ranges_fetch *f) {
    struct lane lanes[RANGES_LANES];
    struct lane *failed = NULL;
    _Atomic bool stop = false;
    struct err e = OK;
    for (unsigned i = 0; i < f->lanes; i++)
        lanes[i] = (struct lane){.f = f, .number = i, .stop = &stop, .full = -1, .free = -1};
    for (unsigned i = 0; i < f->lanes && !err_failed(e); i++)
        e = lane_start(&lanes[i]);
    if (!err_failed(e))
        e = take_all(f, lanes, &failed);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < f->lanes; i++) {
        lane_end(&lanes[i]);
        if (&lanes[i] == failed)
            e = lanes[i].result;
        else
            err_ignore(lanes[i].result); /* it was told to stop, or was not the first to fail */
    }
    return e;
}
