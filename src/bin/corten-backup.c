/* corten-backup - copies a data root while its daemon runs; started by corten system backup. */
#include "base/file.h"
#include "cli/cli.h"

int main(int argc, char **argv) {
    fd_sanitize_std();
    return backup_main(argc, argv);
}
