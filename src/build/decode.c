/* build/decode.c - archives as they come: plain, gzip, zstd (archive/inflate.h), xz, bzip2. */
#include "archive/inflate.h"
#include "base/mem.h"
#include "build/unpack.h"
#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>

#define INPUT_SIZE (64u << 10)
#define XZ_MEMORY_MAX (UINT64_C(256) << 20) /* bytes of a dictionary */
#define MAGIC_SIZE 6

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
    lzma_ret r = lzma_code(&d->lzma, d->at_end ? LZMA_FINISH : LZMA_RUN);
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
    int r = BZ2_bzDecompress(&d->bz);
    *ret_n = room - d->bz.avail_out;
    if (r == BZ_STREAM_END) {
        /* Another member may follow. */
        bz_stream next = {.next_in = d->bz.next_in, .avail_in = d->bz.avail_in};
        BZ2_bzDecompressEnd(&d->bz);
        d->bz = (bz_stream){0};
        if (BZ2_bzDecompressInit(&d->bz, 0, 0) != BZ_OK)
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
    if (d->xz)
        lzma_end(&d->lzma);
    else
        BZ2_bzDecompressEnd(&d->bz);
    free(d);
}

static struct err decoder_new(struct stream *from, bool xz, struct stream **ret) {
    struct decoder *d = NEW(struct decoder);
    d->xz = xz;
    d->s = (struct stream){decoder_read, decoder_done, from};
    bool ok = xz ? lzma_stream_decoder(&d->lzma, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK
                 : BZ2_bzDecompressInit(&d->bz, 0, 0) == BZ_OK;
    *ret = &d->s;
    return ok ? OK : err_new(ERR_SYSTEM, "%s does not start", xz ? "xz" : "bzip2");
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
    struct stream *d;
    struct err e = decoder_new(TAKE(in), is_xz, &d);
    if (err_failed(e))
        stream_free(d);
    else
        *ret = d;
    return e;
}
