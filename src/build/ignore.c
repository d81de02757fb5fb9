/* build/ignore.c - the rules of an ignore file. */
#include "build/ignore.h"
#include "base/mem.h"
#include "base/path.h"
#include <stdlib.h>

void ignore_done(struct ignore *ig) {
    for (size_t i = 0; i < ig->n; i++)
        glob_done(&ig->items[i].glob);
    vec_done(ig);
}

static struct err rule_add(struct ignore *ig, struct str line) {
    bool negated = line.p[0] == '!';
    if (negated)
        line = str_trim(str_from(line, 1));
    if (line.len == 0)
        return err_new(ERR_INVALID, "illegal exclusion pattern: \"!\"");
    if (line.len > GLOB_MAX || str_has_nul(line))
        return err_new(ERR_INVALID, "pattern longer than %d bytes or with a NUL byte", GLOB_MAX);
    CLEAN_FREE
    char *clean = path_clean(line);
    struct str p = str_of(clean);
    if (p.len > 1 && p.p[0] == '/')
        p = str_from(p, 1);
    if (ig->n == IGNORE_PATTERNS_MAX)
        return err_new(ERR_INVALID, "more than %d patterns", IGNORE_PATTERNS_MAX);
    struct ignore_rule rule = {.negated = negated};
    TRY(glob_compile(p, GLOB_IGNORE, &rule.glob));
    vec_push(ig, rule);
    return OK;
}

struct err ignore_add(struct ignore *ig, const char *pattern) {
    struct str p = str_trim(str_of(pattern));
    if (p.len == 0)
        return err_new(ERR_INVALID, "empty pattern");
    return rule_add(ig, p);
}

struct err ignore_parse(struct str text, const char *file, struct ignore *ret) {
    CLEAN_IGNORE struct ignore ig = {0};
    if (text.len > IGNORE_SIZE_MAX)
        return err_new(ERR_INVALID, "%s: larger than %u bytes", file, IGNORE_SIZE_MAX);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from(text, 3);
    struct str line;
    for (unsigned n = 1; str_next(&text, '\n', &line); n++) {
        if (line.len && line.p[0] == '#')
            continue;
        line = str_trim(line);
        if (line.len)
            TRYF(rule_add(&ig, line), "%s:%u", file, n);
    }
    *ret = ig;
    ig = (struct ignore){0};
    return OK;
}

/* The rule on the path or on a directory above it. */
static bool rule_match(const struct ignore_rule *r, struct str path) {
    if (glob_match(&r->glob, path))
        return true;
    for (size_t i = 1; i < path.len; i++)
        if (path.p[i] == '/' && glob_match(&r->glob, str_sub(path, 0, i)))
            return true;
    return false;
}

bool ignore_match(const struct ignore *ig, struct str path) {
    bool ignored = false;
    for (size_t i = 0; i < ig->n; i++)
        if (ig->items[i].negated == ignored && rule_match(&ig->items[i], path))
            ignored = !ignored;
    return ignored;
}

bool ignore_has_negated(const struct ignore *ig) {
    for (size_t i = 0; i < ig->n; i++)
        if (ig->items[i].negated)
            return true;
    return false;
}
