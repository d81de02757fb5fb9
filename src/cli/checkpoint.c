/* checkpoint create, ls, rm. A daemon that cannot (ours cannot yet) says so. */
#include "cli/commands.h"
#include <stdio.h>

struct checkpoint_options {
    const char *dir;
    bool leave_running;
};
#define DIR_ROW \
    TEXT(struct checkpoint_options, dir, 0, "checkpoint-dir", "DIR", "Where checkpoints are kept")
static const struct option_row create_rows[] = {
    DIR_ROW,
    FLAG(struct checkpoint_options, leave_running, 0, "leave-running",
         "The container goes on running"),
};
static const struct option_row other_rows[] = {DIR_ROW};

struct checkpoint {
    char *name, *dir;
    bool exits;
};
static const struct field rows[] = {
    FIELD(struct checkpoint, name, "CheckpointID", F_STR),
    FIELD(struct checkpoint, dir, "CheckpointDir", F_STR),
    FIELD(struct checkpoint, exits, "Exit", F_BOOL),
};
static const struct fields request = {"checkpoint", sizeof(struct checkpoint), rows,
                                      ARRAY_LEN(rows)};
static const struct field found_rows[] = {FIELD(struct checkpoint, name, "Name", F_STR)};
static const struct fields found = {"checkpoint", sizeof(struct checkpoint), found_rows,
                                    ARRAY_LEN(found_rows)};

static void target_of(struct buf *target, const struct invocation *in) {
    client_path(target, "/containers/", in->args[0], "/checkpoints");
}

static int create_run(struct invocation *in) {
    const struct checkpoint_options *o = in->options;
    const struct checkpoint doc = {in->args[1], (char *)o->dir, !o->leave_running};
    CLEAN_BUF struct buf target = {0};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    target_of(&target, in);
    TRYF_STATUS(cli_post_document(c, buf_cstr(&target), &request, &doc, NULL, NULL, &in->arena));
    cli_say(in, "name", in->args[1]);
    return 0;
}

static int ls_run(struct invocation *in) {
    const struct checkpoint_options *o = in->options;
    CLEAN_BUF struct buf target = {0}, text = {0};
    struct objs all = {0};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    target_of(&target, in);
    client_query(&target, "dir", o->dir);
    TRYF_STATUS(cli_get_array(c, buf_cstr(&target), &found, &in->arena, &all));
    if (!in->json)
        buf_adds(&text, "CHECKPOINT NAME\n");
    for (size_t i = 0; i < all.n; i++) {
        const struct checkpoint *x = &((struct checkpoint *)all.items)[i];
        if (in->json)
            cli_say(in, "name", x->name);
        else
            buf_addf(&text, "%s\n", x->name);
    }
    table_print(buf_str(&text), true);
    return 0;
}

static int rm_run(struct invocation *in) {
    const struct checkpoint_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    target_of(&target, in);
    client_path(&target, "/", in->args[1], "");
    client_query(&target, "dir", o->dir);
    TRYF_STATUS(cli_delete(c, buf_cstr(&target)));
    if (in->json)
        cli_say(in, "name", in->args[1]);
    return 0;
}

const struct command command_checkpoint_create = {
    .name = "checkpoint create",
    .waits = true,
    .usage = "checkpoint create [OPTIONS] CONTAINER CHECKPOINT",
    .summary = "Keep the state of a running container",
    OPTIONS_OF(create_rows, struct checkpoint_options),
    .args_min = 2,
    .args_max = 2,
    .json = true,
    .names = "container",
    .run = create_run};
const struct command command_checkpoint_ls = {.name = "checkpoint ls",
                                              .alias = "checkpoint list",
                                              .usage = "checkpoint ls [OPTIONS] CONTAINER",
                                              .summary = "List the kept states of a container",
                                              OPTIONS_OF(other_rows, struct checkpoint_options),
                                              .args_min = 1,
                                              .args_max = 1,
                                              .json = true,
                                              .names = "container",
                                              .run = ls_run};
const struct command command_checkpoint_rm = {
    .name = "checkpoint rm",
    .alias = "checkpoint remove",
    .usage = "checkpoint rm [OPTIONS] CONTAINER CHECKPOINT",
    .summary = "Remove a kept state of a container",
    OPTIONS_OF(other_rows, struct checkpoint_options),
    .args_min = 2,
    .args_max = 2,
    .json = true,
    .names = "container",
    .run = rm_run};
