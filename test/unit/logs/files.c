/* Finding the next file of a log while a rotation is at work. */
#include "base/file.h"
#include "logs/files.h"
#include "test.h"
#include <fcntl.h>
#include <unistd.h>

static ino_t make(int dir, const char *name) {
    struct stat st;
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    return st.st_ino;
}

TEST(a_hole_of_a_rotation_is_not_the_end) {
    char path[] = "/tmp/corten-files-XXXXXX";
    assert_non_null(mkdtemp(path));
    CLEAN_FD int dir = -1;
    assert_ok(dir_open(path, &dir));
    /* The rotation has moved 2 to 3 and 3 to 4; 1 to 2 comes next. */
    static const char *const names[] = {"log", "log.1", "log.3", "log.4"};
    ino_t inodes[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        inodes[i] = make(dir, names[i]);
    struct stat st;
    assert_int_equal(fstat(dir, &st), 0);
    for (size_t i = 1; i < ARRAY_LEN(names); i++) {
        struct file current = {.fd = -1, .dev = st.st_dev, .ino = inodes[i]}, next;
        assert_ok(files_next(dir, "log", &current, &next));
        assert_true(next.fd >= 0);
        assert_int_equal(next.ino, inodes[i - 1]);
        close(next.fd);
    }
    struct file newest = {.fd = -1, .dev = st.st_dev, .ino = inodes[0]}, none;
    assert_ok(files_next(dir, "log", &newest, &none));
    assert_int_equal(none.fd, -1);
    struct files all;
    assert_ok(files_open(dir, "log", &all));
    assert_int_equal(all.n, 4);
    files_done(&all);
    assert_ok(dir_remove(AT_FDCWD, path));
}
