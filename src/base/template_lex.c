/* template_lex.c - a template's source as tokens: text, and what stands between {{ and }}. */
#include "base/template_tree.h"
#include <stdio.h>

void template_where(const struct template *t, size_t at, size_t *ret_line, size_t *ret_column) {
    size_t line = 1, begin = 0;
    for (size_t i = 0; i < at && i < t->text.len; i++)
        if (t->text.p[i] == '\n') {
            line++;
            begin = i + 1;
        }
    *ret_line = line;
    *ret_column = at - begin;
}

struct err template_fail(const struct template *t, size_t at, const char *fmt, ...) {
    CLEAN_BUF struct buf words = {0};
    size_t line, column;
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&words, fmt, ap);
    va_end(ap);
    template_where(t, at, &line, &column);
    return err_new(ERR_INVALID, "template: %s:%zu:%zu: %s", t->name, line, column,
                   buf_cstr(&words));
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static void add(struct template *t, enum token_kind kind, struct str text, size_t at, size_t end,
                bool spaced) {
    vec_push(&t->tokens,
             (struct token){.kind = kind, .text = text, .at = at, .end = end, .spaced = spaced});
}

static void add_utf8(struct buf *out, unsigned c) {
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xc0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xe0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(out, (char)(0xf0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* One escape after the backslash at s[*i]; Go's rules for interpreted literals. */
static bool escape(struct str s, size_t *i, char quote, struct buf *out) {
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    char c = *i < s.len ? s.p[(*i)++] : '\0';
    const char *simple = c ? strchr(from, c) : NULL;
    int base = c == 'x' || c == 'u' || c == 'U' ? 16 : 8, n = 0;
    unsigned value = 0;
    if (simple) {
        buf_addc(out, to[simple - from]);
        return true;
    }
    if (c == quote) {
        buf_addc(out, c);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    else if (digit(c) < 8)
        n = 3, (*i)--;
    if (n == 0)
        return false;
    for (; n > 0; n--, (*i)++) {
        if (*i >= s.len || digit(s.p[*i]) >= base || value > 0x110000)
            return false;
        value = value * (unsigned)base + (unsigned)digit(s.p[*i]);
    }
    if (c == 'u' || c == 'U') {
        if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
        add_utf8(out, value);
    } else {
        if (value > 255)
            return false;
        buf_addc(out, (char)value);
    }
    return true;
}

static struct err quoted(struct template *t, size_t *i, bool spaced) {
    struct str s = t->text;
    size_t at = *i;
    char quote = s.p[(*i)++];
    CLEAN_BUF struct buf value = {0};
    for (;;) {
        if (*i >= s.len || s.p[*i] == '\n')
            return template_fail(t, at, "unterminated %s",
                                 quote == '"' ? "quoted string" : "character constant");
        char c = s.p[(*i)++];
        if (c == quote)
            break;
        if (c != '\\')
            buf_addc(&value, c);
        else if (!escape(s, i, quote, &value))
            return template_fail(t, at, "invalid syntax in %.*s", (int)MIN(*i - at, (size_t)40),
                                 s.p + at);
    }
    char *copy = arena_alloc(&t->arena, value.len + 1);
    if (value.len > 0)
        memcpy(copy, value.data, value.len);
    add(t, quote == '"' ? TOKEN_STRING : TOKEN_CHAR, str_n(copy, value.len), at, *i, spaced);
    return OK;
}

static struct err raw(struct template *t, size_t *i, bool spaced) {
    size_t at = (*i)++;
    ssize_t n = str_find(str_from(t->text, *i), '`');
    if (n < 0)
        return template_fail(t, at, "unterminated raw quoted string");
    add(t, TOKEN_STRING, str_sub(t->text, *i, *i + (size_t)n), at, *i + (size_t)n + 1, spaced);
    *i += (size_t)n + 1;
    return OK;
}

static size_t word_end(struct str s, size_t i) {
    while (i < s.len && is_word(s.p[i]))
        i++;
    return i;
}

static size_t number_end(struct str s, size_t i) {
    bool hex = i + 1 < s.len && s.p[i] == '0' && (s.p[i + 1] | 0x20) == 'x';
    for (; i < s.len; i++) {
        bool sign = (s.p[i] == '+' || s.p[i] == '-') && !hex && (s.p[i - 1] | 0x20) == 'e';
        if (!is_word(s.p[i]) && s.p[i] != '.' && !sign)
            break;
    }
    return i;
}

/* One token inside of an action. */
static struct err token(struct template *t, size_t *i, bool spaced) {
    struct str s = t->text;
    size_t at = *i, end = at + 1;
    char c = s.p[at], next = at + 1 < s.len ? s.p[at + 1] : '\0';
    enum token_kind kind;
    if (c == '"' || c == '\'')
        return quoted(t, i, spaced);
    if (c == '`')
        return raw(t, i, spaced);
    if ((c >= '0' && c <= '9') ||
        ((c == '+' || c == '-') && ((next >= '0' && next <= '9') || next == '.')) ||
        (c == '.' && next >= '0' && next <= '9')) {
        end = number_end(s, at + 1);
        kind = TOKEN_NUMBER;
    } else if (c == '.') {
        end = word_end(s, at + 1);
        kind = end > at + 1 ? TOKEN_FIELD : TOKEN_DOT;
    } else if (c == '$') {
        end = word_end(s, at + 1);
        kind = TOKEN_VARIABLE;
    } else if (is_word(c)) {
        end = word_end(s, at);
        kind = TOKEN_WORD;
    } else if (c == ':' && next == '=') {
        end = at + 2;
        kind = TOKEN_DECLARE;
    } else if (strchr("|(),=", c) && c) {
        kind = c == '|'   ? TOKEN_PIPE
               : c == '(' ? TOKEN_LEFT
               : c == ')' ? TOKEN_RIGHT
               : c == ',' ? TOKEN_COMMA
                          : TOKEN_ASSIGN;
    } else {
        return template_fail(t, at, "unexpected bad character U+%04X in command",
                             (unsigned)(unsigned char)c);
    }
    add(t, kind, str_sub(s, kind == TOKEN_FIELD ? at + 1 : at, end), at, end, spaced);
    *i = end;
    return OK;
}

static bool at_close(struct str s, size_t i, bool *ret_trim) {
    *ret_trim = i + 3 < s.len && is_space(s.p[i]) && !memcmp(s.p + i + 1, "-}}", 3);
    return *ret_trim || (i + 1 < s.len && s.p[i] == '}' && s.p[i + 1] == '}');
}

/* What stands after "{{" up to "}}"; *ret_trim: white space after it is dropped. */
static struct err action(struct template *t, size_t *i, bool *ret_trim) {
    struct str s = t->text;
    size_t open = *i;
    if (*i + 1 < s.len && s.p[*i] == '/' && s.p[*i + 1] == '*') {
        ssize_t n = str_find_str(str_from(s, *i + 2), STR("*/"));
        if (n < 0)
            return template_fail(t, open, "unclosed comment");
        *i += (size_t)n + 4;
        if (!at_close(s, *i, ret_trim))
            return template_fail(t, *i, "comment ends before closing delimiter");
        *i += *ret_trim ? 4 : 2;
        return OK;
    }
    for (bool spaced = true;;) {
        if (at_close(s, *i, ret_trim)) {
            add(t, TOKEN_CLOSE, STR("}}"), *i, *i + 2, true);
            *i += *ret_trim ? 4 : 2;
            return OK;
        }
        if (*i >= s.len)
            return template_fail(t, open, "unclosed action");
        if (is_space(s.p[*i])) {
            spaced = true;
            (*i)++;
            continue;
        }
        TRY(token(t, i, spaced));
        spaced = false;
    }
}

struct err template_lex(struct template *t) {
    struct str s = t->text;
    bool trim = false;
    for (size_t i = 0; i <= s.len;) {
        ssize_t n = str_find_str(str_from(s, i), STR("{{"));
        size_t end = n < 0 ? s.len : i + (size_t)n, from = i, to = end;
        while (trim && from < end && is_space(s.p[from]))
            from++;
        bool trims_before = n >= 0 && end + 3 < s.len && s.p[end + 2] == '-' &&
                            is_space(s.p[end + 3]);
        while (trims_before && to > from && is_space(s.p[to - 1]))
            to--;
        if (to > from)
            add(t, TOKEN_TEXT, str_sub(s, from, to), from, to, false);
        if (n < 0)
            break;
        i = end + (trims_before ? 4 : 2);
        TRY(action(t, &i, &trim));
    }
    add(t, TOKEN_END, STR_NONE, s.len, s.len, true);
    return OK;
}
