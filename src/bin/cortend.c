/* cortend - the daemon: keeps the facts, answers HTTP. */
#include "base/file.h"
#include "daemon/daemon.h"

int main(int argc, char **argv) {
    fd_sanitize_std();
    return daemon_main(argc, argv);
}
