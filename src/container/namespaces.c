/* The namespaces of a container: its own, the host's, or another container's. What is joined is
 * opened here and held until the start is over; the monitor gets it as a path through this process,
 * which leads to that very namespace even when the other container ends meanwhile. */
#include "base/file.h"
#include "container/private.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "spec/runtime_config.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

bool container_mode_is_host(const char *mode) {
    return mode && !strcmp(mode, "host");
}

static void add_namespace(struct oci_linux *l, struct arena *a, const char *type, int fd) {
    struct oci_namespace *ns = objs_add(&l->namespaces, a, sizeof *ns);
    ns->type = arena_strz(a, type);
    if (fd >= 0)
        ns->path = arena_printf(a, "/proc/%d/fd/%d", (int)getpid(), fd);
}

void container_add_namespaces(const struct container *c, const struct box_joined *joined,
                              struct oci_linux *l, struct arena *a) {
    const struct {
        const char *type, *mode;
        int fd;
    } list[] = {
        {"mount", NULL, -1},
        {"pid", c->host->pid_mode, joined->pid_ns},
        {"ipc", c->host->ipc_mode, joined->ipc_ns},
        {"uts", c->host->uts_mode, -1},
        {"cgroup", c->host->cgroupns_mode, -1},
        {"network", c->host->network_mode, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (!container_mode_is_host(list[i].mode))
            add_namespace(l, a, list[i].type, list[i].fd);
}

/* The other container of a mode "container:REF", which must run. */
static struct err find_donor(const struct container *c, const char *mode, const char *what,
                             struct container **ret) {
    struct container *other = NULL;
    TRY(container_find(c->all, container_joined_ref(mode), &other));
    if (other == c)
        return err_new(ERR_INVALID, "container %s cannot join its own %s namespace", c->name, what);
    if (other->state == CONTAINER_RESTARTING)
        return err_new(ERR_CONFLICT,
                       "Container %s is restarting, wait until the container is running",
                       other->id);
    if (!container_is_alive(other) || !other->pid)
        return err_new(ERR_CONFLICT, "cannot join %s of a non running container: %s", what,
                       other->id);
    *ret = other;
    return OK;
}

static struct err open_ns(const struct container *c, const char *name, int *ret_fd) {
    CLEAN_FD int pidfd = -1;
    CLEAN_FD int fd = -1;
    TRY(pidfd_of_started(c->pid, c->start_time, &pidfd));
    TRY(ns_open(c->pid, name, &fd));
    if (pidfd_ended(pidfd))
        return err_new(ERR_CONFLICT, "container %s has just stopped", c->id);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err container_join(const struct container *c, struct box_joined *ret) {
    struct container *other = NULL;
    if (container_joins(c->host->pid_mode)) {
        TRY(find_donor(c, c->host->pid_mode, "PID", &other));
        TRY(open_ns(other, "pid", &ret->pid_ns));
    }
    if (!container_joins(c->host->ipc_mode))
        return OK;
    TRY(find_donor(c, c->host->ipc_mode, "IPC", &other));
    const char *mode = other->host->ipc_mode;
    if (!mode || strcmp(mode, "shareable") != 0)
        return err_new(ERR_INVALID,
                       "cannot join IPC of container %s: non-shareable IPC (hint: use "
                       "IpcMode:shareable for the donor container)",
                       other->id);
    TRY(open_ns(other, "ipc", &ret->ipc_ns));
    return open_ns(other, "mnt", &ret->shm_ns);
}

struct shm_clone {
    int ns, tree;
};

/* In a child of its own: its mount namespace can be changed. */
static int clone_shm(void *arg) {
    struct shm_clone *s = arg;
    if (setns(s->ns, CLONE_NEWNS) != 0)
        return -errno;
    s->tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/dev/shm",
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    return s->tree < 0 ? -errno : 0;
}

/* The container controls its /dev: what is there must be the kind of file system that it was given.
 */
struct err container_shm_open(const struct box_joined *j, int *ret_fd) {
    struct shm_clone s = {.ns = j->shm_ns, .tree = -1};
    *ret_fd = -1;
    if (s.ns < 0)
        return OK;
    int r = spawn_call(0, clone_shm, &s);
    CLEAN_FD int tree = s.tree;
    if (r < 0)
        return err_errno(r, "share /dev/shm of the other container");
    TRY(mount_check_type(tree, TMPFS_MAGIC, "/dev/shm of the other container"));
    *ret_fd = TAKE_FD(tree);
    return OK;
}

void box_joined_done(struct box_joined *j) {
    j->pid_ns = fd_close(j->pid_ns);
    j->ipc_ns = fd_close(j->ipc_ns);
    j->shm_ns = fd_close(j->shm_ns);
}
