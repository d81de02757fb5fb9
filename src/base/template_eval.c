/* template_eval.c - walks a parsed template. */
#include "base/template_tree.h"

enum jump { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE };

struct binding {
    struct str name;
    struct template_value value;
};
struct run {
    const struct template *t;
    const struct template_func *instead;
    size_t instead_n;
    struct buf *out;
    struct arena arena;
    VEC(struct binding) variables;
    struct str executing; /* name of the template */
    size_t depth, steps, out_begin;
    enum jump jump;
};

static struct err fail_at(struct run *r, size_t where, size_t at, size_t end, struct err why) {
    CLEAN_ERR struct err inner = why;
    struct str source = str_trim(str_sub(r->t->text, at, end));
    size_t line, column;
    template_where(r->t, where, &line, &column);
    return err_new(ERR_INVALID, "template: %s:%zu:%zu: executing \"%.*s\" at <%.*s%s>: %s",
                   r->t->name, line, column, STR_ARG(r->executing),
                   (int)MIN(source.len, (size_t)20), source.p, source.len > 20 ? "..." : "",
                   err_msg(inner));
}

static struct err fail(struct run *r, const struct term *x, struct err why) {
    return fail_at(r, x->where, x->at, x->end, why);
}

static struct err step(struct run *r, const struct term *x) {
    if (++r->steps > TEMPLATE_STEPS_MAX)
        return fail(r, x, err_new(ERR_INVALID, "more than %d steps", TEMPLATE_STEPS_MAX));
    return OK;
}

static struct err eval_pipe(struct run *r, const struct template_value *dot, const struct pipe *p,
                            struct template_value *ret);
static struct err eval_arg(struct run *r, const struct template_value *dot, const struct term *x,
                           struct template_value *ret);

/* --- fields ----------------------------------------------------------------------------------- */

/* "com.example.some-name" → "some name", as docker's tables do for labels. */
static struct template_value heading(struct arena *a, const struct template_member *m,
                                     const struct template_value *args, size_t n) {
    struct str s = n && args[n - 1].kind == TEMPLATE_STR ? args[n - 1].s : str_of(m->name);
    if (m->heading)
        return template_strz(m->heading);
    char *text = arena_str(a, str_from(s, (size_t)(str_rfind(s, '.') + 1)));
    for (char *p = text; *p; p++) {
        if (n && (*p == '-' || *p == '_'))
            *p = ' ';
        else if (!n && *p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    }
    return template_strz(text);
}

static struct err view_member(struct run *r, const struct template_value *v, struct str name,
                              const struct template_value *args, size_t n,
                              struct template_value *ret) {
    const struct template_type *t = v->view.type;
    for (size_t i = 0; i < t->members_n; i++) {
        const struct template_member *m = &t->members[i];
        if (!str_eqz(name, m->name))
            continue;
        if (n < (size_t)m->args_min || n > (size_t)m->args_max)
            return err_new(ERR_INVALID, "wrong number of args for %s: want %d got %zu", m->name,
                           m->args_min, n);
        if (v->kind == TEMPLATE_HEADINGS) {
            *ret = heading(&r->arena, m, args, n);
            return OK;
        }
        return m->get(v->view.self, &r->arena, args, n, ret);
    }
    return err_new(ERR_INVALID, "can't evaluate field %.*s in type %s", STR_ARG(name), t->name);
}

static struct err field(struct run *r, const struct template_value *v, struct str name,
                        const struct template_value *args, size_t n, struct template_value *ret) {
    struct template_value result = {0};
    if (v->kind == TEMPLATE_VIEW || v->kind == TEMPLATE_HEADINGS) {
        TRY(view_member(r, v, name, args, n, &result));
    } else if (v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL) {
        return err_new(ERR_INVALID, "nil pointer evaluating interface {}.%.*s", STR_ARG(name));
    } else if (!template_is_object(v)) {
        return err_new(ERR_INVALID, "can't evaluate field %.*s in type %s", STR_ARG(name),
                       template_kind_name(v));
    } else if (!template_get(v, name, &result)) {
        return err_new(ERR_INVALID, "map has no entry for key \"%.*s\"", STR_ARG(name));
    } else if (n > 0) {
        return err_new(ERR_INVALID, "%.*s is not a method but has arguments", STR_ARG(name));
    }
    *ret = result;
    return OK;
}

/* .a.b on v; the last one gets the arguments. */
static struct err fields(struct run *r, const struct term *x, struct template_value v,
                         const struct template_value *args, size_t n, struct template_value *ret) {
    if (x->fields_n == 0 && n > 0)
        return fail(r, x,
                    err_new(ERR_INVALID, "can't give argument to non-function %.*s",
                            (int)MIN(x->end - x->at, (size_t)40), r->t->text.p + x->at));
    for (size_t i = 0; i < x->fields_n; i++) {
        bool last = i + 1 == x->fields_n;
        struct err e = field(r, &v, x->fields[i], last ? args : NULL, last ? n : 0, &v);
        if (err_failed(e))
            return fail(r, x, e);
    }
    *ret = v;
    return OK;
}

/* --- functions -------------------------------------------------------------------------------- */

static const struct template_func *function_of(struct run *r, const struct term *x) {
    for (size_t i = 0; i < r->instead_n; i++)
        if (str_eqz(x->name, r->instead[i].name))
            return &r->instead[i];
    return x->function;
}

static struct err call(struct run *r, const struct term *x, const struct template_value *args,
                       size_t n, struct template_value *ret) {
    const struct template_func *f = function_of(r, x);
    struct template_value result = {0};
    if (n < (size_t)f->args_min || (f->args_max >= 0 && n > (size_t)f->args_max))
        return fail(r, x,
                    err_new(ERR_INVALID, "wrong number of args for %s: want %s%d got %zu", f->name,
                            f->args_max < 0 ? "at least " : "", f->args_min, n));
    struct err e = f->call(&r->arena, args, n, &result);
    if (err_failed(e))
        return fail(r, x, err_wrap(e, "error calling %s", f->name));
    *ret = result;
    return OK;
}

/* and, or: stop at the first value that decides. */
static struct err lazy(struct run *r, const struct template_value *dot,
                       const struct command_node *c, const struct template_value *final,
                       struct template_value *ret) {
    const struct term *f = &c->terms[0];
    bool is_or = str_eqz(f->name, "or");
    struct template_value v = {0};
    if (c->n == 1 && !final)
        return fail(r, f,
                    err_new(ERR_INVALID, "wrong number of args for %.*s: want at least 1 got 0",
                            STR_ARG(f->name)));
    for (size_t i = 1; i < c->n; i++) {
        TRY(eval_arg(r, dot, &c->terms[i], &v));
        if (template_truth(&v) == is_or) {
            *ret = v;
            return OK;
        }
    }
    *ret = final ? *final : v;
    return OK;
}

/* --- commands and pipelines ------------------------------------------------------------------- */

static struct template_value *find_variable(struct run *r, struct str name) {
    for (size_t i = r->variables.n; i > 0; i--)
        if (str_eq(r->variables.items[i - 1].name, name))
            return &r->variables.items[i - 1].value;
    return NULL;
}

/* The term's own value, before its fields. */
static struct err base_of(struct run *r, const struct template_value *dot, const struct term *x,
                          struct template_value *ret) {
    const struct template_value *v;
    switch (x->kind) {
    case TERM_DOT:
        *ret = *dot;
        break;
    case TERM_VARIABLE:
        v = find_variable(r, x->name);
        if (!v)
            return fail(r, x, err_new(ERR_INVALID, "undefined variable: %.*s", STR_ARG(x->name)));
        *ret = *v;
        break;
    case TERM_CONSTANT:
        *ret = x->value;
        break;
    case TERM_PIPE:
        return eval_pipe(r, dot, x->pipe, ret);
    case TERM_NIL:
    case TERM_FUNCTION:
        *ret = (struct template_value){0};
        break;
    }
    return OK;
}

static struct err eval_command(struct run *r, const struct template_value *dot,
                               const struct command_node *c, const struct template_value *final,
                               struct template_value *ret) {
    const struct term *first = &c->terms[0];
    size_t n = 0;
    TRY(step(r, first));
    if (first->kind == TERM_NIL)
        return fail(r, first, err_new(ERR_INVALID, "nil is not a command"));
    if (first->kind == TERM_FUNCTION && template_is_lazy(first->function))
        return lazy(r, dot, c, final, ret);
    struct template_value *args = arena_array(&r->arena, c->n + 1, sizeof *args), v;
    for (size_t i = 1; i < c->n; i++)
        TRY(eval_arg(r, dot, &c->terms[i], &args[n++]));
    if (final)
        args[n++] = *final;
    if (first->kind == TERM_FUNCTION) {
        TRY(call(r, first, args, n, &v));
        return fields(r, first, v, NULL, 0, ret);
    }
    TRY(base_of(r, dot, first, &v));
    return fields(r, first, v, args, n, ret);
}

static struct err eval_arg(struct run *r, const struct template_value *dot, const struct term *x,
                           struct template_value *ret) {
    struct command_node c = {.terms = (struct term *)x, .n = 1};
    if (x->kind == TERM_NIL) {
        *ret = (struct template_value){.kind = TEMPLATE_NIL};
        return OK;
    }
    return eval_command(r, dot, &c, NULL, ret);
}

static void bind(struct run *r, struct str name, const struct template_value *v, bool assigns) {
    struct template_value *old = assigns ? find_variable(r, name) : NULL;
    if (old)
        *old = *v;
    else
        vec_push(&r->variables, (struct binding){name, *v});
}

/* Without the declarations: range gives them their values itself. */
static struct err commands(struct run *r, const struct template_value *dot, const struct pipe *p,
                           struct template_value *ret) {
    struct template_value v = {0}, before;
    for (const struct command_node *c = p->commands; c; c = c->next) {
        before = v;
        TRY(eval_command(r, dot, c, c == p->commands ? NULL : &before, &v));
    }
    *ret = v;
    return OK;
}

static struct err eval_pipe(struct run *r, const struct template_value *dot, const struct pipe *p,
                            struct template_value *ret) {
    struct template_value v;
    TRY(commands(r, dot, p, &v));
    for (size_t i = 0; i < p->declared_n; i++)
        bind(r, p->declared[i], &v, p->assigns);
    *ret = v;
    return OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static struct err walk(struct run *r, const struct template_value *dot, const struct node *n);

static struct err turn(struct run *r, const struct node *n, const struct template_value *key,
                       const struct template_value *value) {
    size_t scope = r->variables.n;
    const struct pipe *p = n->pipe;
    if (p->declared_n == 1)
        bind(r, p->declared[0], value, p->assigns);
    if (p->declared_n == 2) {
        bind(r, p->declared[0], key, p->assigns);
        bind(r, p->declared[1], value, p->assigns);
    }
    TRY(walk(r, value, n->body));
    r->variables.n = scope;
    if (r->jump == JUMP_CONTINUE)
        r->jump = JUMP_NONE;
    return OK;
}

static struct err range_int(struct run *r, const struct node *n, int64_t count) {
    for (int64_t i = 0; i < count && r->jump != JUMP_BREAK; i++) {
        struct template_value v = template_int(i);
        TRY(turn(r, n, &v, &v));
    }
    return OK;
}

static struct err range_over(struct run *r, const struct node *n, const struct template_value *v) {
    size_t count = template_len(v);
    struct template_value key, item;
    if (template_is_object(v)) {
        struct str *keys = template_keys(v, &r->arena, &count);
        for (size_t i = 0; i < count && r->jump != JUMP_BREAK; i++) {
            key = template_str(keys[i]);
            template_get(v, keys[i], &item);
            TRY(turn(r, n, &key, &item));
        }
        return OK;
    }
    for (size_t i = 0; i < count && r->jump != JUMP_BREAK; i++) {
        key = template_int((int64_t)i);
        item = template_at(v, i);
        TRY(turn(r, n, &key, &item));
    }
    return OK;
}

static struct err walk_range(struct run *r, const struct template_value *dot,
                             const struct node *n) {
    struct template_value v;
    size_t scope = r->variables.n;
    TRY(commands(r, dot, n->pipe, &v));
    if (v.kind == TEMPLATE_INT ? v.i <= 0 : !template_truth(&v)) {
        r->variables.n = scope;
        return walk(r, dot, n->otherwise);
    }
    if (v.kind == TEMPLATE_INT)
        TRY(range_int(r, n, v.i));
    else if (template_is_array(&v) || template_is_object(&v))
        TRY(range_over(r, n, &v));
    else {
        CLEAN_BUF struct buf text = {0};
        template_print(&v, &text);
        return fail_at(r, n->pipe->at, n->pipe->at, n->pipe->end,
                       err_new(ERR_INVALID, "range can't iterate over %s", buf_cstr(&text)));
    }
    if (r->jump == JUMP_BREAK)
        r->jump = JUMP_NONE;
    r->variables.n = scope;
    return OK;
}

static struct err walk_branch(struct run *r, const struct template_value *dot,
                              const struct node *n) {
    struct template_value v;
    size_t scope = r->variables.n;
    TRY(eval_pipe(r, dot, n->pipe, &v));
    if (template_truth(&v))
        TRY(walk(r, n->kind == NODE_WITH ? &v : dot, n->body));
    else
        TRY(walk(r, dot, n->otherwise));
    r->variables.n = scope;
    return OK;
}

static struct err walk_template(struct run *r, const struct template_value *dot,
                                const struct node *n) {
    const struct template_define *d = r->t->defines;
    struct template_value v = {0};
    while (d && !str_eq(d->name, n->text))
        d = d->next;
    if (!d)
        return fail_at(r, n->at, n->at, n->end,
                       err_new(ERR_INVALID, "template \"%.*s\" not defined", STR_ARG(n->text)));
    if (n->pipe)
        TRY(eval_pipe(r, dot, n->pipe, &v));
    if (r->depth >= TEMPLATE_DEPTH_MAX)
        return fail_at(
            r, n->at, n->at, n->end,
            err_new(ERR_INVALID, "exceeded maximum template depth (%d)", TEMPLATE_DEPTH_MAX));
    /* Its variables are its own, `$` is its argument. */
    struct str outer = r->executing;
    size_t scope = r->variables.n;
    vec_push(&r->variables, (struct binding){STR("$"), v});
    r->executing = d->name;
    r->depth++;
    TRY(walk(r, &v, d->body));
    r->depth--;
    r->executing = outer;
    r->variables.n = scope;
    return OK;
}

static struct err walk_node(struct run *r, const struct template_value *dot, const struct node *n) {
    struct template_value v;
    switch (n->kind) {
    case NODE_TEXT:
        buf_add_str(r->out, n->text);
        return OK;
    case NODE_ACTION:
        TRY(eval_pipe(r, dot, n->pipe, &v));
        if (n->pipe->declared_n == 0)
            template_print(&v, r->out);
        return OK;
    case NODE_IF:
    case NODE_WITH:
        return walk_branch(r, dot, n);
    case NODE_RANGE:
        return walk_range(r, dot, n);
    case NODE_TEMPLATE:
        return walk_template(r, dot, n);
    case NODE_BREAK:
        r->jump = JUMP_BREAK;
        return OK;
    case NODE_CONTINUE:
        r->jump = JUMP_CONTINUE;
        return OK;
    }
    return OK;
}

static struct err walk(struct run *r, const struct template_value *dot, const struct node *n) {
    struct template_value here = *dot; /* dot may lie in what a declaration moves */
    size_t at = n ? n->at : 0, end = n ? n->end : 0;
    do {
        if (++r->steps > TEMPLATE_STEPS_MAX || r->out->len - r->out_begin > TEMPLATE_OUT_MAX ||
            r->arena.total > TEMPLATE_OUT_MAX)
            return fail_at(r, at, at, end,
                           err_new(ERR_INVALID, "the template does not come to an end"));
        if (n)
            TRY(walk_node(r, &here, n));
    } while (n && (n = n->next) && r->jump == JUMP_NONE);
    return OK;
}

struct err template_run_with(const struct template *t, const struct template_func *instead,
                             size_t instead_n, const struct template_value *data, struct buf *out) {
    struct run r = {.t = t,
                    .instead = instead,
                    .instead_n = instead_n,
                    .out = out,
                    .out_begin = out->len,
                    .executing = str_of(t->name)};
    const struct template_define *self = t->defines;
    while (self->next)
        self = self->next;
    vec_push(&r.variables, (struct binding){STR("$"), *data});
    struct err e = walk(&r, data, self->body);
    vec_done(&r.variables);
    arena_done(&r.arena);
    return e;
}

struct err template_run(const struct template *t, const struct template_value *data,
                        struct buf *out) {
    return template_run_with(t, NULL, 0, data, out);
}
