/* The table of commands, in the order of the help. */
#include "cli/commands.h"

const struct command *const cli_commands[] = {
    &command_run,        &command_exec,          &command_ps,         &command_build,
    &command_debug_tree, &command_pull,          &command_push,       &command_images,
    &command_version,    &command_info,          &command_attach,     &command_create,
    &command_history,    &command_import,        &command_inspect,    &command_kill,
    &command_load,       &command_logs,          &command_network_ls, &command_pause,
    &command_rename,     &command_restart,       &command_rm,         &command_rmi,
    &command_save,       &command_start,         &command_stop,       &command_tag,
    &command_unpause,    &command_volume_create, &command_volume_ls,  &command_volume_rm,
    &command_wait,
};
const size_t cli_commands_n = ARRAY_LEN(cli_commands);
