/* create_config.c - options of run and create → Config. */
#include "base/file.h"
#include "base/time.h"
#include "cli/create.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ENV_FILE_MAX (1u << 20)
#define ENV_LINE_NAMES " \t"

/* NAME alone takes the value of our own environment; not set there: left out. */
static void env_line(const char *text, struct strs *env, struct arena *a) {
    const char *value = strchr(text, '=') ? NULL : getenv(text);
    if (strchr(text, '='))
        strs_add(env, a, text);
    else if (value)
        strs_add(env, a, arena_printf(a, "%s=%s", text, value));
}

struct err env_options(const struct strv *from, struct strs *env, struct arena *a) {
    size_t before = env->n;
    for (size_t i = 0; i < from->n; i++) {
        char *text = from->items[i];
        size_t name = strcspn(text, "="), k = before;
        TRY(env_check(text));
        if (!text[name] && getenv(text))
            text = arena_printf(a, "%s=%s", text, getenv(text));
        while (k < env->n &&
               (strncmp(env->items[k], text, name) != 0 || strcspn(env->items[k], "=") != name))
            k++;
        if (k < env->n)
            env->items[k] = arena_strz(a, text);
        else
            strs_add(env, a, text);
    }
    return OK;
}

struct err env_file_option(const char *path, struct strs *env, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    TRYF(file_read(path, ENV_FILE_MAX, &text), "corten: --env-file");
    struct str rest = buf_str(&text), line, name, value;
    if (str_starts(rest, STR("\xef\xbb\xbf")))
        rest = str_from(rest, 3);
    while (str_next(&rest, '\n', &line)) {
        if (str_ends(line, STR("\r")))
            line.len--;
        while (line.len && (line.p[0] == ' ' || line.p[0] == '\t'))
            line = str_from(line, 1);
        if (line.len == 0 || line.p[0] == '#')
            continue;
        str_cut(line, '=', &name, &value);
        if (name.len == 0)
            return err_new(ERR_INVALID,
                           "corten: invalid env file (%s): no variable name on line '%.*s'", path,
                           STR_ARG(line));
        if (str_find(name, ' ') >= 0 || str_find(name, '\t') >= 0)
            return err_new(ERR_INVALID,
                           "corten: invalid env file (%s): variable '%.*s' contains whitespaces",
                           path, STR_ARG(name));
        env_line(arena_str(a, line), env, a);
    }
    return OK;
}

struct err create_streams(const struct run_options *o, struct attached_streams *ret) {
    struct attached_streams s = {0};
    for (size_t i = 0; i < o->attach.n; i++) {
        const char *name = o->attach.items[i];
        bool in = !strcasecmp(name, "stdin"), out = !strcasecmp(name, "stdout"),
             err = !strcasecmp(name, "stderr");
        if (!in && !out && !err)
            return err_new(
                ERR_INVALID,
                "corten: invalid argument \"%s\" for \"-a, --attach\" flag: valid streams "
                "are STDIN, STDOUT and STDERR",
                name);
        s.in |= in;
        s.out |= out;
        s.err |= err;
    }
    if (o->attach.n == 0 && !o->detach)
        s = (struct attached_streams){o->interactive, true, true};
    *ret = s;
    return OK;
}

static struct err duration(const char *text, const char *option, int64_t *ret) {
    if (!text)
        return OK;
    TRYF(duration_parse(str_of(text), ret), "corten: invalid argument \"%s\" for \"--%s\" flag",
         text, option);
    return *ret < 0 ? err_new(ERR_INVALID, "corten: --%s cannot be negative", option) : OK;
}

static struct err fill_health(struct invocation *in, struct api_config *c) {
    const struct run_options *o = in->options;
    struct arena *a = &in->arena;
    bool any = o->health_cmd || o->health_interval || o->health_timeout || o->health_start_period ||
               o->health_start_interval || o->health_retries || o->on_unhealthy;
    if (!any && !o->no_healthcheck)
        return OK;
    if (any && o->no_healthcheck)
        return err_new(ERR_INVALID, "corten: --no-healthcheck conflicts with --health-* options");
    struct api_health_config *h = c->healthcheck = arena_alloc(a, sizeof *h);
    if (o->no_healthcheck)
        strs_add(&h->test, a, "NONE");
    if (o->health_cmd) {
        strs_add(&h->test, a, "CMD-SHELL");
        strs_add(&h->test, a, o->health_cmd);
    }
    if (o->health_retries < 0)
        return err_new(ERR_INVALID, "corten: --health-retries cannot be negative");
    h->retries = o->health_retries;
    h->on_unhealthy = arena_strz(a, o->on_unhealthy);
    TRY(duration(o->health_interval, "health-interval", &h->interval));
    TRY(duration(o->health_timeout, "health-timeout", &h->timeout));
    TRY(duration(o->health_start_period, "health-start-period", &h->start_period));
    return duration(o->health_start_interval, "health-start-interval", &h->start_interval);
}

/* proxies.HOST or proxies.default of config.json, unless the option names them. */
static void add_proxies(struct invocation *in, struct strs *env) {
    static const struct {
        const char *key, *name;
    } proxies[] = {{"httpProxy", "HTTP_PROXY"},
                   {"httpsProxy", "HTTPS_PROXY"},
                   {"noProxy", "NO_PROXY"},
                   {"ftpProxy", "FTP_PROXY"},
                   {"allProxy", "ALL_PROXY"}};
    struct json *all = json_get(in->config->root, "proxies"), *own = json_get(all, in->host);
    if (!own)
        own = json_get(all, "default");
    for (size_t i = 0; own && i < ARRAY_LEN(proxies); i++) {
        struct str value = json_str(json_get(own, proxies[i].key));
        size_t n = strlen(proxies[i].name);
        bool set = false;
        for (size_t k = 0; k < env->n; k++)
            set |= !strncasecmp(env->items[k], proxies[i].name, n) && env->items[k][n] == '=';
        if (!value.len || set)
            continue;
        char *small = arena_strz(&in->arena, proxies[i].name);
        for (char *p = small; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        strs_add(env, &in->arena,
                 arena_printf(&in->arena, "%s=%.*s", proxies[i].name, STR_ARG(value)));
        strs_add(env, &in->arena, arena_printf(&in->arena, "%s=%.*s", small, STR_ARG(value)));
    }
}

static struct err fill_labels(const struct run_options *o, struct api_config *c, struct arena *a) {
    for (size_t i = 0; i < o->label_file.n; i++) {
        CLEAN_BUF struct buf text = {0};
        TRYF(file_read(o->label_file.items[i], ENV_FILE_MAX, &text), "corten: --label-file");
        struct str rest = buf_str(&text), line, key, value;
        while (str_next(&rest, '\n', &line)) {
            line = str_trim(line);
            str_cut(line, '=', &key, &value);
            if (line.len && line.p[0] != '#')
                strmap_set(&c->labels, a, arena_str(a, key), arena_str(a, value));
        }
    }
    cli_pairs(&o->labels, &c->labels, a);
    if (o->cause) {
        const struct passwd *us = getpwuid(getuid());
        strmap_set(&c->labels, a, "corten.cause", arena_strz(a, o->cause));
        strmap_set(&c->labels, a, "corten.deployed-by",
                   us ? arena_strz(a, us->pw_name) : arena_printf(a, "%u", getuid()));
    }
    strmap_sort(&c->labels);
    return OK;
}

struct err create_config(struct invocation *in, struct api_config *c) {
    const struct run_options *o = in->options;
    struct arena *a = &in->arena;
    struct attached_streams streams;
    TRY(create_streams(o, &streams));
    c->image = in->args[0];
    c->hostname = arena_strz(a, o->hostname);
    c->domainname = arena_strz(a, o->domainname);
    c->user = arena_strz(a, o->user);
    c->working_dir = arena_strz(a, o->workdir);
    c->stop_signal = arena_strz(a, o->stop_signal);
    c->tty = o->tty;
    c->open_stdin = o->interactive;
    c->attach_stdin = streams.in;
    c->attach_stdout = streams.out;
    c->attach_stderr = streams.err;
    c->stdin_once = o->interactive && streams.in;
    for (int i = 1; i < in->args_n; i++)
        strs_add(&c->cmd, a, in->args[i]);
    if (o->entrypoint)
        strs_add(&c->entrypoint, a, o->entrypoint);
    for (size_t i = 0; i < o->env_file.n; i++)
        TRY(env_file_option(o->env_file.items[i], &c->env, a));
    TRY(env_options(&o->env, &c->env, a));
    add_proxies(in, &c->env);
    for (size_t i = 0; i < o->volumes.n; i++)
        TRY(volume_check(o->volumes.items[i]));
    for (size_t i = 0; i < o->volumes.n; i++)
        if (!strchr(o->volumes.items[i], ':'))
            strs_add(&c->volumes, a, o->volumes.items[i]);
    if (option_given(in, "stop-timeout")) {
        c->stop_timeout = arena_alloc(a, sizeof *c->stop_timeout);
        *c->stop_timeout = o->stop_timeout;
    }
    TRY(fill_labels(o, c, a));
    return fill_health(in, c);
}
