/* build/heredoc.c - "<<EOF" words and what follows them. */
#include "build/heredoc.h"
#include "build/expand.h"

static size_t quotes(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += *s == '\'' || *s == '"';
    return n;
}

/* digits "<<" ["-"] blanks rest; rest has no further '<'. */
static bool heredoc_split(struct str w, unsigned *ret_fd, bool *ret_chomp, struct str *ret_rest) {
    size_t i = 0;
    uint64_t fd = 0;
    while (i < w.len && w.p[i] >= '0' && w.p[i] <= '9')
        i++;
    struct str digits = str_sub(w, 0, i);
    if (!str_starts(str_from(w, i), STR("<<")))
        return false;
    if (digits.len) {
        struct err e = str_to_u64(digits, 9999, &fd);
        if (err_failed(e)) {
            /* A number that is no descriptor: the word is then no heredoc. */
            err_free(e);
            return false;
        }
    }
    i += 2;
    *ret_chomp = i < w.len && w.p[i] == '-';
    if (*ret_chomp)
        i++;
    *ret_rest = str_trim(str_from(w, i));
    *ret_fd = (unsigned)fd;
    return ret_rest->len && str_find(*ret_rest, '<') < 0;
}

bool heredoc_word(struct str word, struct arena *a, struct heredoc *ret) {
    struct str rest;
    struct heredoc h = {0};
    if (!heredoc_split(word, &h.fd, &h.chomp, &rest))
        return false;
    /* The name once with its quotes and once without: when they differ, a part of it was quoted and
     * the body is literal (POSIX shell, 2.7.4). */
    struct expand plain = {.escape = '\\', .keep_unset = true};
    struct expand raw = {.escape = '\\', .keep_unset = true, .keep_quotes = true};
    CLEAN_STRV struct strv words = {0};
    CLEAN_STRV struct strv raw_words = {0};
    struct err e = expand_words(&plain, rest, &words);
    if (!err_failed(e))
        e = expand_words(&raw, rest, &raw_words);
    if (err_failed(e) || words.n != 1 || raw_words.n != 1) {
        /* A word that cannot be read is left to the instruction. */
        err_free(e);
        return false;
    }
    h.name = arena_strz(a, words.items[0]);
    h.expand = quotes(words.items[0]) == quotes(raw_words.items[0]);
    *ret = h;
    return true;
}

static struct err heredoc_body(struct lines *l, const struct node *n, struct heredoc *h) {
    CLEAN_BUF struct buf body = {0};
    struct str raw;
    while (lines_raw(l, &raw)) {
        struct str line = raw;
        while (line.len && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
            line.len--;
        while (h->chomp && line.len && line.p[0] == '\t')
            line = str_from(line, 1);
        if (str_eqz(line, h->name)) {
            h->content = arena_str(l->arena, buf_str(&body));
            return OK;
        }
        buf_add_str(&body, raw);
    }
    return dockerfile_error(l->file, n, 0, "unterminated heredoc: no line \"%s\"", h->name);
}

static const struct node *innermost(const struct node *n) {
    return n->sub ? n->sub : n;
}

struct err heredocs_read(struct lines *l, struct node *n) {
    const struct node *in = innermost(n);
    bool may = in->kind == I_ADD || in->kind == I_COPY || in->kind == I_RUN;
    if (!may || in->json || str_find_str(n->text, STR("<<")) < 0)
        return OK;
    struct expand x = {
        .escape = '\\', .keep_unset = true, .keep_quotes = true, .keep_escapes = true};
    CLEAN_STRV struct strv words = {0};
    struct err e = expand_words(&x, n->text, &words);
    if (err_failed(e)) {
        /* Quotes that do not match are the shell's business in RUN: there is just no heredoc. */
        err_free(e);
        return OK;
    }
    n->heredocs = arena_array(l->arena, words.n + 1, sizeof(struct heredoc));
    for (size_t i = 0; i < words.n; i++) {
        struct heredoc h;
        if (!heredoc_word(str_of(words.items[i]), l->arena, &h))
            continue;
        TRY(heredoc_body(l, n, &h));
        struct heredoc first;
        h.whole = in->args.n == 1 && heredoc_word(str_of(in->args.items[0].text), l->arena, &first);
        n->heredocs[n->heredocs_n++] = h;
    }
    if (n->sub) {
        n->sub->heredocs = n->heredocs;
        n->sub->heredocs_n = n->heredocs_n;
    }
    return OK;
}

char *heredoc_text(const struct heredoc *h, struct arena *a) {
    if (!h->chomp)
        return h->content;
    CLEAN_BUF struct buf b = {0};
    bool start = true;
    for (const char *p = h->content; *p; p++) {
        if (start && *p == '\t')
            continue;
        start = *p == '\n';
        buf_addc(&b, *p);
    }
    return arena_str(a, buf_str(&b));
}
