/* Any bytes as a word: expanded in every mode. The first byte chooses the mode. */
#include "build/expand.h"

static const char *variable(void *arg, struct str name) {
    (void)arg;
    return name.len % 3 == 0 ? NULL : name.len % 3 == 1 ? "some/value.tar.gz" : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct expand x = {.get = variable,
                       .escape = data[0] & 1 ? '`' : '\\',
                       .keep_quotes = data[0] & 2,
                       .keep_escapes = data[0] & 4,
                       .ignore_quotes = data[0] & 8,
                       .keep_unset = data[0] & 16};
    CLEAN_BUF struct buf out = {0};
    CLEAN_STRV struct strv words = {0};
    err_free(expand_word(&x, str_n(data + 1, size - 1), &out));
    err_free(expand_words(&x, str_n(data + 1, size - 1), &words));
    return 0;
}
