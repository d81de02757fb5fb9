/* webhook create, webhook rm: who has the token may start the container's update. */
#include "cli/commands.h"
#include <stdio.h>

static int create_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0}, body = {0};
    CLEAN_JSON struct json *j = NULL;
    if (!c)
        return 1;
    client_path(&target, "/containers/", in->args[0], "/webhook");
    struct client_call call = {.method = "POST", .target = buf_cstr(&target)};
    TRYF_STATUS(client_begin(c, &call));
    TRYF_STATUS(cli_read_body(c, &body));
    if (in->json) {
        printf("%.*s\n", STR_ARG(str_trim(buf_str(&body))));
        return 0;
    }
    TRYF_STATUS(json_parse(str_trim(buf_str(&body)), &j));
    printf("%.*s\n", STR_ARG(json_str(json_get(j, "Token"))));
    fprintf(stderr, "POST %.*s with this token starts the update; it is not shown again\n",
            STR_ARG(json_str(json_get(j, "Path"))));
    return 0;
}

static struct err remove_one(struct client *c, struct invocation *in UNUSED, const char *arg) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", arg, "/webhook");
    return cli_delete(c, buf_cstr(&target));
}

static int rm_run(struct invocation *in) {
    return cli_for_each(in, remove_one);
}

const struct command command_webhook_create = {
    .name = "webhook create",
    .usage = "webhook create CONTAINER",
    .summary = "Make a token that starts the container's update; an earlier one is void",
    .names = "container",
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = create_run};
const struct command command_webhook_rm = {.name = "webhook rm",
                                           .usage = "webhook rm CONTAINER [CONTAINER...]",
                                           .summary = "Take the token of containers away",
                                           .names = "container",
                                           .args_min = 1,
                                           .args_max = -1,
                                           .json = true,
                                           .run = rm_run};
