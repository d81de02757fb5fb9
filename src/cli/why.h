/* why.h - `corten why SUBJECT`: what went wrong, said in words. Private to cli/.
 *
 * A subject is a command "why <subject>" in a file of its own (why_<subject>.c), one row in
 * commands.h: dead, name, cache, disk; unreachable. Each asks the daemon, fills a struct why, and
 * ends with why_end. With --json the answer is one object, stable: {"subject","of","cause",
 * "facts":[…],"next":[…]}. The exit status is 0 when the question was answered, 1 when it could not
 * be asked. Tests: test/e2e/t8310-why.sh. */
#pragma once
#include "cli/commands.h"

struct why {
    struct invocation *in;
    const char *subject, *of; /* "dead", "web" */
    struct buf cause;         /* one sentence; the first that is found */
    struct strv facts, next;  /* what was seen; what to do, command lines where possible */
};
/* The cause, unless one is known already: subjects go from the most to the least certain. */
void why_cause(struct why *w, const char *fmt, ...) PRINTF(2, 3);
bool why_known(const struct why *w);
void why_fact(struct why *w, const char *fmt, ...) PRINTF(2, 3);
void why_next(struct why *w, const char *fmt, ...) PRINTF(2, 3);
/* Prints it, and gives w back; consumes e, which takes precedence. */
int why_end(struct why *w, struct err e);
