/* corten-build - one build: see build/build.h. */
#include "build/build.h"

int main(int argc, char **argv) {
    return build_main(argc, argv);
}
