/* build/plan.h - the stages of a Dockerfile, what each needs, and which are needed for the target.
 * Private to build/. Tests: test/unit/build/plan.c. */
#pragma once
#include "build/request.h"
#include "build/state.h"

#define STAGES_MAX 1000

struct platform {
    const char *os, *arch, *variant; /* "linux" "amd64" "" */
};
struct stage {
    unsigned index;
    char *name; /* lower case; NULL: none */
    struct instr from;
    char *base;               /* image name with ARGs expanded; "scratch" */
    const char *context;      /* FROM of a named context: its value; else NULL */
    struct platform platform; /* FROM --platform, else the build's */
    struct stage *parent;     /* FROM of another stage; NULL: image or scratch */
    struct instr *steps;
    size_t steps_n;
    bool needed;
    bool fresh; /* the cache is not used for it */
    bool done;
    struct state state;
};
struct plan {
    struct instr *globals; /* ARG before the first FROM */
    size_t globals_n;
    struct strmap global_args; /* their values, and the platform's */
    struct stage *stages;
    size_t stages_n;
    struct stage *target;
    const struct strmap *contexts; /* request.h */
    struct platform platform;      /* of the result */
    size_t steps_n; /* instructions that run: global ARGs, FROM and steps of needed stages */
};
/* This machine's. */
struct platform platform_here(void);
bool platform_is_here(const struct platform *p);
/* Can its programs run here: by the processor, or by an interpreter (binfmt_misc)? */
bool platform_runs(const struct platform *p);

struct err plan_make(const struct dockerfile *f, struct request *r, struct arena *a,
                     struct plan **ret);
/* What the build says that this name is (build-context): build/named.h. NULL: nothing. */
const char *plan_context(const struct plan *p, const char *name);
/* Marks the stages with these names (or numbers) as fresh. ERR_INVALID: there is no such stage. */
struct err plan_fresh(struct plan *p, const struct strs *names, struct arena *a);
/* The stage that --from names, as seen from `from`; *ret = NULL: it is an image. */
struct err plan_stage(const struct plan *p, const struct stage *from, const struct instr *in,
                      const char *name, const struct dockerfile *f, struct stage **ret);
