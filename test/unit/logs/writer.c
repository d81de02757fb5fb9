/* Records, the writer, rotation, gaps. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "logs/logs.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT (1700000000 * NSEC_PER_SEC + 120000000)
#define TAIL(s) "\",\"stream\":\"" s "\",\"time\":\"2023-11-14T22:13:20.12Z\"}\n"
#define NAME "x-json.log"

struct place {
    char path[64];
    int fd;
};

static struct place place_new(void) {
    struct place p;
    snprintf(p.path, sizeof(p.path), "/tmp/corten-unit-logs-XXXXXX");
    assert_non_null(mkdtemp(p.path));
    assert_ok(dir_open(p.path, &p.fd));
    return p;
}

static void place_done(struct place *p) {
    close(p->fd);
    CLEAN_FD
    int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, p->path + strlen("/tmp/")));
}

static struct logs_writer *writer(struct place *p, int64_t max_size, int max_file, bool blocking) {
    struct logs_writer_options o = {.driver = "json-file",
                                    .dir_fd = p->fd,
                                    .name = NAME,
                                    .max_size = max_size,
                                    .max_file = max_file,
                                    .blocking = blocking};
    struct logs_writer *w = NULL;
    assert_ok(logs_writer_new(&o, &w));
    return w;
}

static void settle(struct logs_writer *w) {
    for (int i = 0; i < 10000 && !logs_writer_idle(w); i++) {
        struct pollfd pf = {.fd = logs_writer_fd(w), .events = POLLIN};
        poll(&pf, 1, 100);
        logs_writer_pump(w);
    }
    assert_true(logs_writer_idle(w));
}

static char *content(struct place *p, const char *name) {
    struct buf b = {0};
    assert_ok(file_read_at(p->fd, name, 64u << 20, &b));
    return buf_take(&b);
}

static void put(struct logs_writer *w, enum logs_stream s, const char *z) {
    logs_write(w, s, z, strlen(z), AT);
    settle(w);
}

static void check_record(const char *text, size_t n, const char *want) {
    CLEAN_BUF struct buf b = {0};
    logs_format(&b, LOGS_STDOUT, str_n(text, n), true, AT);
    CLEAN_FREE
    char *all = mem_printf("{\"log\":\"%s\\n" TAIL("stdout"), want);
    assert_string_equal(b.data, all);
}

TEST(records_are_the_peers) {
    check_record("hello", 5, "hello");
    check_record("", 0, "");
    check_record("a\"b\\c\td\re", 9, "a\\\"b\\\\c\\u0009d\\re");
    check_record("<a href='x'>&</a>", 17, "\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e");
    check_record("\x1b[31m\x7f", 6, "\\u001b[31m\x7f");
    check_record("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8b", 15,
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8b");
    check_record("\xff\xc3(\xed\xa0\x80\xc0\xaf\xf5", 9,
                 "\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd");
    check_record("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9, "\\u2028\\u2029\xe2\x80\xaa");
    check_record("0123456789abcdef0123456789abcde<0123456789abcdef>", 49,
                 "0123456789abcdef0123456789abcde\\u003c0123456789abcdef\\u003e");
    check_record("x\0y", 3, "x\\u0000y");
}

static void lines_both_ways(bool blocking) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, -1, 1, blocking);
    put(w, LOGS_STDOUT, "one\ntwo\nthr");
    put(w, LOGS_STDERR, "oops\n");
    put(w, LOGS_STDOUT, "ee\n\n");
    put(w, LOGS_STDOUT, "last");
    logs_writer_end(w, AT);
    settle(w);
    CLEAN_FREE
    char *got = content(&p, NAME);
    assert_string_equal(got, "{\"log\":\"one\\n" TAIL("stdout") "{\"log\":\"two\\n" TAIL("stdout") "{\"log\":\"oops\\n" TAIL(
                                 "stderr") "{\"log\":\"three\\n" TAIL("stdout") "{\"log\":"
                                                                                "\"\\n" TAIL("stdou"
                                                                                             "t") "{\"log\":\"last" TAIL("stdout"));
    struct stat st;
    assert_int_equal(fstatat(p.fd, NAME, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    logs_writer_free(w);
    place_done(&p);
}

TEST(lines_become_records) {
    lines_both_ways(true);
    lines_both_ways(false);
}

/* Texts of all records, one C string per record; checks that each is parsed. */
static size_t parse_all(struct place *p, const char *name, struct buf *text, size_t *sizes,
                        size_t max) {
    CLEAN_BUF struct buf b = {0};
    assert_ok(file_read_at(p->fd, name, 64u << 20, &b));
    struct logs_record r = {0};
    size_t n = 0;
    for (size_t at = 0; at < b.len;) {
        size_t before = text->len;
        ssize_t used = logs_parse(str_n(b.data + at, b.len - at), &r, text);
        assert_true(used > 0);
        if (n < max)
            sizes[n] = text->len - before;
        n++;
        at += (size_t)used;
    }
    buf_done(&r.attrs);
    return n;
}

TEST(long_lines_are_split_at_16k) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, -1, 1, true);
    CLEAN_BUF struct buf in = {0}, out = {0};
    for (int i = 0; i < 40000; i++)
        buf_addc(&in, (char)('a' + i % 26));
    buf_addc(&in, '\n');
    for (int i = 0; i < 16384; i++) /* exactly one piece: the newline makes a record of its own */
        buf_addc(&in, 'x');
    buf_addc(&in, '\n');
    for (size_t at = 0; at < in.len; at += 1000)
        logs_write(w, LOGS_STDOUT, in.data + at, MIN((size_t)1000, in.len - at), AT + (int64_t)at);
    settle(w);
    size_t sizes[5];
    assert_int_equal(parse_all(&p, NAME, &out, sizes, 5), 5);
    size_t want[] = {16384, 16384, 40000 - 32768 + 1, 16384, 1};
    for (int i = 0; i < 5; i++)
        assert_int_equal(sizes[i], want[i]);
    assert_int_equal(out.len, in.len);
    assert_memory_equal(out.data, in.data, in.len);
    logs_writer_free(w);

    /* the same in one piece gives the same records */
    assert_int_equal(unlinkat(p.fd, NAME, 0), 0);
    w = writer(&p, -1, 1, true);
    logs_write(w, LOGS_STDOUT, in.data, in.len, AT);
    settle(w);
    buf_clear(&out);
    assert_int_equal(parse_all(&p, NAME, &out, sizes, 5), 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sizes[i], want[i]);
    assert_memory_equal(out.data, in.data, in.len);
    logs_writer_free(w);
    place_done(&p);
}

static void rotate_both_ways(bool blocking) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, 2000, 3, blocking);
    CLEAN_BUF struct buf in = {0};
    for (int i = 0; i < 100; i++)
        buf_addf(&in, "line %03d\n", i);
    logs_write(w, LOGS_STDOUT, in.data, in.len, AT);
    settle(w);
    /* a record is 72 bytes: the 28th fills a file; 100 records are 3 full files and 16 */
    static const char *const names[] = {NAME ".2", NAME ".1", NAME};
    static const int first[] = {28, 56, 84}, count[] = {28, 28, 16};
    for (int i = 0; i < 3; i++) {
        CLEAN_BUF struct buf got = {0}, want = {0};
        size_t sizes[1];
        assert_int_equal(parse_all(&p, names[i], &got, sizes, 0), count[i]);
        for (int k = 0; k < count[i]; k++)
            buf_addf(&want, "line %03d\n", first[i] + k);
        assert_string_equal(got.data, want.data);
    }
    assert_int_equal(faccessat(p.fd, NAME ".3", F_OK, 0), -1);
    logs_writer_free(w);
    place_done(&p);
}

TEST(rotation) {
    rotate_both_ways(true);
    rotate_both_ways(false);
}

TEST(one_file_starts_over) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, 100, 1, true);
    put(w, LOGS_STDOUT, "first\nsecond\nthird\n");
    CLEAN_FREE
    char *got = content(&p, NAME);
    assert_string_equal(got, "{\"log\":\"third\\n" TAIL("stdout"));
    logs_writer_free(w);
    place_done(&p);
}

TEST(truncation_from_outside_is_noticed) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, 200, 2, true);
    put(w, LOGS_STDOUT, "1\n2\n3\n");
    CLEAN_FREE
    char *path = mem_printf("%s/" NAME, p.path);
    assert_int_equal(truncate(path, 0), 0);
    put(w, LOGS_STDOUT, "4\n");
    CLEAN_FREE
    char *got = content(&p, NAME);
    assert_string_equal(got, "{\"log\":\"4\\n" TAIL("stdout"));
    assert_int_equal(faccessat(p.fd, NAME ".1", F_OK, 0), -1);
    logs_writer_free(w);
    place_done(&p);
}

static void gap_both_ways(bool blocking) {
    struct place p = place_new();
    struct logs_writer *w = writer(&p, -1, 1, blocking);
    put(w, LOGS_STDOUT, "before\n");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small = {100, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put(w, LOGS_STDOUT, "lost 1\nlost 2\n");
    put(w, LOGS_STDOUT, "lost 3\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    put(w, LOGS_STDOUT, "after\n");
    put(w, LOGS_STDOUT, "later\n");
    assert_int_equal(logs_writer_lost(w), 3);
    CLEAN_BUF struct buf text = {0};
    size_t sizes[1];
    assert_int_equal(parse_all(&p, NAME, &text, sizes, 0), 4);
    assert_string_equal(text.data,
                        "before\ncorten: 3 log records are missing here: File too large\n"
                        "after\nlater\n");
    logs_writer_free(w);
    place_done(&p);
}

TEST(a_full_disk_leaves_a_marked_gap) {
    gap_both_ways(true);
    gap_both_ways(false);
}

TEST(none_writes_nothing) {
    struct logs_writer_options o = {.driver = "none", .dir_fd = -1};
    struct logs_writer *w = NULL;
    assert_ok(logs_writer_new(&o, &w));
    logs_write(w, LOGS_STDOUT, "x\n", 2, AT);
    logs_writer_end(w, AT);
    assert_true(logs_writer_idle(w));
    assert_false(logs_writer_pump(w));
    assert_int_equal(logs_writer_fd(w), -1);
    logs_writer_free(w);
    o.driver = "journald";
    assert_err(logs_writer_new(&o, &w), ERR_UNSUPPORTED);
}

TEST(options) {
    int64_t size;
    int files;
    assert_ok(logs_parse_size(STR("10m"), &size));
    assert_int_equal(size, 10 << 20);
    assert_ok(logs_parse_size(STR("1 KiB"), &size));
    assert_int_equal(size, 1024);
    assert_ok(logs_parse_size(STR("123"), &size));
    assert_int_equal(size, 123);
    assert_ok(logs_parse_size(STR("-1"), &size));
    assert_int_equal(size, -1);
    static const char *const bad[] = {"",    "m", "10x", "10mm", "-2", "0", "9223372036854775807k",
                                      "1b b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(logs_parse_size(str_of(bad[i]), &size), ERR_INVALID);
    assert_ok(logs_parse_files(STR("3"), &files));
    assert_int_equal(files, 3);
    assert_err(logs_parse_files(STR("0"), &files), ERR_INVALID);
    assert_err(logs_parse_files(STR("x"), &files), ERR_INVALID);
}

TEST(a_slow_disk_holds_its_source_and_is_bounded) {
#ifdef __SANITIZE_THREAD__
    SKIP("formatting is slower than any disk under ThreadSanitizer");
    return;
#endif
    struct place p = place_new();
    struct logs_writer *w = writer(&p, -1, 1, false);
    if (!logs_writer_async(w)) {
        logs_writer_free(w);
        place_done(&p);
        SKIP("no io_uring here");
        return;
    }
    CLEAN_FREE
    char *flood = mem_alloc(65536);
    memset(flood, '\n', 65536);
    assert_false(logs_writer_full(w));
    bool was_full = false;
    for (int i = 0; i < 12; i++) { /* no pump: completions are not taken */
        logs_write(w, LOGS_STDOUT, flood, 65536, AT);
        was_full |= logs_writer_full(w);
    }
    assert_true(was_full);
    settle(w);
    put(w, LOGS_STDOUT, "x\n");
    CLEAN_BUF struct buf text = {0};
    size_t sizes[1];
    size_t n = parse_all(&p, NAME, &text, sizes, 0), marks = 0;
    for (const char *at = text.data; (at = strstr(at, "corten: ")) != NULL; at++)
        marks++;
    assert_int_equal(n - marks + logs_writer_lost(w), 12 * 65536 + 1);
    assert_true((marks > 0) == (logs_writer_lost(w) > 0));
    logs_writer_free(w);
    place_done(&p);
}
