#include "base/file.h"
#include "base/mem.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh directory, removed at the end of the test by the thing under test. */
static void dir_clean(char **dir) {
    assert_ok(dir_remove(AT_FDCWD, *dir));
    assert_int_equal(access(*dir, F_OK), -1);
    free(*dir);
}
static char *dir_fresh(void) {
    char *dir = mem_strdup("/tmp/corten-unit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}
#define FRESH_DIR OWN(dir_clean) char *

static char *in(const char *dir, const char *name) {
    return mem_printf("%s/%s", dir, name);
}

TEST(write_and_read_back) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *path = in(dir, "f");
    CLEAN_BUF struct buf b = {0};
    struct stat st;
    mode_t mask = umask(0077);
    assert_ok(file_replace(path, STR("one\n"), 0644, true));
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask */
    assert_ok(file_replace(path, STR("two"), 0600, false));
    assert_ok(file_read(path, 100, &b));
    assert_string_equal(buf_cstr(&b), "two");
    assert_int_equal(b.max, 0);
}

TEST(read_is_bounded_and_tells_missing) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *path = in(dir, "f");
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "before");
    assert_err(file_read(path, 100, &b), ERR_NOT_FOUND);
    assert_ok(file_replace(path, STR("12345"), 0600, false));
    assert_err(file_read(path, 4, &b), ERR_INVALID);
    assert_string_equal(buf_cstr(&b), "before"); /* written only on success */
    assert_ok(file_read(path, 5, &b));
    assert_string_equal(buf_cstr(&b), "12345");
}

TEST(big_files) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *path = in(dir, "f");
    CLEAN_BUF struct buf text = {0}, back = {0};
    for (int i = 0; i < 20000; i++)
        buf_addf(&text, "line %d\n", i);
    assert_ok(file_replace(path, buf_str(&text), 0600, false));
    assert_ok(file_read(path, text.len, &back));
    assert_true(str_eq(buf_str(&text), buf_str(&back)));
}

TEST(replace_leaves_nothing_behind_on_failure) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *path = in(dir, "d");
    assert_ok(dir_make(path, 0755));
    assert_err(file_replace(path, STR("x"), 0600, false), ERR_SYSTEM); /* a directory */
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
    assert_int_equal(mkdir(dir, 0700), 0);
}

TEST(write_at_does_not_create) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FD
    int fd = -1;
    assert_ok(dir_open(dir, &fd));
    assert_err(file_write_at(fd, "f", STR("x")), ERR_NOT_FOUND);
    assert_ok(file_replace_at(fd, "f", STR("abc"), 0600, false));
    assert_ok(file_write_at(fd, "f", STR("x")));
    CLEAN_BUF struct buf b = {0};
    assert_ok(file_read_at(fd, "f", 10, &b));
    assert_string_equal(buf_cstr(&b), "xbc"); /* one write, no truncation: for proc and sys */
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

TEST(make_directories) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *deep = in(dir, "a/b//c/");
    CLEAN_FREE
    char *file = in(dir, "file");
    CLEAN_FREE
    char *below = in(dir, "file/x");
    assert_ok(dir_make(deep, 0755));
    assert_ok(dir_make(deep, 0755));
    assert_ok(file_replace(file, STR(""), 0600, false));
    assert_err(dir_make(file, 0755), ERR_SYSTEM);
    assert_err(dir_make(below, 0755), ERR_SYSTEM);
    assert_err(dir_make("", 0755), ERR_SYSTEM);
    int fd = -1;
    assert_err(dir_open(below, &fd), ERR_SYSTEM);
    assert_int_equal(fd, -1);
}

TEST(remove_does_not_follow_links) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *keep = in(dir, "keep");
    CLEAN_FREE
    char *inner = in(dir, "keep/file");
    CLEAN_FREE
    char *gone = in(dir, "gone");
    CLEAN_FREE
    char *link_in = in(dir, "gone/link");
    CLEAN_FREE
    char *top_link = in(dir, "link");
    assert_ok(dir_make(keep, 0755));
    assert_ok(file_replace(inner, STR("x"), 0600, false));
    assert_ok(dir_make(gone, 0755));
    assert_int_equal(symlink(keep, link_in), 0);
    assert_int_equal(symlink(keep, top_link), 0);
    assert_ok(dir_remove(AT_FDCWD, gone));
    assert_ok(dir_remove(AT_FDCWD, top_link));
    assert_int_equal(access(inner, F_OK), 0);
    assert_int_equal(access(gone, F_OK), -1);
    assert_ok(dir_remove(AT_FDCWD, gone)); /* missing is success */
}

/* Makes a chain of n directories with a file in each, without long paths. */
static void make_chain(const char *dir, int n) {
    CLEAN_FD
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < n; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        CLEAN_FD
        int file = openat(at, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(file >= 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(at);
        at = next;
    }
}

TEST(remove_is_not_bounded_by_depth) {
    FRESH_DIR dir = dir_fresh();
    make_chain(dir, 5000); /* longer than PATH_MAX, deeper than any descriptor limit */
}

TEST(remove_wide_trees_with_odd_modes) {
    FRESH_DIR dir = dir_fresh();
    for (int i = 0; i < 300; i++) {
        CLEAN_FREE
        char *sub = mem_printf("%s/%d", dir, i);
        assert_int_equal(mkdir(sub, 0755), 0);
        make_chain(sub, i % 40);
        chmod(sub, i % 2 ? 0 : 0500);
    }
}

TEST(remove_takes_special_files) {
    FRESH_DIR dir = dir_fresh();
    CLEAN_FREE
    char *fifo = in(dir, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0); /* must not be opened: that would hang */
}

TEST(descriptors_read_and_write_all) {
    int ends[2];
    char text[10];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fd_write_all(ends[1], "hello", 5), 0);
    ends[1] = fd_close(ends[1]);
    assert_int_equal(fd_read_all(ends[0], text, sizeof(text)), 5);
    assert_int_equal(fd_read_all(ends[0], text, sizeof(text)), 0);
    ends[0] = fd_close(ends[0]);
    assert_int_equal(fd_read_all(-1, text, 1), -EBADF);
    assert_int_equal(fd_write_all(-1, text, 1), -EBADF);
    assert_int_equal(ends[0], -1);
}

TEST(nonblocking_on_and_off) {
    int ends[2];
    char c;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_ok(fd_set_nonblock(ends[0], true));
    assert_int_equal(read(ends[0], &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_ok(fd_set_nonblock(ends[0], false));
    assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    fd_close(ends[0]);
    fd_close(ends[1]);
    assert_err(fd_set_nonblock(-1, true), ERR_SYSTEM);
}
