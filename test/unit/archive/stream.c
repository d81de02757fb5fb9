/* Stages of the worker's pipeline, alone and in a thread of their own. */
#include "archive/stream.h"
#include "base/buf.h"
#include "base/mem.h"
#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MANY (3u << 20)

/* Gives MANY bytes that tell where they are, in pieces of every size up to 70,000. */
struct counting {
    struct stream s;
    size_t at, step;
    size_t fail_at; /* 0: never */
    bool *freed;
};

static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 31 + (i >> 8));
}

static struct err counting_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct counting *c = CONTAINER_OF(s, struct counting, s);
    if (c->fail_at && c->at >= c->fail_at)
        return err_new(ERR_TIMEOUT, "no more");
    c->step = c->step % 70000 + 997;
    size_t k = MIN(MIN(n, c->step), MANY - c->at);
    for (size_t i = 0; i < k; i++)
        ((unsigned char *)p)[i] = byte_at(c->at + i);
    c->at += k;
    *ret_n = k;
    return OK;
}

static void counting_done(struct stream *s) {
    struct counting *c = CONTAINER_OF(s, struct counting, s);
    *c->freed = true;
    free(c);
}

static struct stream *counting_new(size_t fail_at, bool *freed) {
    struct counting *c = NEW(struct counting);
    c->s = (struct stream){counting_read, counting_done, NULL};
    c->fail_at = fail_at;
    c->freed = freed;
    *freed = false;
    return &c->s;
}

static void read_and_compare(struct stream *s, size_t step) {
    CLEAN_FREE unsigned char *p = mem_alloc(step);
    size_t at = 0, k;
    do {
        assert_ok(stream_read(s, p, step, &k));
        for (size_t i = 0; i < k; i++)
            if (p[i] != byte_at(at + i))
                fail_msg("byte %zu is another one", at + i);
        at += k;
    } while (k > 0);
    assert_int_equal(at, MANY);
    assert_ok(stream_read(s, p, step, &k)); /* the end stays the end */
    assert_int_equal(k, 0);
}

TEST(a_thread_keeps_the_order) {
    static const size_t steps[] = {777, 4096, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        bool freed;
        struct stream *s, *twice;
        assert_ok(stream_threaded(counting_new(0, &freed), &s));
        assert_ok(stream_threaded(s, &twice));
        read_and_compare(twice, steps[i]);
        assert_null(stream_free(twice));
        assert_true(freed);
    }
}

TEST(a_thread_passes_its_error_on) {
    static const size_t where[] = {1, 100000, MANY / 2};
    for (size_t i = 0; i < ARRAY_LEN(where); i++) {
        bool freed;
        CLEAN_STREAM struct stream *s = NULL;
        assert_ok(stream_threaded(counting_new(where[i], &freed), &s));
        assert_err(stream_drain(s), ERR_TIMEOUT);
    }
}

/* However much was read, of a source that never ends or of one that has ended already. */
TEST(a_thread_ends_with_its_reader) {
    CLEAN_FD int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    for (unsigned rounds = 0; rounds < 9; rounds++) {
        bool freed;
        char p[100000];
        size_t n;
        CLEAN_STREAM struct stream *endless = NULL;
        struct stream *ending;
        assert_ok(stream_threaded(stream_fd(zero), &endless));
        assert_ok(stream_threaded(counting_new(0, &freed), &ending));
        for (unsigned i = 0; i < rounds; i++) {
            assert_ok(stream_read(endless, p, sizeof(p), &n));
            assert_true(n > 0);
            assert_ok(stream_read(ending, p, sizeof(p), &n));
        }
        stream_free(ending);
        assert_true(freed);
    }
}

TEST(a_limit_refuses_one_more) {
    char p[100];
    size_t n;
    CLEAN_STREAM struct stream *s = stream_limit(stream_mem(STR("0123456789")), 10, "text");
    CLEAN_STREAM struct stream *less = stream_limit(stream_mem(STR("0123456789")), 9, "text");
    assert_ok(stream_read_full(s, p, sizeof(p), &n));
    assert_int_equal(n, 10);
    CLEAN_ERR struct err e = stream_drain(less);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_string_equal(err_msg(e), "text is larger than 9 bytes");
}

TEST(a_part_leaves_the_rest) {
    CLEAN_STREAM struct stream *whole = stream_mem(STR("headtail"));
    char p[16];
    size_t n;
    struct stream *part = stream_part(whole, 4);
    assert_ok(stream_read_full(part, p, sizeof(p), &n));
    assert_true(str_eqz(str_n(p, n), "head"));
    stream_free(part);
    CLEAN_STREAM struct stream *too_long = stream_part(whole, 5);
    assert_err(stream_drain(too_long), ERR_INVALID);
}

TEST(what_was_looked_at_goes_first) {
    CLEAN_STREAM struct stream *s = stream_after(STR("he"), stream_mem(STR("ad")));
    char p[16];
    size_t n;
    assert_ok(stream_read_full(s, p, sizeof(p), &n));
    assert_true(str_eqz(str_n(p, n), "head"));
}

TEST(skipping) {
    CLEAN_STREAM struct stream *s = stream_mem(STR("0123456789"));
    char c;
    size_t n;
    assert_ok(stream_skip(s, 9));
    assert_ok(stream_read(s, &c, 1, &n));
    assert_true(n == 1 && c == '9');
    assert_err(stream_skip(s, 1), ERR_INVALID);
}

TEST(a_tee_hashes_and_counts) {
    struct sha256 *h = sha256_new(), *plain = sha256_new();
    struct digest a, b;
    uint64_t count = 0;
    CLEAN_STREAM struct stream *s = stream_tee(stream_mem(STR("some text")), h, &count);
    assert_ok(stream_drain(s));
    sha256_add(plain, "some text", 9);
    sha256_end(h, a.bytes);
    sha256_end(plain, b.bytes);
    assert_true(digest_eq(&a, &b));
    assert_int_equal(count, 9);
    sha256_free(h);
    sha256_free(plain);
}

TEST(copies_go_to_a_file) {
    CLEAN_FD int fd = memfd_create("copy", MFD_CLOEXEC);
    bool freed;
    uint64_t n;
    struct stream *s = counting_new(0, &freed);
    assert_ok(stream_copy_fd(s, fd, &n));
    stream_free(s);
    assert_int_equal(n, MANY);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    CLEAN_STREAM struct stream *back = stream_fd(fd);
    read_and_compare(back, 65536);
}
