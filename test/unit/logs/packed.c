/* Compressed older files: what the writer leaves, the index, tails, times, an end in the middle. */
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "logs/files.h"
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "x-json.log"
#define AT (INT64_C(1700000000) * NSEC_PER_SEC)

struct place {
    char path[64];
    int fd;
    struct logs_writer *w;
    int next; /* number of the next line */
};

static void open_writer(struct place *p, int64_t max_size, int max_file, bool blocking) {
    struct logs_writer_options o = {.driver = "json-file",
                                    .dir_fd = p->fd,
                                    .name = NAME,
                                    .max_size = max_size,
                                    .max_file = max_file,
                                    .compress = true,
                                    .blocking = blocking};
    assert_ok(logs_writer_new(&o, &p->w));
}

static void place_new(struct place *p) {
    *p = (struct place){.fd = -1};
    snprintf(p->path, sizeof(p->path), "/tmp/corten-unit-packed-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    assert_ok(dir_open(p->path, &p->fd));
}

static void place_done(struct place *p) {
    logs_writer_free(p->w);
    close(p->fd);
    assert_ok(dir_remove(AT_FDCWD, p->path));
}

static void settle(struct logs_writer *w) {
    for (int i = 0; i < 10000 && !logs_writer_idle(w); i++) {
        struct pollfd pf = {.fd = logs_writer_fd(w), .events = POLLIN};
        poll(&pf, 1, 100);
        logs_writer_pump(w);
    }
    assert_true(logs_writer_idle(w));
}

/* Lines "line N" a second apart. */
static void put_lines(struct place *p, int n) {
    for (int i = 0; i < n; i++, p->next++) {
        char text[64];
        int len = snprintf(text, sizeof(text), "line %d\n", p->next);
        logs_write(p->w, LOGS_STDOUT, text, (size_t)len, AT + p->next * NSEC_PER_SEC);
        settle(p->w);
    }
}

/* As the monitor does, in this process. */
static bool pack_one(struct place *p) {
    struct logs_pack x;
    if (!logs_writer_pack(p->w, &x))
        return false;
    assert_ok(logs_pack(x.source_fd, x.dir_fd, x.name));
    close(x.source_fd);
    logs_writer_packed(p->w, true);
    settle(p->w);
    return true;
}

static bool exists(struct place *p, const char *name) {
    return faccessat(p->fd, name, F_OK, 0) == 0;
}

/* All bytes of all files, oldest first, from where `tail` lines begin. */
static char *read_all(struct place *p, uint64_t tail) {
    struct files f;
    struct buf b = {0};
    size_t index;
    off_t offset;
    assert_ok(files_open(p->fd, NAME, &f));
    assert_ok(files_tail(&f, tail, &index, &offset));
    for (size_t i = index + 1; i-- > 0; offset = 0)
        for (size_t n = 1; n > 0; offset += (off_t)n) {
            assert_ok(file_pread(&f.items[i], buf_room(&b, 1000), 1000, offset, &n));
            buf_added(&b, n);
        }
    files_done(&f);
    return buf_take(&b);
}

static void check_lines(struct place *p, uint64_t tail, int first, int last) {
    CLEAN_FREE char *all = read_all(p, tail);
    const char *at = all;
    for (int i = first; i <= last; i++) {
        char want[64];
        snprintf(want, sizeof(want), "{\"log\":\"line %d\\n\"", i);
        assert_int_equal(strncmp(at, want, strlen(want)), 0);
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    assert_int_equal(*at, 0);
}

static void round_of(bool blocking) {
    struct place p;
    place_new(&p);
    open_writer(&p, 1000, 4, blocking);
    for (int i = 0; i < 60; i++) {
        put_lines(&p, 1);
        while (pack_one(&p))
            ;
    }
    assert_true(exists(&p, NAME ".1.gz") && exists(&p, NAME ".2.gz") && exists(&p, NAME ".3.gz"));
    assert_false(exists(&p, NAME ".1") || exists(&p, NAME ".4.gz") || exists(&p, NAME ".gz.part"));
    struct logs_missing m;
    logs_writer_missing(p.w, &m);
    assert_int_equal(m.removed_files, 0);
    check_lines(&p, UINT64_MAX, 0, 59);
    for (uint64_t tail = 1; tail <= 60; tail++)
        check_lines(&p, tail, 60 - (int)tail, 59);
    put_lines(&p, 15);
    logs_writer_missing(p.w, &m);
    assert_int_equal(m.removed_files, 1);
    assert_true(m.removed_bytes >= 1000); /* of what was written, not of what it took */
    place_done(&p);
}

TEST(older_files_are_compressed_and_read_back) {
    round_of(true);
    round_of(false);
}

TEST(rotation_goes_on_while_somebody_compresses) {
    struct place p;
    struct logs_pack x;
    place_new(&p);
    open_writer(&p, 1000, 4, true);
    put_lines(&p, 18);
    assert_true(logs_writer_pack(p.w, &x));
    assert_ok(logs_pack(x.source_fd, x.dir_fd, x.name));
    put_lines(&p, 18); /* it is number 2 now */
    logs_writer_packed(p.w, true);
    assert_true(exists(&p, NAME ".2.gz"));
    assert_false(exists(&p, NAME ".2"));
    check_lines(&p, UINT64_MAX, 0, 35);
    close(x.source_fd);
    /* The next one is rotated away altogether. */
    assert_true(logs_writer_pack(p.w, &x));
    assert_ok(logs_pack(x.source_fd, x.dir_fd, x.name));
    put_lines(&p, 60);
    logs_writer_packed(p.w, true);
    close(x.source_fd);
    while (pack_one(&p))
        ;
    CLEAN_FREE char *all = read_all(&p, UINT64_MAX);
    assert_non_null(strstr(all, "line 95\\n"));
    assert_null(strstr(all, "line 13\\n"));
    check_lines(&p, 30, 66, 95);
    place_done(&p);
}

TEST(a_follower_knows_its_file_when_it_was_compressed) {
    struct place p;
    struct files f;
    struct file next;
    place_new(&p);
    open_writer(&p, 1000, 5, true);
    put_lines(&p, 3);
    assert_ok(files_open(p.fd, NAME, &f));
    assert_int_equal(f.n, 1);
    put_lines(&p, 35);
    while (pack_one(&p))
        ;
    assert_true(exists(&p, NAME ".2.gz"));
    assert_ok(files_next(p.fd, NAME, &f.items[0], &next)); /* what came after it, nothing older */
    assert_non_null(next.packed);
    char head[32];
    size_t n;
    assert_ok(file_pread(&next, head, sizeof(head), 0, &n));
    assert_int_equal(strncmp(head, "{\"log\":\"line 1", 14), 0);
    file_done(&next);
    files_done(&f);
    place_done(&p);
}

TEST(parts_of_other_times_are_not_read) {
    struct place p;
    struct files f;
    place_new(&p);
    open_writer(&p, 8 << 20, 3, true);
    static char text[4096];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\n';
    for (int i = 0; i < 2100; i++) {
        logs_write(p.w, LOGS_STDOUT, text, sizeof(text), AT + i * NSEC_PER_SEC);
        settle(p.w);
    }
    assert_true(pack_one(&p));
    assert_ok(files_open(p.fd, NAME, &f));
    assert_int_equal(f.n, 2);
    const struct packed *x = f.items[1].packed;
    assert_non_null(x);
    assert_true(x->n >= 7 && x->raw > 8 << 20);
    assert_int_equal(packed_since(x, AT), 0);
    for (int64_t i = 0; i < 2000; i += 131) {
        uint64_t at = packed_since(x, AT + i * NSEC_PER_SEC);
        uint64_t exact = (uint64_t)i * (x->parts[0].raw / x->parts[0].records);
        assert_true(at <= exact && exact - at < 2 << 20);
    }
    assert_true(file_before(&f.items[1], AT + 3000 * NSEC_PER_SEC));
    assert_false(file_before(&f.items[1], AT + 1000 * NSEC_PER_SEC));
    files_done(&f);
    place_done(&p);
}

TEST(what_an_end_left_is_made_again) {
    struct place p;
    struct logs_pack x;
    place_new(&p);
    open_writer(&p, 1000, 4, true);
    put_lines(&p, 18);
    assert_true(logs_writer_pack(p.w, &x));
    close(x.source_fd);
    p.w = logs_writer_free(p.w);
    /* Its own compressed file was named already, its making had begun again. */
    int fd = openat(p.fd, NAME ".1.gz", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    fd = openat(p.fd, NAME ".gz.part", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    open_writer(&p, 1000, 4, true);
    put_lines(&p, 1);
    assert_false(exists(&p, NAME ".gz.part"));
    assert_true(pack_one(&p));
    assert_true(exists(&p, NAME ".1.gz") && !exists(&p, NAME ".1"));
    check_lines(&p, UINT64_MAX, 0, 18);
    /* And after its end nothing is begun. */
    put_lines(&p, 18);
    logs_writer_end(p.w, AT);
    place_done(&p);
}

TEST(a_foreign_gz_is_read_from_its_beginning) {
    static const unsigned char foreign[] = {
    /* printf 'line 0\nline 1\n' as records of ours */
#include "foreign-gz.inc"
    };
    struct place p;
    place_new(&p);
    open_writer(&p, 1000, 4, true);
    p.w = logs_writer_free(p.w);
    int fd = openat(p.fd, NAME ".1.gz", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, foreign, sizeof(foreign)), sizeof(foreign));
    close(fd);
    open_writer(&p, 1000, 4, true);
    p.next = 2;
    put_lines(&p, 2);
    check_lines(&p, UINT64_MAX, 0, 3);
    check_lines(&p, 3, 1, 3);
    place_done(&p);
}
