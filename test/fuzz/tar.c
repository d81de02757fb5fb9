/* Tar streams, plain or compressed: every entry with its data, to the end. What is read of an entry
 * is within the limits that the header promises. */
#include "archive/inflate.h"
#include "archive/tar_read.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err read_all(struct stream *s) {
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(s);
    for (;;) {
        const struct tar_entry *e;
        TRY(tar_next(t, &e));
        if (!e)
            return tar_finish(t);
        uint64_t got = 0;
        char p[777];
        size_t n;
        do {
            TRY(tar_read(t, p, sizeof(p), &n));
            got += n;
        } while (n > 0);
        if (got != e->size || !e->path || !e->target || e->mode > 07777 ||
            e->xattrs.n > TAR_XATTRS_MAX)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (unsigned flags = 0; flags <= INFLATE_ZLIB; flags += INFLATE_ZLIB) {
        CLEAN_STREAM struct stream *s = NULL;
        enum compression kind;
        struct err e = inflate_open(stream_mem(str_n(data, size)), flags, &s, &kind);
        if (!err_failed(e))
            e = read_all(s);
        err_free(e);
    }
    return 0;
}
