/* pipes.c - a program's standard streams when it has no terminal. */
#include "base/file.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void pipes_done(struct pipes *p) {
    for (int i = 0; i < 3; i++) {
        p->theirs[i] = fd_close(p->theirs[i]);
        p->ours[i] = fd_close(p->ours[i]);
    }
}

struct err pipes_make(struct pipes *p, unsigned streams) {
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (!(streams >> i & 1))
            continue;
        if (pipe2(fds, O_CLOEXEC) < 0)
            return err_errno(errno, "make a pipe for the standard streams");
        p->theirs[i] = i == 0 ? fds[0] : fds[1];
        p->ours[i] = i == 0 ? fds[1] : fds[0];
    }
    return OK;
}
