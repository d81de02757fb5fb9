#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A value begins: the comma that separates it from the one before. */
static void value(struct json_out *o) {
    if (o->comma)
        buf_addc(o->out, ',');
    o->comma = true;
}

static void open_with(struct json_out *o, char c) {
    value(o);
    buf_addc(o->out, c);
    o->comma = false;
}

static void close_with(struct json_out *o, char c) {
    buf_addc(o->out, c);
    o->comma = true;
}

void jo_obj(struct json_out *o) {
    open_with(o, '{');
}
void jo_obj_end(struct json_out *o) {
    close_with(o, '}');
}
void jo_arr(struct json_out *o) {
    open_with(o, '[');
}
void jo_arr_end(struct json_out *o) {
    close_with(o, ']');
}

void jo_key(struct json_out *o, const char *key) {
    jo_keys(o, str_of(key));
}

void jo_keys(struct json_out *o, struct str key) {
    value(o);
    json_quote(o->out, key);
    buf_addc(o->out, ':');
    o->comma = false;
}

void jo_str(struct json_out *o, struct str s) {
    value(o);
    json_quote(o->out, s);
}

void jo_strz(struct json_out *o, const char *z) {
    if (z)
        jo_str(o, str_of(z));
    else
        jo_null(o);
}

void jo_i64(struct json_out *o, int64_t v) {
    value(o);
    buf_add_i64(o->out, v);
}

void jo_u64(struct json_out *o, uint64_t v) {
    value(o);
    buf_add_u64(o->out, v);
}

/* The shortest text that reads back as v; exponents only below 1e-6 and from 1e21, as Go does. */
void jo_double(struct json_out *o, double v) {
    char text[40];
    int digits = 0;
    assert(isfinite(v)); /* JSON has no other numbers */
    value(o);
    do
        snprintf(text, sizeof(text), "%.*e", digits, v);
    while (strtod(text, NULL) != v && ++digits < 17);
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (v == 0 || (exponent >= -6 && exponent < 21)) {
        buf_addf(o->out, "%.*f", MAX(digits - exponent, 0), v);
        return;
    }
    /* Go drops the exponent's leading zero: 1e-07 is 1e-7. */
    buf_add(o->out, text, (size_t)(strchr(text, 'e') - text));
    buf_addf(o->out, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
}

void jo_bool(struct json_out *o, bool v) {
    value(o);
    buf_adds(o->out, v ? "true" : "false");
}

void jo_null(struct json_out *o) {
    value(o);
    buf_adds(o->out, "null");
}

void jo_raw(struct json_out *o, struct str json) {
    value(o);
    buf_add_str(o->out, json);
}

void jo_kstr(struct json_out *o, const char *key, const char *z) {
    jo_key(o, key);
    jo_strz(o, z);
}

void jo_ki64(struct json_out *o, const char *key, int64_t v) {
    jo_key(o, key);
    jo_i64(o, v);
}

void jo_kbool(struct json_out *o, const char *key, bool v) {
    jo_key(o, key);
    jo_bool(o, v);
}

/* The escape of the character that s begins with, of n bytes (0: malformed); NULL: none needed. */
static const char *escape_of(struct str s, size_t n, char hex[8]) {
    unsigned char c = (unsigned char)s.p[0];
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    if (c < 0x20) {
        snprintf(hex, 8, "\\u%04x", c);
        return hex;
    }
    if (n == 0)
        return "\\ufffd";
    /* Line and paragraph separators end lines in JavaScript: Go escapes them always. */
    if (n == 3 && c == 0xe2 && (unsigned char)s.p[1] == 0x80) {
        unsigned char last = (unsigned char)s.p[2];
        return last == 0xa8 ? "\\u2028" : last == 0xa9 ? "\\u2029" : NULL;
    }
    return NULL;
}

/* How much of s needs no look: most texts, whole. */
static size_t plain_len(struct str s) {
    size_t n = 0;
    while (n < s.len && (unsigned char)s.p[n] >= 0x20 && (unsigned char)s.p[n] < 0x80 &&
           s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n;
}

/* In one piece, whose room is asked for once. */
static void quote_plain(struct buf *out, struct str s) {
    char *p = buf_room(out, s.len + 2);
    p[0] = '"';
    memcpy(p + 1, s.p, s.len);
    p[s.len + 1] = '"';
    buf_added(out, s.len + 2);
}

void json_quote(struct buf *out, struct str s) {
    size_t from = 0, at = plain_len(s);
    char hex[8];
    if (at == s.len && s.len && !out->max) {
        quote_plain(out, s);
        return;
    }
    buf_addc(out, '"');
    while (at < s.len) {
        unsigned char c = (unsigned char)s.p[at];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        struct str rest = str_from(s, at);
        size_t n = str_utf8_len(rest);
        const char *escape = escape_of(rest, n, hex);
        if (escape) {
            buf_add_str(out, str_sub(s, from, at));
            buf_adds(out, escape);
            from = at + MAX(n, (size_t)1);
        }
        at += MAX(n, (size_t)1);
    }
    buf_add_str(out, str_sub(s, from, at));
    buf_addc(out, '"');
}
