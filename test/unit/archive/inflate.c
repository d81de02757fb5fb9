/* Compressed streams: both inflaters, zstd, what is cut, damaged or too much. */
#include "archive/inflate.h"
#include "archive/deflate.h"
#include "base/buf.h"
#include "base/mem.h"
#include "test.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static const unsigned both[] = {0, INFLATE_ZLIB};

static void gz(struct buf *out, const void *p, size_t n) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, n) + 32;
    z.next_in = (void *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (void *)buf_room(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_added(out, room - z.avail_out);
    deflateEnd(&z);
}

static struct err expand(struct str in, unsigned flags, struct buf *out) {
    CLEAN_STREAM struct stream *s = NULL;
    enum compression kind;
    TRY(inflate_open(stream_mem(in), flags, &s, &kind));
    for (;;) {
        size_t n;
        TRY(stream_read(s, buf_room(out, 1000), 1000, &n));
        if (n == 0)
            return OK;
        buf_added(out, n);
    }
}

static void sample(struct buf *b, size_t n) {
    for (size_t i = 0; b->len < n; i++)
        buf_addf(b, "line %zu of %zu\n", i, i * 7919 % 1000);
}

TEST(gzip_there_and_back) {
    CLEAN_BUF struct buf text = {0}, packed = {0};
    sample(&text, 3 << 20);
    gz(&packed, text.data, text.len);
    for (size_t i = 0; i < 2; i++) {
        CLEAN_BUF struct buf out = {0};
        assert_ok(expand(buf_str(&packed), both[i], &out));
        assert_true(str_eq(buf_str(&out), buf_str(&text)));
    }
}

TEST(members_follow_each_other) {
    for (size_t i = 0; i < 2; i++) {
        CLEAN_BUF struct buf packed = {0}, out = {0};
        gz(&packed, "one ", 4);
        gz(&packed, "", 0);
        gz(&packed, "two", 3);
        for (int k = 0; k < 100; k++)
            buf_addc(&packed, '\0');
        assert_ok(expand(buf_str(&packed), both[i], &out));
        assert_string_equal(buf_cstr(&out), "one two");
        buf_clear(&out);
        buf_addc(&packed, 'x');
        assert_err(expand(buf_str(&packed), both[i], &out), ERR_INVALID);
    }
}

TEST(cut_gzip) {
    CLEAN_BUF struct buf text = {0}, packed = {0};
    sample(&text, 20000);
    gz(&packed, text.data, text.len);
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 3; n < packed.len; n += 61) {
            CLEAN_BUF struct buf out = {0};
            assert_err(expand(str_n(packed.data, n), both[i], &out), ERR_INVALID);
        }
}

TEST(damaged_gzip) {
    CLEAN_BUF struct buf text = {0}, packed = {0};
    sample(&text, 20000);
    gz(&packed, text.data, text.len);
    for (size_t i = 0; i < 2; i++) {
        CLEAN_BUF struct buf out = {0};
        packed.data[packed.len - 6] ^= 1; /* the checksum */
        assert_err(expand(buf_str(&packed), both[i], &out), ERR_INVALID);
        packed.data[packed.len - 6] ^= 1;
    }
}

TEST(zstd_there_and_back) {
    CLEAN_BUF struct buf text = {0}, packed = {0}, out = {0};
    sample(&text, 1 << 20);
    size_t room = ZSTD_compressBound(text.len);
    buf_added(&packed,
              (buf_room(&packed, room), ZSTD_compress(packed.data, room, text.data, text.len, 3)));
    assert_ok(expand(buf_str(&packed), 0, &out));
    assert_true(str_eq(buf_str(&out), buf_str(&text)));
    for (size_t n = 5; n < packed.len; n += 997) {
        CLEAN_BUF struct buf half = {0};
        assert_err(expand(str_n(packed.data, n), 0, &half), ERR_INVALID);
    }
}

/* A frame for each file and the table of contents in frames that are skipped: zstd:chunked. */
TEST(zstd_chunked) {
    CLEAN_BUF struct buf packed = {0}, out = {0}, text = {0};
    for (int i = 0; i < 50; i++) {
        CLEAN_BUF struct buf part = {0};
        sample(&part, 1000 * (size_t)(i + 1));
        size_t room = ZSTD_compressBound(part.len);
        size_t n = ZSTD_compress(buf_room(&packed, room), room, part.data, part.len, 3);
        assert_false(ZSTD_isError(n));
        buf_added(&packed, n);
        buf_add_str(&text, buf_str(&part));
        if (i % 10 == 0) { /* magic, length, and what a reader of tar does not need */
            buf_add(&packed, "\x50\x2a\x4d\x18\x05\0\0\0table", 13);
        }
    }
    buf_add(&packed, "\x5f\x2a\x4d\x18\x08\0\0\0GNUlInUx", 16);
    assert_ok(expand(buf_str(&packed), 0, &out));
    assert_true(str_eq(buf_str(&out), buf_str(&text)));
}

TEST(plain_passes) {
    CLEAN_BUF struct buf out = {0};
    assert_ok(expand(STR("abc"), 0, &out));
    assert_string_equal(buf_cstr(&out), "abc");
    buf_clear(&out);
    assert_ok(expand(STR(""), 0, &out));
    assert_int_equal(out.len, 0);
}

TEST(refused_by_name) {
    CLEAN_BUF struct buf out = {0};
    assert_err(expand(STR("\xfd"
                          "7zXZ\0xxxx"),
                      0, &out),
               ERR_UNSUPPORTED);
    assert_err(expand(STR("BZh91AY&SY"), 0, &out), ERR_UNSUPPORTED);
}

/* 1.5 GiB of zeros in members of 16 MiB: refused soon after the free gigabyte. */
TEST(bomb) {
    CLEAN_BUF struct buf packed = {0}, member = {0};
    CLEAN_FREE
    char *zeros = mem_zero(16 << 20);
    gz(&member, zeros, 16 << 20);
    for (int i = 0; i < 96; i++)
        buf_add_str(&packed, buf_str(&member));
    CLEAN_STREAM struct stream *s = NULL;
    enum compression kind;
    assert_ok(inflate_open(stream_mem(buf_str(&packed)), 0, &s, &kind));
    assert_err(stream_drain(s), ERR_INVALID);
}

static void pack(const struct buf *text, size_t step, struct buf *out, struct digest *d) {
    CLEAN_FD
    int fd = memfd_create("deflate", MFD_CLOEXEC);
    CLEAN_DEFLATE struct deflate *z = deflate_new(fd);
    uint64_t size;
    for (size_t at = 0; at < text->len; at += step)
        assert_ok(deflate_add(z, text->data + at, MIN(step, text->len - at)));
    assert_ok(deflate_end(z, d, &size));
    assert_int_equal(pread(fd, buf_room(out, size), size, 0), size);
    buf_added(out, size);
}

TEST(our_gzip_is_deterministic) {
    CLEAN_BUF struct buf text = {0}, a = {0}, b = {0}, out = {0};
    struct digest da, db, dc;
    sample(&text, (2 << 20) + 17);
    pack(&text, 1 << 20, &a, &da);
    pack(&text, 4099, &b, &db);
    assert_true(str_eq(buf_str(&a), buf_str(&b)));
    digest_of(buf_str(&a), &dc);
    assert_true(digest_eq(&da, &db) && digest_eq(&da, &dc));
    assert_ok(expand(buf_str(&a), INFLATE_ZLIB, &out));
    assert_true(str_eq(buf_str(&out), buf_str(&text)));
}

TEST(our_gzip_of_nothing) {
    CLEAN_BUF struct buf text = {0}, a = {0}, out = {0};
    struct digest d;
    pack(&text, 1, &a, &d);
    assert_ok(expand(buf_str(&a), INFLATE_ZLIB, &out));
    assert_int_equal(out.len, 0);
}
