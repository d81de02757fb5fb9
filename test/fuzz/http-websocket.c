/* A client's WebSocket frames, fed in pieces whose size the first byte says. */
#include "http/websocket.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct websocket_in w = {0};
    size_t step = size ? data[0] % 61 + 1u : 1, payload_n = 0;
    for (size_t at = 1; at < size; at += step) {
        unsigned char piece[64], *p = piece;
        size_t n = MIN(step, size - at);
        struct str payload;
        memcpy(piece, data + at, n);
        for (enum websocket_event e; (e = websocket_next(&w, &p, &n, &payload));) {
            if (e == WEBSOCKET_BAD)
                return 0;
            payload_n += payload.len;
            assert(p >= piece && p + n <= piece + sizeof piece);
            assert(e == WEBSOCKET_DATA || payload.len <= WEBSOCKET_CONTROL_MAX);
        }
        assert(n == 0);
    }
    assert(payload_n <= size);
    return 0;
}
