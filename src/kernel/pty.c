#include "kernel/pty.h"
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

struct err pty_open(int root, const char *path, int *ret_master, int *ret_slave) {
    CLEAN_FD int master = -1;
    /* Looked at before it is opened for real: opening some other device could have effects. */
    CLEAN_FD int seen = -1;
    TRY(beneath_open(root, path, O_PATH, 0, &seen));
    struct stat st;
    if (fstat(seen, &st) < 0)
        return err_errno(errno, "terminal: stat '%s'", path);
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
        return err_new(ERR_FORBIDDEN, "terminal: '%s' is not a terminal multiplexer", path);
    TRY(mount_check_type(seen, DEVPTS_SUPER_MAGIC, "terminal"));
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", seen);
    master = open(self, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 && errno == ENOENT) /* no /proc here: the name again, checked again below */
        TRY(beneath_open(root, path, O_RDWR | O_NOCTTY, 0, &master));
    if (master < 0)
        return err_errno(errno, "terminal: open '%s'", path);
    TRY(mount_check_type(master, DEVPTS_SUPER_MAGIC, "terminal"));
    if (unlockpt(master) < 0)
        return err_errno(errno, "terminal: unlock");
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return err_errno(errno, "terminal: open slave");
    *ret_slave = slave;
    *ret_master = TAKE_FD(master);
    return OK;
}

struct err pty_peer(int master, int *ret_slave) {
    *ret_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *ret_slave < 0 ? err_errno(errno, "open the terminal's other side") : OK;
}

struct err pty_resize(int master, unsigned rows, unsigned columns) {
    if (rows > UINT16_MAX || columns > UINT16_MAX)
        return err_new(ERR_INVALID, "terminal size %ux%u is out of range", rows, columns);
    struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (ioctl(master, TIOCSWINSZ, &ws) < 0)
        return err_errno(errno, "resize terminal");
    return OK;
}

int pty_control(int tty) {
    return ioctl(tty, TIOCSCTTY, 0) < 0 ? -errno : 0;
}
