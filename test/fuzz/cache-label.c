/* Any bytes as the label of a cache image with up to 127 layers. */
#include "build/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 65536)
        return 0;
    size_t layers = data[0] % (CACHE_LAYERS_MAX + 1);
    struct str rest = str_n(data + 1, size - 1), key;
    bool more = true;
    while (more) {
        CLEAN_BUF struct buf text = {0};
        struct cache_layers one, again;
        struct err e = cache_next(&rest, layers, &key, &one, &more);
        if (err_failed(e)) {
            err_free(e);
            return 0;
        }
        if (!more)
            return 0;
        cache_layers_print(&one, &text);
        e = cache_layers_parse(buf_str(&text), layers, &again);
        if (err_failed(e) || one.n != again.n)
            __builtin_trap(); /* what is printed is read */
    }
    return 0;
}
