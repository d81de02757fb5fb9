/* The chunk decoder: whole and in pieces, the same body and end; no slice outside of the input;
 * state that came from elsewhere. */
#include "http/body.h"
#include "http/chunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_chunk_result decode(struct http_chunk c, struct str raw, size_t step,
                                     struct buf *out, size_t *ret_used) {
    size_t at = 0;
    while (at < raw.len) {
        struct str in = str_sub(raw, at, at + step), piece = STR_NONE;
        size_t used = 0;
        enum http_chunk_result r = http_chunk_next(&c, in, &used, &piece);
        if (used > in.len || (r == HTTP_CHUNK_MORE && used != in.len))
            abort();
        at += used;
        *ret_used = at;
        if (r == HTTP_CHUNK_DATA) {
            if (piece.len == 0 || piece.p < in.p || piece.p + piece.len > in.p + in.len)
                abort();
            buf_add_str(out, piece);
        } else if (r != HTTP_CHUNK_MORE) {
            return r;
        }
        if (!http_chunk_valid(&c))
            abort();
    }
    return HTTP_CHUNK_MORE;
}

static void compare(struct http_chunk c, struct str raw, size_t step) {
    CLEAN_BUF struct buf a = {0}, b = {0};
    size_t used_a = 0, used_b = 0;
    enum http_chunk_result ra = decode(c, raw, MAX(raw.len, (size_t)1), &a, &used_a);
    enum http_chunk_result rb = decode(c, raw, step, &b, &used_b);
    if (ra != rb || used_a != used_b || !str_eq(buf_str(&a), buf_str(&b)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_body_state state;
    struct str early;
    if (size < 1)
        return 0;
    compare((struct http_chunk){0}, str_n(data + 1, size - 1), (size_t)data[0] % 8 + 1);
    struct err e = http_body_unpack(str_n(data + 1, size - 1), &state, &early);
    if (!err_failed(e) && state.framing == HTTP_BODY_CHUNKED) {
        struct http_chunk c;
        memcpy(&c, state.chunk, sizeof(c));
        compare(c, early, (size_t)data[0] % 8 + 1);
    }
    err_free(e);
    return 0;
}
