/* Any bytes as labels, a line each ("key=value"): nothing fails, what comes out can be read again,
 * and what is shown holds no control byte but line ends. */
#include "spec/lifecycle.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf json = {0}, shown = {0};
    struct strmap labels = {0};
    struct str rest = str_n(data, size), line, key, value;
    while (labels.n < 200 && str_next(&rest, '\n', &line)) {
        str_cut(line, '=', &key, &value);
        strmap_set(&labels, &a, arena_str(&a, key), arena_str(&a, value));
    }
    struct lifecycle_metadata m, back;
    lifecycle_describe(&labels, &(struct lifecycle_facts){.name = "image"}, &a, &m);
    assert(m.methods.n <= LIFECYCLE_METHODS_MAX && m.ancestors.n <= LIFECYCLE_ANCESTORS_MAX);
    fields_print(&lifecycle_metadata_fields, &m, &json);
    CLEAN_ERR struct err e = fields_decode_strict(&lifecycle_metadata_fields, buf_str(&json), &a,
                                                  &back);
    assert(!err_failed(e));
    lifecycle_examine(&m, &shown);
    for (size_t i = 0; i < shown.len; i++)
        assert((unsigned char)shown.data[i] >= 0x20 || shown.data[i] == '\n');
    return 0;
}
