#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void buf_done(struct buf *b) {
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b) {
    buf_truncate(b, 0);
    b->overflow = false;
}

const char *buf_cstr(const struct buf *b) {
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b) {
    char *z = b->data ? b->data : mem_strdup("");
    *b = (struct buf){0};
    return z;
}

char *buf_room(struct buf *b, size_t n) {
    size_t need;
    bool too_big = __builtin_add_overflow(b->len, n, &need) ||
                   __builtin_add_overflow(need, 1, &need);
    if (too_big)
        need = SIZE_MAX; /* mem_resize aborts */
    if (need > b->cap) {
        size_t cap = b->cap < SIZE_MAX / 2 ? MAX(b->cap * 2, (size_t)64) : need;
        b->cap = MAX(cap, need);
        b->data = mem_resize(b->data, b->cap, 1);
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t n) {
    assert(b->data && n < b->cap - b->len);
    if (b->max && n > b->max - MIN(b->len, b->max)) {
        b->overflow = true;
        n = b->max - MIN(b->len, b->max);
    }
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *p, size_t n) {
    if (b->max && n > b->max - MIN(b->len, b->max)) {
        b->overflow = true;
        return;
    }
    char *room = buf_room(b, n);
    if (n)
        memcpy(room, p, n);
    buf_added(b, n);
}

void buf_add_str(struct buf *b, struct str s) {
    buf_add(b, s.p, s.len);
}

void buf_adds(struct buf *b, const char *z) {
    buf_add(b, z, strlen(z));
}

void buf_addc(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap) {
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    assert(n >= 0);
    if ((size_t)n < sizeof(small))
        buf_add(b, small, (size_t)n);
    else if (b->max && (size_t)n > b->max - MIN(b->len, b->max))
        b->overflow = true;
    else {
        vsnprintf(buf_room(b, (size_t)n), (size_t)n + 1, fmt, again);
        buf_added(b, (size_t)n);
    }
    va_end(again);
}

void buf_add_u64(struct buf *b, uint64_t v) {
    char text[20];
    size_t i = sizeof(text);
    do
        text[--i] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, text + i, sizeof(text) - i);
}

void buf_add_i64(struct buf *b, int64_t v) {
    char text[21];
    size_t i = sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        text[--i] = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        text[--i] = '-';
    buf_add(b, text + i, sizeof(text) - i);
}

void buf_add_hex(struct buf *b, const void *p, size_t n) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = p;
    for (size_t i = 0; i < n; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        buf_add(b, pair, 2);
    }
}

void buf_drop(struct buf *b, size_t n) {
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    buf_truncate(b, b->len - n);
}

void buf_truncate(struct buf *b, size_t len) {
    assert(len <= b->len);
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}
