#include "base/path.h"
#include "base/mem.h"
#include <stdlib.h>
#include <unistd.h>

char *path_join(const char *a, const char *b) {
    struct str left = str_of(a);
    while (left.len && left.p[left.len - 1] == '/')
        left.len--;
    while (*b == '/')
        b++;
    if (left.len == 0 && a[0] != '/')
        return mem_strdup(b); /* "" joined with b is b */
    return mem_printf("%.*s/%s", (int)left.len, left.p, b);
}

char *path_clean(struct str path) {
    CLEAN_BUF struct buf out = {0};
    bool rooted = path_is_abs(path);
    size_t floor = rooted ? 1 : 0; /* ".." cannot go below: the root, or leading "../.." */
    struct str part;
    if (rooted)
        buf_addc(&out, '/');
    while (str_next(&path, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR(".")))
            continue;
        bool up = str_eq(part, STR(".."));
        if (up && out.len > floor) {
            ssize_t slash = str_rfind(buf_str(&out), '/');
            buf_truncate(&out, slash < (ssize_t)floor ? floor : (size_t)slash);
            continue;
        }
        if (up && rooted)
            continue;
        if (out.len > (rooted ? 1u : 0u))
            buf_addc(&out, '/');
        buf_add_str(&out, part);
        if (up)
            floor = out.len;
    }
    if (out.len == 0)
        buf_addc(&out, '.');
    return buf_take(&out);
}

struct str path_base(struct str path) {
    while (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--;
    if (path.len == 0)
        return STR(".");
    if (path.len == 1 && path.p[0] == '/')
        return path;
    return str_from(path, (size_t)(str_rfind(path, '/') + 1));
}

struct str path_dir(struct str path) {
    ssize_t slash = str_rfind(path, '/');
    if (slash < 0)
        return STR(".");
    struct str dir = str_sub(path, 0, (size_t)slash);
    while (dir.len && dir.p[dir.len - 1] == '/')
        dir.len--;
    return dir.len ? dir : STR("/");
}

bool path_is_abs(struct str path) {
    return path.len > 0 && path.p[0] == '/';
}

bool path_is_name(struct str name) {
    return name.len > 0 && name.len <= 255 && !str_has_nul(name) && str_find(name, '/') < 0 &&
           !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
}

char *path_find_program(const char *name) {
    const char *path = getenv("PATH");
    struct str rest = str_of(path && *path ? path : "/usr/local/bin:/usr/bin:/bin"), dir;
    while (str_next(&rest, ':', &dir)) {
        char *full = mem_printf("%.*s/%s", STR_ARG(dir), name);
        if (dir.len && access(full, X_OK) == 0)
            return full;
        free(full);
    }
    return NULL;
}
