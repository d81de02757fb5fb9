/* spec/lifecycle.h - what an image's labels say about its operation: docs/lifecycle.md, which is
 * the specification. Methods, provenance, ancestry; and the documents that corten makes of them.
 *
 * Labels are foreign text. Nothing here fails: what is wrong or too large is left out and named in
 * `problems`, at most LIFECYCLE_PROBLEMS_MAX of them, each without control bytes. All memory from
 * the arena; strings of the label map are borrowed where that is enough.
 *
 * Any thread: no state. Tests: test/unit/spec/lifecycle.c, test/fuzz/lifecycle.c.
 */
#pragma once
#include "spec/fields.h"

#define LIFECYCLE_METHOD "corten.method."
#define LIFECYCLE_BUILD "corten.build."
#define LIFECYCLE_OCI "org.opencontainers.image."
#define LIFECYCLE_METADATA "corten.metadata"
#define LIFECYCLE_ANCESTRY "corten.build.ancestry"

#define LIFECYCLE_METHODS_MAX 32
#define LIFECYCLE_NAME_MAX 32
#define LIFECYCLE_COMMAND_MAX (32u << 10)
#define LIFECYCLE_WORDS_MAX 256
#define LIFECYCLE_ENV_MAX 64
#define LIFECYCLE_VALUE_MAX 4096u
#define LIFECYCLE_METADATA_MAX (64u << 10)
#define LIFECYCLE_ANCESTRY_MAX (256u << 10)
#define LIFECYCLE_ANCESTORS_MAX 64
#define LIFECYCLE_ANCESTRY_DEPTH 8
#define LIFECYCLE_LABELS_MAX (1u << 20)
#define LIFECYCLE_PROBLEMS_MAX 64

enum lifecycle_failure { /* what follows a failed run */
                         LIFECYCLE_NOTHING,
                         LIFECYCLE_RESTART,
                         LIFECYCLE_STOP,
                         LIFECYCLE_KILL,
                         LIFECYCLE_ROLLBACK,
                         LIFECYCLE_KEEP,
};
const char *lifecycle_failure_name(enum lifecycle_failure f);

enum lifecycle_reading { /* how output is understood; spec/method_result.h */
                         LIFECYCLE_AUTO,
                         LIFECYCLE_EXIT,
                         LIFECYCLE_PLUGIN,
                         LIFECYCLE_TAP,
                         LIFECYCLE_JUNIT,
};
const char *lifecycle_reading_name(enum lifecycle_reading r);

struct lifecycle_method {
    char *name;
    char *text;                              /* the label's value */
    bool shell;                              /* words[0] is for the image's shell */
    struct strs command;                     /* exec form: its words; shell form: the one text */
    char *user;                              /* "": the container's */
    int64_t timeout, interval, start_period; /* ns; interval 0: only when asked */
    struct strs env;                         /* NAME=VALUE */
    enum lifecycle_failure on_failure;
    enum lifecycle_reading reading;
};
struct lifecycle {
    struct objs methods; /* struct lifecycle_method, by name */
    struct strs problems;
};
void lifecycle_methods(const struct strmap *labels, struct arena *a, struct lifecycle *ret);
/* NULL: there is none. */
const struct lifecycle_method *lifecycle_method(const struct lifecycle *l, const char *name);
bool lifecycle_name_ok(struct str name);
/* The words to execute: shell (NULL or empty: /bin/sh -c) in front of a shell form. */
struct strs lifecycle_words(const struct lifecycle_method *m, const struct strs *shell,
                            struct arena *a);
void lifecycle_problem(struct strs *problems, struct arena *a, const char *fmt, ...) PRINTF(3, 4);

/* --- ancestry: one entry of the label ----------------------------------------------------------
 */
struct lifecycle_ancestor {
    char *name, *id, *digest;
    char *created;        /* RFC 3339 */
    char *by;             /* "from", "copy"; "": from */
    struct strmap labels; /* of the manifest's annotations those of OCI that are no labels, too */
};
extern const struct fields lifecycle_ancestor_fields;
/* Oldest first; of either label. */
void lifecycle_ancestors(const struct strmap *labels, struct arena *a, struct objs *ret,
                         struct strs *problems);

/* --- metadata: the document with stable keys ----------------------------------------------------
 */

/* A method as `methods` tells it. */
struct lifecycle_method_view {
    char *command; /* the label's value */
    char *user;
    char *timeout, *interval; /* durations; interval "": only when asked */
    char *on_failure, *result;
};
extern const struct fields lifecycle_method_view_fields;

/* Of a container; see spec/method_result.h for the elements of results. */
struct lifecycle_container {
    char *id, *name, *state;
    bool ready; /* runs, and what is to be validated was found good since its start */
    int64_t created, first_started, started;
    char *deployed_by, *cause; /* of the create call */
    char *image, *image_id, *image_digest;
    char *node;
    int64_t restarts;
    struct objs results; /* struct method_result: the last of each method */
};
extern const struct fields lifecycle_container_fields;

struct lifecycle_metadata {
    char *project, *image_name;
    struct strs image_tag_names;
    char *image_id, *image_digest;
    char *build_time, *build_time_stamp, *build_host, *build_version, *build_cause, *build_tag;
    bool ci;
    char *dockerfile;
    char *git_remote, *gitref, *git_branch;
    bool git_dirty;
    char *base_name, *base_id, *base_digest;
    /* In the order of lifecycle_known: whether it is set, and its label. */
    bool has[7];
    char *method[7];
    struct objmap methods;     /* struct lifecycle_method_view: all of them */
    struct str metadata;       /* any JSON; empty: none */
    struct strmap annotations; /* labels below org.opencontainers.image., and its annotations */
    char *by;                  /* of an ancestor */
    struct objs ancestors;     /* struct lifecycle_metadata, oldest first */
    struct strs problems;
    struct lifecycle_container *container; /* NULL: of an image */
};
extern const struct fields lifecycle_metadata_fields;
/* "start", "validate", "update", "monitor", "metrics", "backup", "quiesce"; NULL ends. */
extern const char *const lifecycle_known[];

/* What is known of an image beside its labels. NULL or empty: not known. */
struct lifecycle_facts {
    const char *name, *id, *digest;
    const char *created; /* RFC 3339 */
    const struct strs *tags;
    const struct strmap *annotations; /* of its manifest (spec/oci_annotations.h) */
};
void lifecycle_describe(const struct strmap *labels, const struct lifecycle_facts *f,
                        struct arena *a, struct lifecycle_metadata *ret);

/* --- for people (lifecycle_show.c) --------------------------------------------------------------
 */

/* s without anything that a terminal acts upon: control bytes, C1 controls, direction marks and
 * what is no UTF-8 as \xNN; a backslash is doubled. Newlines only when lines is set. */
void lifecycle_escape(struct buf *out, struct str s, bool lines);
/* JSON, which says the same after it: what a terminal would act upon as \uNNNN. */
void lifecycle_escape_json(struct buf *out, struct str s);
/* `corten examine`: ancestor by ancestor, the image, the container. */
void lifecycle_examine(const struct lifecycle_metadata *m, struct buf *out);
/* "1m30s"; "" for 0. */
char *lifecycle_duration(int64_t ns, struct arena *a);
