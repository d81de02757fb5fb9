/* corten-runtime - the OCI runtime command line: src/runtime/commands.c. */
#include "runtime/runtime.h"

int main(int argc, char **argv) {
    return runtime_main(argc, argv);
}
