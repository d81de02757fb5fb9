/* scratch.h - a directory of the test's own, and the few file operations that tests need. */
#pragma once
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* On a tmpfs in a mount namespace of the test's own: nothing of it is seen outside, and it ends
 * with the process. Overlay upper directories work there. */
static inline void scratch_enter(void) {
    if (geteuid() != 0)
        SKIP("needs root");
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("scratch", "/mnt", "tmpfs", 0, "size=64m,mode=755"), 0);
    assert_int_equal(chdir("/mnt"), 0);
}
static inline void scratch_leave(void) {
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(umount2("/mnt", MNT_DETACH), 0);
}
static inline void put_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
}
static inline void put_dir(const char *path) {
    assert_ok(dir_make(path, 0755));
}
/* Content of a small file below dirfd; "" when it is not there. Static buffer per call site is not
 * wanted: the caller frees. */
static inline char *get_file(int dirfd, const char *path) {
    struct buf b = {0};
    struct err e = file_read_at(dirfd, path, 1 << 20, &b);
    err_free(e);
    return buf_take(&b);
}
/* Lines of this process's mount table. */
static inline size_t mount_count(void) {
    CLEAN_BUF struct buf b = {0};
    assert_ok(file_read("/proc/self/mountinfo", 8 << 20, &b));
    size_t n = 0;
    for (size_t i = 0; i < b.len; i++)
        n += b.data[i] == '\n';
    return n;
}
