/* spec/api_method.h - the documents of the life cycle's calls (docs/lifecycle.md, docs/api.md). */
#pragma once
#include "spec/method_result.h"

/* POST /containers/{id}/methods/{name} */
struct api_method_call {
    struct strs env; /* NAME=VALUE, besides the method's own */
    int64_t timeout; /* ns; 0: the method's */
    char *user;      /* instead of the method's; as an exec's */
    bool tty;
    bool kill_with_client; /* the method ends when the client of its stream does */
};
extern const struct fields api_method_call_fields;

/* POST /containers/{id}/lifecycle/update */
struct api_method_update {
    struct strs volumes; /* that are kept, too: names or destinations; "*": all */
    bool dry_run;        /* says what would be done */
};
extern const struct fields api_method_update_fields;

/* Its answer: lines for each step, the last of which has Result or Text; then one with Outcome. */
struct api_update_step {
    char *step;
    char *output;                 /* a piece of what its method says */
    struct method_result *result; /* of a method */
    char *text;
    char *outcome; /* "kept", "rolled back", "failed", "nothing done", "dry run" */
    char *why;
    bool *good;
};
extern const struct fields api_update_step_fields;

/* Of an exec that is the run of a method; kept with it, never taken from a client. */
struct api_exec_method {
    char *name, *trigger;
    int64_t timeout;
    int32_t reading; /* enum lifecycle_reading */
    bool follow;     /* somebody wants what it says while it runs */
};
extern const struct fields api_exec_method_fields;

/* Lifecycle of a container's inspect; GET /containers/{id}/methods. */
struct api_lifecycle {
    bool ready;
    struct objmap methods; /* struct lifecycle_method_view */
    struct objs results;   /* struct method_result; oldest first */
    struct strs problems;
};
extern const struct fields api_lifecycle_fields;
