/* Limits: what config.json says is what the cgroup's files say, and what the kernel does. */
#include "test.h"

#include "box.h"
#include "kernel/cgroup.h"

static void expect_file(const char *cgroup, enum cgroup_controller c, const char *v1_file,
                        const char *v1, const char *v2_file, const char *v2) {
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    if (!cgroup_has(&h, c)) {
        printf("# no controller for %s here\n", v2_file);
        return;
    }
    struct cgroup g;
    assert_ok(cgroup_open(&h, cgroup, &g));
    CLEAN_BUF struct buf b = {0};
    bool is_v2 = cgroup_is_v2(&h, c);
    assert_ok(cgroup_read(&g, c, is_v2 ? v2_file : v1_file, &b));
    CLEAN_FREE char *text = str_dup(str_trim(buf_str(&b)));
    assert_string_equal(text, is_v2 ? v2 : v1);
    cgroup_done(&g);
}

TEST(limits_are_in_the_cgroup) {
    box_enter();
    struct box_run r;
    assert_ok(box_create(
        &(struct box_options){
            .script = "true",
            .linux_ = ",\"resources\":{\"memory\":{\"limit\":67108864,\"reservation\":33554432},"
                      "\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000,\"cpus\":\"0\"},"
                      "\"pids\":{\"limit\":50}}"},
        &r));
    expect_file(r.cgroup, CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "memory.max",
                "67108864");
    expect_file(r.cgroup, CGROUP_MEMORY, "memory.soft_limit_in_bytes", "33554432", "memory.low",
                "33554432");
    expect_file(r.cgroup, CGROUP_CPU, "cpu.shares", "512", "cpu.weight", "20");
    expect_file(r.cgroup, CGROUP_CPU, "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000");
    expect_file(r.cgroup, CGROUP_CPUSET, "cpuset.cpus", "0", "cpuset.cpus", "0");
    expect_file(r.cgroup, CGROUP_PIDS, "pids.max", "50", "pids.max", "50");
    int64_t more = 134217728, pids = -1;
    struct oci_memory m = {.limit = &more};
    struct oci_pids p = {.limit = &pids};
    struct oci_resources res = {.memory = &m, .pids = &p};
    assert_ok(runtime_cgroup_update(r.cgroup, &res));
    expect_file(r.cgroup, CGROUP_MEMORY, "memory.limit_in_bytes", "134217728", "memory.max",
                "134217728");
    expect_file(r.cgroup, CGROUP_PIDS, "pids.max", "max", "pids.max", "max");
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    if (cgroup_is_v2(&h, CGROUP_MEMORY)) { /* v1 looks by itself */
        int64_t little = 4096;
        bool look = true;
        struct oci_memory less = {.limit = &little, .check_before_update = &look};
        struct oci_resources small = {.memory = &less};
        assert_err(runtime_cgroup_update(r.cgroup, &small), ERR_CONFLICT);
    }
    struct runtime_usage u;
    assert_ok(runtime_cgroup_usage(r.cgroup, &u));
    assert_true(u.pids == 1 && u.memory_limit_bytes == 134217728);
    assert_ok(runtime_start(r.box));
    box_reap(&r);
    box_delete(&r);
    assert_err(runtime_cgroup_usage(r.cgroup, &u), ERR_NOT_FOUND);
    assert_ok(runtime_cgroup_remove(r.cgroup)); /* missing: success */
    box_leave();
}

/* Controllers that only v1 has, and that no container but one that asks for them gets a directory
 * of. Mounting one changes the machine: only in a guest. */
TEST(rare_controllers_are_used_on_demand) {
    box_enter();
    const struct box_options o = {
        .script = "true",
        .linux_ =
            ",\"resources\":{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"lo\","
            "\"priority\":5}]}}"};
    struct box_run r;
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    if (!cgroup_has(&h, CGROUP_NET_CLS)) {
        struct err e = box_create(&o, &r);
        assert_int_equal(err_kind(e), ERR_UNSUPPORTED);
        assert_non_null(strstr(err_msg(e), "network.classID"));
        err_free(e);
    }
    if (getenv("CORTEN_GUEST")) {
        put_dir("rare");
        assert_int_equal(mount("cgroup", "rare", "cgroup", 0, "net_cls,net_prio"), 0);
        assert_ok(box_create(&o, &r));
        char path[200];
        snprintf(path, sizeof(path), "rare%s", r.cgroup);
        assert_int_equal(access(path, F_OK), 0);
        expect_file(r.cgroup, CGROUP_NET_CLS, "net_cls.classid", "1048577", "", "");
        expect_file(r.cgroup, CGROUP_NET_PRIO, "net_prio.ifpriomap", "lo 5", "", "");
        assert_ok(runtime_start(r.box));
        assert_int_equal(box_reap(&r), 0);
        box_delete(&r);
        assert_int_equal(access(path, F_OK), -1);
        assert_ok(box_create(&(struct box_options){.script = "true"}, &r));
        snprintf(path, sizeof(path), "rare%s", r.cgroup);
        assert_int_equal(access(path, F_OK), -1);
        assert_ok(runtime_start(r.box));
        box_reap(&r);
        box_delete(&r);
        box_forget_cgroup();
        assert_int_equal(umount("rare"), 0);
    }
    box_leave();
}

TEST(real_time_is_of_v1) {
    box_enter();
    struct box_run r;
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    struct err e = box_create(
        &(struct box_options){.script = "true",
                              .linux_ = ",\"resources\":{\"cpu\":{\"realtimePeriod\":500000}}"},
        &r);
    if (cgroup_is_v2(&h, CGROUP_CPU) || err_failed(e)) {
        assert_int_equal(err_kind(e), ERR_UNSUPPORTED);
        assert_non_null(strstr(err_msg(e), "cpu.realtimeRuntime"));
        err_free(e);
    } else {
        expect_file(r.cgroup, CGROUP_CPU, "cpu.rt_period_us", "500000", "", "");
        assert_ok(runtime_start(r.box));
        box_reap(&r);
        box_delete(&r);
    }
    box_leave();
}

TEST(too_many_processes_are_refused) { /* fault 26 */
    box_enter();
    int status;
    /* The shell gives up when it cannot fork. */
    CLEAN_FREE char *out = box_run(
        &(struct box_options){.script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo end",
                              .linux_ = ",\"resources\":{\"pids\":{\"limit\":4}}"},
        &status);
    assert_int_not_equal(status, 0);
    assert_null(strstr(out, "end"));
    box_leave();
}

TEST(out_of_memory_is_counted_and_told) { /* fault 12 */
    box_enter();
    struct box_run r;
    assert_ok(box_create(
        &(struct box_options){
            .script = "x=$(yes | head -c 100000000); exit 0",
            .linux_ = ",\"resources\":{\"memory\":{\"limit\":16777216,\"swap\":16777216}}"},
        &r));
    int fd = runtime_oom_fd(r.box);
    assert_true(fd >= 0);
    assert_int_equal(runtime_oom_count(r.box), 0);
    assert_ok(runtime_start(r.box));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    box_reap(&r);
    assert_true(runtime_oom_count(r.box) >= 1);
    box_delete(&r);
    box_leave();
}

TEST(cgroup_paths_are_checked) {
    static const char *const bad[] = {"",      "/",    "relative",      "/..",  "/a/../b",
                                      "/a//b", "/a/.", "/cgroup.procs", "/a b", "/a\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(cgroup_check_path(bad[i]), ERR_INVALID);
    assert_ok(cgroup_check_path("/corten-x/0123abc"));
}

TEST(a_cgroup_is_made_once_and_removed_with_what_is_below) {
    if (geteuid() != 0)
        SKIP("needs root");
    char path[64], below[128];
    snprintf(path, sizeof(path), "/corten-test-%d/x", (int)getpid());
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    struct cgroup g, again;
    assert_ok(cgroup_make(&h, path, &g));
    assert_err(cgroup_make(&h, path, &again), ERR_CONFLICT);
    for (size_t i = 0; i < h.trees_n; i++) {
        if (g.dirs[i] < 0)
            continue; /* on demand */
        snprintf(below, sizeof(below), "a-%zu", i);
        assert_int_equal(mkdirat(g.dirs[i], below, 0755), 0);
        snprintf(below, sizeof(below), "a-%zu/deeper", i);
        assert_int_equal(mkdirat(g.dirs[i], below, 0755), 0);
    }
    assert_false(cgroup_populated(&g));
    cgroup_done(&g);
    assert_ok(cgroup_remove(&h, path));
    assert_err(cgroup_open(&h, path, &again), ERR_NOT_FOUND);
    snprintf(path, sizeof(path), "/corten-test-%d", (int)getpid());
    assert_ok(cgroup_remove(&h, path));
}

TEST(features_are_told) {
    struct runtime_features f;
    assert_ok(runtime_detect(&f));
    printf("# v2 %d hybrid %d seccomp %d apparmor %d memory %d swap %d pids %d cpu %d cpuset %d "
           "blkio %d\n",
           f.cgroup_v2, f.cgroup_hybrid, f.seccomp, f.apparmor, f.memory, f.swap, f.pids, f.cpu,
           f.cpuset, f.blkio);
    assert_false(f.cgroup_v2 && f.cgroup_hybrid);
    assert_true(f.memory && f.pids && f.cpu);
}
