/* commands.h - every command's row. Private to cli/. */
#pragma once
#include "cli/command.h"

extern const struct command command_attach, command_build, command_create, command_debug_tree,
    command_exec, command_history, command_images, command_import, command_info, command_inspect,
    command_kill, command_load, command_logs, command_pause, command_ps, command_pull, command_push,
    command_rename, command_restart, command_rm, command_rmi, command_run, command_save,
    command_start, command_stop, command_tag, command_unpause, command_version,
    command_volume_create, command_volume_ls, command_volume_rm, command_network_ls, command_wait;

/* run.c: 125, 126 or 127 by the daemon's words about a failed start. */
int start_failure_status(const char *message);
/* ps.c: NAME=VALUE texts as the `filters` parameter. */
struct err filter_query(const struct strv *filters, struct buf *target);
