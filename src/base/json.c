/* json-c's types are called as our functions are; they are used nowhere else, so they give way. */
#define json_bool jsonc_bool
#define json_type jsonc_type
#include <json-c/json.h>
#undef json_bool
#undef json_type

#include "base/json.h"
#include "base/json_check.h"
#include <math.h>

/* A struct json is a json-c object; the cast is the whole mapping. JSON null is NULL in json-c. */
static struct json_object *node(const struct json *j) {
    return (struct json_object *)(uintptr_t)j;
}
static struct json *wrap(struct json_object *o) {
    return (struct json *)o;
}

static void tokener_clean(struct json_tokener **t) {
    if (*t)
        json_tokener_free(*t);
}

struct err json_parse(struct str text, struct json **ret_root) {
    /* json-c is lenient (NaN, comments, control characters, leading zeros, one value after
     * another); the grammar is checked first, so that it only ever sees RFC 8259. */
    TRY(json_check(text));
    if (text.len > INT32_MAX)
        return err_new(ERR_INVALID, "JSON text is too long");
    OWN(tokener_clean) struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    if (!t)
        return err_new(ERR_SYSTEM, "no memory for a JSON parser");
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(t, text.p, (int)text.len);
    enum json_tokener_error rc = json_tokener_get_error(t);
    if (rc == json_tokener_continue) {
        /* A bare number ends only at the end of the text: say that this is it. */
        root = json_tokener_parse_ex(t, "", 1);
        rc = json_tokener_get_error(t);
    }
    if (rc != json_tokener_success)
        return err_new(ERR_INVALID, "JSON: %s at offset %zu", json_tokener_error_desc(rc),
                       json_tokener_get_parse_end(t));
    *ret_root = wrap(root);
    return OK;
}

void json_free(struct json *root) {
    json_object_put(node(root));
}

void json_clean(struct json **root) {
    json_free(*root);
    *root = NULL;
}

enum json_type json_type(const struct json *j) {
    switch (json_object_get_type(node(j))) {
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
        return JSON_INT;
    case json_type_double:
        return JSON_DOUBLE;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    case json_type_null:
        break;
    }
    return JSON_NULL;
}

const char *json_type_name(enum json_type t) {
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    return names[t];
}

struct json *json_get(const struct json *obj, const char *key) {
    struct json_object *value = NULL;
    if (json_type(obj) == JSON_OBJECT)
        json_object_object_get_ex(node(obj), key, &value);
    return wrap(value);
}

size_t json_len(const struct json *j) {
    if (json_type(j) == JSON_ARRAY)
        return json_object_array_length(node(j));
    if (json_type(j) == JSON_OBJECT)
        return (size_t)json_object_object_length(node(j));
    return 0;
}

struct json *json_at(const struct json *arr, size_t i) {
    if (json_type(arr) != JSON_ARRAY || i >= json_len(arr))
        return NULL;
    return wrap(json_object_array_get_idx(node(arr), i));
}

bool json_each(const struct json *obj, struct json_iter *it) {
    if (json_type(obj) != JSON_OBJECT)
        return false;
    struct lh_entry *e = it->state_;
    e = e ? e->next : lh_table_head(json_object_get_object(node(obj)));
    if (!e)
        return false;
    it->state_ = e;
    it->key = str_of(lh_entry_k(e));
    it->value = lh_entry_v(e);
    return true;
}

struct str json_str(const struct json *j) {
    if (json_type(j) != JSON_STRING)
        return STR_NONE;
    return str_n(json_object_get_string(node(j)), (size_t)json_object_get_string_len(node(j)));
}

bool json_bool(const struct json *j, bool otherwise) {
    return json_type(j) == JSON_BOOL ? json_object_get_boolean(node(j)) : otherwise;
}

/* json-c keeps int64 and uint64 exactly and saturates on the way out: INT64_MAX may mean more. */
static bool above_i64(const struct json *j) {
    return json_object_get_uint64(node(j)) > INT64_MAX;
}

bool json_i64(const struct json *j, int64_t *ret) {
    if (json_type(j) != JSON_INT || above_i64(j))
        return false;
    *ret = json_object_get_int64(node(j));
    return true;
}

bool json_u64(const struct json *j, uint64_t *ret) {
    if (json_type(j) != JSON_INT || json_object_get_int64(node(j)) < 0)
        return false;
    *ret = json_object_get_uint64(node(j));
    return true;
}

bool json_double(const struct json *j, double *ret) {
    if (json_type(j) != JSON_INT && json_type(j) != JSON_DOUBLE)
        return false;
    if (json_type(j) == JSON_INT && above_i64(j))
        *ret = (double)json_object_get_uint64(node(j));
    else
        *ret = json_object_get_double(node(j));
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
        if (above_i64(j))
            jo_u64(o, json_object_get_uint64(node(j)));
        else
            jo_i64(o, json_object_get_int64(node(j)));
        break;
    case JSON_DOUBLE:
        /* Its own text: exact, and 1e999, which no double can hold, stays what it was. */
        jo_raw(o, str_of(json_object_get_string(node(j))));
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
