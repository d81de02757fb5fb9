/* corten - the command line. */
#include "base/file.h"
#include "cli/cli.h"

int main(int argc, char **argv) {
    fd_sanitize_std();
    return cli_main(argc, argv);
}
