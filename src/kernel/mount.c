#include "kernel/mount.h"
#include "base/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FS_LOG_MAX 512

/* The file system's own words ("e overlay: …") lie on the context's descriptor. */
static struct err fs_error(int fs, int errnum, const char *type, const char *what) {
    char text[FS_LOG_MAX];
    ssize_t n = fs >= 0 ? read(fs, text, sizeof(text) - 1) : -1;
    if (n <= 2)
        return err_errno(errnum, "mount %s: %s", type, what);
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return err_errno(errnum, "mount %s: %s: %s", type, what, text + 2);
}

static struct err set_string(int fs, const char *type, const char *key, const char *value) {
    if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0)
        return fs_error(fs, errno, type, key);
    return OK;
}

struct err mount_new_fs(const char *type, const char *source, const struct mount_option *options,
                        size_t options_n, uint64_t attrs, long magic, int *ret_fd) {
    CLEAN_FD int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return err_errno(errno, "mount %s: not offered by this kernel", type);
    if (source)
        TRY(set_string(fs, type, "source", source));
    for (size_t i = 0; i < options_n; i++) {
        const struct mount_option *o = &options[i];
        if (o->value)
            TRY(set_string(fs, type, o->key, o->value));
        else if (fsconfig(fs, FSCONFIG_SET_FLAG, o->key, NULL, 0) < 0)
            return fs_error(fs, errno, type, o->key);
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fs_error(fs, errno, type, "create");
    CLEAN_FD int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
    if (fd < 0)
        return fs_error(fs, errno, type, "fsmount");
    if (magic)
        TRY(mount_check_type(fd, magic, type));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err mount_clone(int dirfd, const char *path, bool recursive, int *ret_fd) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) |
                     (path[0] ? 0 : AT_EMPTY_PATH);
    int fd = open_tree(dirfd, path, flags);
    if (fd < 0)
        return err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                              "clone mount of '%s'", path);
    *ret_fd = fd;
    return OK;
}

struct err mount_set(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive) {
    struct mount_attr a = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0)
        return err_errno(errno, "change mount attributes");
    return OK;
}

struct err mount_attach(int tree_fd, int target_fd) {
    if (move_mount(tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0)
        return err_errno(errno, "attach mount");
    return OK;
}

struct err mount_check_type(int fd, long magic, const char *what) {
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return err_errno(errno, "%s: statfs", what);
    if ((long)fs.f_type != magic)
        return err_new(ERR_FORBIDDEN, "%s: unexpected file system type 0x%lx", what,
                       (unsigned long)fs.f_type);
    return OK;
}

struct err mount_readonly_program(const char *path, int *ret_fd) {
    CLEAN_FD int fd = -1;
    TRY(mount_clone(AT_FDCWD, path, false, &fd));
    TRYF(mount_set(fd, MOUNT_ATTR_RDONLY, 0, 0, false), "read-only mount of '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

bool mount_program_is_readonly(void) {
    CLEAN_FD int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    struct statvfs fs;
    return fd >= 0 && fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}
