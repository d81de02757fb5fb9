/* helper.c - programs that the command line starts. */
#include "cli/helper.h"
#include "base/file.h"
#include "base/path.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELPER_OUT_MAX (1u << 20)

struct err helper_beside(const char *program, char **ret) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return err_errno(errno, "corten: find this program's own path");
    struct str dir = path_dir(str_n(self, (size_t)n));
    *ret = mem_printf("%.*s/%s", STR_ARG(dir), program);
    return OK;
}

static struct err start(const char *path, char *const *argv, int in, int out, struct spawned *ret) {
    const struct spawn_fd fds[] = {{in, 0}, {out, 1}, {2, 2}};
    struct spawn s = {
        .program = path, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    return err_wrap(spawn(&s, ret), "corten: start %s", path);
}

struct err helper_dial(const char *path, char *const *argv, int *ret_fd) {
    int pair[2];
    struct spawned p;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(errno, "corten: socketpair");
    CLEAN_FD int ours = pair[0];
    CLEAN_FD int theirs = pair[1];
    TRY(start(path, argv, theirs, theirs, &p));
    fd_close(p.pidfd); /* it ends when the socket does; init reaps what outlives us */
    *ret_fd = TAKE_FD(ours);
    return OK;
}

static struct err exchange(const char *path, char *const *argv, struct str in, struct buf *ret,
                           int *ret_status) {
    int to[2], from[2];
    struct spawned p;
    struct pidfd_exit x;
    if (pipe2(to, O_CLOEXEC) < 0)
        return err_errno(errno, "corten: pipe");
    CLEAN_FD int to_read = to[0];
    CLEAN_FD int to_write = to[1];
    if (pipe2(from, O_CLOEXEC) < 0)
        return err_errno(errno, "corten: pipe");
    CLEAN_FD int from_read = from[0];
    CLEAN_FD int from_write = from[1];
    TRY(start(path, argv, to_read, from_write, &p));
    to_read = fd_close(to_read);
    from_write = fd_close(from_write);
    fd_write_all(to_write, in.p, in.len); /* one that does not read its input says so itself */
    to_write = fd_close(to_write);
    ret->max = HELPER_OUT_MAX;
    int r = fd_read_buf(from_read, ret);
    struct err e = pidfd_reap(p.pidfd, &x);
    fd_close(p.pidfd);
    TRY(e);
    if (r < 0)
        return err_errno(-r, "corten: read from %s", path);
    *ret_status = x.code;
    return OK;
}

struct err helper_run(const char *store, const char *verb, struct str in, struct buf *ret,
                      bool *ret_found) {
    CLEAN_FREE char *name = mem_printf("docker-credential-%s", store);
    CLEAN_FREE char *path = strchr(store, '/') ? NULL : path_find_program(name);
    char *argv[] = {name, (char *)verb, NULL};
    int status = 0;
    if (!path)
        return err_new(ERR_NOT_FOUND,
                       "corten: credential helper %s is not in $PATH: install it, or take "
                       "\"credsStore\" out of config.json",
                       name);
    TRY(exchange(path, argv, in, ret, &status));
    *ret_found = status == 0;
    struct str said = str_trim(buf_str(ret));
    if (status != 0 && str_find_str(said, STR("credentials not found")) < 0)
        return err_new(ERR_SYSTEM, "corten: %s %s: %.*s", name, verb, STR_ARG(said));
    return OK;
}
