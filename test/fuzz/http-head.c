/* Heads of requests: whole and in pieces, the same verdict. */
#include "http/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    int status; /* 0 accepted, 1 incomplete */
    size_t len, fields;
    uint64_t content_length;
    enum http_framing framing;
};

static struct verdict judge(struct str raw, size_t step, struct arena *arena,
                            struct http_head *ret_head) {
    struct http_scan scan = {0};
    for (size_t n = MIN(step, raw.len);; n = MIN(n + step, raw.len)) {
        ssize_t rc = http_scan(&scan, str_n(raw.p, n));
        if (rc < 0)
            return (struct verdict){.status = (int)-rc};
        if (rc > 0) {
            struct http_head h = {0};
            int status = http_request_parse(str_n(raw.p, (size_t)rc), arena, &h);
            *ret_head = h;
            return (struct verdict){status, (size_t)rc, h.headers_n, h.content_length, h.framing};
        }
        if (n == raw.len)
            return (struct verdict){.status = 1};
    }
}

static void check(bool right) {
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    CLEAN_ARENA struct arena arena = {0};
    struct http_head h, h2;
    struct str raw = str_n(data + 1, size - 1), path, query;
    struct verdict a = judge(raw, MAX(raw.len, (size_t)1), &arena, &h);
    struct verdict b = judge(raw, (size_t)data[0] % 16 + 1, &arena, &h2);
    check(a.status == b.status && a.len == b.len && a.fields == b.fields &&
          a.content_length == b.content_length && a.framing == b.framing);
    if (a.status != 0)
        return 0;
    check(!(http_head_get(&h, "content-length").p && http_head_get(&h, "transfer-encoding").p));
    for (size_t i = 0; i < h.headers_n; i++) {
        struct http_header f = h.headers[i];
        check(f.name.len > 0 && f.name.p >= raw.p && f.value.p + f.value.len <= raw.p + a.len);
        check(str_find(f.value, '\n') < 0 && str_find(f.value, '\0') < 0);
    }
    if (http_target_parse(h.target, &arena, &path, &query) == 0) {
        struct http_request r = {.path = path, .query = query, .arena = &arena};
        check(path.p[0] == '/' && !str_has_nul(path));
        http_query(&r, "filters");
        http_query_bool(&r, "all", false);
        http_query_nth(&r, "a", 3);
    }
    return 0;
}
