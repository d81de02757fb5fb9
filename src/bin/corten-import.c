/* corten-import - takes over what a stopped dockerd has; started by corten system import-docker. */
#include "base/file.h"
#include "cli/cli.h"

int main(int argc, char **argv) {
    fd_sanitize_std();
    return import_docker_main(argc, argv);
}
