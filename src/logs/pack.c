/* pack.c - a rotated log file into a compressed one with an index. */
#include "archive/deflate.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "logs/logs.h"
#include "logs/packed.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256u << 10)

struct pack {
    int to;
    uint64_t part_raw; /* a part ends with the first record that reaches this */
    struct packed_part *parts;
    size_t n, max;
    uint64_t tells, raw, offset;
    struct deflate *deflate; /* of the part under way; NULL: none */
    struct logs_record record;
    struct buf in, text;
};

static void pack_done(struct pack *p) {
    deflate_free(p->deflate);
    logs_record_done(&p->record);
    buf_done(&p->in);
    buf_done(&p->text);
    free(p->parts);
    fd_close(p->to);
}

static size_t header_size(const struct pack *p) {
    return PACKED_AT_PARTS + p->max * PACKED_PART_SIZE + PACKED_EMPTY;
}

/* The first member: no bytes, and the index of the others. */
static struct err write_index(struct pack *p) {
    size_t size = header_size(p), extra = size - PACKED_EMPTY - PACKED_AT_FIELD;
    OWN(clean_free) unsigned char *h = mem_zero(size);
    static const unsigned char magic[] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3};
    memcpy(h, magic, sizeof(magic));
    packed_put(h + PACKED_AT_LENGTH, 2, extra);
    h[PACKED_AT_FIELD] = 'C';
    h[PACKED_AT_FIELD + 1] = 'T';
    packed_put(h + PACKED_AT_FIELD + 2, 2, extra - 4);
    packed_put(h + PACKED_AT_VERSION, 4, 1);
    packed_put(h + PACKED_AT_COUNT, 4, p->n);
    packed_put(h + PACKED_AT_TELLS, 8, p->tells);
    packed_put(h + PACKED_AT_RAW, 8, p->raw);
    for (size_t i = 0; i < p->n; i++) {
        unsigned char *at = h + PACKED_AT_PARTS + i * PACKED_PART_SIZE;
        const struct packed_part *x = &p->parts[i];
        packed_put(at, 8, x->offset);
        packed_put(at + 8, 8, x->raw);
        packed_put(at + 16, 8, x->records);
        packed_put(at + 24, 8, (uint64_t)x->first);
        packed_put(at + 32, 8, (uint64_t)x->last);
    }
    h[size - PACKED_EMPTY] = 3; /* an empty block of fixed codes; checksum and length are 0 */
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(p->to, h + done, size - done, (off_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(errno, "write the index of a log");
        done += n > 0 ? (size_t)n : 0;
    }
    return OK;
}

static struct err end_part(struct pack *p) {
    struct digest digest;
    uint64_t size;
    if (p->deflate == NULL)
        return OK;
    TRYF(deflate_end(p->deflate, &digest, &size), "compress a log");
    deflate_free(TAKE(p->deflate));
    p->offset += size;
    p->n++;
    return OK;
}

/* The times of a part are those of its records; a line without one is of all times. */
static void note_line(struct pack *p, struct packed_part *x, struct str line) {
    int64_t t;
    buf_clear(&p->text);
    x->records++;
    if (logs_parse(line, &p->record, &p->text) > 0) {
        struct err e = time_parse(p->record.time, &t);
        if (!err_failed(e)) {
            x->first = MIN(x->first, t);
            x->last = MAX(x->last, t);
            return;
        }
        err_ignore(e);
    }
    x->first = INT64_MIN;
    x->last = INT64_MAX;
}

static struct err add_line(struct pack *p, struct str line, bool whole) {
    if (p->deflate == NULL) {
        if (p->n == p->max)
            return err_new(ERR_CONFLICT, "the log grew while it was compressed");
        p->parts[p->n] =
            (struct packed_part){.offset = p->offset, .first = INT64_MAX, .last = INT64_MIN};
        p->deflate = deflate_new(p->to);
    }
    struct packed_part *x = &p->parts[p->n];
    if (whole)
        note_line(p, x, line);
    x->raw += line.len;
    p->raw += line.len;
    TRYF(deflate_add(p->deflate, line.p, line.len), "compress a log");
    return whole && x->raw >= p->part_raw ? end_part(p) : OK;
}

/* The whole lines of the input; without `last` the rest waits for more, unless it is endless. */
static struct err add_lines(struct pack *p, bool last) {
    size_t at = 0;
    const char *nl;
    while ((nl = memchr(p->in.data + at, '\n', p->in.len - at)) != NULL) {
        size_t n = (size_t)(nl - p->in.data) + 1 - at;
        TRY(add_line(p, str_n(p->in.data + at, n), true));
        at += n;
    }
    if (at < p->in.len && (last || p->in.len - at > LOGS_RECORD_MAX)) {
        TRY(add_line(p, str_n(p->in.data + at, p->in.len - at), false));
        at = p->in.len;
    }
    buf_drop(&p->in, at);
    return OK;
}

static struct err pack_all(struct pack *p, int src) {
    off_t offset = 0;
    if (lseek(p->to, (off_t)header_size(p), SEEK_SET) < 0)
        return err_errno(errno, "seek in a log");
    p->offset = header_size(p);
    for (;;) {
        ssize_t n = pread(src, buf_room(&p->in, BLOCK), BLOCK, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "read a log");
        if (n == 0)
            break;
        if (offset == 0)
            p->tells = packed_tell(p->in.data, MIN((size_t)n, (size_t)PACKED_HEAD));
        buf_added(&p->in, (size_t)n);
        offset += n;
        TRY(add_lines(p, false));
    }
    if (offset == 0)
        p->tells = packed_tell("", 0);
    TRY(add_lines(p, true));
    TRY(end_part(p));
    TRY(write_index(p));
    return fsync(p->to) < 0 ? err_errno(errno, "sync a log") : OK;
}

struct err pack_file(int src, int dir, const char *name) {
    OWN(pack_done) struct pack p = {.to = -1};
    struct stat st;
    if (fstat(src, &st) < 0)
        return err_errno(errno, "stat a log");
    /* A part reaches part_raw; so many of them fit into the file, and the rest of it. */
    p.part_raw = MAX(PACKED_RAW, (uint64_t)st.st_size / (PACKED_PARTS - 2) + 1);
    p.max = (size_t)((uint64_t)st.st_size / p.part_raw) + 1;
    p.parts = NEW_ARRAY(p.max, struct packed_part);
    unlinkat(dir, name, 0); /* of somebody who was ended */
    p.to = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (p.to < 0)
        return err_errno(errno, "create '%s'", name);
    struct err e = pack_all(&p, src);
    if (err_failed(e))
        unlinkat(dir, name, 0);
    return e;
}

struct err logs_pack(int src_fd, int dir_fd, const char *name) {
    return pack_file(src_fd, dir_fd, name);
}
