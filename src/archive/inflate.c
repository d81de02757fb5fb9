#include "archive/inflate.h"
#include "base/mem.h"
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE (128u << 10)
#define SNIFF_SIZE 6
#define ZSTD_WINDOW_LOG_MAX 27

/* One compressed stream; `step` decodes in → out. */
struct inflate {
    struct stream s;
    struct err (*step)(struct inflate *f, void *out, size_t n, size_t *ret_n);
    unsigned char *in;
    size_t in_pos, in_len;
    bool in_end;  /* the source has no more */
    bool between; /* no member or frame is open */
    bool any;     /* at least one member was complete */
    uint64_t total_in, total_out;
    struct inflate_state *isal;
    z_stream *zlib;
    ZSTD_DStream *zstd;
};

static struct err inflate_fill(struct inflate *f) {
    if (f->in_pos < f->in_len || f->in_end)
        return OK;
    size_t k;
    TRY(stream_read(f->s.from, f->in, IN_SIZE, &k));
    f->in_pos = 0;
    f->in_len = k;
    f->in_end = k == 0;
    f->total_in += k;
    return OK;
}

/* Between two members: the end, zero padding up to the end (tapes, some tools), or another member.
 */
static struct err inflate_next_member(struct inflate *f, unsigned char magic, bool *ret_more) {
    TRY(inflate_fill(f));
    *ret_more = false;
    if (f->in_end)
        return OK;
    if (f->in[f->in_pos] == magic || !f->any) {
        *ret_more = true;
        return OK;
    }
    while (!f->in_end) {
        for (; f->in_pos < f->in_len; f->in_pos++)
            if (f->in[f->in_pos] != 0)
                return err_new(ERR_INVALID, "garbage after the end of compressed data");
        TRY(inflate_fill(f));
    }
    return OK;
}

static struct err isal_step(struct inflate *f, void *out, size_t n, size_t *ret_n) {
    struct inflate_state *z = f->isal;
    if (f->between) {
        bool more;
        TRY(inflate_next_member(f, 0x1f, &more));
        if (!more) {
            *ret_n = 0;
            return OK;
        }
        isal_inflate_reset(z);
        z->crc_flag = ISAL_GZIP;
        f->between = false;
    }
    z->next_out = out;
    z->avail_out = (uint32_t)MIN(n, UINT32_MAX);
    size_t room = z->avail_out;
    while (z->avail_out == room) {
        TRY(inflate_fill(f));
        z->next_in = f->in + f->in_pos;
        z->avail_in = (uint32_t)(f->in_len - f->in_pos);
        uint32_t before = z->avail_in;
        int r = isal_inflate(z);
        f->in_pos = f->in_len - z->avail_in;
        if (r < 0)
            return err_new(ERR_INVALID, "gzip: damaged data (%d)", r);
        if (z->block_state == ISAL_BLOCK_FINISH) {
            f->between = f->any = true;
            break;
        }
        if (f->in_end && z->avail_out == room)
            return err_new(ERR_INVALID, "gzip: unexpected end of data");
        if (before > 0 && z->avail_in == before && z->avail_out == room)
            return err_new(ERR_INVALID, "gzip: damaged data");
    }
    *ret_n = room - z->avail_out;
    return OK;
}

static struct err zlib_step(struct inflate *f, void *out, size_t n, size_t *ret_n) {
    z_stream *z = f->zlib;
    if (f->between) {
        bool more;
        TRY(inflate_next_member(f, 0x1f, &more));
        if (!more) {
            *ret_n = 0;
            return OK;
        }
        inflateReset(z);
        f->between = false;
    }
    z->next_out = out;
    z->avail_out = (uInt)MIN(n, UINT32_MAX);
    uInt room = z->avail_out;
    while (z->avail_out == room) {
        TRY(inflate_fill(f));
        z->next_in = f->in + f->in_pos;
        z->avail_in = (uInt)(f->in_len - f->in_pos);
        int r = inflate(z, Z_NO_FLUSH);
        f->in_pos = f->in_len - z->avail_in;
        if (r == Z_STREAM_END) {
            f->between = f->any = true;
            break;
        }
        if (r != Z_OK && r != Z_BUF_ERROR)
            return err_new(ERR_INVALID, "gzip: damaged data (%d)", r);
        if (f->in_end && z->avail_out == room)
            return err_new(ERR_INVALID, "gzip: unexpected end of data");
    }
    *ret_n = room - z->avail_out;
    return OK;
}

static struct err zstd_step(struct inflate *f, void *out, size_t n, size_t *ret_n) {
    ZSTD_outBuffer o = {out, n, 0};
    while (o.pos == 0) {
        if (f->between) {
            TRY(inflate_fill(f));
            if (f->in_end)
                break;
            f->between = false;
        }
        TRY(inflate_fill(f));
        ZSTD_inBuffer i = {f->in, f->in_len, f->in_pos};
        size_t r = ZSTD_decompressStream(f->zstd, &o, &i);
        bool stuck = i.pos == f->in_pos && o.pos == 0;
        f->in_pos = i.pos;
        if (ZSTD_isError(r))
            return err_new(ERR_INVALID, "zstd: %s", ZSTD_getErrorName(r));
        if (r == 0)
            f->between = true;
        else if (f->in_end && stuck)
            return err_new(ERR_INVALID, "zstd: unexpected end of data");
    }
    *ret_n = o.pos;
    return OK;
}

static struct err inflate_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct inflate *f = CONTAINER_OF(s, struct inflate, s);
    size_t k;
    do /* an empty member gives nothing and is not the end */
        TRY(f->step(f, p, n, &k));
    while (k == 0 && !(f->between && f->in_end && f->in_pos == f->in_len) && n > 0);
    f->total_out += k;
    if (f->total_out > INFLATE_FREE && f->total_out / INFLATE_RATIO > f->total_in)
        return err_new(ERR_INVALID, "compressed data expands more than %d times", INFLATE_RATIO);
    *ret_n = k;
    return OK;
}

static void inflate_done(struct stream *s) {
    struct inflate *f = CONTAINER_OF(s, struct inflate, s);
    free(f->isal);
    if (f->zlib)
        inflateEnd(f->zlib);
    free(f->zlib);
    ZSTD_freeDStream(f->zstd);
    free(f->in);
    free(f);
}

/* --- telling what it is ----------------------------------------------------------------------- */
/* Bytes that were looked at go first again. */
struct sniffed {
    struct stream s;
    unsigned char head[SNIFF_SIZE];
    size_t pos, len;
};

static struct err sniffed_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct sniffed *h = CONTAINER_OF(s, struct sniffed, s);
    if (h->pos < h->len) {
        size_t k = MIN(n, h->len - h->pos);
        memcpy(p, h->head + h->pos, k);
        h->pos += k;
        *ret_n = k;
        return OK;
    }
    return stream_read(s->from, p, n, ret_n);
}

static void sniffed_done(struct stream *s) {
    free(CONTAINER_OF(s, struct sniffed, s));
}

static struct err inflate_kind(const struct sniffed *h, enum compression *ret) {
    struct str head = str_n(h->head, h->len);
    if (str_starts(head, STR("\x1f\x8b")))
        *ret = COMPRESSION_GZIP;
    else if (str_starts(head, STR("\x28\xb5\x2f\xfd")) ||
             (h->len >= 4 && (h->head[0] & 0xf0) == 0x50 &&
              memcmp(h->head + 1, "\x2a\x4d\x18", 3) == 0)) /* a skippable frame first */
        *ret = COMPRESSION_ZSTD;
    else if (str_starts(head, STR("\xfd"
                                  "7zXZ")))
        return err_new(ERR_UNSUPPORTED, "xz-compressed archives are not supported");
    else if (str_starts(head, STR("BZh")))
        return err_new(ERR_UNSUPPORTED, "bzip2-compressed archives are not supported");
    else
        *ret = COMPRESSION_NONE;
    return OK;
}

static struct inflate *inflate_new(struct stream *from, enum compression kind, unsigned flags) {
    struct inflate *f = NEW(struct inflate);
    f->s = (struct stream){inflate_read, inflate_done, from};
    f->in = mem_alloc(IN_SIZE);
    f->between = true;
    if (kind == COMPRESSION_ZSTD) {
        f->step = zstd_step;
        f->zstd = ZSTD_createDStream();
        ZSTD_DCtx_setParameter(f->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    } else if (flags & INFLATE_ZLIB) {
        f->step = zlib_step;
        f->zlib = NEW(z_stream);
        inflateInit2(f->zlib, 15 + 16);
    } else {
        f->step = isal_step;
        f->isal = NEW(struct inflate_state);
        isal_inflate_init(f->isal);
    }
    return f;
}

struct err inflate_open(struct stream *from, unsigned flags, struct stream **ret,
                        enum compression *ret_kind) {
    struct sniffed *h = NEW(struct sniffed);
    h->s = (struct stream){sniffed_read, sniffed_done, from};
    CLEAN_STREAM struct stream *s = &h->s;
    TRY(stream_read_full(from, h->head, SNIFF_SIZE, &h->len));
    enum compression kind = COMPRESSION_NONE;
    TRY(inflate_kind(h, &kind));
    if (kind != COMPRESSION_NONE)
        s = &inflate_new(s, kind, flags)->s;
    *ret = TAKE(s);
    *ret_kind = kind;
    return OK;
}
