#include "kernel/ns.h"
#include "kernel/spawn.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

static int open_own_net(void *arg) {
    int *ret = arg;
    /* "self" could be the whole process, with ThreadSanitizer: see spawn_call. */
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

struct err ns_new_net(int *ret_fd) {
    int fd = -1;
    int r = spawn_call(CLONE_NEWNET, open_own_net, &fd);
    if (r < 0)
        return err_errno(r, "make a network namespace");
    *ret_fd = fd;
    return OK;
}

static struct err check_nsfs(int fd, const char *path) {
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return err_errno(errno, "namespace '%s': statfs", path);
    if (fs.f_type != NSFS_MAGIC)
        return err_new(ERR_INVALID, "'%s' is not a namespace", path);
    return OK;
}

struct err ns_open(pid_t pid, const char *name, int *ret_fd) {
    char path[64];
    if (pid)
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    else
        snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", name);
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                              "open namespace '%s'", path);
    TRY(check_nsfs(fd, path));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err ns_open_path(const char *path, int type, int *ret_fd) {
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                              "open namespace '%s'", path);
    TRY(check_nsfs(fd, path));
    int have = ioctl(fd, NS_GET_NSTYPE);
    if (have < 0)
        return err_errno(errno, "namespace '%s': type", path);
    if (have != type)
        return err_new(ERR_INVALID, "'%s' is a namespace of another type", path);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err ns_enter_net(int fd, int *ret_back_fd) {
    CLEAN_FD int back = -1;
    TRY(ns_open(0, "net", &back));
    if (setns(fd, CLONE_NEWNET) < 0)
        return err_errno(errno, "enter network namespace");
    *ret_back_fd = TAKE_FD(back);
    return OK;
}

void ns_leave_net(int back_fd) {
    if (setns(back_fd, CLONE_NEWNET) < 0)
        abort();
    close(back_fd);
}

struct err ns_socket(int fd, int domain, int type, int protocol, int *ret_fd) {
    int back = -1;
    TRY(ns_enter_net(fd, &back));
    int s = socket(domain, type | SOCK_CLOEXEC, protocol);
    int errnum = errno;
    ns_leave_net(back);
    if (s < 0)
        return err_errno(errnum, "socket in network namespace");
    *ret_fd = s;
    return OK;
}

struct err ns_setup_net(struct err (*setup)(void *arg), void *arg, int *ret_fd) {
    CLEAN_FD int fd = -1;
    int back = -1;
    TRY(ns_open(0, "net", &back));
    if (unshare(CLONE_NEWNET) < 0) {
        int errnum = errno;
        fd_close(back);
        return err_errno(errnum, "make a network namespace");
    }
    struct err e = ns_open(0, "net", &fd);
    if (!err_failed(e))
        e = setup(arg);
    ns_leave_net(back);
    TRY(e);
    *ret_fd = TAKE_FD(fd);
    return OK;
}
