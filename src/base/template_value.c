/* template_value.c - values: what they are made of, how they print. */
#include "base/template_tree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct template_value template_str(struct str s) {
    return (struct template_value){.kind = TEMPLATE_STR, .s = s};
}

struct template_value template_strz(const char *z) {
    return template_str(str_of(z));
}

struct template_value template_int(int64_t i) {
    return (struct template_value){.kind = TEMPLATE_INT, .i = i};
}

struct template_value template_bool(bool b) {
    return (struct template_value){.kind = TEMPLATE_BOOL, .b = b};
}

struct template_value template_json(const struct json *j) {
    struct template_value v = {0};
    switch (json_type(j)) {
    case JSON_NULL:
        break;
    case JSON_BOOL:
        return template_bool(json_bool(j, false));
    case JSON_INT:
        if (json_i64(j, &v.i))
            v.kind = TEMPLATE_INT;
        else if (json_u64(j, &v.u))
            v.kind = TEMPLATE_UINT;
        break;
    case JSON_DOUBLE:
        if (json_double(j, &v.d))
            v.kind = TEMPLATE_DOUBLE;
        break;
    case JSON_STRING:
        return template_str(json_str(j));
    case JSON_ARRAY:
    case JSON_OBJECT:
        v.kind = TEMPLATE_JSON;
        v.json = j;
        break;
    }
    return v;
}

bool template_is_array(const struct template_value *v) {
    return v->kind == TEMPLATE_LIST ||
           (v->kind == TEMPLATE_JSON && v->json && json_type(v->json) == JSON_ARRAY);
}

bool template_is_object(const struct template_value *v) {
    return v->kind == TEMPLATE_JSON && (!v->json || json_type(v->json) == JSON_OBJECT);
}

const char *template_kind_name(const struct template_value *v) {
    switch (v->kind) {
    case TEMPLATE_NONE:
    case TEMPLATE_NIL:
        return "nil";
    case TEMPLATE_BOOL:
        return "bool";
    case TEMPLATE_INT:
        return "int";
    case TEMPLATE_UINT:
        return "uint64";
    case TEMPLATE_DOUBLE:
        return "float64";
    case TEMPLATE_STR:
        return "string";
    case TEMPLATE_LIST:
        return "[]interface {}";
    case TEMPLATE_JSON:
        return template_is_array(v) ? "[]interface {}" : "map[string]interface {}";
    case TEMPLATE_VIEW:
    case TEMPLATE_HEADINGS:
        return v->view.type->name;
    }
    return "nil";
}

size_t template_len(const struct template_value *v) {
    switch (v->kind) {
    case TEMPLATE_STR:
        return v->s.len;
    case TEMPLATE_LIST:
        return v->list.n;
    case TEMPLATE_JSON:
        return json_len(v->json);
    default:
        return 0;
    }
}

/* What is known about a member or an element is handed on with it. */
static struct template_value below(const struct template_value *outer, const struct json *j,
                                   const void *type, const struct template_value *zero) {
    struct template_value v = template_json(j);
    if (v.kind == TEMPLATE_NONE && zero)
        v = *zero;
    v.schema = outer->schema;
    v.type = type;
    return v;
}

struct template_value template_at(const struct template_value *v, size_t i) {
    struct template_field f = {0};
    if (v->kind == TEMPLATE_LIST)
        return i < v->list.n ? v->list.items[i] : (struct template_value){0};
    if (v->schema && v->type)
        v->schema->element(v->type, &f);
    return below(v, json_at(v->json, i), f.type, NULL);
}

bool template_get(const struct template_value *v, struct str key, struct template_value *ret) {
    struct template_field f = {.key = key};
    bool known = v->schema && v->type && v->schema->member(v->type, key, &f);
    CLEAN_FREE char *z = str_dup(f.key);
    struct json *j = str_has_nul(f.key) ? NULL : json_get(v->json, z);
    if (!j && !known) {
        /* A null is a member, too. */
        struct json_iter it = {0};
        bool found = false;
        while (!found && json_each(v->json, &it))
            found = str_eq(it.key, key);
        if (!found) {
            *ret = f.zero;
            return false;
        }
    }
    *ret = below(v, j, f.type, known ? &f.zero : NULL);
    return true;
}

static int compare_keys(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct str *template_keys(const struct template_value *v, struct arena *a, size_t *ret_n) {
    struct json_iter it = {0};
    size_t n = 0;
    struct str *keys = arena_array(a, json_len(v->json) + 1, sizeof *keys);
    while (json_each(v->json, &it))
        keys[n++] = it.key;
    qsort(keys, n, sizeof *keys, compare_keys);
    *ret_n = n;
    return keys;
}

bool template_truth(const struct template_value *v) {
    switch (v->kind) {
    case TEMPLATE_NONE:
    case TEMPLATE_NIL:
        return false;
    case TEMPLATE_BOOL:
        return v->b;
    case TEMPLATE_INT:
        return v->i != 0;
    case TEMPLATE_UINT:
        return v->u != 0;
    case TEMPLATE_DOUBLE:
        return v->d != 0;
    case TEMPLATE_VIEW:
    case TEMPLATE_HEADINGS:
        return true;
    default:
        return template_len(v) > 0;
    }
}

/* The shortest digits that give d again, as %v: exponents below -4 and from 21 on are written. */
void template_double(double d, struct buf *out) {
    char text[40];
    if (isnan(d) || isinf(d)) {
        buf_adds(out, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
        return;
    }
    int digits = 0;
    do
        snprintf(text, sizeof text, "%.*e", digits, d);
    while (digits++ < 17 && strtod(text, NULL) != d);
    char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent < -4 || exponent >= 21) {
        buf_adds(out, text);
        return;
    }
    char plain[64];
    snprintf(plain, sizeof plain, "%.*f", MAX(digits - 1 - exponent, 0), d);
    buf_adds(out, plain);
}

static void print(const struct template_value *v, struct buf *out, int depth);

static void print_json_value(const struct template_value *v, struct buf *out, int depth) {
    CLEAN_ARENA struct arena a = {0};
    size_t n = template_len(v);
    if (depth > JSON_DEPTH_MAX)
        return;
    if (template_is_array(v)) {
        buf_addc(out, '[');
        for (size_t i = 0; i < n; i++) {
            struct template_value item = template_at(v, i);
            buf_adds(out, i ? " " : "");
            print(&item, out, depth + 1);
        }
        buf_addc(out, ']');
        return;
    }
    struct str *keys = template_keys(v, &a, &n);
    struct template_field f = {0};
    if (v->schema && v->type)
        v->schema->element(v->type, &f);
    buf_adds(out, "map[");
    for (size_t i = 0; i < n; i++) {
        struct template_value item;
        template_get(v, keys[i], &item);
        buf_adds(out, i ? " " : "");
        buf_add_str(out, keys[i]);
        buf_addc(out, ':');
        if (f.is_unit && item.kind == TEMPLATE_JSON)
            buf_adds(out, "{}");
        else
            print(&item, out, depth + 1);
    }
    buf_addc(out, ']');
}

static void print_view(const struct template_value *v, struct buf *out, int depth) {
    CLEAN_ARENA struct arena a = {0};
    const struct template_type *t = v->view.type;
    buf_addc(out, '{');
    for (size_t i = 0, n = 0; i < t->members_n; i++) {
        struct template_value item = {0};
        if (t->members[i].args_max)
            continue;
        struct err e = t->members[i].get(v->view.self, &a, NULL, 0, &item);
        buf_adds(out, n++ ? " " : "");
        if (err_failed(e))
            buf_adds(out, err_msg(e));
        else
            print(&item, out, depth + 1);
        err_free(e);
    }
    buf_addc(out, '}');
}

static void print(const struct template_value *v, struct buf *out, int depth) {
    switch (v->kind) {
    case TEMPLATE_NONE:
        buf_adds(out, depth ? "<nil>" : "<no value>");
        break;
    case TEMPLATE_NIL:
        buf_adds(out, "<nil>");
        break;
    case TEMPLATE_BOOL:
        buf_adds(out, v->b ? "true" : "false");
        break;
    case TEMPLATE_INT:
        buf_add_i64(out, v->i);
        break;
    case TEMPLATE_UINT:
        buf_add_u64(out, v->u);
        break;
    case TEMPLATE_DOUBLE:
        template_double(v->d, out);
        break;
    case TEMPLATE_STR:
        buf_add_str(out, v->s);
        break;
    case TEMPLATE_LIST:
    case TEMPLATE_JSON:
        print_json_value(v, out, depth);
        break;
    case TEMPLATE_VIEW:
        print_view(v, out, depth);
        break;
    case TEMPLATE_HEADINGS:
        break;
    }
}

void template_print(const struct template_value *v, struct buf *out) {
    print(v, out, 0);
}

static int compare_members(const void *a, const void *b) {
    return strcmp((*(const struct template_member *const *)a)->name,
                  (*(const struct template_member *const *)b)->name);
}

/* As Go's json.Marshal, which docker's views call, writes what means something in HTML. */
static void escape_html(struct buf *out, size_t from) {
    CLEAN_BUF struct buf text = {0};
    buf_add(&text, out->data + from, out->len - from);
    buf_truncate(out, from);
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.data[i];
        if (ch == '<' || ch == '>' || ch == '&')
            buf_addf(out, "\\u%04x", (unsigned)ch);
        else
            buf_addc(out, ch);
    }
}

/* Members sorted by name, as docker's views do. */
static struct err view_json(const struct template_value *v, struct arena *a, struct buf *out) {
    const struct template_type *t = v->view.type;
    const struct template_member **sorted = arena_array(a, t->members_n + 1, sizeof *sorted);
    size_t n = 0, from = out->len;
    for (size_t i = 0; i < t->members_n; i++)
        if (!t->members[i].args_max)
            sorted[n++] = &t->members[i];
    qsort(sorted, n, sizeof *sorted, compare_members);
    buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        struct template_value item = {0};
        TRY(sorted[i]->get(v->view.self, a, NULL, 0, &item));
        buf_adds(out, i ? "," : "");
        json_quote(out, str_of(sorted[i]->name));
        buf_addc(out, ':');
        TRY(template_print_json(&item, a, out));
    }
    buf_addc(out, '}');
    escape_html(out, from);
    return OK;
}

struct err template_print_json(const struct template_value *v, struct arena *a, struct buf *out) {
    switch (v->kind) {
    case TEMPLATE_NONE:
    case TEMPLATE_NIL:
        buf_adds(out, "null");
        break;
    case TEMPLATE_STR:
        json_quote(out, v->s);
        break;
    case TEMPLATE_LIST:
        if (!v->list.items) { /* a slice that is nil */
            buf_adds(out, "null");
            break;
        }
        buf_addc(out, '[');
        for (size_t i = 0; i < v->list.n; i++) {
            buf_adds(out, i ? "," : "");
            TRY(template_print_json(&v->list.items[i], a, out));
        }
        buf_addc(out, ']');
        break;
    case TEMPLATE_JSON:
        if (v->json)
            json_print(v->json, out);
        else
            buf_adds(out, "{}");
        break;
    case TEMPLATE_VIEW:
        return view_json(v, a, out);
    default:
        print(v, out, 0);
    }
    return OK;
}
