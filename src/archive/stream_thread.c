/* stream_thread.c - a stage in a thread of its own.
 *
 * The two share a ring of SLOTS buffers; two eventfd semaphores count the full and the free ones.
 * Bytes are written by the stage where the reader takes them from: against a pipe that saves two
 * copies and an allocation per page, and a switch happens every SLOT_SIZE bytes at most.
 */
#include "archive/stream.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLOTS 8
#define SLOT_SIZE (256u << 10)

struct slot {
    char *data;
    size_t len; /* 0: the end, or failed */
};

struct threaded_stream {
    struct stream s;
    struct stream *source; /* owned; used by the thread until it is joined */
    pthread_t thread;
    int full, free;    /* semaphores */
    _Atomic bool left; /* the reader wants no more */
    struct slot slots[SLOTS];
    unsigned next; /* reader: the slot it reads, or will */
    size_t at;     /* read of it */
    bool holding;  /* it is full and not given back */
    bool joined, ended;
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

/* --- the thread ------------------------------------------------------------------------------- */
static void *threaded_main(void *arg) {
    struct threaded_stream *t = arg;
    for (unsigned i = 0;; i = (i + 1) % SLOTS) {
        struct slot *slot = &t->slots[i];
        size_t n = 0;
        await(t->free);
        if (atomic_load(&t->left))
            break;
        t->result = stream_read_full(t->source, slot->data, SLOT_SIZE, &n);
        slot->len = err_failed(t->result) ? 0 : n;
        post(t->full);
        if (slot->len == 0)
            break;
    }
    return NULL;
}

static void threaded_join(struct threaded_stream *t) {
    if (!t->joined)
        pthread_join(t->thread, NULL);
    t->joined = true;
}

/* --- its reader ------------------------------------------------------------------------------- */
static struct err threaded_end(struct threaded_stream *t) {
    t->ended = true;
    threaded_join(t);
    struct err e = t->result;
    t->result = OK;
    return e;
}

static struct err threaded_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct threaded_stream *t = CONTAINER_OF(s, struct threaded_stream, s);
    *ret_n = 0;
    if (t->ended || n == 0)
        return OK;
    struct slot *slot = &t->slots[t->next];
    if (!t->holding) {
        await(t->full);
        t->holding = true;
        t->at = 0;
        if (slot->len == 0)
            return threaded_end(t);
    }
    size_t k = MIN(n, slot->len - t->at);
    memcpy(p, slot->data + t->at, k);
    t->at += k;
    if (t->at == slot->len) {
        t->holding = false;
        t->next = (t->next + 1) % SLOTS;
        post(t->free);
    }
    *ret_n = k;
    return OK;
}

static void threaded_free(struct threaded_stream *t) {
    for (size_t i = 0; i < SLOTS; i++)
        free(t->slots[i].data);
    fd_close(t->full);
    fd_close(t->free);
    free(t);
}

static void threaded_done(struct stream *s) {
    struct threaded_stream *t = CONTAINER_OF(s, struct threaded_stream, s);
    atomic_store(&t->left, true);
    post(t->free); /* wakes a thread that waits for room */
    threaded_join(t);
    err_ignore(t->result); /* the reader gave up before the end */
    stream_free(t->source);
    threaded_free(t);
}

static int threaded_prepare(struct threaded_stream *t) {
    t->full = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
    t->free = eventfd(SLOTS, EFD_SEMAPHORE | EFD_CLOEXEC);
    if (t->full < 0 || t->free < 0)
        return -errno;
    for (size_t i = 0; i < SLOTS; i++)
        t->slots[i].data = mem_alloc(SLOT_SIZE);
    return -pthread_create(&t->thread, NULL, threaded_main, t);
}

struct err stream_threaded(struct stream *from, struct stream **ret) {
    struct threaded_stream *t = NEW(struct threaded_stream);
    t->s = (struct stream){threaded_read, threaded_done, NULL};
    t->source = from;
    t->full = t->free = -1;
    int r = threaded_prepare(t);
    if (r < 0) {
        threaded_free(t);
        return err_errno(r, "start a thread");
    }
    *ret = &t->s;
    return OK;
}
