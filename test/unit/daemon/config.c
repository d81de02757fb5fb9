/* Settings: command line over file over defaults; what is refused, and by which name. */
#include "base/file.h"
#include "daemon/daemon.h"
#include "daemon/listen.h"
#include "daemon/setting.h"
#include "test.h"
#include <unistd.h>

/* Writes file (NULL: none) and reads the configuration with it and the options. */
static struct err read_config(const char *file, const char *const *options,
                              struct daemon_config *ret) {
    char path[] = "/tmp/corten-config-XXXXXX";
    char name[] = "cortend", option[] = "--config";
    char *argv[32] = {name, option, path};
    int argc = 3;
    bool help;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, file ? file : "{}", strlen(file ? file : "{}")), 0);
    close(fd);
    for (size_t i = 0; options && options[i]; i++)
        argv[argc++] = (char *)(uintptr_t)options[i];
    struct err e = daemon_config_read(argc, argv, ret, &help);
    unlink(path);
    return e;
}

TEST(defaults) {
    struct daemon_config c;
    assert_ok(read_config(NULL, NULL, &c));
    assert_string_equal(c.hosts, "[\"unix:///run/corten/corten.sock\"]");
    assert_string_equal(c.data_root, "/var/lib/corten");
    assert_string_equal(c.log_level, "info");
    assert_string_equal(c.instance, "corten");
    daemon_config_done(&c);
}

TEST(the_command_line_wins) {
    struct daemon_config c;
    const char *const line[] = {"--label", "b=2", "--label=c=3", "--mtu", "1400", "-D", NULL};
    assert_ok(read_config("{\"labels\": [\"a=1\"], \"mtu\": 1300, \"bridge\": \"br7\", "
                          "\"tls\": false}",
                          line, &c));
    assert_string_equal(c.labels, "[\"b=2\",\"c=3\"]");
    assert_int_equal(c.mtu, 1400);
    assert_string_equal(c.bridge, "br7");
    assert_int_equal(c.tls, DAEMON_OFF);
    assert_string_equal(c.log_level, "debug");
    daemon_config_done(&c);
}

TEST(bad_files) {
    static const struct {
        const char *file, *says;
    } bad[] = {
        {"[]", "expected an object"},
        {"{\"mtu\": \"x\"}", "mtu: expected"},
        {"{\"mtu\": 7}", "mtu"},
        {"{\"labels\": \"a=b\"}", "labels: expected an array of strings"},
        {"{\"labels\": [1]}", "labels: member 0 is no string"},
        {"{\"labels\": [\"nothing\"]}", "'nothing' is not KEY=VALUE"},
        {"{\"debug\": \"yes\"}", "debug: expected"},
        {"{\"no-such-thing\": 1}", "'no-such-thing' is not a supported setting"},
        {"{\"live-restore\": false}", "live-restore"},
        {"{\"log-level\": \"loud\"}", "log-level"},
        {"{\"log-format\": \"xml\"}", "log-format"},
        {"{\"data-root\": \"here\"}", "data-root"},
        {"{", "offset"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct daemon_config c;
        struct err e = read_config(bad[i].file, NULL, &c);
        assert_true(err_failed(e));
        if (!strstr(err_msg(e), bad[i].says))
            fail_msg("%s: '%s' does not say '%s'", bad[i].file, err_msg(e), bad[i].says);
        err_free(e);
        daemon_config_done(&c);
    }
}

TEST(bad_options) {
    static const char *const bad[][3] = {
        {"--nonsense", NULL}, {"--mtu", NULL},         {"--debug=maybe", NULL},
        {"--host=", NULL},    {"--log-level=x", NULL}, {"word", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct daemon_config c;
        assert_err(read_config(NULL, bad[i], &c), ERR_INVALID);
        daemon_config_done(&c);
    }
}

TEST(listeners_are_checked) {
    static const struct {
        const char *file, *says; /* NULL: fine */
    } cases[] = {
        {"{\"hosts\": [\"unix:///tmp/a\", \"tcp://127.0.0.1:99\", \"tcp://[::1]:7\"]}", NULL},
        {"{\"listeners\": [{\"host\": \"unix:///tmp/a\", \"mode\": \"0666\", \"policy\": "
         "{\"read-only\": true, \"allow\": [\"GET /containers/*\"]}}]}",
         NULL},
        {"{\"hosts\": [\"unix://a\"]}", "not absolute"},
        {"{\"hosts\": [\"http://a\"]}", "none of unix"},
        {"{\"hosts\": [\"tcp://127.0.0.1:x\"]}", "port"},
        {"{\"hosts\": [\"tcp://[::1:7\"]}", "']' is missing"},
        {"{\"hosts\": [\"unix:///a\", \"unix:///a\"]}", "twice"},
        {"{\"listeners\": [{}]}", "\"host\""},
        {"{\"listeners\": {}}", "expected an array"},
        {"{\"listeners\": [{\"host\": \"unix:///a\", \"colour\": 1}]}", "'colour'"},
        {"{\"listeners\": [{\"host\": \"unix:///a\", \"mode\": \"0777\"}]}", "mode"},
        {"{\"listeners\": [{\"host\": \"unix:///a\", \"policy\": {\"allow\": [\"GET\"]}}]}",
         "METHOD"},
        {"{\"listeners\": [{\"host\": \"unix:///a\", \"policy\": {\"x\": 1}}]}", "'x'"},
        {"{\"hosts\": [\"tcp://127.0.0.1:99\"], \"tls\": true, \"tlscert\": \"/nowhere\"}",
         "/nowhere"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct daemon_config c;
        assert_ok(read_config(cases[i].file, NULL, &c));
        struct err e = listeners_check(&c);
        if (!cases[i].says != !err_failed(e))
            fail_msg("%s: %s", cases[i].file, err_failed(e) ? err_msg(e) : "no error");
        if (cases[i].says && !strstr(err_msg(e), cases[i].says))
            fail_msg("%s: '%s' does not say '%s'", cases[i].file, err_msg(e), cases[i].says);
        err_free(e);
        daemon_config_done(&c);
    }
}

TEST(reload_takes_what_can_change) {
    struct daemon_config c;
    char path[] = "/tmp/corten-config-XXXXXX";
    char name[] = "cortend", option[] = "--config";
    char *argv[] = {name, option, path, NULL};
    bool help;
    close(mkstemp(path));
    assert_ok(file_replace(path, STR("{\"labels\": [\"a=1\"], \"mtu\": 1300}"), 0600, false));
    assert_ok(daemon_config_read(3, argv, &c, &help));
    assert_ok(file_replace(path, STR("{\"debug\": true, \"mtu\": 1400}"), 0600, false));
    assert_ok(daemon_config_reload(3, argv, &c));
    assert_null(c.labels);
    assert_int_equal(c.debug, DAEMON_ON);
    assert_int_equal(c.mtu, 1300);
    assert_ok(file_replace(path, STR("{\"debug\": 1}"), 0600, false));
    assert_err(daemon_config_reload(3, argv, &c), ERR_INVALID);
    assert_int_equal(c.debug, DAEMON_ON);
    unlink(path);
    daemon_config_done(&c);
}

/* A second row for a name would never be read. */
TEST(every_setting_has_its_own_names) {
    for (size_t i = 0; i < settings_n; i++)
        for (size_t k = i + 1; k < settings_n; k++) {
            const struct setting *a = &settings[i], *b = &settings[k];
            if (a->option && b->option && strcmp(a->option, b->option) == 0)
                fail_msg("--%s is there twice", a->option);
            if (a->key && b->key && strcmp(a->key, b->key) == 0)
                fail_msg("'%s' is there twice", a->key);
        }
}
