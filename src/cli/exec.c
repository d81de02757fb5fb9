/* exec, logs. */
#include "base/file.h"
#include "cli/commands.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct exec_options {
    bool detach, interactive, tty;
    const char *user, *workdir;
    struct strv env;
};
static const struct option_row exec_rows[] = {
    FLAG(struct exec_options, detach, 'd', "detach",
         "Detached mode: run command in the background"),
    FLAG(struct exec_options, interactive, 'i', "interactive",
         "Keep STDIN open even if not attached"),
    FLAG(struct exec_options, tty, 't', "tty", "Allocate a pseudo-TTY"),
    TEXT(struct exec_options, user, 'u', "user", "NAME|UID[:GROUP|GID]", "User"),
    TEXT(struct exec_options, workdir, 'w', "workdir", "DIR",
         "Working directory inside the container"),
    LIST(struct exec_options, env, 'e', "env", "NAME=VALUE", "Set environment variables"),
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
        .env = {o->env.items, o->env.n, true},
        .cmd = {in->args + 1, (size_t)in->args_n - 1, true},
    };
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
    unsigned rows, columns;
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
    struct err e = exec_create(c, in, &id);
    if (!err_failed(e))
        e = exec_start(c, in, id, &status);
    if (err_failed(e)) {
        int code = start_failure_status(err_msg(e));
        return cli_fail(e, code == 125 ? 1 : code);
    }
    return status;
}

/* --- logs
 * ------------------------------------------------------------------------------------------------------------
 */

struct logs_options {
    bool follow, timestamps, details;
    const char *tail, *since, *until;
};
static const struct option_row logs_rows[] = {
    FLAG(struct logs_options, follow, 'f', "follow", "Follow log output"),
    FLAG(struct logs_options, timestamps, 't', "timestamps", "Show timestamps"),
    FLAG(struct logs_options, details, 0, "details", "Show extra details provided to logs"),
    TEXT(struct logs_options, tail, 'n', "tail", "LINES",
         "Number of lines to show from the end of the logs (default all)"),
    TEXT(struct logs_options, since, 0, "since", "TIME",
         "Show logs since this time (2013-01-02T13:23:37Z, unix seconds)"),
    TEXT(struct logs_options, until, 0, "until", "TIME", "Show logs before this time"),
};

/* The answer is no hijack: its body is the (framed) stream. */
static struct err copy_logs(struct client *c, bool tty) {
    unsigned char head[8];
    char bytes[65536];
    size_t have = 0, left = 0;
    int out = 1;
    for (;;) {
        bool framed = !tty && left == 0;
        ssize_t n = framed ? client_read(c, head + have, sizeof head - have)
                           : client_read(c, bytes, tty ? sizeof bytes : MIN(left, sizeof bytes));
        if (n < 0)
            return err_errno((int)-n, "corten: read logs");
        if (n == 0)
            return OK;
        if (!framed) {
            left -= tty ? 0 : (size_t)n;
            int r = fd_write_all(out, bytes, (size_t)n);
            if (r < 0)
                return r == -EPIPE ? OK : err_errno(-r, "corten: write");
            continue;
        }
        have += (size_t)n;
        if (have < sizeof head)
            continue;
        have = 0;
        out = head[0] == 2 ? 2 : 1;
        left = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    }
}

static int logs_run(struct invocation *in) {
    const struct logs_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    struct api_container k;
    if (!c)
        return 1;
    struct err e = client_container_inspect(c, in->args[0], &in->arena, &k);
    if (!err_failed(e)) {
        client_path(&target, "/containers/", k.id, "/logs");
        client_query_bool(&target, "stdout", true);
        client_query_bool(&target, "stderr", true);
        client_query_bool(&target, "follow", o->follow);
        client_query_bool(&target, "timestamps", o->timestamps);
        client_query_bool(&target, "details", o->details);
        client_query(&target, "tail", o->tail);
        client_query(&target, "since", o->since);
        client_query(&target, "until", o->until);
        struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
        e = client_begin(c, &call);
    }
    if (!err_failed(e))
        e = copy_logs(c, k.config->tty);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

const struct command command_exec = {.name = "exec",
                                     .alias = "container exec",
                                     .usage = "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
                                     .summary = "Execute a command in a running container",
                                     OPTIONS_OF(exec_rows, struct exec_options),
                                     .args_min = 2,
                                     .args_max = -1,
                                     .stop_at_args = true,
                                     .run = exec_run};
const struct command command_logs = {.name = "logs",
                                     .alias = "container logs",
                                     .usage = "logs [OPTIONS] CONTAINER",
                                     .summary = "Fetch the logs of a container",
                                     OPTIONS_OF(logs_rows, struct logs_options),
                                     .args_min = 1,
                                     .args_max = 1,
                                     .run = logs_run};
