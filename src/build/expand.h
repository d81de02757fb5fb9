/* build/expand.h - variables and quotes in instruction arguments.
 *
 * Understands '…', "…", the escape character, $name and ${name} with the modifiers
 * :- - :+ + :? ? # ## % %% / // (Dockerfile reference, "Environment replacement"; POSIX shell
 * section 2.6.2). Words nest. Not a shell: no commands, no arithmetic, no field splitting besides
 * expand_words().
 *
 * Foreign input: nesting, result and matching work are bounded. Pure. Errors are ERR_INVALID.
 * Tests: test/unit/build/expand.c, test/fuzz/expand.c.
 */
#pragma once
#include "base/buf.h"
#include "base/vec.h"

#define EXPAND_DEPTH_MAX 64
#define EXPAND_RESULT_MAX (1u << 20)
#define EXPAND_WORK_MAX (50u << 20) /* steps of pattern matching in one call */

struct expand {
    /* The value of a variable; NULL: not set. */
    const char *(*get)(void *arg, struct str name);
    void *arg;
    char escape;
    bool keep_quotes;   /* quote characters stay in the result */
    bool keep_escapes;  /* escape characters stay, too */
    bool ignore_quotes; /* quote characters are ordinary (heredoc bodies) */
    bool keep_unset;    /* a variable that is not set stays as it is written */
    struct strv *unset; /* collects the names that were not set; NULL: nobody asks */
};
/* Expands word; *ret is appended to. */
struct err expand_word(const struct expand *x, struct str word, struct buf *ret);
/* Expands and splits at white space that is not quoted. */
struct err expand_words(const struct expand *x, struct str word, struct strv *ret);

/* Pattern operations of ${x#p} and friends, on UTF-8 text: '*' any run, '?' one character (neither
 * matches a newline), '\' escapes. */
enum trim { TRIM_PREFIX, TRIM_PREFIX_LONG, TRIM_SUFFIX, TRIM_SUFFIX_LONG };
struct err pattern_trim(struct str value, struct str pattern, enum trim how, struct buf *ret);
struct err pattern_replace(struct str value, struct str pattern, struct str with, bool all,
                           struct buf *ret);
