#include "archive/stream.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_SIZE (256u << 10)
#define SKIP_SIZE (32u << 10)

struct err stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    return s->read(s, p, n, ret_n);
}

struct err stream_read_full(struct stream *s, void *p, size_t n, size_t *ret_n) {
    size_t got = 0;
    while (got < n) {
        size_t k;
        TRY(stream_read(s, (char *)p + got, n - got, &k));
        if (k == 0)
            break;
        got += k;
    }
    *ret_n = got;
    return OK;
}

struct err stream_drain(struct stream *s) {
    CLEAN_FREE
    char *p = mem_alloc(COPY_SIZE);
    size_t k;
    do
        TRY(stream_read(s, p, COPY_SIZE, &k));
    while (k > 0);
    return OK;
}

struct err stream_skip(struct stream *s, uint64_t n) {
    char small[512]; /* a larger one would be cleared for each few bytes */
    CLEAN_FREE
    char *large = n > sizeof(small) ? mem_alloc(SKIP_SIZE) : NULL;
    while (n > 0) {
        size_t k;
        TRY(stream_read(s, large ? large : small, MIN(n, large ? SKIP_SIZE : sizeof(small)), &k));
        if (k == 0)
            return err_new(ERR_INVALID, "unexpected end of data");
        n -= k;
    }
    return OK;
}

struct err stream_copy_fd(struct stream *s, int fd, uint64_t *ret_n) {
    CLEAN_FREE
    char *p = mem_alloc(COPY_SIZE);
    uint64_t total = 0;
    for (;;) {
        size_t k;
        TRY(stream_read(s, p, COPY_SIZE, &k));
        if (k == 0)
            break;
        int r = fd_write_all(fd, p, k);
        if (r < 0)
            return err_errno(r, "write");
        total += k;
    }
    *ret_n = total;
    return OK;
}

struct stream *stream_free(struct stream *s) {
    while (s) {
        struct stream *from = s->from;
        s->done(s);
        s = from;
    }
    return NULL;
}

void stream_clean(struct stream **s) {
    *s = stream_free(*s);
}

/* The stream is the first member of every stage here. */
static void plain_done(struct stream *s) {
    free(s);
}

/* --- sources --------------------------------------------------------------------------------- */
struct fd_stream {
    struct stream s;
    int fd;
};

static struct err fd_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct fd_stream *f = CONTAINER_OF(s, struct fd_stream, s);
    for (;;) {
        ssize_t k = read(f->fd, p, n);
        if (k >= 0) {
            *ret_n = (size_t)k;
            return OK;
        }
        if (errno != EINTR)
            return err_errno(errno, "read");
    }
}

struct stream *stream_fd(int fd) {
    struct fd_stream *f = NEW(struct fd_stream);
    f->s = (struct stream){fd_stream_read, plain_done, NULL};
    f->fd = fd;
    return &f->s;
}

struct mem_stream {
    struct stream s;
    struct str rest;
};

static struct err mem_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct mem_stream *m = CONTAINER_OF(s, struct mem_stream, s);
    size_t k = MIN(n, m->rest.len);
    if (k > 0)
        memcpy(p, m->rest.p, k);
    m->rest = str_from(m->rest, k);
    *ret_n = k;
    return OK;
}

struct stream *stream_mem(struct str bytes) {
    struct mem_stream *m = NEW(struct mem_stream);
    m->s = (struct stream){mem_stream_read, plain_done, NULL};
    m->rest = bytes;
    return &m->s;
}

/* --- stages ---------------------------------------------------------------------------------- */
struct limit_stream {
    struct stream s;
    uint64_t left, max;
    const char *what;
};

static struct err limit_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct limit_stream *l = CONTAINER_OF(s, struct limit_stream, s);
    size_t k;
    TRY(stream_read(s->from, p, n, &k));
    if (k > l->left)
        return err_new(ERR_INVALID, "%s is larger than %llu bytes", l->what,
                       (unsigned long long)l->max);
    l->left -= k;
    *ret_n = k;
    return OK;
}

struct stream *stream_limit(struct stream *from, uint64_t max, const char *what) {
    struct limit_stream *l = NEW(struct limit_stream);
    l->s = (struct stream){limit_stream_read, plain_done, from};
    l->left = l->max = max;
    l->what = what;
    return &l->s;
}

struct part_stream {
    struct stream s;
    struct stream *borrowed;
    uint64_t left;
};

static struct err part_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct part_stream *t = CONTAINER_OF(s, struct part_stream, s);
    size_t k = 0;
    if (t->left > 0) {
        TRY(stream_read(t->borrowed, p, MIN(n, t->left), &k));
        if (k == 0)
            return err_new(ERR_INVALID, "unexpected end of data");
    }
    t->left -= k;
    *ret_n = k;
    return OK;
}

struct stream *stream_part(struct stream *from, uint64_t n) {
    struct part_stream *t = NEW(struct part_stream);
    t->s = (struct stream){part_stream_read, plain_done, NULL};
    t->borrowed = from;
    t->left = n;
    return &t->s;
}

static struct err borrow_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    return stream_read(CONTAINER_OF(s, struct part_stream, s)->borrowed, p, n, ret_n);
}

struct stream *stream_borrow(struct stream *from) {
    struct part_stream *t = NEW(struct part_stream);
    t->s = (struct stream){borrow_read, plain_done, NULL};
    t->borrowed = from;
    return &t->s;
}

struct after_stream {
    struct stream s;
    size_t at, len;
    char head[];
};

static struct err after_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct after_stream *t = CONTAINER_OF(s, struct after_stream, s);
    if (t->at == t->len)
        return stream_read(s->from, p, n, ret_n);
    size_t k = MIN(n, t->len - t->at);
    memcpy(p, t->head + t->at, k);
    t->at += k;
    *ret_n = k;
    return OK;
}

struct stream *stream_after(struct str head, struct stream *from) {
    struct after_stream *t = mem_zero(sizeof(*t) + head.len);
    t->s = (struct stream){after_read, plain_done, from};
    t->len = head.len;
    if (head.len > 0)
        memcpy(t->head, head.p, head.len);
    return &t->s;
}
