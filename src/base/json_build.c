/* JSON text that is known to be well-formed, into nodes. */
#include "base/json_node.h"
#include <stdlib.h>
#include <string.h>

/* Nodes wait on a stack that grows down from the end of the array until their container closes;
 * then they move to its begin, where finished ones gather. Both together are never more than all
 * nodes. */
struct build {
    const char *p, *end;
    char *pool; /* where the next text goes; never more bytes than it had in the document */
    struct json *top, *done;
    struct json *open[JSON_DEPTH_MAX];
    unsigned depth;
};

static unsigned hex_digit(char c) {
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

static unsigned hex4(const char *p) {
    return hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3]);
}

static char *put_utf8(char *to, unsigned c) {
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* After the `\u`. Half a surrogate pair is U+FFFD, as in Go. */
static void put_code(struct build *b) {
    unsigned c = hex4(b->p);
    b->p += 4;
    if (c >= 0xd800 && c < 0xdc00 && b->p[0] == '\\' && b->p[1] == 'u') {
        unsigned low = hex4(b->p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            b->p += 6;
            c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
        }
    }
    b->pool = put_utf8(b->pool, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

/* After the opening quote; up to after the closing one. */
static const char *take_string(struct build *b, uint32_t *ret_len) {
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    char *from = b->pool;
    for (;;) {
        const char *plain = b->p;
        b->p = json_plain_end(b->p, b->end);
        memcpy(b->pool, plain, (size_t)(b->p - plain));
        b->pool += b->p - plain;
        if (*b->p++ == '"')
            break;
        char c = *b->p++;
        if (c == 'u')
            put_code(b);
        else
            *b->pool++ = bytes[strchr(names, c) - names];
    }
    *ret_len = (uint32_t)(b->pool - from);
    *b->pool++ = '\0';
    return from;
}

static void take_number(struct build *b, struct json *to) {
    const char *from = b->p;
    bool minus = *b->p == '-', whole = true;
    uint64_t v = 0;
    for (b->p += minus; b->p < b->end; b->p++) {
        char c = *b->p;
        if (c >= '0' && c <= '9')
            v = v * 10 + (uint64_t)(c - '0'); /* within range when it is whole */
        else if (c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-')
            whole = false;
        else
            break;
    }
    if (whole) {
        to->type = JSON_INT;
        to->is_big = !minus && v > INT64_MAX;
        to->u = minus ? -v : v;
        return;
    }
    to->type = JSON_DOUBLE;
    to->len = (uint32_t)(b->p - from);
    memcpy(b->pool, from, to->len);
    b->pool[to->len] = '\0';
    to->text = b->pool;
    b->pool += to->len + 1;
}

/* --- the last of several members with one key takes the place of the first ----------------------
 */

#define FEW 32 /* members that are compared each with each */

static int by_key(const void *a, const void *b) {
    const struct json *x = *(struct json *const *)a, *y = *(struct json *const *)b;
    int r = memcmp(x->key, y->key, MIN(x->key_len, y->key_len));
    if (r)
        return r;
    if (x->key_len != y->key_len)
        return x->key_len < y->key_len ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool same_key(const struct json *x, const struct json *y) {
    return x->key_len == y->key_len && !memcmp(x->key, y->key, x->key_len);
}

static size_t drop_few(struct json *m, size_t n) {
    uint64_t seen = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char first = (unsigned char)*m[i].key,
                      last = (unsigned char)m[i].key[m[i].key_len ? m[i].key_len - 1 : 0];
        uint64_t bit = UINT64_C(1) << ((m[i].key_len * 7 + first * 3 + last) & 63);
        size_t at = kept;
        if (seen & bit)
            for (at = 0; at < kept && !same_key(&m[at], &m[i]);)
                at++;
        seen |= bit;
        if (at != i)
            m[at] = m[i];
        kept += at == kept;
    }
    return kept;
}

static bool drop_many(struct json *m, size_t n, size_t *ret_n) {
    struct json **order = malloc(n * sizeof *order);
    size_t kept = 0;
    if (!order)
        return false;
    for (size_t i = 0; i < n; i++)
        order[i] = &m[i];
    qsort(order, n, sizeof *order, by_key);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && same_key(order[i], order[next]); next++)
            order[next]->key = NULL;
        const char *key = order[i]->key;
        *order[i] = *order[next - 1];
        order[i]->key = key;
    }
    free(order);
    for (size_t i = 0; i < n; i++)
        if (m[i].key)
            m[kept++] = m[i];
    *ret_n = kept;
    return true;
}

/* -----------------------------------------------------------------------------------------------
 */

static bool close_container(struct build *b) {
    struct json *c = b->open[--b->depth];
    size_t n = (size_t)(c - b->top);
    for (size_t i = 0; i < n / 2; i++) {
        struct json other = b->top[i];
        b->top[i] = b->top[n - 1 - i];
        b->top[n - 1 - i] = other;
    }
    memmove(b->done, b->top, n * sizeof *c);
    b->top = c;
    c->items = b->done;
    if (c->type == JSON_OBJECT && n <= FEW)
        n = drop_few(b->done, n);
    else if (c->type == JSON_OBJECT && !drop_many(b->done, n, &n))
        return false;
    c->len = (uint32_t)n;
    b->done += n;
    return true;
}

static void take_word(struct build *b, struct json *to) {
    to->type = *b->p == 'n' ? JSON_NULL : JSON_BOOL;
    to->b = *b->p == 't';
    b->p += *b->p == 'f' ? 5 : 4;
}

static void skip(struct build *b) {
    while (*b->p == ' ' || *b->p == ',' || *b->p == ':' || *b->p == '\n' || *b->p == '\t' ||
           *b->p == '\r')
        b->p++;
}

/* One value; a container only opens. */
static void take_value(struct build *b) {
    struct json *to = --b->top;
    *to = (struct json){0};
    if (b->depth && b->open[b->depth - 1]->type == JSON_OBJECT) {
        b->p++;
        to->key = take_string(b, &to->key_len);
        skip(b);
    }
    switch (*b->p) {
    case '{':
    case '[':
        to->type = *b->p++ == '{' ? JSON_OBJECT : JSON_ARRAY;
        b->open[b->depth++] = to;
        break;
    case '"':
        b->p++;
        to->type = JSON_STRING;
        to->text = take_string(b, &to->len);
        break;
    case 't':
    case 'f':
    case 'n':
        take_word(b, to);
        break;
    default:
        take_number(b, to);
    }
}

struct err json_build(struct str text, size_t values, struct json **ret_root) {
    /* One node more than there are values: the root stays on the stack to the last, while the place
     * at the begin is kept free for it. */
    size_t size = (values + 1) * sizeof(struct json);
    struct json *nodes = malloc(size + text.len + 2);
    if (!nodes)
        return err_new(ERR_SYSTEM, "no memory for a JSON document");
    struct build b = {.p = text.p,
                      .end = text.p + text.len,
                      .pool = (char *)nodes + size,
                      .top = nodes + values + 1,
                      .done = nodes + 1};
    bool whole = true;
    do {
        skip(&b);
        if (*b.p == ']' || *b.p == '}') {
            b.p++;
            whole = close_container(&b);
        } else {
            take_value(&b);
        }
    } while (b.depth && whole);
    if (!whole) {
        free(nodes);
        return err_new(ERR_SYSTEM, "no memory for a JSON document");
    }
    nodes[0] = *b.top;
    if (nodes->type == JSON_NULL) {
        free(nodes);
        nodes = NULL;
    }
    *ret_root = nodes;
    return OK;
}
