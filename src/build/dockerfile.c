/* build/dockerfile.c - instruction lines to nodes. */
#include "build/dockerfile.h"
#include "build/heredoc.h"
#include "build/lines.h"
#include "build/words.h"
#include <stdlib.h>

/* How the arguments of an instruction are split. */
enum form {
    FORM_NONE,       /* unknown instruction: not looked at */
    FORM_ONE,        /* the rest of the line */
    FORM_WORDS,      /* words */
    FORM_JSON_ONE,   /* JSON array or the rest of the line */
    FORM_JSON_WORDS, /* JSON array or words */
    FORM_PAIRS,      /* k=v …, or the legacy "k v" */
    FORM_QUOTED,     /* words with quotes */
    FORM_HEALTH,     /* a word, then JSON array or the rest of the line */
    FORM_SUB,        /* another instruction */
};
static const struct {
    const char *name;
    enum form form;
} instructions[I_COUNT] = {
    [I_UNKNOWN] = {"", FORM_NONE},        [I_ADD] = {"ADD", FORM_JSON_WORDS},
    [I_ARG] = {"ARG", FORM_QUOTED},       [I_CMD] = {"CMD", FORM_JSON_ONE},
    [I_COPY] = {"COPY", FORM_JSON_WORDS}, [I_ENTRYPOINT] = {"ENTRYPOINT", FORM_JSON_ONE},
    [I_ENV] = {"ENV", FORM_PAIRS},        [I_EXPOSE] = {"EXPOSE", FORM_WORDS},
    [I_FROM] = {"FROM", FORM_WORDS},      [I_HEALTHCHECK] = {"HEALTHCHECK", FORM_HEALTH},
    [I_LABEL] = {"LABEL", FORM_PAIRS},    [I_MAINTAINER] = {"MAINTAINER", FORM_ONE},
    [I_ONBUILD] = {"ONBUILD", FORM_SUB},  [I_RUN] = {"RUN", FORM_JSON_ONE},
    [I_SHELL] = {"SHELL", FORM_JSON_ONE}, [I_STOPSIGNAL] = {"STOPSIGNAL", FORM_ONE},
    [I_USER] = {"USER", FORM_ONE},        [I_VOLUME] = {"VOLUME", FORM_JSON_WORDS},
    [I_WORKDIR] = {"WORKDIR", FORM_ONE},
};

const char *instruction_name(enum instruction kind) {
    return instructions[kind].name;
}

enum instruction instruction_find(struct str word) {
    for (enum instruction i = I_UNKNOWN + 1; i < I_COUNT; i++)
        if (str_eq_nocase(word, str_of(instructions[i].name)))
            return i;
    return I_UNKNOWN;
}

struct parser {
    struct dockerfile *file;
    struct arena *arena;
    char escape;
};

static struct err node_parse(struct parser *p, struct node *n, unsigned depth);

static struct err json_or(struct parser *p, struct node *n, size_t at, bool list,
                          struct words *ret) {
    switch (words_json(n->text, at, p->arena, ret)) {
    case WORDS_JSON:
        n->json = true;
        return OK;
    case WORDS_JSON_NOT_STRINGS:
        return dockerfile_error(
            p->file, n, at,
            "when using JSON array syntax, arrays must be comprised of strings only");
    case WORDS_NOT_JSON:
        break;
    }
    if (list)
        words_plain(n->text, at, p->arena, ret);
    else
        words_one(n->text, at, p->arena, ret);
    return OK;
}

/* The pairs as rows of three: name, value, "=" (or "" for the legacy form). */
static void pair_add(struct parser *p, struct node *n, struct str k, struct str v, const char *sep,
                     size_t at) {
    n->args.items[n->args.n++] = (struct word){arena_str(p->arena, k), at, k.len};
    n->args.items[n->args.n++] = (struct word){arena_str(p->arena, v), at, v.len};
    n->args.items[n->args.n++] = (struct word){arena_strz(p->arena, sep), at, strlen(sep)};
}

static struct err pairs_legacy(struct parser *p, struct node *n, size_t at) {
    struct str rest = str_trim(str_from(n->text, at));
    size_t i = 0;
    while (i < rest.len && !word_space(rest.p[i]))
        i++;
    struct str value = str_trim(str_from(rest, i));
    if (value.len == 0)
        return dockerfile_error(p->file, n, at, "%s must have two arguments",
                                instruction_name(n->kind));
    n->args.items = arena_array(p->arena, 3, sizeof(struct word));
    pair_add(p, n, str_sub(rest, 0, i), value, "", at);
    return OK;
}

static struct err pairs(struct parser *p, struct node *n, size_t at) {
    struct words w;
    words_quoted(n->text, at, p->escape, p->arena, &w);
    if (w.n == 0)
        return OK;
    if (!strchr(w.items[0].text, '='))
        return pairs_legacy(p, n, at);
    n->args.items = arena_array(p->arena, w.n * 3, sizeof(struct word));
    for (size_t i = 0; i < w.n; i++) {
        struct str k, v;
        if (!str_cut(str_of(w.items[i].text), '=', &k, &v))
            return dockerfile_error(p->file, n, w.items[i].at,
                                    "can't find = in \"%s\": it must be of the form name=value",
                                    w.items[i].text);
        pair_add(p, n, k, v, "=", w.items[i].at);
    }
    return OK;
}

static struct err health(struct parser *p, struct node *n, size_t at) {
    struct words first = {0}, rest = {0};
    while (at < n->text.len && word_space(n->text.p[at]))
        at++;
    size_t end = at;
    while (end < n->text.len && !word_space(n->text.p[end]))
        end++;
    if (end == at)
        return OK;
    words_one(str_sub(n->text, 0, end), at, p->arena, &first);
    TRY(json_or(p, n, end, false, &rest));
    n->args.n = 1 + rest.n;
    n->args.items = arena_array(p->arena, n->args.n, sizeof(struct word));
    n->args.items[0] = first.items[0];
    if (rest.n)
        memcpy(n->args.items + 1, rest.items, rest.n * sizeof(struct word));
    return OK;
}

static struct err sub(struct parser *p, struct node *n, size_t at, unsigned depth) {
    while (at < n->text.len && word_space(n->text.p[at]))
        at++;
    if (at == n->text.len)
        return OK;
    /* ONBUILD ONBUILD is refused later, with a position; here it only must not nest without end. */
    if (depth > 8)
        return dockerfile_error(p->file, n, at, "ONBUILD nests too deep");
    struct node *s = arena_alloc(p->arena, sizeof(*s));
    *s = (struct node){.text = str_from(n->text, at),
                       .text_base = n->text_base + at,
                       .pieces = n->pieces,
                       .pieces_n = n->pieces_n,
                       .line = n->line,
                       .last_line = n->last_line};
    TRY(node_parse(p, s, depth + 1));
    n->sub = s;
    return OK;
}

static struct err node_args(struct parser *p, struct node *n, size_t at, unsigned depth) {
    switch (instructions[n->kind].form) {
    case FORM_NONE:
        return OK;
    case FORM_ONE:
        words_one(n->text, at, p->arena, &n->args);
        return OK;
    case FORM_WORDS:
        words_plain(n->text, at, p->arena, &n->args);
        return OK;
    case FORM_JSON_ONE:
        return json_or(p, n, at, false, &n->args);
    case FORM_JSON_WORDS:
        return json_or(p, n, at, true, &n->args);
    case FORM_PAIRS:
        return pairs(p, n, at);
    case FORM_QUOTED:
        words_quoted(n->text, at, p->escape, p->arena, &n->args);
        return OK;
    case FORM_HEALTH:
        return health(p, n, at);
    case FORM_SUB:
        return sub(p, n, at, depth);
    }
    return OK;
}

static struct err node_parse(struct parser *p, struct node *n, unsigned depth) {
    size_t start = 0;
    while (start < n->text.len && word_space(n->text.p[start]))
        start++;
    size_t at = start;
    while (at < n->text.len && !word_space(n->text.p[at]))
        at++;
    struct str name = str_sub(n->text, start, at);
    n->name = arena_str(p->arena, name);
    n->kind = instruction_find(name);
    words_flags(n->text, &at, p->escape, p->arena, &n->flags);
    return node_args(p, n, at, depth);
}

struct nodes VEC_BODY(struct node *);
static void nodes_free(struct nodes *v) {
    vec_done(v);
}

static struct err parse_all(struct parser *p, struct lines *l, struct nodes *out) {
    for (;;) {
        struct logical line;
        bool more;
        TRY(lines_next(l, &line, &more));
        if (!more)
            return OK;
        p->escape = l->escape;
        struct node *n = arena_alloc(p->arena, sizeof(*n));
        *n = (struct node){.text = line.text,
                           .pieces = line.pieces,
                           .pieces_n = line.pieces_n,
                           .line = line.line,
                           .last_line = line.last_line};
        TRY(node_parse(p, n, 0));
        TRY(heredocs_read(l, n));
        n->last_line = l->line;
        vec_push(out, n);
    }
}

struct err dockerfile_parse(struct str source, const char *name, struct arena *a,
                            struct dockerfile **ret) {
    if (source.len > DOCKERFILE_SIZE_MAX)
        return err_new(ERR_INVALID, "%s: larger than %u bytes", name, DOCKERFILE_SIZE_MAX);
    if (str_has_nul(source))
        return err_new(ERR_INVALID, "%s: is not a text file (it has a NUL byte)", name);
    struct dockerfile *f = arena_alloc(a, sizeof(*f));
    f->name = name;
    f->source = source;
    struct lines l;
    lines_init(&l, f, a);
    struct parser p = {.file = f, .arena = a, .escape = '\\'};
    OWN(nodes_free) struct nodes nodes = {0};
    TRY(parse_all(&p, &l, &nodes));
    if (nodes.n == 0)
        return err_new(ERR_INVALID, "%s: file with no instructions", name);
    f->n = nodes.n;
    f->nodes = arena_array(a, nodes.n, sizeof(struct node *));
    memcpy(f->nodes, nodes.items, nodes.n * sizeof(struct node *));
    f->escape = l.escape;
    f->syntax = l.syntax;
    f->check = l.check;
    *ret = f;
    return OK;
}
