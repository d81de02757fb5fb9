/* template_tree.h - tokens and tree of a parsed template; private to template*.c. */
#pragma once
#include "base/template.h"
#include "base/vec.h"
#include <stdlib.h>

enum token_kind {
    TOKEN_TEXT,
    TOKEN_CLOSE, /* }} */
    TOKEN_PIPE,
    TOKEN_LEFT,
    TOKEN_RIGHT,
    TOKEN_COMMA,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,  /* = */
    TOKEN_FIELD,   /* .name, text without the dot */
    TOKEN_DOT,
    TOKEN_VARIABLE, /* $name with its dollar */
    TOKEN_WORD,     /* a keyword or a function's name */
    TOKEN_NUMBER,
    TOKEN_STRING, /* quoted; text is the value */
    TOKEN_CHAR,
    TOKEN_END,
};
struct token {
    enum token_kind kind;
    bool spaced; /* white space before it */
    struct str text;
    size_t at, end; /* in the source */
};
struct tokens VEC_BODY(struct token);

struct template_define;
struct template {
    const char *name;
    struct str text;
    struct arena arena;
    struct tokens tokens;
    const struct template_func *more;
    size_t more_n;
    struct template_define *defines; /* the last is the template itself */
};

enum term_kind { TERM_DOT, TERM_NIL, TERM_VARIABLE, TERM_FUNCTION, TERM_CONSTANT, TERM_PIPE };
struct term {
    enum term_kind kind;
    struct str name; /* variable or function */
    const struct template_func *function;
    struct template_value value; /* constant */
    struct pipe *pipe;
    struct str *fields; /* what follows: .a.b */
    size_t fields_n;
    size_t at, end; /* source text */
    size_t where;   /* what errors name: Go's position of a chain is its second field */
};
struct command_node {
    struct term *terms;
    size_t n;
    struct command_node *next;
};
struct pipe {
    struct str declared[2];
    size_t declared_n;
    bool assigns;
    struct command_node *commands;
    size_t at, end;
};
enum node_kind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
};
struct node {
    enum node_kind kind;
    struct str text; /* of NODE_TEXT; name of NODE_TEMPLATE */
    struct pipe *pipe;
    struct node *body, *otherwise, *next;
    size_t at, end;
};
struct template_define {
    struct str name;
    struct node *body;
    struct template_define *next;
};

/* Source → tokens, in t->tokens. */
struct err template_lex(struct template *t);
/* "template: NAME:LINE:COLUMN: words" */
struct err template_fail(const struct template *t, size_t at, const char *fmt, ...) PRINTF(3, 4);
void template_where(const struct template *t, size_t at, size_t *ret_line, size_t *ret_column);
const struct template_func *template_builtin(struct str name);
/* and, or: evaluated by the walker, which stops early. */
bool template_is_lazy(const struct template_func *f);
/* Text of an object's or array's member as Go names kinds: "string", "int" … */
const char *template_kind_name(const struct template_value *v);
size_t template_len(const struct template_value *v);
/* Element i of an array; NONE when there is none. */
struct template_value template_at(const struct template_value *v, size_t i);
/* Value of key in a JSON object, with its schema's help; false: no such key. */
bool template_get(const struct template_value *v, struct str key, struct template_value *ret);
bool template_is_array(const struct template_value *v);
bool template_is_object(const struct template_value *v);
/* Keys of a JSON object, sorted. */
struct str *template_keys(const struct template_value *v, struct arena *a, size_t *ret_n);
/* Go's fmt.Sprintf. */
struct err template_printf(struct arena *a, const struct template_value *args, size_t n,
                           struct template_value *ret);
void template_double(double d, struct buf *out);
