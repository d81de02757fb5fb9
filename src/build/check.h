/* build/check.h - the parts of build_check. Private to build/. Tests: test/unit/build/check.c. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "build/instruction.h"

struct checker {
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
    const struct node *seen[I_COUNT]; /* CMD, ENTRYPOINT, HEALTHCHECK: the last one */
};
void checker_done(struct checker *c);
/* rule is looked up in the skip list; advice does not count. at: offset in the node's text. */
void check_warn(struct checker *c, const char *rule, const struct node *n, size_t at,
                const char *fmt, ...) PRINTF(5, 6);
void check_advise(struct checker *c, const char *rule, const struct node *n, const char *fmt, ...)
    PRINTF(4, 5);
bool check_has(const struct strv *v, struct str name);
/* One instruction; check_stage.c. */
void check_instruction(struct checker *c, const struct instr *in);
/* After the last one. */
void check_end(struct checker *c, const struct node *last);
