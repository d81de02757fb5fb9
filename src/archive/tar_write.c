#include "archive/tar_write.h"
#include "base/time.h"
#include <stdio.h>

#define OCTAL7_MAX 07777777u
#define OCTAL11_MAX 077777777777ull

static const char zeros[2 * TAR_BLOCK];

/* Offsets in a ustar header, POSIX.1-2017. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_CHECKSUM = 148,
    AT_TYPE = 156,
    AT_LINKNAME = 157,
    AT_MAGIC = 257,
    AT_MAJOR = 329,
    AT_MINOR = 337,
    NAME_SIZE = 100,
};

static const char type_flags[] = {
    [TAR_FILE] = '0', [TAR_DIR] = '5',      [TAR_SYMLINK] = '2', [TAR_LINK] = '1',
    [TAR_CHAR] = '3', [TAR_BLOCKDEV] = '4', [TAR_FIFO] = '6',
};

/* n-1 octal digits and a NUL. */
static void put_octal(char *block, size_t at, size_t n, uint64_t v) {
    block[at + n - 1] = '\0';
    for (size_t i = n - 1; i-- > 0; v >>= 3)
        block[at + i] = (char)('0' + (v & 7));
}

static void put_text(char *block, size_t at, const char *text) {
    memcpy(block + at, text, strnlen(text, NAME_SIZE));
}

static void put_checksum(char *block) {
    unsigned sum = 0;
    memset(block + AT_CHECKSUM, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)block[i];
    put_octal(block, AT_CHECKSUM, 7, sum); /* six digits, NUL, blank */
}

/* "<length> <key>=<value>\n", where the length counts its own digits. */
static void put_record(struct buf *out, const char *prefix, const char *key, struct str value) {
    size_t body = 1 + strlen(prefix) + strlen(key) + 1 + value.len + 1, total = body + 1;
    for (;;) {
        size_t digits = (size_t)snprintf(NULL, 0, "%zu", total);
        if (body + digits == total)
            break;
        total = body + digits;
    }
    buf_addf(out, "%zu %s%s=", total, prefix, key);
    buf_add_str(out, value);
    buf_addc(out, '\n');
}

static void put_record_number(struct buf *out, const char *key, uint64_t v) {
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    put_record(out, "", key, str_of(text));
}

static void put_record_time(struct buf *out, int64_t ns) {
    char text[48];
    bool negative = ns < 0;
    uint64_t v = negative ? 0 - (uint64_t)ns : (uint64_t)ns;
    int n = snprintf(text, sizeof(text), "%s%llu.%09llu", negative ? "-" : "",
                     (unsigned long long)(v / NSEC_PER_SEC),
                     (unsigned long long)(v % NSEC_PER_SEC));
    while (n > 0 && text[n - 1] == '0')
        text[--n] = '\0';
    if (n > 0 && text[n - 1] == '.')
        text[--n] = '\0';
    put_record(out, "", "mtime", str_of(text));
}

static void pax_records(const struct tar_entry *e, struct buf *out) {
    if (e->gid > OCTAL7_MAX)
        put_record_number(out, "gid", e->gid);
    if (strlen(e->target) > NAME_SIZE)
        put_record(out, "", "linkpath", str_of(e->target));
    if (e->mtime % NSEC_PER_SEC != 0 || e->mtime < 0 ||
        (uint64_t)(e->mtime / NSEC_PER_SEC) > OCTAL11_MAX)
        put_record_time(out, e->mtime);
    if (strlen(e->path) > NAME_SIZE)
        put_record(out, "", "path", str_of(e->path));
    if (e->size > OCTAL11_MAX)
        put_record_number(out, "size", e->size);
    if (e->uid > OCTAL7_MAX)
        put_record_number(out, "uid", e->uid);
    for (size_t i = 0; i < e->xattrs.n; i++)
        put_record(out, "SCHILY.xattr.", e->xattrs.items[i].name, e->xattrs.items[i].value);
}

static void put_common(char *block, char type, uint64_t size) {
    put_octal(block, AT_SIZE, 12, size > OCTAL11_MAX ? 0 : size);
    block[AT_TYPE] = type;
    memcpy(block + AT_MAGIC,
           "ustar\0"
           "00",
           8);
}

static struct err put_pax_header(const struct tar_sink *s, struct str records) {
    char block[TAR_BLOCK] = {0};
    put_text(block, AT_NAME, "PaxHeaders.0/entry");
    put_octal(block, AT_MODE, 8, 0644);
    put_octal(block, AT_UID, 8, 0);
    put_octal(block, AT_GID, 8, 0);
    put_octal(block, AT_MTIME, 12, 0);
    put_common(block, 'x', records.len);
    put_checksum(block);
    TRY(s->write(s->arg, block, TAR_BLOCK));
    TRY(s->write(s->arg, records.p, records.len));
    return tar_put_padding(s, records.len);
}

struct err tar_put_header(const struct tar_sink *s, const struct tar_entry *e) {
    CLEAN_BUF struct buf records = {0};
    pax_records(e, &records);
    if (records.len > 0)
        TRY(put_pax_header(s, buf_str(&records)));
    char block[TAR_BLOCK] = {0};
    int64_t seconds = e->mtime / NSEC_PER_SEC;
    bool seconds_fit = e->mtime >= 0 && (uint64_t)seconds <= OCTAL11_MAX;
    put_text(block, AT_NAME, e->path);
    put_octal(block, AT_MODE, 8, e->mode & 07777);
    put_octal(block, AT_UID, 8, e->uid > OCTAL7_MAX ? 0 : e->uid);
    put_octal(block, AT_GID, 8, e->gid > OCTAL7_MAX ? 0 : e->gid);
    put_octal(block, AT_MTIME, 12, seconds_fit ? (uint64_t)seconds : 0);
    put_text(block, AT_LINKNAME, e->target);
    put_common(block, type_flags[e->type], e->type == TAR_FILE ? e->size : 0);
    if (e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) {
        put_octal(block, AT_MAJOR, 8, e->major);
        put_octal(block, AT_MINOR, 8, e->minor);
    }
    put_checksum(block);
    return s->write(s->arg, block, TAR_BLOCK);
}

struct err tar_put_data(const struct tar_sink *s, const void *p, size_t n) {
    return s->write(s->arg, p, n);
}

struct err tar_put_padding(const struct tar_sink *s, uint64_t size) {
    size_t n = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    return n ? s->write(s->arg, zeros, n) : OK;
}

struct err tar_put_end(const struct tar_sink *s) {
    return s->write(s->arg, zeros, 2 * TAR_BLOCK);
}

struct err tar_put_file(const struct tar_sink *s, const char *path, struct str data,
                        int64_t mtime) {
    struct tar_entry e = {.type = TAR_FILE,
                          .path = path,
                          .target = "",
                          .size = data.len,
                          .mode = 0644,
                          .mtime = mtime};
    TRY(tar_put_header(s, &e));
    TRY(tar_put_data(s, data.p, data.len));
    return tar_put_padding(s, data.len);
}
