#include "archive/decode.h"
#include "base/mem.h"
#include <bzlib.h>
#include <dlfcn.h>
#include <lzma.h>
#include <stdlib.h>

#define INPUT_SIZE (64u << 10)
#define XZ_MEMORY_MAX (UINT64_C(256) << 20) /* bytes of a dictionary */
#define MAGIC_SIZE 6

/* What is used of the two libraries, one of them at a time. */
struct codec {
    void *library;
    lzma_ret (*xz_open)(lzma_stream *s, uint64_t memory, uint32_t flags);
    lzma_ret (*xz_code)(lzma_stream *s, lzma_action action);
    void (*xz_end)(lzma_stream *s);
    int (*bz_open)(bz_stream *s, int verbosity, int small);
    int (*bz_code)(bz_stream *s);
    int (*bz_end)(bz_stream *s);
};

static void codec_xz(struct codec *c) {
    c->xz_open = (lzma_ret(*)(lzma_stream *, uint64_t, uint32_t))dlsym(c->library,
                                                                       "lzma_stream_decoder");
    c->xz_code = (lzma_ret(*)(lzma_stream *, lzma_action))dlsym(c->library, "lzma_code");
    c->xz_end = (void (*)(lzma_stream *))dlsym(c->library, "lzma_end");
}

static void codec_bz(struct codec *c) {
    c->bz_open = (int (*)(bz_stream *, int, int))dlsym(c->library, "BZ2_bzDecompressInit");
    c->bz_code = (int (*)(bz_stream *))dlsym(c->library, "BZ2_bzDecompress");
    c->bz_end = (int (*)(bz_stream *))dlsym(c->library, "BZ2_bzDecompressEnd");
}

static struct err codec_load(bool xz, struct codec *ret) {
    const char *name = xz ? "liblzma.so.5" : "libbz2.so.1.0";
    ret->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!ret->library)
        return err_new(ERR_UNSUPPORTED, "such an archive needs %s, which is not installed", name);
    if (xz)
        codec_xz(ret);
    else
        codec_bz(ret);
    bool whole = xz ? ret->xz_open && ret->xz_code && ret->xz_end
                    : ret->bz_open && ret->bz_code && ret->bz_end;
    if (whole)
        return OK;
    dlclose(ret->library);
    *ret = (struct codec){0};
    return err_new(ERR_UNSUPPORTED, "%s lacks a function", name);
}

/* The bytes that were looked at, then the rest. */
struct again {
    struct stream s;
    unsigned char head[MAGIC_SIZE];
    size_t n, taken;
};

static struct err again_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct again *a = CONTAINER_OF(s, struct again, s);
    if (a->taken == a->n)
        return stream_read(s->from, p, n, ret_n);
    *ret_n = MIN(n, a->n - a->taken);
    memcpy(p, a->head + a->taken, *ret_n);
    a->taken += *ret_n;
    return OK;
}

static void again_done(struct stream *s) {
    free(CONTAINER_OF(s, struct again, s));
}

struct decoder {
    struct stream s;
    struct codec codec;
    bool xz, ended, at_end; /* of the compressed data; of the input */
    lzma_stream lzma;
    bz_stream bz;
    uint64_t in, out;
    char input[INPUT_SIZE];
};

static struct err fill(struct decoder *d, size_t *ret_left) {
    size_t left = d->xz ? d->lzma.avail_in : d->bz.avail_in, n;
    *ret_left = left;
    if (left || d->at_end)
        return OK;
    TRY(stream_read(d->s.from, d->input, sizeof(d->input), &n));
    d->at_end = n == 0;
    d->in += n;
    d->lzma.next_in = (const uint8_t *)d->input;
    d->lzma.avail_in = n;
    d->bz.next_in = d->input;
    d->bz.avail_in = (unsigned)n;
    *ret_left = n;
    return OK;
}

static struct err step_xz(struct decoder *d, void *p, size_t n, size_t *ret_n) {
    d->lzma.next_out = p;
    d->lzma.avail_out = n;
    lzma_ret r = d->codec.xz_code(&d->lzma, d->at_end ? LZMA_FINISH : LZMA_RUN);
    *ret_n = n - d->lzma.avail_out;
    d->ended = r == LZMA_STREAM_END;
    if (r == LZMA_OK || d->ended || (r == LZMA_BUF_ERROR && !d->at_end))
        return OK;
    return err_new(ERR_INVALID,
                   r == LZMA_MEMLIMIT_ERROR ? "xz data needs more than %llu MiB"
                                            : "damaged or cut xz data (limit %llu MiB)",
                   (unsigned long long)(XZ_MEMORY_MAX >> 20));
}

static struct err step_bz(struct decoder *d, void *p, size_t n, size_t left, size_t *ret_n) {
    d->bz.next_out = p;
    d->bz.avail_out = (unsigned)MIN(n, (size_t)1 << 30);
    size_t room = d->bz.avail_out;
    int r = d->codec.bz_code(&d->bz);
    *ret_n = room - d->bz.avail_out;
    if (r == BZ_STREAM_END) {
        /* Another member may follow. */
        bz_stream next = {.next_in = d->bz.next_in, .avail_in = d->bz.avail_in};
        d->codec.bz_end(&d->bz);
        d->bz = (bz_stream){0};
        if (d->codec.bz_open(&d->bz, 0, 0) != BZ_OK)
            return err_new(ERR_SYSTEM, "bzip2 does not start");
        d->bz.next_in = next.next_in;
        d->bz.avail_in = next.avail_in;
        size_t more;
        TRY(fill(d, &more));
        d->ended = more == 0;
        return OK;
    }
    if (r != BZ_OK || (d->at_end && left == 0 && *ret_n == 0))
        return err_new(ERR_INVALID, "damaged or cut bzip2 data");
    return OK;
}

static struct err decoder_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct decoder *d = CONTAINER_OF(s, struct decoder, s);
    size_t got = 0, left;
    while (got == 0 && !d->ended) {
        TRY(fill(d, &left));
        TRY(d->xz ? step_xz(d, p, n, &got) : step_bz(d, p, n, left, &got));
    }
    d->out += got;
    if (d->out > INFLATE_FREE && d->out / INFLATE_RATIO > d->in)
        return err_new(ERR_INVALID, "the archive unpacks to more than %d times its size",
                       INFLATE_RATIO);
    *ret_n = got;
    return OK;
}

static void decoder_done(struct stream *s) {
    struct decoder *d = CONTAINER_OF(s, struct decoder, s);
    if (d->codec.xz_end)
        d->codec.xz_end(&d->lzma);
    if (d->codec.bz_end)
        d->codec.bz_end(&d->bz);
    if (d->codec.library)
        dlclose(d->codec.library);
    free(d);
}

static struct err decoder_new(struct stream *from, bool xz, struct stream **ret) {
    struct decoder *d = NEW(struct decoder);
    CLEAN_STREAM struct stream *s = &d->s;
    d->xz = xz;
    d->s = (struct stream){decoder_read, decoder_done, from};
    TRY(codec_load(xz, &d->codec));
    bool ok = xz ? d->codec.xz_open(&d->lzma, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK
                 : d->codec.bz_open(&d->bz, 0, 0) == BZ_OK;
    if (!ok)
        return err_new(ERR_SYSTEM, "%s does not start", xz ? "xz" : "bzip2");
    *ret = TAKE(s);
    return OK;
}

struct err decode_open(struct stream *from, struct stream **ret) {
    static const unsigned char xz[] = {0xfd, '7', 'z', 'X', 'Z', 0};
    struct again *a = NEW(struct again);
    CLEAN_STREAM struct stream *in = &a->s;
    enum compression kind;
    a->s = (struct stream){again_read, again_done, from};
    TRY(stream_read_full(from, a->head, sizeof(a->head), &a->n));
    bool is_xz = a->n == sizeof(xz) && memcmp(a->head, xz, sizeof(xz)) == 0;
    if (!is_xz && (a->n < 4 || memcmp(a->head, "BZh", 3) != 0))
        return inflate_open(TAKE(in), 0, ret, &kind);
    return decoder_new(TAKE(in), is_xz, ret);
}
