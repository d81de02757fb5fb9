/* schema.c - what the field tables know about a document, for templates: members that the text
 * leaves out, names as Go has them. A type is a row of a table; its two lowest bits say how many
 * levels of a map or an array have been entered. */
#include "cli/command.h"

#define LEVEL_MASK ((uintptr_t)3)

static const struct field *row_of(const void *type) {
    return (const struct field *)((uintptr_t)type & ~LEVEL_MASK);
}

static unsigned level_of(const void *type) {
    return (unsigned)((uintptr_t)type & LEVEL_MASK);
}

/* Levels of maps and arrays around the objects of a row. */
static unsigned levels(const struct field *r) {
    return r->kind == F_ARRAY || r->kind == F_OBJMAP ? 1 : r->kind == F_ARRMAP ? 2 : 0;
}

/* In Go initialisms are capitals (ID, CPUShares), on the wire they are not. */
static bool same_name(struct str go, const char *wire) {
    if (go.len != strlen(wire) || !str_eq_nocase(go, str_of(wire)))
        return false;
    for (size_t i = 0; i < go.len; i++)
        if (go.p[i] != wire[i] && !(go.p[i] >= 'A' && go.p[i] <= 'Z'))
            return false;
    return true;
}

static const struct field *find(const struct fields *t, struct str name, bool exact) {
    for (size_t i = 0; t && i < t->n; i++) {
        const struct field *r = &t->rows[i], *inner;
        if (r->kind == F_EMBED && (inner = find(r->sub, name, exact)))
            return inner;
        if (r->kind != F_EMBED && (exact ? str_eqz(name, r->name) : same_name(name, r->name)))
            return r;
    }
    return NULL;
}

static struct template_value zero_of(enum field_kind kind) {
    struct template_value v = {0};
    switch (kind) {
    case F_STR:
        return template_str(STR(""));
    case F_TIME:
        return template_str(STR("0001-01-01T00:00:00Z"));
    case F_BOOL:
        return template_bool(false);
    case F_I32:
    case F_I64:
    case F_U16:
    case F_U32:
    case F_U64:
        return template_int(0);
    case F_DOUBLE:
        v.kind = TEMPLATE_DOUBLE;
        return v;
    case F_BOOLPTR:
    case F_I64PTR:
    case F_OBJPTR:
        v.kind = TEMPLATE_NIL;
        return v;
    case F_STRS:
    case F_ARRAY:
    case F_U64S:
    case F_STRSS:
    case F_PAIR:
        v.kind = TEMPLATE_LIST;
        return v;
    case F_STRMAP:
    case F_SET:
    case F_OBJMAP:
    case F_ARRMAP:
    case F_STRSMAP:
    case F_U64MAP:
    case F_OBJ:
    case F_EMBED:
        v.kind = TEMPLATE_JSON;
        return v;
    case F_RAW:
        break;
    }
    return v;
}

static bool member(const void *type, struct str name, struct template_field *ret) {
    const struct field *r = row_of(type);
    unsigned level = level_of(type);
    if (level < levels(r)) { /* a map: its keys are what they are */
        ret->type = (const void *)((uintptr_t)r | (level + 1));
        return false;
    }
    if (!r->sub)
        return false;
    const struct field *m = find(r->sub, name, true);
    if (!m)
        m = find(r->sub, name, false);
    if (!m)
        return false;
    ret->key = str_of(m->name);
    ret->type = m;
    ret->zero = zero_of(m->kind);
    ret->zero.schema = &cli_schema;
    ret->zero.type = m;
    return true;
}

static void element(const void *type, struct template_field *ret) {
    const struct field *r = row_of(type);
    unsigned level = level_of(type);
    if (r->kind == F_STRMAP || r->kind == F_STRS)
        ret->zero = template_str(STR(""));
    else if (level < levels(r) || r->kind == F_STRSMAP || r->kind == F_SET)
        ret->zero.kind = r->kind == F_ARRMAP || r->kind == F_STRSMAP ? TEMPLATE_LIST
                         : r->kind == F_SET                          ? TEMPLATE_JSON
                                                                     : TEMPLATE_NIL;
    ret->is_unit = r->kind == F_SET;
    if (level < levels(r))
        ret->type = (const void *)((uintptr_t)r | (level + 1));
}

const struct template_schema cli_schema = {member, element};
