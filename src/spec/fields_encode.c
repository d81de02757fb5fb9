/* Structs into JSON by table. */
#include "base/time.h"
#include "spec/fields.h"
#include <math.h>

static bool kind_empty(const struct field *f, const void *p) {
    switch (f->kind) {
    case F_STR:
        return !*(char *const *)p || !**(char *const *)p;
    case F_BOOL:
        return !*(const bool *)p;
    case F_BOOLPTR:
    case F_I64PTR:
    case F_OBJPTR:
        return !*(void *const *)p;
    case F_U16:
        return *(const uint16_t *)p == 0;
    case F_I32:
    case F_U32:
        return *(const uint32_t *)p == 0;
    case F_I64:
    case F_U64:
    case F_TIME:
        return *(const uint64_t *)p == 0;
    case F_DOUBLE:
        return fpclassify(*(const double *)p) == FP_ZERO;
    case F_PAIR:
        return ((const uint32_t *)p)[0] == 0 && ((const uint32_t *)p)[1] == 0;
    case F_STRS:
    case F_SET:
        return ((const struct strs *)p)->n == 0;
    case F_STRMAP:
        return ((const struct strmap *)p)->n == 0;
    case F_ARRAY:
    case F_STRSS:
        return ((const struct objs *)p)->n == 0;
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
        return ((const struct objmap *)p)->n == 0;
    case F_U64S:
        return ((const struct u64s *)p)->n == 0;
    case F_U64MAP:
        return ((const struct u64map *)p)->n == 0;
    case F_RAW:
        return ((const struct str *)p)->len == 0;
    case F_OBJ:
    case F_EMBED:
        return fields_empty(f->sub, p);
    }
    return false;
}

bool fields_empty(const struct fields *table, const void *obj) {
    for (size_t i = 0; i < table->n; i++)
        if (!kind_empty(&table->rows[i], (const char *)obj + table->rows[i].offset))
            return false;
    return true;
}

static bool is_present(const struct field *f, const void *p) {
    switch (f->kind) {
    case F_STRS:
    case F_SET:
        return ((const struct strs *)p)->present;
    case F_STRMAP:
        return ((const struct strmap *)p)->present;
    case F_ARRAY:
    case F_STRSS:
        return ((const struct objs *)p)->present;
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
        return ((const struct objmap *)p)->present;
    case F_U64S:
        return ((const struct u64s *)p)->present;
    case F_U64MAP:
        return ((const struct u64map *)p)->present;
    default:
        return false;
    }
}

static void put_strs(const struct strs *v, struct json_out *o) {
    jo_arr(o);
    for (size_t i = 0; i < v->n; i++)
        jo_str(o, str_of(v->items[i]));
    jo_arr_end(o);
}

static void put_set(const struct strs *v, struct json_out *o) {
    jo_obj(o);
    for (size_t i = 0; i < v->n; i++) {
        jo_key(o, v->items[i]);
        jo_obj(o);
        jo_obj_end(o);
    }
    jo_obj_end(o);
}

static void put_strmap(const struct strmap *m, struct json_out *o) {
    jo_obj(o);
    for (size_t i = 0; i < m->n; i++) {
        jo_key(o, m->items[i].key);
        jo_str(o, str_of(m->items[i].value));
    }
    jo_obj_end(o);
}

static void put_u64map(const struct u64map *m, struct json_out *o) {
    jo_obj(o);
    for (size_t i = 0; i < m->n; i++) {
        jo_key(o, m->items[i].key);
        jo_u64(o, m->items[i].value);
    }
    jo_obj_end(o);
}

static void put_u64s(const struct u64s *v, struct json_out *o) {
    jo_arr(o);
    for (size_t i = 0; i < v->n; i++)
        jo_u64(o, v->items[i]);
    jo_arr_end(o);
}

static void put_objs(const struct fields *sub, const struct objs *v, int minor,
                     struct json_out *o) {
    jo_arr(o);
    for (size_t i = 0; i < v->n; i++) {
        if (sub)
            fields_encode(sub, (const char *)v->items + i * sub->size, minor, o);
        else
            put_strs((const struct strs *)v->items + i, o);
    }
    jo_arr_end(o);
}

static void put_slot(const struct field *f, const void *value, int minor, struct json_out *o) {
    const struct objs *array = value;
    const struct strs *strings = value;
    if (!value)
        jo_null(o);
    else if (f->kind == F_OBJMAP)
        fields_encode(f->sub, value, minor, o);
    else if (f->kind == F_ARRMAP && (array->n > 0 || array->present))
        put_objs(f->sub, array, minor, o);
    else if (f->kind == F_STRSMAP && (strings->n > 0 || strings->present))
        put_strs(strings, o);
    else
        jo_null(o);
}

static void put_objmap(const struct field *f, const struct objmap *m, int minor,
                       struct json_out *o) {
    jo_obj(o);
    for (size_t i = 0; i < m->n; i++) {
        jo_key(o, m->items[i].key);
        put_slot(f, m->items[i].value, minor, o);
    }
    jo_obj_end(o);
}

static void put_time(int64_t t, struct json_out *o) {
    char text[TIME_TEXT_MAX];
    jo_strz(o, time_format(t, text));
}

static void put_pair(const uint32_t *pair, struct json_out *o) {
    jo_arr(o);
    jo_u64(o, pair[0]);
    jo_u64(o, pair[1]);
    jo_arr_end(o);
}

/* Values behind a pointer: absent is null whatever the flags. */
static void put_pointer(const struct field *f, const void *value, int minor, struct json_out *o) {
    if (!value)
        jo_null(o);
    else if (f->kind == F_BOOLPTR)
        jo_bool(o, *(const bool *)value);
    else if (f->kind == F_I64PTR)
        jo_i64(o, *(const int64_t *)value);
    else
        fields_encode(f->sub, value, minor, o);
}

static void put_scalar(const struct field *f, const void *p, struct json_out *o) {
    switch (f->kind) {
    case F_STR:
        return jo_str(o, str_of(*(char *const *)p));
    case F_BOOL:
        return jo_bool(o, *(const bool *)p);
    case F_I32:
        return jo_i64(o, *(const int32_t *)p);
    case F_I64:
        return jo_i64(o, *(const int64_t *)p);
    case F_U16:
        return jo_u64(o, *(const uint16_t *)p);
    case F_U32:
        return jo_u64(o, *(const uint32_t *)p);
    case F_U64:
        return jo_u64(o, *(const uint64_t *)p);
    case F_DOUBLE:
        return jo_double(o, *(const double *)p);
    case F_TIME:
        return put_time(*(const int64_t *)p, o);
    case F_RAW:
        return ((const struct str *)p)->len ? jo_raw(o, *(const struct str *)p) : jo_null(o);
    default:
        return put_pair(p, o); /* F_PAIR */
    }
}

static void put_value(const struct field *f, const void *p, int minor, struct json_out *o) {
    switch (f->kind) {
    case F_BOOLPTR:
    case F_I64PTR:
    case F_OBJPTR:
        return put_pointer(f, *(void *const *)p, minor, o);
    case F_STRS:
        return put_strs(p, o);
    case F_SET:
        return put_set(p, o);
    case F_STRMAP:
        return put_strmap(p, o);
    case F_U64MAP:
        return put_u64map(p, o);
    case F_U64S:
        return put_u64s(p, o);
    case F_OBJ:
        return fields_encode(f->sub, p, minor, o);
    case F_ARRAY:
    case F_STRSS:
        return put_objs(f->sub, p, minor, o);
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
        return put_objmap(f, p, minor, o);
    default:
        return put_scalar(f, p, o);
    }
}

/* Would decoding find the same without this member? */
static bool same_as_absent(const struct field *f, const void *p) {
    switch (f->kind) {
    case F_TIME:
        return false;
    case F_STR:
        return (f->flags & F_NULLABLE) && !*(char *const *)p;
    case F_STRS:
    case F_SET:
    case F_STRMAP:
    case F_ARRAY:
    case F_STRSS:
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
    case F_U64S:
    case F_U64MAP:
        return (f->flags & F_NULLABLE) && !is_present(f, p) && kind_empty(f, p);
    case F_OBJ:
    case F_EMBED:
        for (size_t i = 0; i < f->sub->n; i++)
            if (!same_as_absent(&f->sub->rows[i], (const char *)p + f->sub->rows[i].offset))
                return false;
        return !(f->flags & F_REQUIRED);
    default:
        return kind_empty(f, p) && !(f->flags & F_REQUIRED);
    }
}

static bool in_version(const struct field *f, int minor) {
    if (minor <= 0)
        return f->until == 0;
    return minor >= f->since && (f->until == 0 || minor <= f->until);
}

void fields_encode_value(const struct field *f, const void *value, int minor, struct json_out *o) {
    if ((f->flags & F_NULLABLE) && kind_empty(f, value) && !is_present(f, value))
        jo_null(o);
    else
        put_value(f, value, minor, o);
}

/* Leaves the value out when it is one of the holes. */
static bool left_out(const struct field *f, const void *p, struct json_out *o) {
    for (size_t i = 0; i < o->holes_n; i++)
        if (o->holes[i].member == p) {
            o->holes[i].field = f;
            o->holes[i].at = o->out->len;
            o->comma = true;
            return true;
        }
    return false;
}

static void put_rows(const struct fields *table, const void *obj, int minor, struct json_out *o) {
    for (size_t i = 0; i < table->n; i++) {
        const struct field *f = &table->rows[i];
        const char *p = (const char *)obj + f->offset;
        if ((f->flags & F_WRITEONLY) || !in_version(f, minor))
            continue;
        if (minor == FIELDS_SPARSE && f->kind != F_EMBED && same_as_absent(f, p))
            continue;
        if (f->kind == F_EMBED) {
            put_rows(f->sub, p, minor, o);
            continue;
        }
        bool empty = (f->flags & (OMIT_EMPTY | F_NULLABLE)) && kind_empty(f, p);
        if (empty && (f->flags & OMIT_EMPTY))
            continue;
        jo_key(o, f->name);
        if (left_out(f, p, o))
            continue;
        if (empty && !is_present(f, p))
            jo_null(o);
        else
            put_value(f, p, minor, o);
    }
}

void fields_encode(const struct fields *table, const void *obj, int minor, struct json_out *o) {
    jo_obj(o);
    put_rows(table, obj, minor, o);
    jo_obj_end(o);
}

void fields_encode_objs(const struct fields *table, const struct objs *v, int minor,
                        struct json_out *o) {
    put_objs(table, v, minor, o);
}

void fields_print_sparse(const struct fields *table, const void *obj, struct buf *out) {
    struct json_out o = {.out = out};
    fields_encode(table, obj, FIELDS_SPARSE, &o);
}

void fields_print(const struct fields *table, const void *obj, struct buf *out) {
    struct json_out o = {.out = out};
    fields_encode(table, obj, 0, &o);
}
