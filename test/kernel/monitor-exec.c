/* Execs: streams, codes, failures, many of them. */
#include "test.h"

#include "kernel/cgroup.h"
#include "monitor_lab.h"

static void start_idle(struct lab *b) {
    lab_start(b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
}

/* An exec with a client; returns the client's end once it was answered. */
static int exec_client(struct lab *b, int number, const char *args, const char *early,
                       struct monitor_exec x) {
    int fd;
    struct http_taken t = lab_client(&fd, early);
    unsigned before = b->replies;
    x.client = lab_monitor_client(&t);
    lab_exec(b, number, args, x);
    lab_until(b, b->replies > before);
    return fd;
}

static const struct monitor_exec all = {.in = true, .out = true, .err = true};
static const struct monitor_exec output = {.out = true, .err = true};

TEST(streams_and_code) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    struct buf out[3] = {0};
    int fd = exec_client(&b, 1, "[\"/bin/sh\",\"-c\",\"cat; echo two >&2; exit 33\"]", "one ", all);
    assert_int_equal(fd_write_all(fd, "more\n", 5), 0);
    shutdown(fd, SHUT_WR);
    lab_read_frames(&b, fd, out);
    assert_int_equal(b.exec_codes[1], 33); /* known before the end of the stream */
    assert_string_equal(buf_cstr(&out[1]), "one more\n");
    assert_string_equal(buf_cstr(&out[2]), "two\n");
    assert_true(b.last_pid > 0);
    for (int i = 0; i < 3; i++)
        buf_done(&out[i]);
    lab_finish(&b);
    lab_leave();
}

TEST(terminal_and_resize) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    struct monitor_exec x = all;
    x.terminal = true;
    x.rows = 21;
    x.columns = 77;
    int fd = exec_client(&b, 2, "[\"/bin/sh\",\"-c\",\"stty size; read x; stty size; exit 4\"]", "",
                         x);
    free(lab_expect(&b, fd, "21 77\r\n"));
    char id[65];
    snprintf(id, sizeof(id), LAB_EXEC_ID, 2);
    unsigned before = b.replies;
    monitor_resize(b.m, id, 30, 90, lab_replied, &b);
    lab_until(&b, b.replies > before);
    assert_int_equal(fd_write_all(fd, "\r", 1), 0);
    CLEAN_FREE char *rest = lab_read(&b, fd);
    assert_non_null(strstr(rest, "30 90\r\n"));
    assert_int_equal(b.exec_codes[2], 4);
    assert_int_equal(b.failures, 0);
    monitor_resize(b.m, id, 30, 90, lab_replied, &b);
    before = b.replies;
    lab_until(&b, b.replies > before);
    assert_int_equal(b.last_failure, ERR_NOT_FOUND);
    lab_finish(&b);
    lab_leave();
}

TEST(failures_are_told_on_the_stream) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    struct buf out[3] = {0};
    int fd = exec_client(&b, 3, "[\"nothing-there\"]", "", output);
    assert_int_equal(b.last_failure, ERR_NOT_FOUND);
    lab_read_frames(&b, fd, out);
    assert_string_equal(
        buf_cstr(&out[1]),
        "OCI runtime exec failed: exec failed: unable to start container process: exec: "
        "\"nothing-there\": executable file not found in $PATH: unknown\r\n");
    buf_done(&out[1]);
    fd = exec_client(&b, 4, "[\"/etc/passwd\"]", "", output);
    assert_int_equal(b.last_failure, ERR_FORBIDDEN);
    lab_read_frames(&b, fd, out);
    assert_non_null(strstr(buf_cstr(&out[1]), "permission denied"));
    buf_done(&out[1]);
    struct monitor_exec x = output;
    x.user = "nobody-here";
    fd = exec_client(&b, 5, "[\"/bin/true\"]", "", x);
    assert_int_equal(b.last_failure, ERR_FORBIDDEN);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]),
                        "unable to find user nobody-here: no matching entries in passwd file\r\n");
    buf_done(&out[1]);
    /* without a client the answer alone tells */
    unsigned failures = b.failures, before = b.replies;
    lab_exec(&b, 6, "[\"nothing-there\"]", (struct monitor_exec){0});
    lab_until(&b, b.replies > before);
    assert_int_equal(b.failures, failures + 1);
    lab_finish(&b);
    lab_leave();
}

/* `container` where the image has none: ours, by its descriptor, which answers from what we told.
 */
static int own_program(void) {
    const char *dir = getenv("CORTEN_BIN");
    CLEAN_FREE char *path = mem_printf("%s/corten-container", dir ? dir : "build/src/bin");
    int fd = open(path, O_PATH | O_CLOEXEC);
    assert_true(fd > 0);
    return fd;
}

TEST(our_own_program_inside) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    struct buf out[3] = {0};
    struct monitor_exec x = output;
    x.own_fd = own_program();
    x.metadata = STR("{\"a\":1}");
    x.examine = STR("image\n");
    int fd = exec_client(&b, 1, "[\"container\",\"--metadata\"]", "", x);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "{\"a\":1}\n");
    assert_int_equal(b.exec_codes[1], 0);
    fd = exec_client(&b, 2, "[\"container\",\"--nosuch\"]", "", x);
    lab_read_frames(&b, fd, out);
    assert_int_equal(b.exec_codes[2], 1);
    assert_true(str_find_str(buf_str(&out[2]), STR("no such method")) >= 0);
    fd = exec_client(&b, 3, "[\"container\",\"--metadata\"]", "", output);
    lab_read_frames(&b, fd, out);
    /* without ours there is none */
    assert_true(str_find_str(buf_str(&out[1]), STR("executable file not found")) >= 0);
    close(x.own_fd);
    for (int i = 0; i < 3; i++)
        buf_done(&out[i]);
    lab_finish(&b);
    lab_leave();
}

TEST(an_images_own_program_of_that_name_wins) {
    lab_enter();
    put_file("image/base/bin/container", "#!/bin/sh\necho own $1\n");
    assert_int_equal(chmod("image/base/bin/container", 0755), 0);
    struct lab b;
    start_idle(&b);
    struct buf out[3] = {0};
    struct monitor_exec x = output;
    x.own_fd = own_program();
    x.metadata = STR("ours");
    int fd = exec_client(&b, 1, "[\"container\",\"--metadata\"]", "", x);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "own --metadata\n");
    close(x.own_fd);
    for (int i = 0; i < 3; i++)
        buf_done(&out[i]);
    lab_finish(&b);
    lab_leave();
}

TEST(user_of_an_exec) {
    lab_enter();
    put_file("image/base/etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:71:72::/a:/bin/sh\n");
    struct lab b;
    lab_start(&b,
              &(struct lab_options){.script = "while true; do sleep 1000; done", .user = "app"});
    struct buf out[3] = {0};
    int fd = exec_client(&b, 1, "[\"/bin/sh\",\"-c\",\"id -u; id -g; echo $HOME\"]", "", output);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "71\n72\n/a\n"); /* the container's own */
    buf_done(&out[1]);
    struct monitor_exec x = output;
    x.user = "0:5";
    fd = exec_client(&b, 2, "[\"/bin/sh\",\"-c\",\"id -u; id -g\"]", "", x);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "0\n5\n");
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

TEST(detached_exec_reports_its_code) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    lab_exec(&b, 7, "[\"/bin/sh\",\"-c\",\"exit 12\"]", (struct monitor_exec){0});
    lab_until(&b, b.exec_codes[7] == 12);
    lab_finish(&b);
    lab_leave();
}

TEST(a_client_that_leaves_does_not_end_its_exec) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    int fd = exec_client(&b, 8, "[\"/bin/sh\",\"-c\",\"sleep 0.3; echo x; exit 6\"]", "", output);
    close(fd);
    lab_until(&b, b.exec_codes[8] == 6);
    lab_finish(&b);
    lab_leave();
}

TEST(a_child_that_keeps_the_stream_open) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    int64_t t0 = time_monotonic();
    struct buf out[3] = {0};
    int fd = exec_client(&b, 9, "[\"/bin/sh\",\"-c\",\"sleep 1000 & echo started\"]", "", output);
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "started\n");
    assert_true(time_monotonic() - t0 < 5 * NSEC_PER_SEC);
    assert_int_equal(b.exec_codes[9], 0);
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

TEST(a_thousand_short_execs) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    enum { AT_ONCE = 20 };
    const int n = lab_much(1000);
    int wrong = 0;
    int64_t t0 = time_monotonic();
    for (int i = 0; i < n; i += AT_ONCE) {
        int fds[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) {
            char args[128];
            struct http_taken t = lab_client(&fds[k], "");
            snprintf(args, sizeof(args), "[\"/bin/sh\",\"-c\",\"echo %d; exit %d\"]", i + k,
                     (i + k) % 256);
            struct monitor_exec x = output;
            x.client = lab_monitor_client(&t);
            lab_exec(&b, i + k, args, x);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            struct buf out[3] = {0};
            char want[16];
            lab_read_frames(&b, fds[k], out);
            snprintf(want, sizeof(want), "%d\n", i + k);
            wrong += b.exec_codes[i + k] != (i + k) % 256 || strcmp(buf_cstr(&out[1]), want) != 0;
            for (int s = 0; s < 3; s++)
                buf_done(&out[s]);
        }
    }
    printf("# %d execs in %lld ms\n", n, (long long)(time_monotonic() - t0) / 1000000);
    assert_int_equal(wrong, 0);
    assert_int_equal(b.failures, 0);
    lab_finish(&b);
    lab_leave();
}

TEST(execs_end_with_the_container) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    int fd = exec_client(&b, 1, "[\"/bin/sh\",\"-c\",\"echo up; sleep 1000\"]", "", output);
    lab_pass(&b, 100 * NSEC_PER_MSEC);
    monitor_stop(b.m, SIGKILL, 0, lab_replied, &b);
    struct buf out[3] = {0};
    lab_read_frames(&b, fd, out);
    assert_string_equal(buf_cstr(&out[1]), "up\n");
    assert_int_equal(b.exec_codes[1], 137);
    buf_done(&out[1]);
    lab_until(&b, b.closed > 0);
    lab_finish(&b);
    lab_leave();
}

/* --- tracking --------------------------------------------------------------------------------- */

/* The path of the exec's cgroup in the hierarchy that tracks it. */
static void exec_cgroup(const struct lab *b, int number, char out[512]) {
    struct cgroup_host h;
    assert_ok(cgroup_detect(&h));
    assert_true(h.tree_of[CGROUP_FREEZER] >= 0);
    snprintf(out, 512, "%s/corten-test-%d/m%d/exec-" LAB_EXEC_ID,
             h.trees[h.tree_of[CGROUP_FREEZER]].mount, (int)getpid(), b->number, number);
}

static size_t cgroup_size(const char *path) {
    char file[600];
    CLEAN_BUF struct buf text = {0};
    snprintf(file, sizeof(file), "%s/cgroup.procs", path);
    struct err e = file_read(file, 65536, &text);
    size_t n = 0;
    for (size_t i = 0; !err_failed(e) && i < text.len; i++)
        n += text.data[i] == '\n';
    err_ignore(e);
    return n;
}

/* Two that no signal to the first process reaches: in sessions of their own, their parents dead. */
#define LEAVES_TWO                                                                                \
    "[\"/bin/sh\",\"-c\",\"for i in 1 2; do (trap '' 1 2 15; setsid sleep 1000 > /dev/null 2>&1 " \
    "< /dev/null &); done; echo up; sleep 1000\"]"

TEST(an_exec_has_a_cgroup_of_its_own_in_one_hierarchy) {
    lab_enter();
    struct lab b;
    char path[512];
    start_idle(&b);
    exec_cgroup(&b, 1, path);
    int fd = exec_client(&b, 1, LEAVES_TWO, "", all);
    free(lab_expect(&b, fd, "up\n"));
    assert_int_equal(cgroup_size(path), 3);
    /* every other hierarchy has it in the container's own */
    char file[64], below[64];
    CLEAN_BUF struct buf text = {0};
    snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)b.last_pid);
    assert_ok(file_read(file, 65536, &text));
    snprintf(below, sizeof(below), "/corten-test-%d/m%d", (int)getpid(), b.number);
    size_t tracked = 0;
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line)) {
        tracked += str_find_str(line, STR("/exec-")) >= 0;
        if (str_find_str(line, STR("/exec-")) < 0 && str_find_str(line, str_of(below)) >= 0)
            assert_true(str_ends(line, str_of(below)));
    }
    assert_int_equal(tracked, 1);
    close(fd);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    assert_int_equal(cgroup_size(path), 3); /* nobody asked for its death */
    lab_finish(&b);
    assert_int_equal(access(path, F_OK), -1);
    lab_leave();
}

TEST(an_exec_dies_with_its_client_when_asked) {
    lab_enter();
    struct lab b;
    char path[512];
    start_idle(&b);
    exec_cgroup(&b, 2, path);
    struct monitor_exec x = all;
    x.kill_with_client = true;
    int fd = exec_client(&b, 2, LEAVES_TWO, "", x);
    free(lab_expect(&b, fd, "up\n"));
    shutdown(fd, SHUT_WR); /* the end of stdin is not its death */
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    assert_int_equal(cgroup_size(path), 3);
    close(fd);
    lab_until(&b, b.exec_codes[2] == 137);
    for (int i = 0; i < 100 && access(path, F_OK) == 0 && cgroup_size(path) > 0; i++)
        lab_pass(&b, 10 * NSEC_PER_MSEC);
    assert_int_equal(cgroup_size(path), 0);
    lab_finish(&b);
    lab_leave();
}

TEST(a_detached_client_leaves_its_exec_alive) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    struct monitor_exec x = all;
    x.terminal = x.kill_with_client = true;
    int fd = exec_client(&b, 3, "[\"/bin/sh\",\"-c\",\"echo up; sleep 1; exit 5\"]", "", x);
    free(lab_expect(&b, fd, "up\r\n"));
    assert_int_equal(fd_write_all(fd, "\x10\x11", 2), 0);
    free(lab_read(&b, fd));
    lab_until(&b, b.exec_codes[3] == 5);
    lab_finish(&b);
    lab_leave();
}

TEST(signals_to_an_exec) {
    lab_enter();
    struct lab b;
    char path[512], id[65];
    start_idle(&b);
    exec_cgroup(&b, 4, path);
    int fd = exec_client(&b, 4,
                         "[\"/bin/sh\",\"-c\",\"trap 'echo usr' 10; (trap '' 10 15; sleep "
                         "1000 > /dev/null 2>&1) & echo up; while :; do wait; done\"]",
                         "", output);
    free(lab_expect(&b, fd, "up\n"));
    snprintf(id, sizeof(id), LAB_EXEC_ID, 4);
    unsigned before = b.replies;
    monitor_exec_signal(b.m, id, SIGUSR1, lab_replied, &b);
    free(lab_expect(&b, fd, "usr\n"));
    monitor_exec_signal(b.m, id, SIGKILL, lab_replied, &b);
    lab_until(&b, b.exec_codes[4] == 137 && b.replies == before + 2);
    assert_int_equal(b.failures, 0);
    monitor_exec_signal(b.m, id, SIGKILL, lab_replied, &b);
    lab_until(&b, b.replies == before + 3);
    assert_int_equal(b.failures, 1);
    close(fd);
    lab_finish(&b);
    lab_leave();
}

/* Cgroups of ended execs do not pile up, whatever the execs left behind. */
TEST(cgroups_of_ended_execs_go) {
    lab_enter();
    struct lab b;
    char path[512];
    start_idle(&b);
    for (int i = 10; i < 20; i++) {
        lab_exec(&b, i, "[\"/bin/sh\",\"-c\",\"(sleep 0.1 &) > /dev/null\"]",
                 (struct monitor_exec){0});
        lab_until(&b, b.exec_codes[i] == 0);
    }
    lab_pass(&b, 1500 * NSEC_PER_MSEC); /* they are looked for once a second at most */
    lab_exec(&b, 20, "[\"/bin/sh\",\"-c\",\"true\"]", (struct monitor_exec){0});
    lab_until(&b, b.exec_codes[20] == 0);
    for (int i = 10; i <= 20; i++) {
        exec_cgroup(&b, i, path);
        assert_int_equal(access(path, F_OK), -1);
    }
    lab_finish(&b);
    lab_leave();
}

/* --- frozen ----------------------------------------------------------------------------------- */

static void freeze(const struct lab *b, bool frozen) {
    char path[128];
    snprintf(path, sizeof(path), "/corten-test-%d/m%d", (int)getpid(), b->number);
    assert_ok(runtime_cgroup_freeze(path, frozen));
}

TEST(an_exec_into_a_frozen_container_is_refused_at_once) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    freeze(&b, true);
    int64_t t0 = time_monotonic();
    int fd = exec_client(&b, 5, "[\"/bin/sh\",\"-c\",\"true\"]", "", output);
    CLEAN_FREE char *answer = lab_read(&b, fd);
    assert_true(time_monotonic() - t0 < NSEC_PER_SEC);
    assert_int_equal(b.last_failure, ERR_CONFLICT);
    assert_non_null(strstr(answer, "409 Conflict"));
    assert_non_null(strstr(answer, "is paused, unpause the container before exec"));
    freeze(&b, false);
    lab_exec(&b, 5, "[\"/bin/sh\",\"-c\",\"exit 3\"]", (struct monitor_exec){0});
    lab_until(&b, b.exec_codes[5] == 3);
    lab_finish(&b);
    lab_leave();
}

/* Between clone and execve it stands still with the container: it is refused or has begun, and
 * holds nothing else. */
TEST(an_exec_that_is_frozen_on_its_way_in_holds_nothing_else) {
    lab_enter();
    struct lab b;
    start_idle(&b);
    unsigned before = b.replies;
    lab_exec(&b, 6, "[\"/bin/sh\",\"-c\",\"sleep 1000\"]", (struct monitor_exec){0});
    freeze(&b, true);
    int64_t t0 = time_monotonic();
    lab_until(&b, b.replies > before); /* it ran before the freeze, or was refused */
    assert_true(time_monotonic() - t0 < NSEC_PER_SEC);
    monitor_stop(b.m, SIGKILL, 0, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_true(time_monotonic() - t0 < 2 * NSEC_PER_SEC);
    lab_finish(&b);
    lab_leave();
}

/* A container in the host's pid namespace has no init that reaps: its orphans come to the monitor.
 */
TEST(orphans_of_the_hosts_pid_namespace_are_reaped) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){
                      .script = "for i in 1 2 3 4 5; do (sleep 0.1 &); done; exec sleep 1000",
                      .box.namespaces = "[{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\""
                                        "},{\"type\":\"network\"},{\"type\":\"cgroup\"}]"});
    lab_exec(&b, 1, "[\"/bin/sh\",\"-c\",\"(sleep 0.1 &); exit 7\"]", (struct monitor_exec){0});
    lab_until(&b, b.exec_codes[1] == 7);
    lab_pass(&b, 500 * NSEC_PER_MSEC);
    char path[64];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)b.started.monitor_pid,
             (int)b.started.monitor_pid);
    assert_ok(file_read(path, 4096, &text));
    snprintf(path, sizeof(path), "%d", (int)b.started.pid); /* that one child and no other */
    assert_true(str_eqz(str_trim(buf_str(&text)), path));
    lab_finish(&b);
    lab_leave();
}
