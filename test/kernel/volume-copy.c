/* Copy-up of an image's directory into an empty volume: owners, modes, times, attributes, links. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "kernel/xattr.h"
#include "volume/volume.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct trees {
    char dir[64];
    int root, volume; /* rootfs with /data; the volume's _data */
    int beside;       /* what _data lies in */
};

static void put(int dir, const char *name, const char *text, mode_t mode, uid_t uid) {
    CLEAN_FD
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchown(fd, uid, uid + 1), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void trees_open(struct trees *t) {
    if (geteuid() != 0)
        SKIP("needs root");
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/corten-test-volume.XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    CLEAN_FREE
    char *root = path_join(t->dir, "root");
    CLEAN_FREE
    char *data = path_join(root, "data/sub");
    CLEAN_FREE
    char *volume = path_join(t->dir, "volume/v/_data");
    assert_ok(dir_make(data, 0755));
    assert_ok(dir_make(volume, 0755));
    assert_ok(dir_open(root, &t->root));
    assert_ok(dir_open(volume, &t->volume));
    assert_true((t->beside = openat(t->volume, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
}

static void trees_close(struct trees *t) {
    fd_close(t->root);
    fd_close(t->volume);
    fd_close(t->beside);
    CLEAN_FD
    int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, t->dir + strlen("/tmp/")));
}

static void same_object(const struct trees *t, const char *name) {
    struct stat a, b;
    CLEAN_FREE
    char *from = mem_printf("data/%s", name);
    assert_int_equal(fstatat(t->root, from, &a, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(fstatat(t->volume, name, &b, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(a.st_mode, b.st_mode);
    assert_int_equal(a.st_uid, b.st_uid);
    assert_int_equal(a.st_gid, b.st_gid);
    assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
    assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
    assert_int_equal(a.st_rdev, b.st_rdev);
    if (!S_ISDIR(a.st_mode))
        assert_int_equal(a.st_size, b.st_size);
}

TEST(everything_is_copied) {
    struct trees t;
    trees_open(&t);
    put(t.root, "data/plain", "hello", 0640, 1000);
    put(t.root, "data/sub/suid", "x", 04755, 0);
    CLEAN_FD
    int capable = openat(t.root, "data/sub/suid", O_RDONLY | O_CLOEXEC);
    assert_ok(xattr_set(capable, "trusted.note", STR("kept")));
    assert_int_equal(linkat(t.root, "data/plain", t.root, "data/sub/again", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", t.root, "data/link"), 0);
    assert_int_equal(fchownat(t.root, "data/link", 7, 8, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(mknodat(t.root, "data/fifo", S_IFIFO | 0622, 0), 0);
    assert_int_equal(mknodat(t.root, "data/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(fchownat(t.root, "data", 33, 34, 0), 0);
    assert_int_equal(fchmodat(t.root, "data", 01750, 0), 0);
    struct timespec old[2] = {{1000, 5}, {1000000, 7}};
    assert_int_equal(utimensat(t.root, "data/sub", old, 0), 0);
    assert_int_equal(utimensat(t.root, "data", old, 0), 0);
    bool copied = false;
    assert_ok(volume_copy_up(t.root, "/data", t.volume, t.beside, &copied));
    assert_true(copied);
    static const char *const names[] = {"",          "plain", "sub",  "sub/suid",
                                        "sub/again", "link",  "fifo", "null"};
    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        same_object(&t, names[i]);
    struct stat a, b;
    assert_int_equal(fstat(t.volume, &a), 0);
    assert_int_equal(a.st_mode & 07777, 01750);
    assert_int_equal(a.st_uid, 33);
    assert_int_equal(a.st_mtim.tv_sec, 1000000);
    assert_int_equal(fstatat(t.volume, "plain", &a, 0), 0);
    assert_int_equal(fstatat(t.volume, "sub/again", &b, 0), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_nlink, 2);
    CLEAN_FD
    int suid = openat(t.volume, "sub/suid", O_RDONLY | O_CLOEXEC);
    CLEAN_BUF struct buf note = {0};
    assert_ok(xattr_get(suid, "trusted.note", &note));
    assert_string_equal(buf_cstr(&note), "kept");
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read_at(t.volume, "plain", 100, &text));
    assert_string_equal(buf_cstr(&text), "hello");
    /* the mark is gone, the second time does nothing */
    assert_int_equal(faccessat(t.volume, "../copying", F_OK, 0), -1);
    put(t.root, "data/late", "x", 0600, 0);
    assert_ok(volume_copy_up(t.root, "/data", t.volume, t.beside, &copied));
    assert_false(copied);
    assert_int_equal(faccessat(t.volume, "late", F_OK, 0), -1);
    trees_close(&t);
}

TEST(nothing_to_copy) {
    struct trees t;
    trees_open(&t);
    bool copied = true;
    assert_ok(volume_copy_up(t.root, "/missing", t.volume, t.beside, &copied));
    assert_false(copied);
    put(t.root, "data/file", "x", 0600, 0);
    copied = true;
    assert_ok(volume_copy_up(t.root, "/data/file", t.volume, t.beside, &copied));
    assert_false(copied);
    put(t.volume, "mine", "x", 0600, 0);
    copied = true;
    assert_ok(volume_copy_up(t.root, "/data", t.volume, t.beside, &copied));
    assert_false(copied);
    assert_int_equal(faccessat(t.volume, "file", F_OK, 0), -1);
    trees_close(&t);
}

/* Links of the image never lead out of it. */
TEST(links_stay_inside) {
    struct trees t;
    trees_open(&t);
    put(t.root, "data/file", "inside", 0600, 0);
    assert_int_equal(symlinkat("/data", t.root, "absolute"), 0);
    assert_int_equal(symlinkat("../../../../../../../../../etc", t.root, "out"), 0);
    bool copied = true;
    assert_ok(
        volume_copy_up(t.root, "/out", t.volume, t.beside, &copied)); /* <root>/etc is not there */
    assert_false(copied);
    assert_ok(volume_copy_up(t.root, "/absolute", t.volume, t.beside, &copied));
    assert_true(copied);
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read_at(t.volume, "file", 100, &text));
    assert_string_equal(buf_cstr(&text), "inside");
    trees_close(&t);
}

/* What a killed daemon left is not taken for a full volume. */
TEST(unfinished_copy_is_begun_again) {
    struct trees t;
    trees_open(&t);
    put(t.root, "data/a", "1", 0600, 0);
    put(t.root, "data/b", "2", 0600, 0);
    put(t.volume, "a", "half", 0600, 0);
    put(t.volume, "../copying", "", 0600, 0);
    bool copied = false;
    assert_ok(volume_copy_up(t.root, "/data", t.volume, t.beside, &copied));
    assert_true(copied);
    same_object(&t, "a");
    same_object(&t, "b");
    trees_close(&t);
}

TEST(a_failed_copy_leaves_an_empty_volume) {
    struct trees t;
    trees_open(&t);
    put(t.root, "data/aaa", "1", 0600, 0);
    CLEAN_FREE
    char *deep = mem_strdup("data");
    CLEAN_FD
    int dir = openat(t.root, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < VOLUME_COPY_DEPTH_MAX + 5; i++) {
        assert_int_equal(mkdirat(dir, "d", 0755), 0);
        int next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(dir);
        dir = next;
    }
    bool copied = false;
    struct err e = volume_copy_up(t.root, "/data", t.volume, t.beside, &copied);
    assert_true(err_failed(e));
    err_free(e);
    assert_int_equal(faccessat(t.volume, "aaa", F_OK, 0), -1);
    assert_int_equal(faccessat(t.volume, "d", F_OK, 0), -1);
    assert_int_equal(faccessat(t.volume, "../copying", F_OK, 0), -1);
    trees_close(&t);
}

struct racer {
    const struct trees *trees;
    bool copied;
    struct err e;
};

static void *race(void *arg) {
    struct racer *r = arg;
    CLEAN_FD
    int own = openat(r->trees->volume, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r->e = volume_copy_up(r->trees->root, "/data", own, r->trees->beside, &r->copied);
    return NULL;
}

/* Two containers start with the same new volume: one copies, the other waits and finds it full. */
TEST(two_starts_at_once_copy_once) {
    struct trees t;
    trees_open(&t);
    char name[32];
    for (int i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof(name), "data/sub/%d", i);
        put(t.root, name, "content", 0600, 0);
    }
    struct racer r[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        r[i] = (struct racer){.trees = &t};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &r[i]), 0);
    }
    int copied = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(r[i].e);
        copied += r[i].copied;
    }
    assert_int_equal(copied, 1);
    same_object(&t, "sub/499");
    trees_close(&t);
}
