/* plugin.c - create, disable, enable, inspect, install, push, rm, set, upgrade: plugins that a
 * daemon manages. Ours refuses them by name; other engines have them. Source: Docker Engine
 * API 1.51, "Plugin". */
#include "base/path.h"
#include "cli/commands.h"
#include "cli/helper.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct plugin_options {
    bool force, disable, grant, skip_check, disable_trust, compress;
    const char *alias, *format;
    int64_t timeout;
};
#define O struct plugin_options
#define TRUST_ROW                                                                  \
    {                                                                              \
        .name = "disable-content-trust", .kind = OPTION_FLAG, .otherwise = "true", \
        .offset = offsetof(O, disable_trust)                                       \
    }
#define GRANT_ROW FLAG(O, grant, 0, "grant-all-permissions", "Do not ask what it may do")
static const struct option_row force_rows[] = {
    FLAG(O, force, 'f', "force", "Even when it is in use"),
};
static const struct option_row enable_rows[] = {
    {.name = "timeout",
     .argument = "SECONDS",
     .help = "How long to wait for it",
     .kind = OPTION_INT,
     .offset = offsetof(O, timeout),
     .otherwise = "30"},
};
static const struct option_row install_rows[] = {
    TEXT(O, alias, 0, "alias", "NAME", "Name here"),
    FLAG(O, disable, 0, "disable", "Do not enable it"),
    GRANT_ROW,
    TRUST_ROW,
};
static const struct option_row upgrade_rows[] = {
    GRANT_ROW,
    FLAG(O, skip_check, 0, "skip-remote-check", "It may come from elsewhere than before"),
    TRUST_ROW,
};
static const struct option_row push_rows[] = {TRUST_ROW};
static const struct option_row create_rows[] = {
    FLAG(O, compress, 0, "compress", "Send it compressed"),
};
#undef O

static struct err post(struct client *c, const char *name, const char *verb, const char *key,
                       const char *value) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/plugins/", name, verb);
    if (key)
        client_query(&target, key, value);
    return cli_post(c, buf_cstr(&target));
}

static struct err enable_one(struct client *c, struct invocation *in, const char *name) {
    const struct plugin_options *o = in->options;
    return post(c, name, "/enable", "timeout",
                arena_printf(&in->arena, "%lld", (long long)o->timeout));
}

static struct err disable_one(struct client *c, struct invocation *in, const char *name) {
    const struct plugin_options *o = in->options;
    return post(c, name, "/disable", o->force ? "force" : NULL, "1");
}

static struct err rm_one(struct client *c, struct invocation *in, const char *name) {
    const struct plugin_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/plugins/", name, "");
    client_query_bool(&target, "force", o->force);
    return cli_delete(c, buf_cstr(&target));
}

static int enable_run(struct invocation *in) {
    return cli_for_each(in, enable_one);
}
static int disable_run(struct invocation *in) {
    return cli_for_each(in, disable_one);
}
static int rm_run(struct invocation *in) {
    return cli_for_each(in, rm_one);
}

/* KEY=VALUE… as an array of texts. */
static struct err set_settings(struct client *c, const char *name, char *const *settings) {
    CLEAN_BUF struct buf target = {0}, body = {0};
    struct json_out jo = {.out = &body};
    jo_arr(&jo);
    for (size_t i = 0; settings[i]; i++)
        jo_strz(&jo, settings[i]);
    jo_arr_end(&jo);
    client_path(&target, "/plugins/", name, "/set");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .body = buf_str(&body),
                               .content_type = "application/json"};
    return client_do(c, &call);
}

static int set_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(set_settings(c, in->args[0], in->args + 1));
    if (in->json)
        cli_say(in, "name", in->args[0]);
    return 0;
}

/* --- install, upgrade, push ------------------------------------------------------------------- */

/* What it may do, which somebody has to allow; *ret: the privileges as they came. */
static struct err privileges(struct invocation *in, struct client *c, const char *remote,
                             const char *headers, struct buf *ret) {
    const struct plugin_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    CLEAN_JSON struct json *all = NULL;
    buf_adds(&target, "/plugins/privileges");
    client_query(&target, "remote", remote);
    struct client_call call = {.method = "GET", .target = buf_cstr(&target), .headers = headers};
    TRY(client_begin(c, &call));
    TRY(cli_read_body(c, ret));
    TRYF(json_parse(str_trim(buf_str(ret)), &all), "corten: the daemon's answer");
    if (o->grant || json_len(all) == 0)
        return OK;
    printf("Plugin \"%s\" is requesting the following privileges:\n", remote);
    for (size_t i = 0; i < json_len(all); i++) {
        CLEAN_BUF struct buf value = {0};
        json_print(json_get(json_at(all, i), "Value"), &value);
        printf(" - %.*s: %s\n", STR_ARG(json_str(json_get(json_at(all, i), "Name"))),
               buf_cstr(&value));
    }
    return cli_confirm("Do you grant the above permissions?")
               ? OK
               : err_new(ERR_CANCELLED, "corten: permission denied while installing plugin %s",
                         remote);
}

static struct err auth_header(struct invocation *in, const char *remote, const char **ret) {
    const char *auth = "";
    TRY(config_auth(in->config, remote, &in->arena, &auth));
    *ret = arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", *auth ? auth : "e30=");
    return OK;
}

/* A call whose answer is a stream of progress. */
static struct err transfer(struct client *c, const char *target, struct str body,
                           const char *headers, bool quiet) {
    struct progress p = {.quiet = quiet, .tty = isatty(1)};
    struct client_call call = {.method = "POST",
                               .target = target,
                               .body = body,
                               .content_type = "application/json",
                               .headers = headers};
    struct err e = client_begin(c, &call);
    if (!err_failed(e))
        e = client_messages(c, progress_show, &p);
    progress_done(&p);
    return e;
}

static int no_trust(const struct invocation *in) {
    return cli_usage(in, "--disable-content-trust=false is not supported: there is no notary");
}

static int install_run(struct invocation *in) {
    const struct plugin_options *o = in->options;
    const char *remote = cli_with_tag(in->args[0], &in->arena),
               *name = o->alias ? o->alias : remote, *headers;
    CLEAN_BUF struct buf allowed = {0}, target = {0};
    if (!o->disable_trust)
        return no_trust(in);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(auth_header(in, remote, &headers));
    TRYF_STATUS(privileges(in, c, remote, headers, &allowed));
    buf_adds(&target, "/plugins/pull");
    client_query(&target, "remote", remote);
    client_query(&target, "name", o->alias);
    TRYF_STATUS(transfer(c, buf_cstr(&target), buf_str(&allowed), headers, in->json));
    if (in->args_n > 1)
        TRYF_STATUS(set_settings(c, name, in->args + 1));
    if (!o->disable)
        TRYF_STATUS(post(c, name, "/enable", "timeout", "0"));
    if (in->json)
        cli_say(in, "name", name);
    else
        printf("Installed plugin %s\n", in->args[0]);
    return 0;
}

struct known {
    bool enabled;
    char *reference;
};
static const struct field known_rows[] = {
    FIELD(struct known, enabled, "Enabled", F_BOOL),
    FIELD(struct known, reference, "PluginReference", F_STR),
};
static const struct fields known_fields = {"plugin", sizeof(struct known), known_rows,
                                           ARRAY_LEN(known_rows)};

static int upgrade_run(struct invocation *in) {
    const struct plugin_options *o = in->options;
    CLEAN_BUF struct buf allowed = {0}, target = {0}, at = {0};
    struct known now = {0};
    const char *headers;
    if (!o->disable_trust)
        return no_trust(in);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    client_path(&at, "/plugins/", in->args[0], "/json");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&at),
                               .out_fields = &known_fields,
                               .out = &now,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    if (now.enabled)
        return cli_fail(err_new(ERR_CONFLICT,
                                "corten: the plugin must be disabled before upgrading: "
                                "'corten plugin disable %s'",
                                in->args[0]),
                        1);
    const char *remote = in->args_n > 1 ? in->args[1] : now.reference;
    remote = cli_with_tag(remote ? remote : in->args[0], &in->arena);
    if (!o->skip_check && now.reference && strcmp(remote, now.reference) != 0 &&
        !cli_confirm("Plugin images do not match, are you sure?"))
        return cli_fail(err_new(ERR_CANCELLED, "corten: canceling upgrade request"), 1);
    TRYF_STATUS(auth_header(in, remote, &headers));
    TRYF_STATUS(privileges(in, c, remote, headers, &allowed));
    client_path(&target, "/plugins/", in->args[0], "/upgrade");
    client_query(&target, "remote", remote);
    TRYF_STATUS(transfer(c, buf_cstr(&target), buf_str(&allowed), headers, in->json));
    if (in->json)
        cli_say(in, "name", in->args[0]);
    else
        printf("Upgraded plugin %s to %s\n", in->args[0], remote);
    return 0;
}

static int push_run(struct invocation *in) {
    const struct plugin_options *o = in->options;
    const char *name = cli_with_tag(in->args[0], &in->arena), *headers;
    CLEAN_BUF struct buf target = {0};
    if (!o->disable_trust)
        return no_trust(in);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(auth_header(in, name, &headers));
    client_path(&target, "/plugins/", name, "/push");
    TRYF_STATUS(transfer(c, buf_cstr(&target), STR_NONE, headers, in->json));
    if (in->json)
        cli_say(in, "name", name);
    return 0;
}

/* --- create ----------------------------------------------------------------------------------- */

static struct err send_dir(struct client *c, const char *name, const char *dir, bool compress) {
    CLEAN_BUF struct buf target = {0};
    CLEAN_FREE char *tar = path_find_program("tar");
    char *argv[] = {(char *)"tar",
                    (char *)(compress ? "-cz" : "-c"),
                    (char *)"--numeric-owner",
                    (char *)"-C",
                    (char *)dir,
                    (char *)"config.json",
                    (char *)"rootfs",
                    NULL};
    struct spawned p;
    struct pidfd_exit x = {0};
    int ends[2];
    if (!tar)
        return err_new(ERR_NOT_FOUND, "corten: 'tar' is not in $PATH");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "corten: pipe");
    CLEAN_FD int from = ends[0];
    CLEAN_FD int into = ends[1];
    const struct spawn_fd fds[] = {{into, 1}, {2, 2}};
    struct spawn s = {
        .program = tar, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    TRYF(spawn(&s, &p), "corten: start tar");
    into = fd_close(into);
    client_path(&target, "/plugins/create", "", "");
    client_query(&target, "name", name);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .content_type = "application/x-tar",
                               .body_read = cli_read_fd,
                               .body_arg = &from};
    struct err e = client_do(c, &call);
    from = fd_close(from);
    struct err ended = pidfd_reap(p.pidfd, &x);
    fd_close(p.pidfd);
    if (err_failed(e) || err_failed(ended)) {
        err_free(err_failed(e) ? ended : OK);
        return err_failed(e) ? e : ended;
    }
    return x.code == 0 ? OK : err_new(ERR_SYSTEM, "corten: tar failed with status %d", x.code);
}

static int create_run(struct invocation *in) {
    const struct plugin_options *o = in->options;
    const char *dir = in->args[1];
    struct stat st;
    if (stat(arena_printf(&in->arena, "%s/config.json", dir), &st) != 0 ||
        stat(arena_printf(&in->arena, "%s/rootfs", dir), &st) != 0)
        return cli_fail(
            err_new(ERR_INVALID, "corten: '%s': want a directory with config.json and rootfs", dir),
            1);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(send_dir(c, in->args[0], dir, o->compress));
    cli_say(in, "name", in->args[0]);
    return 0;
}

#define PLUGIN(var, verb, usage_, words, rows, min, max, fn)             \
    const struct command var = {.name = "plugin " verb,                  \
                                .usage = "plugin " verb " " usage_,      \
                                .summary = words,                        \
                                OPTIONS_OF(rows, struct plugin_options), \
                                .args_min = (min),                       \
                                .args_max = (max),                       \
                                .json = true,                            \
                                .run = (fn)}
PLUGIN(command_plugin_create, "create", "[OPTIONS] PLUGIN DIR",
       "Make a plugin of a directory with config.json and rootfs", create_rows, 2, 2, create_run);
PLUGIN(command_plugin_disable, "disable", "[OPTIONS] PLUGIN", "Turn a plugin off", force_rows, 1, 1,
       disable_run);
PLUGIN(command_plugin_enable, "enable", "[OPTIONS] PLUGIN", "Turn a plugin on", enable_rows, 1, 1,
       enable_run);
PLUGIN(command_plugin_install, "install", "[OPTIONS] PLUGIN [KEY=VALUE...]",
       "Download a plugin and turn it on", install_rows, 1, -1, install_run);
PLUGIN(command_plugin_push, "push", "[OPTIONS] PLUGIN[:TAG]", "Upload a plugin to a registry",
       push_rows, 1, 1, push_run);
const struct command command_plugin_rm = {.name = "plugin rm",
                                          .alias = "plugin remove",
                                          .usage = "plugin rm [OPTIONS] PLUGIN [PLUGIN...]",
                                          .summary = "Remove plugins",
                                          OPTIONS_OF(force_rows, struct plugin_options),
                                          .args_min = 1,
                                          .args_max = -1,
                                          .json = true,
                                          .run = rm_run};
const struct command command_plugin_set = {.name = "plugin set",
                                           .usage = "plugin set PLUGIN KEY=VALUE [KEY=VALUE...]",
                                           .summary = "Change settings of a plugin",
                                           .args_min = 2,
                                           .args_max = -1,
                                           .json = true,
                                           .run = set_run};
PLUGIN(command_plugin_upgrade, "upgrade", "[OPTIONS] PLUGIN [REMOTE]", "Bring a plugin up to date",
       upgrade_rows, 1, 2, upgrade_run);
