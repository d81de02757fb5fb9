/* The process in between: it enters a user namespace, makes the next process there as the caller's
 * own child (CLONE_PARENT), and ends. Needed because whoever enters a user namespace cannot come
 * back, and the caller must stay where it is. */
#include "kernel/pidfd.h"
#include "runtime/box.h"
#include <errno.h>
#include <sched.h>
#include <unistd.h>

/* Tells the pid, or why there is none. */
static void stand_between(const struct between *x, int tell) {
    pid_t pid = -1;
    int pidfd = -1;
    struct err e = OK;
    if (setns(x->ns, x->types) < 0)
        e = err_errno(errno, "enter the user namespace");
    if (!err_failed(e))
        e = x->clone(x->arg, CLONE_PARENT, &pid, &pidfd);
    if (err_failed(e))
        sync_fail(tell, e);
    (void)!write(tell, &pid, sizeof(pid)); /* a parent that is gone asks nothing */
    _exit(0);
}

struct err between_clone(const struct between *x, pid_t *ret_pid, int *ret_pidfd) {
    int pair[2];
    TRY(sync_pair(pair));
    CLEAN_FD int ours = pair[0], theirs = pair[1], stage = -1;
    pid_t stage_pid, pid = 0;
    bool in_core;
    TRY(launch_clone(0, -1, &stage_pid, &stage, &in_core));
    if (stage_pid == 0)
        stand_between(x, theirs);
    theirs = fd_close(theirs);
    struct err e = sync_receive_pid(ours, &pid);
    struct pidfd_exit end;
    err_ignore(pidfd_reap(stage, &end)); /* its word counts, not its end */
    TRY(e);
    TRY(pidfd_of(pid, ret_pidfd)); /* our child, not reaped yet: the number is its own */
    *ret_pid = pid;
    return OK;
}
