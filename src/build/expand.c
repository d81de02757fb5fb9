/* build/expand.c - the recursive descent over one word. */
#include "build/expand.h"
#include "build/words.h"

struct scan {
    const struct expand *x;
    struct str s;
    size_t at;
    unsigned depth;
    bool keep_escapes;
};
/* Where expanded text goes: the whole text, and the words that are being split from it. */
struct sink {
    struct buf text;
    struct buf word;
    struct strv *words; /* NULL: no splitting */
    bool in_word;
};

static void sink_done(struct sink *k) {
    buf_done(&k->text);
    buf_done(&k->word);
}
#define CLEAN_SINK OWN(sink_done)

static void sink_end_word(struct sink *k) {
    if (k->words && k->word.len)
        strv_add(k->words, buf_cstr(&k->word));
    buf_clear(&k->word);
    k->in_word = false;
}

/* Quoted or escaped bytes: they never separate words. */
static void sink_quoted(struct sink *k, struct str s) {
    buf_add_str(&k->text, s);
    if (k->words) {
        buf_add_str(&k->word, s);
        k->in_word = true;
    }
}

static void sink_split(struct sink *k, struct str s) {
    buf_add_str(&k->text, s);
    if (!k->words)
        return;
    for (size_t i = 0; i < s.len; i++) {
        if (!word_space(s.p[i])) {
            buf_addc(&k->word, s.p[i]);
            k->in_word = true;
        } else if (k->in_word) {
            sink_end_word(k);
        }
    }
}

static bool more(const struct scan *c) {
    return c->at < c->s.len;
}
static char peek(const struct scan *c) {
    return more(c) ? c->s.p[c->at] : '\0';
}
static struct str one(const struct scan *c, size_t at) {
    return str_sub(c->s, at, at + 1);
}

static struct err dollar(struct scan *c, struct buf *out);

static struct err single_quote(struct scan *c, struct buf *out) {
    size_t start = c->at++;
    while (more(c) && peek(c) != '\'')
        c->at++;
    if (!more(c))
        return err_new(ERR_INVALID,
                       "unexpected end of statement while looking for matching single-quote");
    c->at++;
    size_t cut = c->x->keep_quotes ? 0 : 1;
    buf_add_str(out, str_sub(c->s, start + cut, c->at - cut));
    return OK;
}

/* In double quotes the escape character is one only before ", $ and itself. */
static void double_quote_escape(struct scan *c, struct buf *out) {
    char escape = c->s.p[c->at++];
    if (c->keep_escapes)
        buf_addc(out, escape);
    if (!more(c))
        return;
    char next = peek(c);
    if (next == '"' || next == '$' || next == escape) {
        buf_addc(out, next);
        c->at++;
    } else {
        buf_addc(out, escape);
    }
}

static struct err double_quote(struct scan *c, struct buf *out) {
    if (c->x->keep_quotes)
        buf_addc(out, '"');
    c->at++;
    while (more(c)) {
        char ch = peek(c);
        if (ch == '"') {
            if (c->x->keep_quotes)
                buf_addc(out, '"');
            c->at++;
            return OK;
        }
        if (ch == '$') {
            TRY(dollar(c, out));
        } else if (ch == c->x->escape) {
            double_quote_escape(c, out);
        } else {
            buf_addc(out, ch);
            c->at++;
        }
    }
    return err_new(ERR_INVALID,
                   "unexpected end of statement while looking for matching double-quote");
}

/* "<<" and the blanks after it belong to the word that follows, so that a heredoc is one word. */
static void heredoc_mark(struct scan *c, struct sink *k) {
    size_t start = c->at++;
    if (peek(c) == '<') {
        c->at++;
        while (more(c) && (peek(c) == ' ' || peek(c) == '\t'))
            c->at++;
    }
    sink_quoted(k, str_sub(c->s, start, c->at));
}

static struct err scan_one(struct scan *c, struct sink *k) {
    char ch = peek(c);
    bool quotes = !c->x->ignore_quotes;
    CLEAN_BUF struct buf b = {.max = EXPAND_RESULT_MAX};
    if (ch == '$') {
        TRY(dollar(c, &b));
        sink_split(k, buf_str(&b));
    } else if (ch == '<') {
        heredoc_mark(c, k);
    } else if (quotes && (ch == '\'' || ch == '"')) {
        TRY(ch == '"' ? double_quote(c, &b) : single_quote(c, &b));
        sink_quoted(k, buf_str(&b));
    } else if (ch == c->x->escape) {
        if (c->keep_escapes)
            sink_quoted(k, one(c, c->at));
        c->at++;
        if (more(c))
            sink_quoted(k, one(c, c->at++));
    } else {
        sink_split(k, one(c, c->at++));
    }
    if (b.overflow || k->text.overflow)
        return err_new(ERR_INVALID, "expands to more than %u bytes", EXPAND_RESULT_MAX);
    return OK;
}

/* Reads up to (and over) stop, or to the end when stop is NUL. */
static struct err scan_until(struct scan *c, char stop, bool keep_escapes, struct sink *k) {
    bool outer = c->keep_escapes;
    c->keep_escapes = keep_escapes;
    while (more(c)) {
        if (stop && peek(c) == stop) {
            c->at++;
            c->keep_escapes = outer;
            return OK;
        }
        TRY(scan_one(c, k));
    }
    c->keep_escapes = outer;
    if (stop)
        return err_new(ERR_INVALID, "syntax error: missing '%c' in ${}", stop);
    return OK;
}

static bool name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

/* A variable's name: a word, a number, or one of the shell's special parameters. */
static struct str name(struct scan *c) {
    size_t start = c->at;
    if (!more(c))
        return STR_NONE;
    if (peek(c) >= '0' && peek(c) <= '9') {
        while (more(c) && peek(c) >= '0' && peek(c) <= '9')
            c->at++;
    } else if (strchr("@*#?-$!", peek(c))) {
        c->at++;
    } else {
        while (more(c) && name_byte(peek(c)))
            c->at++;
    }
    return str_sub(c->s, start, c->at);
}

static const char *lookup(struct scan *c, struct str n) {
    const char *v = c->x->get ? c->x->get(c->x->arg, n) : NULL;
    if (!v && c->x->unset) {
        CLEAN_FREE
        char *z = str_dup(n);
        strv_add(c->x->unset, z);
    }
    return v;
}

static struct err bad_modifier(struct str m) {
    return err_new(ERR_INVALID, "unsupported modifier (%.*s) in substitution", STR_ARG(m));
}

static struct err not_set(struct str n, struct str message, const char *otherwise) {
    if (message.len)
        return err_new(ERR_INVALID, "%.*s: %.*s", STR_ARG(n), STR_ARG(message));
    return err_new(ERR_INVALID, "%.*s: %s", STR_ARG(n), otherwise);
}

/* ${n-word} ${n+word} ${n?word} ${n#word} ${n%word}; colon: an empty value counts as not set. */
static struct err modify(struct str n, const char *value, char op, bool colon, struct str word,
                         struct buf *out) {
    bool have = value && !(colon && !*value);
    if (op == '-') {
        buf_add_str(out, have ? str_of(value) : word);
        return OK;
    }
    if (op == '+') {
        if (have)
            buf_add_str(out, word);
        return OK;
    }
    if (op == '?') {
        if (!have)
            return not_set(n, word,
                           value ? "is not allowed to be empty" : "is not allowed to be unset");
        buf_adds(out, value);
        return OK;
    }
    bool longest = word.len && word.p[0] == op;
    enum trim how = op == '#' ? TRIM_PREFIX : TRIM_SUFFIX;
    return pattern_trim(str_of(value), longest ? str_from(word, 1) : word, longest ? how + 1 : how,
                        out);
}

static struct err with_word(struct scan *c, struct str n, struct buf *out) {
    size_t start = c->at;
    bool colon = peek(c) == ':';
    if (colon)
        c->at++;
    char op = peek(c);
    if (!op || !strchr("+-?#%", op) || (colon && (op == '#' || op == '%')))
        return bad_modifier(str_sub(c->s, start, c->at + 1));
    c->at++;
    struct str modifier = str_sub(c->s, start, c->at);
    CLEAN_SINK struct sink word = {.text.max = EXPAND_RESULT_MAX};
    TRY(scan_until(c, '}', op == '#' || op == '%', &word));
    const char *value = lookup(c, n);
    if (!value && c->x->keep_unset) {
        buf_addf(out, "${%.*s%.*s", STR_ARG(n), STR_ARG(modifier));
        buf_add_str(out, buf_str(&word.text));
        buf_addc(out, '}');
        return OK;
    }
    return modify(n, value, op, colon, buf_str(&word.text), out);
}

/* ${n/pattern/with} and ${n//pattern/with} */
static struct err replace(struct scan *c, struct str n, struct buf *out) {
    c->at++;
    bool all = peek(c) == '/';
    if (all)
        c->at++;
    CLEAN_SINK struct sink pattern = {.text.max = EXPAND_RESULT_MAX};
    CLEAN_SINK struct sink with = {.text.max = EXPAND_RESULT_MAX};
    TRY(scan_until(c, '/', true, &pattern));
    TRY(scan_until(c, '}', true, &with));
    const char *value = lookup(c, n);
    if (value || !c->x->keep_unset)
        return pattern_replace(str_of(value), buf_str(&pattern.text), buf_str(&with.text), all,
                               out);
    buf_addf(out, "${%.*s/%s", STR_ARG(n), all ? "/" : "");
    buf_add_str(out, buf_str(&pattern.text));
    buf_addc(out, '/');
    buf_add_str(out, buf_str(&with.text));
    buf_addc(out, '}');
    return OK;
}

static struct err braces(struct scan *c, struct buf *out) {
    c->at++;
    if (!more(c))
        return err_new(ERR_INVALID, "syntax error: missing '}'");
    if (strchr("{}:", peek(c)))
        return err_new(ERR_INVALID, "syntax error: bad substitution");
    struct str n = name(c);
    if (!more(c))
        return err_new(ERR_INVALID, "syntax error: missing '}'");
    if (peek(c) == '/')
        return replace(c, n, out);
    if (peek(c) != '}')
        return with_word(c, n, out);
    c->at++;
    const char *value = lookup(c, n);
    if (value)
        buf_adds(out, value);
    else if (c->x->keep_unset)
        buf_addf(out, "${%.*s}", STR_ARG(n));
    return OK;
}

static struct err dollar(struct scan *c, struct buf *out) {
    c->at++;
    if (peek(c) == '{') {
        if (++c->depth > EXPAND_DEPTH_MAX)
            return err_new(ERR_INVALID, "variables nest deeper than %d", EXPAND_DEPTH_MAX);
        TRY(braces(c, out));
        c->depth--;
        return OK;
    }
    struct str n = name(c);
    if (n.len == 0) {
        buf_addc(out, '$');
        return OK;
    }
    const char *value = lookup(c, n);
    if (value)
        buf_adds(out, value);
    else if (c->x->keep_unset)
        buf_addf(out, "$%.*s", STR_ARG(n));
    return OK;
}

static struct err expand(const struct expand *x, struct str word, struct sink *k) {
    struct scan c = {.x = x, .s = word, .keep_escapes = x->keep_escapes};
    struct err e = scan_until(&c, '\0', x->keep_escapes, k);
    return err_wrap(e, "failed to process \"%.*s\"", STR_ARG(str_sub(word, 0, 200)));
}

struct err expand_word(const struct expand *x, struct str word, struct buf *ret) {
    CLEAN_SINK struct sink k = {.text.max = EXPAND_RESULT_MAX};
    TRY(expand(x, word, &k));
    buf_add_str(ret, buf_str(&k.text));
    return OK;
}

struct err expand_words(const struct expand *x, struct str word, struct strv *ret) {
    CLEAN_STRV struct strv words = {0};
    CLEAN_SINK struct sink k = {.text.max = EXPAND_RESULT_MAX, .words = &words};
    TRY(expand(x, word, &k));
    sink_end_word(&k);
    for (size_t i = 0; i < words.n; i++)
        strv_add(ret, words.items[i]);
    return OK;
}
