/* Remembered digests: found by exact stamp, kept across files, never for what just changed. */
#include "build/digests.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct digest_stamp stamp(uint64_t ino) {
    return (struct digest_stamp){.dev = 1, .ino = ino, .size = 3, .mtime = 4, .ctime = 5};
}

TEST(remembers) {
    char dir[] = "/tmp/corten-digests-XXXXXX";
    assert_non_null(mkdtemp(dir));
    CLEAN_FREE char *path = mem_printf("%s/sub/file", dir);
    struct digest a = {{1}}, b = {{2}}, got;
    struct digest_stamp one = stamp(1), two = stamp(2), now = stamp(3);
    now.ctime = time_now();
    struct digests *d = digests_open(path);
    assert_false(digests_find(d, &one, &got));
    digests_add(d, &one, &a);
    digests_add(d, &now, &a);
    assert_ok(digests_save(d));
    digests_free(d);

    d = digests_open(path);
    assert_true(digests_find(d, &one, &got));
    assert_memory_equal(&got, &a, sizeof(a));
    assert_false(digests_find(d, &now, &got));
    struct digest_stamp other = one;
    other.ctime++;
    assert_false(digests_find(d, &other, &got));
    digests_add(d, &other, &b);
    digests_add(d, &two, &b);
    assert_ok(digests_save(d));
    digests_free(d);

    d = digests_open(path);
    assert_false(digests_find(d, &one, &got));
    assert_true(digests_find(d, &other, &got));
    assert_memory_equal(&got, &b, sizeof(b));
    assert_true(digests_find(d, &two, &got));
    digests_free(d);

    assert_ok(file_replace(path, STR("cortenD1 broken"), 0600, false));
    d = digests_open(path);
    assert_false(digests_find(d, &two, &got));
    assert_ok(digests_save(d)); /* nothing new: nothing written */
    digests_free(d);
    CLEAN_FD int fd = -1;
    assert_ok(dir_open("/tmp", &fd));
    assert_ok(dir_remove(fd, dir + strlen("/tmp/")));
}
