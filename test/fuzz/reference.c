/* Names of images. What is taken prints, and its print is taken again as the same. */
#include "image/reference.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reference r, again;
    char a[REFERENCE_TEXT_MAX], b[REFERENCE_TEXT_MAX];
    struct err e = reference_parse(str_n(data, size), &r);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    reference_text(&r, a);
    e = reference_parse(str_of(a), &again);
    if (err_failed(e) || strcmp(a, reference_text(&again, b)) != 0)
        abort();
    reference_familiar(&r, a);
    e = reference_parse(str_of(a), &again);
    if (err_failed(e) || strcmp(reference_text(&r, a), reference_text(&again, b)) != 0)
        abort();
    return 0;
}
