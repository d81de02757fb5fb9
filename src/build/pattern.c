/* build/pattern.c - ${x#p}, ${x%p}, ${x/p/r}: patterns on characters.
 *
 * A pattern is a row of tokens; a set of token positions is moved over the text one character at a
 * time, so the work is text times pattern whatever the pattern looks like (no backtracking). */
#include "build/expand.h"
#include <stdlib.h>

#define TOKEN_STAR UINT32_MAX
#define TOKEN_ANY (UINT32_MAX - 1)

struct runes VEC_BODY(uint32_t);
struct match {
    struct runes pattern;
    bool *now, *next; /* pattern.n + 1 positions each */
    uint64_t work;
};

static void runes_free(struct runes *v) {
    vec_done(v);
}
#define CLEAN_RUNES OWN(runes_free)

static void match_done(struct match *m) {
    vec_done(&m->pattern);
    free(m->now);
    free(m->next);
}

/* Length of the UTF-8 sequence at s, 1 for a byte that starts none. */
static size_t rune_len(struct str s) {
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
    if (n > s.len)
        return 1;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 1;
    return n;
}

/* A character as a number; only equality matters, so the bytes themselves serve. */
static uint32_t rune_at(struct str s, size_t *len) {
    *len = rune_len(s);
    uint32_t r = 0;
    for (size_t i = 0; i < *len; i++)
        r = r << 8 | (unsigned char)s.p[i];
    return r;
}

static void runes_of(struct str s, struct runes *ret) {
    while (s.len) {
        size_t n;
        vec_push(ret, rune_at(s, &n));
        s = str_from(s, n);
    }
}

static void runes_text(const uint32_t *r, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            if (r[i] >> shift || shift == 0)
                buf_addc(out, (char)(r[i] >> shift));
}

static void runes_reverse(uint32_t *r, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t t = r[i];
        r[i] = r[n - 1 - i];
        r[n - 1 - i] = t;
    }
}

static struct err compile(struct str p, struct match *m) {
    while (p.len) {
        size_t n;
        uint32_t r = rune_at(p, &n);
        p = str_from(p, n);
        if (r == '*')
            r = TOKEN_STAR;
        else if (r == '?')
            r = TOKEN_ANY;
        else if (r == '\\') {
            if (p.len == 0)
                return err_new(ERR_INVALID, "pattern ends in an escape");
            r = rune_at(p, &n);
            if (!(n == 1 && strchr("*?\\}/", (char)r) && r))
                return err_new(ERR_INVALID, "invalid escape '\\%.*s' in pattern",
                               STR_ARG(str_sub(p, 0, n)));
            p = str_from(p, n);
        }
        vec_push(&m->pattern, r);
    }
    m->now = mem_zero((m->pattern.n + 1) * sizeof(bool));
    m->next = mem_zero((m->pattern.n + 1) * sizeof(bool));
    return OK;
}

/* A star may match nothing: the position after it is reached together with it. */
static void reach(const struct match *m, bool *set, size_t i) {
    while (!set[i]) {
        set[i] = true;
        if (i == m->pattern.n || m->pattern.items[i] != TOKEN_STAR)
            return;
        i++;
    }
}

/* Moves the set over one character; false when it is empty afterwards. */
static bool step(struct match *m, uint32_t r) {
    size_t n = m->pattern.n;
    bool any = false;
    memset(m->next, 0, (n + 1) * sizeof(bool));
    for (size_t i = 0; i < n; i++) {
        if (!m->now[i])
            continue;
        uint32_t t = m->pattern.items[i];
        bool wild = t == TOKEN_STAR || t == TOKEN_ANY;
        if (wild ? r == '\n' : r != t)
            continue;
        reach(m, m->next, t == TOKEN_STAR ? i : i + 1);
        any = true;
    }
    bool *old = m->now;
    m->now = m->next;
    m->next = old;
    m->work += n + 1;
    return any;
}

/* Length of the shortest or longest match that starts at text[0]; -1: none. */
static ssize_t match_prefix(struct match *m, const uint32_t *text, size_t len, bool longest) {
    memset(m->now, 0, (m->pattern.n + 1) * sizeof(bool));
    reach(m, m->now, 0);
    ssize_t found = -1;
    for (size_t i = 0;; i++) {
        if (m->now[m->pattern.n]) {
            found = (ssize_t)i;
            if (!longest)
                return found;
        }
        if (i == len || m->work > EXPAND_WORK_MAX || !step(m, text[i]))
            return found;
    }
}

static struct err too_much(void) {
    return err_new(ERR_INVALID, "pattern and value are too long to match");
}

struct err pattern_trim(struct str value, struct str pattern, enum trim how, struct buf *ret) {
    OWN(match_done) struct match m = {0};
    CLEAN_RUNES struct runes text = {0};
    TRY(compile(pattern, &m));
    runes_of(value, &text);
    bool suffix = how == TRIM_SUFFIX || how == TRIM_SUFFIX_LONG;
    if (suffix) {
        runes_reverse(text.items, text.n);
        runes_reverse(m.pattern.items, m.pattern.n);
    }
    bool longest = how == TRIM_PREFIX_LONG || how == TRIM_SUFFIX_LONG;
    ssize_t cut = MAX(match_prefix(&m, text.items, text.n, longest), 0);
    if (m.work > EXPAND_WORK_MAX)
        return too_much();
    size_t rest = text.n - (size_t)cut;
    if (suffix)
        runes_reverse(text.items + cut, rest);
    if (rest)
        runes_text(text.items + cut, rest, ret);
    return OK;
}

/* Go's expansion signs are not interpreted: the replacement is taken as it is, without escapes of
 * the closing brace and the slash. */
static void add_replacement(struct str with, struct buf *ret) {
    for (size_t i = 0; i < with.len; i++) {
        if (with.p[i] == '\\' && i + 1 < with.len && (with.p[i + 1] == '}' || with.p[i + 1] == '/'))
            i++;
        buf_addc(ret, with.p[i]);
    }
}

struct err pattern_replace(struct str value, struct str pattern, struct str with, bool all,
                           struct buf *ret) {
    OWN(match_done) struct match m = {0};
    CLEAN_RUNES struct runes text = {0};
    TRY(compile(pattern, &m));
    runes_of(value, &text);
    bool on = true, after = false; /* after: an empty match right behind a match is none */
    for (size_t i = 0; i <= text.n;) {
        ssize_t n = on ? match_prefix(&m, text.items + i, text.n - i, true) : -1;
        if (m.work > EXPAND_WORK_MAX || ret->len > EXPAND_RESULT_MAX)
            return too_much();
        bool hit = n > 0 || (n == 0 && !after);
        if (hit) {
            add_replacement(with, ret);
            on = all;
        }
        after = hit && n > 0;
        if (n > 0) {
            i += (size_t)n;
            continue;
        }
        if (i < text.n)
            runes_text(text.items + i, 1, ret);
        i++;
    }
    return OK;
}
