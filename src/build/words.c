/* build/words.c - words, flags and JSON arrays of an instruction line. */
#include "build/words.h"
#include "base/json.h"
#include "base/vec.h"
#include <stdlib.h>

struct wordv VEC_BODY(struct word);

bool word_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void wordv_free(struct wordv *v) {
    vec_done(v);
}

static void words_keep(struct wordv *v, struct arena *a, struct words *ret) {
    ret->n = v->n;
    ret->items = arena_array(a, v->n + 1, sizeof(struct word));
    if (v->n)
        memcpy(ret->items, v->items, v->n * sizeof(struct word));
}

static void word_add(struct wordv *v, struct arena *a, struct str s, size_t at) {
    vec_push(v, (struct word){.text = arena_str(a, s), .at = at, .len = s.len});
}

/* One flag word from *at; gives its value without quotes and escapes. */
static void flag_word(struct str t, size_t *at, char escape, struct buf *out) {
    char quote = 0;
    for (; *at < t.len; (*at)++) {
        char c = t.p[*at];
        if (!quote && word_space(c))
            return;
        if (!quote && (c == '\'' || c == '"')) {
            quote = c;
            continue;
        }
        if (quote && c == quote) {
            quote = 0;
            continue;
        }
        if (c == escape) {
            if (*at + 1 == t.len)
                continue;
            c = t.p[++(*at)];
        }
        buf_addc(out, c);
    }
}

void words_flags(struct str text, size_t *at, char escape, struct arena *a, struct words *ret) {
    OWN(wordv_free) struct wordv v = {0};
    size_t i = *at;
    for (;;) {
        while (i < text.len && word_space(text.p[i]))
            i++;
        if (i + 1 >= text.len || text.p[i] != '-' || text.p[i + 1] != '-')
            break;
        CLEAN_BUF struct buf b = {0};
        size_t start = i;
        flag_word(text, &i, escape, &b);
        if (str_eqz(buf_str(&b), "--"))
            break;
        word_add(&v, a, buf_str(&b), start);
    }
    *at = i;
    words_keep(&v, a, ret);
}

/* The end of a word with quotes, from at; escapes are stepped over together with what they escape.
 * An escape character that ends the text is left out of the word. */
static size_t quoted_word(struct str t, size_t at, char escape, struct buf *out) {
    char quote = 0;
    while (at < t.len) {
        char c = t.p[at];
        if (!quote && word_space(c))
            break;
        if (c == escape && quote != '\'') {
            if (at + 1 == t.len)
                return t.len;
            buf_addc(out, c);
            buf_addc(out, t.p[at + 1]);
            at += 2;
            continue;
        }
        if (!quote && (c == '\'' || c == '"'))
            quote = c;
        else if (quote && c == quote)
            quote = 0;
        buf_addc(out, c);
        at++;
    }
    return at;
}

void words_quoted(struct str text, size_t at, char escape, struct arena *a, struct words *ret) {
    OWN(wordv_free) struct wordv v = {0};
    while (at < text.len) {
        if (word_space(text.p[at])) {
            at++;
            continue;
        }
        CLEAN_BUF struct buf b = {0};
        size_t start = at;
        at = quoted_word(text, at, escape, &b);
        if (b.len)
            word_add(&v, a, buf_str(&b), start);
    }
    words_keep(&v, a, ret);
}

void words_plain(struct str text, size_t at, struct arena *a, struct words *ret) {
    OWN(wordv_free) struct wordv v = {0};
    while (at < text.len) {
        if (word_space(text.p[at])) {
            at++;
            continue;
        }
        size_t start = at;
        while (at < text.len && !word_space(text.p[at]))
            at++;
        word_add(&v, a, str_sub(text, start, at), start);
    }
    words_keep(&v, a, ret);
}

void words_one(struct str text, size_t at, struct arena *a, struct words *ret) {
    OWN(wordv_free) struct wordv v = {0};
    while (at < text.len && word_space(text.p[at]))
        at++;
    struct str s = str_trim(str_from(text, at));
    if (s.len)
        word_add(&v, a, s, at);
    words_keep(&v, a, ret);
}

enum words_json words_json(struct str text, size_t at, struct arena *a, struct words *ret) {
    while (at < text.len && word_space(text.p[at]))
        at++;
    if (at == text.len || text.p[at] != '[')
        return WORDS_NOT_JSON;
    CLEAN_JSON struct json *root = NULL;
    struct err e = json_parse(str_trim(str_from(text, at)), &root);
    if (err_failed(e)) {
        /* Not JSON is not an error: the line is then in shell form, as the peer reads it. */
        err_free(e);
        return WORDS_NOT_JSON;
    }
    OWN(wordv_free) struct wordv v = {0};
    for (size_t i = 0; i < json_len(root); i++) {
        struct json *item = json_at(root, i);
        if (json_type(item) != JSON_STRING)
            return WORDS_JSON_NOT_STRINGS;
        word_add(&v, a, json_str(item), at);
    }
    words_keep(&v, a, ret);
    return WORDS_JSON;
}
