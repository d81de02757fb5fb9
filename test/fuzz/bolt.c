/* Any bytes as another engine's database: every key and value that is told lies within the file,
 * and the walk ends. */
#include "cli/bolt.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err seen(void *arg, struct str key, struct str value) {
    const struct str *file = arg;
    assert(key.p >= file->p && key.p + key.len <= file->p + file->len);
    assert(value.len == 0 || (value.p >= file->p && value.p + value.len <= file->p + file->len));
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = mem_alloc(size + 1); /* aligned, and of the very size */
    memcpy(copy, data, size);
    struct str file = str_n(copy, size);
    err_ignore(bolt_each(file, "b", seen, &file));
    err_ignore(bolt_each(file, "small", seen, &file));
    free(copy);
    return 0;
}
