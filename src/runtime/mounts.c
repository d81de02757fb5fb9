/* The mounts of config.json, made in the container's new mount namespace. */
#include "runtime/mounts.h"
#include "base/path.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MQUEUE_MAGIC 0x19800202

/* --- where
 * ------------------------------------------------------------------------------------------------
 */

/* Nothing may lie inside /proc but what tools like lxcfs put there: writes of ours to /proc, and
 * the container's view of itself, must be the kernel's (CVE-2019-16884, CVE-2025-52881). */
static bool allowed_in_proc(const char *clean) {
    static const char *const allowed[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/net/dev",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (strcmp(clean, allowed[i]) == 0)
            return true;
    return false;
}

static struct err check_proc(const char *clean, int tree, int target) {
    struct statfs fs;
    if (fstatfs(target, &fs) < 0)
        return err_errno(errno, "statfs");
    /* Judged by what is there, not by the name: a link in the image may lead into /proc. */
    if (fs.f_type == PROC_SUPER_MAGIC && !allowed_in_proc(clean))
        return err_new(ERR_FORBIDDEN, "%s cannot be mounted because it is inside /proc", clean);
    if (strcmp(clean, "/proc") == 0)
        return mount_check_type(tree, PROC_SUPER_MAGIC, "what is mounted at /proc");
    return OK;
}

/* The place for a tree: made when missing, a directory or a file as the tree is. */
static struct err open_target(const struct mount_plan *p, int root, int tree, int *ret_fd) {
    struct stat st;
    if (fstat(tree, &st) < 0)
        return err_errno(errno, "stat");
    CLEAN_FD int target = -1;
    CLEAN_FREE char *clean = path_clean(str_of(p->mount->destination));
    if (S_ISDIR(st.st_mode))
        TRY(beneath_mkdirs(root, clean, 0755, &target));
    else
        TRY(beneath_touch(root, clean, 0644, &target));
    TRY(check_proc(clean, tree, target));
    *ret_fd = TAKE_FD(target);
    return OK;
}

/* --- what
 * -------------------------------------------------------------------------------------------------
 */

static struct err make_tree(const struct mount_plan *p, int *ret_fd) {
    static const struct {
        const char *type;
        long magic;
    } fs[] = {
        [KIND_PROC] = {"proc", PROC_SUPER_MAGIC}, [KIND_SYSFS] = {"sysfs", SYSFS_MAGIC},
        [KIND_TMPFS] = {"tmpfs", TMPFS_MAGIC},    [KIND_DEVPTS] = {"devpts", DEVPTS_SUPER_MAGIC},
        [KIND_MQUEUE] = {"mqueue", MQUEUE_MAGIC},
    };
    if (p->kind == KIND_BIND && p->opened < 0)
        return mount_clone(AT_FDCWD, p->mount->source, p->recursive, ret_fd);
    if (p->kind == KIND_TREE || p->kind == KIND_BIND) {
        *ret_fd = fcntl(p->kind == KIND_BIND ? p->opened : p->tree, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? err_errno(errno, "duplicate descriptor") : OK;
    }
    if (p->kind == KIND_OTHER)
        return mount_new_fs(p->mount->type, p->mount->source, p->options.items, p->options.n,
                            p->set, 0, ret_fd);
    const char *source = p->mount->source ? p->mount->source : fs[p->kind].type;
    return mount_new_fs(fs[p->kind].type, source, p->options.items, p->options.n, p->set,
                        fs[p->kind].magic, ret_fd);
}

/* Its own mappings, or those of the container's user namespace. */
static struct err idmap(const struct mount_plan *p, const struct oci_config *c) {
    bool own = p->mount->uid_mappings.n || p->mount->gid_mappings.n;
    const struct objs *uids = own ? &p->mount->uid_mappings : &c->linux_->uid_mappings;
    const struct objs *gids = own ? &p->mount->gid_mappings : &c->linux_->gid_mappings;
    if (!uids->n || !gids->n)
        return err_new(ERR_INVALID, "an idmapped mount needs uidMappings and gidMappings");
    return mount_idmap(p->opened, uids, gids, p->idmap_recursive);
}

static struct err open_source(struct mount_plan *p, const struct oci_config *c) {
    struct err e = mount_clone(AT_FDCWD, p->mount->source, p->recursive, &p->opened);
    if (err_errnum(e) == EPERM && !p->idmap) {
        err_free(e);
        return OK;
    }
    TRY(e);
    return p->idmap ? idmap(p, c) : OK;
}

struct err mounts_open_sources(struct mount_plans *v, const struct oci_config *c, bool all) {
    for (size_t i = 0; i < v->n; i++) {
        struct mount_plan *p = &v->items[i];
        if (p->kind == KIND_BIND && (all || p->propagation == MS_SHARED || p->idmap))
            TRYF(open_source(p, c), "mount '%s' at '%s'", p->mount->source, p->mount->destination);
    }
    return OK;
}

static struct err set_attributes(const struct mount_plan *p, int tree) {
    bool borrowed_tree = p->kind == KIND_BIND || p->kind == KIND_TREE;
    if (borrowed_tree) {
        uint64_t propagation = p->propagation ? p->propagation : MS_PRIVATE;
        bool below = p->propagation ? p->propagation_below : true;
        TRY(mount_set(tree, 0, 0, propagation, below));
        if (p->set || p->clear)
            TRY(mount_set(tree, p->set, p->clear, 0, false));
    }
    if (p->set_below || p->clear_below)
        TRY(mount_set(tree, p->set_below, p->clear_below, 0, true));
    return OK;
}

/* A user namespace that does not own its network namespace may not have a sysfs of its own; the
 * host's is shown instead. */
static struct err make_tree_or_host(const struct mount_plan *p, int *ret_fd) {
    struct err e = make_tree(p, ret_fd);
    if (p->kind != KIND_SYSFS || err_errnum(e) != EPERM)
        return e;
    err_free(e);
    TRY(mount_clone(AT_FDCWD, "/sys", true, ret_fd));
    return p->set ? mount_set(*ret_fd, p->set, 0, 0, false) : OK;
}

static struct err place(const struct mount_plan *p, int root) {
    CLEAN_FD int tree = -1, target = -1;
    TRY(make_tree_or_host(p, &tree));
    TRY(set_attributes(p, tree));
    TRY(open_target(p, root, tree, &target));
    if (p->copy_up)
        TRY(mount_copy_up(target, tree));
    return mount_attach(tree, target);
}

/* --- cgroup
 * -----------------------------------------------------------------------------------------------
 */

/* The container's own directory, as it also shows it as "/" in a cgroup namespace. */
static struct err own_cgroup(const struct cgroup *g, size_t tree, uint64_t attrs, int *ret_fd) {
    char path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    CLEAN_FD int fd = -1;
    const struct cgroup_tree *t = &g->host.trees[tree];
    snprintf(path, sizeof(path), "%s%s", t->mount, g->path);
    TRY(mount_clone(AT_FDCWD, path, false, &fd));
    TRY(mount_check_type(fd, t->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC, path));
    TRY(mount_set(fd, attrs, 0, MS_PRIVATE, false));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err place_in(int dir, const char *name, int tree) {
    if (mkdirat(dir, name, 0755) < 0)
        return err_errno(errno, "make '%s'", name);
    CLEAN_FD int target = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return err_errno(errno, "open '%s'", name);
    return mount_attach(tree, target);
}

/* Controllers that share a hierarchy are found under each name. */
static struct err link_names(int dir, const char *controllers) {
    struct str rest = str_of(controllers), word;
    if (str_find(rest, ',') < 0)
        return OK;
    while (str_next(&rest, ',', &word)) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", STR_ARG(word));
        if (symlinkat(controllers, dir, name) < 0)
            return err_errno(errno, "link '%s'", name);
    }
    return OK;
}

static struct err place_v1(const struct mount_plan *p, int root, const struct cgroup *g) {
    static const struct mount_option mode = {"mode", "755"};
    CLEAN_FD int top = -1, target = -1;
    TRY(mount_new_fs("tmpfs", "cgroup", &mode, 1, p->set & ~(uint64_t)MOUNT_ATTR_RDONLY,
                     TMPFS_MAGIC, &top));
    TRY(open_target(p, root, top, &target));
    TRY(mount_attach(top, target));
    for (size_t i = 0; i < g->host.trees_n; i++) {
        const struct cgroup_tree *t = &g->host.trees[i];
        CLEAN_FD int tree = -1;
        if (t->on_demand)
            continue;
        TRY(own_cgroup(g, i, p->set, &tree));
        TRY(place_in(top, t->v2 ? "unified" : t->controllers, tree));
        if (!t->v2)
            TRY(link_names(top, t->controllers));
    }
    return p->set & MOUNT_ATTR_RDONLY ? mount_set(top, MOUNT_ATTR_RDONLY, 0, 0, false) : OK;
}

/* Without a cgroup of its own a container of an unprivileged user sees the host's, and may never
 * write there, whatever the options say (CVE-2023-25809). */
static struct err place_hosts(const struct mount_plan *p, int root) {
    CLEAN_FD int tree = -1, target = -1;
    TRY(mount_clone(AT_FDCWD, "/sys/fs/cgroup", true, &tree));
    TRY(mount_set(tree, p->set | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true));
    TRY(open_target(p, root, tree, &target));
    return mount_attach(tree, target);
}

static struct err place_cgroup(const struct mount_plan *p, int root, const struct cgroup *g) {
    if (!g)
        return err_new(ERR_INVALID, "the container has no cgroup (linux.cgroupsPath)");
    if (!g->host.trees_n)
        return place_hosts(p, root);
    if (g->host.trees_n > 1 || !g->host.trees[0].v2)
        return place_v1(p, root, g);
    CLEAN_FD int tree = -1, target = -1;
    TRY(own_cgroup(g, 0, p->set, &tree));
    TRY(open_target(p, root, tree, &target));
    return mount_attach(tree, target);
}

struct err mounts_make(const struct mount_plans *v, int root, const struct cgroup *cgroup) {
    for (size_t i = 0; i < v->n; i++) {
        const struct mount_plan *p = &v->items[i];
        struct err e = p->kind == KIND_CGROUP ? place_cgroup(p, root, cgroup) : place(p, root);
        if (err_failed(e))
            return err_wrap(e, "mount '%s' at '%s'",
                            p->mount->source ? p->mount->source : p->mount->type,
                            p->mount->destination);
    }
    return OK;
}
