#include "archive/tar_read.h"
#include "archive/tar_pax.h"
#include "base/time.h"
#include <stdlib.h>

/* The 512 bytes of a header, POSIX.1-2017 "ustar Interchange Format". */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100],
        magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

#define BUFFER_SIZE (64u << 10)

/* Headers and small files come out of a buffer; the data of large ones passes by it. */
struct buffered {
    struct stream s;
    size_t pos, len;
    uint64_t given; /* bytes, of all */
    char data[BUFFER_SIZE];
};

struct tar_reader {
    struct buffered *buffered;
    struct stream *in;  /* that buffer */
    struct arena arena; /* of the current entry */
    struct tar_pax pax;
    const char *long_name, *long_link; /* GNU types L and K */
    struct tar_entry entry;
    uint64_t left;    /* data of the entry that is not read yet */
    unsigned padding; /* after it */
    uint64_t begin;   /* of the entry's headers */
    bool end;
};

static struct err buffered_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct buffered *b = CONTAINER_OF(s, struct buffered, s);
    if (b->pos == b->len) {
        if (n >= BUFFER_SIZE) {
            TRY(stream_read(s->from, p, n, ret_n));
            b->given += *ret_n;
            return OK;
        }
        b->pos = b->len = 0;
        TRY(stream_read(s->from, b->data, BUFFER_SIZE, &b->len));
    }
    size_t k = MIN(n, b->len - b->pos);
    memcpy(p, b->data + b->pos, k);
    b->pos += k;
    b->given += k;
    *ret_n = k;
    return OK;
}

static void buffered_done(struct stream *s) {
    free(CONTAINER_OF(s, struct buffered, s));
}

struct tar_reader *tar_reader_new(struct stream *s) {
    struct tar_reader *t = NEW(struct tar_reader);
    t->buffered = mem_alloc(sizeof(*t->buffered));
    t->buffered->s = (struct stream){buffered_read, buffered_done, s};
    t->buffered->pos = t->buffered->len = 0;
    t->buffered->given = 0;
    t->in = &t->buffered->s;
    return t;
}

void tar_reader_free(struct tar_reader *t) {
    if (!t)
        return;
    vec_done(&t->pax.xattrs);
    tar_sparse_done(&t->pax.sparse);
    arena_done(&t->arena);
    buffered_done(&t->buffered->s); /* the stream before it is the caller's */
    free(t);
}

void tar_reader_clean(struct tar_reader **t) {
    tar_reader_free(*t);
    *t = NULL;
}

/* --- numbers and text of a header --------------------------------------------------------------
 */
/* Octal digits with blanks or NULs around them, or big-endian base 256 when the top bit is set. */
static struct err header_number(const char *field, size_t n, const char *what, int64_t *ret) {
    const unsigned char *p = (const unsigned char *)field;
    if (p[0] & 0x80) {
        bool negative = p[0] & 0x40;
        uint64_t v = 0;
        for (size_t i = 0; i < n; i++) {
            unsigned char c = p[i];
            if (negative)
                c = (unsigned char)~c;
            if (i == 0)
                c &= 0x7f; /* the marker; for negative numbers its complement is 0 already */
            if (v >> 55)
                return err_new(ERR_INVALID, "%s is out of range", what);
            v = v << 8 | c;
        }
        *ret = negative ? -(int64_t)v - 1 : (int64_t)v;
        return OK;
    }
    size_t i = 0;
    int64_t v = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\0'))
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) /* 12 digits cannot overflow */
        v = v << 3 | (p[i] - '0');
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return err_new(ERR_INVALID, "%s is not a number", what);
    *ret = v;
    return OK;
}

static struct err header_u32(const char *field, size_t n, const char *what, uint32_t max,
                             uint32_t *ret) {
    int64_t v;
    TRY(header_number(field, n, what, &v));
    if (v < 0 || v > (int64_t)max)
        return err_new(ERR_INVALID, "%s %lld is out of range", what, (long long)v);
    *ret = (uint32_t)v;
    return OK;
}

static bool header_checksum_right(const struct header *h) {
    const unsigned char *p = (const unsigned char *)h;
    int64_t wanted;
    uint32_t sum = 0, high = 0; /* of all bytes; how many are negative as signed ones */
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += p[i];
        high += p[i] >> 7;
    }
    for (size_t i = 0; i < sizeof(h->checksum); i++) { /* itself it counts as blanks */
        unsigned char c = (unsigned char)h->checksum[i];
        sum += ' ' - (uint32_t)c;
        high -= c >> 7;
    }
    /* Some old writers summed signed bytes. */
    int64_t plain = sum, with_sign = (int64_t)sum - 256 * (int64_t)high;
    struct err e = header_number(h->checksum, sizeof(h->checksum), "checksum", &wanted);
    bool right = !err_failed(e) && (wanted == plain || wanted == with_sign);
    err_ignore(e); /* the caller says that the checksum is wrong */
    return right;
}

static struct str header_text(const char *field, size_t n) {
    return str_n(field, strnlen(field, n));
}

static const char *header_name(struct tar_reader *t, const struct header *h) {
    struct str name = header_text(h->name, sizeof(h->name));
    struct str prefix = header_text(h->prefix, sizeof(h->prefix));
    /* GNU archives ("ustar  ") have times where POSIX ones have the prefix. */
    if (memcmp(h->magic, "ustar", 6) != 0 || prefix.len == 0)
        return arena_str(&t->arena, name);
    return arena_printf(&t->arena, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(name));
}

/* --- headers -----------------------------------------------------------------------------------
 */
static struct err tar_read_block(struct tar_reader *t, struct header *h, bool *ret_end) {
    static const struct header zero;
    size_t n;
    TRY(stream_read_full(t->in, h, TAR_BLOCK, &n));
    /* Some writers leave the two closing blocks out: the end of the stream is the end. */
    *ret_end = n == 0 || (n == TAR_BLOCK && memcmp(h, &zero, TAR_BLOCK) == 0);
    if (*ret_end)
        return OK;
    if (n < TAR_BLOCK)
        return err_new(ERR_INVALID, "unexpected end of archive");
    if (!header_checksum_right(h))
        return err_new(ERR_INVALID,
                       "wrong checksum in the header of an entry (not a tar archive?)");
    return OK;
}

static void tar_set_data(struct tar_reader *t, uint64_t size) {
    t->left = size;
    t->padding = (unsigned)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static struct err tar_skip_data(struct tar_reader *t) {
    struct buffered *b = t->buffered;
    if (b->len - b->pos >= t->left + t->padding) { /* all of it is here */
        b->pos += t->left + t->padding;
        b->given += t->left + t->padding;
    } else {
        TRYF(stream_skip(t->in, t->left), "archive");
        t->left = 0;
        TRYF(stream_skip(t->in, t->padding), "archive");
    }
    t->left = t->padding = 0;
    return OK;
}

/* The data of a pax or long-name header. */
static struct err tar_read_extension(struct tar_reader *t, const struct header *h,
                                     struct str *ret) {
    int64_t size;
    TRY(header_number(h->size, sizeof(h->size), "size", &size));
    if (size < 0 || size > TAR_HEADER_MAX || t->arena.total > TAR_HEADER_MAX)
        return err_new(ERR_INVALID, "extended header is larger than %u bytes", TAR_HEADER_MAX);
    tar_set_data(t, (uint64_t)size);
    char *p = arena_alloc(&t->arena, (size_t)size + 1);
    size_t n;
    TRY(stream_read_full(t->in, p, (size_t)size, &n));
    if (n < (size_t)size)
        return err_new(ERR_INVALID, "unexpected end of archive");
    t->left = 0;
    TRY(tar_skip_data(t));
    *ret = str_n(p, n);
    return OK;
}

/* Types that speak about the next entry; *ret_was = false when h is an entry itself. */
static struct err tar_extension(struct tar_reader *t, const struct header *h, bool *ret_was) {
    struct str data;
    *ret_was = true;
    switch (h->type) {
    case 'x':
        TRY(tar_read_extension(t, h, &data));
        return tar_pax_parse(data, &t->arena, &t->pax);
    case 'g':
        return tar_read_extension(t, h, &data);
    case 'L':
    case 'K':
        TRY(tar_read_extension(t, h, &data));
        *(h->type == 'L' ? &t->long_name : &t->long_link) = data.p; /* arena memory ends with NUL */
        return OK;
    default:
        *ret_was = false;
        return OK;
    }
}

static struct err entry_type(const struct header *h, const char *path, enum tar_type *ret) {
    static const struct {
        char flag;
        enum tar_type type;
    } types[] = {{'0', TAR_FILE},    {'\0', TAR_FILE}, {'7', TAR_FILE},     {'1', TAR_LINK},
                 {'2', TAR_SYMLINK}, {'3', TAR_CHAR},  {'4', TAR_BLOCKDEV}, {'5', TAR_DIR},
                 {'6', TAR_FIFO},    {'S', TAR_FILE}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].flag == h->type) {
            *ret = types[i].type;
            if (*ret == TAR_FILE && h->type != '7' && str_ends(str_of(path), STR("/")))
                *ret = TAR_DIR; /* before POSIX a slash was all that made a directory */
            return OK;
        }
    return err_new(ERR_UNSUPPORTED, "entry '%s' has the unknown type 0x%02x", path,
                   (unsigned char)h->type);
}

static struct err entry_fill(struct tar_reader *t, const struct header *h) {
    struct tar_entry *e = &t->entry;
    const struct tar_pax *pax = &t->pax;
    int64_t size, mtime;
    *e = (struct tar_entry){.target = "", .xattrs = pax->xattrs};
    e->path = pax->sparse.name ? pax->sparse.name
              : pax->path      ? pax->path
              : t->long_name   ? t->long_name
                               : header_name(t, h);
    TRY(entry_type(h, e->path, &e->type));
    if (e->type == TAR_LINK || e->type == TAR_SYMLINK) {
        struct str own = header_text(h->linkname, sizeof(h->linkname));
        e->target = pax->target    ? pax->target
                    : t->long_link ? t->long_link
                                   : arena_str(&t->arena, own);
    }
    TRY(header_number(h->size, sizeof(h->size), "size", &size));
    if (size < 0 && !pax->has_size)
        return err_new(ERR_INVALID, "size %lld is out of range", (long long)size);
    if (e->type == TAR_FILE)
        e->size = pax->has_size ? pax->size : (uint64_t)size;
    uint32_t mode;
    TRY(header_u32(h->mode, sizeof(h->mode), "mode", UINT32_MAX, &mode));
    e->mode = mode & 07777;
    if (pax->has_uid)
        e->uid = pax->uid;
    else
        TRY(header_u32(h->uid, sizeof(h->uid), "uid", UINT32_MAX - 1, &e->uid));
    if (pax->has_gid)
        e->gid = pax->gid;
    else
        TRY(header_u32(h->gid, sizeof(h->gid), "gid", UINT32_MAX - 1, &e->gid));
    if (e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) {
        TRY(header_u32(h->major, sizeof(h->major), "major number", 0xfff, &e->major));
        TRY(header_u32(h->minor, sizeof(h->minor), "minor number", 0xfffff, &e->minor));
    }
    TRY(header_number(h->mtime, sizeof(h->mtime), "mtime", &mtime));
    if (mtime > INT64_MAX / NSEC_PER_SEC - 1 || mtime < INT64_MIN / NSEC_PER_SEC + 1)
        return err_new(ERR_INVALID, "mtime %lld is out of range", (long long)mtime);
    e->mtime = pax->has_mtime ? pax->mtime : mtime * NSEC_PER_SEC;
    return OK;
}

/* --- sparse files (tar_sparse.h) ---------------------------------------------------------------
 */
/* Pairs of 12 digits, n of them at most; one without an offset ends the list. */
static struct err sparse_pairs(struct tar_reader *t, const char *p, size_t n) {
    for (size_t i = 0; i < n && p[i * 24]; i++) {
        int64_t at, len;
        TRY(header_number(p + i * 24, 12, "offset", &at));
        TRY(header_number(p + i * 24 + 12, 12, "length", &len));
        if (at < 0 || len < 0)
            return err_new(ERR_INVALID, "the map of a sparse file is out of range");
        TRY(tar_sparse_add(&t->pax.sparse, (uint64_t)at, (uint64_t)len));
    }
    return OK;
}

/* Type 'S': the places in the header are GNU's own, after the numbers of devices. */
static struct err sparse_header(struct tar_reader *t, const struct header *h) {
    const char *raw = (const char *)h;
    char block[TAR_BLOCK];
    int64_t size;
    bool more = raw[482] != 0;
    TRY(header_number(raw + 483, 12, "size", &size));
    if (size < 0)
        return err_new(ERR_INVALID, "the size of a sparse file is out of range");
    t->pax.sparse.on = t->pax.sparse.has_size = true;
    t->pax.sparse.size = (uint64_t)size;
    TRY(sparse_pairs(t, raw + 386, 4));
    while (more) {
        size_t n;
        TRY(stream_read_full(t->in, block, TAR_BLOCK, &n));
        if (n < TAR_BLOCK)
            return err_new(ERR_INVALID, "unexpected end of archive");
        TRY(sparse_pairs(t, block, 21));
        more = block[504] != 0;
    }
    return OK;
}

/* A decimal number and a line feed, out of the data. */
static struct err sparse_number(struct tar_reader *t, uint64_t *ret) {
    char digits[24];
    size_t n = 0;
    do {
        size_t k;
        if (t->left == 0 || n == sizeof(digits))
            return err_new(ERR_INVALID, "the map of a sparse file is no list of numbers");
        TRY(stream_read(t->in, &digits[n], 1, &k));
        if (k == 0)
            return err_new(ERR_INVALID, "unexpected end of archive");
        t->left--;
    } while (digits[n++] != '\n');
    return str_to_u64(str_n(digits, n - 1), INT64_MAX, ret);
}

/* Format 1.0. */
static struct err sparse_data_map(struct tar_reader *t) {
    uint64_t count, size = t->left;
    TRY(sparse_number(t, &count));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at, len;
        TRY(sparse_number(t, &at));
        TRY(sparse_number(t, &len));
        TRY(tar_sparse_add(&t->pax.sparse, at, len));
    }
    uint64_t used = size - t->left, rest = (TAR_BLOCK - used % TAR_BLOCK) % TAR_BLOCK;
    if (rest > t->left)
        return err_new(ERR_INVALID, "unexpected end of archive");
    TRY(stream_skip(t->in, rest));
    t->left -= rest;
    return OK;
}

static struct err sparse_begin(struct tar_reader *t, const struct header *h) {
    if (t->entry.type != TAR_FILE)
        return err_new(ERR_INVALID, "only files can be sparse");
    if (h->type == 'S')
        TRY(sparse_header(t, h));
    else if (t->pax.sparse.major == 1)
        TRY(sparse_data_map(t));
    TRY(tar_sparse_check(&t->pax.sparse, t->left));
    t->entry.size = t->pax.sparse.size;
    tar_sparse_advance(&t->pax.sparse, 0); /* empty pieces at the start */
    return OK;
}

struct err tar_next(struct tar_reader *t, const struct tar_entry **ret) {
    *ret = NULL;
    if (t->end)
        return OK;
    TRY(tar_skip_data(t));
    t->begin = t->buffered->given;
    arena_done(&t->arena);
    vec_done(&t->pax.xattrs);
    tar_sparse_done(&t->pax.sparse);
    t->pax = (struct tar_pax){0};
    t->long_name = t->long_link = NULL;
    struct header h;
    bool extension;
    do {
        TRY(tar_read_block(t, &h, &t->end));
        if (t->end)
            return OK;
        TRY(tar_extension(t, &h, &extension));
    } while (extension);
    struct err e = entry_fill(t, &h);
    if (err_failed(e))
        return t->entry.path ? err_wrap(e, "entry '%s'", t->entry.path) : e;
    tar_set_data(t, t->entry.size);
    if (t->pax.sparse.on || h.type == 'S')
        TRYF(sparse_begin(t, &h), "entry '%s'", t->entry.path);
    *ret = &t->entry;
    return OK;
}

uint64_t tar_begin(const struct tar_reader *t) {
    return t->begin;
}

/* --- data ---------------------------------------------------------------------------------------
 */
struct err tar_read(struct tar_reader *t, void *p, size_t n, size_t *ret_n) {
    struct tar_sparse *s = t->pax.sparse.on ? &t->pax.sparse : NULL;
    uint64_t hole = s ? tar_sparse_hole(s) : 0;
    *ret_n = 0;
    if (hole) {
        *ret_n = (size_t)MIN(n, hole);
        memset(p, 0, *ret_n);
        tar_sparse_advance(s, *ret_n);
        return OK;
    }
    uint64_t there = s ? MIN(t->left, tar_sparse_run(s)) : t->left;
    if (there == 0)
        return OK;
    size_t k;
    TRY(stream_read(t->in, p, MIN(n, there), &k));
    if (k == 0)
        return err_new(ERR_INVALID, "unexpected end of archive in '%s'", t->entry.path);
    t->left -= k;
    if (s)
        tar_sparse_advance(s, k);
    *ret_n = k;
    return OK;
}

uint64_t tar_skip_hole(struct tar_reader *t) {
    struct tar_sparse *s = &t->pax.sparse;
    uint64_t hole = s->on ? tar_sparse_hole(s) : 0;
    if (hole)
        tar_sparse_advance(s, hole);
    return hole;
}

struct err tar_read_all(struct tar_reader *t, size_t max, struct buf *ret) {
    if (t->entry.size > max)
        return err_new(ERR_INVALID, "'%s' is larger than %zu bytes", t->entry.path, max);
    size_t k;
    do {
        char *p = buf_room(ret, 16 << 10);
        TRY(tar_read(t, p, 16 << 10, &k));
        buf_added(ret, k);
    } while (k > 0);
    return OK;
}

struct data_stream {
    struct stream s;
    struct tar_reader *tar;
};

static struct err data_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    return tar_read(CONTAINER_OF(s, struct data_stream, s)->tar, p, n, ret_n);
}

static void data_stream_done(struct stream *s) {
    free(CONTAINER_OF(s, struct data_stream, s));
}

struct stream *tar_data(struct tar_reader *t) {
    struct data_stream *d = NEW(struct data_stream);
    d->s = (struct stream){data_stream_read, data_stream_done, NULL};
    d->tar = t;
    return &d->s;
}

struct err tar_finish(struct tar_reader *t) {
    if (!t->end)
        TRY(tar_skip_data(t));
    return stream_drain(t->in);
}
