/* Any bytes as what a volume plugin answers, or as a file that names one: it is read, or refused,
 * and what was read can be written and read again. */
#include "base/mem.h"
#include "spec/volume_plugin.h"
#include <assert.h>

static void again(const struct fields *table, struct str text, size_t size) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    void *doc = arena_alloc(&a, size), *copy = arena_alloc(&a, size);
    CLEAN_ERR struct err e = fields_decode(table, text, &a, doc);
    if (err_failed(e))
        return;
    fields_print(table, doc, &out);
    CLEAN_ERR struct err wrong = fields_decode(table, buf_str(&out), &a, copy);
    assert(!err_failed(wrong));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_n(data, size);
    again(&volume_plugin_active_fields, text, sizeof(struct volume_plugin_active));
    again(&volume_plugin_answer_fields, text, sizeof(struct volume_plugin_answer));
    again(&volume_plugin_list_fields, text, sizeof(struct volume_plugin_list));
    again(&volume_plugin_file_fields, text, sizeof(struct volume_plugin_file));
    return 0;
}
