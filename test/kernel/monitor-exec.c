/* Execs: streams, codes, failures, many of them. */
#include "test.h"

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
    enum { N = 1000, AT_ONCE = 20 };
    int wrong = 0;
    int64_t t0 = time_monotonic();
    for (int i = 0; i < N; i += AT_ONCE) {
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
    printf("# %d execs in %lld ms\n", N, (long long)(time_monotonic() - t0) / 1000000);
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
