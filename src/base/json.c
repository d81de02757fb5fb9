/* The tree of a document: parsing, look-ups, printing. */
#include "base/json.h"
#include "base/json_check.h"
#include "base/json_node.h"
#include <math.h>
#include <stdlib.h>

struct err json_parse(struct str text, struct json **ret_root) {
    size_t values;
    TRY(json_check(text, &values));
    return json_build(text, values, ret_root);
}

void json_free(struct json *root) {
    free(root);
}

void json_clean(struct json **root) {
    json_free(*root);
    *root = NULL;
}

enum json_type json_type(const struct json *j) {
    return j ? (enum json_type)j->type : JSON_NULL;
}

const char *json_type_name(enum json_type t) {
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    return names[t];
}

/* A null inside of a document is nothing. */
static struct json *inner(const struct json *j) {
    return j->type == JSON_NULL ? NULL : (struct json *)(uintptr_t)j;
}

struct json *json_get(const struct json *obj, const char *key) {
    size_t len = strlen(key);
    if (json_type(obj) == JSON_OBJECT)
        for (size_t i = 0; i < obj->len; i++)
            if (obj->items[i].key_len == len && !memcmp(obj->items[i].key, key, len))
                return inner(&obj->items[i]);
    return NULL;
}

size_t json_len(const struct json *j) {
    return json_type(j) == JSON_ARRAY || json_type(j) == JSON_OBJECT ? j->len : 0;
}

struct json *json_at(const struct json *arr, size_t i) {
    return json_type(arr) == JSON_ARRAY && i < arr->len ? inner(&arr->items[i]) : NULL;
}

bool json_each(const struct json *obj, struct json_iter *it) {
    if (json_type(obj) != JSON_OBJECT || it->next_ >= obj->len)
        return false;
    const struct json *m = &obj->items[it->next_++];
    it->key = str_n(m->key, m->key_len);
    it->value = inner(m);
    return true;
}

struct str json_str(const struct json *j) {
    return json_type(j) == JSON_STRING ? str_n(j->text, j->len) : STR_NONE;
}

bool json_bool(const struct json *j, bool otherwise) {
    return json_type(j) == JSON_BOOL ? j->b : otherwise;
}

bool json_i64(const struct json *j, int64_t *ret) {
    if (json_type(j) != JSON_INT || j->is_big)
        return false;
    *ret = j->i;
    return true;
}

bool json_u64(const struct json *j, uint64_t *ret) {
    if (json_type(j) != JSON_INT || (!j->is_big && j->i < 0))
        return false;
    *ret = j->u;
    return true;
}

bool json_double(const struct json *j, double *ret) {
    if (json_type(j) == JSON_INT)
        *ret = j->is_big ? (double)j->u : (double)j->i;
    else if (json_type(j) == JSON_DOUBLE)
        *ret = strtod(j->text, NULL);
    else
        return false;
    return isfinite(*ret);
}

static void print(const struct json *j, struct json_out *o);

static void print_members(const struct json *j, struct json_out *o) {
    struct json_iter it = {0};
    jo_obj(o);
    while (json_each(j, &it)) {
        jo_keys(o, it.key);
        print(it.value, o);
    }
    jo_obj_end(o);
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
static void print(const struct json *j, struct json_out *o) {
    switch (json_type(j)) {
    case JSON_NULL:
        jo_null(o);
        break;
    case JSON_BOOL:
        jo_bool(o, json_bool(j, false));
        break;
    case JSON_INT:
        if (j->is_big)
            jo_u64(o, j->u);
        else
            jo_i64(o, j->i);
        break;
    case JSON_DOUBLE:
        /* Its own text: exact, and 1e999, which no double can hold, stays what it was. */
        jo_raw(o, str_n(j->text, j->len));
        break;
    case JSON_STRING:
        jo_str(o, json_str(j));
        break;
    case JSON_ARRAY:
        jo_arr(o);
        for (size_t i = 0; i < json_len(j); i++)
            print(json_at(j, i), o);
        jo_arr_end(o);
        break;
    case JSON_OBJECT:
        print_members(j, o);
        break;
    }
}

void json_print(const struct json *j, struct buf *out) {
    struct json_out o = {.out = out};
    print(j, &o);
}
