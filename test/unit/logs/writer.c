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

static uint64_t dropped(const struct logs_writer *w) {
    struct logs_missing m;
    logs_writer_missing(w, &m);
    return m.dropped;
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
                                                                                "\"\\n" TAIL(
                                                                                    "stdou"
                                                                                    "t") "{\"log\":"
                                                                                         "\"las"
                                                                                         "t" TAIL("stdout"));
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
    logs_record_done(&r);
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
    assert_int_equal(dropped(w), 3);
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
}

static struct err parse_options(const char *driver, const char *key, const char *value,
                                struct logs_options *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap m = {0};
    if (key)
        strmap_set(&m, &a, key, value);
    return logs_options_parse(driver, &m, ret);
}

TEST(options_by_name) {
    struct logs_options o;
    assert_ok(parse_options(NULL, NULL, NULL, &o));
    assert_string_equal(o.driver, "json-file");
    assert_int_equal(o.max_size, 100 << 20);
    assert_int_equal(o.max_file, 10);
    assert_false(o.non_blocking);
    assert_ok(parse_options("json-file", "max-file", "3", &o));
    assert_int_equal(o.max_file, 3);
    assert_ok(parse_options("json-file", "mode", "non-blocking", &o));
    assert_true(o.non_blocking && o.max_buffer == 1 << 20);
    static const char *const bad[][2] = {
        {"max-file", "0"},     {"max-file", "x"},         {"max-size", "1q"},
        {"mode", "fast"},      {"max-buffer-size", "1m"}, /* without the mode */
        {"labels-regex", "("}, {"tag", "{{.ID"},          {"compress", "maybe"},
        {"max-sizes", "1m"},   {"syslog-address", "x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(parse_options("json-file", bad[i][0], bad[i][1], &o), ERR_INVALID);
    assert_err(parse_options("none", "max-size", "1m", &o), ERR_INVALID);
    assert_err(parse_options("no-such", NULL, NULL, &o), ERR_INVALID);
    struct err e = parse_options("fluentd", NULL, NULL, &o);
    assert_int_equal(err_kind(e), ERR_UNSUPPORTED);
    assert_non_null(strstr(err_msg(e), "tail input")); /* the remedy */
    err_free(e);
}

static void expect_attributes(const struct logs_options *o, const char *want) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf got = {0};
    struct strs env = {0};
    struct strmap labels = {0};
    strs_add(&env, &a, "MODE=fast<er>");
    strs_add(&env, &a, "SECRET=no");
    strmap_set(&labels, &a, "app", "w\"eb");
    strmap_set(&labels, &a, "com.x.tier", "1");
    struct logs_subject s = {.id = "0123456789abcdef",
                             .name = "web",
                             .image_id = "sha256:fedcba9876543210",
                             .image_name = "nginx:1",
                             .command = "nginx -g",
                             .host_name = "h",
                             .env = &env,
                             .labels = &labels};
    assert_ok(logs_attributes(o, &s, &got));
    assert_string_equal(buf_cstr(&got), want);
}

TEST(attributes_of_a_container) {
    expect_attributes(&(struct logs_options){0}, "");
    expect_attributes(&(struct logs_options){.labels = "none,at,all"}, "");
    expect_attributes(&(struct logs_options){.labels = "x,app", .env = "MODE"},
                      "{\"MODE\":\"fast\\u003cer\\u003e\",\"app\":\"w\\\"eb\"}");
    expect_attributes(&(struct logs_options){.labels_regex = "^com\\.", .env_regex = "^MO"},
                      "{\"MODE\":\"fast\\u003cer\\u003e\",\"com.x.tier\":\"1\"}");
    expect_attributes(
        &(struct logs_options){
            .tag = "{{.ImageName}}/{{.Name}}/{{.ID}} {{.FullID}} {{.ImageID}} {{.DaemonName}}"},
        "{\"tag\":\"nginx:1/web/0123456789ab 0123456789abcdef fedcba987654 docker\"}");
}

TEST(attributes_in_records) {
    struct place p = place_new();
    struct logs_writer_options o = {.driver = "json-file",
                                    .dir_fd = p.fd,
                                    .name = NAME,
                                    .max_size = -1,
                                    .max_file = 1,
                                    .attrs = STR("{\"tag\":\"t\"}")};
    struct logs_writer *w = NULL;
    assert_ok(logs_writer_new(&o, &w));
    put(w, LOGS_STDOUT, "a\nb");
    logs_writer_trim(w); /* keeps them, and the unfinished line */
    put(w, LOGS_STDOUT, "\n");
    CLEAN_FREE
    char *got = content(&p, NAME);
#define WITH_ATTRS                                                                                \
    "\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"t\"},\"time\":\"2023-11-14T22:13:20.12Z\"}" \
    "\n"
    assert_string_equal(got, "{\"log\":\"a" WITH_ATTRS "{\"log\":\"b" WITH_ATTRS);
    logs_writer_free(w);
    place_done(&p);
}

TEST(a_full_buffer_drops_in_the_non_blocking_mode) {
    struct place p = place_new();
    struct logs_writer_options o = {.driver = "json-file",
                                    .dir_fd = p.fd,
                                    .name = NAME,
                                    .max_size = -1,
                                    .max_file = 1,
                                    .max_buffer = 10000};
    struct logs_writer *w = NULL;
    assert_ok(logs_writer_new(&o, &w));
    CLEAN_FREE
    char *flood = mem_alloc(65536);
    memset(flood, '\n', 65536);
    logs_write(w, LOGS_STDOUT, flood, 65536, AT);
    assert_false(logs_writer_full(w));
    settle(w);
    put(w, LOGS_STDOUT, "x\n");
    assert_true(dropped(w) > 60000);
    CLEAN_BUF struct buf text = {0};
    size_t sizes[1];
    size_t n = parse_all(&p, NAME, &text, sizes, 0);
    assert_int_equal(n + dropped(w), 65536 + 2); /* the mark is one */
    assert_non_null(strstr(text.data, "the buffer of mode=non-blocking was full"));
    logs_writer_free(w);
    place_done(&p);
}

TEST(what_rotation_removes_is_counted) {
    for (int max_file = 1; max_file <= 3; max_file++) {
        struct place p = place_new();
        struct logs_writer *w = writer(&p, 1000, max_file, max_file == 2);
        uint64_t written = 0, there = 0;
        struct logs_missing m;
        for (int i = 0; i < 200; i++) {
            put(w, LOGS_STDOUT, "0123456789012345678901234567890123456789\n");
            written += 40 + 9 + 2 + sizeof(TAIL("stdout")) - 2;
            if (i == 90) { /* what an earlier run has left counts as well */
                logs_writer_missing(w, &m);
                uint64_t before = m.removed_bytes;
                logs_writer_free(w);
                w = writer(&p, 1000, max_file, false);
                written -= before;
            }
        }
        logs_writer_missing(w, &m);
        for (int i = 0; i < max_file; i++) {
            struct stat st;
            char name[32];
            snprintf(name, sizeof(name), i ? "%s.%d" : "%s", NAME, i);
            if (fstatat(p.fd, name, &st, 0) == 0)
                there += (uint64_t)st.st_size;
        }
        assert_int_equal(m.removed_bytes + there, written);
        assert_true(m.removed_files > 1);
        logs_writer_free(w);
        place_done(&p);
    }
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
    assert_int_equal(n - marks + dropped(w), 12 * 65536 + 1);
    assert_true((marks > 0) == (dropped(w) > 0));
    logs_writer_free(w);
    place_done(&p);
}
