/* stream_tee.c - hashes and counts what passes; apart, because it needs OpenSSL. */
#include "archive/stream.h"
#include "base/mem.h"
#include <stdlib.h>

struct tee_stream {
    struct stream s;
    struct sha256 *hash;
    uint64_t *count;
};

static struct err tee_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct tee_stream *t = CONTAINER_OF(s, struct tee_stream, s);
    size_t k;
    TRY(stream_read(s->from, p, n, &k));
    if (t->hash)
        sha256_add(t->hash, p, k);
    if (t->count)
        *t->count += k;
    *ret_n = k;
    return OK;
}

static void tee_done(struct stream *s) {
    free(CONTAINER_OF(s, struct tee_stream, s));
}

struct stream *stream_tee(struct stream *from, struct sha256 *hash, uint64_t *count) {
    struct tee_stream *t = NEW(struct tee_stream);
    t->s = (struct stream){tee_stream_read, tee_done, from};
    t->hash = hash;
    t->count = count;
    return &t->s;
}
