/* User namespaces: the id maps (user_namespaces(7)), written by the parent, and the step of a
 * process into the ids of its new namespace. */
#include "base/file.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELPER_TIMEOUT_MS 10000

bool userns_is_new(const struct oci_config *c) {
    const char *path = NULL;
    return oci_namespace(c, "user", &path) && !path;
}

static void map_text(const struct objs *v, struct buf *out) {
    const struct oci_id_mapping *m = v->items;
    for (size_t i = 0; i < v->n; i++)
        buf_addf(out, "%u %u %u\n", m[i].container_id, m[i].host_id, m[i].size);
}

static struct err write_map(pid_t pid, const char *file, struct str text) {
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    CLEAN_FD int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(errno, "open %s", path);
    /* One write(2): the kernel takes a map whole or not at all. */
    if (write(fd, text.p, text.len) != (ssize_t)text.len)
        return err_errno(errno, "write %s", path);
    return OK;
}

/* newuidmap(1) and newgidmap(1): set-uid programs that map what /etc/subuid grants the caller. */
static struct err run_helper(const char *program, pid_t pid, const struct objs *v) {
    CLEAN_STRV struct strv args = {0};
    const struct oci_id_mapping *m = v->items;
    strv_add(&args, program);
    strv_addf(&args, "%d", (int)pid);
    for (size_t i = 0; i < v->n; i++) {
        strv_addf(&args, "%u", m[i].container_id);
        strv_addf(&args, "%u", m[i].host_id);
        strv_addf(&args, "%u", m[i].size);
    }
    const struct spawn_fd fds[] = {{2, 2}};
    struct spawn s = {.program = program, .argv = strv_argv(&args), .fds = fds, .fds_n = 1};
    struct spawned child;
    TRY(spawn(&s, &child));
    CLEAN_FD int pidfd = child.pidfd;
    if (!pidfd_wait(pidfd, HELPER_TIMEOUT_MS))
        err_ignore(pidfd_signal(pidfd, SIGKILL)); /* its status tells */
    struct pidfd_exit x;
    TRY(pidfd_reap(pidfd, &x));
    return pidfd_exit_status(&x)
               ? err_new(ERR_FORBIDDEN, "%s failed: see /etc/subuid, /etc/subgid", program)
               : OK;
}

/* Without privileges: only oneself, or what the helpers grant. */
static bool is_self(const struct objs *v, uint32_t id) {
    const struct oci_id_mapping *m = v->items;
    return v->n == 1 && m[0].size == 1 && m[0].host_id == id;
}

static struct err map_unprivileged(const struct oci_linux *l, pid_t pid) {
    CLEAN_BUF struct buf uids = {0}, gids = {0};
    map_text(&l->uid_mappings, &uids);
    map_text(&l->gid_mappings, &gids);
    if (is_self(&l->gid_mappings, getegid())) {
        TRY(write_map(pid, "setgroups", STR("deny")));
        TRY(write_map(pid, "gid_map", buf_str(&gids)));
    } else {
        TRY(run_helper("/usr/bin/newgidmap", pid, &l->gid_mappings));
    }
    if (is_self(&l->uid_mappings, geteuid()))
        return write_map(pid, "uid_map", buf_str(&uids));
    return run_helper("/usr/bin/newuidmap", pid, &l->uid_mappings);
}

struct err userns_map(const struct oci_config *c, pid_t pid) {
    const struct oci_linux *l = c->linux_;
    if (geteuid() != 0)
        return map_unprivileged(l, pid);
    CLEAN_BUF struct buf uids = {0}, gids = {0};
    map_text(&l->uid_mappings, &uids);
    map_text(&l->gid_mappings, &gids);
    TRYF(write_map(pid, "gid_map", buf_str(&gids)), "linux.gidMappings");
    return err_wrap(write_map(pid, "uid_map", buf_str(&uids)), "linux.uidMappings");
}

/* The pipes of the standard streams belong to us: inside they would be nobody's, and /dev/stdout
 * closed to the container's user. A stream that cannot be given away is left as it is. */
void userns_give_streams(const struct runtime_create_options *o) {
    const int fds[] = {o->stdio.in, o->stdio.out, o->stdio.err};
    uint32_t uid;
    if (geteuid() != 0 ||
        !oci_map_id(&o->config->linux_->uid_mappings, o->config->process->user.uid, &uid))
        return;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct stat st;
        if (fds[i] >= 0 && fstat(fds[i], &st) == 0 &&
            (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
            (void)!fchown(fds[i], uid, (gid_t)-1);
    }
}

/* An id that is not mapped (a map without root) leaves the process who it was. */
struct err userns_become_root(void) {
    if (setgroups(0, NULL) < 0 && errno != EPERM) /* "deny" in /proc/PID/setgroups */
        return err_errno(errno, "drop additional groups");
    if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
        return err_errno(errno, "become group 0 of the user namespace");
    if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
        return err_errno(errno, "become root of the user namespace");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    return OK;
}
