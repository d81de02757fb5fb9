/* Exec, terminals, signals, pause. */
#include "test.h"

#include "base/time.h"
#include "box.h"
#include "kernel/pty.h"

/* A line with the name of one of the process's namespaces. */
static void add_namespace(struct buf *b, pid_t pid, const char *name) {
    char path[64], text[64] = {0};
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    assert_true(readlink(path, text, sizeof(text) - 1) > 0);
    buf_addf(b, "%s\n", text);
}

static void start(const struct box_options *o, struct box_run *r) {
    assert_ok(box_create(o, r));
    assert_ok(runtime_start(r->box));
}
static void finish(struct box_run *r) {
    assert_ok(runtime_kill_all(r->box));
    box_reap(r);
    box_delete(r);
}

#define CAPS_JSON                                                            \
    "\"capabilities\":{\"bounding\":[" BOX_CAPS "],\"effective\":[" BOX_CAPS \
    "],\"permitted\":[" BOX_CAPS "]}"

/* Output and status of sh -c script in the box; extra: members of the process object. */
static struct err exec_in(struct box_run *r, const char *script, const char *extra, char **ret_out,
                          int *ret_status) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, "{\"args\":[\"/bin/sh\",\"-c\",");
    json_quote(&text, str_of(script));
    buf_addf(&text, "],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"%s}", extra);
    struct oci_process p;
    TRY(fields_decode_strict(&oci_process_fields, buf_str(&text), &a, &p));
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    struct runtime_process x;
    struct err e = runtime_exec(r->box, &p, &(struct runtime_stdio){-1, pipes[1], pipes[1]}, &x);
    close(pipes[1]);
    if (err_failed(e)) {
        close(pipes[0]);
        return e;
    }
    *ret_out = box_output(x.pty_master >= 0 ? x.pty_master : pipes[0]);
    struct pidfd_exit end;
    assert_ok(pidfd_reap(x.pidfd, &end));
    *ret_status = pidfd_exit_status(&end);
    close(x.pidfd);
    close(pipes[0]);
    fd_close(x.pty_master);
    return OK;
}

static void expect_exec(struct box_run *r, const char *script, const char *extra,
                        const char *want) {
    char *out = NULL;
    int status = -1;
    assert_ok(exec_in(r, script, extra, &out, &status));
    assert_string_equal(out, want);
    assert_int_equal(status, 0);
    free(out);
}

TEST(an_exec_is_in_the_container) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "echo mark > /tmp/mark; sleep 100"}, &r);
    CLEAN_BUF struct buf want = {0};
    static const char *const names[] = {"pid", "mnt", "ipc", "uts", "net", "cgroup"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add_namespace(&want, r.init.pid, names[i]);
    expect_exec(&r, "for n in pid mnt ipc uts net cgroup; do readlink /proc/self/ns/$n; done", "",
                buf_cstr(&want));
    while (runtime_kill(r.box, 0).info == NULL) { /* the shell needs a moment to write */
        char *out = NULL;
        int status;
        assert_ok(exec_in(&r, "cat /tmp/mark", "", &out, &status));
        bool there = strcmp(out, "mark\n") == 0;
        free(out);
        if (there)
            break;
    }
    expect_exec(&r, "cat /tmp/mark; ls /proc/self/fd | wc -l", "", "mark\n4\n");
    /* the same cgroup in every hierarchy */
    expect_exec(
        &r, "cut -d: -f3 /proc/self/cgroup | sort -u | grep -v '^/$' | grep -v '^/\\.\\.' | wc -l",
        "", "0\n");
    finish(&r);
    box_leave();
}

TEST(an_exec_has_no_inheritable_capabilities) { /* row 15: CVE-2022-24769 and kin */
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    expect_exec(&r, "grep -E 'Cap(Inh|Amb)' /proc/self/status", "",
                "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
    finish(&r);
    box_leave();
}

TEST(an_exec_has_the_identity_it_is_given) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    expect_exec(
        &r,
        "id -u; id -G; grep -E '^(CapEff|CapBnd|CapInh|CapAmb|NoNewPrivs|Seccomp):' "
        "/proc/self/status",
        "," CAPS_JSON,
        "0\n0\nCapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
        "CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n");
    expect_exec(&r, "id -u; grep -E '^(CapEff|NoNewPrivs):' /proc/self/status",
                ",\"user\":{\"uid\":5,\"gid\":6},\"noNewPrivileges\":true",
                "5\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
    char *out = NULL;
    int status;
    assert_err(exec_in(&r, "id -u", ",\"user\":{\"uid\":4294967295,\"gid\":0}", &out, &status),
               ERR_INVALID); /* row 17 */
    assert_err(exec_in(&r, "id -u", ",\"user\":{\"uid\":4294967296,\"gid\":0}", &out, &status),
               ERR_INVALID);
    finish(&r);
    box_leave();
}

TEST(errors_and_codes_of_an_exec) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    char *out = NULL;
    int status;
    assert_ok(exec_in(&r, "exit 9", "", &out, &status));
    assert_int_equal(status, 9);
    free(out);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process p;
    static const char text[] = "{\"args\":[\"none\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}";
    assert_ok(fields_decode_strict(&oci_process_fields, str_of(text), &a, &p));
    struct runtime_process x;
    struct err e = runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x);
    assert_int_equal(err_kind(e), ERR_NOT_FOUND);
    assert_string_equal(err_msg(e), "exec: \"none\": executable file not found in $PATH");
    err_free(e);
    p.cwd = (char[]){"/missing"};
    p.args.items[0] = (char[]){"sh"};
    e = runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x);
    assert_string_equal(
        err_msg(e),
        "chdir to cwd (\"/missing\") set in config.json failed: no such file or directory");
    err_free(e);
    finish(&r);
    box_leave();
}

TEST(an_exec_in_a_dead_container_is_refused) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "exit 0"}, &r);
    assert_true(pidfd_wait(r.init.pidfd, 5000));
    char *out = NULL;
    int status;
    assert_err(exec_in(&r, "true", "", &out, &status), ERR_NOT_FOUND);
    box_reap(&r);
    box_delete(&r);
    box_leave();
}

/* Until the slave side is closed; a pty answers EIO then. */
static char *terminal_output(int master) {
    struct buf b = {0};
    char text[256];
    ssize_t n;
    while ((n = read(master, text, sizeof(text))) > 0)
        buf_add(&b, text, (size_t)n);
    return buf_take(&b);
}

TEST(a_terminal_is_the_containers_own) { /* row 5 */
    box_enter();
    struct box_run r;
    start(
        &(struct box_options){
            .script = "tty; stty size; test -t 0 && test -t 2 && echo all; echo to console > "
                      "/dev/console; "
                      "stat -c '%u %t:%T' /dev/pts/0",
            .process = ",\"terminal\":true,\"consoleSize\":{\"height\":33,\"width\":77}",
            .user = "\"uid\":12,\"gid\":0"},
        &r);
    assert_true(r.init.pty_master >= 0);
    CLEAN_FREE char *out = terminal_output(r.init.pty_master);
    assert_string_equal(out, "/dev/pts/0\r\n33 77\r\nall\r\nto console\r\n12 88:0\r\n");
    assert_int_equal(box_reap(&r), 0);
    box_delete(&r);
    box_leave();
}

static void plant_ptmx(int rootfs) {
    assert_int_equal(mkdirat(rootfs, "dev", 0755), 0);
    assert_int_equal(mkdirat(rootfs, "dev/pts", 0755), 0);
    assert_int_equal(symlinkat("/etc/passwd", rootfs, "dev/console"), 0);
    int fd = openat(rootfs, "dev/pts/ptmx", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    close(fd);
}

TEST(a_fake_terminal_multiplexer_is_refused) { /* row 5 */
    box_enter();
    struct box_run r;
    assert_err(
        box_create(
            &(struct box_options){
                .script = "true",
                .process = ",\"terminal\":true",
                .no_dev = "yes",
                .prepare = plant_ptmx,
                .mounts = "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}"},
            &r),
        ERR_FORBIDDEN);
    box_leave();
}

TEST(an_exec_has_a_terminal_and_is_resized) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process p;
    static const char text[] = "{\"terminal\":true,\"args\":[\"sh\",\"-c\",\"tty; read x; stty "
                               "size; echo got $x\"],\"cwd\":\"/\","
                               "\"env\":[\"PATH=/bin\"]}";
    assert_ok(fields_decode_strict(&oci_process_fields, str_of(text), &a, &p));
    struct runtime_process x;
    assert_ok(runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x));
    assert_ok(pty_resize(x.pty_master, 12, 34));
    assert_err(pty_resize(x.pty_master, 70000, 1), ERR_INVALID);
    assert_int_equal(write(x.pty_master, "hi\n", 3), 3);
    CLEAN_FREE char *out = terminal_output(x.pty_master);
    assert_non_null(strstr(out, "/dev/pts/0\r\n"));
    assert_non_null(strstr(out, "12 34\r\n"));
    assert_non_null(strstr(out, "got hi\r\n"));
    struct pidfd_exit end;
    assert_ok(pidfd_reap(x.pidfd, &end));
    close(x.pidfd);
    close(x.pty_master);
    finish(&r);
    box_leave();
}

TEST(standard_streams_belong_to_the_user) {
    box_enter();
    box_expect(&(struct box_options){.script = "echo again > /dev/stdout; cat < /dev/stdin | wc -c",
                                     .user = "\"uid\":33,\"gid\":33"},
               "again\n0\n");
    box_leave();
}

TEST(kill_all_takes_every_process) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "for i in 1 2 3 4 5 6 7 8; do (trap '' 15; sleep 100 & "
                                          "sleep 100) & done; echo up; wait"},
          &r);
    char c;
    assert_int_equal(read(r.out, &c, 1), 1);
    pid_t *pids = NULL;
    size_t n = 0;
    assert_ok(runtime_cgroup_pids(r.cgroup, &pids, &n));
    assert_true(n > 1);
    free(pids);
    assert_ok(runtime_kill_all(r.box));
    assert_true(pidfd_wait(r.init.pidfd, 5000));
    assert_int_equal(box_reap(&r), 137);
    box_delete(&r);
    box_leave();
}

TEST(a_frozen_container_can_be_killed) { /* fault 27 */
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "while true; do echo x; done"}, &r);
    assert_ok(runtime_pause(r.box));
    /* nothing more comes */
    char text[4096];
    struct pollfd p = {.fd = r.out, .events = POLLIN};
    while (poll(&p, 1, 50) > 0)
        assert_true(read(r.out, text, sizeof(text)) > 0);
    assert_int_equal(poll(&p, 1, 100), 0);
    assert_ok(runtime_resume(r.box));
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_ok(runtime_cgroup_freeze(r.cgroup, true));
    assert_ok(runtime_kill_all(r.box));
    assert_true(pidfd_wait(r.init.pidfd, 5000));
    box_reap(&r);
    box_delete(&r);
    box_leave();
}

TEST(cost_of_an_exec) {
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process p;
    static const char text[] = "{\"args\":[\"/bin/true\"],\"cwd\":\"/\"," CAPS_JSON "}";
    assert_ok(fields_decode_strict(&oci_process_fields, str_of(text), &a, &p));
    int64_t least = INT64_MAX, sum = 0;
    for (int i = 0; i < 200; i++) {
        int64_t t = time_monotonic();
        struct runtime_process x;
        struct pidfd_exit end;
        assert_ok(runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x));
        assert_ok(pidfd_reap(x.pidfd, &end));
        assert_int_equal(pidfd_exit_status(&end), 0);
        close(x.pidfd);
        t = time_monotonic() - t;
        least = t < least ? t : least;
        sum += t;
    }
    printf("# exec of true: min %lld us, mean %lld us\n", (long long)least / 1000,
           (long long)sum / 200 / 1000);
    finish(&r);
    box_leave();
}

TEST(namespaces_of_another_container_can_be_joined) {
    box_enter();
    struct box_run r, second;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    char list[512], own[64] = {0};
    snprintf(list, sizeof(list),
             "[{\"type\":\"mount\"},{\"type\":\"pid\",\"path\":\"/proc/%d/ns/pid\"},"
             "{\"type\":\"network\",\"path\":\"/proc/%d/ns/net\"},"
             "{\"type\":\"ipc\",\"path\":\"/proc/%d/ns/ipc\"}]",
             r.init.pid, r.init.pid, r.init.pid);
    static const char *const names[] = {"pid", "net", "ipc"};
    CLEAN_BUF struct buf want = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add_namespace(&want, r.init.pid, names[i]);
    start(
        &(struct box_options){.script = "for n in pid net ipc; do readlink /proc/self/ns/$n; done",
                              .namespaces = list},
        &second);
    CLEAN_FREE char *out = box_output(second.out);
    assert_string_equal(out, buf_cstr(&want));
    assert_int_equal(box_reap(&second), 0);
    box_delete(&second);
    /* and the caller's own children are not affected */
    assert_true(readlink("/proc/self/ns/pid_for_children", own, sizeof(own) - 1) > 0);
    assert_null(strstr(buf_cstr(&want), own));
    finish(&r);
    box_leave();
}

/* A container with an init system of its own: it moves itself below the cgroup that we made and
 * hands controllers down; cgroup v2 then takes no process above. */
TEST(an_exec_follows_a_container_that_has_moved_down) {
    struct runtime_features f;
    assert_ok(runtime_detect(&f));
    if (!f.cgroup_v2)
        SKIP("cgroup v2 alone has that rule");
    box_enter();
    struct box_run r;
    start(&(struct box_options){.script = "sleep 100"}, &r);
    char path[256], pid[16];
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s", r.cgroup);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(dir, "below", 0755), 0);
    snprintf(pid, sizeof(pid), "%d", (int)r.init.pid);
    assert_ok(file_write_at(dir, "below/cgroup.procs", str_of(pid)));
    assert_ok(file_write_at(dir, "cgroup.subtree_control", STR("+memory")));
    expect_exec(&r, "echo in", "", "in\n");
    close(dir);
    finish(&r);
    box_leave();
}
