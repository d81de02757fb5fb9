/* What a listener lets through. */
#include "api/api.h"
#include "base/path.h"
#include <string.h>

/* '*' stands for any text, slashes too. */
static bool matches(struct str pattern, struct str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

static bool allows(const struct api_policy *p, struct str method, struct str path) {
    for (size_t i = 0; p->allow[i]; i++) {
        struct str m, pattern;
        str_cut(str_of(p->allow[i]), ' ', &m, &pattern);
        if ((str_eq(m, method) || str_eqz(m, "*")) && matches(pattern, path))
            return true;
    }
    return false;
}

/* A GET that opens a container's stdin, or reads files that may hold secrets, is no mere look. */
static bool is_look(struct str method, struct str path) {
    static const char *const deeper[] = {"/containers/*/attach/ws", "/containers/*/archive",
                                         "/containers/*/export", "/images/get", "/images/*/get"};
    if (!str_eqz(method, "GET") && !str_eqz(method, "HEAD"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(deeper); i++)
        if (matches(str_of(deeper[i]), path))
            return false;
    return true;
}

struct err api_policy_check(const struct api_policy *p, struct str method, struct str path) {
    if (!p)
        return OK;
    if (p->read_only && !is_look(method, path))
        return err_new(ERR_FORBIDDEN, "this listener is read-only: %.*s %.*s is not allowed",
                       STR_ARG(method), STR_ARG(path));
    if (p->allow && !str_eqz(path, "/_ping") && !allows(p, method, path))
        return err_new(ERR_FORBIDDEN, "this listener does not allow %.*s %.*s", STR_ARG(method),
                       STR_ARG(path));
    return OK;
}
