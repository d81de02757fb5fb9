/* spec/fields.h - one row per JSON field: the table that decodes and encodes every document.
 *
 * A struct that exists as JSON has a table of rows; handlers see structs, never JSON. Decoding
 * allocates only in the given arena; all pointers in the struct point into it. Encoding writes the
 * rows in table order.
 *
 * Decoding: unknown keys are ignored (as the peer does) unless decoded strictly; a value of the
 * wrong JSON type is ERR_INVALID naming the full path ("HostConfig.Memory: expected integer, got
 * string"); integers are range-checked against the row's C type; strings with NUL are refused; null
 * leaves the zero value. Keys match exactly, or, failing that, ASCII case-insensitively (as Go's
 * encoding/json does). One document may take at most FIELDS_MEMORY_MAX bytes of the arena, checked
 * before each allocation, because "[{},{},...]" grows a hundredfold on its way into structs.
 * Encoding: rows outside of their SINCE/UNTIL versions are left out. Absent pointers, zero-length
 * arrays and maps print as the row's flags say; what decoded from [] or {} (present, empty) prints
 * as it came even when F_NULLABLE, as a Go slice that is empty but not nil does.
 *
 * Any thread: no state but the arena's. Tests: test/unit/spec, test/fuzz/spec-fields.c.
 *
 * C types by kind (row offset points at):
 *   F_STR      char *                    NULL = absent; printed "" (or null with F_NULLABLE)
 *   F_BOOL     bool
 *   F_BOOLPTR  bool *                    NULL = absent/null
 *   F_I32 F_I64 F_U32 F_U64   intN_t / uintN_t
 *   F_I64PTR   int64_t *                 NULL = absent/null
 *   F_DOUBLE   double
 *   F_TIME     int64_t                   wall ns, RFC 3339 text on the wire; 0 = Go's zero time
 *   F_STRS     struct strs               array of strings
 *   F_STRMAP   struct strmap             object of strings, order kept
 *   F_SET      struct strs               object with empty-object values (Go map[string]struct{})
 *   F_OBJ      nested struct in place    sub = its table
 *   F_OBJPTR   struct x *                NULL = absent/null
 *   F_ARRAY    struct objs               array of structs (objs.items has elements of sub->size)
 *   F_OBJMAP   struct objmap             object of structs, order kept
 *   F_ARRMAP   struct objmap             object of arrays of structs (Go map[string][]T); each
 *                                        value is a struct objs
 *   F_STRSMAP  struct objmap             object of string arrays; each value is a struct strs
 *   F_RAW      struct str                any JSON, kept as text
 *   F_U16      uint16_t
 *   F_PAIR     uint32_t[2]               array of two numbers (Go [2]uint); missing ones are 0
 *   F_U64S     struct u64s               array of unsigned numbers
 *   F_U64MAP   struct u64map             object of unsigned numbers, order kept
 *   F_STRSS    struct objs               array of string arrays (Go [][]string); elements are
 * struct strs F_EMBED    nested struct in place    its rows are members of the outer object (Go
 * embedding); name is not used; an outer row of the same name wins
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* The containers. cap belongs to the adders below: room in items, 0 when the array must be copied
 * before it grows (decoded, static, borrowed). After an add, two copies of the struct share that
 * room: only one of them may be added to. */
struct strs {
    char **items;
    size_t n;
    bool present; /* [] and null differ for some fields (Cmd, Entrypoint) */
    uint32_t cap;
};
struct strpair {
    char *key, *value;
};
struct strmap {
    struct strpair *items;
    size_t n;
    bool present;
    uint32_t cap;
};
struct objs {
    void *items;
    size_t n;
    bool present;
    uint32_t cap;
};
struct objmap_slot {
    char *key;
    void *value; /* struct of the sub table; struct objs for F_ARRMAP; NULL for JSON null */
};
struct objmap {
    struct objmap_slot *items;
    size_t n;
    bool present;
    uint32_t cap;
};
struct u64s {
    uint64_t *items;
    size_t n;
    bool present;
    uint32_t cap;
};
struct u64pair {
    char *key;
    uint64_t value;
};
struct u64map {
    struct u64pair *items;
    size_t n;
    bool present;
    uint32_t cap;
};

#define FIELDS_MEMORY_MAX (64u << 20)

enum field_kind {
    F_STR,
    F_BOOL,
    F_BOOLPTR,
    F_I32,
    F_I64,
    F_U32,
    F_U64,
    F_I64PTR,
    F_DOUBLE,
    F_TIME,
    F_STRS,
    F_STRMAP,
    F_SET,
    F_OBJ,
    F_OBJPTR,
    F_ARRAY,
    F_OBJMAP,
    F_ARRMAP,
    F_STRSMAP,
    F_RAW,
    F_U16,
    F_PAIR,
    F_U64S,
    F_U64MAP,
    F_STRSS,
    F_EMBED,
};

enum field_flag {
    OMIT_EMPTY = 1 << 0,  /* left out when zero/NULL/empty */
    F_NULLABLE = 1 << 1,  /* empty and not present prints null instead of "", [], {} */
    F_READONLY = 1 << 2,  /* encoded, ignored when decoding */
    F_WRITEONLY = 1 << 3, /* decoded, never encoded */
    F_REQUIRED = 1 << 4,  /* decoding without it is ERR_INVALID */
    F_STR_TOO = 1 << 5,   /* F_STRS: a bare string is one element (the peer's Cmd, Entrypoint) */
};

/* For the rows: API minor versions, both inclusive. UNTIL(43): gone in 1.44. */
#define SINCE(minor) .since = (minor)
#define UNTIL(minor) .until = (minor)

struct fields;
struct field {
    const char *name;
    size_t offset;
    enum field_kind kind;
    unsigned flags;
    const struct fields *sub;
    int since, until; /* API minor version 1.N, 0: always */
};
struct fields {
    const char *name; /* of the document, for errors */
    size_t size;      /* sizeof the struct */
    const struct field *rows;
    size_t n;
};

#define FIELD(struct_, member, json_name, kind_, ...) \
    { .name = (json_name), .offset = offsetof(struct_, member), .kind = (kind_), ##__VA_ARGS__ }
#define FIELDS(var, struct_, ...)                           \
    static const struct field var##_rows[] = {__VA_ARGS__}; \
    const struct fields var = {#struct_, sizeof(struct_), var##_rows, ARRAY_LEN(var##_rows)}

/* Decodes text into *ret (which must be table->size bytes; zeroed first). */
struct err fields_decode(const struct fields *table, struct str text, struct arena *a, void *ret);
/* The same from an already parsed node; path is put in front of error names ("" for none). */
struct err fields_decode_json(const struct fields *table, const struct json *j, const char *path,
                              struct arena *a, void *ret);
/* As fields_decode, but an unknown key is ERR_INVALID (our own documents, config.json checks). */
struct err fields_decode_strict(const struct fields *table, struct str text, struct arena *a,
                                void *ret);
/* Whether every row of the object is empty (zero, NULL, no elements). */
bool fields_empty(const struct fields *table, const void *obj);
/* Appends the object. minor = API minor version (44 for 1.44), 0 = newest. */
void fields_encode(const struct fields *table, const void *obj, int minor, struct json_out *out);
void fields_print(const struct fields *table, const void *obj, struct buf *out); /* minor 0 */
/* The same for our own records: without the members that decoding would find the same without
 * (zero, false, null). Two thirds of a container are that, and a start reads all of them. */
#define FIELDS_SPARSE (-1) /* as minor */
void fields_print_sparse(const struct fields *table, const void *obj, struct buf *out);
/* A member that is left out for now: the encoder notes where its value belongs (json_out.holes),
 * and fields_encode_value makes it, perhaps on another thread. */
struct json_hole {
    const void *member;        /* its address in the document */
    const struct field *field; /* noted; NULL: this version or an empty value has no place */
    size_t at;                 /* noted: offset in the text */
};
void fields_encode_value(const struct field *f, const void *value, int minor, struct json_out *out);
/* Documents that are an array of objects (lists, docker-archive's manifest.json). */
struct err fields_decode_objs(const struct fields *table, struct str text, struct arena *a,
                              struct objs *ret);
void fields_encode_objs(const struct fields *table, const struct objs *v, int minor,
                        struct json_out *out);

/* Helpers on the containers above; all memory from the arena. */
const char *strmap_get(const struct strmap *m, const char *key); /* NULL: absent */
void strmap_set(struct strmap *m, struct arena *a, const char *key, const char *value);
void strs_add(struct strs *v, struct arena *a, const char *z);
bool strs_has(const struct strs *v, const char *z);
void *objmap_get(const struct objmap *m, const char *key);
void *objmap_add(struct objmap *m, struct arena *a, const char *key,
                 size_t size); /* zeroed value */
/* Zeroed element; its address is valid until the next add. */
void *objs_add(struct objs *v, struct arena *a, size_t size);
void u64map_add(struct u64map *m, struct arena *a, const char *key, uint64_t value);
