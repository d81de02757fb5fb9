/* template_parse.c - tokens → tree. */
#include "base/template_tree.h"
#include <errno.h>
#include <stdlib.h>

#define VARIABLES_MAX 128

struct parser {
    struct template *t;
    size_t next, depth;
    int loops; /* enclosing ranges */
    struct str variables[VARIABLES_MAX];
    size_t variables_n;
};
/* What ended a list of nodes. */
enum ending { ENDING_TEXT, ENDING_END, ENDING_ELSE };

static struct token *peek(struct parser *p) {
    return &p->t->tokens.items[p->next];
}

static struct token *take(struct parser *p) {
    struct token *k = peek(p);
    if (k->kind != TOKEN_END)
        p->next++;
    return k;
}

static bool is(const struct token *k, const char *word) {
    return k->kind == TOKEN_WORD && str_eqz(k->text, word);
}

static struct err unexpected(struct parser *p, const struct token *k, const char *where) {
    if (k->kind == TOKEN_END)
        return template_fail(p->t, k->at, "unexpected EOF");
    if (k->kind == TOKEN_CLOSE)
        return template_fail(p->t, k->at, "missing value for %s", where);
    return template_fail(p->t, k->at, "unexpected <%.*s> in %s",
                         (int)MIN(k->end - k->at, (size_t)40), p->t->text.p + k->at, where);
}

static struct err expect_close(struct parser *p, const char *where) {
    struct token *k = take(p);
    return k->kind == TOKEN_CLOSE ? OK : unexpected(p, k, where);
}

static struct err pipeline(struct parser *p, const char *where, enum token_kind end,
                           struct pipe **ret);

/* --- terms ------------------------------------------------------------------------------------ */

static struct err number(struct parser *p, const struct token *k, struct template_value *ret) {
    CLEAN_FREE char *text = mem_zero(k->text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < k->text.len; i++)
        if (k->text.p[i] != '_')
            text[n++] = k->text.p[i];
    const char *digits = text + (*text == '+' || *text == '-');
    char *end, kind = digits[0] == '0' ? (char)(digits[1] | 0x20) : '\0';
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : digits[0] == '0' ? 8 : 10;
    const char *from = kind == 'x' || kind == 'o' || kind == 'b' ? digits + 2 : digits;
    errno = 0;
    unsigned long long u = strtoull(from, &end, base);
    if (errno == 0 && end > from && !*end && *from != '-' && *from != '+') {
        bool minus = *text == '-';
        if (!minus && u > INT64_MAX)
            *ret = (struct template_value){.kind = TEMPLATE_UINT, .u = u};
        else if (u <= INT64_MAX)
            *ret = template_int(minus ? -(int64_t)u : (int64_t)u);
        else
            return template_fail(p->t, k->at, "integer overflow: %.*s", STR_ARG(k->text));
        return OK;
    }
    double d = strtod(text, &end);
    if (!*end && end > text) {
        *ret = (struct template_value){.kind = TEMPLATE_DOUBLE, .d = d};
        return OK;
    }
    return template_fail(p->t, k->at, "bad number syntax: %.*s", STR_ARG(k->text));
}

static struct err character(struct parser *p, const struct token *k, struct template_value *ret) {
    size_t n = str_utf8_len(k->text);
    if (n != k->text.len || n == 0)
        return template_fail(p->t, k->at, "malformed character constant");
    const unsigned char *c = (const unsigned char *)k->text.p;
    int64_t value = n == 1   ? c[0]
                    : n == 2 ? (c[0] & 0x1f) << 6 | (c[1] & 0x3f)
                    : n == 3 ? (c[0] & 0x0f) << 12 | (c[1] & 0x3f) << 6 | (c[2] & 0x3f)
                             : (c[0] & 0x07) << 18 | (c[1] & 0x3f) << 12 | (c[2] & 0x3f) << 6 |
                                   (c[3] & 0x3f);
    *ret = template_int(value);
    return OK;
}

static const struct template_func *find_function(struct parser *p, struct str name) {
    for (size_t i = 0; i < p->t->more_n; i++)
        if (str_eqz(name, p->t->more[i].name))
            return &p->t->more[i];
    return template_builtin(name);
}

static struct err word(struct parser *p, const struct token *k, struct term *ret) {
    if (str_eqz(k->text, "nil")) {
        ret->kind = TERM_NIL;
    } else if (str_eqz(k->text, "true") || str_eqz(k->text, "false")) {
        ret->kind = TERM_CONSTANT;
        ret->value = template_bool(k->text.len == 4);
    } else if (str_eqz(k->text, "call")) {
        return template_fail(p->t, k->at,
                             "function \"call\" is not supported: no value is a function");
    } else {
        ret->kind = TERM_FUNCTION;
        ret->name = k->text;
        ret->function = find_function(p, k->text);
        if (!ret->function)
            return template_fail(p->t, k->at, "function \"%.*s\" not defined", STR_ARG(k->text));
    }
    return OK;
}

static struct err variable(struct parser *p, const struct token *k) {
    for (size_t i = p->variables_n; i > 0; i--)
        if (str_eq(p->variables[i - 1], k->text))
            return OK;
    return template_fail(p->t, k->at, "undefined variable \"%.*s\"", STR_ARG(k->text));
}

static struct err term_begin(struct parser *p, const char *where, struct term *ret) {
    struct token *k = peek(p);
    switch (k->kind) {
    case TOKEN_FIELD:
        ret->kind = TERM_DOT; /* .a is dot's a */
        return OK;
    case TOKEN_DOT:
        ret->kind = TERM_DOT;
        break;
    case TOKEN_VARIABLE:
        ret->kind = TERM_VARIABLE;
        ret->name = k->text;
        TRY(variable(p, k));
        break;
    case TOKEN_WORD:
        TRY(word(p, k, ret));
        break;
    case TOKEN_NUMBER:
        ret->kind = TERM_CONSTANT;
        TRY(number(p, k, &ret->value));
        break;
    case TOKEN_CHAR:
        ret->kind = TERM_CONSTANT;
        TRY(character(p, k, &ret->value));
        break;
    case TOKEN_STRING:
        ret->kind = TERM_CONSTANT;
        ret->value = template_str(k->text);
        break;
    case TOKEN_LEFT:
        ret->kind = TERM_PIPE;
        take(p);
        return pipeline(p, "parenthesized pipeline", TOKEN_RIGHT, &ret->pipe);
    default:
        return unexpected(p, k, where);
    }
    take(p);
    return OK;
}

static struct err term(struct parser *p, const char *where, struct term *ret) {
    struct token *first = peek(p);
    VEC(struct str) fields = {0};
    ret->at = ret->where = first->at;
    TRY(term_begin(p, where, ret));
    while (peek(p)->kind == TOKEN_FIELD &&
           (!peek(p)->spaced || (fields.n == 0 && peek(p) == first))) {
        struct token *k = take(p);
        if (fields.n == (first->kind == TOKEN_FIELD))
            ret->where = k->at;
        vec_push(&fields, k->text);
    }
    struct token *last = &p->t->tokens.items[p->next - 1];
    ret->end = last->end;
    ret->fields_n = fields.n;
    ret->fields = arena_array(&p->t->arena, fields.n + 1, sizeof *ret->fields);
    if (fields.n > 0)
        memcpy(ret->fields, fields.items, fields.n * sizeof *ret->fields);
    vec_done(&fields);
    if (ret->fields_n && first->kind != TOKEN_FIELD &&
        (ret->kind == TERM_CONSTANT || ret->kind == TERM_NIL || ret->kind == TERM_DOT))
        return template_fail(p->t, first->at, "unexpected . after term \"%.*s\"",
                             (int)MIN(first->end - first->at, (size_t)40),
                             p->t->text.p + first->at);
    return OK;
}

/* --- pipelines -------------------------------------------------------------------------------- */

static bool ends_command(const struct token *k) {
    return k->kind == TOKEN_PIPE || k->kind == TOKEN_CLOSE || k->kind == TOKEN_RIGHT ||
           k->kind == TOKEN_END;
}

static struct err command(struct parser *p, const char *where, struct command_node **ret) {
    VEC(struct term) terms = {0};
    struct err e = OK;
    do {
        struct token *k = peek(p);
        if (terms.n > 0 && !k->spaced)
            e = unexpected(p, k, "operand");
        struct term x = {0};
        if (!err_failed(e))
            e = term(p, where, &x);
        vec_push(&terms, x);
    } while (!err_failed(e) && !ends_command(peek(p)));
    struct command_node *c = arena_alloc(&p->t->arena, sizeof *c);
    c->terms = arena_array(&p->t->arena, terms.n, sizeof *c->terms);
    memcpy(c->terms, terms.items, terms.n * sizeof *c->terms);
    c->n = terms.n;
    vec_done(&terms);
    *ret = c;
    return e;
}

static struct err declare(struct parser *p, struct str name, size_t at) {
    if (p->variables_n == VARIABLES_MAX)
        return template_fail(p->t, at, "more than %d variables", VARIABLES_MAX);
    p->variables[p->variables_n++] = name;
    return OK;
}

/* "$x :=", "$x =", "$i, $x :=" (range only). */
static struct err declarations(struct parser *p, bool range, struct pipe *ret) {
    struct token *k = peek(p);
    if (k->kind != TOKEN_VARIABLE)
        return OK;
    if (k[1].kind == TOKEN_COMMA && k[2].kind == TOKEN_VARIABLE &&
        (k[3].kind == TOKEN_DECLARE || k[3].kind == TOKEN_ASSIGN)) {
        if (!range)
            return template_fail(p->t, k->at, "too many declarations in command");
        ret->declared[0] = k->text;
        ret->declared[1] = k[2].text;
        ret->declared_n = 2;
    } else if (k[1].kind == TOKEN_DECLARE || k[1].kind == TOKEN_ASSIGN) {
        ret->declared[0] = k->text;
        ret->declared_n = 1;
    } else {
        return OK;
    }
    p->next += ret->declared_n * 2;
    ret->assigns = p->t->tokens.items[p->next - 1].kind == TOKEN_ASSIGN;
    for (size_t i = 0; ret->assigns && i < ret->declared_n; i++)
        TRY(variable(p, &k[2 * i]));
    return OK;
}

static struct err pipeline(struct parser *p, const char *where, enum token_kind end,
                           struct pipe **ret) {
    struct pipe *pipe = arena_alloc(&p->t->arena, sizeof *pipe);
    struct command_node **tail = &pipe->commands;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return template_fail(p->t, peek(p)->at, "nested more than %d deep", TEMPLATE_DEPTH_MAX);
    pipe->at = peek(p)->at;
    TRY(declarations(p, !strcmp(where, "range"), pipe));
    for (;;) {
        TRY(command(p, where, tail));
        struct term *first = &(*tail)->terms[0];
        if (tail != &pipe->commands && (first->kind == TERM_CONSTANT || first->kind == TERM_NIL ||
                                        (first->kind == TERM_DOT && first->fields_n == 0)))
            return template_fail(p->t, first->at, "non executable command in pipeline");
        tail = &(*tail)->next;
        if (peek(p)->kind != TOKEN_PIPE)
            break;
        take(p);
    }
    struct token *k = take(p);
    pipe->end = k->at;
    if (k->kind != end)
        return k->kind == TOKEN_END     ? template_fail(p->t, k->at, "unexpected EOF")
               : k->kind == TOKEN_CLOSE ? template_fail(p->t, k->at, "unclosed left paren")
                                        : template_fail(p->t, k->at, "unexpected right paren");
    for (size_t i = 0; !pipe->assigns && i < pipe->declared_n; i++)
        TRY(declare(p, pipe->declared[i], pipe->at));
    p->depth--;
    *ret = pipe;
    return OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static struct err list(struct parser *p, bool top, struct node **ret, enum ending *ret_ending);

static struct err branch(struct parser *p, struct node *n, const char *word_);

/* After {{else: "}}", or another if or with that stands for the rest. */
static struct err otherwise(struct parser *p, struct node *n, const char *kind) {
    enum ending ending;
    struct token *k = take(p);
    if (is(k, kind) && strcmp(kind, "range") != 0) {
        struct node *inner = arena_alloc(&p->t->arena, sizeof *inner);
        inner->at = k->at;
        inner->kind = n->kind;
        n->otherwise = inner;
        return branch(p, inner, kind);
    }
    if (k->kind != TOKEN_CLOSE)
        return unexpected(p, k, "else");
    TRY(list(p, false, &n->otherwise, &ending));
    if (ending == ENDING_ELSE)
        return template_fail(p->t, k->at, "expected end; found {{else}}");
    return expect_close(p, "end");
}

/* if, with, range: from behind the keyword to its {{end}}. */
static struct err branch(struct parser *p, struct node *n, const char *kind) {
    enum ending ending;
    size_t scope = p->variables_n;
    bool range = n->kind == NODE_RANGE;
    TRY(pipeline(p, kind, TOKEN_CLOSE, &n->pipe));
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return template_fail(p->t, n->at, "nested more than %d deep", TEMPLATE_DEPTH_MAX);
    p->loops += range;
    TRY(list(p, false, &n->body, &ending));
    p->loops -= range;
    if (ending == ENDING_ELSE)
        TRY(otherwise(p, n, kind));
    else
        TRY(expect_close(p, "end"));
    p->depth--;
    p->variables_n = scope;
    return OK;
}

static struct err define(struct parser *p, struct token *name) {
    struct template_define *d = arena_alloc(&p->t->arena, sizeof *d);
    struct str outer[VARIABLES_MAX];
    size_t outer_n = p->variables_n;
    int loops = p->loops;
    enum ending ending;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return template_fail(p->t, name->at, "nested more than %d deep", TEMPLATE_DEPTH_MAX);
    memcpy(outer, p->variables, outer_n * sizeof *outer);
    p->variables[0] = STR("$");
    p->variables_n = 1;
    p->loops = 0;
    d->name = name->text;
    TRY(list(p, false, &d->body, &ending));
    if (ending == ENDING_ELSE)
        return template_fail(p->t, name->at, "unexpected {{else}} in define clause");
    TRY(expect_close(p, "end"));
    memcpy(p->variables, outer, outer_n * sizeof *outer);
    p->variables_n = outer_n;
    p->loops = loops;
    p->depth--;
    d->next = p->t->defines;
    p->t->defines = d;
    return OK;
}

/* template "name" pipeline?, block "name" pipeline, define "name". */
static struct err named(struct parser *p, const char *kind, struct node *n, bool *ret_drop) {
    struct token *name = take(p);
    *ret_drop = !strcmp(kind, "define");
    if (name->kind != TOKEN_STRING)
        return unexpected(p, name,
                          !strcmp(kind, "define")  ? "define clause"
                          : !strcmp(kind, "block") ? "block clause"
                                                   : "template clause");
    if (*ret_drop) {
        if (p->depth > 0)
            return template_fail(p->t, n->at, "unexpected {{define}}");
        TRY(expect_close(p, "define clause"));
        return define(p, name);
    }
    n->kind = NODE_TEMPLATE;
    n->text = name->text;
    if (!strcmp(kind, "template") && peek(p)->kind == TOKEN_CLOSE)
        return expect_close(p, "template clause");
    TRY(pipeline(p, kind, TOKEN_CLOSE, &n->pipe));
    return !strcmp(kind, "block") ? define(p, name) : OK;
}

static struct err jump(struct parser *p, struct node *n, struct token *k) {
    n->kind = str_eqz(k->text, "break") ? NODE_BREAK : NODE_CONTINUE;
    if (p->loops == 0)
        return template_fail(p->t, k->at, "{{%.*s}} outside {{range}}", STR_ARG(k->text));
    return expect_close(p, "range");
}

static struct err action(struct parser *p, struct node *n, bool *ret_drop) {
    static const struct {
        const char *word;
        enum node_kind kind;
    } branches[] = {{"if", NODE_IF}, {"with", NODE_WITH}, {"range", NODE_RANGE}};
    struct token *k = peek(p);
    *ret_drop = false;
    for (size_t i = 0; i < ARRAY_LEN(branches); i++)
        if (is(k, branches[i].word)) {
            take(p);
            n->kind = branches[i].kind;
            return branch(p, n, branches[i].word);
        }
    if (is(k, "template") || is(k, "block") || is(k, "define")) {
        take(p);
        return named(p,
                     k->text.p[0] == 't'   ? "template"
                     : k->text.p[0] == 'b' ? "block"
                                           : "define",
                     n, ret_drop);
    }
    if (is(k, "break") || is(k, "continue")) {
        take(p);
        return jump(p, n, k);
    }
    n->kind = NODE_ACTION;
    return pipeline(p, "command", TOKEN_CLOSE, &n->pipe);
}

/* Nodes up to {{end}}, {{else}} or the end of the text. */
static struct err list(struct parser *p, bool top, struct node **ret, enum ending *ret_ending) {
    struct node **tail = ret;
    for (;;) {
        struct token *k = peek(p);
        if (k->kind == TOKEN_END) {
            *ret_ending = ENDING_TEXT;
            return top ? OK : template_fail(p->t, k->at, "unexpected EOF");
        }
        if (is(k, "end") || is(k, "else")) {
            if (top)
                return template_fail(p->t, k->at, "unexpected {{%.*s}}", STR_ARG(k->text));
            *ret_ending = is(k, "end") ? ENDING_END : ENDING_ELSE;
            take(p);
            return OK;
        }
        struct node *n = arena_alloc(&p->t->arena, sizeof *n);
        bool drop = false;
        n->at = k->at;
        if (k->kind == TOKEN_TEXT) {
            n->kind = NODE_TEXT;
            n->text = take(p)->text;
        } else {
            TRY(action(p, n, &drop));
        }
        n->end = p->t->tokens.items[p->next - 1].at;
        if (!drop) {
            *tail = n;
            tail = &n->next;
        }
    }
}

void template_free(struct template *t) {
    if (!t)
        return;
    vec_done(&t->tokens);
    arena_done(&t->arena);
    free(t);
}

void template_clean(struct template **t) {
    template_free(*t);
}

static struct err parse(struct template *t) {
    struct parser p = {.t = t, .variables = {STR("$")}, .variables_n = 1};
    struct template_define *self = arena_alloc(&t->arena, sizeof *self);
    enum ending ending;
    TRY(template_lex(t));
    TRY(list(&p, true, &self->body, &ending));
    self->name = str_of(t->name);
    /* At the end: a definition of the same name wins, as there. */
    struct template_define **tail = &t->defines;
    while (*tail)
        tail = &(*tail)->next;
    *tail = self;
    return OK;
}

struct err template_parse(const char *name, struct str text, const struct template_func *more,
                          size_t more_n, struct template **ret) {
    if (text.len > TEMPLATE_TEXT_MAX)
        return err_new(ERR_INVALID, "template: %s: longer than %u bytes", name, TEMPLATE_TEXT_MAX);
    CLEAN_TEMPLATE struct template *t = NEW(struct template);
    t->name = arena_strz(&t->arena, name);
    char *copy = arena_alloc(&t->arena, text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    t->text = str_n(copy, text.len);
    t->more = more;
    t->more_n = more_n;
    TRY(parse(t));
    *ret = TAKE(t);
    return OK;
}
