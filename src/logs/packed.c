/* packed.c - reading compressed log files by their index. */
#include "logs/packed.h"
#include "archive/inflate.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 65536u
#define INDEX_MAX (PACKED_AT_PARTS + PACKED_PARTS * PACKED_PART_SIZE)

uint64_t packed_get(const unsigned char *p, size_t bytes) {
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

void packed_put(unsigned char *p, size_t bytes, uint64_t v) {
    for (size_t i = 0; i < bytes; i++, v >>= 8)
        p[i] = (unsigned char)v;
}

/* FNV-1a: times of a nanosecond in the first records make it a name. */
uint64_t packed_tell(const void *p, size_t n) {
    const unsigned char *bytes = p;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* --- the index -------------------------------------------------------------------------------- */

static bool get_index(struct packed *p, const unsigned char *h, size_t n, off_t size) {
    if (n < PACKED_AT_PARTS || h[3] != 4 || h[PACKED_AT_FIELD] != 'C' ||
        h[PACKED_AT_FIELD + 1] != 'T' || packed_get(h + PACKED_AT_VERSION, 4) != 1)
        return false;
    size_t count = (size_t)packed_get(h + PACKED_AT_COUNT, 4);
    if (count > PACKED_PARTS || n < PACKED_AT_PARTS + count * PACKED_PART_SIZE)
        return false;
    p->tells = packed_get(h + PACKED_AT_TELLS, 8);
    p->raw = packed_get(h + PACKED_AT_RAW, 8);
    p->parts = NEW_ARRAY(count + 1, struct packed_part);
    p->n = count;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = h + PACKED_AT_PARTS + i * PACKED_PART_SIZE;
        struct packed_part *x = &p->parts[i];
        *x = (struct packed_part){.offset = packed_get(at, 8),
                                  .raw = packed_get(at + 8, 8),
                                  .records = packed_get(at + 16, 8),
                                  .first = (int64_t)packed_get(at + 24, 8),
                                  .last = (int64_t)packed_get(at + 32, 8)};
        if (x->offset >= (uint64_t)size || x->raw > p->raw - sum || x->records > x->raw)
            return false;
        sum += x->raw;
    }
    return sum == p->raw;
}

struct err packed_open(int fd, struct packed **ret) {
    OWN(clean_free) unsigned char *head = mem_alloc(INDEX_MAX);
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, head, INDEX_MAX, 0);
    if (n < 0 || size < 0)
        return err_errno(errno, "read a compressed log file");
    *ret = NULL;
    if (n < 18 || head[0] != 0x1f || head[1] != 0x8b || head[2] != 8)
        return OK;
    struct packed *p = NEW(struct packed);
    p->fd = fd;
    p->indexed = get_index(p, head, (size_t)n, size);
    if (!p->indexed) {
        free(p->parts);
        p->parts = NEW(struct packed_part);
        p->parts[0] = (struct packed_part){.first = INT64_MIN, .last = INT64_MAX};
        p->n = 1;
        p->raw = 0;
        p->tells = packed_tell(head, (size_t)n);
    }
    *ret = p;
    return OK;
}

struct packed *packed_free(struct packed *p) {
    if (p == NULL)
        return NULL;
    stream_free(p->stream);
    free(p->parts);
    free(p);
    return NULL;
}

uint64_t packed_since(const struct packed *p, int64_t since) {
    uint64_t at = 0;
    for (size_t i = 0; i < p->n && p->parts[i].last < since; i++)
        at += p->parts[i].raw;
    return at;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Begins at the part that holds `offset` and forgets what is before it. */
static struct err seek_to(struct packed *p, uint64_t offset) {
    size_t i = 0;
    uint64_t at = 0;
    while (i + 1 < p->n && at + p->parts[i].raw <= offset)
        at += p->parts[i++].raw;
    p->stream = stream_free(p->stream);
    if (p->n == 0)
        return OK;
    if (lseek(p->fd, (off_t)p->parts[i].offset, SEEK_SET) < 0)
        return err_errno(errno, "seek in a compressed log file");
    enum compression kind;
    TRY(inflate_open(stream_fd(p->fd), 0, &p->stream, &kind));
    p->at = at;
    OWN(clean_free) char *block = offset > at ? mem_alloc(BLOCK) : NULL;
    while (p->at < offset) {
        size_t n;
        TRY(stream_read_full(p->stream, block, (size_t)MIN(offset - p->at, (uint64_t)BLOCK), &n));
        p->at += n;
        if (n == 0)
            break;
    }
    return OK;
}

struct err packed_read(struct packed *p, void *to, size_t n, uint64_t offset, size_t *ret_n) {
    *ret_n = 0;
    if (p->stream == NULL || p->at != offset)
        TRY(seek_to(p, offset));
    if (p->stream == NULL || p->at != offset)
        return OK; /* behind the end */
    TRY(stream_read(p->stream, to, n, ret_n));
    p->at += *ret_n;
    return OK;
}

/* Goes forward from *offset over `skip` newlines, or to the end with UINT64_MAX; counts them. */
static struct err skip_records(struct packed *p, uint64_t skip, uint64_t *offset,
                               uint64_t *ret_seen) {
    OWN(clean_free) char *block = mem_alloc(BLOCK);
    uint64_t seen = 0;
    while (seen < skip) {
        size_t n;
        TRY(packed_read(p, block, BLOCK, *offset, &n));
        if (n == 0)
            break;
        const char *at = block, *end = block + n;
        while (seen < skip && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            at++;
            seen++;
        }
        *offset += seen == skip && at ? (size_t)(at - block) : n;
    }
    *ret_seen = seen;
    return OK;
}

struct err packed_tail(struct packed *p, uint64_t *n, bool *ret_found, uint64_t *ret_offset) {
    uint64_t at = p->raw, seen;
    *ret_found = false;
    if (!p->indexed) { /* counted once; it stays as it is */
        uint64_t end = 0;
        TRY(skip_records(p, UINT64_MAX, &end, &p->parts[0].records));
        p->parts[0].raw = at = p->raw = end;
        p->indexed = true;
    }
    for (size_t i = p->n; i-- > 0;) {
        const struct packed_part *x = &p->parts[i];
        at -= x->raw;
        if (x->records < *n) {
            *n -= x->records;
            continue;
        }
        *ret_offset = at;
        TRY(skip_records(p, x->records - *n, ret_offset, &seen));
        *ret_found = true;
        return OK;
    }
    return OK;
}
