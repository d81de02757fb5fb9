#include "http/chunk.h"

#include "http/parse.h"

enum { DIGITS_MAX = 15 };

enum state {
    SIZE_FIRST, /* at least one digit is due */
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START, /* start of a trailer line or the last CRLF */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    ENDED,
    STATES
};

static int hex_value(unsigned char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a size line. */
static bool size_byte(struct http_chunk *h, unsigned char c) {
    int v;
    if (++h->count > HTTP_CHUNK_LINE_MAX)
        return false;
    switch (h->state) {
    case SIZE_FIRST:
    case SIZE:
        v = hex_value(c);
        if (v >= 0) {
            h->left = h->left << 4 | (unsigned)v;
            h->state = SIZE;
            return ++h->digits <= DIGITS_MAX;
        }
        if (h->state == SIZE_FIRST || (c != ';' && c != '\r'))
            return false;
        h->state = c == ';' ? EXTENSION : SIZE_LF;
        return true;
    case EXTENSION:
        if (c == '\r')
            h->state = SIZE_LF;
        return c == '\r' || http_text_byte(c);
    default: /* SIZE_LF */
        h->state = h->left ? DATA : TRAILER_START;
        h->count = 0;
        h->digits = 0;
        return c == '\n';
    }
}

static bool trailer_byte(struct http_chunk *h, unsigned char c) {
    if (++h->count > HTTP_CHUNK_TRAILERS_MAX)
        return false;
    switch (h->state) {
    case TRAILER_START:
        h->state = c == '\r' ? END_LF : TRAILER_NAME;
        return c == '\r' || http_token_byte(c);
    case TRAILER_NAME:
        if (c == ':')
            h->state = TRAILER_VALUE;
        return c == ':' || http_token_byte(c);
    case TRAILER_VALUE:
        if (c == '\r')
            h->state = TRAILER_LF;
        return c == '\r' || http_text_byte(c);
    case TRAILER_LF:
        h->state = TRAILER_START;
        return c == '\n';
    default: /* END_LF */
        h->state = ENDED;
        return c == '\n';
    }
}

static bool framing_byte(struct http_chunk *h, unsigned char c) {
    switch (h->state) {
    case DATA_CR:
        h->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        h->state = SIZE_FIRST;
        return c == '\n';
    case SIZE_FIRST:
    case SIZE:
    case EXTENSION:
    case SIZE_LF:
        return size_byte(h, c);
    default:
        return trailer_byte(h, c);
    }
}

enum http_chunk_result http_chunk_next(struct http_chunk *c, struct str in, size_t *ret_used,
                                       struct str *ret_data) {
    size_t i = 0;
    while (i < in.len && c->state != DATA && c->state != ENDED)
        if (!framing_byte(c, (unsigned char)in.p[i++])) {
            *ret_used = i;
            return HTTP_CHUNK_BAD;
        }
    *ret_used = i;
    if (c->state == ENDED)
        return HTTP_CHUNK_END;
    if (i == in.len)
        return HTTP_CHUNK_MORE;
    size_t n = (size_t)MIN((uint64_t)(in.len - i), c->left);
    *ret_data = str_n(in.p + i, n);
    *ret_used = i + n;
    c->left -= n;
    if (c->left == 0)
        c->state = DATA_CR;
    return HTTP_CHUNK_DATA;
}

bool http_chunk_valid(const struct http_chunk *c) {
    if (c->reserved[0] || c->reserved[1])
        return false;
    switch (c->state) {
    case SIZE_FIRST:
        return c->left == 0 && c->digits == 0 && c->count == 0;
    case SIZE:
    case EXTENSION:
    case SIZE_LF:
        return c->digits > 0 && c->digits <= DIGITS_MAX && c->left < UINT64_C(1) << 4 * c->digits &&
               c->count >= c->digits && c->count <= HTTP_CHUNK_LINE_MAX;
    case DATA:
        return c->left > 0 && c->left < UINT64_C(1) << 4 * DIGITS_MAX && !c->digits && !c->count;
    default:
        return c->state < STATES && c->left == 0 && c->digits == 0 &&
               c->count <= HTTP_CHUNK_TRAILERS_MAX;
    }
}
