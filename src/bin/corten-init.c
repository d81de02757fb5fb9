/* corten-init - PID 1 of a container that asks for one: runtime/reaper.c. */
#include "runtime/runtime.h"

int main(int argc, char **argv) {
    return reaper_main(argc, argv);
}
