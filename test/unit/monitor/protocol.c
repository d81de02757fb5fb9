/* What is put into a message comes out of it; what does not add up is refused. */
#include "test.h"

#include "base/mem.h"
#include "monitor/protocol.h"
#include <unistd.h>

static void bury_fds(struct msg *m) {
    for (size_t i = 0; i < m->fds_n; i++)
        fd_close(m->fds[i]);
}

TEST(start_round_trip) {
    static const char *const layers[] = {"top", "middle", "base"};
    static const char *const groups[] = {"wheel", "10"};
    struct monitor_start s = {
        .id = "c0ffee",
        .run_dir_fd = dup(0),
        .layers_dir_fd = dup(0),
        .data_dir_fd = dup(0),
        .netns_fd = -1,
        .seccomp_fd = dup(0),
        .log_dir_fd = -1,
        .config = STR("{\"x\":1}"),
        .layers = layers,
        .layers_n = 3,
        .user = "app:www",
        .groups = groups,
        .groups_n = 2,
        .terminal = true,
        .stdin_once = true,
        .log_driver = "none",
        .log_name = "a.log",
        .log_max_size = -1,
        .log_max_file = 7,
    };
    CLEAN_BUF struct buf body = {0};
    CLEAN_ARENA struct arena a = {0};
    struct msg m = {0};
    protocol_put_start(&body, &s, m.fds, &m.fds_n);
    assert_int_equal(m.fds_n, 4);
    m.body = buf_str(&body);
    struct protocol_start r;
    assert_ok(protocol_get_start(&m, &a, &r));
    assert_string_equal(r.id, "c0ffee");
    assert_true(str_eqz(r.config, "{\"x\":1}"));
    assert_int_equal(r.layers_n, 3);
    assert_string_equal(r.layers[0], "top");
    assert_string_equal(r.layers[2], "base");
    assert_int_equal(r.groups_n, 2);
    assert_string_equal(r.groups[1], "10");
    assert_string_equal(r.user, "app:www");
    assert_int_equal(r.flags, START_TERMINAL | START_STDIN_ONCE);
    assert_int_equal(r.fds[START_RUN_DIR], s.run_dir_fd);
    assert_int_equal(r.fds[START_DATA_DIR], s.data_dir_fd);
    assert_int_equal(r.fds[START_NETNS], -1);
    assert_int_equal(r.fds[START_SECCOMP], s.seccomp_fd);
    assert_int_equal(r.fds[START_LOG_DIR], -1);
    assert_int_equal(r.log_max_size, -1);
    assert_int_equal(r.log_max_file, 7);
    assert_int_equal(m.fds[0], -1); /* taken */
    protocol_start_done(&r);
}

TEST(start_with_wrong_descriptors_is_refused) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_ARENA struct arena a = {0};
    msg_putz(&body, TAG_ID, "x");
    msg_putz(&body, TAG_CONFIG, "{}");
    msg_put_u64(&body, TAG_START_FDS, 7);
    struct msg m = {.body = buf_str(&body), .fds = {dup(0)}, .fds_n = 1};
    struct protocol_start r;
    assert_err(protocol_get_start(&m, &a, &r), ERR_INVALID);
    bury_fds(&m);
    buf_clear(&body);
    msg_put_u64(&body, TAG_START_FDS, UINT64_MAX);
    m = (struct msg){.body = buf_str(&body)};
    assert_err(protocol_get_start(&m, &a, &r), ERR_INVALID);
}

TEST(client_round_trip) {
    struct http_taken taken = {.fd = -1, .upgrade = true};
    buf_add(&taken.early, "a\0b", 3);
    struct monitor_client c = {.taken = &taken, .content_type = "x/y", .head_sent = true};
    CLEAN_BUF struct buf body = {0};
    protocol_put_client(&body, &c, CLIENT_IN | CLIENT_ERR, "ctrl-a");
    struct msg m = {.body = buf_str(&body), .fds = {dup(0)}, .fds_n = 1};
    int fd = m.fds[0];
    struct protocol_client r;
    protocol_get_client(&m, &r);
    assert_int_equal(r.fd, fd);
    assert_int_equal(r.flags, CLIENT_HEAD_SENT | CLIENT_UPGRADE | CLIENT_IN | CLIENT_ERR);
    assert_string_equal(r.content_type, "x/y");
    assert_string_equal(r.detach_keys, "ctrl-a");
    assert_int_equal(r.early.len, 3);
    assert_memory_equal(r.early.data, "a\0b", 3);
    protocol_client_done(&r);
    buf_done(&taken.early);
}

TEST(hello_round_trip) {
    CLEAN_BUF struct buf body = {0};
    struct monitor_started s = {.monitor_pid = 10, .pid = 11, .start_time = 12, .started_at = 13};
    struct monitor_exit x = {.code = 137, .finished_at = 99, .oom_killed = true, .error = "why"};
    char one[] = "one", two[] = "two";
    protocol_put_started(&body, &s);
    protocol_put_exit(&body, &x);
    protocol_put_exec(&body, &(struct monitor_hello_exec){.id = one, .pid = 5, .running = true});
    protocol_put_exec(&body, &(struct monitor_hello_exec){.id = two, .pid = 6, .code = 42});
    msg_put(&body, 60000, STR("of a newer version")); /* skipped */
    struct monitor_hello h = {.started.conn = -1};
    protocol_get_hello(&(struct msg){.body = buf_str(&body)}, &h);
    assert_int_equal(h.started.monitor_pid, 10);
    assert_int_equal(h.started.pid, 11);
    assert_int_equal(h.started.start_time, 12);
    assert_int_equal(h.started.started_at, 13);
    assert_true(h.exited);
    assert_int_equal(h.exit.code, 137);
    assert_int_equal(h.exit.finished_at, 99);
    assert_true(h.exit.oom_killed);
    assert_string_equal(h.exit.error, "why");
    assert_int_equal(h.execs_n, 2);
    assert_string_equal(h.execs[0].id, "one");
    assert_true(h.execs[0].running);
    assert_string_equal(h.execs[1].id, "two");
    assert_false(h.execs[1].running);
    assert_int_equal(h.execs[1].code, 42);
    monitor_hello_done(&h);
}

TEST(a_running_container_has_no_exit) {
    CLEAN_BUF struct buf body = {0};
    protocol_put_started(&body, &(struct monitor_started){.pid = 1});
    struct monitor_hello h = {.started.conn = -1};
    protocol_get_hello(&(struct msg){.body = buf_str(&body)}, &h);
    assert_false(h.exited);
    assert_int_equal(h.execs_n, 0);
    monitor_hello_done(&h);
}
