#include "http/websocket.h"
#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define MASKED 0x80
#define LENGTH_16 126
#define LENGTH_64 127

static size_t head_len(const struct websocket_in *w) {
    size_t n = w->head_n < 2 ? 2 : 2 + 4;
    uint8_t length = w->head[1] & 0x7f;
    if (w->head_n >= 2)
        n += length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    return n;
}

static bool is_control(const struct websocket_in *w) {
    return w->opcode & 8;
}

/* The head is complete: what it says, and whether it may. */
static bool read_head(struct websocket_in *w) {
    const unsigned char *h = w->head;
    uint8_t length = h[1] & 0x7f;
    size_t extra = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    bool fin = h[0] & FIN;
    w->opcode = h[0] & 0xf;
    w->left = extra ? 0 : length;
    for (size_t i = 0; i < extra; i++)
        w->left = w->left << 8 | h[2 + i];
    if ((h[0] & RESERVED) || w->left >> 63)
        return false;
    memmove(w->head, h + 2 + extra, 4); /* the mask */
    w->mask_at = 0;
    w->in_frame = true;
    w->control_n = 0;
    if (is_control(w))
        return fin && w->left <= WEBSOCKET_CONTROL_MAX && w->opcode <= WEBSOCKET_OP_PONG;
    bool begins = w->opcode == WEBSOCKET_TEXT || w->opcode == WEBSOCKET_BINARY;
    if (begins == w->in_message || (!begins && w->opcode != 0))
        return false;
    w->in_message = !fin;
    return true;
}

static void unmask(struct websocket_in *w, unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] ^= w->head[w->mask_at++ & 3];
    w->left -= n;
}

static void frame_end(struct websocket_in *w) {
    w->in_frame = false;
    w->head_n = 0;
}

/* A pong that nobody asked for means nothing (5.5.3). */
static enum websocket_event control_end(struct websocket_in *w, struct str *ret) {
    frame_end(w);
    *ret = str_n((const char *)w->control, w->control_n);
    return w->opcode == WEBSOCKET_OP_CLOSE  ? WEBSOCKET_CLOSE
           : w->opcode == WEBSOCKET_OP_PING ? WEBSOCKET_PING
                                            : WEBSOCKET_MORE;
}

/* false: more bytes are needed. */
static bool take_head(struct websocket_in *w, unsigned char **data, size_t *n) {
    while (w->head_n < head_len(w) && *n > 0) {
        w->head[w->head_n++] = *(*data)++;
        --*n;
    }
    return w->head_n >= 2 && w->head_n == head_len(w);
}

enum websocket_event websocket_next(struct websocket_in *w, unsigned char **data, size_t *n,
                                    struct str *ret) {
    *ret = STR_NONE;
    for (;;) {
        bool whole = w->in_frame || take_head(w, data, n);
        if (!w->in_frame && w->head_n >= 2 && !(w->head[1] & MASKED))
            return WEBSOCKET_BAD; /* what would come next is no mask */
        if (!whole)
            return WEBSOCKET_MORE;
        if (!w->in_frame && !read_head(w))
            return WEBSOCKET_BAD;
        size_t take = (size_t)MIN(w->left, (uint64_t)*n);
        unsigned char *piece = *data;
        unmask(w, piece, take);
        *data += take;
        *n -= take;
        if (is_control(w)) {
            memcpy(w->control + w->control_n, piece, take);
            w->control_n = (uint8_t)(w->control_n + take);
            if (w->left > 0)
                return WEBSOCKET_MORE;
            enum websocket_event e = control_end(w, ret);
            if (e != WEBSOCKET_MORE)
                return e;
            continue;
        }
        if (w->left == 0)
            frame_end(w);
        if (take > 0) {
            *ret = str_n((const char *)piece, take);
            return WEBSOCKET_DATA;
        }
        if (w->in_frame)
            return WEBSOCKET_MORE;
    }
}

size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode,
                      size_t len) {
    size_t extra = len < LENGTH_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    out[0] = (unsigned char)(FIN | opcode);
    out[1] = (unsigned char)(extra == 0 ? len : extra == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < extra; i++)
        out[2 + i] = (unsigned char)((uint64_t)len >> 8 * (extra - 1 - i));
    return 2 + extra;
}
