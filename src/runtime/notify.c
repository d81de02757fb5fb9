/* sd_notify(3) through corten-runtime: the service manager that started us is told what the
 * container says, when it comes from the container and is meant for a manager.
 *
 * With NOTIFY_SOCKET in our environment, create makes a directory "notify" beside the container's
 * state and binds it where the manager's socket is outside (what crun does; an abstract address has
 * no place: /run/notify); start (or run) makes the socket in it, passes messages on
 * until the container says READY=1, or until its end when it stays in the foreground, and says then
 * which process is the main one. What the container could do harm with (MAINPID of its own numbers,
 * FDSTORE, …) is left out; descriptors that come along are closed, which is what BARRIER=1 waits
 * for. */
#include "base/file.h"
#include "base/path.h"
#include "kernel/pidfd.h"
#include "runtime/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PLACE "notify"
#define SOCKET "notify"
#define INSIDE "notify-inside" /* a link: where PLACE is in the container */
#define INSIDE_OF_ABSTRACT "/run/notify"
#define MESSAGE_MAX 4096

/* --- create ----------------------------------------------------------------------------------- */

static void add_mount(struct record *r, const char *source, const char *inside) {
    static const char *const options[] = {"bind", "nosuid", "nodev", "noexec", "ro"};
    struct oci_config *c = &r->config;
    struct oci_mount *items = arena_array(&r->arena, c->mounts.n + 1, sizeof(*items));
    if (c->mounts.n)
        memcpy(items, c->mounts.items, c->mounts.n * sizeof(*items));
    struct oci_mount *m = &items[c->mounts.n];
    *m = (struct oci_mount){.destination = arena_strz(&r->arena, inside),
                            .type = (char *)"bind",
                            .source = arena_strz(&r->arena, source)};
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        strs_add(&m->options, &r->arena, options[i]);
    c->mounts = (struct objs){.items = items, .n = c->mounts.n + 1, .present = true};
}

static void set_variable(struct record *r, const char *inside) {
    struct strs env = {.present = true};
    const struct strs *have = &r->config.process->env;
    for (size_t i = 0; i < have->n; i++)
        if (strncmp(have->items[i], "NOTIFY_SOCKET=", 14) != 0)
            strs_add(&env, &r->arena, have->items[i]);
    strs_add(&env, &r->arena, arena_printf(&r->arena, "NOTIFY_SOCKET=%s/" SOCKET, inside));
    r->config.process->env = env;
}

static char *place_inside(const char *manager) {
    return manager[0] == '/' ? path_clean(str_of(manager)) : mem_strdup(INSIDE_OF_ABSTRACT);
}

char *notify_inside(const struct record *r) {
    char path[PATH_MAX];
    ssize_t n = readlinkat(r->dir, INSIDE, path, sizeof(path) - 1);
    return n > 0 ? str_dup(str_n(path, (size_t)n)) : NULL;
}

struct err notify_prepare(struct record *r, const char *root) {
    const char *manager = getenv("NOTIFY_SOCKET");
    char place[PATH_MAX], real[PATH_MAX];
    if (!manager || !manager[0] || !r->config.process)
        return OK;
    if (mkdirat(r->dir, PLACE, 0755) < 0 || fchmodat(r->dir, PLACE, 0755, 0) < 0)
        return err_errno(errno, "NOTIFY_SOCKET: make a directory");
    int n = snprintf(place, sizeof(place), "%s/%s/" PLACE, root, r->id);
    if (n >= (int)sizeof(place) || !realpath(place, real))
        return err_errno(n >= (int)sizeof(place) ? ENAMETOOLONG : errno, "NOTIFY_SOCKET: '%s'",
                         place);
    CLEAN_FREE char *inside = place_inside(manager);
    if (symlinkat(inside, r->dir, INSIDE) < 0)
        return err_errno(errno, "NOTIFY_SOCKET: remember '%s'", inside);
    add_mount(r, real, inside);
    set_variable(r, inside);
    return OK;
}

/* --- start ------------------------------------------------------------------------------------ */

struct err notify_listen(const struct record *r, int *ret_fd) {
    const char *manager = getenv("NOTIFY_SOCKET");
    *ret_fd = -1;
    if (!manager || !manager[0])
        return OK;
    CLEAN_FD int dir = openat(r->dir, PLACE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? OK : err_errno(errno, "NOTIFY_SOCKET: open a directory");
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "NOTIFY_SOCKET: make a socket");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" SOCKET, dir);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0777) < 0)
        return err_errno(errno, "NOTIFY_SOCKET: bind");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* --- passing on ------------------------------------------------------------------------------- */

static bool is_harmless(struct str line) {
    static const char *const names[] = {"READY=",         "RELOADING=",     "STOPPING=",
                                        "STATUS=",        "ERRNO=",         "BUSERROR=",
                                        "WATCHDOG=1",     "WATCHDOG_USEC=", "EXTEND_TIMEOUT_USEC=",
                                        "MONOTONIC_USEC="};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_starts(line, str_of(names[i])))
            return true;
    return false;
}

static struct err send_on(struct str text) {
    const char *manager = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(manager);
    if (n >= sizeof(a.sun_path) || (manager[0] != '/' && manager[0] != '@'))
        return err_new(ERR_UNSUPPORTED, "NOTIFY_SOCKET '%s' is not supported", manager);
    memcpy(a.sun_path, manager, n);
    if (manager[0] == '@')
        a.sun_path[0] = '\0';
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd < 0 || sendto(fd, text.p, text.len, MSG_NOSIGNAL, (struct sockaddr *)&a, len) < 0)
        return err_errno(errno, "NOTIFY_SOCKET '%s'", manager);
    return OK;
}

struct err notify_pass(int fd, pid_t pid, bool *ret_ready) {
    char text[MESSAGE_MAX];
    /* No room for control data: the kernel closes what comes along. */
    ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? OK : err_errno(errno, "NOTIFY_SOCKET: receive");
    CLEAN_BUF struct buf out = {0};
    struct str rest = str_n(text, (size_t)n), line;
    bool ready = false;
    while (str_next(&rest, '\n', &line)) {
        if (!is_harmless(line))
            continue;
        buf_addf(&out, "%.*s\n", STR_ARG(line));
        ready |= str_eqz(line, "READY=1");
    }
    if (ready)
        buf_addf(&out, "MAINPID=%d\n", (int)pid);
    if (out.len)
        TRY(send_on(buf_str(&out)));
    *ret_ready = *ret_ready || ready;
    return OK;
}

struct err notify_await_ready(int fd, pid_t pid, int pidfd) {
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    bool ready = false;
    while (!ready) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return err_errno(errno, "poll");
        if (p[0].revents)
            TRY(notify_pass(fd, pid, &ready));
        else if (p[1].revents)
            return OK; /* it has ended without a word */
    }
    return OK;
}
