/* Any bytes as a log file: records are read, the rest is skipped, and it ends. What is written from
 * the same bytes reads back as UTF-8. */
#include "base/mem.h"
#include "logs/logs.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct logs_record r = {0};
    CLEAN_BUF struct buf out = {0}, record = {0};
    for (size_t at = 0; at < size;) {
        size_t before = out.len;
        ssize_t used = logs_parse(str_n(data + at, size - at), &r, &out);
        assert(used > 0 || out.len == before);
        if (used == 0)
            break;
        at += (size_t)(used < 0 ? -used : used);
        assert(at <= size);
    }
    logs_format(&record, LOGS_STDERR, str_n(data, size), true, 1700000000123456789);
    buf_clear(&out);
    if (record.len < LOGS_RECORD_MAX) {
        assert(logs_parse(buf_str(&record), &r, &out) == (ssize_t)record.len);
        assert(r.stream == LOGS_STDERR && out.len >= 1 && out.data[out.len - 1] == '\n');
        assert(str_is_utf8(buf_str(&out)));
    }
    logs_record_done(&r);
    return 0;
}
