/* client/dial.c - ssh:// and tls:// hosts, each through a program. */
#include "client/dial.h"
#include "base/path.h"
#include "base/vec.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

bool dial_is_foreign(const char *host) {
    return !strncmp(host, "ssh://", 6) || !strncmp(host, "tls://", 6);
}

static struct err start(const char *program, struct strv *argv, int *ret_fd) {
    int pair[2];
    struct spawned p;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(errno, "corten: socketpair");
    CLEAN_FD int ours = pair[0];
    CLEAN_FD int theirs = pair[1];
    const struct spawn_fd fds[] = {{theirs, 0}, {theirs, 1}, {2, 2}};
    struct spawn s = {.program = program,
                      .argv = strv_argv(argv),
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds)};
    TRYF(spawn(&s, &p), "corten: start %s", program);
    fd_close(p.pidfd); /* it ends with the socket; init reaps what outlives us */
    *ret_fd = TAKE_FD(ours);
    return OK;
}

/* ssh://[user@]host[:port][/path of the socket there] */
static struct err dial_ssh(const char *host, int *ret_fd) {
    static const char plain[] = "if command -v docker >/dev/null 2>&1; then exec docker%s system "
                                "dial-stdio; else exec corten%s system dial-stdio; fi";
    CLEAN_STRV struct strv argv = {0};
    CLEAN_FREE char *program = path_find_program("ssh");
    CLEAN_FREE char *socket_option = NULL;
    struct str rest = str_of(host + 6), where, path, user, name, port;
    bool has_path = str_cut(rest, '/', &where, &path);
    bool has_user = str_cut(where, '@', &user, &name);
    if (!has_user)
        name = where;
    bool has_port = str_cut(name, ':', &name, &port);
    if (!program)
        return err_new(ERR_UNAVAILABLE, "corten: 'ssh' is not in $PATH: it is needed for %s", host);
    if (!name.len || name.p[0] == '-' || (user.len && user.p[0] == '-' && has_user))
        return err_new(ERR_INVALID, "corten: host '%s': want ssh://[user@]host[:port]", host);
    for (size_t i = 0; i < path.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-",
                    path.p[i]))
            return err_new(ERR_INVALID, "corten: host '%s': a plain path, please", host);
    strv_add(&argv, "ssh");
    strv_add(&argv, "-o");
    strv_add(&argv, "ConnectTimeout=30");
    strv_add(&argv, "-T");
    if (has_user) {
        strv_add(&argv, "-l");
        strv_addf(&argv, "%.*s", STR_ARG(user));
    }
    if (has_port) {
        strv_add(&argv, "-p");
        strv_addf(&argv, "%.*s", STR_ARG(port));
    }
    strv_add(&argv, "--");
    strv_addf(&argv, "%.*s", STR_ARG(name));
    socket_option = has_path && path.len ? mem_printf(" -H unix:///%.*s", STR_ARG(path))
                                         : mem_strdup("");
    CLEAN_BUF struct buf command = {0};
    buf_addf(&command, plain, socket_option, socket_option);
    strv_add(&argv, buf_cstr(&command));
    return start(program, &argv, ret_fd);
}

/* %XX and plus signs of a query's value. */
static void unescape(struct str s, struct buf *out) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        const char *high = s.p[i] == '%' && i + 2 < s.len ? strchr(digits, s.p[i + 1]) : NULL,
                   *low = high ? strchr(digits, s.p[i + 2]) : NULL;
        if (low && *high && *low) {
            buf_addc(out, (char)((high - digits) << 4 | (low - digits)));
            i += 2;
        } else {
            buf_addc(out, s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
}

/* tls://HOST:PORT?ca=…&cert=…&key=… → corten-dial HOST PORT CA CERT KEY, "" for none. */
static struct err dial_tls(const char *host, int *ret_fd) {
    CLEAN_STRV struct strv argv = {0};
    struct buf values[3] = {{0}, {0}, {0}};
    static const char *const keys[] = {"ca", "cert", "key"};
    char self[PATH_MAX];
    struct str where, query, name, port, one, key, value;
    str_cut(str_of(host + 6), '?', &where, &query);
    ssize_t colon = str_rfind(where, ':');
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (colon < 1 || n <= 0)
        return err_new(ERR_INVALID, "corten: host '%.*s': want tcp://HOST:PORT", STR_ARG(where));
    name = str_sub(where, 0, (size_t)colon);
    port = str_from(where, (size_t)colon + 1);
    if (str_starts(name, STR("[")) && str_ends(name, STR("]")))
        name = str_sub(name, 1, name.len - 1);
    while (str_next(&query, '&', &one)) {
        str_cut(one, '=', &key, &value);
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (str_eqz(key, keys[i]))
                unescape(value, &values[i]);
    }
    strv_add(&argv, "corten-dial");
    strv_addf(&argv, "%.*s", STR_ARG(name));
    strv_addf(&argv, "%.*s", STR_ARG(port));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        strv_add(&argv, buf_cstr(&values[i]));
        buf_done(&values[i]);
    }
    struct str dir = path_dir(str_n(self, (size_t)n));
    CLEAN_FREE char *program = mem_printf("%.*s/corten-dial", STR_ARG(dir));
    return start(program, &argv, ret_fd);
}

struct err dial_foreign(const char *host, int *ret_fd) {
    return host[0] == 's' ? dial_ssh(host, ret_fd) : dial_tls(host, ret_fd);
}
