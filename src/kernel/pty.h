/* kernel/pty.h - pseudo-terminals: pts(4), ioctl_tty(2).
 *
 * A container's terminal comes from the container's own devpts, which the container controls: the
 * master is opened below a verified root and the slave is had from the master (TIOCGPTPEER), never
 * by its name (CVE-2025-52565). Descriptors are CLOEXEC. Any thread.
 * Tests: test/kernel/monitor-exec.c.
 */
#pragma once
#include "base/err.h"

/* root: descriptor of a root directory; path: of ptmx below it ("/dev/pts/ptmx"). The object must
 * be the character device 5:2 on a devpts, else ERR_FORBIDDEN. */
struct err pty_open(int root, const char *path, int *ret_master, int *ret_slave);
/* Another descriptor of the slave, which keeps the master readable when everybody else has closed
 * it. */
struct err pty_peer(int master, int *ret_slave);
/* Window size in characters; 0, 0 is allowed and means unknown. */
struct err pty_resize(int master, unsigned rows, unsigned columns);
/* Makes tty the controlling terminal of the calling session leader. 0 or -errno. */
int pty_control(int tty);
