/* writer.c - streams into records into the file, without ever waiting for the disk.
 *
 * Two buffers of reserved address space: records are formatted into the front one while the kernel
 * writes the back one. Reserved, not allocated: pages appear when they are used and are given back
 * in quiet moments, so a silent container costs nothing and a flood needs no allocation. */
#include "logs/writer.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *reserve(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct err map_buffers(struct logs_writer *w, const struct logs_writer_options *o) {
    size_t tail = (FORMAT_TAIL_ROOM(o->attrs.len) + 63) & ~(size_t)63;
    w->non_blocking = o->max_buffer > 0;
    w->half_size = WRITER_BUFFER + 1024 * o->attrs.len;
    if (w->non_blocking)
        w->half_size = (size_t)o->max_buffer;
    w->area_size = 2 * w->half_size + 2 * (size_t)LOGS_PARTIAL_SIZE + 3 * tail;
    w->area = reserve(w->area_size);
    if (w->area == NULL)
        return err_errno(errno, "reserve log buffers");
    char *p = w->area;
    for (int i = 0; i < 2; i++, p += w->half_size)
        w->halves[i].data = p;
    for (int i = 0; i < 2; i++, p += LOGS_PARTIAL_SIZE)
        w->carries[i].bytes = (unsigned char *)p;
    for (int i = 0; i < 2; i++, p += tail)
        w->tails[i].text = p;
    if (o->attrs.len > 0)
        memcpy(p, o->attrs.p, o->attrs.len);
    w->attrs = str_n(p, o->attrs.len);
    return OK;
}

static struct err open_all(struct logs_writer *w, const struct logs_writer_options *o) {
    TRY(map_buffers(w, o));
    if ((w->dir_fd = fcntl(o->dir_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        return err_errno(errno, "log directory");
    TRY(rotate_open_first(w));
    w->ring = o->blocking ? NULL : uring_new();
    return OK;
}

struct err logs_writer_new(const struct logs_writer_options *o, struct logs_writer **ret) {
    TRY(logs_check_driver(o->driver));
    if (o->attrs.len > LOGS_ATTRS_MAX)
        return err_new(ERR_INVALID, "log attributes are too long");
    struct logs_writer *w = NEW(struct logs_writer);
    w->fd = w->dir_fd = w->pack_fd = -1;
    w->compress = o->compress && o->max_file > 1 && o->max_size > 0;
    w->max_size = o->max_size;
    w->max_file = MAX(o->max_file, 1);
    w->discard = strcmp(o->driver, "none") == 0;
    w->name = mem_strdup(o->name ? o->name : "");
    struct err e = w->discard ? OK : open_all(w, o);
    if (err_failed(e)) {
        logs_writer_free(w);
        return e;
    }
    *ret = w;
    return OK;
}

struct logs_writer *logs_writer_free(struct logs_writer *w) {
    if (w == NULL)
        return NULL;
    /* With a write that hangs, its buffer and ring stay for the kernel until the process ends. */
    if (w->ring == NULL || !uring_busy(w->ring)) {
        uring_free(w->ring);
        if (w->area)
            munmap(w->area, w->area_size);
        fd_close(w->fd);
    }
    fd_close(w->dir_fd);
    fd_close(w->pack_fd);
    free(w->forms);
    free(w->sizes);
    free(w->name);
    free(w);
    return NULL;
}

bool logs_writer_async(const struct logs_writer *w) {
    return w->ring != NULL;
}

int logs_writer_fd(const struct logs_writer *w) {
    return w->ring ? uring_fd(w->ring) : -1;
}

void logs_writer_missing(const struct logs_writer *w, struct logs_missing *ret) {
    *ret = w->missing;
}

uint64_t logs_writer_accepted(const struct logs_writer *w) {
    return w->accepted;
}

uint64_t logs_writer_settled(const struct logs_writer *w) {
    return w->settled;
}

struct str logs_writer_unfinished(const struct logs_writer *w, enum logs_stream s) {
    return str_n(w->carries[s].bytes, w->discard ? 0 : w->carries[s].n);
}

bool logs_writer_full(const struct logs_writer *w) {
    return !w->non_blocking && w->halves[w->front].len >= WRITER_FULL;
}

bool logs_writer_idle(const struct logs_writer *w) {
    return w->discard || (w->halves[0].len == 0 && w->halves[1].len == 0 && w->step == STEP_NONE);
}

void writer_count_lost(struct logs_writer *w, uint64_t records) {
    w->lost += records;
    w->missing.dropped += records;
}

/* One record into the front buffer. */
static void add_record(struct logs_writer *w, const unsigned char *p, size_t n, bool newline,
                       const struct format_tail *t) {
    struct half *h = &w->halves[w->front];
    if (w->half_size - h->len < FORMAT_RECORD_ROOM(n, t)) {
        writer_count_lost(w, 1); /* the disk hangs and its source goes on: bounded */
        return;
    }
    char *end = format_record(h->data + h->len, p, n, newline, t);
    w->accepted += (size_t)(end - h->data) - h->len;
    h->len = (size_t)(end - h->data);
}

/* A piece of a line: whole pieces but the last have no newline and share the time of the first. */
static void add_piece(struct logs_writer *w, enum logs_stream s, const unsigned char *p, size_t n,
                      bool newline, int64_t now, const struct format_tail *t) {
    struct carry *c = &w->carries[s];
    if (c->partial) {
        struct format_tail *first = &w->tails[1];
        format_tail_set(first, s, w->attrs, c->partial_at);
        t = first;
    } else if (!newline) {
        c->partial_at = now;
    }
    c->partial = !newline;
    add_record(w, p, n, newline, t);
}

/* Completes the unfinished line with the front of p; returns the bytes taken. */
static size_t fill_carry(struct logs_writer *w, enum logs_stream s, const unsigned char *p,
                         size_t n, int64_t now, const struct format_tail *t) {
    struct carry *c = &w->carries[s];
    size_t room = MIN(n, (size_t)LOGS_PARTIAL_SIZE - c->n);
    const unsigned char *nl = memchr(p, '\n', room);
    size_t take = nl ? (size_t)(nl - p) : room;
    memcpy(c->bytes + c->n, p, take);
    c->n += take;
    if (nl || c->n == LOGS_PARTIAL_SIZE) {
        add_piece(w, s, c->bytes, c->n, nl != NULL, now, t);
        c->n = 0;
    }
    return take + (nl ? 1 : 0);
}

void logs_write(struct logs_writer *w, enum logs_stream s, const void *data, size_t n,
                int64_t now) {
    if (w->discard)
        return;
    const unsigned char *p = data;
    struct carry *c = &w->carries[s];
    struct format_tail *t = &w->tails[0];
    format_tail_set(t, s, w->attrs, now);
    while (n > 0) {
        size_t used;
        size_t limit = MIN(n, (size_t)LOGS_PARTIAL_SIZE);
        const unsigned char *nl = c->n > 0 ? NULL : memchr(p, '\n', limit);
        if (c->n > 0 || (nl == NULL && n < LOGS_PARTIAL_SIZE)) {
            used = fill_carry(w, s, p, n, now, t);
        } else {
            size_t len = nl ? (size_t)(nl - p) : limit;
            if (c->partial || !nl)
                add_piece(w, s, p, len, nl != NULL, now, t);
            else
                add_record(w, p, len, true, t);
            used = len + (nl ? 1 : 0);
        }
        p += used;
        n -= used;
    }
    rotate_step(w);
}

void logs_writer_end(struct logs_writer *w, int64_t now) {
    if (w->discard)
        return;
    w->ended = true; /* whoever writes this log next compresses what is left */
    for (int s = 0; s < 2; s++) {
        struct carry *c = &w->carries[s];
        struct format_tail *t = &w->tails[0];
        format_tail_set(t, (enum logs_stream)s, w->attrs, now);
        if (c->n > 0)
            add_piece(w, s, c->bytes, c->n, false, now, t);
        c->n = 0;
        c->partial = false;
    }
    rotate_step(w);
}

bool logs_writer_pump(struct logs_writer *w) {
    if (!w->discard)
        rotate_step(w);
    bool grew = w->grew;
    w->grew = false;
    return grew;
}

void logs_writer_trim(struct logs_writer *w) {
    if (w->discard || !logs_writer_idle(w))
        return;
    bool carries = w->carries[0].n > 0 || w->carries[1].n > 0;
    /* Advice: a failure costs memory, nothing else. */
    size_t front = 2 * w->half_size & ~(size_t)4095;
    if (w->attrs.len == 0 && !carries)
        front = w->area_size;
    (void)!madvise(w->area, front, MADV_DONTNEED);
}
