/* volume export, import, rename, snapshot, update: extensions of the API below /corten/volumes. */
#include "cli/commands.h"
#include "cli/helper.h"
#include "spec/api_volume.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- export, import --------------------------------------------------------------------------- */

static int export_run(struct invocation *in) {
    return cli_export(in, "/corten/volumes/");
}

static struct err make_volume(struct client *c, const char *name, struct arena *a) {
    struct api_volume_create doc = {.name = (char *)(uintptr_t)name};
    struct api_volume made = {0};
    return cli_post_document(c, "/volumes/create", &api_volume_create_fields, &doc,
                             &api_volume_fields, &made, a);
}

static int import_run(struct invocation *in) {
    CLEAN_BUF struct buf target = {0};
    const char *from = in->args_n > 1 ? in->args[1] : "-";
    CLEAN_FD int fd = strcmp(from, "-") != 0 ? open(from, O_RDONLY | O_CLOEXEC)
                                             : fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return cli_fail(err_errno(errno, "corten: open %s", from), 1);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(make_volume(c, in->args[0], &in->arena));
    client_path(&target, "/corten/volumes/", in->args[0], "/archive");
    client_query(&target, "path", "/");
    struct client_call call = {.method = "PUT",
                               .target = buf_cstr(&target),
                               .content_type = "application/x-tar",
                               .body_read = cli_read_fd,
                               .body_arg = &fd};
    TRYF_STATUS(client_do(c, &call));
    cli_say(in, "name", in->args[0]);
    return 0;
}

/* --- rename, snapshot, update ----------------------------------------------------------------- */

static int rename_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    if (!c)
        return 1;
    client_path(&target, "/corten/volumes/", in->args[0], "/rename");
    client_query(&target, "name", in->args[1]);
    TRYF_STATUS(cli_post(c, buf_cstr(&target)));
    cli_say(in, "name", in->args[1]);
    return 0;
}

static int snapshot_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    struct api_volume made = {0};
    if (!c)
        return 1;
    client_path(&target, "/corten/volumes/", in->args[0], "/snapshot");
    if (in->args_n > 1)
        client_query(&target, "name", in->args[1]);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .out_fields = &api_volume_fields,
                               .out = &made,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    cli_say(in, "name", made.name);
    return 0;
}

struct volume_update_options {
    struct strv add, remove;
    const char *availability;
};
static const struct option_row update_rows[] = {
    LIST(struct volume_update_options, add, 0, "label-add", "KEY=VALUE", "Add or change a label"),
    LIST(struct volume_update_options, remove, 0, "label-rm", "KEY", "Take a label away"),
    TEXT(struct volume_update_options, availability, 0, "availability", "MODE", NULL),
};

static int update_run(struct invocation *in) {
    const struct volume_update_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf target = {0};
    CLEAN_BUF struct buf change = {0};
    struct api_volume now = {0};
    struct api_volume_labels doc = {.labels.present = true};
    if (o->availability)
        return cli_usage(in, "--availability is not supported: there is no Swarm");
    if (!o->add.n && !o->remove.n)
        return cli_usage(in, "nothing to change: give --label-add or --label-rm");
    if (!(c = cli_connect(in)))
        return 1;
    client_path(&target, "/volumes/", in->args[0], "");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_volume_fields,
                               .out = &now,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    for (size_t i = 0; i < now.labels.n; i++) {
        bool stays = true;
        for (size_t k = 0; k < o->remove.n; k++)
            stays &= strcmp(o->remove.items[k], now.labels.items[i].key) != 0;
        if (stays)
            strmap_set(&doc.labels, &in->arena, now.labels.items[i].key, now.labels.items[i].value);
    }
    cli_pairs(&o->add, &doc.labels, &in->arena);
    client_path(&change, "/corten/volumes/", in->args[0], "/labels");
    TRYF_STATUS(cli_post_document(c, buf_cstr(&change), &api_volume_labels_fields, &doc,
                                  &api_volume_fields, &now, &in->arena));
    cli_say(in, "name", now.name);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

const struct command command_volume_export = {
    .name = "volume export",
    .usage = "volume export [OPTIONS] VOLUME",
    .summary = "Write what is in a volume as a tar archive",
    .examples = "corten volume export data | zstd > data.tar.zst\ta backup",
    OPTIONS_OF(export_rows, struct export_options),
    .args_min = 1,
    .args_max = 1,
    .names = "volume",
    .json = true,
    .run = export_run};
const struct command command_volume_import = {
    .name = "volume import",
    .waits = true,
    .usage = "volume import VOLUME [FILE|-]",
    .summary =
        "Unpack a tar archive (plain, gzip or zstd) into a volume, which is made when missing",
    .args_min = 1,
    .args_max = 2,
    .json = true,
    .names = "volume",
    .run = import_run};
const struct command command_volume_rename = {.name = "volume rename",
                                              .usage = "volume rename VOLUME NEW_NAME",
                                              .summary = "Rename a volume that no container has",
                                              .args_min = 2,
                                              .args_max = 2,
                                              .json = true,
                                              .names = "volume",
                                              .run = rename_run};
const struct command command_volume_snapshot = {
    .name = "volume snapshot",
    .waits = true,
    .usage = "volume snapshot VOLUME [NEW_NAME]",
    .summary = "Make a volume with what is in another one now",
    .args_min = 1,
    .args_max = 2,
    .json = true,
    .names = "volume",
    .run = snapshot_run};
const struct command command_volume_update = {.name = "volume update",
                                              .usage = "volume update [OPTIONS] VOLUME",
                                              .summary = "Change the labels of a volume",
                                              OPTIONS_OF(update_rows, struct volume_update_options),
                                              .args_min = 1,
                                              .args_max = 1,
                                              .json = true,
                                              .names = "volume",
                                              .run = update_run};
