#include "test.h"

#include "kernel/beneath.h"
#include "kernel/walk.h"
#include "scratch.h"
#include <sys/types.h>

/* root/ is a rootfs full of traps; outside is what must never be reached. */
static int make_trap(void) {
    put_file("outside", "canary");
    put_dir("root/dir/sub");
    put_file("root/inside", "inside");
    put_file("root/dir/file", "file");
    assert_int_equal(symlink("/inside", "root/absolute"), 0);
    assert_int_equal(symlink("../../../../outside", "root/dir/up"), 0);
    assert_int_equal(symlink("/mnt/outside", "root/host"), 0);
    assert_int_equal(symlink("/proc/self/fd", "root/magic"), 0);
    assert_int_equal(symlink("loop", "root/loop"), 0);
    assert_int_equal(symlink("/new/place", "root/dangling"), 0);
    assert_int_equal(mkfifo("root/fifo", 0644), 0);
    int root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    return root;
}

/* Both ways must agree: the kernel's and the fallback. */
static int by_kernel(int root, const char *path, int flags) {
    int fd = -1;
    struct err e = beneath_open(root, path, flags, 0644, &fd);
    int r = err_failed(e) ? -err_errnum(e) : fd;
    err_free(e);
    return r;
}
static int by_walk(int root, const char *path, int flags) {
    return walk_open(root, path, flags, 0644);
}
static int (*const ways[])(int, const char *, int) = {by_kernel, by_walk};

static void expect_text(int fd, const char *want) {
    char text[16] = {0};
    if (fd < 0)
        fail_msg("want %s, got %s", want, strerror(-fd));
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    assert_string_equal(text, want);
    close(fd);
}

TEST(links_stay_inside) {
    scratch_enter();
    int root = make_trap();
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        expect_text(ways[i](root, "/inside", O_RDONLY), "inside");
        expect_text(ways[i](root, "absolute", O_RDONLY), "inside");
        expect_text(ways[i](root, "../../inside", O_RDONLY), "inside");
        expect_text(ways[i](root, "dir/sub/../file", O_RDONLY), "file");
        expect_text(ways[i](root, "dir//./file", O_RDONLY), "file");
        assert_int_equal(ways[i](root, "dir/up", O_RDONLY), -ENOENT);
        assert_int_equal(ways[i](root, "host", O_RDONLY), -ENOENT);
        assert_int_equal(ways[i](root, "loop", O_RDONLY), -ELOOP);
        assert_int_equal(ways[i](root, "inside/x", O_RDONLY), -ENOTDIR);
        assert_int_equal(ways[i](root, "absolute", O_RDONLY | O_NOFOLLOW), -ELOOP);
        int fd = ways[i](root, "", O_PATH | O_DIRECTORY);
        assert_true(fd >= 0);
        close(fd);
        /* creation through a link that leads out lands inside */
        fd = ways[i](root, "host", O_WRONLY | O_CREAT);
        assert_int_equal(fd, -ENOENT);
    }
    close(root);
    scratch_leave();
}

TEST(magic_links_are_not_followed) {
    scratch_enter();
    int root = make_trap(), outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    put_dir("root/proc");
    assert_int_equal(mount("proc", "root/proc", "proc", 0, NULL), 0);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/etc/passwd", outside);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        assert_true(ways[i](root, path, O_RDONLY) < 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", outside);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        /* The walk reads the link as text: a path inside the root, here the root itself. */
        int fd = ways[i](root, path, O_PATH | O_DIRECTORY);
        struct stat a, b;
        if (fd >= 0) {
            assert_int_equal(fstat(fd, &a), 0);
            assert_int_equal(fstat(root, &b), 0);
            assert_int_equal(a.st_ino, b.st_ino);
            close(fd);
        }
    }
    assert_int_equal(umount2("root/proc", MNT_DETACH), 0);
    close(outside);
    close(root);
    scratch_leave();
}

TEST(directories_are_made_inside) {
    scratch_enter();
    int root = make_trap();
    int fd = -1;
    assert_ok(beneath_mkdirs(root, "/a/b/c", 0755, &fd));
    close(fd);
    assert_int_equal(access("root/a/b/c", F_OK), 0);
    assert_ok(beneath_mkdirs(root, "dangling/x", 0755, &fd));
    close(fd);
    assert_int_equal(access("root/new/place/x", F_OK), 0);
    assert_ok(beneath_mkdirs(root, "host/y", 0755, &fd));
    close(fd);
    assert_int_equal(access("root/mnt/outside/y", F_OK), 0);
    assert_err(beneath_mkdirs(root, "loop/z", 0755, &fd), ERR_INVALID);
    assert_err(beneath_mkdirs(root, "inside/z", 0755, &fd), ERR_NOT_FOUND);
    CLEAN_FREE char *canary = get_file(AT_FDCWD, "outside");
    assert_string_equal(canary, "canary");
    close(root);
    scratch_leave();
}

TEST(files_are_touched_inside) {
    scratch_enter();
    int root = make_trap();
    int fd = -1;
    assert_ok(beneath_touch(root, "/etc/hosts", 0644, &fd));
    close(fd);
    assert_int_equal(access("root/etc/hosts", F_OK), 0);
    assert_int_equal(symlink("/etc/target", "root/etc/link"), 0);
    assert_ok(beneath_touch(root, "/etc/link", 0644, &fd));
    close(fd);
    assert_int_equal(access("root/etc/target", F_OK), 0);
    assert_err(beneath_touch(root, "/dir", 0644, &fd), ERR_INVALID);
    close(root);
    scratch_leave();
}

TEST(reading_is_bounded_and_never_hangs) {
    scratch_enter();
    int root = make_trap();
    CLEAN_BUF struct buf b = {0};
    assert_ok(beneath_read(root, "absolute", 100, &b));
    assert_string_equal(buf_cstr(&b), "inside");
    assert_err(beneath_read(root, "inside", 5, &b), ERR_INVALID);
    assert_err(beneath_read(root, "fifo", 100, &b), ERR_INVALID);
    assert_err(beneath_read(root, "dir", 100, &b), ERR_INVALID);
    assert_err(beneath_read(root, "none", 100, &b), ERR_NOT_FOUND);
    CLEAN_BUF struct buf link = {0};
    assert_ok(beneath_readlink(root, "absolute", &link));
    assert_string_equal(buf_cstr(&link), "/inside");
    assert_err(beneath_readlink(root, "inside", &link), ERR_INVALID);
    struct stat st;
    assert_ok(beneath_stat(root, "absolute", false, &st));
    assert_true(S_ISLNK(st.st_mode));
    assert_ok(beneath_stat(root, "absolute", true, &st));
    assert_true(S_ISREG(st.st_mode));
    int dir = -1;
    const char *name;
    assert_ok(beneath_parent(root, "/dir/file", false, &dir, &name));
    assert_string_equal(name, "file");
    close(dir);
    assert_err(beneath_parent(root, "/dir/..", false, &dir, &name), ERR_INVALID);
    close(root);
    scratch_leave();
}
