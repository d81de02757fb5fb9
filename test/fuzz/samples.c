/* Any bytes as printed numbers: what comes out is lines that come through a second time as they
 * are, and its labels cannot break out of their braces. */
#include "spec/samples.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_BUF struct buf once = {0}, twice = {0}, shown = {0};
    samples_read(str_n(data, size), &once);
    assert(once.len <= SAMPLES_TEXT);
    samples_read(buf_str(&once), &twice);
    assert(str_eq(buf_str(&once), buf_str(&twice)));
    samples_label(buf_str(&once), "m_", "container=\"c\"", &shown);
    size_t a = 0, b = 0;
    for (size_t i = 0; i < once.len; i++)
        a += once.data[i] == '\n';
    for (size_t i = 0; i < shown.len; i++)
        b += shown.data[i] == '\n';
    assert(a == b);
    return 0;
}
