/* build/ignore.h - .dockerignore (Dockerfile reference, ".dockerignore file").
 *
 * One pattern per line; '#' comments; '!' takes back; the last pattern that matches wins; a pattern
 * that matches a directory matches what is below it. Patterns are cleaned and relative to the
 * context's root. Foreign input: at most IGNORE_PATTERNS_MAX patterns.
 * Tests: test/unit/build/ignore.c, test/fuzz/ignore.c.
 */
#pragma once
#include "base/buf.h"
#include "base/vec.h"
#include "build/glob.h"

#define IGNORE_SIZE_MAX (1u << 20)
#define IGNORE_PATTERNS_MAX 10000

struct ignore_rule {
    struct glob glob;
    bool negated;
};
struct ignore VEC_BODY(struct ignore_rule);

/* file is the name for messages. */
struct err ignore_parse(struct str text, const char *file, struct ignore *ret);
/* One more pattern (COPY --exclude). */
struct err ignore_add(struct ignore *i, const char *pattern);
void ignore_done(struct ignore *i);
#define CLEAN_IGNORE OWN(ignore_done)
/* Is path ("a/b/c", cleaned, relative) left out? */
bool ignore_match(const struct ignore *i, struct str path);
/* May something below this ignored directory still be wanted (is there any '!' rule)? */
bool ignore_has_negated(const struct ignore *i);
