/* What create, run and exec share: console socket, preserved descriptors, pid file. */
#include "base/file.h"
#include "runtime/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct err dial(const char *path, int *ret_fd) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char by_fd[64];
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "make a socket");
    /* A longer path than a socket's name can hold is reached through a descriptor. */
    CLEAN_FD int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return err_errno(errno, "open");
    snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", place);
    memcpy(a.sun_path, by_fd, strlen(by_fd) + 1);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return err_errno(errno, "connect");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err send_descriptor(int sock, int fd) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char name[] = "/dev/ptmx"; /* the text that comes with the descriptor */
    struct iovec iov = {.iov_base = name, .iov_len = sizeof(name) - 1};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *m = CMSG_FIRSTHDR(&h);
    m->cmsg_level = SOL_SOCKET;
    m->cmsg_type = SCM_RIGHTS;
    m->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(m), &fd, sizeof(int));
    ssize_t n;
    while ((n = sendmsg(sock, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n < 0 ? err_errno(errno, "send the terminal") : OK;
}

struct err console_send(const char *path, int master) {
    CLEAN_FD int sock = -1;
    TRYF(dial(path, &sock), "--console-socket '%s'", path);
    return err_wrap(send_descriptor(sock, master), "--console-socket '%s'", path);
}

struct err preserve_reserve(unsigned n) {
    CLEAN_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return err_errno(errno, "open /dev/null");
    /* Above them all, so that the numbers that are free stay so. */
    int high = fcntl(null, F_DUPFD_CLOEXEC, 3 + (int)n);
    if (high < 0)
        return err_errno(errno, "reserve descriptors");
    null = fd_close(null);
    for (int fd = 3; fd < 3 + (int)n; fd++)
        if (fcntl(fd, F_GETFD) < 0 && dup3(high, fd, O_CLOEXEC) < 0) {
            fd_close(high);
            return err_errno(errno, "reserve descriptors");
        }
    fd_close(high);
    return OK;
}

struct err pid_file_write(const char *path, pid_t pid) {
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", (int)pid);
    return err_wrap(file_replace(path, str_n(text, (size_t)n), 0644, false), "--pid-file '%s'",
                    path);
}
