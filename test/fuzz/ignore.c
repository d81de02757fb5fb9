/* Any bytes as an ignore file and, behind the first NUL, as a path. */
#include "build/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str file, path;
    if (size > 65536)
        return 0;
    str_cut(str_n(data, size), '\0', &file, &path);
    CLEAN_IGNORE struct ignore ig = {0};
    struct err e = ignore_parse(file, ".dockerignore", &ig);
    if (!err_failed(e))
        (void)ignore_match(&ig, str_sub(path, 0, 4096));
    err_free(e);
    return 0;
}
