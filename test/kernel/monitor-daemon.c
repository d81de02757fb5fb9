/* The daemon dies and comes back: what the container, its clients and the next daemon see. */
#include "test.h"

#include "monitor_lab.h"

static const struct monitor_attach attach_out = {.out = true, .err = true};
static const struct monitor_attach attach_all = {.in = true, .out = true, .err = true};

/* kill -9 of the daemon: its end of the connection is closed, nothing else happens. */
static void daemon_dies(struct lab *b) {
    b->m = monitor_free(b->m);
    loop_step(b->loop);
}

static void wait_gone(struct lab *b) {
    for (int i = 0; i < 100 && !lab_monitor_gone(b); i++)
        lab_pass(b, 50 * NSEC_PER_MSEC);
    assert_true(lab_monitor_gone(b));
}

static struct monitor_hello daemon_comes(struct lab *b) {
    struct monitor_hello h = {.started.conn = -1};
    assert_ok(monitor_dial(b->run, &h));
    return h;
}
static void daemon_adopts(struct lab *b, struct monitor_hello *h) {
    b->m = monitor_new(b->loop, TAKE_FD(h->started.conn), &lab_events, b);
    monitor_hello_done(h);
}

TEST(nobody_notices) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "read x; echo got $x; read x; exit 8",
                                        .open_stdin = true});
    int a = lab_attach(&b, attach_all, ""), w = lab_wait(&b, MONITOR_WAIT_EXIT);
    daemon_dies(&b);
    assert_int_equal(fd_write_all(a, "one\n", 4), 0);
    free(lab_expect(&b, a, "got one\n"));
    struct monitor_hello h = daemon_comes(&b);
    assert_int_equal(h.started.pid, b.started.pid);
    assert_int_equal(h.started.start_time, b.started.start_time);
    assert_int_equal(h.started.started_at, b.started.started_at);
    assert_int_equal(h.started.monitor_pid, b.started.monitor_pid);
    assert_false(h.exited);
    daemon_adopts(&b, &h);
    assert_int_equal(fd_write_all(a, "two\n", 4), 0);
    CLEAN_FREE char *rest = lab_read(&b, a), *answer = lab_read(&b, w);
    assert_int_equal(b.exited, 1);
    assert_int_equal(b.exit.code, 8);
    assert_non_null(strstr(answer, "{\"StatusCode\":8}\n"));
    assert_err(monitor_read_exit(b.run, &h), ERR_NOT_FOUND); /* acknowledged: no record */
    lab_until(&b, b.closed > 0);
    lab_finish(&b);
    lab_leave();
}

TEST(an_exit_without_a_daemon_is_recorded) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "read x; echo bye; exit 77", .open_stdin = true});
    int a = lab_attach(&b, attach_all, ""), w = lab_wait(&b, MONITOR_WAIT_EXIT);
    daemon_dies(&b);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    CLEAN_FREE char *text = lab_read(&b, a);
    /* the record is there before the end of the stream */
    assert_int_equal(faccessat(b.run, "exit", F_OK, 0), 0);
    CLEAN_FREE char *answer = lab_read(&b, w);
    assert_non_null(strstr(answer, "{\"StatusCode\":77}\n"));
    wait_gone(&b); /* nothing is left to do */
    struct monitor_hello h = {.started.conn = -1};
    assert_err(monitor_dial(b.run, &h), ERR_NOT_FOUND);
    assert_ok(monitor_read_exit(b.run, &h));
    assert_true(h.exited);
    assert_int_equal(h.exit.code, 77);
    assert_int_equal(h.started.pid, b.started.pid);
    assert_true(h.exit.finished_at >= b.started.started_at);
    monitor_hello_done(&h);
    assert_err(monitor_read_exit(b.run, &h), ERR_NOT_FOUND);
    lab_finish(&b);
    lab_leave();
}

TEST(an_exit_that_was_not_acknowledged_is_told_again) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "sleep 0.2; exit 5", .hold_exit_ack = true});
    int w = lab_wait(&b, MONITOR_WAIT_REMOVED);
    lab_until(&b, b.exited == 1);
    daemon_dies(&b);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    struct monitor_hello h = daemon_comes(&b); /* the waiter for removal keeps the monitor */
    assert_true(h.exited);
    assert_int_equal(h.exit.code, 5);
    b.hold_exit_ack = false;
    daemon_adopts(&b, &h);
    lab_until(&b, b.exited == 2 && b.waiters_back == 1);
    close(b.waiter_fd);
    close(w);
    lab_until(&b, b.closed > 0);
    assert_err(monitor_read_exit(b.run, &h), ERR_NOT_FOUND);
    lab_finish(&b);
    lab_leave();
}

TEST(an_exec_waits_for_the_next_daemon) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
    int fd, slow;
    struct http_taken t = lab_client(&fd, ""), t2 = lab_client(&slow, "");
    struct monitor_exec x = {.out = true, .err = true, .client = lab_monitor_client(&t)};
    lab_exec(&b, 1, "[\"/bin/sh\",\"-c\",\"sleep 0.3; echo x; exit 44\"]", x);
    x.client = lab_monitor_client(&t2);
    lab_exec(&b, 2, "[\"/bin/sh\",\"-c\",\"sleep 1000\"]", x);
    lab_until(&b, b.replies == 2);
    daemon_dies(&b);
    lab_pass(&b, NSEC_PER_SEC);
    char byte;
    free(lab_expect(&b, fd, "x\n"));
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1); /* no end yet: nobody knows the code */
    assert_int_equal(errno, EAGAIN);
    struct monitor_hello h = daemon_comes(&b);
    assert_int_equal(h.execs_n, 2);
    for (size_t i = 0; i < 2; i++) {
        long number = strtol(h.execs[i].id, NULL, 10);
        assert_true(h.execs[i].running == (number == 2));
        assert_int_equal(h.execs[i].code, number == 2 ? 0 : 44);
    }
    daemon_adopts(&b, &h);
    free(lab_read(&b, fd));
    assert_int_equal(b.exec_codes[1], 44);
    close(slow);
    lab_finish(&b);
    lab_leave();
}

TEST(an_exec_does_not_wait_for_ever) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
    int fd;
    struct http_taken t = lab_client(&fd, "");
    struct monitor_exec x = {.out = true, .err = true, .client = lab_monitor_client(&t)};
    lab_exec(&b, 1, "[\"/bin/sh\",\"-c\",\"exit 45\"]", x);
    daemon_dies(&b); /* before any answer */
    int64_t t0 = time_monotonic();
    free(lab_read(&b, fd));
    assert_in_range(time_monotonic() - t0, 9 * NSEC_PER_SEC, 13 * NSEC_PER_SEC);
    struct monitor_hello h = daemon_comes(&b);
    assert_int_equal(h.execs_n, 1); /* its code is kept all the same */
    assert_int_equal(h.execs[0].code, 45);
    daemon_adopts(&b, &h);
    lab_until(&b, b.exec_codes[1] == 45);
    lab_finish(&b);
    lab_leave();
}

TEST(the_newest_daemon_wins) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
    struct monitor_hello h = daemon_comes(&b);
    lab_until(&b, b.closed == 1); /* the old one is told by the end of its connection */
    daemon_adopts(&b, &h);
    monitor_signal(b.m, SIGKILL, lab_replied, &b);
    lab_until(&b, b.exited == 1);
    lab_finish(&b);
    lab_leave();
}

TEST(stop_goes_on_without_the_daemon) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "trap '' TERM; while true; do sleep 0.1; done"});
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    unsigned before = b.replies;
    monitor_stop(b.m, SIGTERM, 500 * NSEC_PER_MSEC, lab_replied, &b);
    lab_until(&b, b.replies > before);
    daemon_dies(&b);
    wait_gone(&b);
    struct monitor_hello h = {.started.conn = -1};
    assert_ok(monitor_read_exit(b.run, &h));
    assert_int_equal(h.exit.code, 137);
    monitor_hello_done(&h);
    lab_finish(&b);
    lab_leave();
}

TEST(a_monitor_without_a_start_goes_away) {
    lab_enter();
    for (int half = 0; half < 2; half++) {
        int pair[2];
        assert_ok(msg_pair(pair));
        pid_t pid = fork();
        if (pid == 0) {
            int low = dup2(pair[1], 20);
            dup2(low, 3);
            close_range(4, ~0U, 0);
            execl(lab_program(), "corten-monitor", "x", (char *)NULL);
            _exit(99);
        }
        close(pair[1]);
        if (half)
            assert_ok(msg_send(pair[0], 2 /* HELD */, 0, STR_NONE, (int[]){0}, 1));
        close(pair[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 1);
    }
    lab_leave();
}

TEST(a_monitor_that_is_killed_takes_its_container_along) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
    CLEAN_FD int pidfd = -1;
    assert_ok(pidfd_of(b.started.pid, &pidfd));
    assert_int_equal(kill(b.started.monitor_pid, SIGKILL), 0);
    lab_until(&b, b.closed == 1);
    assert_true(pidfd_wait(pidfd, 2000));
    lab_finish(&b);
    lab_leave();
}

TEST(signals_do_not_kill_it) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "while true; do sleep 1000; done"});
    static const int signals[] = {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        assert_int_equal(kill(b.started.monitor_pid, signals[i]), 0);
    lab_pass(&b, 100 * NSEC_PER_MSEC);
    assert_int_equal(b.closed, 0);
    int a = lab_attach(&b, attach_out, "");
    close(a);
    assert_int_equal(b.failures, 0);
    lab_finish(&b);
    lab_leave();
}
