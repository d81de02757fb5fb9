/* exec. */
#include "base/file.h"
#include "cli/create.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct exec_options {
    bool detach, interactive, tty, privileged;
    const char *user, *workdir, *detach_keys;
    struct strv env, env_file;
};
static const struct option_row exec_rows[] = {
    FLAG(struct exec_options, detach, 'd', "detach", "In the background"),
    FLAG(struct exec_options, interactive, 'i', "interactive", "Hand our stdin to it"),
    FLAG(struct exec_options, tty, 't', "tty", "A terminal of its own"),
    FLAG(struct exec_options, privileged, 0, "privileged", "All rights of the host"),
    TEXT(struct exec_options, user, 'u', "user", "USER[:GROUP]", "Names or numbers"),
    TEXT(struct exec_options, workdir, 'w', "workdir", "DIR", "Working directory inside"),
    TEXT(struct exec_options, detach_keys, 0, "detach-keys", "KEYS",
         "Keys that leave it running (ctrl-p,ctrl-q)"),
    LIST(struct exec_options, env, 'e', "env", "NAME[=VALUE]", "Set a variable, or hand ours on"),
    LIST(struct exec_options, env_file, 0, "env-file", "FILE", "Variables, one a line"),
};

static struct err exec_create(struct client *c, struct invocation *in, char **ret_id) {
    const struct exec_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    struct api_id made = {0};
    struct api_exec_create doc = {
        .user = (char *)o->user,
        .working_dir = (char *)o->workdir,
        .tty = o->tty,
        .attach_stdin = o->interactive && !o->detach,
        .attach_stdout = !o->detach,
        .attach_stderr = !o->detach,
        .privileged = o->privileged,
        .detach_keys = (char *)o->detach_keys,
        .cmd = {in->args + 1, (size_t)in->args_n - 1, true},
    };
    for (size_t i = 0; i < o->env_file.n; i++)
        TRY(env_file_option(o->env_file.items[i], &doc.env, &in->arena));
    TRY(env_options(&o->env, &doc.env, &in->arena));
    client_path(&target, "/containers/", in->args[0], "/exec");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .in_fields = &api_exec_create_fields,
                               .in = &doc,
                               .out_fields = &api_id_fields,
                               .out = &made,
                               .arena = &in->arena};
    TRY(client_do(c, &call));
    *ret_id = made.id;
    return OK;
}

static struct err exec_code(struct client *c, const char *id, struct arena *a, int *ret) {
    CLEAN_BUF struct buf target = {0};
    struct api_exec x;
    client_path(&target, "/exec/", id, "/json");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_exec_fields,
                               .out = &x,
                               .arena = a};
    TRY(client_do(c, &call));
    *ret = x.exit_code ? (int)*x.exit_code : 0;
    return OK;
}

static struct err exec_start(struct client *c, struct invocation *in, const char *id,
                             int *ret_status) {
    const struct exec_options *o = in->options;
    CLEAN_CLIENT struct client *stream_client = NULL;
    CLEAN_STREAM_CLIENT struct client_stream stream = {.fd = -1};
    CLEAN_BUF struct buf target = {0};
    struct api_exec_start doc = {.detach = o->detach, .tty = o->tty};
    CLEAN_BUF struct buf keys = {0};
    unsigned rows, columns;
    if (o->tty)
        TRY(detach_keys_option(o->detach_keys, in, &keys));
    terminal_size(&rows, &columns);
    if (o->tty) {
        doc.console_size[0] = rows;
        doc.console_size[1] = columns;
    }
    client_path(&target, "/exec/", id, "/start");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .in_fields = &api_exec_start_fields,
                               .in = &doc,
                               .upgrade = !o->detach};
    if (o->detach)
        return client_do(c, &call);
    TRY(client_open_like(c, &stream_client));
    TRY(client_begin(stream_client, &call));
    TRY(client_hijack(stream_client, o->tty, &stream));
    struct attach_io io = {.stream = &stream,
                           .in = o->interactive,
                           .tty = o->tty,
                           .control = c,
                           .id = id,
                           .keys = buf_str(&keys),
                           .is_exec = true};
    TRY(attach_run(&io));
    return io.detached ? OK : exec_code(c, id, &in->arena, ret_status);
}

static int exec_run(struct invocation *in) {
    const struct exec_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    char *id = NULL;
    int status = 0;
    if (!c)
        return 1;
    if (o->tty && o->interactive && !o->detach && !isatty(0)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return 1;
    }
    for (size_t i = 0; i < o->env.n; i++) {
        struct err e = env_check(o->env.items[i]);
        if (err_failed(e))
            return cli_fail(e, 125);
    }
    struct err e = exec_create(c, in, &id);
    if (!err_failed(e))
        e = exec_start(c, in, id, &status);
    if (err_failed(e)) {
        /* Only the daemon's words are about the program. */
        bool ours = !strncmp(err_msg(e), "corten: ", 8);
        int code = ours ? 125 : start_failure_status(err_msg(e));
        return cli_fail(e, code == 125 ? 1 : code);
    }
    return status;
}

const struct command command_exec = {
    .name = "exec",
    .alias = "container exec",
    .usage = "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
    .summary = "Run a program in a running container",
    .names = "container",
    .examples = "corten exec -it web sh\ta shell in it\ncorten exec -u 0 web id\tas root",
    OPTIONS_OF(exec_rows, struct exec_options),
    .args_min = 2,
    .args_max = -1,
    .stop_at_args = true,
    .run = exec_run};
