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

/* Of an exec that is the run of a method; kept with it, never taken from a client. */
struct api_exec_method {
    char *name, *trigger;
    int64_t timeout;
    int32_t reading; /* enum lifecycle_reading */
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
