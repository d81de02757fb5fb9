/* build/check.c - findings, and the rules that look at the file's lines. */
#include "build/check.h"
#include "build/build.h"
#include "build/context.h"
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

/* "A,B" or "all" */
static bool in_list(struct str list, const char *rule) {
    struct str name;
    while (str_next(&list, ',', &name))
        if (str_eqz(str_trim(name), rule) || str_eqz(str_trim(name), "all"))
            return true;
    return false;
}

struct err check_options(const char *directive, struct check_options *ret) {
    struct check_options o = {0};
    struct str rest = str_of(directive ? directive : ""), one, k, v;
    while (str_next(&rest, ';', &one)) {
        bool has = str_cut(one, '=', &k, &v);
        k = str_trim(k);
        v = str_trim(v);
        if (!has)
            return err_new(ERR_INVALID, "check: '%.*s' has no value", STR_ARG(one));
        if (str_eqz(k, "skip"))
            o.skip = v;
        else if (str_eqz(k, "experimental"))
            o.experimental = v;
        else if (!str_eqz(k, "error"))
            return err_new(ERR_INVALID, "check: unknown option '%.*s' (skip, error, experimental)",
                           STR_ARG(k));
        else if (str_eq_nocase(v, STR("true")) || str_eqz(v, "1"))
            o.error = true;
        else if (!str_eq_nocase(v, STR("false")) && !str_eqz(v, "0"))
            return err_new(ERR_INVALID, "check: error=%.*s is neither true nor false", STR_ARG(v));
    }
    *ret = o;
    return OK;
}

bool check_skips(const struct check_options *o, const char *rule) {
    return in_list(o->skip, rule);
}

bool check_wants(const struct checker *c, const char *rule) {
    return in_list(c->options.experimental, rule);
}

/* Was it shown? */
static bool finding(struct checker *c, const char *kind, const char *rule, const struct node *n,
                    size_t at, const char *fmt, va_list ap) {
    CLEAN_BUF struct buf words = {0};
    if (check_skips(&c->options, rule))
        return false;
    buf_vaddf(&words, fmt, ap);
    /* An error's words have place and excerpt. */
    struct err e = dockerfile_error(c->file, n, at, "%s: %s: %s", kind, rule, buf_cstr(&words));
    buf_addf(c->out, "%s\n", err_msg(e));
    err_free(e);
    return true;
}

void check_warn(struct checker *c, const char *rule, const struct node *n, size_t at,
                const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    c->warnings += finding(c, "warning", rule, n, at, fmt, ap);
    va_end(ap);
}

void check_advise(struct checker *c, const char *rule, const struct node *n, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    (void)finding(c, "advice", rule, n, 0, fmt, ap);
    va_end(ap);
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

struct str check_line_of(const struct dockerfile *f, unsigned line) {
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
        if (str_trim(check_line_of(c->file, line)).len == 0) {
            check_warn(c, "NoEmptyContinuation", n, 0,
                       "Empty continuation line found in: %.*s (line %u)",
                       STR_ARG(str_sub(n->text, 0, 40)), line);
            return;
        }
}

struct err check_run(const struct dockerfile *f, const struct check_options *o,
                     const struct ignore *ignore, struct arena *a, struct buf *out,
                     size_t *ret_warnings) {
    OWN(checker_done)
    struct checker c = {.arena = a, .out = out, .file = f, .options = *o, .ignore = ignore};
    casings(&c);
    for (size_t i = 0; i < f->n; i++) {
        struct instr in;
        TRY(instruction_parse(f, f->nodes[i], a, &in));
        continuations(&c, f->nodes[i]);
        check_instruction(&c, &in);
    }
    check_end(&c, f->nodes[f->n - 1]);
    *ret_warnings = c.warnings;
    return OK;
}

struct err build_check(struct str dockerfile, const char *name, const struct build_check_how *how,
                       struct buf *out, size_t *ret_warnings) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_IGNORE struct ignore ignore = {0};
    struct check_options o;
    struct dockerfile *f;
    TRY(dockerfile_parse(dockerfile, name, &a, &f));
    TRY(check_options(how->directive ? how->directive : f->check, &o));
    if (how->context_fd >= 0) {
        struct source_root root = {.fd = how->context_fd};
        TRY(source_rules(&root, name, &ignore));
    }
    return check_run(f, &o, ignore.n ? &ignore : NULL, &a, out, ret_warnings);
}
