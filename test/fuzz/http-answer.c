/* Heads of answers, as the client reads them. */
#include "http/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_ARENA struct arena arena = {0};
    struct http_scan whole = {0}, pieces = {0};
    struct http_head h;
    struct str raw = str_n(data, size);
    ssize_t n = http_scan(&whole, raw), m = 0;
    for (size_t i = 1; i <= size && m == 0; i++)
        m = http_scan(&pieces, str_n(data, i));
    if (n != m)
        abort();
    if (n > 0 && http_answer_parse(str_n(data, (size_t)n), &arena, &h) == 0)
        if (h.status < 100 || h.status > 599 || h.headers_n > HTTP_FIELDS_MAX)
            abort();
    return 0;
}
