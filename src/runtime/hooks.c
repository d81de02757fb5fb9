#include "runtime/hooks.h"
#include "base/file.h"
#include "base/vec.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "spec/runtime_state.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_S 600

/* The host's procfs is still at /proc: the link is the pid that the host sees. */
static pid_t host_pid(void) {
    char text[16];
    ssize_t n = readlink("/proc/self", text, sizeof(text));
    uint64_t pid = 0;
    err_ignore(str_to_u64(str_n(text, n > 0 ? (size_t)n : 0), INT32_MAX, &pid)); /* 0: unknown */
    return (pid_t)pid;
}

/* A file in memory: a hook that does not read it blocks nobody. */
static struct err state_file(const struct runtime_create_options *o, const char *status, pid_t pid,
                             int *ret_fd) {
    struct oci_state s = {
        .oci_version = o->config->oci_version,
        .id = (char *)o->id,
        .status = (char *)status,
        .pid = pid,
        .bundle = (char *)(o->bundle ? o->bundle : "/"),
        .rootfs = o->config->root->path,
        .annotations = o->config->annotations,
    };
    CLEAN_BUF struct buf text = {0};
    fields_print(&oci_state_fields, &s, &text);
    CLEAN_FD int fd = memfd_create("state", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(errno, "hand over the state");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static void vector(const struct strs *v, struct strv *ret) {
    for (size_t i = 0; i < v->n; i++)
        strv_add(ret, v->items[i]);
}

static struct err await(const struct oci_hook *h, int pidfd) {
    int64_t seconds = h->timeout ? *h->timeout : TIMEOUT_DEFAULT_S;
    bool ended = pidfd_wait(pidfd, (int)(seconds * 1000));
    if (!ended)
        err_ignore(pidfd_signal(pidfd, SIGKILL)); /* it is told as a timeout */
    struct pidfd_exit x;
    TRY(pidfd_reap(pidfd, &x));
    if (!ended)
        return err_new(ERR_TIMEOUT, "not done within %lld s", (long long)seconds);
    if (x.signo)
        return err_new(ERR_SYSTEM, "killed by signal %d", x.signo);
    return x.code ? err_new(ERR_SYSTEM, "exit status %d", x.code) : OK;
}

static struct err run_one(const struct oci_hook *h, int state) {
    CLEAN_STRV struct strv args = {0}, env = {0};
    vector(&h->args, &args);
    vector(&h->env, &env);
    if (!args.n)
        strv_add(&args, h->path);
    if (lseek(state, 0, SEEK_SET) < 0)
        return err_errno(errno, "hand over the state");
    const struct spawn_fd fds[] = {{state, 0}, {1, 1}, {2, 2}};
    struct spawn s = {
        .program = h->path,
        .argv = strv_argv(&args),
        .env = h->env.present ? strv_argv(&env) : environ,
        .fds = fds,
        .fds_n = ARRAY_LEN(fds),
    };
    struct spawned child;
    TRY(spawn(&s, &child));
    CLEAN_FD int pidfd = child.pidfd;
    return await(h, pidfd);
}

struct err hooks_run(const struct objs *hooks, const char *kind,
                     const struct runtime_create_options *o, const char *status, pid_t pid) {
    const struct oci_hook *h = hooks->items;
    CLEAN_FD int state = -1;
    if (!hooks->n)
        return OK;
    TRY(state_file(o, status, pid ? pid : host_pid(), &state));
    for (size_t i = 0; i < hooks->n; i++)
        TRYF(run_one(&h[i], state), "hooks.%s: '%s'", kind, h[i].path);
    return OK;
}
