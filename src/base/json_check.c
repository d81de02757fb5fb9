#include "base/json_check.h"
#include "base/json_node.h"

struct scan {
    const char *p;
    size_t len, at;
    uint64_t objects; /* bit d: level d is an object, else an array */
    unsigned depth;
    size_t values;
    const char *problem; /* set by the first failure */
};

static bool bad(struct scan *s, const char *problem) {
    s->problem = problem;
    return false;
}

static int peek(const struct scan *s) {
    return s->at < s->len ? (unsigned char)s->p[s->at] : -1;
}

static bool accept(struct scan *s, char c) {
    if (peek(s) != (unsigned char)c)
        return false;
    s->at++;
    return true;
}

static void blanks(struct scan *s) {
    while (s->at < s->len) {
        char c = s->p[s->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        s->at++;
    }
}

static bool digits(struct scan *s) {
    size_t from = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > from || bad(s, "a digit is missing");
}

/* Integers that neither int64 nor uint64 can hold are refused. There are no leading zeros, so
 * equally long numbers compare as text. */
static bool integer_fits(struct scan *s, struct str text) {
    struct str min = STR("-9223372036854775808"), max = STR("18446744073709551615");
    struct str limit = text.p[0] == '-' ? min : max;
    if (text.len > limit.len || (text.len == limit.len && str_cmp(text, limit) > 0))
        return bad(s, "integer out of range");
    return true;
}

static bool number(struct scan *s) {
    size_t from = s->at;
    accept(s, '-');
    if (!accept(s, '0') && !digits(s))
        return false;
    if (peek(s) != '.' && peek(s) != 'e' && peek(s) != 'E')
        return integer_fits(s, str_n(s->p + from, s->at - from));
    if (accept(s, '.') && !digits(s))
        return false;
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (!accept(s, '+'))
            accept(s, '-');
        return digits(s);
    }
    return true;
}

static int hex4(const struct scan *s) {
    int v = 0;
    if (s->len - s->at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = s->p[s->at + i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static bool escape(struct scan *s, bool is_key) {
    int c = peek(s);
    s->at++;
    if (c == 'u') {
        int v = hex4(s);
        if (v < 0)
            return bad(s, "malformed \\u escape");
        if (v == 0 && is_key)
            return bad(s, "NUL in a key");
        s->at += 4;
        return true;
    }
    return (c > 0 && strchr("\"\\/bfnrt", c)) || bad(s, "unknown escape");
}

/* After the opening quote. */
static bool string(struct scan *s, bool is_key) {
    while (s->at < s->len) {
        s->at = (size_t)(json_plain_end(s->p + s->at, s->p + s->len) - s->p);
        if (s->at == s->len)
            break;
        unsigned char c = (unsigned char)s->p[s->at++];
        if (c == '"')
            return true;
        if (c < 0x20)
            return bad(s, "control character in a string");
        if (c == '\\' && !escape(s, is_key))
            return false;
    }
    return bad(s, "unterminated string");
}

static bool word(struct scan *s) {
    static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct str rest = str_n(s->p + s->at, s->len - s->at);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_starts(rest, words[i])) {
            s->at += words[i].len;
            return true;
        }
    return bad(s, s->at < s->len ? "unexpected character" : "unexpected end");
}

static bool key(struct scan *s) {
    blanks(s);
    if (!accept(s, '"'))
        return bad(s, "a key is missing");
    if (!string(s, true))
        return false;
    blanks(s);
    return accept(s, ':') || bad(s, "':' is missing");
}

/* Opens an object or array. *ret_empty: it is closed at once. */
static bool enter(struct scan *s, bool object, bool *ret_empty) {
    if (s->depth == JSON_DEPTH_MAX)
        return bad(s, "nested too deeply");
    blanks(s);
    *ret_empty = accept(s, object ? '}' : ']');
    if (*ret_empty)
        return true;
    uint64_t bit = UINT64_C(1) << s->depth++;
    s->objects = object ? s->objects | bit : s->objects & ~bit;
    return !object || key(s);
}

/* After a value: closes what ends here. *ret_more: another value follows. */
static bool leave(struct scan *s, bool *ret_more) {
    for (;;) {
        blanks(s);
        *ret_more = false;
        if (s->depth == 0)
            return true;
        bool object = s->objects >> (s->depth - 1) & 1;
        if (accept(s, ',')) {
            *ret_more = true;
            return !object || key(s);
        }
        if (!accept(s, object ? '}' : ']'))
            return bad(s, s->at < s->len ? "',' or an end is missing" : "unexpected end");
        s->depth--;
    }
}

static bool document(struct scan *s) {
    bool more = true;
    while (more) {
        s->values++;
        bool whole = true; /* false: a container was opened, its first value follows */
        blanks(s);
        int c = peek(s);
        if (c == '{' || c == '[') {
            s->at++;
            if (!enter(s, c == '{', &whole))
                return false;
        } else if (c == '"') {
            s->at++;
            if (!string(s, false))
                return false;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            if (!number(s))
                return false;
        } else if (!word(s))
            return false;
        if (whole && !leave(s, &more))
            return false;
    }
    return s->at == s->len || bad(s, "something follows the value");
}

struct err json_check(struct str text, size_t *ret_values) {
    struct scan s = {.p = text.p, .len = text.len};
    if (text.len > INT32_MAX)
        return err_new(ERR_INVALID, "JSON text is too long");
    if (!str_is_utf8(text))
        return err_new(ERR_INVALID, "JSON: not valid UTF-8");
    if (!document(&s))
        return err_new(ERR_INVALID, "JSON: %s at offset %zu", s.problem, s.at);
    *ret_values = s.values;
    return OK;
}
