#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/daemon.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_FILE_MAX (1u << 20)

/* One row per setting: its option, its key in the configuration file, where it is kept. */
struct setting {
    const char *option, *key, *argument, *help;
    size_t offset;
    char letter;
    bool is_int;
};

#define SETTING(member, ...) \
    { .offset = offsetof(struct daemon_config, member), __VA_ARGS__ }
static const struct setting settings[] = {
    SETTING(host, .option = "host", .key = "hosts", .argument = "unix://PATH", .letter = 'H',
            .help = "socket to serve the API on (default unix://<run-root>/corten.sock)"),
    SETTING(data_root, .option = "data-root", .key = "data-root", .argument = "DIR",
            .help = "durable state (default " DAEMON_DATA_ROOT ")"),
    SETTING(run_root, .option = "run-root", .key = "run-root", .argument = "DIR",
            .help = "volatile state (default " DAEMON_RUN_ROOT ")"),
    SETTING(bridge, .option = "bridge", .key = "bridge", .argument = "NAME", .letter = 'b',
            .help = "name of the default bridge (default: from the data root)"),
    SETTING(bip, .option = "bip", .key = "bip", .argument = "CIDR",
            .help = "address and subnet of the default bridge (default: first free pool)"),
    SETTING(mtu, .option = "mtu", .key = "mtu", .argument = "BYTES", .is_int = true,
            .help = "MTU of the default bridge (default 1500)"),
    SETTING(default_ip, .option = "ip", .key = "ip", .argument = "ADDRESS",
            .help = "host address that published ports bind to (default 0.0.0.0)"),
    SETTING(group, .option = "group", .key = "group", .argument = "NAME", .letter = 'G',
            .help = "group of the socket (default: root alone)"),
    SETTING(log_level, .option = "log-level", .key = "log-level", .argument = "LEVEL",
            .letter = 'l', .help = "debug, info, warn or error (default info)"),
};

static struct err set_value(struct daemon_config *c, const struct setting *s, struct str value) {
    if (value.len == 0 || str_has_nul(value))
        return err_new(ERR_INVALID, "%s: empty value", s->option);
    void *at = (char *)c + s->offset;
    if (s->is_int) {
        int64_t n = 0;
        TRYF(str_to_i64(value, 68, 65535, &n), "%s", s->option);
        *(int64_t *)at = n;
    } else {
        *(char **)at = arena_str(&c->arena, value);
    }
    return OK;
}

/* --- configuration file ------------------------------------------------------------------------
 */

static struct err file_value(struct daemon_config *c, const struct setting *s,
                             const struct json *j) {
    int64_t n = 0;
    if (json_type(j) == JSON_ARRAY && !strcmp(s->key, "hosts")) {
        if (json_len(j) != 1)
            return err_new(ERR_UNSUPPORTED, "hosts: exactly one listener is supported");
        j = json_at(j, 0);
    }
    if (s->is_int && json_i64(j, &n)) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)n);
        return set_value(c, s, str_of(text));
    }
    if (s->is_int || json_type(j) != JSON_STRING)
        return err_new(ERR_INVALID, "%s: expected %s, got %s", s->key,
                       s->is_int ? "integer" : "string", json_type_name(json_type(j)));
    return set_value(c, s, json_str(j));
}

static struct err read_file(struct daemon_config *c, const char *path, bool must_exist) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read(path, CONFIG_FILE_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND && !must_exist) {
        err_free(e);
        return OK;
    }
    TRY(e);
    CLEAN_JSON struct json *root = NULL;
    TRYF(json_parse(buf_str(&text), &root), "%s", path);
    if (json_type(root) != JSON_OBJECT)
        return err_new(ERR_INVALID, "%s: expected an object", path);
    struct json_iter it = {0};
    while (json_each(root, &it)) {
        const struct setting *found = NULL;
        for (size_t i = 0; i < ARRAY_LEN(settings); i++)
            if (str_eqz(it.key, settings[i].key))
                found = &settings[i];
        if (!found)
            return err_new(ERR_UNSUPPORTED, "%s: '%.*s' is not a supported setting", path,
                           STR_ARG(it.key));
        TRYF(file_value(c, found, it.value), "%s", path);
    }
    return OK;
}

/* --- command line ------------------------------------------------------------------------------
 */

static void print_help(void) {
    printf("Usage: cortend [OPTIONS]\n\nThe corten daemon: keeps the facts and serves the Docker "
           "Engine API.\n\nOptions:\n");
    printf("      --config FILE            configuration, JSON (default " DAEMON_CONFIG ")\n");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const struct setting *s = &settings[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c%c --%s %s", s->letter ? '-' : ' ',
                 s->letter ? s->letter : ' ', s->letter ? ',' : ' ', s->option, s->argument);
        printf("  %-28s %s\n", left, s->help);
    }
    printf("      --validate               check the configuration and end\n"
           "  -v, --version                print the version and end\n"
           "  -h, --help                   print this help and end\n");
}

enum { OPT_CONFIG = 1000, OPT_VALIDATE, OPT_SETTING };

static struct err parse_options(int argc, char **argv, struct daemon_config *c,
                                const char **ret_file, bool *ret_help) {
    struct option long_options[ARRAY_LEN(settings) + 5] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"validate", no_argument, NULL, OPT_VALIDATE},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        long_options[4 + i] = (struct option){settings[i].option, required_argument, NULL,
                                              OPT_SETTING + (int)i};
    optind = 1;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":vhH:b:G:l:", long_options, NULL)) != -1;) {
        if (o == 'h' || o == 'v') {
            *ret_help = true;
            if (o == 'h')
                print_help();
            else
                printf("cortend version %s\n", CORTEN_VERSION);
            return OK;
        }
        if (o == '?' || o == ':')
            return err_new(ERR_INVALID,
                           o == ':' ? "option '%s' needs an argument" : "unknown option '%s'",
                           argv[optind - 1]);
        if (o == OPT_CONFIG)
            *ret_file = optarg;
        if (o == OPT_VALIDATE)
            c->validate = true;
        for (size_t i = 0; i < ARRAY_LEN(settings); i++)
            if (o == OPT_SETTING + (int)i || (settings[i].letter && o == settings[i].letter))
                TRYF(set_value(c, &settings[i], str_of(optarg)), "--%s", settings[i].option);
    }
    if (optind < argc)
        return err_new(ERR_INVALID, "unexpected argument '%s'", argv[optind]);
    return OK;
}

/* The command line wins: what it set is put back over the file's values. */
static void overlay(struct daemon_config *c, const struct daemon_config *line) {
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const void *from = (const char *)line + settings[i].offset;
        void *to = (char *)c + settings[i].offset;
        if (settings[i].is_int && *(const int64_t *)from)
            *(int64_t *)to = *(const int64_t *)from;
        if (!settings[i].is_int && *(char *const *)from)
            *(char **)to = arena_strz(&c->arena, *(char *const *)from);
    }
    c->validate = line->validate;
}

static struct err absolute(struct daemon_config *c, const char *what, char **path) {
    if (!path_is_abs(str_of(*path)))
        return err_new(ERR_INVALID, "--%s: '%s' is not an absolute path", what, *path);
    CLEAN_FREE char *clean = path_clean(str_of(*path));
    *path = arena_strz(&c->arena, clean);
    return OK;
}

static struct err complete(struct daemon_config *c) {
    if (!c->data_root)
        c->data_root = arena_strz(&c->arena, DAEMON_DATA_ROOT);
    if (!c->run_root)
        c->run_root = arena_strz(&c->arena, DAEMON_RUN_ROOT);
    TRY(absolute(c, "data-root", &c->data_root));
    TRY(absolute(c, "run-root", &c->run_root));
    if (!c->host)
        c->host = arena_printf(&c->arena, "unix://%s/corten.sock", c->run_root);
    if (!str_starts(str_of(c->host), STR("unix:///")))
        return err_new(ERR_UNSUPPORTED, "--host: '%s': only unix:///PATH listeners are supported",
                       c->host);
    if (!c->default_ip)
        c->default_ip = arena_strz(&c->arena, "0.0.0.0");
    if (!c->log_level)
        c->log_level = arena_strz(&c->arena, "info");
    enum log_level level;
    if (!log_level_from_name(c->log_level, &level))
        return err_new(ERR_INVALID, "--log-level: '%s' is none of debug, info, warn, error",
                       c->log_level);
    /* FNV-1a: stable across runs, unlike the seeded hash of maps. */
    uint32_t hash = 2166136261u;
    for (const char *p = c->data_root; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    c->instance = strcmp(c->data_root, DAEMON_DATA_ROOT) == 0
                      ? arena_strz(&c->arena, "corten")
                      : arena_printf(&c->arena, "corten-%04x", (hash ^ hash >> 16) & 0xffff);
    return OK;
}

struct err daemon_config_read(int argc, char **argv, struct daemon_config *ret, bool *ret_help) {
    struct daemon_config line = {0};
    const char *file = NULL;
    *ret = (struct daemon_config){0};
    *ret_help = false;
    struct err e = parse_options(argc, argv, &line, &file, ret_help);
    if (!err_failed(e) && !*ret_help) {
        e = read_file(ret, file ? file : DAEMON_CONFIG, file != NULL);
        if (!err_failed(e)) {
            overlay(ret, &line);
            e = complete(ret);
        }
    }
    arena_done(&line.arena);
    return e;
}

void daemon_config_done(struct daemon_config *c) {
    arena_done(&c->arena);
    *c = (struct daemon_config){0};
}
