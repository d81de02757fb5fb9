/* template.h - Go's text/template over JSON values and views: `--format`, log tags, configuration.
 *
 * Source: the documentation of Go's packages text/template and fmt (actions, pipelines, variables,
 * white-space control, nested templates, functions, verbs of printf), and the functions that
 * docker's command line adds (json join split lower upper title pad truncate). Not there: complex
 * numbers, and `call`, which is refused by name because no value is a function.
 *
 * A template is parsed once and run as often as wanted; running does not change it. Text from
 * outside is bounded: TEMPLATE_TEXT_MAX bytes of source, TEMPLATE_DEPTH_MAX levels of nesting or
 * recursion, TEMPLATE_STEPS_MAX evaluated nodes per run, TEMPLATE_OUT_MAX bytes of output.
 *
 * Errors are ERR_INVALID in Go's form, "template: NAME:LINE:COLUMN: words" (lines from 1, columns
 * in bytes from 0, as there); those of a run add `executing "NAME" at <source>`. Any thread: no
 * state but the template's own and the run's arena. Tests: test/unit/base/template.c,
 * test/fuzz/template.c.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#define TEMPLATE_TEXT_MAX (1u << 20)
#define TEMPLATE_DEPTH_MAX 64
#define TEMPLATE_STEPS_MAX 4000000
#define TEMPLATE_OUT_MAX (64u << 20)

enum template_kind {
    TEMPLATE_NONE, /* no value; prints "<no value>" */
    TEMPLATE_NIL,  /* a pointer that points nowhere; prints "<nil>" */
    TEMPLATE_BOOL,
    TEMPLATE_INT,
    TEMPLATE_UINT, /* beyond int64 */
    TEMPLATE_DOUBLE,
    TEMPLATE_STR,
    TEMPLATE_LIST,
    TEMPLATE_JSON,     /* an array or an object; NULL: an empty object */
    TEMPLATE_VIEW,     /* a struct of ours with members that are functions */
    TEMPLATE_HEADINGS, /* a view whose members are the headings of a table */
};

struct template_type;
struct template_schema;
struct template_value {
    enum template_kind kind;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        struct str s;
        struct {
            const struct template_value *items;
            size_t n;
        } list;
        const struct json *json;
        struct {
            const struct template_type *type;
            const void *self;
        } view;
    };
    /* JSON: what is known about the type that the document was made from; NULL: nothing. */
    const struct template_schema *schema;
    const void *type;
};

/* One member of a view. args_max 0: a field; else a method, which `json` leaves out. */
struct template_member {
    const char *name;
    struct err (*get)(const void *self, struct arena *a, const struct template_value *args,
                      size_t n, struct template_value *ret);
    int args_min, args_max;
    const char
        *heading; /* NULL: its name in capitals; of a method: its last argument's last word */
};
struct template_type {
    const char *name; /* for errors: "*formatter.ContainerContext" */
    const struct template_member *members;
    size_t members_n;
};

/* Members that the text of a JSON object leaves out (empty ones), and members whose name in Go is
 * not that on the wire. type: the schema's own description of the object. */
struct template_field {
    struct str key;             /* on the wire */
    struct template_value zero; /* when it is absent */
    const void *type;           /* of the member; NULL: unknown */
    bool is_unit;               /* of an element: Go's struct{}, which prints as {} */
};
struct template_schema {
    /* name: as the template says it. false: there is no such member. */
    bool (*member)(const void *type, struct str name, struct template_field *ret);
    /* The same for a key of a map: what an absent one is, and what is known of the elements. */
    void (*element)(const void *type, struct template_field *ret);
};

/* A function that the caller adds. */
struct template_func {
    const char *name;
    int args_min, args_max; /* max -1: any number */
    struct err (*call)(struct arena *a, const struct template_value *args, size_t n,
                       struct template_value *ret);
};

struct template;
/* name stands in errors; more: functions beside the built-in ones, must outlive the template. */
struct err template_parse(const char *name, struct str text, const struct template_func *more,
                          size_t more_n, struct template **ret);
void template_free(struct template *t); /* NULL allowed */
void template_clean(struct template **t);
#define CLEAN_TEMPLATE OWN(template_clean)
/* Appends to out. After a failure out holds what was printed before it. */
struct err template_run(const struct template *t, const struct template_value *data,
                        struct buf *out);
/* The same with other functions under the same names (docker's table headings). */
struct err template_run_with(const struct template *t, const struct template_func *instead,
                             size_t instead_n, const struct template_value *data, struct buf *out);

struct template_value template_str(struct str s);
struct template_value template_strz(const char *z); /* NULL: "" */
struct template_value template_int(int64_t i);
struct template_value template_bool(bool b);
/* Scalars become scalars; null and NULL become TEMPLATE_NONE. */
struct template_value template_json(const struct json *j);
/* What Go's %v prints. */
void template_print(const struct template_value *v, struct buf *out);
/* What Go's json.Marshal prints; only views are escaped for HTML, as docker's are. */
struct err template_print_json(const struct template_value *v, struct arena *a, struct buf *out);
bool template_truth(const struct template_value *v);
