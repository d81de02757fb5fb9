/* template_func.c - the built-in functions: Go's and docker's. */
#include "base/template_tree.h"
#include <stdio.h>

typedef const struct template_value *args;

static struct template_value owned(struct arena *a, const struct buf *b) {
    return template_str(str_n(arena_str(a, buf_str(b)), b->len));
}

static struct err want_str(args v, const char *what, struct str *ret) {
    if (v->kind != TEMPLATE_STR)
        return err_new(ERR_INVALID, "wrong type for %s; expected string; got %s", what,
                       template_kind_name(v));
    *ret = v->s;
    return OK;
}

static struct err want_int(args v, const char *what, int64_t *ret) {
    if (v->kind != TEMPLATE_INT)
        return err_new(ERR_INVALID, "wrong type for %s; expected int; got %s", what,
                       template_kind_name(v));
    *ret = v->i;
    return OK;
}

/* --- comparison ------------------------------------------------------------------------------- */

enum class { CLASS_NIL, CLASS_BOOL, CLASS_INT, CLASS_DOUBLE, CLASS_STR, CLASS_OTHER };

static enum class class_of(args v) {
    switch (v->kind){
        case TEMPLATE_NONE : case TEMPLATE_NIL : return CLASS_NIL;
        case TEMPLATE_BOOL : return CLASS_BOOL;
        case TEMPLATE_INT : case TEMPLATE_UINT : return CLASS_INT;
        case TEMPLATE_DOUBLE : return CLASS_DOUBLE;
        case TEMPLATE_STR : return CLASS_STR;
        default : return CLASS_OTHER;
    }
}

static int order_ints(args a, args b) {
    if (a->kind == b->kind)
        return a->kind == TEMPLATE_INT ? (a->i > b->i) - (a->i < b->i)
                                       : (a->u > b->u) - (a->u < b->u);
    return a->kind == TEMPLATE_INT ? -1 : 1; /* UINT is beyond every INT */
}

static struct err equal(args a, args b, bool *ret) {
    enum class x = class_of(a), y = class_of(b);
    if (x == CLASS_OTHER || y == CLASS_OTHER)
        return err_new(ERR_INVALID, "non-comparable type %s",
                       template_kind_name(x == CLASS_OTHER ? a : b));
    if (x == CLASS_NIL || y == CLASS_NIL) {
        *ret = x == y;
        return OK;
    }
    if (x != y)
        return err_new(ERR_INVALID, "incompatible types for comparison");
    *ret = x == CLASS_BOOL  ? a->b == b->b
           : x == CLASS_INT ? order_ints(a, b) == 0
           : x == CLASS_STR ? str_eq(a->s, b->s)
                            : a->d == b->d;
    return OK;
}

static struct err less(args a, args b, bool *ret) {
    enum class x = class_of(a), y = class_of(b);
    if (x == CLASS_BOOL || x == CLASS_NIL || x == CLASS_OTHER)
        return err_new(ERR_INVALID, "invalid type for comparison");
    if (x != y)
        return err_new(ERR_INVALID, "incompatible types for comparison");
    *ret = x == CLASS_INT   ? order_ints(a, b) < 0
           : x == CLASS_STR ? str_cmp(a->s, b->s) < 0
                            : a->d < b->d;
    return OK;
}

static struct err f_eq(struct arena *a UNUSED, args v, size_t n, struct template_value *ret) {
    bool same = false;
    for (size_t i = 1; i < n && !same; i++)
        TRY(equal(&v[0], &v[i], &same));
    *ret = template_bool(same);
    return OK;
}

static struct err f_ne(struct arena *a UNUSED, args v, size_t n UNUSED,
                       struct template_value *ret) {
    bool same = false;
    TRY(equal(&v[0], &v[1], &same));
    *ret = template_bool(!same);
    return OK;
}

static struct err f_lt(struct arena *a UNUSED, args v, size_t n UNUSED,
                       struct template_value *ret) {
    bool is = false;
    TRY(less(&v[0], &v[1], &is));
    *ret = template_bool(is);
    return OK;
}

static struct err f_le(struct arena *a UNUSED, args v, size_t n UNUSED,
                       struct template_value *ret) {
    bool is = false, same = false;
    TRY(less(&v[0], &v[1], &is));
    TRY(equal(&v[0], &v[1], &same));
    *ret = template_bool(is || same);
    return OK;
}

static struct err f_gt(struct arena *a, args v, size_t n, struct template_value *ret) {
    TRY(f_le(a, v, n, ret));
    ret->b = !ret->b;
    return OK;
}

static struct err f_ge(struct arena *a, args v, size_t n, struct template_value *ret) {
    TRY(f_lt(a, v, n, ret));
    ret->b = !ret->b;
    return OK;
}

static struct err f_not(struct arena *a UNUSED, args v, size_t n UNUSED,
                        struct template_value *ret) {
    *ret = template_bool(!template_truth(v));
    return OK;
}

/* Never called: the walker stops at the first value that decides. */
static struct err f_lazy(struct arena *a UNUSED, args v, size_t n UNUSED,
                         struct template_value *ret) {
    *ret = *v;
    return OK;
}

/* --- index, slice, len ------------------------------------------------------------------------ */

static struct err index_one(args v, args key, struct template_value *ret) {
    int64_t i;
    struct str name;
    if (v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL)
        return err_new(ERR_INVALID, "index of untyped nil");
    if (template_is_object(v)) {
        if (key->kind != TEMPLATE_STR)
            return err_new(ERR_INVALID, "value has type %s; should be string",
                           template_kind_name(key));
        name = key->s;
        struct template_value item;
        if (!template_get(v, name, &item)) {
            struct template_field f = {0};
            if (v->schema && v->type)
                v->schema->element(v->type, &f);
            item = f.zero;
        }
        *ret = item;
        return OK;
    }
    if (!template_is_array(v) && v->kind != TEMPLATE_STR)
        return err_new(ERR_INVALID, "can't index item of type %s", template_kind_name(v));
    if (key->kind != TEMPLATE_INT)
        return err_new(ERR_INVALID, "cannot index slice/array with type %s",
                       template_kind_name(key));
    i = key->i;
    if (i < 0 || (size_t)i >= template_len(v))
        return err_new(ERR_INVALID, "index out of range: %lld", (long long)i);
    *ret = v->kind == TEMPLATE_STR ? template_int((unsigned char)v->s.p[i])
                                   : template_at(v, (size_t)i);
    return OK;
}

static struct err f_index(struct arena *a UNUSED, args v, size_t n, struct template_value *ret) {
    struct template_value here = v[0];
    for (size_t i = 1; i < n; i++) {
        struct template_value outer = here;
        TRY(index_one(&outer, &v[i], &here));
    }
    *ret = here;
    return OK;
}

static struct err f_slice(struct arena *a, args v, size_t n, struct template_value *ret) {
    int64_t len = (int64_t)template_len(v), bounds[2] = {0, len}, i = 0;
    if (v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL)
        return err_new(ERR_INVALID, "slice of untyped nil");
    if (v->kind != TEMPLATE_STR && !template_is_array(v))
        return err_new(ERR_INVALID, "can't slice item of type %s", template_kind_name(v));
    if (n > 3 && v->kind == TEMPLATE_STR)
        return err_new(ERR_INVALID, "cannot 3-index slice a string");
    for (size_t k = 1; k < n; k++) {
        TRY(want_int(&v[k], "slice index", &i));
        if (i < 0 || i > len)
            return err_new(ERR_INVALID, "index out of range: %lld", (long long)i);
        if (k < 3)
            bounds[k - 1] = i;
        else if (i < bounds[1])
            return err_new(ERR_INVALID, "invalid slice index: %lld > %lld", (long long)bounds[1],
                           (long long)i);
    }
    if (bounds[0] > bounds[1])
        return err_new(ERR_INVALID, "invalid slice index: %lld > %lld", (long long)bounds[0],
                       (long long)bounds[1]);
    if (v->kind == TEMPLATE_STR) {
        *ret = template_str(str_sub(v->s, (size_t)bounds[0], (size_t)bounds[1]));
        return OK;
    }
    size_t count = (size_t)(bounds[1] - bounds[0]);
    struct template_value *items = arena_array(a, count + 1, sizeof *items);
    for (size_t k = 0; k < count; k++)
        items[k] = template_at(v, (size_t)bounds[0] + k);
    *ret = (struct template_value){.kind = TEMPLATE_LIST, .list = {items, count}};
    return OK;
}

static struct err f_len(struct arena *a UNUSED, args v, size_t n UNUSED,
                        struct template_value *ret) {
    if (v->kind == TEMPLATE_NONE || v->kind == TEMPLATE_NIL)
        return err_new(ERR_INVALID, "len of nil pointer");
    if (v->kind != TEMPLATE_STR && v->kind != TEMPLATE_LIST && v->kind != TEMPLATE_JSON)
        return err_new(ERR_INVALID, "len of type %s", template_kind_name(v));
    *ret = template_int((int64_t)template_len(v));
    return OK;
}

/* --- print, println, escapes ------------------------------------------------------------------ */

/* As an operand of print: no value is "<nil>". */
static void print_operand(args v, struct buf *out) {
    if (v->kind == TEMPLATE_NONE)
        buf_adds(out, "<nil>");
    else
        template_print(v, out);
}

static void print_all(args v, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && v[i].kind != TEMPLATE_STR && v[i - 1].kind != TEMPLATE_STR)
            buf_addc(out, ' ');
        print_operand(&v[i], out);
    }
}

static struct err f_print(struct arena *a, args v, size_t n, struct template_value *ret) {
    CLEAN_BUF struct buf out = {0};
    print_all(v, n, &out);
    *ret = owned(a, &out);
    return OK;
}

static struct err f_println(struct arena *a, args v, size_t n, struct template_value *ret) {
    CLEAN_BUF struct buf out = {0};
    for (size_t i = 0; i < n; i++) {
        buf_adds(&out, i ? " " : "");
        print_operand(&v[i], &out);
    }
    buf_addc(&out, '\n');
    *ret = owned(a, &out);
    return OK;
}

static struct err f_html(struct arena *a, args v, size_t n, struct template_value *ret) {
    CLEAN_BUF struct buf in = {0}, out = {0};
    print_all(v, n, &in);
    for (size_t i = 0; i < in.len; i++) {
        const char *with = in.data[i] == '"'    ? "&#34;"
                           : in.data[i] == '\'' ? "&#39;"
                           : in.data[i] == '&'  ? "&amp;"
                           : in.data[i] == '<'  ? "&lt;"
                           : in.data[i] == '>'  ? "&gt;"
                           : in.data[i] == '\0' ? "\xef\xbf\xbd"
                                                : NULL;
        if (with)
            buf_adds(&out, with);
        else
            buf_addc(&out, in.data[i]);
    }
    *ret = owned(a, &out);
    return OK;
}

static struct err f_js(struct arena *a, args v, size_t n, struct template_value *ret) {
    CLEAN_BUF struct buf in = {0}, out = {0};
    print_all(v, n, &in);
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.data[i];
        if (c == '\\' || c == '\'' || c == '"')
            buf_addf(&out, "\\%c", c);
        else if (c < 0x20 || (strchr("<>&=", c) && c))
            buf_addf(&out, "\\u%04X", c);
        else
            buf_addc(&out, (char)c);
    }
    *ret = owned(a, &out);
    return OK;
}

static struct err f_urlquery(struct arena *a, args v, size_t n, struct template_value *ret) {
    CLEAN_BUF struct buf in = {0}, out = {0};
    print_all(v, n, &in);
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr("-_.~", c));
        if (plain)
            buf_addc(&out, (char)c);
        else if (c == ' ')
            buf_addc(&out, '+');
        else
            buf_addf(&out, "%%%02X", c);
    }
    *ret = owned(a, &out);
    return OK;
}

/* --- docker's --------------------------------------------------------------------------------- */

static struct err f_json(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    CLEAN_BUF struct buf out = {0};
    TRY(template_print_json(v, a, &out));
    *ret = owned(a, &out);
    return OK;
}

static struct err f_join(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    CLEAN_BUF struct buf out = {0};
    struct str between = {0};
    TRY(want_str(&v[1], "separator", &between));
    if (v->kind != TEMPLATE_NONE && v->kind != TEMPLATE_NIL && !template_is_array(v))
        return err_new(ERR_INVALID, "expected slice, got %s", template_kind_name(v));
    for (size_t i = 0; i < template_len(v); i++) {
        struct template_value item = template_at(v, i);
        if (i > 0)
            buf_add_str(&out, between);
        print_operand(&item, &out);
    }
    *ret = owned(a, &out);
    return OK;
}

static struct err f_split(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    struct str s = {0}, by = {0};
    TRY(want_str(&v[0], "value", &s));
    TRY(want_str(&v[1], "separator", &by));
    VEC(struct template_value) parts = {0};
    for (ssize_t at; by.len && (at = str_find_str(s, by)) >= 0;
         s = str_from(s, (size_t)at + by.len))
        vec_push(&parts, template_str(str_sub(s, 0, (size_t)at)));
    for (size_t at; !by.len && s.len > 0; s = str_from(s, at)) {
        at = MAX(str_utf8_len(s), (size_t)1);
        vec_push(&parts, template_str(str_sub(s, 0, at)));
    }
    if (by.len)
        vec_push(&parts, template_str(s));
    struct template_value *items = arena_array(a, parts.n + 1, sizeof *items);
    if (parts.n > 0)
        memcpy(items, parts.items, parts.n * sizeof *items);
    *ret = (struct template_value){.kind = TEMPLATE_LIST, .list = {items, parts.n}};
    vec_done(&parts);
    return OK;
}

enum letters { LETTERS_LOWER, LETTERS_UPPER, LETTERS_TITLE };

/* ASCII letters; others stay as they are. */
static struct err change_case(struct arena *a, args v, enum letters how,
                              struct template_value *ret) {
    struct str s = {0};
    TRY(want_str(v, "value", &s));
    char *out = arena_alloc(a, s.len + 1);
    bool inside = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
        bool raise = how == LETTERS_UPPER || (how == LETTERS_TITLE && !inside);
        out[i] = lower && raise                  ? (char)(c - 32)
                 : upper && how == LETTERS_LOWER ? (char)(c + 32)
                                                 : c;
        inside = lower || upper || (c >= '0' && c <= '9') || c == '_' || c == '\'' ||
                 (unsigned char)c >= 0x80;
    }
    *ret = template_str(str_n(out, s.len));
    return OK;
}

static struct err f_lower(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    return change_case(a, v, LETTERS_LOWER, ret);
}

static struct err f_upper(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    return change_case(a, v, LETTERS_UPPER, ret);
}

static struct err f_title(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    return change_case(a, v, LETTERS_TITLE, ret);
}

#define PAD_MAX 65536

static struct err f_pad(struct arena *a, args v, size_t n UNUSED, struct template_value *ret) {
    struct str s = {0};
    int64_t before = 0, after = 0;
    TRY(want_str(&v[0], "value", &s));
    TRY(want_int(&v[1], "prefix", &before));
    TRY(want_int(&v[2], "suffix", &after));
    if (before < 0 || after < 0 || before > PAD_MAX || after > PAD_MAX)
        return err_new(ERR_INVALID, "pad: 0 to %d", PAD_MAX);
    CLEAN_BUF struct buf out = {0};
    if (s.len > 0)
        buf_addf(&out, "%*s%.*s%*s", (int)before, "", STR_ARG(s), (int)after, "");
    *ret = owned(a, &out);
    return OK;
}

static struct err f_truncate(struct arena *a UNUSED, args v, size_t n UNUSED,
                             struct template_value *ret) {
    struct str s = {0};
    int64_t len = 0;
    TRY(want_str(&v[0], "value", &s));
    TRY(want_int(&v[1], "length", &len));
    if (len < 0)
        return err_new(ERR_INVALID, "slice bounds out of range [:%lld]", (long long)len);
    *ret = template_str(str_sub(s, 0, (size_t)len));
    return OK;
}

static const struct template_func builtins[] = {
    {"and", 1, -1, f_lazy},
    {"or", 1, -1, f_lazy},
    {"not", 1, 1, f_not},
    {"eq", 2, -1, f_eq},
    {"ne", 2, 2, f_ne},
    {"lt", 2, 2, f_lt},
    {"le", 2, 2, f_le},
    {"gt", 2, 2, f_gt},
    {"ge", 2, 2, f_ge},
    {"index", 1, -1, f_index},
    {"slice", 1, 4, f_slice},
    {"len", 1, 1, f_len},
    {"print", 0, -1, f_print},
    {"println", 0, -1, f_println},
    {"printf", 1, -1, template_printf},
    {"html", 0, -1, f_html},
    {"js", 0, -1, f_js},
    {"urlquery", 0, -1, f_urlquery},
    {"json", 1, 1, f_json},
    {"join", 2, 2, f_join},
    {"split", 2, 2, f_split},
    {"lower", 1, 1, f_lower},
    {"upper", 1, 1, f_upper},
    {"title", 1, 1, f_title},
    {"pad", 3, 3, f_pad},
    {"truncate", 2, 2, f_truncate},
};

const struct template_func *template_builtin(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
        if (str_eqz(name, builtins[i].name))
            return &builtins[i];
    return NULL;
}

bool template_is_lazy(const struct template_func *f) {
    return f->call == f_lazy;
}
