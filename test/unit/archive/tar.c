/* Reading and writing tar: what is right, and what lies. */
#include "archive/tar_read.h"
#include "archive/tar_write.h"
#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

static struct err to_buf(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static void put(struct buf *b, const struct tar_entry *e, const char *data) {
    struct tar_sink s = {to_buf, b};
    assert_ok(tar_put_header(&s, e));
    if (data) {
        assert_ok(tar_put_data(&s, data, strlen(data)));
        assert_ok(tar_put_padding(&s, strlen(data)));
    }
}

struct opened {
    struct stream *s;
    struct tar_reader *t;
};

static struct opened open_tar(const struct buf *b) {
    struct opened o = {.s = stream_mem(buf_str(b))};
    o.t = tar_reader_new(o.s);
    return o;
}

static void close_tar(struct opened *o) {
    tar_reader_free(o->t);
    stream_free(o->s);
}

/* The error of the first entry that fails, or of the end. */
static enum err_kind verdict(const struct buf *b) {
    struct opened o = open_tar(b);
    const struct tar_entry *e;
    struct err r;
    do
        r = tar_next(o.t, &e);
    while (!err_failed(r) && e);
    if (!err_failed(r))
        r = tar_finish(o.t);
    enum err_kind k = err_kind(r);
    err_free(r);
    close_tar(&o);
    return k;
}

static void fix_checksum(char *h) {
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
}

TEST(there_and_back) {
    CLEAN_BUF struct buf b = {0};
    char long_path[300];
    memset(long_path, 'p', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    struct tar_xattr x = {"user.a", STR("v\0w")};
    struct tar_entry file = {.type = TAR_FILE,
                             .path = long_path,
                             .target = "",
                             .size = 5,
                             .mode = 04755,
                             .uid = 3000000000u,
                             .gid = 7,
                             .mtime = 1700000000123456789,
                             .xattrs = {&x, 1, 1}};
    struct tar_entry link = {.type = TAR_SYMLINK, .path = "l", .target = long_path, .mode = 0777};
    struct tar_entry dev = {.type = TAR_CHAR, .path = "d", .target = "", .major = 10, .minor = 300};
    struct tar_entry old = {.type = TAR_DIR, .path = "old/", .target = "", .mtime = -1500000000};
    put(&b, &file, "hello");
    put(&b, &link, NULL);
    put(&b, &dev, NULL);
    put(&b, &old, NULL);
    assert_ok(tar_put_end(&(struct tar_sink){to_buf, &b}));
    struct opened o = open_tar(&b);
    const struct tar_entry *e;
    assert_ok(tar_next(o.t, &e));
    assert_string_equal(e->path, long_path);
    assert_int_equal(e->mode, 04755);
    assert_true(e->uid == 3000000000u && e->gid == 7);
    assert_true(e->mtime == 1700000000123456789);
    assert_int_equal(e->xattrs.n, 1);
    assert_true(str_eq(e->xattrs.items[0].value, STR("v\0w")));
    CLEAN_BUF struct buf data = {0};
    assert_ok(tar_read_all(o.t, 5, &data));
    assert_string_equal(buf_cstr(&data), "hello");
    assert_ok(tar_next(o.t, &e));
    assert_string_equal(e->target, long_path);
    assert_ok(tar_next(o.t, &e));
    assert_true(e->type == TAR_CHAR && e->major == 10 && e->minor == 300);
    assert_ok(tar_next(o.t, &e));
    assert_true(e->mtime == -1500000000);
    assert_ok(tar_next(o.t, &e));
    assert_null(e);
    close_tar(&o);
}

/* A header that speaks about all entries after it ('g'): nobody applies it (neither does the peer),
 * so that an entry taken out of its archive with what lies before it is what it was. */
TEST(global_headers_say_nothing_and_belong_to_the_next_entry) {
    CLEAN_BUF struct buf b = {0}, part = {0};
    char global[1024] = {0};
    const struct tar_entry *e;
    memcpy(global, "pax_global_header", 17);
    memcpy(global + 100, "0000644", 7);
    memcpy(global + 108, "0000000", 7);
    memcpy(global + 116, "0000000", 7);
    memcpy(global + 124, "00000000047", 11); /* octal: 12 + 13 + 14 */
    memcpy(global + 136, "00000000000", 11);
    global[156] = 'g';
    memcpy(global + 257, "ustar\00000", 8);
    fix_checksum(global);
    memcpy(global + 512, "12 uid=1234\n13 mtime=1.5\n14 path=/evil\n", 39);
    put(&b, &(struct tar_entry){.type = TAR_DIR, .path = "first", .target = "", .mtime = 7}, NULL);
    size_t at = b.len;
    buf_add(&b, global, sizeof(global));
    put(&b, &(struct tar_entry){.type = TAR_DIR, .path = "second", .target = ""}, NULL);
    size_t second_ends = b.len;
    put(&b, &(struct tar_entry){.type = TAR_DIR, .path = "third", .target = ""}, NULL);
    assert_ok(tar_put_end(&(struct tar_sink){to_buf, &b}));
    struct opened o = open_tar(&b);
    static const char *const names[] = {"first", "second", "third"};
    const size_t begins[] = {0, at, second_ends};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_ok(tar_next(o.t, &e));
        assert_string_equal(e->path, names[i]);
        assert_true(e->uid == 0 && e->mtime == (i == 0 ? 7 : 0));
        assert_int_equal(tar_begin(o.t), begins[i]);
    }
    close_tar(&o);
    buf_add(&part, b.data + second_ends, b.len - second_ends); /* without the global header */
    o = open_tar(&part);
    assert_ok(tar_next(o.t, &e));
    assert_true(strcmp(e->path, "third") == 0 && e->uid == 0);
    close_tar(&o);
}

TEST(wrong_checksum) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_DIR, .path = "a", .target = ""}, NULL);
    b.data[0] = 'b';
    assert_int_equal(verdict(&b), ERR_INVALID);
}

TEST(not_a_tar) {
    CLEAN_BUF struct buf b = {0};
    for (int i = 0; i < 100; i++)
        buf_adds(&b, "this is no tar archive ");
    assert_int_equal(verdict(&b), ERR_INVALID);
}

TEST(cut_anywhere) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "a", .target = "", .size = 700}, NULL);
    for (int i = 0; i < 1024; i++)
        buf_addc(&b, 'x');
    size_t whole = b.len;
    for (size_t n = 1; n < whole; n += 37) {
        b.len = n;
        assert_int_equal(verdict(&b), ERR_INVALID);
    }
    b.len = whole;
    assert_int_equal(verdict(&b), ERR_OK); /* no closing blocks: the end is the end */
}

static enum err_kind with_size(const char *field) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "a", .target = ""}, NULL);
    memcpy(b.data + 124, field, 12);
    fix_checksum(b.data);
    return verdict(&b);
}

TEST(sizes_that_lie) {
    assert_int_equal(with_size("00000000000\0"), ERR_OK);
    assert_int_equal(with_size("77777777777\0"), ERR_INVALID); /* 8 GiB, not there */
    assert_int_equal(with_size("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
                     ERR_INVALID); /* -1 */
    assert_int_equal(with_size("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), ERR_INVALID);
    assert_int_equal(with_size("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ERR_INVALID);
    assert_int_equal(with_size("-0000000001\0"), ERR_INVALID);
    assert_int_equal(with_size("0000000x000\0"), ERR_INVALID);
}

static enum err_kind with_pax(const char *records, size_t n) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "x", .target = "", .size = n}, NULL);
    b.data[156] = 'x';
    fix_checksum(b.data);
    buf_add(&b, records, n);
    assert_ok(tar_put_padding(&(struct tar_sink){to_buf, &b}, n));
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "a", .target = ""}, NULL);
    return verdict(&b);
}
#define PAX(text) with_pax(text, sizeof(text) - 1)

TEST(pax_records_that_lie) {
    assert_int_equal(PAX("9 path=b\n"), ERR_OK);
    assert_int_equal(PAX("11 path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("8 path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("99999999999999999999 path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("0 path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("-9 path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("path=b\n"), ERR_INVALID);
    assert_int_equal(PAX("7 pathb\n"), ERR_INVALID);
    assert_int_equal(PAX("12 path=b\0c\n"), ERR_INVALID);
    assert_int_equal(PAX("12 size=-10\n"), ERR_INVALID);
    assert_int_equal(PAX("28 size=4611686018427387904\n"), ERR_INVALID); /* data is not there */
    assert_int_equal(PAX("18 uid=4294967296\n"), ERR_INVALID);
    assert_int_equal(PAX("18 uid=4294967295\n"), ERR_INVALID);
    assert_int_equal(PAX("18 uid=4294967294\n"), ERR_OK);
    assert_int_equal(PAX("20 mtime=1700000000\n"), ERR_OK);
    assert_int_equal(PAX("11 mtime=x\n"), ERR_INVALID);
    assert_int_equal(PAX("22 GNU.sparse.major=1\n"), ERR_INVALID); /* without a map */
}

TEST(header_bombs) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "x", .target = "", .size = 1u << 30},
        NULL);
    b.data[156] = 'x';
    fix_checksum(b.data);
    assert_int_equal(verdict(&b), ERR_INVALID);
    b.data[156] = 'L';
    fix_checksum(b.data);
    assert_int_equal(verdict(&b), ERR_INVALID);
    b.data[156] = 'S'; /* without a map */
    fix_checksum(b.data);
    assert_int_equal(verdict(&b), ERR_INVALID);
    b.data[156] = 'V';
    fix_checksum(b.data);
    assert_int_equal(verdict(&b), ERR_UNSUPPORTED);
}

/* Many headers before one entry must not add up either. */
TEST(many_extensions_of_one_entry) {
    CLEAN_BUF struct buf b = {0};
    CLEAN_FREE
    char *big = mem_zero(512 << 10);
    for (int i = 0; i < 8; i++) {
        size_t at = b.len;
        put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "x", .target = "", .size = 512 << 10},
            NULL);
        b.data[at + 156] = 'L';
        fix_checksum(b.data + at);
        memset(big, 'n', (512 << 10) - 1);
        buf_add(&b, big, 512 << 10);
    }
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "a", .target = ""}, NULL);
    assert_int_equal(verdict(&b), ERR_INVALID);
}

TEST(old_headers) {
    CLEAN_BUF struct buf b = {0};
    put(&b, &(struct tar_entry){.type = TAR_FILE, .path = "dir/", .target = ""}, NULL);
    memset(b.data + 257, 0, 8);
    b.data[156] = '\0';
    fix_checksum(b.data);
    struct opened o = open_tar(&b);
    const struct tar_entry *e;
    assert_ok(tar_next(o.t, &e));
    assert_int_equal(e->type, TAR_DIR);
    close_tar(&o);
}
