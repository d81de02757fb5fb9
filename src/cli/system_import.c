/* system import-docker, system backup: programs beside this one do it (cli.h). */
#include "cli/command.h"
#include "cli/helper.h"
#include "spec/api_system.h"
#include <errno.h>
#include <unistd.h>

struct import_docker_options {
    const char *data_root;
    bool apply;
};
static const struct option_row import_docker_rows[] = {
    FLAG(struct import_docker_options, apply, 0, "apply",
         "Do it; without this it is only said what would be done"),
    TEXT(struct import_docker_options, data_root, 0, "data-root", "DIR",
         "Where the dockerd keeps its data (default /var/lib/docker)"),
};

static int import_docker_run(struct invocation *in) {
    const struct import_docker_options *o = in->options;
    CLEAN_FREE char *program = NULL;
    TRYF_STATUS(helper_beside("corten-import", &program));
    const char *root = o->data_root ? o->data_root : "/var/lib/docker";
    char *argv[] = {program,
                    (char *)(uintptr_t)in->host,
                    (char *)(uintptr_t)root,
                    (char *)(uintptr_t)(o->apply ? "--apply" : "--dry-run"),
                    (char *)(uintptr_t)(in->json ? "--json" : NULL),
                    NULL};
    execv(program, argv);
    return cli_fail(err_errno(errno, "corten: start '%s'", program), 1);
}

const struct command command_system_import = {
    .name = "system import-docker",
    .usage = "system import-docker [OPTIONS]",
    .summary = "Take over images, networks, volumes and containers of a stopped dockerd",
    .examples = "corten system import-docker\tsay what there is and what would be taken\n"
                "corten system import-docker --apply\tand take it; the old data root is only read",
    OPTIONS_OF(import_docker_rows, struct import_docker_options),
    .json = true,
    .run = import_docker_run};

/* --- backup ----------------------------------------------------------------------------------- */

static struct err find_root(struct invocation *in, struct client *c, const char **ret) {
    struct api_info info = {0};
    struct client_call call = {.method = "GET",
                               .target = "/info",
                               .out_fields = &api_info_fields,
                               .out = &info,
                               .arena = &in->arena};
    TRY(client_do(c, &call));
    *ret = info.docker_root_dir;
    if (!*ret || access(*ret, R_OK | X_OK) != 0)
        return err_new(ERR_NOT_FOUND,
                       "corten: the daemon's data root '%s' is not on this host, or "
                       "not readable by you",
                       *ret ? *ret : "");
    return OK;
}

static int backup_run(struct invocation *in) {
    CLEAN_FREE char *program = NULL;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    const char *root = NULL;
    if (!c)
        return 1;
    TRYF_STATUS(find_root(in, c, &root));
    TRYF_STATUS(helper_beside("corten-backup", &program));
    char *argv[] = {program, (char *)(uintptr_t)root, in->args[0],
                    (char *)(uintptr_t)(in->json ? "--json" : NULL), NULL};
    execv(program, argv);
    return cli_fail(err_errno(errno, "corten: start '%s'", program), 1);
}

const struct command command_system_backup = {
    .name = "system backup",
    .usage = "system backup DIRECTORY",
    .summary = "Copy the daemon's data root while it runs",
    .examples = "corten system backup /backup/monday\twhich must not be there yet\n"
                "cortend --data-root /backup/monday\ta copy works where it lies",
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = backup_run};
