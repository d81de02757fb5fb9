/* Any bytes as a template, run over a document that has some of everything. */
#include "base/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char document[] =
        "{\"s\":\"text\",\"i\":3,\"f\":1.5,\"n\":null,\"b\":true,\"u\":18446744073709551615,"
        "\"l\":[1,\"two\",[3]],\"m\":{\"a\":\"x\",\"b\":{\"c\":\"y\"}}}";
    CLEAN_TEMPLATE struct template *t = NULL;
    CLEAN_JSON struct json *root = NULL;
    CLEAN_BUF struct buf out = {0};
    if (size > 4096)
        return 0;
    struct err e = template_parse("fuzz", str_n(data, size), NULL, 0, &t);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    err_free(json_parse(str_of(document), &root));
    struct template_value v = template_json(root);
    err_free(template_run(t, &v, &out));
    return 0;
}
