#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/daemon.h"
#include "daemon/defaults.h"
#include "daemon/setting.h"
#include "image/image.h"
#include "registry/registry.h"
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_FILE_MAX (1u << 20)

/* --- configuration file ---------------------------------------------------------------------- */

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
        const struct setting *found = setting_by_key(it.key);
        if (!found)
            return err_new(ERR_UNSUPPORTED, "%s: '%.*s' is not a supported setting", path,
                           STR_ARG(it.key));
        TRYF(setting_set_json(c, found, it.value), "%s", path);
    }
    return OK;
}

/* --- command line ---------------------------------------------------------------------------- */

static void print_help(void) {
    printf("Usage: cortend [OPTIONS]\n\nThe corten daemon: keeps the facts and serves the Docker "
           "Engine API.\n\nOptions:\n");
    printf("      --config FILE            configuration, JSON (default " DAEMON_CONFIG ")\n");
    for (size_t i = 0; i < settings_n; i++) {
        const struct setting *s = &settings[i];
        char left[64];
        if (!s->option || s->kind == SETTING_FIXED)
            continue;
        snprintf(left, sizeof left, "%c%c%c --%s %s", s->letter ? '-' : ' ',
                 s->letter ? s->letter : ' ', s->letter ? ',' : ' ', s->option,
                 s->argument ? s->argument : "");
        printf("  %-28s %s\n", left, s->help);
    }
    printf("      --validate               check the configuration and end\n"
           "  -v, --version                print the version and end\n"
           "  -h, --help                   print this help and end\n");
}

enum { OPT_CONFIG = 1000, OPT_VALIDATE, OPT_SETTING };
#define OPTIONS_MAX 128

/* The command line as getopt_long wants it. */
struct grammar {
    struct option options[OPTIONS_MAX];
    char letters[2 * OPTIONS_MAX];
};

static void grammar_init(struct grammar *g) {
    size_t n = 0, l = (size_t)snprintf(g->letters, sizeof(g->letters), ":vh");
    assert(settings_n + 5 < OPTIONS_MAX);
    g->options[n++] = (struct option){"config", required_argument, NULL, OPT_CONFIG};
    g->options[n++] = (struct option){"config-file", required_argument, NULL, OPT_CONFIG};
    g->options[n++] = (struct option){"validate", no_argument, NULL, OPT_VALIDATE};
    g->options[n++] = (struct option){"version", no_argument, NULL, 'v'};
    g->options[n++] = (struct option){"help", no_argument, NULL, 'h'};
    for (size_t i = 0; i < settings_n; i++) {
        const struct setting *s = &settings[i];
        int argument = s->kind == SETTING_BOOL ? optional_argument : required_argument;
        if (!s->option)
            continue;
        g->options[n++] = (struct option){s->option, argument, NULL, OPT_SETTING + (int)i};
        if (s->letter) {
            g->letters[l++] = s->letter;
            if (s->kind != SETTING_BOOL)
                g->letters[l++] = ':';
        }
    }
    g->options[n] = (struct option){0};
    g->letters[l] = '\0';
}

static const struct setting *setting_of(int o) {
    if (o >= OPT_SETTING && o < OPT_SETTING + (int)settings_n)
        return &settings[o - OPT_SETTING];
    for (size_t i = 0; i < settings_n; i++)
        if (settings[i].letter && settings[i].letter == o)
            return &settings[i];
    return NULL;
}

static struct err parse_options(int argc, char **argv, struct daemon_config *c,
                                const char **ret_file, bool *ret_help) {
    struct grammar g;
    grammar_init(&g);
    optind = 0; /* start over, also when an earlier call stopped in the middle */
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, g.letters, g.options, NULL)) != -1;) {
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
        const struct setting *s = setting_of(o);
        if (s)
            TRYF(setting_set(c, s, str_of(optarg ? optarg : "true")), "--%s", s->option);
        else if (o == OPT_CONFIG)
            *ret_file = optarg;
        else if (o == OPT_VALIDATE)
            c->validate = true;
    }
    if (optind < argc)
        return err_new(ERR_INVALID, "unexpected argument '%s'", argv[optind]);
    return OK;
}

static struct err absolute(struct daemon_config *c, const char *what, char **path) {
    if (!path_is_abs(str_of(*path)))
        return err_new(ERR_INVALID, "--%s: '%s' is not an absolute path", what, *path);
    CLEAN_FREE char *clean = path_clean(str_of(*path));
    *path = arena_strz(&c->arena, clean);
    return OK;
}

static struct err check_labels(const char *labels) {
    CLEAN_JSON struct json *list = NULL;
    if (!labels)
        return OK;
    TRY(json_parse(str_of(labels), &list));
    for (size_t i = 0; i < json_len(list); i++) {
        struct str key, value;
        if (!str_cut(json_str(json_at(list, i)), '=', &key, &value) || key.len == 0)
            return err_new(ERR_INVALID, "labels: '%.*s' is not KEY=VALUE",
                           STR_ARG(json_str(json_at(list, i))));
    }
    return OK;
}

/* The settings of registries as one object, with the keys of the file. */
static struct err complete_registries(struct daemon_config *c) {
    CLEAN_BUF struct buf out = {0};
    const struct {
        const char *key, *text;
    } members[] = {{"registry-mirrors", c->registry_mirrors},
                   {"insecure-registries", c->insecure_registries},
                   {"certs-dirs", c->certs_dirs},
                   {"registries", c->registry_rules},
                   {"proxies", c->proxies}};
    struct json_out o = {.out = &out};
    jo_obj(&o);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!members[i].text)
            continue;
        jo_key(&o, members[i].key);
        jo_raw(&o, str_of(members[i].text));
    }
    jo_obj_end(&o);
    TRY(registry_settings_check(buf_str(&out)));
    c->registries = arena_str(&c->arena, buf_str(&out));
    return OK;
}

static struct err complete(struct daemon_config *c) {
    if (!c->data_root)
        c->data_root = arena_strz(&c->arena, DAEMON_DATA_ROOT);
    if (!c->run_root)
        c->run_root = arena_strz(&c->arena, DAEMON_RUN_ROOT);
    TRY(absolute(c, "data-root", &c->data_root));
    TRY(absolute(c, "run-root", &c->run_root));
    if (c->pidfile)
        TRY(absolute(c, "pidfile", &c->pidfile));
    if (!c->hosts && !c->listeners)
        c->hosts = arena_printf(&c->arena, "[\"unix://%s/corten.sock\"]", c->run_root);
    if (c->live_restore == DAEMON_OFF)
        return err_new(ERR_UNSUPPORTED, "live-restore: containers always outlive the daemon; false "
                                        "is not supported");
    TRY(check_labels(c->labels));
    const struct rootfs_driver *driver;
    if (c->storage_driver)
        TRYF(rootfs_driver_find(c->storage_driver, &driver), "--storage-driver");
    TRY(complete_registries(c));
    CLEAN_ARENA struct arena scratch = {0};
    struct container_defaults defaults;
    TRY(defaults_read(c, &scratch, &defaults));
    if (!c->default_ip)
        c->default_ip = arena_strz(&c->arena, "0.0.0.0");
    if (!c->log_level)
        c->log_level = arena_strz(&c->arena, c->debug == DAEMON_ON ? "debug" : "info");
    if (!c->log_format)
        c->log_format = arena_strz(&c->arena, "text");
    if (strcmp(c->log_format, "text") && strcmp(c->log_format, "json"))
        return err_new(ERR_INVALID, "--log-format: '%s' is neither text nor json", c->log_format);
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
            /* The command line wins: what it set is put over the file's values. */
            for (size_t i = 0; i < settings_n; i++)
                if (setting_is_set(&line, &settings[i]))
                    setting_copy(ret, &line, &settings[i]);
            ret->validate = line.validate;
            e = complete(ret);
        }
    }
    arena_done(&line.arena);
    return e;
}

struct err daemon_config_reload(int argc, char **argv, struct daemon_config *c) {
    struct daemon_config now;
    bool help;
    struct err e = daemon_config_read(argc, argv, &now, &help);
    for (size_t i = 0; !err_failed(e) && i < settings_n; i++) {
        const struct setting *s = &settings[i];
        if (setting_equal(c, &now, s))
            continue;
        if (s->live)
            setting_copy(c, &now, s);
        else
            log_warn("reload: '%s' has changed; it comes into force with the next start", s->key);
    }
    daemon_config_done(&now);
    return e;
}

void daemon_config_done(struct daemon_config *c) {
    arena_done(&c->arena);
    *c = (struct daemon_config){0};
}
