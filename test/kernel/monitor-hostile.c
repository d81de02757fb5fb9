/* Containers that do their worst: no line, no exit code and no answer is lost, and the monitor does
 * not grow. */
#include "test.h"

#include "logs/logs.h"
#include "monitor_lab.h"

/* Texts of all records of the log and its older files, oldest first. */
static void read_log(const struct lab *b, struct buf *text) {
    struct logs_record r = {0};
    for (int i = 20; i >= 0; i--) {
        char name[16];
        CLEAN_BUF struct buf file = {0};
        snprintf(name, sizeof(name), i ? "log.%d" : "log", i);
        struct err e = file_read_at(b->data, name, 256u << 20, &file);
        if (err_failed(e)) {
            err_ignore(e);
            continue;
        }
        for (size_t at = 0; at < file.len;) {
            ssize_t used = logs_parse(str_n(file.data + at, file.len - at), &r, text);
            assert_true(used > 0);
            at += (size_t)used;
        }
    }
    logs_record_done(&r);
    buf_addc(text, '\0');
}

/* Peak resident memory, kB. */
static long peak(pid_t pid) {
    char path[64];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    assert_ok(file_read(path, 65536, &text));
    const char *at = strstr(buf_cstr(&text), "VmHWM:");
    assert_non_null(at);
    return strtol(at + 6, NULL, 10);
}

/* An exec that prints a word; the time until it was answered and had ended. */
static int64_t time_exec(struct lab *b, int number) {
    int64_t t0 = time_monotonic();
    lab_exec(b, number, "[\"/bin/true\"]", (struct monitor_exec){0});
    lab_until(b, b->exec_codes[number] == 0 || b->failures > 0);
    return time_monotonic() - t0;
}

TEST(a_fork_bomb) {
    lab_enter();
    struct lab b;
    /* Its loop has a share of one processor among 150. */
    CLEAN_FREE char *script =
        mem_printf("echo begin; b() { b | b & }; (b) 2>/dev/null; i=0; while [ $i -lt %d ]; do "
                   "i=$((i+1)); done; echo end; exit 7",
                   lab_much(30000));
    lab_start(&b, &(struct lab_options){.script = script,
                                        .box.linux_ = ",\"resources\":{\"pids\":{\"limit\":150}}"});
    lab_until(&b, b.exited > 0);
    CLEAN_BUF struct buf text = {0};
    read_log(&b, &text);
    if (b.exit.code != 7)
        printf("# ended with %d after '%.200s'\n", b.exit.code, buf_cstr(&text));
    assert_int_equal(b.exit.code, 7);
    assert_true(str_starts(buf_str(&text), STR("begin\n")));
    assert_non_null(strstr(text.data, "end\n"));
    lab_finish(&b);
    lab_leave();
}

TEST(a_fork_bomb_is_stopped) {
    lab_enter();
    struct lab b;
    lab_start(&b,
              &(struct lab_options){
                  .script = "b() { b | b & }; trap '' 15; (b) 2>/dev/null & while :; do :; done",
                  .box.linux_ = ",\"resources\":{\"pids\":{\"limit\":150}}"});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    int64_t t0 = time_monotonic();
    monitor_stop(b.m, SIGTERM, 500 * NSEC_PER_MSEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    assert_true(time_monotonic() - t0 < 3 * NSEC_PER_SEC);
    assert_int_equal(b.exit.code, 137);
    lab_finish(&b);
    lab_leave();
}

/* As fast as it can, much more than the log keeps. */
TEST(a_flood) {
    lab_enter();
    struct lab b;
    CLEAN_FREE char *script =
        mem_printf("yes 0123456789012345678901234567890123456789012345678901234567890 | "
                   "head -c %d; echo; echo end; sleep 0.5; exit 9",
                   lab_much(400000000));
    lab_start(&b, &(struct lab_options){.script = script, .log_max_size = 4 << 20});
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    for (int i = 1; i < 4; i++)
        assert_true(time_exec(&b, i) < NSEC_PER_SEC);
    long grown = 0;
    while (!b.exited) {
        if (kill(b.started.monitor_pid, 0) == 0)
            grown = MAX(grown, peak(b.started.monitor_pid));
        lab_pass(&b, 50 * NSEC_PER_MSEC);
    }
    assert_int_equal(b.exit.code, 9);
    assert_int_equal(b.exit.log.dropped, 0);
    assert_true(b.exit.log.removed_bytes > (uint64_t)lab_much(400000000));
    printf("# a flood of %d MB: the monitor had %ld kB at most\n", lab_much(400), grown);
    assert_true(grown < 48 * 1024);
    CLEAN_BUF struct buf text = {0};
    read_log(&b, &text);
    assert_true(str_ends(str_sub(buf_str(&text), 0, text.len - 1), STR("end\n")));
    lab_finish(&b);
    lab_leave();
}

TEST(a_line_without_an_end) {
    lab_enter();
    struct lab b;
    CLEAN_FREE char *script = mem_printf("head -c %d /dev/zero | tr '\\0' x; exit 4",
                                         lab_much(100000000));
    lab_start(&b, &(struct lab_options){.script = script, .log_max_size = 2 << 20});
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 4);
    lab_finish(&b);
    lab_leave();
}

/* Closed by everybody, opened again: what is said then is said to the log as well. */
TEST(a_terminal_that_is_closed) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){
                      .script = "echo before; exec < /dev/null > /dev/null 2>&1; sleep 0.5; echo "
                                "after > /dev/console; sleep 0.2; exit 6",
                      .terminal = true});
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 6);
    CLEAN_BUF struct buf text = {0};
    read_log(&b, &text);
    assert_string_equal(text.data, "before\r\nafter\r\n");
    lab_finish(&b);
    lab_leave();
}

TEST(streams_that_are_closed) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){
                      .script = "echo before; exec < /dev/null > /dev/null 2>&1; sleep 1; exit 6"});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    assert_true(time_exec(&b, 1) < NSEC_PER_SEC);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 6);
    lab_finish(&b);
    lab_leave();
}

TEST(a_name_that_looks_like_more) {
    lab_enter();
    struct lab b;
    lab_start(&b,
              &(struct lab_options){.script = "cp /bin/busybox '/tmp/x) R 1 (y'; ln -s '/tmp/x) R "
                                              "1 (y' /tmp/sleep; printf '\\ns) Z 1 2 3 (' > "
                                              "/proc/self/comm; exec '/tmp/sleep' 1",
                                    .box.no_masks = true});
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    assert_true(time_exec(&b, 1) < NSEC_PER_SEC);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 0);
    lab_finish(&b);
    lab_leave();
}

TEST(what_stops_itself) {
    lab_enter();
    struct lab b;
    char id[65];
    lab_start(&b, &(struct lab_options){.script = "(kill -STOP $(sh -c 'echo $PPID')) & kill -STOP "
                                                  "$$; echo on; while :; do sleep 1000; done"});
    unsigned before = b.replies;
    lab_exec(&b, 1, "[\"/bin/sh\",\"-c\",\"kill -STOP $$; exit 3\"]", (struct monitor_exec){0});
    lab_until(&b, b.replies > before);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    assert_int_equal(b.exec_codes[1], -1); /* stopped is not ended */
    assert_true(time_exec(&b, 2) < NSEC_PER_SEC);
    snprintf(id, sizeof(id), LAB_EXEC_ID, 1);
    monitor_exec_signal(b.m, id, SIGCONT, lab_replied, &b);
    lab_until(&b, b.exec_codes[1] == 3);
    monitor_stop(b.m, SIGTERM, 200 * NSEC_PER_MSEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    CLEAN_BUF struct buf text = {0};
    read_log(&b, &text);
    assert_string_equal(text.data, "on\n");
    lab_finish(&b);
    lab_leave();
}
