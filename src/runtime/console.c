/* What create, run and exec share: console socket, preserved descriptors, pid file. */
#include "base/file.h"
#include "runtime/commands.h"
#include "runtime/sync.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct err console_send(const char *path, int master) {
    CLEAN_FD int sock = -1;
    TRYF(sync_dial(path, &sock), "--console-socket '%s'", path);
    return err_wrap(sync_hand_over(sock, STR("/dev/ptmx"), master), "--console-socket '%s'", path);
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
