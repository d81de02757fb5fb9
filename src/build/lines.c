/* build/lines.c - logical lines and parser directives. */
#include "build/lines.h"
#include "build/words.h"
#include <stdarg.h>
#include <stdlib.h>

static const char *const directive_names[] = {"syntax", "escape", "check"};

void lines_init(struct lines *l, const struct dockerfile *f, struct arena *a) {
    *l = (struct lines){.file = f, .arena = a, .rest = f->source, .escape = '\\'};
    if (str_starts(l->rest, STR("\xef\xbb\xbf")))
        l->rest = str_from(l->rest, 3);
}

bool lines_raw(struct lines *l, struct str *ret) {
    if (l->rest.len == 0)
        return false;
    ssize_t nl = str_find(l->rest, '\n');
    size_t n = nl < 0 ? l->rest.len : (size_t)nl + 1;
    *ret = str_sub(l->rest, 0, n);
    l->rest = str_from(l->rest, n);
    l->line++;
    return true;
}

static struct str without_newline(struct str s) {
    while (s.len && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    return s;
}

static size_t leading_space(struct str s) {
    size_t n = 0;
    while (n < s.len && word_space(s.p[n]))
        n++;
    return n;
}

static bool is_comment(struct str s) {
    size_t n = leading_space(s);
    return n < s.len && s.p[n] == '#';
}

/* Cuts the continuation mark off: an escape character that is last on the line (blanks may follow)
 * and not itself escaped. */
static bool cut_continuation(struct str *s, char escape) {
    size_t end = s->len;
    while (end && (s->p[end - 1] == ' ' || s->p[end - 1] == '\t'))
        end--;
    if (end == 0 || s->p[end - 1] != escape)
        return false;
    if (end >= 2 && s->p[end - 2] == escape)
        return false;
    s->len = end - 1;
    return true;
}

static bool name_char(char c, bool first) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && c >= '0' && c <= '9');
}

/* "# name = value" → which of directive_names, or -1. */
static int directive_split(struct str s, struct str *ret_value) {
    if (s.len == 0 || s.p[0] != '#')
        return -1;
    s = str_from(s, 1);
    s = str_from(s, leading_space(s));
    size_t n = 0;
    while (n < s.len && name_char(s.p[n], n == 0))
        n++;
    struct str name = str_sub(s, 0, n);
    s = str_from(s, n);
    s = str_from(s, leading_space(s));
    if (n == 0 || s.len == 0 || s.p[0] != '=')
        return -1;
    *ret_value = str_trim(str_from(s, 1));
    if (ret_value->len == 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(directive_names); i++)
        if (str_eq_nocase(name, str_of(directive_names[i])))
            return (int)i;
    return -1;
}

/* Directives stand before everything else; the first line that is none ends them. */
static struct err directive(struct lines *l, struct str line) {
    if (l->directives_done)
        return OK;
    struct str value;
    int which = directive_split(line, &value);
    if (which < 0) {
        l->directives_done = true;
        return OK;
    }
    if (l->directives_seen & (1u << which))
        return lines_error(l->file, l->line, 1, "only one %s parser directive can be used",
                           directive_names[which]);
    l->directives_seen |= 1u << which;
    if (which == 0)
        l->syntax = arena_str(l->arena, value);
    else if (which == 2)
        l->check = arena_str(l->arena, value);
    else if (str_eqz(value, "\\") || str_eqz(value, "`"))
        l->escape = value.p[0];
    else
        return lines_error(l->file, l->line, 1, "invalid escape token '%.*s': it must be ` or \\",
                           STR_ARG(value));
    return OK;
}

static struct err read_line(struct lines *l, struct str *ret, bool *ret_more) {
    *ret_more = lines_raw(l, ret);
    if (*ret_more && ret->len > DOCKERFILE_LINE_MAX)
        return lines_error(l->file, l->line, 1, "line longer than %u bytes", DOCKERFILE_LINE_MAX);
    return OK;
}

static void append(struct lines *l, struct buf *text, struct pieces *p, struct str s,
                   size_t stripped) {
    vec_push(p, (struct piece){.at = text->len, .line = l->line, .column = (unsigned)stripped + 1});
    buf_add_str(text, s);
}

/* Joins the lines that follow a continuation mark. */
static struct err join(struct lines *l, struct buf *text, struct pieces *p) {
    for (;;) {
        struct str raw;
        bool more;
        TRY(read_line(l, &raw, &more));
        if (!more)
            return OK;
        if (is_comment(raw) || leading_space(raw) == raw.len)
            continue;
        struct str s = without_newline(raw);
        bool again = cut_continuation(&s, l->escape);
        append(l, text, p, s, 0);
        if (!again)
            return OK;
    }
}

static void pieces_free(struct pieces *p) {
    vec_done(p);
}

struct err lines_next(struct lines *l, struct logical *ret, bool *ret_more) {
    OWN(pieces_free) struct pieces pieces = {0};
    CLEAN_BUF struct buf text = {0};
    for (;;) {
        struct str raw;
        TRY(read_line(l, &raw, ret_more));
        if (!*ret_more)
            return OK;
        struct str s = without_newline(raw);
        size_t stripped = leading_space(s);
        s = str_from(s, stripped);
        TRY(directive(l, s));
        if (is_comment(s))
            continue;
        bool again = cut_continuation(&s, l->escape);
        if (!again && s.len == 0)
            continue;
        *ret = (struct logical){.line = l->line};
        append(l, &text, &pieces, s, stripped);
        if (again)
            TRY(join(l, &text, &pieces));
        break;
    }
    ret->last_line = l->line;
    ret->text = str_n(arena_str(l->arena, buf_str(&text)), text.len);
    ret->pieces_n = pieces.n;
    ret->pieces = arena_array(l->arena, pieces.n, sizeof(struct piece));
    memcpy(ret->pieces, pieces.items, pieces.n * sizeof(struct piece));
    return OK;
}

static struct str source_line(struct str source, unsigned line) {
    struct str s = STR_NONE;
    for (unsigned i = 0; i < line; i++)
        str_cut(source, '\n', &s, &source);
    return without_newline(s);
}

/* The message, the line of the file and a mark below it. Tabs are kept in the mark's line so that
 * it stands right whatever the terminal's tabs are. */
static void excerpt(const struct dockerfile *f, unsigned line, unsigned column, struct buf *b) {
    struct str s = source_line(f->source, line);
    buf_addf(b, "\n%5u | %.*s\n      | ", line, STR_ARG(str_sub(s, 0, 200)));
    for (unsigned i = 0; i + 1 < column && i < s.len && i < 200; i++)
        buf_addc(b, s.p[i] == '\t' ? '\t' : ' ');
    buf_addc(b, '^');
}

struct err lines_error(const struct dockerfile *f, unsigned line, unsigned column, const char *fmt,
                       ...) {
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "%s:%u:%u: ", f->name, line, column);
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    excerpt(f, line, column, &b);
    return err_new(ERR_INVALID, "%s", buf_cstr(&b));
}

static void place(const struct node *n, size_t at, unsigned *ret_line, unsigned *ret_column) {
    *ret_line = n->line;
    *ret_column = 1;
    at += n->text_base;
    for (size_t i = 0; i < n->pieces_n && n->pieces[i].at <= at; i++) {
        *ret_line = n->pieces[i].line;
        *ret_column = n->pieces[i].column + (unsigned)(at - n->pieces[i].at);
    }
}

struct err dockerfile_error(const struct dockerfile *f, const struct node *n, size_t at,
                            const char *fmt, ...) {
    CLEAN_BUF struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    unsigned line, column;
    place(n, at, &line, &column);
    return lines_error(f, line, column, "%s", buf_cstr(&b));
}

struct err dockerfile_locate_at(const struct dockerfile *f, const struct node *n, size_t at,
                                struct err e) {
    if (!err_failed(e))
        return e;
    unsigned line, column;
    place(n, at, &line, &column);
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "%s:%u:%u: %s", f->name, line, column, err_msg(e));
    excerpt(f, line, column, &b);
    struct err located = err_new(err_kind(e), "%s", buf_cstr(&b));
    err_free(e);
    return located;
}

struct err dockerfile_locate(const struct dockerfile *f, const struct node *n, struct err e) {
    return dockerfile_locate_at(f, n, 0, e);
}
