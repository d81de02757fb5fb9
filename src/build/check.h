/* build/check.h - the parts of build_check. Private to build/. Tests: test/unit/build/check.c. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "build/ignore.h"
#include "build/instruction.h"

/* The directive "# check=skip=A,B;error=true;experimental=C", or the argument
 * BUILDKIT_DOCKERFILE_CHECK instead of it. Borrowed from the text. */
struct check_options {
    struct str skip, experimental; /* names of rules, or "all" */
    bool error;                    /* a build with findings fails */
};
struct err check_options(const char *directive, struct check_options *ret);
bool check_skips(const struct check_options *o, const char *rule);
/* All rules over a parsed file. ignore: the context's rules, or NULL. */
struct err check_run(const struct dockerfile *f, const struct check_options *o,
                     const struct ignore *ignore, struct arena *a, struct buf *out,
                     size_t *ret_warnings);

struct checker {
    struct check_options options;
    const struct ignore *ignore;
    const struct dockerfile *file;
    struct arena *arena;
    struct buf *out;
    size_t warnings;
    /* The file so far. */
    struct strv globals; /* ARGs before FROM, with a value */
    struct strv empty;   /* those without one */
    struct strv stages;  /* names */
    /* The stage so far. */
    struct strv vars; /* ENV and ARG */
    bool in_stage, absolute, shell_set, user_set, scratch;
    bool whole_context;               /* was copied */
    const struct node *seen[I_COUNT]; /* CMD, ENTRYPOINT, HEALTHCHECK: the last one */
};
void checker_done(struct checker *c);
/* rule is looked up in the skip list; advice does not count. at: offset in the node's text. */
void check_warn(struct checker *c, const char *rule, const struct node *n, size_t at,
                const char *fmt, ...) PRINTF(5, 6);
void check_advise(struct checker *c, const char *rule, const struct node *n, const char *fmt, ...)
    PRINTF(4, 5);
/* Is this experimental rule asked for? */
bool check_wants(const struct checker *c, const char *rule);
/* A line of the file; from 1. */
struct str check_line_of(const struct dockerfile *f, unsigned line);
bool check_has(const struct strv *v, struct str name);
/* One instruction; check_stage.c. */
void check_instruction(struct checker *c, const struct instr *in);
/* After the last one. */
void check_end(struct checker *c, const struct node *last);
