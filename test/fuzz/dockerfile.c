/* Any bytes as a Dockerfile: parsed, printed, and every instruction read. */
#include "build/instruction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct dockerfile *f;
    struct err e = dockerfile_parse(str_n(data, size), "Dockerfile", &a, &f);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    dockerfile_print_tree(f, &out);
    for (size_t i = 0; i < f->n; i++) {
        struct instr in;
        err_free(instruction_parse(f, f->nodes[i], &a, &in));
    }
    return 0;
}
