/* Another engine's database: what it holds, and that damage is told. */
#include "cli/bolt.h"
#include "base/buf.h"
#include "base/file.h"
#include "test.h"

static struct err on_pair(void *arg, struct str key, struct str value) {
    buf_addf(arg, "%.*s=%.*s;", STR_ARG(key), (int)value.len, value.p);
    return OK;
}

static void put(char *at, size_t bytes, uint64_t v) {
    for (size_t i = 0; i < bytes; i++, v >>= 8)
        at[i] = (char)v;
}

#define PAGE 512u
#define ROWS 2u

static void header(char *page, unsigned id, unsigned flags, unsigned count) {
    put(page, 8, id);
    put(page + 8, 2, flags);
    put(page + 10, 2, count);
}

static void element(char *page, unsigned i, unsigned flags, unsigned at, const char *key,
                    const char *value, size_t value_len) {
    char *e = page + 16 + 16 * (size_t)i;
    put(e, 4, flags);
    put(e + 4, 4, (uint64_t)at - (16 + 16 * (uint64_t)i));
    put(e + 8, 4, strlen(key));
    put(e + 12, 4, value_len);
    memcpy(page + at, key, strlen(key));
    memcpy(page + at + strlen(key), value, value_len);
}

/* Two headers, the root (page 2) with the bucket "b" (page 3, a branch to the leaves 4 and 5) and a
 * bucket "small" that lies in the root itself. */
static void make(char file[6 * PAGE]) {
    memset(file, 0, 6 * PAGE);
    for (unsigned i = 0; i < 2; i++) {
        char *meta = file + (size_t)i * PAGE;
        header(meta, i, 4, 0);
        put(meta + 16, 4, 0xed0cdaedu);
        put(meta + 20, 4, 2);
        put(meta + 24, 4, PAGE);
        put(meta + 32, 8, i ? 2 : 77); /* the older one leads nowhere */
        put(meta + 64, 8, i ? 9 : 8);
    }
    char bucket[16] = {3}, small[16 + 16 + 16 + 4] = {0};
    header(small + 16, 0, 2, 1);
    element(small + 16, 0, 0, 32, "k", "v", 1);
    char *root = file + 2 * PAGE;
    header(root, 2, 2, 2);
    element(root, 0, 1, 48, "b", bucket, sizeof(bucket));
    element(root, 1, 1, 100, "small", small, sizeof(small));
    char *branch = file + 3 * PAGE;
    header(branch, 3, 1, 2);
    put(branch + 16 + 8, 8, 4);
    put(branch + 32 + 8, 8, 5);
    for (unsigned i = 0; i < ROWS; i++) {
        char *leaf = file + (4 + (size_t)i) * PAGE;
        header(leaf, 4 + i, 2, 1);
        element(leaf, 0, 0, 40, i ? "two" : "one", i ? "2" : "1", 1);
    }
}

static struct err read_bucket(const char *file, size_t n, const char *bucket, struct buf *out) {
    buf_clear(out);
    return bolt_each(str_n(file, n), bucket, on_pair, out);
}

static void refused(const char *file, size_t n) {
    CLEAN_BUF struct buf out = {0};
    struct err e = read_bucket(file, n, "b", &out);
    assert_int_equal(err_kind(e), ERR_INVALID);
    err_free(e);
}

TEST(pairs_of_a_bucket) {
    CLEAN_BUF struct buf out = {0};
    char file[6 * PAGE];
    make(file);
    assert_ok(read_bucket(file, sizeof(file), "b", &out));
    assert_string_equal(buf_cstr(&out), "one=1;two=2;");
    assert_ok(read_bucket(file, sizeof(file), "small", &out));
    assert_string_equal(buf_cstr(&out), "k=v;");
    assert_ok(read_bucket(file, sizeof(file), "other", &out));
    assert_string_equal(buf_cstr(&out), "");
}

TEST(damage_is_told_and_harmless) {
    CLEAN_BUF struct buf out = {0};
    char file[6 * PAGE];
    static const char *const buckets[] = {"b", "small"};
    make(file);
    refused(file, 100);
    refused(file, 3 * PAGE);
    put(file + 3 * PAGE + 16 + 8, 8, 3); /* a branch that leads to itself */
    refused(file, sizeof(file));
    for (size_t at = 0; at < sizeof(file); at++)
        for (size_t k = 0; k < 2; k++) {
            make(file);
            file[at] = (char)(file[at] ^ 0xff);
            struct err e = read_bucket(file, sizeof(file), buckets[k], &out);
            assert_true(!err_failed(e) || err_kind(e) == ERR_INVALID);
            err_ignore(e);
        }
}
