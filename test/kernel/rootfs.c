/* Root file systems on disk: layers flattened are what an overlay shows, what was written comes out
 * again, and limits of size hold (image/rootfs.h, archive/copy.h, kernel/btrfs.h, kernel/quota.h).
 */
#include "test.h"

#include "image/rootfs_driver.h"
#include "kernel/btrfs.h"
#include "kernel/mount.h"
#include "kernel/quota.h"
#include "kernel/xattr.h"
#include "scratch.h"
#include <spawn.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static int open_dir(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("open '%s': %s", path, strerror(errno));
    return fd;
}

static void set_attribute(const char *path, const char *name, const char *value) {
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_ok(xattr_set(fd, name, str_of(value)));
}

/* A shell command line; its exit status. */
static int run(const char *command) {
    CLEAN_FREE char *quiet = mem_printf("{ %s; } >/dev/null 2>&1", command);
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, quiet, NULL};
    pid_t pid;
    int status = 0;
    assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int entries(const char *path) { /* up to 255 */
    CLEAN_FREE char *command = mem_printf("exit $(find '%s' -mindepth 1 | wc -l)", path);
    return run(command);
}

/* Three layers with everything that one may say about another. */
static void put_layers(void) {
    put_dir("l/a/dir/deep");
    put_dir("l/a/gone");
    put_dir("l/a/hidden");
    put_file("l/a/dir/same", "same");
    put_file("l/a/dir/deep/old", "old");
    put_file("l/a/gone/x", "x");
    put_file("l/a/hidden/below", "below");
    put_file("l/a/file", "a");
    put_file("l/a/becomes-dir", "f");
    put_dir("l/a/becomes-file/sub");
    assert_int_equal(link("l/a/file", "l/a/second-name"), 0);
    for (int i = 0; i < 20; i++) { /* whatever the order of a listing is */
        CLEAN_FREE char *dir = mem_printf("l/a/nest/%d/sub", i);
        CLEAN_FREE char *first = mem_printf("l/a/nest/%d/x", i);
        CLEAN_FREE char *second = mem_printf("l/a/nest/%d/sub/y", i);
        put_dir(dir);
        put_file(first, "linked");
        assert_int_equal(link(first, second), 0);
    }
    assert_int_equal(symlink("/etc", "l/a/link"), 0);
    put_dir("l/b/dir/deep");
    put_dir("l/b/hidden");
    put_dir("l/b/becomes-dir");
    put_file("l/b/becomes-file", "now a file");
    put_file("l/b/dir/deep/new", "new");
    put_file("l/b/file", "b, longer");
    put_file("l/b/hidden/new", "above");
    assert_int_equal(mknod("l/b/gone", S_IFCHR, makedev(0, 0)), 0);
    set_attribute("l/b/hidden", "trusted.overlay.opaque", "y");
    set_attribute("l/a/dir", "trusted.a", "of the lower layer");
    set_attribute("l/b/dir", "trusted.b", "of the upper layer");
    assert_int_equal(chmod("l/b/dir", 0751), 0);
    put_dir("l/c/dir");
    put_file("l/c/set-uid", "s");
    assert_int_equal(chown("l/c/set-uid", 70000, 70001), 0);
    assert_int_equal(chmod("l/c/set-uid", 06755), 0);
    assert_int_equal(mkfifo("l/c/fifo", 0600), 0);
    assert_int_equal(mknod("l/c/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(truncate("l/c/set-uid", 1 << 20), 0); /* a hole */
}
static const char *const names[] = {"c", "b", "a"}; /* top first */

static int overlay_of(int layers, const char *const *list, size_t n) {
    int fd = -1;
    struct mount_overlay o = {
        .layers_fd = layers, .layers = list, .layers_n = n, .upper_fd = -1, .work_fd = -1};
    assert_ok(mount_overlay_detached(&o, &fd));
    return fd;
}

TEST(flattened_layers_are_what_an_overlay_shows) {
    scratch_enter();
    put_layers();
    put_dir("flat");
    put_dir("difference");
    CLEAN_FD int layers = open_dir("l"), flat = open_dir("flat"), out = open_dir("difference");
    uint64_t bytes = 0;
    assert_ok(flatten(layers, names, 3, false, flat));
    CLEAN_FD int overlay = overlay_of(layers, names, 3);
    assert_ok(written(overlay, flat, out, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(entries("difference"), 0);
    assert_ok(written(flat, overlay, out, &bytes)); /* and the other way round */
    assert_int_equal(entries("difference"), 0);
    struct stat st;
    assert_int_equal(stat("flat/set-uid", &st), 0);
    assert_int_equal(st.st_mode & 07777, 06755);
    assert_int_equal(st.st_uid, 70000);
    assert_true(st.st_blocks * 512 < 100000); /* the hole is one */
    assert_int_equal(stat("flat/dir", &st), 0);
    struct stat other;
    assert_int_equal(stat("flat/nest/7/x", &st), 0);
    assert_int_equal(stat("flat/nest/7/sub/y", &other), 0);
    assert_int_equal(st.st_ino, other.st_ino);
    scratch_leave();
}

TEST(what_was_written_is_a_layer) {
    scratch_enter();
    put_layers();
    put_dir("flat");
    put_dir("l/d");
    CLEAN_FD int layers = open_dir("l"), flat = open_dir("flat"), out = open_dir("l/d");
    uint64_t bytes = 0;
    assert_ok(flatten(layers, names, 3, false, flat));
    put_dir("flat/fresh/er");
    put_file("flat/fresh/er/x", "x");
    assert_int_equal(link("flat/fresh/er/x", "flat/fresh/y"), 0);
    put_file("flat/dir/deep/old", "changed");
    assert_int_equal(unlink("flat/file"), 0);
    assert_int_equal(chmod("flat/becomes-dir", 0700), 0);
    assert_int_equal(unlink("flat/becomes-file"), 0);
    put_dir("flat/becomes-file");
    assert_int_equal(unlink("flat/link"), 0);
    assert_int_equal(symlink("/usr", "flat/link"), 0);
    CLEAN_FD int before = overlay_of(layers, names, 3);
    assert_ok(written(before, flat, out, &bytes));
    assert_true(bytes > 0);
    /* Not more than that. */
    assert_int_equal(access("l/d/dir/same", F_OK), -1);
    assert_int_equal(access("l/d/set-uid", F_OK), -1);
    struct stat x, y, gone;
    assert_int_equal(stat("l/d/fresh/er/x", &x), 0);
    assert_int_equal(stat("l/d/fresh/y", &y), 0);
    assert_int_equal(x.st_ino, y.st_ino);
    assert_int_equal(lstat("l/d/file", &gone), 0);
    assert_true(S_ISCHR(gone.st_mode) && gone.st_rdev == 0);
    /* On top of the others it gives the tree again. */
    static const char *const all[] = {"d", "c", "b", "a"};
    CLEAN_FD int after = overlay_of(layers, all, 4);
    put_dir("difference");
    CLEAN_FD int none = open_dir("difference");
    assert_ok(written(after, flat, none, &bytes));
    assert_int_equal(entries("difference"), 0);
    scratch_leave();
}

/* --- limits, on file systems of their own ------------------------------------------------------
 */

static int run_mount(const char *make, const char *options) {
    CLEAN_FREE char *all = mem_printf(
        "mount -o remount,size=500m /mnt; modprobe -q loop; truncate -s 300M image; %s image && "
        "mount -o loop,%s image disk",
        make, options);
    return run(all);
}

static void mount_image(const char *make, const char *options, const char *why) {
    put_dir("disk");
    if (run_mount(make, options) != 0) { /* SKIP leaves by longjmp: nothing is owned here */
        scratch_leave();
        SKIP("%s", why);
    }
}

static void copy_layers(void) {
    put_layers();
    assert_int_equal(run("cp -a l disk/layer && mkdir disk/container disk/base"), 0);
}

/* Writes until it fails: MiB that fitted, as a process that no privilege helps. */
static size_t fill(const char *path) {
    CLEAN_FREE char *command = mem_printf("setpriv --bounding-set -sys_resource --inh-caps "
                                          "-sys_resource dd if=/dev/zero of='%s' bs=1M count=30",
                                          path);
    (void)run(command);
    struct stat st;
    sync();
    return stat(path, &st) == 0 ? (size_t)st.st_size >> 20 : 0;
}

static void limited_overlay(const struct rootfs *r) {
    CLEAN_FD int upper = openat(r->dir_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int work = openat(r->dir_fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(upper >= 0 && work >= 0);
    CLEAN_FREE char *path = mem_printf("/proc/%d/fd/%d/filled", (int)getpid(), upper);
    size_t got = fill(path);
    if (got > 8)
        fail_msg("%zu MiB fit into a limit of 8", got);
    assert_true(got >= 6);
}

static void limits_by_project(void) {
    copy_layers();
    CLEAN_FD int root = open_dir("disk"), layers = open_dir("disk/layer");
    assert_true(quota_has_projects(root));
    put_dir("disk/container/o");
    put_dir("disk/container/v");
    CLEAN_FD int o = open_dir("disk/container/o"), v = open_dir("disk/container/v");
    CLEAN_FD int containers = open_dir("disk/container");
    struct rootfs r = {&rootfs_overlay, layers, names, 3, o, "0123456789ab", 8 << 20, false};
    assert_ok(rootfs_make(&r));
    limited_overlay(&r);
    r.driver = &rootfs_vfs; /* the same id: the number is taken, another is found */
    r.dir_fd = v;
    assert_ok(rootfs_make(&r));
    assert_in_range(fill("disk/container/v/root/filled"), 6, 8);
    assert_ok(rootfs_remove(containers, "o"));
    assert_ok(rootfs_remove(containers, "v"));
    /* Its number is free again, without a limit. */
    put_dir("disk/container/n");
    CLEAN_FD int n = open_dir("disk/container/n");
    r.driver = &rootfs_overlay;
    r.dir_fd = n;
    r.size = 16 << 20;
    assert_ok(rootfs_make(&r));
    assert_in_range(fill("disk/container/n/upper/filled"), 14, 16);
    assert_int_equal(run("umount -l disk"), 0);
    scratch_leave();
}

TEST(project_quota_of_ext4_limits_overlay_and_vfs) {
    scratch_enter();
    mount_image("mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota", "prjquota",
                "no ext4 with project quota here");
    limits_by_project();
}

TEST(project_quota_of_xfs_limits_overlay_and_vfs) {
    scratch_enter();
    mount_image("mkfs.xfs -q", "prjquota", "no xfs with project quota here");
    limits_by_project();
}

TEST(snapshots_and_their_limits_on_btrfs) {
    scratch_enter();
    mount_image("mkfs.btrfs -q", "rw", "no btrfs here");
    copy_layers();
    assert_int_equal(run("mkdir disk/container/c disk/container/d"), 0);
    CLEAN_FD int root = open_dir("disk"), layers = open_dir("disk/layer");
    CLEAN_FD int c = open_dir("disk/container/c"), d = open_dir("disk/container/d");
    CLEAN_FD int containers = open_dir("disk/container");
    struct rootfs r = {&rootfs_btrfs, layers, names, 3, c, "0123456789ab", 0, false};
    assert_ok(rootfs_btrfs.probe(root));
    assert_err(rootfs_btrfs.probe_size(root), ERR_UNSUPPORTED);
    assert_ok(rootfs_make(&r));
    assert_ok(rootfs_make(&r)); /* there already */
    uint64_t bytes = 1;
    assert_ok(rootfs_usage(&r, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(run("btrfs quota enable disk"), 0);
    assert_ok(rootfs_btrfs.probe_size(root));
    r.size = 8 << 20;
    r.dir_fd = d;
    assert_ok(rootfs_make(&r));
    assert_in_range(fill("disk/container/d/root/filled"), 4, 8);
    assert_true(fill("disk/container/c/root/filled") > 20); /* the other has none */
    assert_ok(rootfs_remove(containers, "c"));
    assert_ok(rootfs_remove(containers, "d"));
    assert_ok(rootfs_drop_bases(layers, "c"));
    assert_int_equal(entries("disk/base"), 0);
    assert_int_equal(run("umount -l disk"), 0);
    scratch_leave();
}
