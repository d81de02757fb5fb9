/* The last steps of a launch: working directory, user, capabilities, filter, execve. */
#include "kernel/beneath.h"
#include "kernel/spawn.h"
#include "runtime/launch.h"
#include "runtime/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- working directory
 * ------------------------------------------------------------------------------- */

/* Resolved below the root without magic links, so /proc/self/fd/N leads nowhere; and getcwd must
 * see it inside (CVE-2024-21626). */
static struct err enter_cwd(const struct launch *l) {
    const char *cwd = l->process->cwd;
    CLEAN_FD int fd = -1;
    struct err e = beneath_open(l->root, cwd, O_PATH | O_DIRECTORY, 0, &fd);
    if (err_failed(e)) {
        int errnum = err_errnum(e);
        enum err_kind kind = err_kind(e);
        err_free(e);
        return err_new(kind, "chdir to cwd (\"%s\") set in config.json failed: %s", cwd,
                       errnum == ENOENT ? "no such file or directory" : strerror(errnum));
    }
    if (fchdir(fd) < 0)
        return err_kind_errno(errno == EACCES ? ERR_FORBIDDEN : ERR_SYSTEM, errno,
                              "chdir to cwd (\"%s\")", cwd);
    char seen[PATH_MAX + 16];
    long n = syscall(SYS_getcwd, seen, sizeof(seen));
    if (n < 1 || seen[0] != '/')
        return err_new(ERR_FORBIDDEN, "working directory '%s' is outside of the container", cwd);
    return OK;
}

/* --- which program
 * --------------------------------------------------------------------------------------- */

static const char *search_path(const struct strs *env) {
    const char *found = DEFAULT_PATH;
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->items[i], "PATH=", 5) == 0)
            found = env->items[i] + 5;
    return found;
}

/* 0, or the errno with which it cannot be executed. */
static int executable(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return st.st_mode & 0111 ? 0 : EACCES;
}

static struct err find_direct(const char *name, char ret[PATH_MAX]) {
    int errnum = executable(name);
    if (errnum == ENOENT || errnum == ENOTDIR)
        return err_new(ERR_NOT_FOUND, "exec: \"%s\": stat %s: %s", name, name,
                       errnum == ENOENT ? "no such file or directory" : "not a directory");
    if (errnum == EISDIR)
        return err_new(ERR_FORBIDDEN, "exec: \"%s\": is a directory", name);
    if (errnum)
        return err_new(ERR_FORBIDDEN, "exec: \"%s\": permission denied", name);
    if (strlen(name) >= PATH_MAX)
        return err_errno(ENAMETOOLONG, "exec: \"%s\"", name);
    snprintf(ret, PATH_MAX, "%s", name);
    return OK;
}

static struct err find_program(const struct oci_process *p, char ret[PATH_MAX]) {
    const char *name = p->args.items[0];
    if (strchr(name, '/'))
        return find_direct(name, ret);
    struct str rest = str_of(search_path(&p->env)), dir;
    bool denied = false;
    while (str_next(&rest, ':', &dir)) {
        /* An empty entry is the working directory. */
        int n = snprintf(ret, PATH_MAX, "%.*s/%s", STR_ARG(dir.len ? dir : STR(".")), name);
        if (n >= PATH_MAX)
            continue;
        int errnum = executable(ret);
        if (errnum == 0)
            return OK;
        denied |= errnum == EACCES;
    }
    if (denied)
        return err_new(ERR_FORBIDDEN, "exec: \"%s\": permission denied", name);
    return err_new(ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
}

/* --- identity
 * ------------------------------------------------------------------------------------------------
 */

static struct err set_ids(const struct launch *l) {
    const struct oci_user *u = &l->process->user;
    umask(u->umask ? (mode_t)*u->umask : 0022);
    /* Where the user namespace denies setgroups there are none to be had, and none to be lost. */
    bool denied = l->in_userns && !l->gids_n;
    if (!l->keep_groups && setgroups(l->gids_n, l->gids) < 0 && !(denied && errno == EPERM))
        return err_errno(errno, "set additional groups");
    if (setresgid(u->gid, u->gid, u->gid) < 0)
        return err_errno(errno, "set gid %u", u->gid);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_errno(errno, "keep capabilities");
    if (setresuid(u->uid, u->uid, u->uid) < 0)
        return err_errno(errno, "set uid %u", u->uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return err_errno(errno, "keep capabilities");
    /* A change of ids may have made the process dumpable or not by suid_dumpable: not it is. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    return OK;
}

static struct err load_filter(const struct launch *l) {
    if (!l->seccomp)
        return OK;
    if (l->listens)
        return listener_install(l->sync, l->seccomp, l->seccomp_flags, l->unprivileged);
    int r = seccomp_install(l->seccomp->items, l->seccomp->n, l->seccomp_flags);
    return r < 0 ? err_errno(r, "load seccomp filter") : OK;
}

/* The filter goes on as late as it can: without no_new_privs that needs CAP_SYS_ADMIN, which is
 * given up by the very last capset; so a profile must allow only capset and execve of our own
 * calls. */
static struct err set_privileges(const struct launch *l) {
    int r = caps_bound(l->caps.bounding);
    if (r < 0)
        return err_errno(r, "drop capabilities from the bounding set");
    TRY(set_ids(l));
    uint64_t all = l->possible;
    if ((r = caps_set(all, all, l->caps.inheritable)) < 0)
        return err_errno(r, "set capabilities");
    if ((r = caps_set_ambient(l->caps.ambient)) < 0)
        return err_errno(r, "set ambient capabilities");
    /* Changes of ids and capabilities reset it: after them. */
    if (l->die_with_caller && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_PDEATHSIG)");
    if (l->process->no_new_privileges) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            return err_errno(errno, "set no_new_privs");
    } else {
        TRY(load_filter(l));
    }
    if ((r = caps_set(l->caps.effective, l->caps.permitted, l->caps.inheritable)) < 0)
        return err_errno(r, "set capabilities");
    return l->process->no_new_privileges ? load_filter(l) : OK;
}

/* --- exec
 * --------------------------------------------------------------------------------------------------------
 */

static char **vector(const struct strs *v) {
    char **out = mem_array(v->n + 1, sizeof(*out));
    if (v->n)
        memcpy(out, v->items, v->n * sizeof(*out));
    out[v->n] = NULL;
    return out;
}

/* corten-init first, then the program's own arguments. */
static const char **init_vector(const struct strs *args) {
    const char **out = mem_array(args->n + 3, sizeof(*out));
    out[0] = "corten-init";
    out[1] = "--";
    memcpy(out + 2, args->items, args->n * sizeof(*out));
    out[args->n + 2] = NULL;
    return out;
}

/* Everything but the standard streams and what the caller hands on. */
static struct err close_others(const struct launch *l) {
    int r = spawn_close_from(3 + (int)l->preserve_fds);
    return r < 0 ? err_errno(r, "close descriptors") : OK;
}

/* The environment with the number of the socket in it; the socket outlives the execve. */
static char **own_environment(const struct launch *l, char **env) {
    size_t n = 0;
    while (env[n])
        n++;
    char **out = mem_array(n + 2, sizeof(*out));
    memcpy(out, env, n * sizeof(*out));
    out[n] = mem_printf("%s=%d", RUNTIME_OWN_FD, l->stdio.own_socket);
    out[n + 1] = NULL;
    return out;
}

static bool is_own(const struct launch *l, struct err e) {
    return err_kind(e) == ERR_NOT_FOUND && l->stdio.own > 0 && l->stdio.own_socket > 0 &&
           strcmp(l->process->args.items[0], RUNTIME_OWN_NAME) == 0;
}

static void execute(const struct launch *l, const char *path, char **argv, char **env) {
    if (l->init_fd > 0)
        syscall(SYS_execveat, l->init_fd, "", argv, env, AT_EMPTY_PATH);
    else
        execve(path, argv, env);
}

struct err launch_program(struct launch *l) {
    TRY(enter_cwd(l));
    char path[PATH_MAX];
    struct err missing = find_program(l->process, path);
    bool own = is_own(l, missing);
    if (!own)
        TRY(missing);
    err_free(missing); /* NULL, or ours is there */
    bool init = l->init_fd > 0;
    char **argv = init ? (char **)init_vector(&l->process->args) : vector(&l->process->args);
    char **env = launch_environment(l);
    TRY(launch_labels(l));
    TRY(launch_attributes(l));
    TRY(launch_rlimits(l)); /* late: a small limit must not hit our own work */
    /* Everything else has done its duty. The socket to the parent is among them and CLOEXEC. */
    TRY(close_others(l));
    TRY(set_privileges(l));
    if (own) {
        fcntl(l->stdio.own_socket, F_SETFD, 0);
        syscall(SYS_execveat, l->stdio.own, "", argv, own_environment(l, env), AT_EMPTY_PATH);
    } else {
        execute(l, path, argv, env);
    }
    int errnum = errno;
    enum err_kind kind = errnum == ENOENT || errnum == ENOTDIR                      ? ERR_NOT_FOUND
                         : errnum == EACCES || errnum == EPERM || errnum == ENOEXEC ? ERR_FORBIDDEN
                                                                                    : ERR_SYSTEM;
    if (errnum == EACCES)
        return err_new(kind, "exec: \"%s\": permission denied", l->process->args.items[0]);
    return err_new(kind, "exec %s: %s", path,
                   errnum == ENOENT    ? "no such file or directory"
                   : errnum == ENOEXEC ? "exec format error"
                                       : strerror(errnum));
}
