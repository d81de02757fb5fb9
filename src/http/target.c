/* Targets: path and query, percent-encoding (RFC 3986; application/x-www-form-urlencoded). */
#include "http/parse.h"

static int hex_value(unsigned char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into arena; false for a broken escape or a NUL byte. */
static bool decode(struct str s, bool plus_is_blank, struct arena *arena, struct str *ret) {
    char *out = arena_alloc(arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%') {
            int hi = s.len - i > 2 ? hex_value((unsigned char)s.p[i + 1]) : -1;
            int lo = hi >= 0 ? hex_value((unsigned char)s.p[i + 2]) : -1;
            if (lo < 0 || (hi == 0 && lo == 0))
                return false;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        } else if (c == '\0') {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    *ret = str_n(out, n);
    return true;
}

static bool escapes_ok(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '%')
            continue;
        if (s.len - i < 3 || hex_value((unsigned char)s.p[i + 1]) < 0 ||
            hex_value((unsigned char)s.p[i + 2]) < 0 || (s.p[i + 1] == '0' && s.p[i + 2] == '0'))
            return false;
    }
    return true;
}

static bool has_dot_dot(struct str path) {
    struct str segment;
    while (str_next(&path, '/', &segment))
        if (str_eq(segment, STR("..")))
            return true;
    return false;
}

int http_target_parse(struct str target, struct arena *arena, struct str *ret_path,
                      struct str *ret_query) {
    struct str raw, query = STR_NONE, path;
    if (str_starts(target, STR("http://"))) { /* absolute form: the authority does not matter */
        target = str_from(target, 7);
        ssize_t slash = str_find(target, '/');
        if (slash < 1)
            return 400;
        target = str_from(target, (size_t)slash);
    }
    str_cut(target, '?', &raw, &query);
    /* A raw ';' once separated parameters; who reads it so and who does not would disagree. */
    if (!str_starts(raw, STR("/")) || !escapes_ok(query) || str_find(query, ';') >= 0)
        return 400;
    if (!decode(raw, false, arena, &path) || has_dot_dot(path))
        return 400;
    *ret_path = path;
    *ret_query = query;
    return 0;
}

struct str http_header_get(const struct http_request *r, const char *name) {
    for (size_t i = 0; i < r->headers_n; i++)
        if (str_eq_nocase(r->headers[i].name, str_of(name)))
            return r->headers[i].value;
    return STR_NONE;
}

/* Compares without memory: a long query of many keys costs a pass, no more. */
static bool key_is(struct str raw, const char *name) {
    size_t i = 0;
    for (; i < raw.len && *name; i++, name++) {
        char c = raw.p[i] == '+' ? ' ' : raw.p[i];
        if (c == '%') { /* whole: escapes_ok() saw it */
            c = (char)(hex_value((unsigned char)raw.p[i + 1]) << 4 |
                       hex_value((unsigned char)raw.p[i + 2]));
            i += 2;
        }
        if (c != *name)
            return false;
    }
    return i == raw.len && *name == '\0';
}

const char *http_query_nth(const struct http_request *r, const char *name, size_t n) {
    struct str rest = r->query, item;
    while (str_next(&rest, '&', &item)) {
        struct str raw_key, raw_value, value;
        str_cut(item, '=', &raw_key, &raw_value);
        if (!key_is(raw_key, name) || n-- > 0)
            continue;
        return decode(raw_value, true, r->arena, &value) ? value.p : NULL;
    }
    return NULL;
}

const char *http_query(const struct http_request *r, const char *name) {
    return http_query_nth(r, name, 0);
}

bool http_query_bool(const struct http_request *r, const char *name, bool otherwise) {
    const char *text = http_query(r, name);
    if (!text)
        return otherwise;
    static const char *const no[] = {"", "0", "no", "false", "none"};
    struct str s = str_trim(str_of(text));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (str_eq_nocase(s, str_of(no[i])))
            return false;
    return true;
}

void http_escape(struct buf *out, struct str s) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     (c && strchr("-._~", c));
        if (plain) {
            buf_addc(out, (char)c);
        } else {
            buf_addc(out, '%');
            buf_addc(out, hex[c >> 4]);
            buf_addc(out, hex[c & 15]);
        }
    }
}
