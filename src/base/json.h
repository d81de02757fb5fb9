/* json.h - reading and writing JSON (RFC 8259).
 *
 * Reading: a read-only tree of our own (exact int64/uint64, order kept; docs/decisions/0006 says
 * why). It takes one allocation: 32 bytes for each value and the bytes of the text. The text must
 * be one value, valid UTF-8, at most JSON_DEPTH_MAX deep, no duplicate-key guarantees (last one
 * wins, in the place of the first), no trailing bytes, integers within int64 or uint64. All
 * accessors accept NULL and give "nothing", so chains need no checks. Writing: an append-only
 * writer into a buf; commas and quoting are the writer's job. Strings are escaped as Go's
 * encoding/json does without HTML escaping; invalid UTF-8 becomes U+FFFD.
 */
#pragma once
#include "base/buf.h"

#define JSON_DEPTH_MAX 64

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,
    JSON_DOUBLE,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json; /* a node; borrowed from its document's root */

/* Parses; *ret_root is freed with json_free and borrows nothing from text. Errors are ERR_INVALID
 * with the offset, ERR_SYSTEM when there is no memory. null is NULL, as a document and inside of
 * one.
 */
struct err json_parse(struct str text, struct json **ret_root);
void json_free(struct json *root);
void json_clean(struct json **root);
#define CLEAN_JSON OWN(json_clean)

enum json_type json_type(const struct json *j); /* JSON_NULL for NULL */
const char *json_type_name(enum json_type t);
struct json *json_get(const struct json *obj, const char *key); /* NULL: absent or not an object */
size_t json_len(const struct json *j);                          /* array or object size */
struct json *json_at(const struct json *arr, size_t i);
/* Iterates an object in document order: `struct json_iter it = {0}; while (json_each(obj, &it))`.
 */
struct json_iter {
    struct str key;
    struct json *value;
    size_t next_;
};
bool json_each(const struct json *obj, struct json_iter *it);

struct str json_str(const struct json *j); /* STR_NONE when not a string */
bool json_bool(const struct json *j, bool otherwise);
/* false when not an integer or out of range. */
bool json_i64(const struct json *j, int64_t *ret);
bool json_u64(const struct json *j, uint64_t *ret);
bool json_double(const struct json *j, double *ret);
/* Appends the node's text (compact). */
void json_print(const struct json *j, struct buf *out);

/* The writer. A zeroed struct with out set is ready. Keys are for objects only. */
struct json_out {
    struct buf *out;
    bool comma;
    struct json_hole *holes; /* spec/fields.h: values that are put there later */
    size_t holes_n;
};
void jo_obj(struct json_out *o);     /* { */
void jo_obj_end(struct json_out *o); /* } */
void jo_arr(struct json_out *o);
void jo_arr_end(struct json_out *o);
void jo_key(struct json_out *o, const char *key);
void jo_keys(struct json_out *o, struct str key);
void jo_str(struct json_out *o, struct str s);
void jo_strz(struct json_out *o, const char *z); /* NULL writes null */
void jo_i64(struct json_out *o, int64_t v);
void jo_u64(struct json_out *o, uint64_t v);
void jo_double(struct json_out *o, double v);
void jo_bool(struct json_out *o, bool v);
void jo_null(struct json_out *o);
void jo_raw(struct json_out *o, struct str json); /* bytes that are already JSON */
/* key + value in one call */
void jo_kstr(struct json_out *o, const char *key, const char *z);
void jo_ki64(struct json_out *o, const char *key, int64_t v);
void jo_kbool(struct json_out *o, const char *key, bool v);
/* The quoted, escaped form of s alone. */
void json_quote(struct buf *out, struct str s);
