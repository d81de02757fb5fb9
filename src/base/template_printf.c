/* template_printf.c - Go's fmt.Sprintf: verbs, flags, width, precision, and what it says when the
 * arguments do not fit. Source: the documentation of Go's package fmt. */
#include "base/template_tree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH_MAX 10000

struct verb {
    bool minus, plus, sharp, space, zero, has_precision;
    int width, precision;
    char letter;
};

static size_t cells(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

/* Pads with blanks, or with zeros behind the sign of a number. */
static void pad(const struct verb *f, struct str s, bool number, struct buf *out) {
    size_t n = cells(s), missing = (size_t)f->width > n ? (size_t)f->width - n : 0;
    bool zeros = f->zero && !f->minus && number;
    size_t sign = zeros && s.len && (s.p[0] == '-' || s.p[0] == '+' || s.p[0] == ' ');
    if (zeros)
        buf_add_str(out, str_sub(s, 0, sign));
    for (size_t i = 0; i < missing && !f->minus; i++)
        buf_addc(out, zeros ? '0' : ' ');
    buf_add_str(out, zeros ? str_from(s, sign) : s);
    for (size_t i = 0; i < missing && f->minus; i++)
        buf_addc(out, ' ');
}

static void bad(const struct verb *f, const struct template_value *v, struct buf *out) {
    buf_addf(out, "%%!%c(%s%s", f->letter,
             v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL ? "" : template_kind_name(v),
             v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL ? "" : "=");
    if (v->kind == TEMPLATE_NONE)
        buf_adds(out, "<nil>");
    else
        template_print(v, out);
    buf_addc(out, ')');
}

static void quote(const struct verb *f, struct str s, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    if (f->sharp && str_find(s, '`') < 0 && str_find(s, '\n') < 0) {
        buf_addf(&text, "`%.*s`", STR_ARG(s));
        pad(f, buf_str(&text), false, out);
        return;
    }
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    buf_addc(&text, '"');
    for (size_t i = 0; i < s.len; i++) {
        const char *at = s.p[i] ? strchr(from, s.p[i]) : NULL;
        unsigned char c = (unsigned char)s.p[i];
        size_t n = str_utf8_len(str_from(s, i));
        if (at)
            buf_addf(&text, "\\%c", to[at - from]);
        else if (c < 0x20 || c == 0x7f || n == 0)
            buf_addf(&text, "\\x%02x", c);
        else {
            buf_add_str(&text, str_sub(s, i, i + n));
            i += n - 1;
        }
    }
    buf_addc(&text, '"');
    pad(f, buf_str(&text), false, out);
}

static void hex_bytes(const struct verb *f, struct str s, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; i < s.len; i++)
        buf_addf(&text, f->letter == 'x' ? "%s%02x" : "%s%02X", f->space && i ? " " : "",
                 (unsigned)(unsigned char)s.p[i]);
    pad(f, buf_str(&text), false, out);
}

static struct str shorten(const struct verb *f, struct str s) {
    size_t i = 0;
    for (int n = 0; f->has_precision && i < s.len; n++) {
        if (n == f->precision)
            return str_sub(s, 0, i);
        i += MAX(str_utf8_len(str_from(s, i)), (size_t)1);
    }
    return s;
}

static bool print_str(const struct verb *f, struct str s, struct buf *out) {
    switch (f->letter) {
    case 'v':
        if (f->sharp) {
            quote(&(struct verb){.width = f->width, .minus = f->minus}, s, out);
            return true;
        }
        pad(f, shorten(f, s), false, out);
        return true;
    case 's':
        pad(f, shorten(f, s), false, out);
        return true;
    case 'q':
        quote(f, shorten(f, s), out);
        return true;
    case 'x':
    case 'X':
        hex_bytes(f, shorten(f, s), out);
        return true;
    default:
        return false;
    }
}

static void print_char(const struct verb *f, uint64_t c, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80)
        buf_addc(&text, (char)c);
    for (int shift = c < 0x80      ? -1
                     : c < 0x800   ? 6
                     : c < 0x10000 ? 12
                                   : 18,
             first = 1;
         shift >= 0; shift -= 6, first = 0)
        buf_addc(&text, (char)(first ? (shift == 6    ? 0xc0
                                        : shift == 12 ? 0xe0
                                                      : 0xf0) |
                                           c >> shift
                                     : 0x80 | (c >> shift & 0x3f)));
    if (f->letter == 'q') {
        buf_addc(&text, '\'');
        char one[2] = "'";
        CLEAN_BUF struct buf quoted = {0};
        buf_adds(&quoted, one);
        buf_add_str(&quoted, buf_str(&text));
        pad(f, buf_str(&quoted), false, out);
        return;
    }
    pad(f, buf_str(&text), false, out);
}

static bool print_int(const struct verb *f, bool minus, uint64_t u, struct buf *out) {
    char digits[80];
    int base = f->letter == 'b' ? 2 : f->letter == 'o' || f->letter == 'O' ? 8 : 10;
    size_t i = sizeof digits;
    uint64_t rest = u;
    if (f->letter == 'c' || f->letter == 'q') {
        print_char(f, minus ? 0xfffd : u, out);
        return true;
    }
    if (f->letter == 'U') {
        CLEAN_BUF struct buf text = {0};
        buf_addf(&text, "U+%04llX", (unsigned long long)u);
        pad(f, buf_str(&text), false, out);
        return true;
    }
    if (f->letter == 'x' || f->letter == 'X')
        base = 16;
    else if (!strchr("vdboO", f->letter))
        return false;
    do
        digits[--i] = (f->letter == 'X' ? "0123456789ABCDEF"
                                        : "0123456789abcdef")[rest % (unsigned)base];
    while ((rest /= (unsigned)base) != 0);
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, minus ? "-" : f->plus ? "+" : f->space ? " " : "");
    if (f->sharp || f->letter == 'O')
        buf_adds(&text, base == 16         ? (f->letter == 'x' ? "0x" : "0X")
                        : f->letter == 'O' ? "0o"
                        : base == 8        ? "0"
                        : base == 2        ? "0b"
                                           : "");
    for (int n = (int)(sizeof digits - i); f->has_precision && n < f->precision; n++)
        buf_addc(&text, '0');
    buf_add_str(&text, str_n(digits + i, sizeof digits - i));
    pad(f, buf_str(&text), !f->has_precision, out);
    return true;
}

static bool print_double(const struct verb *f, double d, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    char form[16];
    if (!strchr("vgGeEfF", f->letter))
        return false;
    if (f->plus && !(d < 0) && !isinf(d))
        buf_addc(&text, '+');
    else if (f->space && !(d < 0))
        buf_addc(&text, ' ');
    if (isnan(d) || isinf(d) || ((f->letter == 'v' || f->letter == 'g') && !f->has_precision)) {
        template_double(d, &text);
    } else {
        char letter = f->letter == 'v' ? 'g' : f->letter == 'F' ? 'f' : f->letter;
        snprintf(form, sizeof form, "%%.*%c", letter);
        int precision = f->has_precision ? f->precision : 6;
        char big[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(big, sizeof big, form, MIN(precision, 100), d);
#pragma GCC diagnostic pop
        buf_adds(&text, big);
    }
    pad(f, buf_str(&text), true, out);
    return true;
}

static bool print_arg(const struct verb *f, const struct template_value *v, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    if (f->letter == 'T') {
        pad(f, str_of(v->kind == TEMPLATE_NONE ? "<nil>" : template_kind_name(v)), false, out);
        return true;
    }
    switch (v->kind) {
    case TEMPLATE_STR:
        return print_str(f, v->s, out);
    case TEMPLATE_INT:
        return print_int(f, v->i < 0, v->i < 0 ? 0 - (uint64_t)v->i : (uint64_t)v->i, out);
    case TEMPLATE_UINT:
        return print_int(f, false, v->u, out);
    case TEMPLATE_DOUBLE:
        return print_double(f, v->d, out);
    case TEMPLATE_BOOL:
        if (f->letter != 'v' && f->letter != 't')
            return false;
        pad(f, v->b ? STR("true") : STR("false"), false, out);
        return true;
    case TEMPLATE_NONE:
    case TEMPLATE_NIL:
        if (f->letter != 'v')
            return false;
        pad(f, STR("<nil>"), false, out);
        return true;
    default:
        break;
    }
    if (template_is_array(v) && f->letter != 'v') {
        /* The verb goes to every element. */
        buf_addc(out, '[');
        for (size_t i = 0; i < template_len(v); i++) {
            struct template_value item = template_at(v, i);
            buf_adds(out, i ? " " : "");
            if (item.kind == TEMPLATE_JSON || item.kind == TEMPLATE_LIST ||
                !print_arg(f, &item, out))
                bad(f, &item, out);
        }
        buf_addc(out, ']');
        return true;
    }
    if (f->letter != 'v' && f->letter != 's')
        return false;
    template_print(v, &text);
    pad(f, buf_str(&text), false, out);
    return true;
}

/* A number in the form, or an asterisk for the next argument. */
static bool measure(struct str s, size_t *i, const struct template_value *args, size_t n,
                    size_t *next, int *ret) {
    if (*i < s.len && s.p[*i] == '*') {
        (*i)++;
        int64_t value = *next < n && args[*next].kind == TEMPLATE_INT ? args[*next].i : 0;
        (*next)++;
        *ret = (int)MIN(MAX(value, -WIDTH_MAX), WIDTH_MAX);
        return true;
    }
    int value = 0;
    size_t from = *i;
    while (*i < s.len && s.p[*i] >= '0' && s.p[*i] <= '9') {
        value = MIN(value * 10 + (s.p[*i] - '0'), WIDTH_MAX);
        (*i)++;
    }
    *ret = value;
    return *i > from;
}

/* From behind the percent sign to its verb. */
static struct verb read_verb(struct str s, size_t *i, const struct template_value *args, size_t n,
                             size_t *next) {
    struct verb f = {0};
    for (; *i < s.len && s.p[*i] && strchr("-+# 0", s.p[*i]); (*i)++) {
        f.minus |= s.p[*i] == '-';
        f.plus |= s.p[*i] == '+';
        f.sharp |= s.p[*i] == '#';
        f.space |= s.p[*i] == ' ';
        f.zero |= s.p[*i] == '0';
    }
    measure(s, i, args, n, next, &f.width);
    if (f.width < 0) {
        f.minus = true;
        f.width = -f.width;
    }
    if (*i < s.len && s.p[*i] == '.') {
        (*i)++;
        measure(s, i, args, n, next, &f.precision);
        f.has_precision = f.precision >= 0;
    }
    f.letter = *i < s.len ? s.p[(*i)++] : '\0';
    return f;
}

struct err template_printf(struct arena *a, const struct template_value *args, size_t n,
                           struct template_value *ret) {
    CLEAN_BUF struct buf out = {0};
    size_t next = 1;
    if (args[0].kind != TEMPLATE_STR)
        return err_new(ERR_INVALID, "wrong type for value; expected string; got %s",
                       template_kind_name(&args[0]));
    struct str s = args[0].s;
    for (size_t i = 0; i < s.len;) {
        if (s.p[i] != '%') {
            buf_addc(&out, s.p[i++]);
            continue;
        }
        i++;
        struct verb f = read_verb(s, &i, args, n, &next);
        if (f.letter == '%')
            buf_addc(&out, '%');
        else if (f.letter == '\0')
            buf_adds(&out, "%!(NOVERB)");
        else if (next >= n)
            buf_addf(&out, "%%!%c(MISSING)", f.letter);
        else {
            if (!print_arg(&f, &args[next], &out))
                bad(&f, &args[next], &out);
            next++;
        }
    }
    for (size_t k = next; k < n; k++) {
        buf_addf(&out, "%s%s=", k == next ? "%!(EXTRA " : ", ", template_kind_name(&args[k]));
        template_print(&args[k], &out);
    }
    if (next < n)
        buf_addc(&out, ')');
    *ret = template_str(str_n(arena_str(a, buf_str(&out)), out.len));
    return OK;
}
