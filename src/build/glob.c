/* build/glob.c - compile to tokens, match by a set of positions. */
#include "build/glob.h"
#include "base/mem.h"
#include "base/vec.h"
#include <stdlib.h>

enum token_kind {
    T_CHAR,  /* this character */
    T_ANY,   /* one character but '/' */
    T_STAR,  /* any run without '/' */
    T_ALL,   /* any run at all */
    T_DIRS,  /* nothing, or any run that ends in '/' */
    T_CLASS, /* one character of a set */
};
struct range {
    uint32_t from, to;
};
struct glob_token {
    enum token_kind kind;
    uint32_t c;
    bool negated;
    struct range *ranges;
    size_t ranges_n;
};
struct tokens VEC_BODY(struct glob_token);
struct ranges VEC_BODY(struct range);

/* One UTF-8 character as a number; a byte that starts none is a number of its own. */
static uint32_t character(struct str s, size_t *len) {
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
    uint32_t r = n == 1 ? (c < 0x80 ? c : 0x110000u + c) : c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (i >= s.len || ((unsigned char)s.p[i] & 0xc0) != 0x80) {
            *len = 1;
            return 0x110000u + c;
        }
        r = r << 6 | ((unsigned char)s.p[i] & 0x3f);
    }
    *len = n;
    return r;
}

static struct err class_char(struct str p, size_t *at, uint32_t *ret) {
    if (*at < p.len && (p.p[*at] == '-' || p.p[*at] == ']'))
        return err_new(ERR_INVALID, "syntax error in pattern: '%c' in '['", p.p[*at]);
    if (*at < p.len && p.p[*at] == '\\')
        (*at)++;
    if (*at >= p.len)
        return err_new(ERR_INVALID, "syntax error in pattern: '[' without ']'");
    size_t n;
    *ret = character(str_from(p, *at), &n);
    *at += n;
    return OK;
}

/* From the byte after '[' to the one after ']'. */
static struct err class_ranges(struct str p, size_t *at, struct ranges *out) {
    while (*at >= p.len || p.p[*at] != ']' || out->n == 0) {
        struct range r;
        TRY(class_char(p, at, &r.from));
        r.to = r.from;
        if (*at + 1 < p.len && p.p[*at] == '-' && p.p[*at + 1] != ']') {
            (*at)++;
            TRY(class_char(p, at, &r.to));
        }
        vec_push(out, r);
    }
    (*at)++;
    return OK;
}

static void ranges_free(struct ranges *v) {
    vec_done(v);
}

static struct err class_token(struct str p, size_t *at, struct glob_token *t) {
    OWN(ranges_free) struct ranges ranges = {0};
    *t = (struct glob_token){.kind = T_CLASS};
    (*at)++;
    t->negated = *at < p.len && p.p[*at] == '^';
    *at += t->negated;
    TRY(class_ranges(p, at, &ranges));
    t->ranges = mem_dup(ranges.items, ranges.n * sizeof(struct range));
    t->ranges_n = ranges.n;
    return OK;
}

/* "**" and the '/' after it. */
static void stars_token(struct str p, size_t *at, enum glob_dialect d, struct glob_token *t) {
    size_t n = 0;
    while (*at + n < p.len && p.p[*at + n] == '*')
        n++;
    *at += n;
    *t = (struct glob_token){.kind = T_STAR};
    if (d == GLOB_PATH || n == 1)
        return;
    t->kind = T_DIRS;
    if (*at < p.len && p.p[*at] == '/')
        (*at)++;
    if (*at == p.len)
        t->kind = T_ALL;
}

static struct err token(struct str p, size_t *at, enum glob_dialect d, struct glob_token *t) {
    char c = p.p[*at];
    if (c == '*') {
        stars_token(p, at, d, t);
        return OK;
    }
    if (c == '[')
        return class_token(p, at, t);
    *t = (struct glob_token){.kind = c == '?' ? T_ANY : T_CHAR};
    if (c == '\\' && ++(*at) == p.len)
        return err_new(ERR_INVALID, "syntax error in pattern: escape at its end");
    size_t n;
    t->c = character(str_from(p, *at), &n);
    *at += n;
    return OK;
}

static void tokens_free(struct tokens *v) {
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i].ranges);
    vec_done(v);
}

struct err glob_compile(struct str p, enum glob_dialect dialect, struct glob *ret) {
    if (p.len > GLOB_MAX)
        return err_new(ERR_INVALID, "pattern longer than %d bytes", GLOB_MAX);
    OWN(tokens_free) struct tokens tokens = {0};
    for (size_t at = 0; at < p.len;) {
        struct glob_token t;
        TRYF(token(p, &at, dialect, &t), "'%.*s'", STR_ARG(p));
        vec_push(&tokens, t);
    }
    ret->n = tokens.n;
    ret->tokens = TAKE(tokens.items);
    tokens.n = 0;
    return OK;
}

void glob_done(struct glob *g) {
    for (size_t i = 0; i < g->n; i++)
        free(g->tokens[i].ranges);
    free(g->tokens);
    *g = (struct glob){0};
}

/* Some tokens may match nothing: what comes after them is reached together with them. */
static void reach(const struct glob *g, bool *set, size_t i) {
    for (;; i++) {
        set[i] = true;
        if (i == g->n)
            return;
        enum token_kind k = g->tokens[i].kind;
        if (k != T_STAR && k != T_ALL && k != T_DIRS)
            return;
    }
}

static bool in_class(const struct glob_token *t, uint32_t c) {
    bool in = false;
    for (size_t i = 0; i < t->ranges_n && !in; i++)
        in = c >= t->ranges[i].from && c <= t->ranges[i].to;
    return in != t->negated;
}

/* Token i over one character: which positions of next it leads to. */
static void advance(const struct glob *g, bool *next, size_t i, uint32_t c) {
    const struct glob_token *t = &g->tokens[i];
    switch (t->kind) {
    case T_CHAR:
        if (c == t->c)
            reach(g, next, i + 1);
        break;
    case T_ANY:
        if (c != '/')
            reach(g, next, i + 1);
        break;
    case T_STAR:
        if (c != '/')
            reach(g, next, i);
        break;
    case T_ALL:
        reach(g, next, i);
        break;
    case T_DIRS:
        /* Inside: what follows may begin only behind a '/'. */
        next[i] = true;
        if (c == '/')
            reach(g, next, i + 1);
        break;
    case T_CLASS:
        if (in_class(t, c))
            reach(g, next, i + 1);
        break;
    }
}

bool glob_match(const struct glob *g, struct str name) {
    CLEAN_FREE
    bool *set = mem_zero(g->n + 1);
    CLEAN_FREE
    bool *next = mem_zero(g->n + 1);
    reach(g, set, 0);
    while (name.len) {
        size_t n;
        uint32_t c = character(name, &n);
        name = str_from(name, n);
        memset(next, 0, g->n + 1);
        for (size_t i = 0; i < g->n; i++)
            if (set[i])
                advance(g, next, i, c);
        bool *old = set;
        set = next;
        next = old;
    }
    return set[g->n];
}

bool glob_is_pattern(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if (strchr("*?[\\", text.p[i]) && text.p[i])
            return true;
    return false;
}
