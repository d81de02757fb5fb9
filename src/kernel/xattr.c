#include "kernel/xattr.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define FD_PATH_MAX 32

static const char *fd_path(int fd, char text[FD_PATH_MAX]) {
    snprintf(text, FD_PATH_MAX, "/proc/self/fd/%d", fd);
    return text;
}

static struct err failed(int errnum, const char *what, const char *name) {
    enum err_kind kind = errnum == ENODATA   ? ERR_NOT_FOUND
                         : errnum == ENOTSUP ? ERR_UNSUPPORTED
                         : errnum == EPERM   ? ERR_FORBIDDEN
                                             : ERR_SYSTEM;
    return err_kind_errno(kind, errnum, "%s extended attribute '%s'", what, name);
}

struct err xattr_list(int fd, struct strv *ret_names) {
    char path[FD_PATH_MAX];
    CLEAN_FREE char *list = mem_alloc(XATTR_LIST_BYTES_MAX);
    ssize_t n = listxattr(fd_path(fd, path), list, XATTR_LIST_BYTES_MAX);
    if (n < 0 && errno == ENOTSUP)
        return OK;
    if (n < 0)
        return failed(errno, "list", "");
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(list + i) + 1)
        strv_add(ret_names, list + i);
    return OK;
}

struct err xattr_get(int fd, const char *name, struct buf *ret) {
    char path[FD_PATH_MAX], small[256];
    ssize_t n = getxattr(fd_path(fd, path), name, small, sizeof(small));
    if (n >= 0) {
        buf_add(ret, small, (size_t)n);
        return OK;
    }
    if (errno != ERANGE)
        return failed(errno, "read", name);
    CLEAN_FREE char *large = mem_alloc(XATTR_VALUE_BYTES_MAX);
    n = getxattr(path, name, large, XATTR_VALUE_BYTES_MAX);
    if (n < 0)
        return failed(errno, "read", name);
    buf_add(ret, large, (size_t)n);
    return OK;
}

struct err xattr_set(int fd, const char *name, struct str value) {
    char path[FD_PATH_MAX];
    if (value.len > XATTR_VALUE_BYTES_MAX)
        return failed(E2BIG, "write", name);
    if (setxattr(fd_path(fd, path), name, value.p, value.len, 0) < 0)
        return failed(errno, "write", name);
    return OK;
}

struct err xattr_remove(int fd, const char *name) {
    char path[FD_PATH_MAX];
    if (removexattr(fd_path(fd, path), name) < 0)
        return failed(errno, "remove", name);
    return OK;
}
