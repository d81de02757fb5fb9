/* Mounts and hostile root filesystems: rows 4-12, 19, 25, 64 of the security reference. */
#include "test.h"

#include "box.h"
#include "kernel/beneath.h"
#include <sys/syscall.h>

#define BIND(source, destination, options)                                         \
    ",{\"destination\":\"" destination "\",\"type\":\"bind\",\"source\":\"" source \
    "\",\"options\":[" options "]}"

static char *canary(void) {
    return get_file(AT_FDCWD, "/mnt/host/canary");
}
static void make_host(void) {
    put_dir("host/dir/sub");
    put_file("host/canary", "canary");
    put_file("host/dir/file", "from the host\n");
}
static void check_host(void) {
    CLEAN_FREE char *text = canary();
    assert_string_equal(text, "canary");
    /* nothing was made beside it */
    assert_true(access("host/null", F_OK) < 0 && access("host/console", F_OK) < 0 &&
                access("host/pts", F_OK) < 0 && access("host/shm", F_OK) < 0 &&
                access("host/made", F_OK) < 0);
}

TEST(directories_and_files_are_bound) {
    box_enter();
    make_host();
    box_expect(
        &(struct box_options){
            .script = "cat /data/file /one; echo x > /data/new; touch /ro/x 2>/dev/null || echo ro",
            .mounts = BIND("/mnt/host/dir", "/data", "\"rbind\",\"rprivate\"")
                BIND("/mnt/host/dir/file", "/one", "\"rbind\"")
                    BIND("/mnt/host/dir", "/ro", "\"rbind\",\"ro\"")},
        "from the host\nfrom the host\nro\n");
    assert_int_equal(access("host/dir/new", F_OK), 0);
    check_host();
    box_leave();
}

TEST(recursive_read_only_covers_what_is_mounted_below) {
    box_enter();
    make_host();
    assert_int_equal(mount("below", "host/dir/sub", "tmpfs", 0, NULL), 0);
    box_expect(
        &(struct box_options){
            .script = "touch /rro/sub/x 2>/dev/null || echo ro; touch /ro/sub/x && echo rw;"
                      "touch /plain/sub/x 2>/dev/null && ls /plain/sub | wc -l",
            .mounts = BIND("/mnt/host/dir", "/rro", "\"rbind\",\"rro\"")
                BIND("/mnt/host/dir", "/ro", "\"rbind\",\"ro\"")
                    BIND("/mnt/host/dir", "/plain", "\"bind\"")},
        "ro\nrw\n1\n");
    assert_int_equal(umount2("host/dir/sub", MNT_DETACH), 0);
    box_leave();
}

TEST(a_slave_bind_sees_what_the_host_mounts_later) {
    box_enter();
    make_host();
    assert_int_equal(mount("host", "host", NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(NULL, "host", NULL, MS_SHARED, NULL), 0);
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    struct box_run r;
    assert_ok(box_create(
        &(struct box_options){
            .script =
                "read x; ls /slave/sub; ls /private/sub; umount /slave/sub 2>/dev/null; echo end",
            .in = go[0],
            .mounts = BIND("/mnt/host/dir", "/slave", "\"rbind\",\"rslave\"")
                BIND("/mnt/host/dir", "/private", "\"rbind\",\"rprivate\"")},
        &r));
    assert_ok(runtime_start(r.box));
    assert_int_equal(mount("later", "host/dir/sub", "tmpfs", 0, NULL), 0);
    put_file("host/dir/sub/later", "x");
    assert_int_equal(write(go[1], "\n", 1), 1);
    CLEAN_FREE char *out = box_output(r.out);
    assert_string_equal(out, "later\nend\n");
    assert_int_equal(access("host/dir/sub/later", F_OK), 0); /* and nothing came back */
    assert_int_equal(box_reap(&r), 0);
    box_delete(&r);
    close(go[0]);
    close(go[1]);
    assert_int_equal(umount2("host", MNT_DETACH), 0);
    box_leave();
}

TEST(a_root_by_path_needs_no_descriptor) {
    box_enter();
    CLEAN_ARENA struct arena a = {0};
    char cgroup[64];
    snprintf(cgroup, sizeof(cgroup), "/corten-test-%d/path", (int)getpid());
    CLEAN_FREE char *text =
        box_config(&(struct box_options){.script = "exit 11", .root = "\"readonly\":true"}, cgroup);
    struct oci_config c;
    assert_ok(fields_decode_strict(&oci_config_fields, str_of(text), &a, &c));
    c.root->path = (char[]){"/mnt/image/base"};
    struct runtime_create_options o = {.id = "path",
                                       .config = &c,
                                       .rootfs_fd = -1,
                                       .netns_fd = -1,
                                       .seccomp_fd = -1,
                                       .stdio = {-1, -1, -1}};
    struct box_run r = {.out = -1};
    put_dir("image/base/proc"); /* a read-only image has its mount points */
    put_dir("image/base/dev");
    put_dir("image/base/sys");
    assert_ok(runtime_create(&o, &r.box, &r.init));
    assert_ok(runtime_start(r.box));
    assert_int_equal(box_reap(&r), 11);
    assert_ok(runtime_delete(r.box));
    box_leave();
}

TEST(tmpfs_takes_its_options) {
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "stat -c %a /t; grep ' /t ' /proc/mounts | cut -d' ' -f1,3; "
                      "dd if=/dev/zero of=/t/x bs=1024 count=200 2>/dev/null || echo full",
            .mounts = ",{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
                      "\"options\":[\"nosuid\",\"nodev\",\"noexec\",\"size=64k\",\"mode=1777\"]}"},
        "1777\ntmpfs tmpfs\nfull\n");
    box_leave();
}

static void plant_links(int rootfs) {
    assert_int_equal(symlinkat("/mnt/host", rootfs, "link"), 0);
    assert_int_equal(symlinkat("../../../../mnt/host/made", rootfs, "file"), 0);
    assert_int_equal(symlinkat("/proc/self/cwd", rootfs, "cwd"), 0);
}

TEST(a_link_in_the_way_of_a_bind_stays_inside) { /* rows 8, 9, 19 */
    box_enter();
    make_host();
    box_expect(&(struct box_options){.script = "cat /mnt/host/dir2/file /mnt/host/made",
                                     .prepare = plant_links,
                                     .mounts = BIND("/mnt/host/dir", "/link/dir2", "\"rbind\"")
                                         BIND("/mnt/host/dir/file", "/file", "\"rbind\"")},
               "from the host\nfrom the host\n");
    assert_true(access("host/dir2", F_OK) < 0);
    check_host();
    box_leave();
}

static void link_dir(int rootfs, const char *name) {
    assert_int_equal(symlinkat("/mnt/host", rootfs, name), 0);
}
static void dev_is_a_link(int rootfs) {
    link_dir(rootfs, "dev");
}
static void dev_is_a_relative_link(int rootfs) {
    assert_int_equal(symlinkat("../../../mnt/host", rootfs, "dev"), 0);
}
static void proc_is_a_link(int rootfs) {
    link_dir(rootfs, "proc");
}
static void sys_is_a_link(int rootfs) {
    link_dir(rootfs, "sys");
}

TEST(dev_proc_and_sys_of_the_image_may_be_links) { /* rows 7, 12 */
    box_enter();
    make_host();
    static void (*const traps[])(int) = {dev_is_a_link, dev_is_a_relative_link, proc_is_a_link,
                                         sys_is_a_link};
    for (size_t i = 0; i < ARRAY_LEN(traps); i++) {
        char *out = NULL;
        int status = 0;
        /* Refused or contained: both are right; the host must not notice. */
        struct err e =
            box_try(&(struct box_options){.script = "echo x > /dev/null; ls /proc/1 > /dev/null",
                                          .prepare = traps[i]},
                    &out, &status);
        err_free(e);
        free(out);
        check_host();
    }
    box_leave();
}

static void plant_null(int rootfs) {
    assert_int_equal(mkdirat(rootfs, "dev", 0755), 0);
    assert_int_equal(symlinkat("/proc/sys/kernel/core_pattern", rootfs, "dev/null"), 0);
}

TEST(a_null_device_of_the_image_is_not_trusted) { /* row 4: CVE-2025-31133 */
    box_enter();
    make_host();
    char *out = NULL;
    int status;
    /* No tmpfs at /dev: the image's own directory is used, and found out. */
    assert_err(
        box_try(
            &(struct box_options){
                .script = "true",
                .prepare = plant_null,
                .no_dev = "yes",
                .mounts = "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}"},
            &out, &status),
        ERR_FORBIDDEN);
    box_leave();
}

static void plant_way_into_proc(int rootfs) {
    assert_int_equal(symlinkat("/proc", rootfs, "sneaky"), 0);
}

TEST(nothing_is_mounted_inside_proc) { /* rows 6, 10: CVE-2019-16884, CVE-2025-52881 */
    box_enter();
    make_host();
    static const char *const bad[] = {
        BIND("/mnt/host/dir", "/proc", "\"rbind\""),
        BIND("/mnt/host/dir", "/proc/self", "\"rbind\""),
        BIND("/mnt/host/dir/file", "/proc/self/attr/exec", "\"bind\""),
        BIND("/mnt/host/dir", "/proc/sys", "\"rbind\""),
        BIND("/mnt/host/dir", "/sneaky/sys", "\"rbind\""),
        ",{\"destination\":\"/proc/bus\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *out = NULL;
        int status;
        assert_err(box_try(&(struct box_options){.script = "true",
                                                 .mounts = bad[i],
                                                 .prepare = plant_way_into_proc},
                           &out, &status),
                   ERR_FORBIDDEN);
    }
    put_file("host/meminfo", "lxcfs\n");
    box_expect(
        &(struct box_options){.script = "cat /proc/meminfo",
                              .mounts = BIND("/mnt/host/meminfo", "/proc/meminfo", "\"bind\"")},
        "lxcfs\n");
    box_leave();
}

TEST(what_is_not_supported_is_refused_by_name) {
    box_enter();
    make_host();
    static const struct {
        const char *mounts, *linux_, *top, *process, *word;
    } cases[] = {
        {.mounts = BIND("/mnt/host/dir", "/x", "\"rbind\",\"flubber\""), .word = "flubber"},
        {.mounts = BIND("/mnt/host/dir", "/", "\"rbind\""), .word = "root itself"},
        {.mounts = BIND("relative", "/x", "\"rbind\""), .word = "not absolute"},
        {.mounts = ",{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"remount\"]}",
         .word = "remount"},
        {.mounts = ",{\"destination\":\"/"
                   "x\",\"type\":\"bind\",\"source\":\"fd:3\",\"options\":[\"bind\"]}",
         .word = "fd:3"},
        {.linux_ = ",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]",
         .word = "uidMappings"},
        {.linux_ = ",\"personality\":{\"domain\":\"PLAN9\"}", .word = "personality"},
        {.linux_ = ",\"intelRdt\":{\"closID\":\"x\"}", .word = "intelRdt"},
        {.linux_ = ",\"rootfsPropagation\":\"loud\"", .word = "rootfsPropagation"},
        {.linux_ = ",\"flubber\":1", .word = "flubber"},
        {.top = ",\"hooks\":{\"prestart\":[{\"path\":\"bin/true\"}]}", .word = "hooks"},
        {.process = ",\"selinuxLabel\":\"x\"", .word = "selinuxLabel"},
        {.process = ",\"ioPriority\":{\"class\":\"x\"}", .word = "ioPriority"},
        {.process = ",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]",
         .word = "RLIMIT_X"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *out = NULL;
        int status;
        struct err e = box_try(&(struct box_options){.script = "true",
                                                     .mounts = cases[i].mounts,
                                                     .linux_ = cases[i].linux_,
                                                     .top = cases[i].top,
                                                     .process = cases[i].process},
                               &out, &status);
        enum err_kind k = err_kind(e);
        if ((k != ERR_INVALID && k != ERR_UNSUPPORTED) || !strstr(err_msg(e), cases[i].word))
            fail_msg("%s: %s: %s", cases[i].word, err_kind_name(k), err_msg(e));
        err_free(e);
    }
    box_leave();
}

/* Two directories change places all the time while containers with binds below them start. */
TEST(exchanged_directories_lead_nowhere) { /* rows 8, 9: CVE-2021-30465 */
    box_enter();
    make_host();
    put_dir("shared/vol");
    assert_int_equal(symlink("/mnt/host", "shared/evil"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            syscall(SYS_renameat2, AT_FDCWD, "shared/vol", AT_FDCWD, "shared/evil",
                    1 << 1 /* RENAME_EXCHANGE */);
    }
    int started = 0;
    for (int i = 0; i < 30; i++) {
        char *out = NULL;
        int status = 0;
        struct err e = box_try(
            &(struct box_options){.script = "true",
                                  .mounts = BIND("/mnt/shared", "/s", "\"rbind\"")
                                      BIND("/mnt/host/dir/sub", "/s/vol/made/a", "\"rbind\"")
                                          BIND("/mnt/host/dir/file", "/s/vol/null", "\"bind\"")},
            &out, &status);
        started += !err_failed(e);
        err_free(e);
        free(out);
        check_host();
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("# %d of 30 started\n", started);
    box_leave();
}

/* The same below paths that are to be masked or read-only. */
TEST(masks_are_not_led_out) { /* rows 4, 11: CVE-2025-31133, CVE-2019-19921 */
    box_enter();
    make_host();
    put_dir("shared/vol/dir");
    put_file("shared/vol/dir/file", "inner");
    assert_int_equal(symlink("/mnt/host", "shared/evil"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            syscall(SYS_renameat2, AT_FDCWD, "shared/vol", AT_FDCWD, "shared/evil", 1 << 1);
    }
    for (int i = 0; i < 20; i++) {
        char *out = NULL;
        int status = 0;
        struct err e =
            box_try(&(struct box_options){.script = "cat /s/vol/dir/file /s/evil/dir/file",
                                          .no_masks = true,
                                          .linux_ = ",\"maskedPaths\":[\"/s/vol/dir/file\"],"
                                                    "\"readonlyPaths\":[\"/s/vol/dir\"]",
                                          .mounts = BIND("/mnt/shared", "/s", "\"rbind\"")},
                    &out, &status);
        /* Whatever it was masked as, it shows nothing of the host's. */
        assert_true(err_failed(e) || !strstr(out, "host"));
        err_free(e);
        free(out);
        check_host();
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    box_leave();
}

TEST(a_failed_create_leaves_nothing) {
    box_enter();
    size_t mounts = mount_count();
    char path[256];
    static const struct box_options bad[] = {
        {.script = "true", .mounts = BIND("/no/such/source", "/x", "\"bind\"")},
        {.script = "true", .linux_ = ",\"resources\":{\"memory\":{\"limit\":-5}}"},
        {.script = "true", .linux_ = ",\"resources\":{\"cpu\":{\"cpus\":\"9999\"}}"},
        {.script = "true", .linux_ = ",\"sysctl\":{\"net.no.such\":\"1\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct box_run r;
        struct err e = box_create(&bad[i], &r);
        if (!err_failed(e))
            fail_msg("case %zu started", i);
        err_free(e);
        static const char *const trees[] = {"", "memory", "pids", "unified"};
        for (size_t k = 0; k < ARRAY_LEN(trees); k++) {
            snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s", trees[k], r.cgroup);
            assert_true(access(path, F_OK) < 0);
        }
    }
    assert_int_equal(mount_count(), mounts);
    box_leave();
}
