/* debug_container.c - `corten debug CONTAINER`: a toolbox beside a container that has no shell.
 *
 * A container of another image joins the processes, the network, the volumes and, where it may, the
 * IPC of the first; its files are at /proc/1/root there. It is a `run` with the right options, so
 * terminal, signals, exit status and removal are run's. */
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOOLBOX "busybox"

struct debug_options {
    const char *image, *user;
    bool privileged;
    struct strv env, volumes;
};
static const struct option_row debug_rows[] = {
    {.name = "image",
     .argument = "IMAGE",
     .help = "Where the tools come from",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct debug_options, image),
     .otherwise = TOOLBOX},
    TEXT(struct debug_options, user, 'u', "user", "USER[:GROUP]", "Names or numbers in the image"),
    FLAG(struct debug_options, privileged, 0, "privileged", "All rights and devices of the host"),
    LIST(struct debug_options, env, 'e', "env", "NAME[=VALUE]", "Set a variable, or hand ours on"),
    LIST(struct debug_options, volumes, 'v', "volume", "[SOURCE:]TARGET[:MODE]",
         "A volume or a directory besides"),
};

static void lists(const struct debug_options *o, struct strv *argv) {
    for (size_t i = 0; i < o->env.n; i++) {
        strv_add(argv, "--env");
        strv_add(argv, o->env.items[i]);
    }
    for (size_t i = 0; i < o->volumes.n; i++) {
        strv_add(argv, "--volume");
        strv_add(argv, o->volumes.items[i]);
    }
}

/* The words of the `run`. */
static void words(const struct invocation *in, const struct api_container *k, struct strv *argv) {
    const struct debug_options *o = in->options;
    const char *ipc = k->host->ipc_mode;
    strv_add(argv, "--rm");
    strv_add(argv, isatty(0) && isatty(1) ? "-it" : "-i");
    strv_addf(argv, "--label=corten.debug=%s", k->id);
    strv_addf(argv, "--pid=container:%s", k->id);
    strv_addf(argv, "--network=container:%s", k->id);
    strv_addf(argv, "--volumes-from=%s", k->id);
    if (ipc && !strcmp(ipc, "shareable"))
        strv_addf(argv, "--ipc=container:%s", k->id);
    else if (ipc && !strcmp(ipc, "host"))
        strv_add(argv, "--ipc=host");
    /* /proc/1/root and strace want at least the rights of who is looked at. */
    strv_add(argv, "--cap-add=SYS_PTRACE");
    for (size_t i = 0; i < k->host->cap_add.n; i++)
        strv_addf(argv, "--cap-add=%s", k->host->cap_add.items[i]);
    if (o->privileged || k->host->privileged)
        strv_add(argv, "--privileged");
    if (o->user)
        strv_addf(argv, "--user=%s", o->user);
    lists(o, argv);
    strv_add(argv, "--");
    strv_add(argv, o->image);
    for (int i = 1; i < in->args_n; i++)
        strv_add(argv, in->args[i]);
}

static int debug_run(struct invocation *in) {
    struct api_container k = {0};
    CLEAN_STRV struct strv argv = {0};
    bool want_help;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(client_container_inspect(c, in->args[0], &in->arena, &k));
    if (!k.state.running || !k.host)
        return cli_fail(err_new(ERR_CONFLICT,
                                "corten: %s does not run, so there is nothing to join; 'corten why "
                                "dead %s' says why, 'corten cp' gives its files",
                                in->args[0], in->args[0]),
                        1);
    words(in, &k, &argv);
    struct invocation run = {
        .config = in->config, .host = in->host, .context = in->context, .debug = in->debug};
    struct err e = options_parse(&command_run, strv_argv(&argv), &run, &want_help);
    int status = err_failed(e) ? cli_fail(e, 125) : command_run.run(&run);
    options_done(&command_run, &run);
    return status;
}

const struct command command_debug = {
    .name = "debug",
    .usage = "debug [OPTIONS] CONTAINER [COMMAND] [ARG...]",
    .summary = "Join a toolbox to a running container that has no shell",
    .examples = "corten debug web\ta shell of busybox beside its processes; its files are at "
                "/proc/1/root\n"
                "corten debug --image nicolaka/netshoot web ss -tlnp\tone command of another image",
    OPTIONS_OF(debug_rows, struct debug_options),
    .args_min = 1,
    .args_max = -1,
    .stop_at_args = true,
    .names = "container",
    .run = debug_run};
