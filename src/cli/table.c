/* The table of commands, and the groups that their names form. */
#include "cli/commands.h"

#define ADDRESS(name) &command_##name,
const struct command *const cli_commands[] = {CLI_COMMANDS(ADDRESS)};
#undef ADDRESS
const size_t cli_commands_n = ARRAY_LEN(cli_commands);

const struct command_group cli_groups[] = {
    {"builder", "Builds and their cache"},
    {"checkpoint", "Kept states of containers"},
    {"container", "Containers"},
    {"context", "Daemons that commands can be sent to"},
    {"generate", "Files for other programs"},
    {"image", "Images"},
    {"manifest", "Lists of images for several platforms"},
    {"network", "Networks"},
    {"plugin", "Plugins"},
    {"system", "The daemon and its disk space"},
    {"volume", "Volumes"},
    {"webhook", "Tokens that start updates"},
    {"why", "What went wrong, said in words"},
};
const size_t cli_groups_n = ARRAY_LEN(cli_groups);
