#include "archive/stream.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_SIZE (256u << 10)
#define PIPE_SIZE (1u << 20)

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
    char p[32 << 10];
    while (n > 0) {
        size_t k;
        TRY(stream_read(s, p, MIN(n, sizeof(p)), &k));
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

/* --- a stage in a thread ---------------------------------------------------------------------- */
struct threaded_stream {
    struct stream s;
    struct stream *source; /* owned; used by the thread until it is joined */
    pthread_t thread;
    bool joined;
    int read_fd, write_fd; /* write_fd belongs to the thread once it runs */
    struct err result;     /* written by the thread, read after the join */
};

static void *threaded_main(void *arg) {
    struct threaded_stream *t = arg;
    CLEAN_FREE
    char *p = mem_alloc(COPY_SIZE);
    for (;;) {
        size_t k;
        t->result = stream_read(t->source, p, COPY_SIZE, &k);
        if (err_failed(t->result) || k == 0)
            break;
        /* EPIPE (SIGPIPE is ignored in workers): the reader went away, nobody will ask why. */
        if (fd_write_all(t->write_fd, p, k) < 0)
            break;
    }
    t->write_fd = fd_close(t->write_fd);
    return NULL;
}

static void threaded_join(struct threaded_stream *t) {
    if (!t->joined)
        pthread_join(t->thread, NULL);
    t->joined = true;
}

static struct err threaded_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct threaded_stream *t = CONTAINER_OF(s, struct threaded_stream, s);
    ssize_t k;
    do
        k = read(t->read_fd, p, n);
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return err_errno(errno, "read from the pipeline");
    if (k == 0) {
        threaded_join(t);
        struct err e = t->result;
        t->result = OK;
        TRY(e);
    }
    *ret_n = (size_t)k;
    return OK;
}

static void threaded_done(struct stream *s) {
    struct threaded_stream *t = CONTAINER_OF(s, struct threaded_stream, s);
    t->read_fd = fd_close(t->read_fd); /* stops a thread that writes */
    threaded_join(t);
    err_ignore(t->result); /* the reader gave up before the end */
    stream_free(t->source);
    free(t);
}

struct err stream_threaded(struct stream *from, struct stream **ret) {
    struct threaded_stream *t = NEW(struct threaded_stream);
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        struct err e = err_errno(errno, "pipe");
        free(t);
        return e;
    }
    /* Bigger pipes need fewer switches; refused above the user's limit, which does no harm. */
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
    t->s = (struct stream){threaded_read, threaded_done, NULL};
    t->source = from;
    t->read_fd = fds[0];
    t->write_fd = fds[1];
    int r = pthread_create(&t->thread, NULL, threaded_main, t);
    if (r != 0) {
        fd_close(fds[0]);
        fd_close(fds[1]);
        free(t);
        return err_errno(r, "start a thread");
    }
    *ret = &t->s;
    return OK;
}
