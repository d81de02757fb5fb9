/* The short verbs on containers. */
#include "cli/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err post(struct client *c, const char *target) {
    struct client_call call = {.method = "POST", .target = target};
    struct err e = client_do(c, &call);
    if (err_kind(e) == ERR_NOT_MODIFIED) {
        err_free(e); /* it is so already: the peer's CLI is silent, too */
        return OK;
    }
    return e;
}

/* --- stop, restart, kill, pause, unpause, rename
 * ------------------------------------------------------------------------ */

struct stop_options {
    const char *signal, *time, *timeout;
};
static const struct option_row stop_rows[] = {
    TEXT(struct stop_options, signal, 's', "signal", "SIGNAL", "Signal to send to the container"),
    TEXT(struct stop_options, time, 't', "time", "SECONDS",
         "Seconds to wait before killing the container"),
    TEXT(struct stop_options, timeout, 0, "timeout", "SECONDS", "Same as --time"),
};

static struct err stop_like(struct client *c, struct invocation *in, const char *name,
                            const char *verb) {
    const struct stop_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, verb);
    client_query(&target, "signal", o->signal);
    client_query(&target, "t", o->timeout ? o->timeout : o->time);
    return post(c, buf_cstr(&target));
}

static struct err stop_one(struct client *c, struct invocation *in, const char *name) {
    return stop_like(c, in, name, "/stop");
}

static struct err restart_one(struct client *c, struct invocation *in, const char *name) {
    return stop_like(c, in, name, "/restart");
}

static int stop_run(struct invocation *in) {
    return cli_for_each(in, stop_one);
}

static int restart_run(struct invocation *in) {
    return cli_for_each(in, restart_one);
}

struct kill_options {
    const char *signal;
};
static const struct option_row kill_rows[] = {
    TEXT(struct kill_options, signal, 's', "signal", "SIGNAL", "Signal to send to the container"),
};

static struct err kill_one(struct client *c, struct invocation *in, const char *name) {
    const struct kill_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, "/kill");
    client_query(&target, "signal", o->signal);
    return post(c, buf_cstr(&target));
}

static int kill_run(struct invocation *in) {
    return cli_for_each(in, kill_one);
}

static struct err simple(struct client *c, const char *name, const char *verb) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, verb);
    return post(c, buf_cstr(&target));
}

static struct err pause_one(struct client *c, struct invocation *in UNUSED, const char *name) {
    return simple(c, name, "/pause");
}

static struct err unpause_one(struct client *c, struct invocation *in UNUSED, const char *name) {
    return simple(c, name, "/unpause");
}

static int pause_run(struct invocation *in) {
    return cli_for_each(in, pause_one);
}

static int unpause_run(struct invocation *in) {
    return cli_for_each(in, unpause_one);
}

static int rename_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    if (!c)
        return 1;
    client_path(&target, "/containers/", in->args[0], "/rename");
    client_query(&target, "name", in->args[1]);
    struct err e = post(c, buf_cstr(&target));
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

/* --- rm, wait
 * ----------------------------------------------------------------------------------------------------------
 */

struct rm_options {
    bool force, volumes;
};
static const struct option_row rm_rows[] = {
    FLAG(struct rm_options, force, 'f', "force", "Force the removal of a running container"),
    FLAG(struct rm_options, volumes, 'v', "volumes", "Remove anonymous volumes of the container"),
};

static int rm_run(struct invocation *in) {
    const struct rm_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        struct err e = client_container_remove(c, in->args[i], o->force, o->volumes);
        /* Asked to be gone by force, and gone it is: the peer complains, and ends with success. */
        bool was_gone = o->force && err_kind(e) == ERR_NOT_FOUND;
        if (err_failed(e))
            status = cli_fail(e, was_gone ? status : 1);
        else
            printf("%s\n", in->args[i]);
    }
    return status;
}

static int wait_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        int64_t code;
        struct err e = client_container_wait(c, in->args[i], "not-running", &code);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else
            printf("%lld\n", (long long)code);
    }
    return status;
}

/* --- start, attach
 * -------------------------------------------------------------------------------------------------------
 */

struct start_options {
    bool attach, interactive;
};
static const struct option_row start_rows[] = {
    FLAG(struct start_options, attach, 'a', "attach",
         "Attach STDOUT and STDERR and forward signals"),
    FLAG(struct start_options, interactive, 'i', "interactive", "Attach the container's STDIN"),
};

static struct err start_one(struct client *c, struct invocation *in UNUSED, const char *name) {
    struct err e = client_container_start(c, name, NULL);
    if (err_kind(e) != ERR_NOT_MODIFIED)
        return e;
    err_free(e); /* it runs already */
    return OK;
}

/* Joins the streams, then (start) starts it, then waits for its end. */
static struct err attach_and_wait(struct client *c, const char *name, bool in, bool signals,
                                  bool start, int *ret_status) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_CLIENT struct client *stream_client = NULL;
    CLEAN_CLIENT struct client *wait_client = NULL;
    CLEAN_STREAM_CLIENT struct client_stream stream = {.fd = -1};
    CLEAN_BUF struct buf target = {0};
    struct api_container k;
    TRY(client_container_inspect(c, name, &a, &k));
    if (!start && !k.state.running)
        return err_new(ERR_CONFLICT,
                       "corten: cannot attach to a stopped container, start it first");
    if (!start && k.state.paused)
        return err_new(ERR_CONFLICT,
                       "corten: cannot attach to a paused container, unpause it first");
    TRY(client_open_like(c, &stream_client));
    TRY(client_open_like(c, &wait_client));
    struct client_attach w = {
        .in = in && k.config->open_stdin, .out = true, .err = true, .tty = k.config->tty};
    TRY(client_container_attach(stream_client, k.id, &w, &stream));
    client_path(&target, "/containers/", k.id, "/wait");
    client_query(&target, "condition", start ? "next-exit" : "not-running");
    struct client_call call = {.method = "POST", .target = buf_cstr(&target)};
    TRY(client_begin(wait_client, &call));
    if (start)
        TRY(client_container_start(c, k.id, NULL));
    struct attach_io io = {.stream = &stream,
                           .in = w.in,
                           .tty = w.tty,
                           .control = c,
                           .id = k.id,
                           .proxy_signals = signals};
    TRY(attach_run(&io));
    int64_t code = 0;
    if (!io.detached)
        TRY(cli_read_wait(wait_client, &code));
    *ret_status = (int)code;
    return OK;
}

static int start_run(struct invocation *in) {
    const struct start_options *o = in->options;
    if (!o->attach && !o->interactive)
        return cli_for_each(in, start_one);
    if (in->args_n > 1)
        return cli_usage(in, "you cannot start and attach multiple containers at once");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    struct err e = attach_and_wait(c, in->args[0], o->interactive, true, true, &status);
    return err_failed(e) ? cli_fail(e, 1) : status;
}

struct attach_options {
    bool no_stdin;
    const char *sig_proxy;
};
static const struct option_row attach_rows[] = {
    FLAG(struct attach_options, no_stdin, 0, "no-stdin", "Do not attach STDIN"),
    TEXT(struct attach_options, sig_proxy, 0, "sig-proxy", "true|false",
         "Forward signals to the process (default true)"),
};

static int attach_run_command(struct invocation *in) {
    const struct attach_options *o = in->options;
    bool proxy = !o->sig_proxy || !strcmp(o->sig_proxy, "true");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    struct err e = attach_and_wait(c, in->args[0], !o->no_stdin, proxy, false, &status);
    return err_failed(e) ? cli_fail(e, 1) : status;
}

#define MANY .args_min = 1, .args_max = -1
const struct command command_stop = {.name = "stop",
                                     .alias = "container stop",
                                     .usage = "stop [OPTIONS] CONTAINER [CONTAINER...]",
                                     .summary = "Stop one or more running containers",
                                     OPTIONS_OF(stop_rows, struct stop_options),
                                     MANY,
                                     .run = stop_run};
const struct command command_restart = {.name = "restart",
                                        .alias = "container restart",
                                        .usage = "restart [OPTIONS] CONTAINER [CONTAINER...]",
                                        .summary = "Restart one or more containers",
                                        OPTIONS_OF(stop_rows, struct stop_options),
                                        MANY,
                                        .run = restart_run};
const struct command command_kill = {.name = "kill",
                                     .alias = "container kill",
                                     .usage = "kill [OPTIONS] CONTAINER [CONTAINER...]",
                                     .summary = "Kill one or more running containers",
                                     OPTIONS_OF(kill_rows, struct kill_options),
                                     MANY,
                                     .run = kill_run};
const struct command command_pause = {
    .name = "pause",
    .alias = "container pause",
    .usage = "pause CONTAINER [CONTAINER...]",
    .summary = "Pause all processes within one or more containers",
    MANY,
    .run = pause_run};
const struct command command_unpause = {
    .name = "unpause",
    .alias = "container unpause",
    .usage = "unpause CONTAINER [CONTAINER...]",
    .summary = "Unpause all processes within one or more containers",
    MANY,
    .run = unpause_run};
const struct command command_rename = {.name = "rename",
                                       .alias = "container rename",
                                       .usage = "rename CONTAINER NEW_NAME",
                                       .summary = "Rename a container",
                                       .args_min = 2,
                                       .args_max = 2,
                                       .run = rename_run};
const struct command command_rm = {.name = "rm",
                                   .alias = "container rm, container remove",
                                   .usage = "rm [OPTIONS] CONTAINER [CONTAINER...]",
                                   .summary = "Remove one or more containers",
                                   OPTIONS_OF(rm_rows, struct rm_options),
                                   MANY,
                                   .run = rm_run};
const struct command command_wait = {
    .name = "wait",
    .alias = "container wait",
    .usage = "wait CONTAINER [CONTAINER...]",
    .summary = "Block until one or more containers stop, then print their exit codes",
    MANY,
    .run = wait_run};
const struct command command_start = {.name = "start",
                                      .alias = "container start",
                                      .usage = "start [OPTIONS] CONTAINER [CONTAINER...]",
                                      .summary = "Start one or more stopped containers",
                                      OPTIONS_OF(start_rows, struct start_options),
                                      MANY,
                                      .run = start_run};
const struct command command_attach = {
    .name = "attach",
    .alias = "container attach",
    .usage = "attach [OPTIONS] CONTAINER",
    .summary = "Attach local standard input, output, and error streams to a running container",
    OPTIONS_OF(attach_rows, struct attach_options),
    .args_min = 1,
    .args_max = 1,
    .run = attach_run_command};
