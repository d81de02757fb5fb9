/* Whatever json_parse takes, json_print writes so that it is taken again and prints the same. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_JSON struct json *once = NULL, *twice = NULL;
    CLEAN_BUF struct buf first = {0}, second = {0};
    CLEAN_ERR struct err e = json_parse(str_n(data, size), &once);
    if (err_failed(e))
        return 0;
    json_print(once, &first);
    e = json_parse(buf_str(&first), &twice);
    if (err_failed(e))
        abort();
    json_print(twice, &second);
    if (!str_eq(buf_str(&first), buf_str(&second)))
        abort();
    return 0;
}
