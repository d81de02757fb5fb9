/* One container and its monitor: output, exit, attach, stdin, terminal, stop. */
#include "test.h"

#include "monitor_lab.h"

static const struct monitor_attach attach_out = {.out = true, .err = true};
static const struct monitor_attach attach_all = {.in = true, .out = true, .err = true};

static char *log_text(struct lab *b) {
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read_at(b->data, "log", 256u << 20, &text));
    return buf_take(&text);
}

TEST(exit_codes) {
    lab_enter();
    lab_run(&(struct lab_options){.script = "exit 0"}, 0);
    lab_run(&(struct lab_options){.script = "exit 42"}, 42);
    lab_run(&(struct lab_options){.script = "exit 255", .terminal = true}, 255);
    lab_leave();
}

TEST(a_monitor_waits_for_the_one_of_the_run_before) {
    lab_enter();
    lab_run(&(struct lab_options){.script = "exit 3", .predecessor = true}, 3);
    lab_leave();
}

TEST(output_reaches_log_and_client_that_came_before) {
    lab_enter();
    int fd;
    struct http_taken t = lab_client(&fd, "");
    struct monitor_prestart p = {.client = lab_monitor_client(&t), .attach = attach_out};
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "echo one; echo two >&2; printf three; exit 7",
                                        .prestart = &p,
                                        .prestart_n = 1});
    struct buf out[3] = {0};
    lab_read_frames(&b, fd, out);
    assert_int_equal(b.exited, 1); /* exit before EOF */
    assert_int_equal(b.exit.code, 7);
    assert_string_equal(buf_cstr(&out[1]), "one\nthree");
    assert_string_equal(buf_cstr(&out[2]), "two\n");
    CLEAN_FREE char *text = log_text(&b);
    assert_non_null(strstr(text, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\""));
    assert_non_null(strstr(text, "{\"log\":\"two\\n\",\"stream\":\"stderr\",\"time\":\""));
    assert_non_null(strstr(text, "{\"log\":\"three\",\"stream\":\"stdout\",\"time\":\""));
    for (int i = 0; i < 3; i++)
        buf_done(&out[i]);
    lab_finish(&b);
    lab_leave();
}

TEST(a_start_that_fails_says_why_and_leaves_nothing) {
    lab_enter();
    struct lab b;
    int fd;
    struct http_taken t = lab_client(&fd, "");
    struct monitor_prestart p = {.client = lab_monitor_client(&t), .attach = attach_out};
    struct lab_options o = {
        .box = {.args = "[\"/bin/nothing-there\"]"}, .prestart = &p, .prestart_n = 1};
    assert_err(lab_spawn(&b, &o), ERR_NOT_FOUND);
    CLEAN_FREE char *text = lab_read(&b, fd); /* closed */
    lab_finish(&b);
    o = (struct lab_options){.box = {.args = "[\"/etc/passwd\"]"}};
    assert_err(lab_spawn(&b, &o), ERR_FORBIDDEN);
    lab_finish(&b);
    o = (struct lab_options){.script = "true", .user = "nobody-here"};
    assert_err(lab_spawn(&b, &o), ERR_INVALID);
    lab_finish(&b);
    o = (struct lab_options){.script = "true", .user = "4294967296"};
    assert_err(lab_spawn(&b, &o), ERR_INVALID);
    lab_finish(&b);
    lab_leave();
}

TEST(wait_is_answered_after_the_acknowledgement) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){
                      .script = "read x; exit 9", .open_stdin = true, .hold_exit_ack = true});
    int w = lab_wait(&b, MONITOR_WAIT_EXIT);
    CLEAN_FREE char *head = lab_expect(&b, w, "\r\n\r\n");
    assert_non_null(strstr(head, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(head, "Transfer-Encoding: chunked\r\n"));
    int a = lab_attach(&b, attach_all, "go\n");
    lab_until(&b, b.exited > 0);
    lab_pass(&b, 100 * NSEC_PER_MSEC);
    char c;
    assert_int_equal(recv(w, &c, 1, MSG_DONTWAIT), -1); /* not yet */
    monitor_ack_exit(b.m);
    CLEAN_FREE char *answer = lab_read(&b, w);
    assert_string_equal(answer, "11\r\n{\"StatusCode\":9}\n\r\n0\r\n\r\n");
    free(lab_read(&b, a));
    lab_finish(&b);
    lab_leave();
}

TEST(waiters_for_removal) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "sleep 0.2; exit 4", .auto_remove = true});
    int w = lab_wait(&b, MONITOR_WAIT_REMOVED);
    lab_until(&b, b.exited > 0);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    assert_int_equal(b.closed, 0);
    monitor_removed(b.m);
    CLEAN_FREE char *answer = lab_read(&b, w);
    assert_non_null(strstr(answer, "{\"StatusCode\":4}\n"));
    lab_until(&b, b.closed > 0);
    lab_finish(&b);

    lab_start(&b, &(struct lab_options){.script = "sleep 0.2; exit 4"});
    w = lab_wait(&b, MONITOR_WAIT_REMOVED);
    lab_until(&b, b.waiters_back > 0);
    assert_true(b.waiter_fd >= 0);
    close(b.waiter_fd);
    close(w);
    lab_until(&b, b.closed > 0);
    lab_finish(&b);
    lab_leave();
}

TEST(stdin_half_close) {
    lab_enter();
    struct lab b;
    /* StdinOnce: the end of the client's input is the program's end of file */
    lab_start(&b, &(struct lab_options){
                      .script = "wc -c; exit 3", .open_stdin = true, .stdin_once = true});
    int a = lab_attach(&b, attach_all, "early ");
    CLEAN_FREE char *big = mem_alloc(300000);
    memset(big, 'x', 300000);
    assert_int_equal(fd_write_all(a, big, 100000), 0);
    shutdown(a, SHUT_WR);
    struct buf out[3] = {0};
    lab_read_frames(&b, a, out);
    assert_string_equal(buf_cstr(&out[1]), "100006\n");
    assert_int_equal(b.exit.code, 3);
    buf_done(&out[1]);
    lab_finish(&b);
    /* without it stdin stays open for the next client */
    lab_start(&b,
              &(struct lab_options){.script = "read a; read b; echo $a $b", .open_stdin = true});
    a = lab_attach(&b, attach_all, "one\n");
    shutdown(a, SHUT_WR);
    free(lab_read(&b, a)); /* its output ends with its input, as with the peer */
    assert_int_equal(b.exited, 0);
    a = lab_attach(&b, attach_all, "two\n");
    lab_read_frames(&b, a, out);
    assert_string_equal(buf_cstr(&out[1]), "one two\n");
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

TEST(no_stdin_half_close_keeps_the_output) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "sleep 0.5; echo late; exit 1"});
    int a = lab_attach(&b, attach_out, "");
    shutdown(a, SHUT_WR); /* the CLI does so when it has no input */
    struct buf out[3] = {0};
    lab_read_frames(&b, a, out);
    assert_string_equal(buf_cstr(&out[1]), "late\n");
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

TEST(terminal) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "read x; stty size; read x; stty size; exit 5",
                                        .terminal = true,
                                        .open_stdin = true});
    int a = lab_attach(&b, attach_all, "");
    free(lab_expect(&b, a, "tcp\r\n\r\n"));
    monitor_resize(b.m, NULL, 33, 101, lab_replied, &b);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    free(lab_expect(&b, a, "33 101\r\n"));
    monitor_resize(b.m, "", 40, 80, lab_replied, &b);
    lab_pass(&b, 50 * NSEC_PER_MSEC);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    CLEAN_FREE char *rest = lab_read(&b, a);
    assert_non_null(strstr(rest, "40 80\r\n"));
    assert_int_equal(b.exit.code, 5);
    assert_int_equal(b.failures, 0);
    lab_finish(&b);
    lab_leave();
}

TEST(detach_keys) {
    lab_enter();
    struct lab b;
    struct lab_options o = {
        .script = "read x; stty raw -echo; echo ready; head -c 4 | od -An -tx1; sleep 1000",
        .terminal = true,
        .open_stdin = true};
    lab_start(&b, &o);
    int a = lab_attach(&b, attach_all, "\n");
    free(lab_expect(&b, a, "ready\n"));
    assert_int_equal(fd_write_all(a, "\x10z\x10", 3), 0); /* no sequence: passed on */
    lab_pass(&b, 50 * NSEC_PER_MSEC);
    assert_int_equal(fd_write_all(a, "\x10\x11", 2), 0);
    free(lab_read(&b, a)); /* detached: the stream ends, the container runs */
    assert_int_equal(b.exited, 0);
    struct monitor_attach keys = attach_all;
    keys.detach_keys = "ctrl-x,q";
    a = lab_attach(&b, keys, "");
    assert_int_equal(fd_write_all(a, "w", 1), 0);
    CLEAN_FREE char *seen = lab_expect(&b, a, "\n");
    free(lab_expect(&b, a, "77\n"));
    assert_int_equal(fd_write_all(a, "\x18q", 2), 0);
    free(lab_read(&b, a));
    keys.detach_keys = "ctrl-";
    unsigned failures = b.failures;
    a = lab_attach(&b, keys, "");
    CLEAN_FREE char *refused = lab_read(&b, a);
    assert_int_equal(b.failures, failures + 1);
    assert_non_null(strstr(refused, "HTTP/1.1 400 "));
    lab_finish(&b);
    lab_leave();
}

TEST(attach_mid_stream_and_several_clients) {
    lab_enter();
    struct lab b;
    lab_start(&b,
              &(struct lab_options){.script = "echo first; read x; echo second; read x; echo third",
                                    .open_stdin = true});
    int a = lab_attach(&b, attach_all, "\n");
    free(lab_expect(&b, a, "second\n"));
    int c = lab_attach(&b, attach_out, "");
    int gone = lab_attach(&b, attach_out, "");
    close(gone);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    CLEAN_FREE char *text = lab_read(&b, a);
    struct buf out[3] = {0};
    lab_read_frames(&b, c, out);
    assert_string_equal(buf_cstr(&out[1]), "third\n");
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

TEST(stop_with_grace_and_kill) {
    lab_enter();
    struct lab b;
    int64_t t0;
    lab_start(&b, &(struct lab_options){
                      .script = "trap 'exit 20' TERM; while true; do sleep 0.05; done"});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    monitor_stop(b.m, SIGTERM, 10 * NSEC_PER_SEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 20);
    lab_finish(&b);

    lab_start(&b, &(struct lab_options){.script = "trap '' TERM; while true; do sleep 0.05; done"});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    t0 = time_monotonic();
    monitor_stop(b.m, SIGTERM, NSEC_PER_SEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_in_range(time_monotonic() - t0, 950 * NSEC_PER_MSEC, 3 * NSEC_PER_SEC);
    assert_int_equal(b.exit.code, 137);
    lab_finish(&b);

    /* a stopped or frozen container ends all the same */
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 0.05; done"});
    monitor_signal(b.m, SIGSTOP, lab_replied, &b);
    lab_pass(&b, 100 * NSEC_PER_MSEC);
    monitor_stop(b.m, SIGTERM, 200 * NSEC_PER_MSEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 137);
    lab_finish(&b);
    char cgroup[128];
    lab_start(&b, &(struct lab_options){
                      .script = "trap 'exit 21' TERM; while true; do sleep 0.05; done"});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    snprintf(cgroup, sizeof(cgroup), "/corten-test-%d/m%d", (int)getpid(), b.number);
    assert_ok(runtime_cgroup_freeze(cgroup, true));
    monitor_stop(b.m, SIGTERM, 5 * NSEC_PER_SEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 21);
    lab_finish(&b);
    assert_int_equal(b.failures, 0);
    lab_leave();
}

TEST(a_slow_reader_holds_only_the_output_back) {
    lab_enter();
    struct lab b;
    lab_start(
        &b,
        &(struct lab_options){
            .script =
                "trap 'exit 30' TERM; (head -c 8000000 /dev/zero | tr '\\0' x; echo done >/tmp/x) &"
                "while true; do sleep 0.05; done"});
    int a = lab_attach(&b, attach_out, "");
    lab_pass(&b, 1500 * NSEC_PER_MSEC);
    CLEAN_FD int upper = openat(b.data, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(faccessat(upper, "tmp/x", F_OK, 0), -1); /* held back */
    int e = lab_attach(&b, attach_out, "");                   /* others are served */
    close(e);
    monitor_stop(b.m, SIGTERM, 5 * NSEC_PER_SEC, lab_replied, &b); /* and stop is not delayed */
    int64_t t0 = time_monotonic();
    lab_until(&b, b.exited > 0);
    assert_true(time_monotonic() - t0 < NSEC_PER_SEC);
    lab_until(&b, b.closed > 0); /* nor is the daemon kept waiting by a client that never reads */
    lab_finish(&b);              /* which is cut in the end */
    close(a);

    /* one that reads late gets everything */
    lab_start(&b, &(struct lab_options){.script = "read x; head -c 8000000 /dev/zero | tr '\\0' x",
                                        .open_stdin = true});
    a = lab_attach(&b, attach_all, "go\n");
    lab_pass(&b, 500 * NSEC_PER_MSEC);
    assert_int_equal(b.exited, 0);
    struct buf out[3] = {0};
    lab_read_frames(&b, a, out);
    assert_int_equal(out[1].len, 8000000);
    buf_done(&out[1]);
    lab_finish(&b);
    lab_leave();
}

/* Pss of a process in kB, from smaps_rollup; ret_private: its private dirty part. */
static long pss(pid_t pid, long *ret_private) {
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    long total = 0, value;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "Pss: %ld", &value) == 1)
            total = value;
        if (sscanf(line, "Private_Dirty: %ld", &value) == 1)
            *ret_private = value;
    }
    fclose(f);
    return total;
}

TEST(memory_of_a_monitor) {
#ifdef __SANITIZE_ADDRESS__
    SKIP("a sanitized program needs more");
    return;
#endif
    lab_enter();
    enum { N = 8 };
    struct lab b[N];
    for (int i = 0; i < N; i++)
        lab_start(&b[i], &(struct lab_options){.script = "echo hello; sleep 1000"});
    for (int i = 0; i < N; i++)
        lab_pass(&b[i], i ? NSEC_PER_MSEC : 3 * NSEC_PER_SEC);
    long private = 0, sum = 0;
    for (int i = 0; i < N; i++)
        sum += pss(b[i].started.monitor_pid, &private);
    printf("# monitor: PSS %ld kB each with %d of them, private dirty %ld kB\n", sum / N, N,
           private);
    assert_in_range(private, 1, 200); /* what one more costs; the rest is shared program text */
    for (int i = 0; i < N; i++)
        lab_finish(&b[i]);
    lab_leave();
}
