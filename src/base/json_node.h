/* json_node.h - what a document is in memory. Private to base/json*.c.
 *
 * One allocation: an array of nodes, the root first, and behind it the bytes of all keys, strings
 * and fractional numbers, each ended by a NUL. The children of an array or object lie side by side
 * in document order, so the n-th is found at once. Tests: test/unit/base/json.c. */
#pragma once
#include "base/json.h"
#include <string.h>

/* The first byte from p on that does not stand for itself in a string: a quote, a backslash, a
 * control character; or end. */
static inline const char *json_plain_end(const char *p, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (uint64_t w; end - p >= 8; p += 8) {
        memcpy(&w, p, 8);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
        if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) &
            tops)
            break;
    }
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

struct json {
    const char *key; /* member of an object; else NULL */
    union {
        const char *text; /* of a string; of a JSON_DOUBLE as it was written */
        const struct json *items;
        int64_t i;
        uint64_t u;
        bool b;
    };
    uint32_t key_len;
    uint32_t len; /* of text without the NUL; of items */
    uint8_t type; /* enum json_type */
    bool is_big;  /* JSON_INT: above INT64_MAX, in u */
};

/* text has passed json_check, which counted its values. ERR_SYSTEM: no memory. null is NULL. */
struct err json_build(struct str text, size_t values, struct json **ret_root);
