#include "kernel/pidfd.h"
#include "base/file.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_MAX 4096

static enum err_kind kind_of(int errnum) {
    return errnum == ESRCH || errnum == ENOENT || errnum == ECHILD ? ERR_NOT_FOUND : ERR_SYSTEM;
}

struct err pidfd_of(pid_t pid, int *ret_fd) {
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return err_kind_errno(kind_of(errno), errno, "open process %d", (int)pid);
    *ret_fd = fd;
    return OK;
}

struct err pidfd_of_started(pid_t pid, uint64_t start_time, int *ret_fd) {
    CLEAN_FD int fd = -1;
    TRY(pidfd_of(pid, &fd));
    uint64_t started;
    /* Read after the open: the pid cannot be reused while the pidfd says that it lives. */
    TRY(pidfd_start_time(pid, &started));
    if (started != start_time || pidfd_ended(fd))
        return err_new(ERR_NOT_FOUND, "process %d is gone", (int)pid);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err pidfd_signal(int pidfd, int signo) {
    if (pidfd_send_signal(pidfd, signo, NULL, 0) < 0)
        return err_kind_errno(kind_of(errno), errno, "send signal %d", signo);
    return OK;
}

bool pidfd_ended(int pidfd) {
    return pidfd_wait(pidfd, 0);
}

bool pidfd_wait(int pidfd, int timeout_ms) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int n;
    while ((n = poll(&p, 1, timeout_ms)) < 0 && errno == EINTR)
        ;
    return n > 0;
}

struct err pidfd_reap(int pidfd, struct pidfd_exit *ret) {
    siginfo_t info = {0};
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) < 0)
        if (errno != EINTR)
            return err_kind_errno(kind_of(errno), errno, "wait for process");
    bool exited = info.si_code == CLD_EXITED;
    *ret = (struct pidfd_exit){
        .code = exited ? info.si_status : -1,
        .signo = exited ? 0 : info.si_status,
        .core = info.si_code == CLD_DUMPED,
    };
    return OK;
}

int pidfd_exit_status(const struct pidfd_exit *x) {
    return x->signo ? 128 + x->signo : x->code;
}

struct err pidfd_start_time(pid_t pid, uint64_t *ret) {
    char path[40];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    TRY(file_read(path, STAT_MAX, &text));
    /* Field 2 is the program's name in parentheses and may hold anything: count from the last ')'.
     */
    ssize_t end = str_rfind(buf_str(&text), ')');
    if (end < 0)
        return err_new(ERR_SYSTEM, "%s: cannot be parsed", path);
    struct str rest = str_trim(str_from(buf_str(&text), (size_t)end + 1)), field = STR_NONE;
    for (int i = 3; i <= 22; i++)
        if (!str_next(&rest, ' ', &field))
            return err_new(ERR_SYSTEM, "%s: cannot be parsed", path);
    return err_wrap(str_to_u64(field, UINT64_MAX, ret), "%s", path);
}
