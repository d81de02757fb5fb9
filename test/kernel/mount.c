#include "test.h"

#include "base/time.h"
#include "kernel/mount.h"
#include "scratch.h"
#include <linux/magic.h>
#include <sys/statvfs.h>

#define LAYERS MOUNT_LAYERS_MAX

/* 14 bytes; image/ makes shorter ones. */
static char names[LAYERS][32];
static const char *layers[LAYERS];

/* layers/<n>/ has a file of its own and one that every layer has. */
static int make_layers(void) {
    put_dir("layers");
    for (int i = 0; i < LAYERS; i++) {
        char path[64];
        snprintf(names[i], sizeof(names[i]), "layer-%08d", i);
        layers[i] = names[i];
        snprintf(path, sizeof(path), "layers/%s", names[i]);
        put_dir(path);
        snprintf(path, sizeof(path), "layers/%s/only-%d", names[i], i);
        put_file(path, names[i]);
        snprintf(path, sizeof(path), "layers/%s/every", names[i]);
        put_file(path, names[i]);
    }
    put_dir("upper");
    put_dir("work");
    return open("layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static struct mount_overlay overlay_of(int dir, size_t n, enum mount_way way) {
    return (struct mount_overlay){
        .layers_fd = dir,
        .layers = layers,
        .layers_n = n,
        .upper_fd = open("upper", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .work_fd = open("work", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .way = way,
    };
}

static void check_tree(int tree, size_t n) {
    char name[32];
    CLEAN_FREE char *every = get_file(tree, "every");
    assert_string_equal(every, names[0]); /* the top layer wins */
    snprintf(name, sizeof(name), "only-%zu", n - 1);
    CLEAN_FREE char *last = get_file(tree, name);
    assert_string_equal(last, names[n - 1]); /* the bottom layer is there */
    int fd = openat(tree, "written", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(access("upper/written", F_OK), 0);
}

static void run_way(size_t n, enum mount_way way) {
    scratch_enter();
    CLEAN_FD int dir = make_layers();
    struct mount_overlay o = overlay_of(dir, n, way);
    size_t before = mount_count();
    CLEAN_FD int tree = -1;
    assert_ok(mount_overlay_detached(&o, &tree));
    assert_int_equal(mount_count(), before); /* in nobody's mount table */
    assert_ok(mount_check_type(tree, OVERLAYFS_SUPER_MAGIC, "overlay"));
    check_tree(tree, n);
    close(o.upper_fd);
    close(o.work_fd);
    tree = fd_close(tree);
    assert_int_equal(mount_count(), before);
    dir = fd_close(dir);
    scratch_leave();
}

static void need_fsconfig(void) {
    if (mount_overlay_probe() != MOUNT_WAY_FSCONFIG)
        SKIP("this kernel has no lowerdir+");
}

TEST(overlay_of_one_layer_by_fsconfig) {
    need_fsconfig();
    run_way(1, MOUNT_WAY_FSCONFIG);
}
TEST(overlay_of_254_directories_by_fsconfig) {
    need_fsconfig();
    run_way(LAYERS, MOUNT_WAY_FSCONFIG);
}
TEST(overlay_of_one_layer_by_child) {
    run_way(1, MOUNT_WAY_CHILD);
}
TEST(overlay_of_254_directories_by_child) {
    run_way(LAYERS, MOUNT_WAY_CHILD);
}
TEST(overlay_of_254_directories_by_whatever_there_is) {
    run_way(LAYERS, MOUNT_WAY_AUTO);
}

TEST(read_only_overlays_have_no_upper) {
    scratch_enter();
    CLEAN_FD int dir = make_layers();
    for (size_t n = 1; n <= 2; n++) {
        struct mount_overlay o = overlay_of(dir, n, MOUNT_WAY_AUTO);
        close(o.upper_fd);
        close(o.work_fd);
        o.upper_fd = o.work_fd = -1;
        CLEAN_FD int tree = -1;
        assert_ok(mount_overlay_detached(&o, &tree));
        CLEAN_FREE char *every = get_file(tree, "every");
        assert_string_equal(every, names[0]);
        assert_true(openat(tree, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0);
        assert_int_equal(errno, EROFS);
    }
    dir = fd_close(dir);
    scratch_leave();
}

TEST(bad_layers_are_refused) {
    scratch_enter();
    CLEAN_FD int dir = make_layers();
    static const char *const bad[] = {"/etc", "", "a:b", "a,b", "a\\b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mount_overlay o = {
            .layers_fd = dir, .layers = &bad[i], .layers_n = 1, .upper_fd = -1, .work_fd = -1};
        int tree;
        assert_err(mount_overlay_detached(&o, &tree), ERR_INVALID);
    }
    struct mount_overlay o = overlay_of(dir, LAYERS + 1, MOUNT_WAY_AUTO);
    int tree;
    assert_err(mount_overlay_detached(&o, &tree), ERR_INVALID);
    const char *missing[] = {names[0], "no-such-layer"};
    o.layers = missing;
    o.layers_n = 2;
    o.way = MOUNT_WAY_CHILD;
    assert_err(mount_overlay_detached(&o, &tree), ERR_SYSTEM);
    o.way = MOUNT_WAY_AUTO;
    assert_err(mount_overlay_detached(&o, &tree), ERR_SYSTEM);
    close(o.upper_fd);
    close(o.work_fd);
    dir = fd_close(dir);
    scratch_leave();
}

TEST(a_program_from_a_read_only_mount_cannot_be_written) {
    scratch_enter();
    put_file("program", "#!/bin/sh\n");
    CLEAN_FD int fd = -1;
    assert_ok(mount_readonly_program("/mnt/program", &fd));
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_true(open(path, O_WRONLY | O_CLOEXEC) < 0);
    assert_int_equal(errno, EROFS);
    assert_true(access("program", W_OK) == 0);
    fd = fd_close(fd);
    scratch_leave();
}

/* Not an assertion: the numbers for docs/decisions/0002, printed with every run. */
TEST(cost_of_the_two_ways) {
    scratch_enter();
    CLEAN_FD int dir = make_layers();
    static const size_t counts[] = {1, 10, LAYERS};
    enum mount_way best = mount_overlay_probe();
    for (size_t k = 0; k < ARRAY_LEN(counts); k++)
        for (enum mount_way way = MOUNT_WAY_FSCONFIG; way <= MOUNT_WAY_CHILD; way++) {
            if (way == MOUNT_WAY_FSCONFIG && best != way)
                continue;
            struct mount_overlay o = overlay_of(dir, counts[k], way);
            int64_t least = INT64_MAX, sum = 0;
            for (int i = 0; i < 50; i++) {
                int64_t start = time_monotonic();
                int tree = -1;
                assert_ok(mount_overlay_detached(&o, &tree));
                int64_t took = time_monotonic() - start;
                least = took < least ? took : least;
                sum += took;
                close(tree);
            }
            printf("# %s, %zu layers: min %lld us, mean %lld us\n",
                   way == MOUNT_WAY_CHILD ? "child" : "fsconfig", counts[k],
                   (long long)least / 1000, (long long)sum / 50 / 1000);
            close(o.upper_fd);
            close(o.work_fd);
        }
    dir = fd_close(dir);
    scratch_leave();
}
