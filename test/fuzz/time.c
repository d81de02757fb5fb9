/* Times and durations: what is taken as RFC 3339 is printed as text that gives the same time. */
#include "base/time.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_n(data, size);
    int64_t t, again;
    char out[TIME_TEXT_MAX];
    err_ignore(duration_parse(text, &t)); /* no crash is all that is asked */
    err_ignore(time_parse_api(text, &t));
    struct err e = time_parse(text, &t);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    e = time_parse(str_of(time_format(t, out)), &again);
    if (err_failed(e) || again != t)
        abort();
    e = time_parse(str_of(time_format_fixed(t, out)), &again);
    if (t != 0 && (err_failed(e) || again != t))
        abort();
    err_free(e);
    return 0;
}
