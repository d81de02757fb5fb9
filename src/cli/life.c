/* call, validate, monitor, backup: methods of containers (docs/lifecycle.md). Exit status: the
 * method's own; 1 when its result is not good although it ended with 0, 124 when it was over its
 * deadline; of several containers the first that was not 0. */
#include "cli/life.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/create.h"
#include "spec/api_method.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATUS_TIMEOUT 124

struct call_options {
    bool quiet;
    const char *user, *timeout;
    struct strv env;
};
static const struct option_row call_rows[] = {
    LIST(struct call_options, env, 'e', "env", "NAME[=VALUE]", "Set a variable, or hand ours on"),
    FLAG(struct call_options, quiet, 'q', "quiet", "Only the result, not what the method says"),
    TEXT(struct call_options, timeout, 0, "timeout", "DURATION", "Instead of the method's own"),
    TEXT(struct call_options, user, 'u', "user", "USER[:GROUP]", "Instead of the method's own"),
};

static struct err stream(struct client *c, const char *id, bool quiet) {
    CLEAN_CLIENT struct client *other = NULL;
    CLEAN_STREAM_CLIENT struct client_stream s = {.fd = -1};
    CLEAN_BUF struct buf target = {0};
    struct api_exec_start doc = {0};
    client_path(&target, "/exec/", id, "/start");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .in_fields = &api_exec_start_fields,
                               .in = &doc,
                               .upgrade = true};
    TRY(client_open_like(c, &other));
    TRY(client_begin(other, &call));
    TRY(client_hijack(other, false, &s));
    char bytes[16384];
    int to = 1;
    for (ssize_t n; (n = client_stream_read(&s, bytes, sizeof bytes, &to)) != 0;) {
        if (n < 0)
            return err_errno((int)-n, "corten: read what the method says");
        if (!quiet)
            fwrite(bytes, 1, (size_t)n, to == 2 ? stderr : stdout);
    }
    return OK;
}

struct err life_result(struct client *c, const char *container, const char *id, struct arena *a,
                       struct method_result *ret) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", container, "/methods/");
    buf_adds(&target, id);
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &method_result_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

int life_status(const struct method_result *r) {
    if (r->exit_code == METHOD_TIMED_OUT)
        return STATUS_TIMEOUT;
    return r->exit_code || method_result_good(r) ? (int)r->exit_code : 1;
}

void life_say(const struct invocation *in, const char *container, const struct method_result *r) {
    CLEAN_BUF struct buf text = {0};
    if (in->json) {
        fields_print(&method_result_fields, r, &text);
        printf("%s\n", buf_cstr(&text));
        fflush(stdout);
        return;
    }
    method_result_text(r, &text);
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", container, buf_cstr(&text));
}

static struct err call_one(struct client *c, struct invocation *in, const char *method,
                           const char *container, int *ret_status) {
    const struct call_options *o = in->options;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf target = {0};
    struct api_method_call doc = {.user = (char *)(uintptr_t)o->user,
                                  .kill_with_client = strcmp(method, "backup") != 0};
    struct api_id made = {0};
    struct method_result r = {0};
    if (o->timeout)
        TRYF(duration_parse(str_of(o->timeout), &doc.timeout), "corten: --timeout");
    TRY(env_options(&o->env, &doc.env, &a));
    client_path(&target, "/containers/", container, "/methods/");
    client_path(&target, "", method, "");
    TRY(cli_post_document(c, buf_cstr(&target), &api_method_call_fields, &doc, &api_id_fields,
                          &made, &a));
    TRY(stream(c, made.id, o->quiet || in->json));
    TRY(life_result(c, container, made.id, &a, &r));
    life_say(in, container, &r);
    *ret_status = life_status(&r);
    return OK;
}

static int call_all(struct invocation *in, const char *method, char **containers, int n) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int first = 0;
    if (!c)
        return 1;
    for (int i = 0; i < n; i++) {
        int status = 0;
        struct err e = call_one(c, in, method, containers[i], &status);
        if (err_failed(e))
            status = cli_fail(e, 1);
        first = first ? first : status;
    }
    return first;
}

static int call_run(struct invocation *in) {
    return call_all(in, in->args[0], in->args + 1, in->args_n - 1);
}

static int named_run(struct invocation *in) {
    return call_all(in, in->command->name, in->args, in->args_n);
}

const struct command command_call = {
    .name = "call",
    .usage = "call [OPTIONS] METHOD CONTAINER [CONTAINER...]",
    .summary = "Run a method that a container's image brings along",
    .examples = "corten call rotate-logs web\tthe author's own method",
    OPTIONS_OF(call_rows, struct call_options),
    .args_min = 2,
    .args_max = -1,
    .json = true,
    .run = call_run};

#define METHOD(word, what)                                                                       \
    const struct command command_##word = {.name = #word,                                        \
                                           .usage = #word " [OPTIONS] CONTAINER [CONTAINER...]", \
                                           .summary = what,                                      \
                                           .names = "container",                                 \
                                           OPTIONS_OF(call_rows, struct call_options),           \
                                           .args_min = 1,                                        \
                                           .args_max = -1,                                       \
                                           .json = true,                                         \
                                           .run = named_run}
METHOD(validate, "Ask containers, by their own method, whether they are what they should be");
METHOD(monitor, "Ask containers, by their own method, how they are");
METHOD(backup, "Have containers write what is worth keeping, by their own method");
