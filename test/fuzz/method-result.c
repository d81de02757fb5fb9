/* Any bytes as what a method has said, the first one its exit status: the counts add up. */
#include "base/mem.h"
#include "spec/method_result.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    for (int how = LIFECYCLE_AUTO; how <= LIFECYCLE_JUNIT; how++) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf text = {0};
        struct method_result r = {.method = (char *)"validate", .exit_code = (int8_t)data[0]};
        method_result_read(&r, (enum lifecycle_reading)how, str_n(data + 1, size - 1), &a);
        assert(r.examples >= 0 && r.failures >= 0 && r.skipped >= 0);
        assert(r.perf.n <= METHOD_PERF_MAX);
        assert(!method_result_good(&r) || r.failures == 0);
        method_result_text(&r, &text);
        for (size_t i = 0; i < text.len; i++)
            assert((unsigned char)text.data[i] >= 0x20);
    }
    return 0;
}
