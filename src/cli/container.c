/* The short verbs on containers. */
#include "cli/create.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- stop, restart, kill, pause, unpause, rename
 * ------------------------------------------------------------------------ */

struct stop_options {
    const char *signal;
    int64_t time, timeout;
};
static const struct option_row stop_rows[] = {
    TEXT(struct stop_options, signal, 's', "signal", "SIGNAL", "What asks it to end"),
    INT(struct stop_options, timeout, 't', "timeout", "SECONDS", "How long it may take (-1: any)"),
    INT(struct stop_options, time, 0, "time", "SECONDS", NULL),
};

static struct err stop_like(struct client *c, struct invocation *in, const char *name,
                            const char *verb) {
    const struct stop_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, verb);
    client_query(&target, "signal", o->signal);
    if (option_given(in, "timeout") || option_given(in, "time"))
        client_query_i64(&target, "t", option_given(in, "timeout") ? o->timeout : o->time);
    return cli_post(c, buf_cstr(&target));
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
    {.letter = 's',
     .name = "signal",
     .argument = "SIGNAL",
     .help = "Which signal",
     .kind = OPTION_TEXT,
     .otherwise = "KILL",
     .offset = offsetof(struct kill_options, signal)},
};

static struct err kill_one(struct client *c, struct invocation *in, const char *name) {
    const struct kill_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, "/kill");
    client_query(&target, "signal", o->signal);
    return cli_post(c, buf_cstr(&target));
}

static int kill_run(struct invocation *in) {
    return cli_for_each(in, kill_one);
}

static struct err simple(struct client *c, const char *name, const char *verb) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", name, verb);
    return cli_post(c, buf_cstr(&target));
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
    TRYF_STATUS(cli_post(c, buf_cstr(&target)));
    if (in->json)
        cli_say(in, "name", in->args[1]);
    return 0;
}

/* --- rm, wait
 * ----------------------------------------------------------------------------------------------------------
 */

struct rm_options {
    bool force, volumes, link;
};
static const struct option_row rm_rows[] = {
    FLAG(struct rm_options, force, 'f', "force", "One that runs, too (it is killed)"),
    FLAG(struct rm_options, link, 'l', "link", NULL),
    FLAG(struct rm_options, volumes, 'v', "volumes", "Its volumes that have no name, too"),
};

static int rm_run(struct invocation *in) {
    const struct rm_options *o = in->options;
    if (o->link)
        return cli_usage(in, "--link is not supported: names for other containers are aliases");
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
            cli_say(in, "name", in->args[i]);
    }
    return status;
}

static void wait_json(const char *name, int64_t code) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    jo_obj(&jo);
    jo_kstr(&jo, "name", name);
    jo_ki64(&jo, "status", code);
    jo_obj_end(&jo);
    printf("%s\n", buf_cstr(&text));
}

struct wait_options {
    const char *condition;
};
static const struct option_row wait_rows[] = {
    TEXT(struct wait_options, condition, 0, "condition", "WORD",
         "not-running (default), next-exit, removed, or ready: until it is found good"),
};

static int wait_run(struct invocation *in) {
    const struct wait_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        int64_t code;
        struct err e = client_container_wait(c, in->args[i],
                                             o->condition ? o->condition : "not-running", &code);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else if (in->json)
            wait_json(in->args[i], code);
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
    const char *detach_keys, *checkpoint, *checkpoint_dir;
};
static const struct option_row start_rows[] = {
    FLAG(struct start_options, attach, 'a', "attach", "Show its output and forward signals"),
    FLAG(struct start_options, interactive, 'i', "interactive", "Hand our stdin to it"),
    TEXT(struct start_options, detach_keys, 0, "detach-keys", "KEYS",
         "Keys that leave it running (ctrl-p,ctrl-q)"),
    TEXT(struct start_options, checkpoint, 0, "checkpoint", "NAME", NULL),
    TEXT(struct start_options, checkpoint_dir, 0, "checkpoint-dir", "DIR", NULL),
};

static struct err start_one(struct client *c, struct invocation *in UNUSED, const char *name) {
    struct err e = client_container_start(c, name, NULL);
    if (err_kind(e) != ERR_NOT_MODIFIED)
        return e;
    err_free(e); /* it runs already */
    return OK;
}

/* Joins the streams, then (start) starts it, then waits for its end. */
static struct err attach_and_wait(struct client *c, struct invocation *v, const char *detach_keys,
                                  bool in, bool signals, bool start, int *ret_status) {
    const char *name = v->args[0];
    CLEAN_BUF struct buf keys = {0};
    CLEAN_ARENA struct arena a = {0};
    CLEAN_CLIENT struct client *stream_client = NULL;
    CLEAN_CLIENT struct client *wait_client = NULL;
    CLEAN_STREAM_CLIENT struct client_stream stream = {.fd = -1};
    CLEAN_BUF struct buf target = {0};
    struct api_container k;
    TRY(detach_keys_option(detach_keys, v, &keys));
    TRY(client_container_inspect(c, name, &a, &k));
    if (!start && !k.state.running)
        return err_new(ERR_CONFLICT,
                       "corten: cannot attach to a stopped container, start it first");
    if (!start && k.state.paused)
        return err_new(ERR_CONFLICT,
                       "corten: cannot attach to a paused container, unpause it first");
    TRY(client_open_like(c, &stream_client));
    TRY(client_open_like(c, &wait_client));
    struct client_attach w = {.in = in && k.config->open_stdin,
                              .out = true,
                              .err = true,
                              .tty = k.config->tty,
                              .detach_keys = detach_keys};
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
                           .keys = buf_str(&keys),
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
    if (o->checkpoint || o->checkpoint_dir)
        return cli_usage(in, "--checkpoint is not supported");
    if (!o->attach && !o->interactive)
        return cli_for_each(in, start_one);
    if (in->args_n > 1)
        return cli_usage(in, "you cannot start and attach multiple containers at once");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    struct err e = attach_and_wait(c, in, o->detach_keys, o->interactive, true, true, &status);
    return err_failed(e) ? cli_fail(e, 1) : status;
}

struct attach_options {
    bool no_stdin, sig_proxy;
    const char *detach_keys;
};
static const struct option_row attach_rows[] = {
    FLAG(struct attach_options, no_stdin, 0, "no-stdin", "Our stdin stays ours"),
    FLAG_ON(struct attach_options, sig_proxy, 0, "sig-proxy", "Forward signals to the process"),
    TEXT(struct attach_options, detach_keys, 0, "detach-keys", "KEYS",
         "Keys that leave it running (ctrl-p,ctrl-q)"),
};

static int attach_run_command(struct invocation *in) {
    const struct attach_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    struct err e = attach_and_wait(c, in, o->detach_keys, !o->no_stdin, o->sig_proxy, false,
                                   &status);
    return err_failed(e) ? cli_fail(e, 1) : status;
}

#define MANY .args_min = 1, .args_max = -1
const struct command command_stop = {.name = "stop",
                                     .waits = true,
                                     .json = true,
                                     .names = "container",
                                     .alias = "container stop",
                                     .usage = "stop [OPTIONS] CONTAINER [CONTAINER...]",
                                     .summary = "Ask containers to end, then end them",
                                     OPTIONS_OF(stop_rows, struct stop_options),
                                     MANY,
                                     .run = stop_run};
const struct command command_restart = {.name = "restart",
                                        .waits = true,
                                        .json = true,
                                        .names = "container",
                                        .alias = "container restart",
                                        .usage = "restart [OPTIONS] CONTAINER [CONTAINER...]",
                                        .summary = "Stop containers and start them again",
                                        OPTIONS_OF(stop_rows, struct stop_options),
                                        MANY,
                                        .run = restart_run};
const struct command command_kill = {.name = "kill",
                                     .waits = true,
                                     .json = true,
                                     .names = "container",
                                     .alias = "container kill",
                                     .usage = "kill [OPTIONS] CONTAINER [CONTAINER...]",
                                     .summary = "Send a signal to containers",
                                     OPTIONS_OF(kill_rows, struct kill_options),
                                     MANY,
                                     .run = kill_run};
const struct command command_pause = {.name = "pause",
                                      .json = true,
                                      .names = "container",
                                      .alias = "container pause",
                                      .usage = "pause CONTAINER [CONTAINER...]",
                                      .summary = "Freeze all processes of containers",
                                      MANY,
                                      .run = pause_run};
const struct command command_unpause = {.name = "unpause",
                                        .json = true,
                                        .names = "container",
                                        .alias = "container unpause",
                                        .usage = "unpause CONTAINER [CONTAINER...]",
                                        .summary = "Let frozen containers go on",
                                        MANY,
                                        .run = unpause_run};
const struct command command_rename = {.name = "rename",
                                       .json = true,
                                       .names = "container",
                                       .alias = "container rename",
                                       .usage = "rename CONTAINER NEW_NAME",
                                       .summary = "Give a container another name",
                                       .args_min = 2,
                                       .args_max = 2,
                                       .run = rename_run};
const struct command command_rm = {.name = "rm",
                                   .waits = true,
                                   .json = true,
                                   .names = "container",
                                   .alias = "container rm, container remove",
                                   .usage = "rm [OPTIONS] CONTAINER [CONTAINER...]",
                                   .summary = "Remove containers",
                                   OPTIONS_OF(rm_rows, struct rm_options),
                                   MANY,
                                   .run = rm_run};
const struct command command_wait = {
    .name = "wait",
    .names = "container",
    .alias = "container wait",
    .usage = "wait [OPTIONS] CONTAINER [CONTAINER...]",
    .json = true,
    .summary = "Wait for the end of containers, and print their exit codes",
    .examples = "corten wait --condition ready db && corten start web\ta gate",
    OPTIONS_OF(wait_rows, struct wait_options),
    MANY,
    .run = wait_run};
const struct command command_start = {.name = "start",
                                      .waits = true,
                                      .json = true,
                                      .names = "container",
                                      .alias = "container start",
                                      .usage = "start [OPTIONS] CONTAINER [CONTAINER...]",
                                      .summary = "Start containers that do not run",
                                      OPTIONS_OF(start_rows, struct start_options),
                                      MANY,
                                      .run = start_run};
const struct command command_attach = {.name = "attach",
                                       .names = "container",
                                       .alias = "container attach",
                                       .usage = "attach [OPTIONS] CONTAINER",
                                       .summary = "Join a running container's input and output",
                                       OPTIONS_OF(attach_rows, struct attach_options),
                                       .args_min = 1,
                                       .args_max = 1,
                                       .run = attach_run_command};
