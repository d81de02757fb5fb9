/* The log of a running container: complete, followed, rotated, on a full and on a hanging disk. */
#include "test.h"

#include "logs/logs.h"
#include "monitor_lab.h"
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

/* A reader as the worker runs it, in a process of its own; returns the client's end. */
static int reader(struct lab *b, const char *args, pid_t *ret_pid) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        close(fds[0]);
        signal(SIGPIPE, SIG_IGN);
        int passed[3] = {fds[1], fcntl(b->data, F_DUPFD_CLOEXEC, 3),
                         fcntl(b->run, F_DUPFD_CLOEXEC, 3)};
        struct buf result = {0};
        struct err e = monitor_logs_job(NULL, str_of(args), passed, 3, &result);
        _exit(err_failed(e) ? 1 : 0);
    }
    close(fds[1]);
    return fds[0];
}

/* Undoes the chunks of an answer. */
static char *dechunk(const char *answer) {
    struct buf out = {0};
    const char *p = lab_body(answer);
    assert_non_null(strstr(answer, "Transfer-Encoding: chunked\r\n"));
    for (;;) {
        char *end;
        size_t n = strtoul(p, &end, 16);
        assert_true(strncmp(end, "\r\n", 2) == 0);
        if (n == 0)
            return buf_take(&out);
        buf_add(&out, end + 2, n);
        p = end + 2 + n + 2;
    }
}

static void check_sequence(const char *text, int from, int count) {
    const char *p = text;
    for (int i = from; i < from + count; i++) {
        char *end;
        long v = strtol(p, &end, 10);
        if (v != i || *end != '\n')
            fail_msg("line %d is %.20s", i, p);
        p = end + 1;
    }
    assert_string_equal(p, "");
}

static void expect_reader(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define RAW "\"name\":\"log\",\"stdout\":true,\"stderr\":true,\"tty\":true"

TEST(a_million_lines) {
    lab_enter();
    struct lab b;
    int64_t t0 = time_monotonic();
    const int lines = lab_much(1000000);
    CLEAN_FREE char *script =
        mem_printf("read x; i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); done", lines);
    lab_start(&b, &(struct lab_options){.script = script, .open_stdin = true});
    pid_t follower;
    int f = reader(&b, "{" RAW ",\"follow\":true}", &follower);
    struct monitor_attach a = {.in = true};
    close(lab_attach(&b, a, "\n"));
    CLEAN_FREE char *followed = lab_read(&b, f);
    lab_until(&b, b.exited > 0);
    int64_t t1 = time_monotonic();
    expect_reader(follower);
    CLEAN_FREE char *text = dechunk(followed);
    check_sequence(text, 0, lines);
    pid_t again;
    f = reader(&b, "{" RAW "}", &again);
    CLEAN_FREE char *read = lab_read(NULL, f), *whole = dechunk(read);
    expect_reader(again);
    check_sequence(whole, 0, lines);
    printf("# %d lines written and followed in %lld ms, read in %lld ms\n", lines,
           (long long)(t1 - t0) / 1000000, (long long)(time_monotonic() - t1) / 1000000);
    lab_finish(&b);
    lab_leave();
}

TEST(rotation_under_a_follower) {
    lab_enter();
    struct lab b;
    lab_start(&b,
              &(struct lab_options){
                  .script = "read x; i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); done",
                  .open_stdin = true,
                  .log_max_size = 1 << 20});
    pid_t pid;
    int f = reader(&b, "{" RAW ",\"follow\":true}", &pid);
    struct monitor_attach a = {.in = true};
    close(lab_attach(&b, a, "\n"));
    CLEAN_FREE char *followed = lab_read(&b, f), *text = dechunk(followed);
    expect_reader(pid);
    check_sequence(text, 0, 100000);
    assert_int_equal(faccessat(b.data, "log.5", F_OK, 0), 0);
    lab_finish(&b);
    lab_leave();
}

TEST(tail_timestamps_streams) {
    lab_enter();
    struct lab b;
    lab_start(&b,
              &(struct lab_options){
                  .script = "for i in 1 2 3 4 5 6; do echo $i; echo e$i >&2; sleep 0.02; done"});
    lab_until(&b, b.exited > 0);
    pid_t pid;
    int f = reader(&b, "{" RAW ",\"tail\":3}", &pid);
    CLEAN_FREE char *x = lab_read(NULL, f), *tail = dechunk(x);
    expect_reader(pid);
    assert_string_equal(tail, "e5\n6\ne6\n");
    f = reader(&b, "{\"name\":\"log\",\"stderr\":true,\"tail\":\"4\"}", &pid);
    CLEAN_FREE char *y = lab_read(NULL, f);
    expect_reader(pid);
    assert_non_null(strstr(y, "Content-Type: application/vnd.docker.multiplexed-stream\r\n"));
    f = reader(&b, "{" RAW ",\"tail\":1,\"timestamps\":true}", &pid);
    CLEAN_FREE char *z = lab_read(NULL, f), *stamped = dechunk(z);
    expect_reader(pid);
    assert_int_equal(strlen(stamped), strlen("2026-11-21T08:02:36.123456789Z e6\n"));
    assert_string_equal(stamped + 30, " e6\n");
    f = reader(&b, "{" RAW ",\"tail\":0}", &pid);
    CLEAN_FREE char *v = lab_read(NULL, f), *none = dechunk(v);
    expect_reader(pid);
    assert_string_equal(none, "");
    f = reader(&b, "{" RAW ",\"until\":\"1.5\"}", &pid);
    CLEAN_FREE char *u = lab_read(NULL, f), *early = dechunk(u);
    expect_reader(pid);
    assert_string_equal(early, "");
    lab_finish(&b);
    lab_leave();
}

/* What was written between its first look and the moment when the monitor knew it woke nobody. */
TEST(a_follower_is_woken_as_soon_as_it_is_known) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "echo once; sleep 100"});
    lab_pass(&b, 100 * NSEC_PER_MSEC);
    CLEAN_FD int fd = -1;
    assert_ok(monitor_follow_log(b.run, &fd));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    char c;
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 1);
    lab_finish(&b);
    lab_leave();
}

TEST(a_follower_that_leaves_ends_its_reader) {
    lab_enter();
    struct lab b;
    lab_start(&b, &(struct lab_options){.script = "echo x; sleep 1000"});
    pid_t pid;
    int f = reader(&b, "{" RAW ",\"follow\":true}", &pid);
    free(lab_expect(&b, f, "x\n"));
    close(f);
    expect_reader(pid);
    f = reader(&b, "{" RAW ",\"follow\":true}", &pid); /* truncated from outside: starts over */
    free(lab_expect(&b, f, "x\n"));
    assert_int_equal(ftruncate(openat(b.data, "log", O_WRONLY | O_CLOEXEC), 0), 0);
    close(f);
    expect_reader(pid);
    lab_finish(&b);
    lab_leave();
}

/* A file system of its own below /mnt for the log directory. */
static void own_log(struct lab_options *o, const char *options) {
    static int n;
    char path[64];
    snprintf(path, sizeof(path), "logdisk/%d", n++);
    put_dir(path);
    assert_int_equal(mount("logdisk", path, "tmpfs", 0, options), 0);
    o->log_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(o->log_dir >= 0);
}

TEST(a_full_disk_leaves_a_gap_and_a_running_container) {
    lab_enter();
    struct lab b;
    struct lab_options o = {
        .script = "read x; head -c 3000000 /dev/zero | tr '\\0' '\\n'; echo filled >&2;"
                  "read x; echo after; read x; exit 3",
        .open_stdin = true};
    own_log(&o, "size=1m");
    lab_start(&b, &o);
    struct monitor_attach all = {.in = true, .err = true};
    int a = lab_attach(&b, all, "\n");
    free(lab_expect(&b, a, "filled\n"));
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    assert_int_equal(b.exited, 0);
    char options[] = "size=4m";
    assert_int_equal(mount("none", "logdisk/0", NULL, MS_REMOUNT, options), 0);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    assert_int_equal(fd_write_all(a, "\n", 1), 0);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, 3);
    close(a);
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read_at(o.log_dir, "log", 8 << 20, &text));
    const char *mark = strstr(buf_cstr(&text),
                              "log records are missing here: No space left on device");
    assert_non_null(mark);
    assert_non_null(strstr(mark, "{\"log\":\"after\\n\""));
    struct logs_record r = {0};
    CLEAN_BUF struct buf out = {0};
    for (size_t at = 0; at < text.len;) { /* every line is a whole record */
        ssize_t used = logs_parse(str_n(text.data + at, text.len - at), &r, &out);
        assert_true(used > 0);
        at += (size_t)used;
    }
    logs_record_done(&r);
    close(o.log_dir);
    lab_finish(&b);
    umount2("logdisk/0", MNT_DETACH);
    lab_leave();
}

/* An ext4 on a loop device, which can be frozen: writes to it do not return. False: not here. */
static bool freezable_log(struct lab_options *o) {
    put_dir("frozen");
    put_dir("frozen/disk");
    if (system_ok("truncate -s 16m frozen/image && mkfs.ext4 -q frozen/image && "
                  "mount -o loop frozen/image frozen/disk") != 0)
        return false;
    o->log_dir = open("frozen/disk", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return true;
}

static void freezable_done(struct lab_options *o) {
    close(o->log_dir);
    assert_int_equal(umount2("frozen/disk", 0), 0);
}

static void within_a_second(const char *what, int64_t since) {
    int64_t took = time_monotonic() - since;
    printf("# with a frozen log disk: %s %lld ms\n", what, (long long)took / 1000000);
    assert_true(took < NSEC_PER_SEC);
}

/* The log holds 0 to at least `least`, in order, and ends with `last`. */
static void check_counted(int log_dir, int least, const char *last) {
    CLEAN_BUF struct buf text = {0}, record = {0};
    struct logs_record r = {0};
    int n = 0;
    bool ended = false;
    assert_ok(file_read_at(log_dir, "log", 8 << 20, &text));
    for (size_t at = 0; at < text.len;) {
        buf_clear(&record);
        ssize_t used = logs_parse(str_n(text.data + at, text.len - at), &r, &record);
        assert_true(used > 0);
        at += (size_t)used;
        char want[16];
        snprintf(want, sizeof(want), "%d\n", n);
        ended = str_eqz(buf_str(&record), last);
        if (!ended)
            assert_true(str_eqz(buf_str(&record), want));
        n += !ended;
    }
    logs_record_done(&r);
    assert_true(ended && n >= least);
}

TEST(a_hanging_disk_delays_only_the_log) {
    lab_enter();
    struct lab b;
    struct lab_options o = {.script = "trap 'echo end; exit 9' TERM; trap 'exit 8' USR1;"
                                      "i=0; while true; do echo $i; i=$((i+1)); sleep 0.05; done"};
    if (!freezable_log(&o)) {
        lab_leave();
        SKIP("cannot mount an ext4 on a loop device here");
        return;
    }
    lab_start(&b, &o);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    int wait = lab_wait(&b, MONITOR_WAIT_EXIT);
    int frozen = ioctl(o.log_dir, FIFREEZE, 0);
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    int64_t t0 = time_monotonic();
    lab_exec(&b, 1, "[\"/bin/sh\",\"-c\",\"exit 5\"]", (struct monitor_exec){0});
    lab_until(&b, b.exec_codes[1] == 5);
    within_a_second("exec", t0);
    t0 = time_monotonic();
    monitor_stop(b.m, SIGTERM, 5 * NSEC_PER_SEC, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    within_a_second("stop and the exit record", t0);
    CLEAN_FREE char *waited = lab_read(&b, wait);
    within_a_second("wait", t0);
    if (frozen == 0)
        ioctl(o.log_dir, FITHAW, 0);
    assert_int_equal(frozen, 0);
    assert_int_equal(b.exit.code, 9);
    assert_non_null(strstr(waited, "\"StatusCode\":9"));
    lab_finish(&b);
    check_counted(o.log_dir, 8, "end\n"); /* what was said while it hung is there, to the end */
    freezable_done(&o);
    lab_leave();
}

TEST(a_log_whose_disk_hung_goes_on) {
    lab_enter();
    struct lab b;
    struct lab_options o = {.script = "trap 'echo end; exit 8' USR1;"
                                      "i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done"};
    if (!freezable_log(&o)) {
        lab_leave();
        SKIP("cannot mount an ext4 on a loop device here");
        return;
    }
    lab_start(&b, &o);
    for (int round = 0; round < 3; round++) {
        lab_pass(&b, 150 * NSEC_PER_MSEC);
        int frozen = ioctl(o.log_dir, FIFREEZE, 0);
        lab_pass(&b, 400 * NSEC_PER_MSEC);
        assert_int_equal(frozen == 0 ? ioctl(o.log_dir, FITHAW, 0) : -1, 0);
    }
    int frozen = ioctl(o.log_dir, FIFREEZE, 0);
    lab_pass(&b, 150 * NSEC_PER_MSEC);
    int64_t t0 = time_monotonic();
    monitor_signal(b.m, SIGUSR1, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    within_a_second("kill and the exit record", t0);
    assert_int_equal(frozen == 0 ? ioctl(o.log_dir, FITHAW, 0) : -1, 0);
    assert_int_equal(b.exit.code, 8);
    lab_finish(&b);
    check_counted(o.log_dir, 50, "end\n");
    freezable_done(&o);
    lab_leave();
}

/* Who was told of the exit and reads the log then sees all of it, however long the disk takes. */
TEST(a_reader_after_the_end_waits_for_the_rest) {
    lab_enter();
    struct lab b;
    struct lab_options o = {
        .script = "trap 'echo end; exit 0' USR1; while true; do sleep 0.05; done"};
    if (!freezable_log(&o)) {
        lab_leave();
        SKIP("cannot mount an ext4 on a loop device here");
        return;
    }
    lab_start(&b, &o);
    lab_pass(&b, 200 * NSEC_PER_MSEC);
    int frozen = ioctl(o.log_dir, FIFREEZE, 0);
    monitor_signal(b.m, SIGUSR1, lab_replied, &b);
    lab_until(&b, b.exited > 0);
    int data = b.data;
    b.data = o.log_dir; /* where its log is */
    pid_t pid, left;
    int f = reader(&b, "{" RAW "}", &pid), g = reader(&b, "{" RAW "}", &left);
    b.data = data;
    struct pollfd p = {.fd = f, .events = POLLIN};
    int early = poll(&p, 1, 1500);
    close(g); /* a client that does not wait for it ends its reader */
    expect_reader(left);
    assert_int_equal(frozen == 0 ? ioctl(o.log_dir, FITHAW, 0) : -1, 0);
    CLEAN_FREE char *answer = lab_read(&b, f), *text = dechunk(answer);
    expect_reader(pid);
    assert_int_equal(early, 0);
    assert_string_equal(text, "end\n");
    lab_finish(&b);
    freezable_done(&o);
    lab_leave();
}

/* While it runs, a hanging disk keeps a reader for a second, no longer. */
TEST(a_reader_before_the_end_does_not_wait_for_ever) {
    lab_enter();
    struct lab b;
    struct lab_options o = {
        .script = "trap 'echo more' USR1; echo first; while true; do sleep 0.05; done"};
    if (!freezable_log(&o)) {
        lab_leave();
        SKIP("cannot mount an ext4 on a loop device here");
        return;
    }
    lab_start(&b, &o);
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    int frozen = ioctl(o.log_dir, FIFREEZE, 0);
    monitor_signal(b.m, SIGUSR1, lab_replied, &b);
    lab_pass(&b, 300 * NSEC_PER_MSEC);
    int data = b.data;
    pid_t pid;
    b.data = o.log_dir;
    int f = reader(&b, "{" RAW "}", &pid);
    b.data = data;
    CLEAN_FREE char *answer = lab_read(&b, f);
    assert_int_equal(frozen == 0 ? ioctl(o.log_dir, FITHAW, 0) : -1, 0);
    CLEAN_FREE char *text = dechunk(answer);
    expect_reader(pid);
    assert_string_equal(text, "first\n");
    lab_finish(&b);
    freezable_done(&o);
    lab_leave();
}

TEST(throughput) {
    lab_enter();
    struct lab b;
    /* 64-byte lines from a file; tmpfs, so that the disk is not what is measured */
    const int mib = lab_much(256);
    CLEAN_FD int file = open("image/base/lines", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CLEAN_FREE char *block = mem_alloc(1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        block[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
    for (int i = 0; i < mib; i++)
        assert_int_equal(fd_write_all(file, block, 1 << 20), 0);
    lab_start(&b, &(struct lab_options){.script = "read x; exec cat /lines",
                                        .open_stdin = true,
                                        .log_max_size = 50 << 20});
    struct monitor_attach a = {.in = true};
    int64_t t0 = time_monotonic();
    close(lab_attach(&b, a, "\n"));
    lab_until(&b, b.exited > 0);
    double s = (double)(time_monotonic() - t0) / 1e9;
    printf("# log of %d MiB in 64-byte lines: %.0f MB/s\n", mib, mib * 1.048576 / s);
    lab_finish(&b);
    lab_leave();
}
