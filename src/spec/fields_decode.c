/* JSON into structs by table. */
#include "base/time.h"
#include "spec/fields.h"
#include <stdio.h>
#include <string.h>

/* Keys in error messages come from outside: long ones are cut. */
#define PATH_KEY_MAX 64

/* One step of the path to the value being decoded, linked towards the root; text is made only for
 * an error. */
struct step {
    const struct step *up;
    struct str key; /* member or map key; p NULL: array element */
    size_t index;
    bool quoted; /* a map key */
};

struct decoder {
    struct arena *arena;
    size_t limit; /* for arena->total */
    const char *prefix;
    bool strict;
};

static void path_print(const struct step *s, const char *prefix, struct buf *out) {
    if (s->up)
        path_print(s->up, prefix, out);
    else if (prefix)
        buf_adds(out, prefix);
    if (!s->key.p) {
        if (s->up) /* the root step has neither key nor index */
            buf_addf(out, "[%zu]", s->index);
        return;
    }
    struct str key = str_sub(s->key, 0, PATH_KEY_MAX);
    if (s->quoted) {
        buf_addc(out, '[');
        json_quote(out, key);
        buf_addc(out, ']');
    } else {
        if (out->len > 0)
            buf_addc(out, '.');
        buf_add_str(out, key);
    }
}

static struct err refuse(const struct decoder *d, const struct step *s, const char *what) {
    CLEAN_BUF struct buf path = {0};
    path_print(s, d->prefix, &path);
    if (path.len == 0)
        return err_new(ERR_INVALID, "%s", what);
    return err_new(ERR_INVALID, "%s: %s", buf_cstr(&path), what);
}

static struct err refuse_type(const struct decoder *d, const struct step *s, const char *expected,
                              const struct json *j) {
    char what[96];
    snprintf(what, sizeof what, "expected %s, got %s", expected, json_type_name(json_type(j)));
    return refuse(d, s, what);
}

static struct err expect(const struct decoder *d, const struct step *s, enum json_type t,
                         const struct json *j) {
    if (json_type(j) != t)
        return refuse_type(d, s, json_type_name(t), j);
    return OK;
}

static struct err afford(const struct decoder *d, const struct step *s, size_t n, size_t size) {
    size_t left = d->limit > d->arena->total ? d->limit - d->arena->total : 0;
    if (size != 0 && n > left / size)
        return refuse(d, s, "document is too large");
    return OK;
}

/* Room for the n elements of a container; NULL for none. */
static struct err room(const struct decoder *d, const struct step *s, size_t n, size_t size,
                       void **ret) {
    TRY(afford(d, s, n, size));
    *ret = n > 0 ? arena_array(d->arena, n, size) : NULL;
    return OK;
}

static struct err decode_object(const struct decoder *d, const struct step *s,
                                const struct fields *table, const struct json *j, void *obj);

static struct err decode_text(const struct decoder *d, const struct step *s, struct str text,
                              char **ret) {
    if (str_has_nul(text))
        return refuse(d, s, "must not contain NUL");
    TRY(afford(d, s, 1, text.len + 1));
    *ret = arena_str(d->arena, text);
    return OK;
}

/* null inside of an array or map of strings is "" (Go's zero value). */
static struct err decode_str(const struct decoder *d, const struct step *s, const struct json *j,
                             char **ret) {
    if (json_type(j) == JSON_NULL)
        return decode_text(d, s, STR(""), ret);
    TRY(expect(d, s, JSON_STRING, j));
    return decode_text(d, s, json_str(j), ret);
}

static struct err decode_signed(const struct decoder *d, const struct step *s, const struct json *j,
                                int64_t min, int64_t max, int64_t *ret) {
    int64_t v;
    if (json_type(j) != JSON_INT)
        return refuse_type(d, s, "integer", j);
    if (!json_i64(j, &v) || v < min || v > max)
        return refuse(d, s, "number out of range");
    *ret = v;
    return OK;
}

static struct err decode_unsigned(const struct decoder *d, const struct step *s,
                                  const struct json *j, uint64_t max, uint64_t *ret) {
    uint64_t v;
    if (json_type(j) != JSON_INT)
        return refuse_type(d, s, "integer", j);
    if (!json_u64(j, &v) || v > max)
        return refuse(d, s, "number out of range");
    *ret = v;
    return OK;
}

static struct err decode_double(const struct decoder *d, const struct step *s, const struct json *j,
                                double *ret) {
    if (json_type(j) != JSON_INT && json_type(j) != JSON_DOUBLE)
        return refuse_type(d, s, "number", j);
    if (!json_double(j, ret))
        return refuse(d, s, "number out of range");
    return OK;
}

static struct err decode_time(const struct decoder *d, const struct step *s, const struct json *j,
                              int64_t *ret) {
    TRY(expect(d, s, JSON_STRING, j));
    CLEAN_ERR struct err e = time_parse(json_str(j), ret);
    if (err_failed(e))
        return refuse(d, s, "expected a time as in RFC 3339");
    return OK;
}

static struct err decode_strs(const struct decoder *d, const struct step *s, const struct json *j,
                              unsigned flags, struct strs *ret) {
    struct strs v = {.present = true};
    if ((flags & F_STR_TOO) && json_type(j) == JSON_STRING) {
        TRY(room(d, s, 1, sizeof *v.items, (void **)&v.items));
        v.n = 1;
        TRY(decode_str(d, s, j, v.items));
        *ret = v;
        return OK;
    }
    TRY(expect(d, s, JSON_ARRAY, j));
    v.n = json_len(j);
    TRY(room(d, s, v.n, sizeof *v.items, (void **)&v.items));
    for (size_t i = 0; i < v.n; i++) {
        struct step at = {.up = s, .index = i};
        TRY(decode_str(d, &at, json_at(j, i), &v.items[i]));
    }
    *ret = v;
    return OK;
}

static struct err decode_set(const struct decoder *d, const struct step *s, const struct json *j,
                             struct strs *ret) {
    TRY(expect(d, s, JSON_OBJECT, j));
    struct strs v = {.present = true};
    TRY(room(d, s, json_len(j), sizeof *v.items, (void **)&v.items));
    struct json_iter it = {0};
    while (json_each(j, &it)) {
        struct step at = {.up = s, .key = it.key, .quoted = true};
        if (json_type(it.value) != JSON_NULL)
            TRY(expect(d, &at, JSON_OBJECT, it.value));
        TRY(decode_text(d, &at, it.key, &v.items[v.n]));
        v.n++;
    }
    *ret = v;
    return OK;
}

static struct err decode_strmap(const struct decoder *d, const struct step *s, const struct json *j,
                                struct strmap *ret) {
    TRY(expect(d, s, JSON_OBJECT, j));
    struct strmap m = {.present = true};
    TRY(room(d, s, json_len(j), sizeof *m.items, (void **)&m.items));
    struct json_iter it = {0};
    while (json_each(j, &it)) {
        struct step at = {.up = s, .key = it.key, .quoted = true};
        TRY(decode_text(d, &at, it.key, &m.items[m.n].key));
        TRY(decode_str(d, &at, it.value, &m.items[m.n].value));
        m.n++;
    }
    *ret = m;
    return OK;
}

static struct err decode_u64map(const struct decoder *d, const struct step *s, const struct json *j,
                                struct u64map *ret) {
    TRY(expect(d, s, JSON_OBJECT, j));
    struct u64map m = {.present = true};
    TRY(room(d, s, json_len(j), sizeof *m.items, (void **)&m.items));
    struct json_iter it = {0};
    while (json_each(j, &it)) {
        struct step at = {.up = s, .key = it.key, .quoted = true};
        TRY(decode_text(d, &at, it.key, &m.items[m.n].key));
        TRY(decode_unsigned(d, &at, it.value, UINT64_MAX, &m.items[m.n].value));
        m.n++;
    }
    *ret = m;
    return OK;
}

static struct err decode_u64s(const struct decoder *d, const struct step *s, const struct json *j,
                              struct u64s *ret) {
    TRY(expect(d, s, JSON_ARRAY, j));
    struct u64s v = {.n = json_len(j), .present = true};
    TRY(room(d, s, v.n, sizeof *v.items, (void **)&v.items));
    for (size_t i = 0; i < v.n; i++) {
        struct step at = {.up = s, .index = i};
        TRY(decode_unsigned(d, &at, json_at(j, i), UINT64_MAX, &v.items[i]));
    }
    *ret = v;
    return OK;
}

static struct err decode_pair(const struct decoder *d, const struct step *s, const struct json *j,
                              uint32_t pair[2]) {
    TRY(expect(d, s, JSON_ARRAY, j));
    for (size_t i = 0; i < 2 && i < json_len(j); i++) {
        struct step at = {.up = s, .index = i};
        uint64_t v = 0;
        TRY(decode_unsigned(d, &at, json_at(j, i), UINT32_MAX, &v));
        pair[i] = (uint32_t)v;
    }
    return OK;
}

/* Elements are structs of sub, or, without sub, struct strs (F_STRSS). null is a zero element. */
static struct err decode_objs(const struct decoder *d, const struct step *s,
                              const struct fields *sub, const struct json *j, struct objs *ret) {
    TRY(expect(d, s, JSON_ARRAY, j));
    size_t size = sub ? sub->size : sizeof(struct strs);
    struct objs v = {.n = json_len(j), .present = true};
    TRY(room(d, s, v.n, size, &v.items));
    for (size_t i = 0; i < v.n; i++) {
        struct step at = {.up = s, .index = i};
        const struct json *element = json_at(j, i);
        void *to = (char *)v.items + i * size;
        if (json_type(element) == JSON_NULL)
            continue;
        if (sub)
            TRY(decode_object(d, &at, sub, element, to));
        else
            TRY(decode_strs(d, &at, element, 0, to));
    }
    *ret = v;
    return OK;
}

/* One value of an F_OBJMAP, F_ARRMAP or F_STRSMAP. */
static struct err decode_slot(const struct decoder *d, const struct step *s, const struct field *f,
                              const struct json *j, void **ret) {
    bool null = json_type(j) == JSON_NULL;
    if (f->kind == F_OBJMAP && null)
        return OK; /* NULL */
    size_t size = f->kind == F_OBJMAP   ? f->sub->size
                  : f->kind == F_ARRMAP ? sizeof(struct objs)
                                        : sizeof(struct strs);
    void *value;
    TRY(room(d, s, 1, size, &value));
    *ret = value;
    if (null)
        return OK;
    if (f->kind == F_OBJMAP)
        return decode_object(d, s, f->sub, j, value);
    if (f->kind == F_ARRMAP)
        return decode_objs(d, s, f->sub, j, value);
    return decode_strs(d, s, j, 0, value);
}

static struct err decode_objmap(const struct decoder *d, const struct step *s,
                                const struct field *f, const struct json *j, struct objmap *ret) {
    TRY(expect(d, s, JSON_OBJECT, j));
    struct objmap m = {.present = true};
    TRY(room(d, s, json_len(j), sizeof *m.items, (void **)&m.items));
    struct json_iter it = {0};
    while (json_each(j, &it)) {
        struct step at = {.up = s, .key = it.key, .quoted = true};
        TRY(decode_text(d, &at, it.key, &m.items[m.n].key));
        TRY(decode_slot(d, &at, f, it.value, &m.items[m.n].value));
        m.n++;
    }
    *ret = m;
    return OK;
}

static struct err decode_raw(const struct decoder *d, const struct step *s, const struct json *j,
                             struct str *ret) {
    CLEAN_BUF struct buf text = {0};
    json_print(j, &text);
    TRY(afford(d, s, 1, text.len + 1));
    *ret = (struct str){arena_str(d->arena, buf_str(&text)), text.len};
    return OK;
}

static struct err decode_number(const struct decoder *d, const struct step *s, enum field_kind kind,
                                const struct json *j, void *to) {
    static const struct {
        int64_t min, max;
    } range[] = {[F_I32] = {INT32_MIN, INT32_MAX}, [F_I64] = {INT64_MIN, INT64_MAX}};
    int64_t i = 0;
    uint64_t u = 0;
    switch (kind) {
    case F_I32:
    case F_I64:
        TRY(decode_signed(d, s, j, range[kind].min, range[kind].max, &i));
        if (kind == F_I32)
            *(int32_t *)to = (int32_t)i;
        else
            *(int64_t *)to = i;
        return OK;
    case F_U16:
        TRY(decode_unsigned(d, s, j, UINT16_MAX, &u));
        *(uint16_t *)to = (uint16_t)u;
        return OK;
    case F_U32:
        TRY(decode_unsigned(d, s, j, UINT32_MAX, &u));
        *(uint32_t *)to = (uint32_t)u;
        return OK;
    case F_U64:
        return decode_unsigned(d, s, j, UINT64_MAX, to);
    default: /* F_I64PTR */
        TRY(decode_signed(d, s, j, INT64_MIN, INT64_MAX, &i));
        TRY(afford(d, s, 1, sizeof i));
        int64_t *p = arena_alloc(d->arena, sizeof *p);
        *p = i;
        *(int64_t **)to = p;
        return OK;
    }
}

static struct err decode_bool(const struct decoder *d, const struct step *s, enum field_kind kind,
                              const struct json *j, void *to) {
    TRY(expect(d, s, JSON_BOOL, j));
    bool v = json_bool(j, false);
    if (kind == F_BOOL) {
        *(bool *)to = v;
        return OK;
    }
    TRY(afford(d, s, 1, sizeof v));
    bool *p = arena_alloc(d->arena, sizeof *p);
    *p = v;
    *(bool **)to = p;
    return OK;
}

static struct err decode_objptr(const struct decoder *d, const struct step *s,
                                const struct fields *sub, const struct json *j, void **ret) {
    void *value;
    TRY(expect(d, s, JSON_OBJECT, j));
    TRY(room(d, s, 1, sub->size, &value));
    TRY(decode_object(d, s, sub, j, value));
    *ret = value;
    return OK;
}

static struct err decode_field(const struct decoder *d, const struct step *s, const struct field *f,
                               const struct json *j, void *to) {
    if (json_type(j) == JSON_NULL)
        return OK;
    switch (f->kind) {
    case F_STR:
        return decode_str(d, s, j, to);
    case F_BOOL:
    case F_BOOLPTR:
        return decode_bool(d, s, f->kind, j, to);
    case F_I32:
    case F_I64:
    case F_U16:
    case F_U32:
    case F_U64:
    case F_I64PTR:
        return decode_number(d, s, f->kind, j, to);
    case F_DOUBLE:
        return decode_double(d, s, j, to);
    case F_TIME:
        return decode_time(d, s, j, to);
    case F_STRS:
        return decode_strs(d, s, j, f->flags, to);
    case F_STRMAP:
        return decode_strmap(d, s, j, to);
    case F_SET:
        return decode_set(d, s, j, to);
    case F_OBJ:
        return decode_object(d, s, f->sub, j, to);
    case F_OBJPTR:
        return decode_objptr(d, s, f->sub, j, to);
    case F_ARRAY:
    case F_STRSS:
        return decode_objs(d, s, f->sub, j, to);
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
        return decode_objmap(d, s, f, j, to);
    case F_RAW:
        return decode_raw(d, s, j, to);
    case F_PAIR:
        return decode_pair(d, s, j, to);
    case F_U64S:
        return decode_u64s(d, s, j, to);
    case F_U64MAP:
        return decode_u64map(d, s, j, to);
    case F_EMBED:
        break; /* never found by name */
    }
    return refuse(d, s, "not decodable");
}

/* The row for a key, own rows before embedded ones. *base is moved to the struct that has it. Keys
 * mostly come in table order: *hint is where the next one is expected. */
static const struct field *find_row(const struct fields *t, struct str key, bool fold, size_t *hint,
                                    char **base) {
    for (size_t i = 0; i < t->n; i++) {
        size_t at = (*hint + i) % t->n;
        const struct field *f = &t->rows[at];
        if (f->kind == F_EMBED)
            continue;
        struct str name = str_of(f->name);
        if (fold ? str_eq_nocase(name, key) : str_eq(name, key)) {
            *hint = at + 1;
            return f;
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->rows[i];
        if (f->kind != F_EMBED)
            continue;
        char *inner = *base + f->offset;
        size_t none = 0;
        const struct field *found = find_row(f->sub, key, fold, &none, &inner);
        if (found) {
            *base = inner;
            return found;
        }
    }
    return NULL;
}

static struct err check_required(const struct decoder *d, const struct step *s,
                                 const struct fields *t, const struct json *j) {
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->rows[i];
        if (f->kind == F_EMBED)
            TRY(check_required(d, s, f->sub, j));
        if ((f->flags & F_REQUIRED) && json_type(json_get(j, f->name)) == JSON_NULL) {
            struct step at = {.up = s, .key = str_of(f->name)};
            return refuse(d, &at, "is required");
        }
    }
    return OK;
}

static struct err decode_object(const struct decoder *d, const struct step *s,
                                const struct fields *table, const struct json *j, void *obj) {
    TRY(expect(d, s, JSON_OBJECT, j));
    struct json_iter it = {0};
    size_t hint = 0;
    while (json_each(j, &it)) {
        struct step at = {.up = s, .key = it.key};
        char *base = obj;
        const struct field *f = find_row(table, it.key, false, &hint, &base);
        if (!f)
            f = find_row(table, it.key, true, &hint, &base);
        if (!f && d->strict)
            return refuse(d, &at, "unknown field");
        if (!f || (f->flags & F_READONLY))
            continue;
        TRY(decode_field(d, &at, f, it.value, base + f->offset));
    }
    return check_required(d, s, table, j);
}

struct err fields_decode_objs(const struct fields *table, struct str text, struct arena *a,
                              struct objs *ret) {
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(text, &j));
    struct decoder d = {.arena = a, .limit = a->total + FIELDS_MEMORY_MAX, .prefix = ""};
    struct step root = {0};
    *ret = (struct objs){0};
    if (json_type(j) == JSON_NULL)
        return OK;
    return decode_objs(&d, &root, table, j, ret);
}

static struct err decode_root(const struct fields *table, const struct json *j, const char *prefix,
                              bool strict, struct arena *a, void *ret) {
    memset(ret, 0, table->size);
    struct decoder d = {
        .arena = a,
        .limit = a->total + FIELDS_MEMORY_MAX,
        .prefix = prefix,
        .strict = strict,
    };
    struct step root = {0};
    return decode_object(&d, &root, table, j, ret);
}

struct err fields_decode_json(const struct fields *table, const struct json *j, const char *path,
                              struct arena *a, void *ret) {
    return decode_root(table, j, path, false, a, ret);
}

struct err fields_decode(const struct fields *table, struct str text, struct arena *a, void *ret) {
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(text, &j));
    return decode_root(table, j, "", false, a, ret);
}

struct err fields_decode_strict(const struct fields *table, struct str text, struct arena *a,
                                void *ret) {
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(text, &j));
    return decode_root(table, j, "", true, a, ret);
}
