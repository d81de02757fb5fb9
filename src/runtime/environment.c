/* The environment of a program: process.env, and HOME where that does not say it. */
#include "base/buf.h"
#include "base/mem.h"
#include "kernel/beneath.h"
#include "runtime/launch.h"
#include <string.h>

#define PASSWD_MAX (1u << 20) /* a larger one says nothing (row 37 of the security reference) */

/* passwd(5): name:password:uid:gid:gecos:home:shell. */
static bool home_of_line(struct str line, uint32_t uid, struct str *ret) {
    struct str f[7] = {0};
    for (size_t i = 0; i < ARRAY_LEN(f); i++)
        str_cut(line, ':', &f[i], &line);
    uint64_t n;
    struct err e = str_to_u64(f[2], UINT32_MAX, &n);
    bool matches = !err_failed(e) && n == uid && f[5].len;
    err_ignore(e); /* a line that is none */
    if (matches)
        *ret = f[5];
    return matches;
}

static char *find_home(const struct launch *l) {
    CLEAN_BUF struct buf text = {0};
    /* An image without the file, or with something else there, has no homes. */
    err_ignore(beneath_read(l->root, "/etc/passwd", PASSWD_MAX, &text));
    struct str rest = buf_str(&text), line, home;
    while (str_next(&rest, '\n', &line))
        if (home_of_line(line, l->process->user.uid, &home))
            return mem_printf("HOME=%.*s", STR_ARG(home));
    return mem_strdup("HOME=/");
}

char **launch_environment(const struct launch *l) {
    const struct strs *v = &l->process->env;
    char **out = mem_array(v->n + 2, sizeof(*out));
    bool has_home = false;
    for (size_t i = 0; i < v->n; i++) {
        out[i] = v->items[i];
        has_home |= strncmp(v->items[i], "HOME=", 5) == 0;
    }
    out[v->n] = has_home ? NULL : find_home(l);
    out[v->n + 1] = NULL;
    return out;
}
