/* The container's root: attach, protect, pivot. */
#include "kernel/beneath.h"
#include "runtime/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct err rootfs_attach(const struct runtime_create_options *o, int *ret_root) {
    /* From here on nothing that is mounted or unmounted here reaches the host; what the host mounts
     * still reaches binds that ask for it (slave). */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_errno(errno, "make mounts slaves");
    CLEAN_FD int tree = -1;
    if (o->rootfs_fd >= 0)
        tree = fcntl(o->rootfs_fd, F_DUPFD_CLOEXEC, 3);
    else
        TRYF(mount_clone(AT_FDCWD, o->config->root->path, true, &tree), "root.path");
    if (tree < 0)
        return err_errno(errno, "duplicate descriptor");
    struct stat st;
    if (fstat(tree, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_new(ERR_INVALID, "the root filesystem is not a directory");
    TRY(mount_set(tree, 0, 0, MS_PRIVATE, true));
    /* Over "/" of this namespace: no directory of the host is needed, none is touched. */
    if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(errno, "attach the root filesystem");
    *ret_root = TAKE_FD(tree);
    return OK;
}

/* How "/" itself passes on mounts that are made in the container. */
struct err rootfs_propagation(const struct oci_config *c) {
    static const struct {
        const char *name;
        unsigned long flags;
    } words[] = {{"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
                 {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
                 {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC}};
    const char *name = c->linux_->rootfs_propagation;
    for (size_t i = 0; name && i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].name, name) == 0 && mount(NULL, "/", NULL, words[i].flags, NULL) < 0)
            return err_errno(errno, "linux.rootfsPropagation '%s'", name);
    return OK;
}

struct err rootfs_pivot(int root) {
    CLEAN_FD int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0)
        return err_errno(errno, "open old root");
    if (fchdir(root) < 0)
        return err_errno(errno, "enter root filesystem");
    /* Old and new root on one spot: pivot_root(2), "pivot_root(".", ".")". */
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_errno(errno, "pivot_root");
    if (fchdir(old) < 0)
        return err_errno(errno, "enter old root");
    if (umount2(".", MNT_DETACH) < 0)
        return err_errno(errno, "unmount old root");
    if (fchdir(root) < 0 || chroot(".") < 0)
        return err_errno(errno, "enter root filesystem");
    return OK;
}

struct err rootfs_change(int root) {
    if (fchdir(root) < 0 || chroot(".") < 0)
        return err_errno(errno, "enter root filesystem");
    return OK;
}

/* --- masked and read-only paths
 * ------------------------------------------------------------------------ */

struct mask {
    int root;
    int null;  /* verified device of the container; -1: not opened yet */
    int empty; /* read-only tmpfs, attached once and cloned from then on; -1 */
};

static struct err open_null(struct mask *m) {
    if (m->null >= 0)
        return OK;
    CLEAN_FD int fd = -1;
    TRY(beneath_open(m->root, "/dev/null", O_PATH | O_NOFOLLOW, 0, &fd));
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(errno, "stat /dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return err_new(ERR_FORBIDDEN, "/dev/null of the container is not the null device");
    m->null = TAKE_FD(fd);
    return OK;
}

static struct err mask_dir(struct mask *m, int target) {
    static const struct mount_option size[] = {{"size", "0"}, {"nr_inodes", "1"}, {"mode", "755"}};
    CLEAN_FD int tree = -1;
    if (m->empty >= 0) {
        TRY(mount_clone(m->empty, "", false, &tree));
        return mount_attach(tree, target);
    }
    TRY(mount_new_fs("tmpfs", "tmpfs", size, ARRAY_LEN(size),
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                     TMPFS_MAGIC, &tree));
    TRY(mount_attach(tree, target));
    m->empty = TAKE_FD(tree);
    return OK;
}

static struct err mask_file(struct mask *m, int target) {
    TRY(open_null(m));
    CLEAN_FD int tree = -1;
    TRY(mount_clone(m->null, "", false, &tree));
    return mount_attach(tree, target);
}

static struct err mask_path(struct mask *m, const char *path) {
    CLEAN_FD int target = -1;
    struct err e = beneath_open(m->root, path, O_PATH, 0, &target);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    struct stat st;
    if (fstat(target, &st) < 0)
        return err_errno(errno, "stat");
    return S_ISDIR(st.st_mode) ? mask_dir(m, target) : mask_file(m, target);
}

static struct err make_readonly(int root, const char *path) {
    CLEAN_FD int target = -1, tree = -1;
    struct err e = beneath_open(root, path, O_PATH, 0, &target);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    TRY(mount_clone(target, "", true, &tree));
    TRY(mount_set(tree, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true));
    return mount_attach(tree, target);
}

static struct err mask_all(const struct strs *paths, int root) {
    struct mask m = {.root = root, .null = -1, .empty = -1};
    struct err e = OK;
    for (size_t i = 0; i < paths->n && !err_failed(e); i++)
        e = err_wrap(mask_path(&m, paths->items[i]), "mask '%s'", paths->items[i]);
    fd_close(m.null);
    fd_close(m.empty);
    return e;
}

struct err paths_protect(const struct oci_config *c, int root) {
    const struct oci_linux *l = c->linux_;
    for (size_t i = 0; i < l->readonly_paths.n; i++)
        TRYF(make_readonly(root, l->readonly_paths.items[i]), "make '%s' read-only",
             l->readonly_paths.items[i]);
    TRY(mask_all(&l->masked_paths, root));
    if (c->root->readonly)
        TRYF(mount_set(root, MOUNT_ATTR_RDONLY, 0, 0, false), "read-only root");
    return OK;
}
