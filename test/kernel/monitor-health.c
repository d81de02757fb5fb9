/* Health checks: every kind of probe, the clock, what follows. */
#include "test.h"

#include "monitor_lab.h"

#define MS NSEC_PER_MSEC

static const struct monitor_health quick = {.interval = 50 * MS,
                                            .timeout = 2000 * MS,
                                            .start_interval = 50 * MS,
                                            .retries = 2,
                                            .stop_signo = SIGTERM,
                                            .stop_timeout = NSEC_PER_SEC};
#define IDLE "while true; do sleep 1000; done"

/* Starts with a probe that runs a shell line. */
static void start_exec(struct lab *b, struct lab_options o, const char *line) {
    CLEAN_BUF struct buf args = {0};
    buf_adds(&args, "[\"/bin/sh\",\"-c\",");
    json_quote(&args, str_of(line));
    buf_adds(&args, "]");
    CLEAN_FREE char *process = lab_process(buf_cstr(&args), NULL);
    o.health.probe = MONITOR_PROBE_EXEC;
    o.health.process = str_of(process);
    lab_start(b, &o);
}

TEST(a_command_decides) {
    lab_enter();
    struct lab b;
    start_exec(&b, (struct lab_options){.script = IDLE, .health = quick},
               "echo out; echo err >&2; test ! -e /tmp/bad");
    lab_until(&b, b.probes == 2);
    assert_int_equal(b.health, MONITOR_HEALTHY);
    assert_int_equal(b.probe_code, 0);
    assert_string_equal(b.probe_output, "out\nerr\n");
    lab_exec(&b, 1, "[\"/bin/touch\",\"/tmp/bad\"]", (struct monitor_exec){0});
    lab_until(&b, b.streak == 1);
    assert_int_equal(b.health, MONITOR_HEALTHY); /* one failure is none */
    lab_until(&b, b.streak == 2);
    assert_int_equal(b.health, MONITOR_UNHEALTHY);
    assert_int_equal(b.probe_code, 1);
    lab_exec(&b, 2, "[\"/bin/sh\",\"-c\",\"exec mv /tmp/bad /tmp/good\"]",
             (struct monitor_exec){0});
    lab_until(&b, b.health == MONITOR_HEALTHY);
    assert_int_equal(b.streak, 0);
    assert_int_equal(b.execs_ended, 2); /* probes are no execs of anybody's */
    lab_finish(&b);
    lab_leave();
}

TEST(output_is_bounded) {
    lab_enter();
    struct lab b;
    start_exec(&b, (struct lab_options){.script = IDLE, .health = quick},
               "head -c 1000000 /dev/zero | tr '\\0' x");
    lab_until(&b, b.probes == 1);
    assert_int_equal(strlen(b.probe_output), MONITOR_HEALTH_OUTPUT + 3);
    assert_true(str_ends(str_of(b.probe_output), STR("xxx...")));
    lab_finish(&b);
    lab_leave();
}

TEST(a_probe_that_hangs_is_killed_with_all_it_started) {
    lab_enter();
    struct lab b;
    struct monitor_health h = quick;
    h.timeout = 300 * MS;
    start_exec(&b, (struct lab_options){.script = IDLE, .health = h},
               "echo here; (trap '' 15; setsid sleep 555) & sleep 555");
    lab_until(&b, b.probes == 2);
    assert_int_equal(b.probe_code, -1);
    assert_string_equal(b.probe_output, "Health check exceeded timeout (300ms): here\n");
    assert_int_equal(b.health, MONITOR_UNHEALTHY);
    lab_until(&b, b.probes == 4);
    char path[128];
    snprintf(path, sizeof(path), "/corten-test-%d/m%d", (int)getpid(), b.number);
    CLEAN_FREE pid_t *pids = NULL;
    size_t n;
    assert_ok(runtime_cgroup_pids(path, &pids, &n));
    assert_true(n <= 2 + 3); /* the container's two, and one probe's at most */
    lab_finish(&b);
    lab_leave();
}

TEST(a_command_that_is_missing) {
    lab_enter();
    struct lab b;
    struct lab_options o = {.script = IDLE, .health = quick};
    CLEAN_FREE char *process = lab_process("[\"/none\"]", NULL);
    o.health.probe = MONITOR_PROBE_EXEC;
    o.health.process = str_of(process);
    lab_start(&b, &o);
    lab_until(&b, b.probes == 2);
    assert_int_equal(b.probe_code, -1);
    assert_non_null(strstr(b.probe_output, "\"/none\""));
    assert_int_equal(b.health, MONITOR_UNHEALTHY);
    lab_finish(&b);
    lab_leave();
}

TEST(failures_within_the_start_period_do_not_count) {
    lab_enter();
    struct lab b;
    struct monitor_health h = quick;
    h.start_period = 900 * MS;
    h.interval = 10 * NSEC_PER_SEC; /* only start_interval can be what asks so often */
    start_exec(&b, (struct lab_options){.script = IDLE, .health = h}, "exit 3");
    lab_until(&b, b.probes == 4);
    assert_int_equal(b.health, MONITOR_STARTING);
    assert_int_equal(b.streak, 0);
    assert_int_equal(b.probe_code, 3);
    lab_finish(&b);
    h.interval = 50 * MS;
    start_exec(&b, (struct lab_options){.script = IDLE, .health = h}, "exit 3");
    lab_until(&b, b.health == MONITOR_UNHEALTHY); /* after it they do */
    assert_true(b.probes > 2);
    lab_finish(&b);
    lab_leave();
}

static void start_port(struct lab *b, enum monitor_probe probe, const char *script) {
    struct lab_options o = {.script = script, .health = quick};
    o.health.probe = probe;
    o.health.address = "127.0.0.1";
    o.health.port = 8081;
    o.health.path = "/ready";
    lab_start(b, &o);
}

/* The network namespace of the lab's containers has a loopback interface that is down. */
#define UP "ip link set lo up; "
#define CAPS_ALL                                                                                \
    "{\"bounding\":[\"CAP_NET_ADMIN\"],\"effective\":[\"CAP_NET_ADMIN\"],\"permitted\":[\"CAP_" \
    "NET_ADMIN\"]}"

TEST(connections_from_within) {
    lab_enter();
    struct lab b;
    struct lab_options o = {.script = UP "exec busybox nc -ll -p 8081 -e /bin/true",
                            .health = quick,
                            .box.capabilities = CAPS_ALL};
    o.health.probe = MONITOR_PROBE_TCP;
    o.health.address = "127.0.0.1";
    o.health.port = 8081;
    o.health.path = "";
    lab_start(&b, &o);
    lab_until(&b, b.health == MONITOR_HEALTHY);
    lab_finish(&b);
    o.health.port = 8082;
    lab_start(&b, &o);
    lab_until(&b, b.health == MONITOR_UNHEALTHY);
    assert_string_equal(b.probe_output, "connect to 127.0.0.1 port 8082: Connection refused");
    assert_int_equal(b.probe_code, 1);
    lab_finish(&b);
    start_port(&b, MONITOR_PROBE_TCP, IDLE); /* no network at all */
    lab_until(&b, b.health == MONITOR_UNHEALTHY);
    lab_finish(&b);
    lab_leave();
}

/* A server that says one thing to everybody. */
static void start_http(struct lab *b, const char *answer) {
    CLEAN_FREE char *script = mem_printf(
        UP "printf '#!/bin/sh\\nread l; printf \"%s\"; case $l in *GET*/ready*HTTP/1.1*) ;; *) "
           "exit 1 ;; esac\\n' > /tmp/s; chmod 755 /tmp/s; exec busybox nc -ll -p 8081 -e /tmp/s",
        answer);
    struct lab_options o = {.script = script, .health = quick, .box.capabilities = CAPS_ALL};
    o.health.probe = MONITOR_PROBE_HTTP;
    o.health.address = "127.0.0.1";
    o.health.port = 8081;
    o.health.path = "/ready";
    lab_start(b, &o);
}

TEST(http_status_decides) {
    static const struct {
        const char *answer, *output;
        enum monitor_health_status status;
    } cases[] = {
        {"HTTP/1.1 200 OK\\\\r\\\\n\\\\r\\\\n", "HTTP/1.1 200 OK", MONITOR_HEALTHY},
        {"HTTP/1.0 302 Found\\\\r\\\\n\\\\r\\\\n", "HTTP/1.0 302 Found", MONITOR_HEALTHY},
        {"HTTP/1.1 503 Busy\\\\r\\\\n\\\\r\\\\n", "HTTP/1.1 503 Busy", MONITOR_UNHEALTHY},
        {"SSH-2.0-x\\\\r\\\\n", "SSH-2.0-x", MONITOR_UNHEALTHY},
    };
    lab_enter();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lab b;
        start_http(&b, cases[i].answer);
        lab_until(&b, b.health == cases[i].status);
        lab_until(&b, strcmp(b.probe_output, cases[i].output) == 0);
        lab_finish(&b);
    }
    lab_leave();
}

TEST(a_file_decides) {
    lab_enter();
    struct lab b;
    struct lab_options o = {.script = "ln -s /etc/../tmp/real /tmp/ready; sleep 0.3; touch "
                                      "/tmp/real; " IDLE,
                            .health = quick};
    o.health.probe = MONITOR_PROBE_FILE;
    o.health.path = "/tmp/ready";
    lab_start(&b, &o);
    lab_until(&b, b.probes == 1);
    assert_string_equal(b.probe_output, "/tmp/ready: No such file or directory");
    lab_until(&b, b.health == MONITOR_HEALTHY);
    assert_string_equal(b.probe_output, "");
    lab_finish(&b);
    o.health.max_age = 400 * MS; /* a heartbeat that has stopped */
    lab_start(&b, &o);
    lab_until(&b, b.health == MONITOR_HEALTHY);
    lab_until(&b, b.health == MONITOR_UNHEALTHY);
    assert_non_null(strstr(b.probe_output, "/tmp/ready: last changed 0."));
    lab_finish(&b);
    lab_leave();
}

TEST(a_frozen_container_is_not_asked) {
    lab_enter();
    struct lab b;
    char path[128];
    start_exec(&b, (struct lab_options){.script = IDLE, .health = quick}, "true");
    lab_until(&b, b.probes == 2);
    snprintf(path, sizeof(path), "/corten-test-%d/m%d", (int)getpid(), b.number);
    assert_ok(runtime_cgroup_freeze(path, true));
    lab_pass(&b, 200 * MS);
    unsigned before = b.probes;
    lab_pass(&b, 500 * MS);
    assert_int_equal(b.probes, before);
    assert_int_equal(b.health, MONITOR_HEALTHY);
    assert_ok(runtime_cgroup_freeze(path, false));
    lab_until(&b, b.probes > before + 1);
    assert_int_equal(b.health, MONITOR_HEALTHY);
    lab_finish(&b);
    lab_leave();
}

TEST(what_follows) {
    static const struct {
        enum monitor_action action;
        int code;
    } cases[] = {
        {MONITOR_ACTION_STOP, 44}, {MONITOR_ACTION_RESTART, 44}, {MONITOR_ACTION_KILL, 137}};
    lab_enter();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lab b;
        struct monitor_health h = quick;
        h.action = cases[i].action;
        start_exec(&b,
                   (struct lab_options){.script = "trap 'exit 44' 15; while :; do sleep 0.1; done",
                                        .health = h},
                   "exit 1");
        lab_until(&b, b.exited > 0);
        assert_int_equal(b.exit.code, cases[i].code);
        assert_int_equal(b.exit.unhealthy, cases[i].action);
        assert_int_equal(b.health, MONITOR_UNHEALTHY);
        lab_finish(&b);
    }
    lab_leave();
}

/* The clock goes on without a daemon; the next one is told everything. */
TEST(while_the_daemon_is_away) {
    lab_enter();
    struct lab b;
    start_exec(&b, (struct lab_options){.script = IDLE, .health = quick}, "echo n; exit 1");
    lab_until(&b, b.probes == 1);
    b.m = monitor_free(b.m);
    usleep(800 * 1000);
    struct monitor_hello hello;
    struct monitor_health_state s;
    assert_ok(monitor_dial(b.run, &hello));
    assert_true(monitor_hello_health(&hello, &s));
    assert_int_equal(s.status, MONITOR_UNHEALTHY);
    assert_true(s.streak > 3);
    assert_int_equal(s.results_n, MONITOR_HEALTH_RESULTS);
    for (size_t i = 0; i < s.results_n; i++) {
        assert_true(i == 0 || s.results[i].start >= s.results[i - 1].end);
        assert_int_equal(s.results[i].code, 1);
        assert_true(str_eqz(s.results[i].output, "n\n"));
    }
    b.m = monitor_new(b.loop, TAKE_FD(hello.started.conn), &lab_events, &b);
    monitor_hello_done(&hello);
    unsigned before = b.probes;
    lab_until(&b, b.probes > before);
    lab_finish(&b);
    lab_leave();
}
