/* systemd.c - `generate systemd`, `run --systemd-unit`: a container as a unit.
 *
 * The unit starts a container that exists and waits for its end, so its exit status is the unit's
 * and the unit's restart policy counts, not the container's (which is refused beside a unit).
 * Source: systemd.service(5), systemd.unit(5). */
#include "cli/systemd.h"
#include "base/file.h"
#include "base/path.h"
#include "cli/helper.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_EXTRA_S 10 /* beyond the container's own time to stop */

/* A specifier's sign is doubled. */
static void add_words(const char *text, struct buf *out) {
    for (; *text; text++) {
        if (*text == '%')
            buf_addc(out, '%');
        if ((unsigned char)*text >= ' ')
            buf_addc(out, *text);
    }
}

void systemd_unit(const struct api_container *k, struct buf *out) {
    const char *name = k->name + (*k->name == '/');
    int64_t stop = k->config->stop_timeout ? *k->config->stop_timeout : 10;
    CLEAN_BUF struct buf escaped = {0};
    add_words(name, &escaped);
    name = buf_cstr(&escaped);
    buf_addf(out, "[Unit]\nDescription=Container %s (", name);
    add_words(k->config->image ? k->config->image : "", out);
    buf_adds(out, ")\nWants=network-online.target\nAfter=network-online.target corten.service\n"
                  "Requires=corten.service\n\n[Service]\nType=exec\n");
    buf_addf(out, "ExecStart=/usr/bin/corten start --attach %s\n", name);
    buf_addf(out, "ExecStop=/usr/bin/corten stop %s\n", name);
    buf_addf(out, "Restart=on-failure\nTimeoutStopSec=%lld\nSyslogIdentifier=%s\n",
             (long long)(stop < 0 ? 0 : stop + STOP_EXTRA_S), name);
    buf_adds(out, "\n[Install]\nWantedBy=multi-user.target\n");
}

static struct err unit_of(struct client *c, const char *container, struct arena *a,
                          struct buf *out) {
    struct api_container k = {0};
    TRY(client_container_inspect(c, container, a, &k));
    const char *policy = k.host ? k.host->restart_policy.name : NULL;
    if (!k.config || !k.name)
        return err_new(ERR_INVALID, "corten: the daemon's answer has no configuration");
    if (policy && *policy && strcmp(policy, "no") != 0)
        return err_new(ERR_CONFLICT,
                       "corten: %s has the restart policy '%s', and two would start it: 'corten "
                       "update --restart no %s' leaves it to the unit",
                       container, policy, container);
    systemd_unit(&k, out);
    return OK;
}

/* --- run --systemd-unit ----------------------------------------------------------------------- */

static struct err systemctl(const char *program, const char *verb, const char *flag,
                            const char *unit) {
    char *argv[] = {(char *)"systemctl", (char *)verb, (char *)flag, (char *)unit, NULL};
    if (!flag)
        argv[2] = NULL;
    const struct spawn_fd fds[] = {{0, 0}, {2, 1}, {2, 2}};
    struct spawn s = {
        .program = program, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    struct spawned p;
    struct pidfd_exit x;
    TRYF(spawn(&s, &p), "corten: start systemctl");
    struct err e = pidfd_reap(p.pidfd, &x);
    fd_close(p.pidfd);
    TRY(e);
    return x.code ? err_new(ERR_SYSTEM, "corten: systemctl %s failed with status %d", verb, x.code)
                  : OK;
}

struct err systemd_install(struct invocation *in, struct client *c, const char *id,
                           const char *unit) {
    CLEAN_BUF struct buf text = {0};
    const char *dirs = getenv("SYSTEMD_UNIT_PATH");
    struct str first = str_of(dirs && *dirs ? dirs : "/etc/systemd/system"), dir;
    str_next(&first, ':', &dir);
    bool path = strchr(unit, '/') != NULL, suffix = str_ends(str_of(unit), STR(".service"));
    const char *name = suffix ? unit : arena_printf(&in->arena, "%s.service", unit);
    const char *file = path ? unit : arena_printf(&in->arena, "%.*s/%s", STR_ARG(dir), name);
    CLEAN_FREE char *program = path ? NULL : path_find_program("systemctl");
    if (!path && !program)
        return err_new(ERR_UNAVAILABLE,
                       "corten: systemctl is not in $PATH; a path with a slash "
                       "(--systemd-unit ./%s) only writes the file",
                       name);
    TRY(unit_of(c, id, &in->arena, &text));
    TRYF(file_replace(file, buf_str(&text), 0644, true), "corten: write %s", file);
    if (path)
        return OK;
    TRY(systemctl(program, "daemon-reload", NULL, NULL));
    return systemctl(program, "enable", "--now", name);
}

/* --- generate systemd ------------------------------------------------------------------------- */

struct generate_options {
    bool files;
};
static const struct option_row generate_rows[] = {
    FLAG(struct generate_options, files, 'f', "files",
         "Write NAME.service files into this directory, instead of to stdout"),
};

static struct err generate_one(struct client *c, struct invocation *in, const char *container) {
    const struct generate_options *o = in->options;
    CLEAN_BUF struct buf text = {0};
    TRY(unit_of(c, container, &in->arena, &text));
    if (!o->files) {
        if (in->json)
            cli_say(in, "unit", buf_cstr(&text));
        else
            printf("%s", buf_cstr(&text));
        return OK;
    }
    const char *file = arena_printf(&in->arena, "%s.service", container);
    TRYF(file_replace(file, buf_str(&text), 0644, true), "corten: write %s", file);
    cli_say(in, "file", file);
    return OK;
}

static int generate_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++)
        TRYF_STATUS(generate_one(c, in, in->args[i]));
    return 0;
}

const struct command command_generate_systemd = {
    .name = "generate systemd",
    .usage = "generate systemd [OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Print units of systemd that start containers",
    .examples = "corten generate systemd web >/etc/systemd/system/web.service\tthen systemctl "
                "enable --now web",
    OPTIONS_OF(generate_rows, struct generate_options),
    .args_min = 1,
    .args_max = -1,
    .json = true,
    .names = "container",
    .run = generate_run};
