/* Messages as earlier versions wrote them are read as they were meant: a daemon of today talks to
 * monitors of yesterday, and the other way round. recordings/N.txt is what version N of the
 * protocol wrote: lines of a message's type and its body in hex, never changed afterwards. A
 * version that writes something new gets a file of its own (CORTEN_RECORD=FILE makes it). */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "monitor/protocol.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VERSION_1_LAST 62 /* tag */
#define RECORDINGS "test/unit/monitor/recordings"

/* --- what is recorded ------------------------------------------------------------------------- */

static void record(struct buf *out, unsigned type, const struct buf *body) {
    buf_addf(out, "%u ", type);
    buf_add_hex(out, body->data, body->len);
    buf_addc(out, '\n');
}

static void record_start(struct buf *out) {
    static const char *const layers[] = {"top", "base"};
    static const char *const groups[] = {"audio"};
    CLEAN_BUF struct buf body = {0};
    int fds[START_FDS_N];
    size_t n;
    struct monitor_start s = {
        .id = "c0ffee",
        .run_dir_fd = -1,
        .layers_dir_fd = -1,
        .data_dir_fd = -1,
        .netns_fd = -1,
        .seccomp_fd = -1,
        .log_dir_fd = -1,
        .config = STR("{\"ociVersion\":\"1.2.0\"}"),
        .layers = layers,
        .layers_n = 2,
        .user = "app:www",
        .groups = groups,
        .groups_n = 1,
        .terminal = true,
        .auto_remove = true,
        .log_driver = "json-file",
        .log_name = "x-json.log",
        .log_max_size = 1 << 20,
        .log_max_file = 3,
        .log_attrs = STR("{\"tag\":\"t\"}"),
        .log_max_buffer = 4096,
        .log_packer = "/usr/lib/corten/corten-compress",
        .health = {.probe = MONITOR_PROBE_HTTP,
                   .address = "127.0.0.1",
                   .port = 8080,
                   .path = "/ready",
                   .interval = 30,
                   .timeout = 20,
                   .start_period = 10,
                   .start_interval = 5,
                   .retries = 3,
                   .action = MONITOR_ACTION_RESTART,
                   .stop_signo = 15,
                   .stop_timeout = 99},
    };
    protocol_put_start(&body, &s, fds, &n);
    record(out, PROTOCOL_START, &body);
}

static void record_reports(struct buf *out) {
    CLEAN_BUF struct buf body = {0}, exited = {0}, health = {0}, missing = {0};
    char id[] = "abc";
    struct monitor_started started = {
        .monitor_pid = 10, .pid = 11, .start_time = 12, .started_at = 13};
    struct monitor_exit x = {.code = 137,
                             .finished_at = 99,
                             .oom_killed = true,
                             .error = "why",
                             .unhealthy = MONITOR_ACTION_KILL,
                             .log = {1, 2, 3}};
    struct monitor_health_state state = {.status = MONITOR_UNHEALTHY,
                                         .streak = 4,
                                         .results = {{7, 8, -1, STR("out")}},
                                         .results_n = 1};
    protocol_put_started(&body, &started);
    protocol_put_exit(&body, &x);
    protocol_put_exec(&body, &(struct monitor_hello_exec){.id = id, .pid = 6, .code = 42});
    protocol_put_state(&body, &state, false);
    record(out, PROTOCOL_HELLO_REPLY, &body);
    protocol_put_exit(&exited, &x);
    record(out, PROTOCOL_EXITED, &exited);
    protocol_put_state(&health, &state, true);
    record(out, PROTOCOL_HEALTH, &health);
    protocol_put_missing(&missing, &x.log);
    record(out, PROTOCOL_LOG_MISSING, &missing);
}

/* --- reading it back -------------------------------------------------------------------------- */

static void unhex(struct str hex, struct buf *out) {
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        char two[3] = {hex.p[i], hex.p[i + 1], 0};
        buf_addc(out, (char)strtol(two, NULL, 16));
    }
}

/* The body without the tags of later versions. */
static void strip(struct str body, uint16_t last, struct buf *out) {
    uint16_t tag;
    struct str value;
    while (msg_next(&body, &tag, &value))
        if (tag <= last)
            msg_put(out, tag, value);
}

static bool find(unsigned file, unsigned type, struct buf *ret) {
    char path[64];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), RECORDINGS "/%u.txt", file);
    assert_ok(file_read(path, 1 << 20, &text));
    struct str rest = buf_str(&text), line, number, hex;
    while (str_next(&rest, '\n', &line)) {
        uint64_t n;
        if (line.len == 0)
            continue;
        str_cut(line, ' ', &number, &hex);
        assert_ok(str_to_u64(number, 1000, &n));
        if (n != type)
            continue;
        unhex(hex, ret);
        assert_true(msg_body_ok(buf_str(ret)));
        return true;
    }
    return false;
}

static void read_start(struct str body, struct arena *a, struct protocol_start *ret) {
    /* Descriptors cannot be recorded: one for the run directory, as the mask then says. */
    CLEAN_BUF struct buf with = {0};
    uint16_t tag;
    struct str value;
    while (msg_next(&body, &tag, &value))
        if (tag != TAG_START_FDS)
            msg_put(&with, tag, value);
    msg_put_u64(&with, TAG_START_FDS, 1);
    struct msg m = {.body = str_of(NULL), .fds = {dup(0)}, .fds_n = 1};
    m.body = str_n(arena_array(a, with.len, 1), with.len);
    memcpy((char *)m.body.p, with.data, with.len);
    assert_ok(protocol_get_start(&m, a, ret));
}

TEST(a_start_of_version_1) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf body = {0};
    struct protocol_start s;
    assert_true(find(1, PROTOCOL_START, &body));
    read_start(buf_str(&body), &a, &s);
    assert_string_equal(s.id, "c0ffee");
    assert_string_equal(s.layers[1], "base");
    assert_string_equal(s.groups[0], "audio");
    assert_int_equal(s.flags, START_TERMINAL | START_AUTO_REMOVE);
    assert_int_equal(s.log_max_size, 1 << 20);
    assert_true(str_eqz(s.log_attrs, "{\"tag\":\"t\"}"));
    assert_int_equal(s.log_max_buffer, 4096);
    assert_int_equal(s.health.probe, MONITOR_PROBE_HTTP);
    assert_int_equal(s.health.port, 8080);
    assert_string_equal(s.health.path, "/ready");
    assert_int_equal(s.health.action, MONITOR_ACTION_RESTART);
    assert_int_equal(s.health.stop_timeout, 99);
    protocol_start_done(&s);
}

/* Version 0 ended with tag 33. */
TEST(a_start_of_version_0) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf body = {0}, old = {0};
    struct protocol_start s;
    assert_true(find(1, PROTOCOL_START, &body));
    strip(buf_str(&body), 33, &old);
    read_start(buf_str(&old), &a, &s);
    assert_string_equal(s.user, "app:www");
    assert_int_equal(s.health.probe, MONITOR_PROBE_NONE);
    assert_int_equal(s.log_attrs.len, 0);
    assert_int_equal(s.log_max_buffer, 0);
    protocol_start_done(&s);
}

static void check_exit(const struct monitor_exit *x, bool all) {
    assert_int_equal(x->code, 137);
    assert_int_equal(x->finished_at, 99);
    assert_true(x->oom_killed);
    assert_string_equal(x->error, "why");
    assert_int_equal(x->unhealthy, all ? MONITOR_ACTION_KILL : MONITOR_ACTION_NONE);
    assert_int_equal(x->log.removed_bytes, all ? 3 : 0);
}

static void check_hello(struct str body, bool all) {
    struct monitor_hello h = {.started.conn = -1};
    struct monitor_health_state s;
    protocol_get_hello(&(struct msg){.body = body}, &h);
    assert_int_equal(h.started.monitor_pid, 10);
    assert_int_equal(h.started.start_time, 12);
    assert_true(h.exited);
    check_exit(&h.exit, all);
    assert_int_equal(h.execs_n, 1);
    assert_string_equal(h.execs[0].id, "abc");
    assert_int_equal(h.execs[0].code, 42);
    assert_true(monitor_hello_health(&h, &s) == all);
    if (all) {
        assert_int_equal(s.status, MONITOR_UNHEALTHY);
        assert_int_equal(s.streak, 4);
        assert_int_equal(s.results_n, 1);
        assert_int_equal(s.results[0].code, -1);
        assert_true(str_eqz(s.results[0].output, "out"));
    }
    monitor_hello_done(&h);
}

TEST(reports) {
    CLEAN_BUF struct buf body = {0}, old = {0}, exited = {0}, missing = {0};
    struct monitor_exit x;
    struct logs_missing m;
    assert_true(find(1, PROTOCOL_HELLO_REPLY, &body));
    check_hello(buf_str(&body), true);
    strip(buf_str(&body), 33, &old);
    check_hello(buf_str(&old), false);
    assert_true(find(1, PROTOCOL_EXITED, &exited));
    protocol_get_exit(buf_str(&exited), &x);
    check_exit(&x, true);
    assert_true(find(1, PROTOCOL_LOG_MISSING, &missing));
    protocol_get_missing(buf_str(&missing), &m);
    assert_int_equal(m.dropped, 1);
    assert_int_equal(m.removed_files, 2);
}

/* What is written today has in it what version 1 wrote, byte by byte: a receiver of that version
 * misses nothing. */
TEST(todays_messages_are_read_by_version_1) {
    CLEAN_BUF struct buf now = {0};
    record_start(&now);
    record_reports(&now);
    const char *path = getenv("CORTEN_RECORD");
    if (path)
        assert_ok(file_replace(path, buf_str(&now), 0644, false));
    struct str rest = buf_str(&now), line, number, hex;
    while (str_next(&rest, '\n', &line) && line.len > 0) {
        CLEAN_BUF struct buf today = {0}, old = {0}, recorded = {0};
        uint64_t type;
        str_cut(line, ' ', &number, &hex);
        assert_ok(str_to_u64(number, 1000, &type));
        unhex(hex, &today);
        strip(buf_str(&today), VERSION_1_LAST, &old);
        assert_true(find(1, (unsigned)type, &recorded));
        assert_true(str_eq(buf_str(&old), buf_str(&recorded)));
    }
}
