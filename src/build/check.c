/* build/check.c - findings, and the rules that look at the file's lines. */
#include "build/check.h"
#include "build/build.h"
#include <stdarg.h>
#include <stdlib.h>

void checker_done(struct checker *c) {
    strv_done(&c->globals);
    strv_done(&c->empty);
    strv_done(&c->stages);
    strv_done(&c->vars);
}

bool check_has(const struct strv *v, struct str name) {
    for (size_t i = 0; i < v->n; i++)
        if (str_eqz(name, v->items[i]))
            return true;
    return false;
}

/* "skip=A,B;error=true" */
static bool skipped(const struct checker *c, const char *rule) {
    struct str rest = str_of(c->file->check), one, k, v, name;
    while (str_next(&rest, ';', &one)) {
        str_cut(one, '=', &k, &v);
        if (!str_eqz(str_trim(k), "skip"))
            continue;
        while (str_next(&v, ',', &name))
            if (str_eqz(str_trim(name), rule) || str_eqz(str_trim(name), "all"))
                return true;
    }
    return false;
}

static void add(struct checker *c, const char *kind, const char *rule, const struct node *n,
                size_t at, const char *words) {
    /* An error's words have place and excerpt. */
    struct err e = dockerfile_error(c->file, n, at, "%s: %s: %s", kind, rule, words);
    buf_addf(c->out, "%s\n", err_msg(e));
    err_free(e);
}

void check_warn(struct checker *c, const char *rule, const struct node *n, size_t at,
                const char *fmt, ...) {
    CLEAN_BUF struct buf b = {0};
    va_list ap;
    if (skipped(c, rule))
        return;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    c->warnings++;
    add(c, "warning", rule, n, at, buf_cstr(&b));
}

void check_advise(struct checker *c, const char *rule, const struct node *n, const char *fmt, ...) {
    CLEAN_BUF struct buf b = {0};
    va_list ap;
    if (skipped(c, rule))
        return;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    add(c, "advice", rule, n, 0, buf_cstr(&b));
}

/* 1 upper, -1 lower, 0 mixed. */
static int casing(const char *name) {
    bool upper = false, lower = false;
    for (; *name; name++) {
        upper |= *name >= 'A' && *name <= 'Z';
        lower |= *name >= 'a' && *name <= 'z';
    }
    return upper && lower ? 0 : upper ? 1 : -1;
}

static void casings(struct checker *c) {
    long sum = 0;
    for (size_t i = 0; i < c->file->n; i++)
        sum += casing(c->file->nodes[i]->name);
    int wanted = sum >= 0 ? 1 : -1;
    for (size_t i = 0; i < c->file->n; i++) {
        const struct node *n = c->file->nodes[i];
        if (casing(n->name) != wanted)
            check_warn(c, "ConsistentInstructionCasing", n, 0,
                       "Command '%s' should match the case of the command majority (%s)", n->name,
                       wanted > 0 ? "uppercase" : "lowercase");
    }
}

static struct str line_of(const struct dockerfile *f, unsigned line) {
    struct str rest = f->source, s = STR_NONE;
    for (unsigned i = 0; i < line; i++)
        str_cut(rest, '\n', &s, &rest);
    return s;
}

/* A continued line that is followed by an empty one. */
static void continuations(struct checker *c, const struct node *n) {
    if (n->heredocs_n)
        return;
    for (unsigned line = n->line + 1; line < n->last_line; line++)
        if (str_trim(line_of(c->file, line)).len == 0) {
            check_warn(c, "NoEmptyContinuation", n, 0,
                       "Empty continuation line found in: %.*s (line %u)",
                       STR_ARG(str_sub(n->text, 0, 40)), line);
            return;
        }
}

struct err build_check(struct str dockerfile, const char *name, struct buf *out,
                       size_t *ret_warnings) {
    CLEAN_ARENA struct arena a = {0};
    OWN(checker_done) struct checker c = {.arena = &a, .out = out};
    struct dockerfile *f;
    TRY(dockerfile_parse(dockerfile, name, &a, &f));
    c.file = f;
    casings(&c);
    for (size_t i = 0; i < f->n; i++) {
        struct instr in;
        TRY(instruction_parse(f, f->nodes[i], &a, &in));
        continuations(&c, f->nodes[i]);
        check_instruction(&c, &in);
    }
    check_end(&c, f->nodes[f->n - 1]);
    *ret_warnings = c.warnings;
    return OK;
}
