#include "archive/deflate.h"
#include "base/file.h"
#include "base/mem.h"
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define OUT_SIZE (128u << 10)

struct deflate {
    int fd;
    struct isal_zstream z;
    unsigned char *in, *out, *level;
    size_t in_len;
    struct sha256 *hash;
    uint64_t size;
};

struct deflate *deflate_new(int fd) {
    struct deflate *d = NEW(struct deflate);
    d->fd = fd;
    d->in = mem_alloc(DEFLATE_BLOCK);
    d->out = mem_alloc(OUT_SIZE);
    d->level = mem_zero(ISAL_DEF_LVL1_DEFAULT);
    d->hash = sha256_new();
    isal_deflate_init(&d->z);
    d->z.level = 1;
    d->z.level_buf = d->level;
    d->z.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    d->z.gzip_flag = IGZIP_GZIP;
    d->z.flush = NO_FLUSH;
    return d;
}

/* Compresses the gathered block. */
static struct err deflate_block(struct deflate *d, bool last) {
    d->z.next_in = d->in;
    d->z.avail_in = (uint32_t)d->in_len;
    d->z.end_of_stream = last;
    do {
        d->z.next_out = d->out;
        d->z.avail_out = OUT_SIZE;
        int r = isal_deflate(&d->z);
        if (r != COMP_OK)
            return err_new(ERR_SYSTEM, "gzip: compression failed (%d)", r);
        size_t n = OUT_SIZE - d->z.avail_out;
        sha256_add(d->hash, d->out, n);
        r = fd_write_all(d->fd, d->out, n);
        if (r < 0)
            return err_errno(r, "write compressed layer");
        fd_flush_on(d->fd, d->size, d->size + n);
        d->size += n;
    } while (d->z.avail_out == 0 || d->z.avail_in > 0);
    d->in_len = 0;
    return OK;
}

struct err deflate_add(struct deflate *d, const void *p, size_t n) {
    while (n > 0) {
        size_t k = MIN(n, DEFLATE_BLOCK - d->in_len);
        memcpy(d->in + d->in_len, p, k);
        d->in_len += k;
        p = (const char *)p + k;
        n -= k;
        if (d->in_len == DEFLATE_BLOCK)
            TRY(deflate_block(d, false));
    }
    return OK;
}

struct err deflate_end(struct deflate *d, struct digest *ret_digest, uint64_t *ret_size) {
    do
        TRY(deflate_block(d, true));
    while (d->z.internal_state.state != ZSTATE_END);
    sha256_end(d->hash, ret_digest->bytes);
    *ret_size = d->size;
    return OK;
}

void deflate_free(struct deflate *d) {
    if (!d)
        return;
    sha256_free(d->hash);
    free(d->in);
    free(d->out);
    free(d->level);
    free(d);
}

void deflate_clean(struct deflate **d) {
    deflate_free(*d);
    *d = NULL;
}
