/* build/glob.h - file name patterns: COPY sources and .dockerignore lines.
 *
 * Two dialects. GLOB_PATH is Go's path/filepath.Match: '*' any run without '/', '?' one character
 * but '/', '[a-z]' '[^a]' a class, '\' escapes, the whole name must match. GLOB_IGNORE adds '**':
 * any number of directories.
 *
 * Foreign input, both sides. Matching moves a set of positions over the name: time is length times
 * length, never exponential. Tests: test/unit/build/ignore.c, test/fuzz/ignore.c.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

#define GLOB_MAX 4096 /* bytes of a pattern */

enum glob_dialect { GLOB_PATH, GLOB_IGNORE };
struct glob_token;
struct glob {
    struct glob_token *tokens;
    size_t n;
};
/* ERR_INVALID for a class without end, an escape at the end, a pattern that is too long. */
struct err glob_compile(struct str pattern, enum glob_dialect dialect, struct glob *ret);
void glob_done(struct glob *g);
bool glob_match(const struct glob *g, struct str name);
/* Does the text have a character that makes it a pattern? (Escaped ones count, too.) */
bool glob_is_pattern(struct str text);
