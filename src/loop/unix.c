#include "loop/unix.h"

#include "loop/msg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DIAL_WAIT_SEC 2
#define SEND_BUFFER (1 << 20) /* many messages fit while the other side is busy */

/* An address for name below dirfd. Long paths are shortened through an O_PATH descriptor of their
 * directory, which the caller closes after use. */
static struct err address_of(int dirfd, const char *name, struct sockaddr_un *ret, int *ret_dirfd) {
    CLEAN_FD
    int fd = -1;
    const char *slash = strrchr(name, '/');
    int n;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (name[0] == '\0')
        return err_new(ERR_INVALID, "socket path is empty");
    if ((dirfd == AT_FDCWD || name[0] == '/') && strlen(name) < sizeof(ret->sun_path)) {
        n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", name);
    } else {
        CLEAN_FREE
        char *dir = slash ? str_dup(str_n(name, (size_t)(slash - name) + 1)) : str_dup(STR("."));
        fd = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(errno, "open directory of socket '%s'", name);
        n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", fd,
                     slash ? slash + 1 : name);
    }
    if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
        return err_new(ERR_INVALID, "socket path '%s': name too long", name);
    *ret_dirfd = TAKE_FD(fd);
    return OK;
}

struct err unix_dial(int dirfd, const char *name, int type, int *ret_fd) {
    struct sockaddr_un addr;
    CLEAN_FD
    int dir = -1;
    TRY(address_of(dirfd, name, &addr, &dir));
    CLEAN_FD
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "socket");
    struct timeval wait = {.tv_sec = DIAL_WAIT_SEC}, none = {0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    int rc;
    do
        rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;
        bool denied = errno == EACCES || errno == EPERM;
        enum err_kind kind = nobody ? ERR_NOT_FOUND : denied ? ERR_FORBIDDEN : ERR_UNAVAILABLE;
        return err_kind_errno(kind, errno, "connect to '%s'", name);
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* After EADDRINUSE: removes a socket that nobody serves. */
static struct err stale_remove(int dirfd, const char *name, int type) {
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? OK : err_errno(errno, "stat '%s'", name);
    if (!S_ISSOCK(st.st_mode))
        return err_new(ERR_CONFLICT, "'%s' exists and is no socket", name);
    CLEAN_FD
    int fd = -1;
    struct err e = unix_dial(dirfd, name, type, &fd);
    int errnum = err_errnum(e);
    bool live = !err_failed(e) || (errnum != ECONNREFUSED && errnum != ENOENT);
    err_free(e);
    if (live)
        return err_new(ERR_CONFLICT, "'%s' is served by another process", name);
    if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
        return err_errno(errno, "remove stale socket '%s'", name);
    return OK;
}

struct err unix_listen(int dirfd, const char *name, int type, int mode, gid_t gid, int *ret_fd) {
    struct sockaddr_un addr;
    CLEAN_FD
    int dir = -1;
    TRY(address_of(dirfd, name, &addr, &dir));
    CLEAN_FD
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(errno, "socket");
    /* bind(2) takes the mode of the socket's own inode: nobody can slip in before the chmod. */
    fchmod(fd, 0600);
    int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    if (rc < 0 && errno == EADDRINUSE) {
        TRY(stale_remove(dirfd, name, type));
        rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    }
    if (rc < 0)
        return err_errno(errno, "bind '%s'", name);
    if (gid != (gid_t)-1 && fchownat(dirfd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "chown '%s'", name);
    if (fchmodat(dirfd, name, (mode_t)mode, 0) < 0)
        return err_errno(errno, "chmod '%s'", name);
    if (listen(fd, SOMAXCONN) < 0)
        return err_errno(errno, "listen on '%s'", name);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static void big_buffer(int fd) {
    int size = SEND_BUFFER;
    /* Root may pass net.core.wmem_max; others get what is allowed. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

struct err msg_listen(int dirfd, const char *name, int mode, int *ret_fd) {
    return unix_listen(dirfd, name, SOCK_SEQPACKET, mode, (gid_t)-1, ret_fd);
}

struct err msg_dial(int dirfd, const char *name, int *ret_fd) {
    TRY(unix_dial(dirfd, name, SOCK_SEQPACKET, ret_fd));
    big_buffer(*ret_fd);
    return OK;
}

struct err msg_pair(int ret_fds[2]) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno(errno, "socketpair");
    big_buffer(fds[0]);
    big_buffer(fds[1]);
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return OK;
}
