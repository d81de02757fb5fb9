#include "loop/state.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct child {
    struct watch *watch;
    child_fn *fn;
    void *arg;
    int pidfd;
};

static int status_of(const siginfo_t *si) {
    if (si->si_code == CLD_EXITED)
        return W_EXITCODE(si->si_status & 0xff, 0);
    return W_EXITCODE(0, si->si_status) | (si->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static void on_pidfd(void *arg, unsigned events UNUSED) {
    struct child *c = arg;
    siginfo_t si = {0};
    int status = W_EXITCODE(255, 0); /* somebody else reaped it: nothing better is known */
    if (waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) == 0) {
        if (si.si_pid == 0)
            return;
        status = status_of(&si);
    } else if (errno != ECHILD) {
        return;
    }
    child_fn *fn = c->fn;
    void *fn_arg = c->arg;
    child_free(c);
    fn(fn_arg, status);
}

struct child *child_watch(struct loop *l, pid_t pid UNUSED, int pidfd, child_fn *fn, void *arg) {
    struct child *c = NEW(struct child);
    c->fn = fn;
    c->arg = arg;
    c->pidfd = pidfd;
    c->watch = watch_new(l, pidfd, WATCH_READ, on_pidfd, c);
    return c;
}

struct child *child_free(struct child *c) {
    if (c) {
        watch_free(c->watch);
        free(c);
    }
    return NULL;
}
