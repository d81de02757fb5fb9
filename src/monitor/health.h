/* health.h - health checks inside of the monitor; private to monitor/.
 *
 * health.c keeps the clock and judges, probe.c asks (one probe at a time), exec probes go through
 * exec_start.c. Nothing here waits: a socket is watched, a file is looked at by io_uring where the
 * kernel has it. */
#pragma once
#include "kernel/uring.h"
#include "monitor/keeper.h"

struct probe;
/* Begins; health_probed or health_skipped comes in a later round of the loop. *ring is made on
 * demand and stays the caller's: an operation that hangs keeps it busy. */
struct probe *probe_new(struct keeper *k, struct health *h, const struct monitor_health *s,
                        struct uring **ring);
struct probe *probe_free(struct probe *p);      /* ends what is under way; NULL allowed */
struct str probe_output(const struct probe *p); /* what an EXEC has said so far */

void health_probed(struct health *h, int code, struct str output);
/* Could not be asked because the container is frozen. */
void health_skipped(struct health *h);

/* exec_start.c: an exec of the monitor's own: nobody is told of it, everything it leaves behind is
 * killed. ended: with the exit status, or -1 and a text when it could not be started (ERR_CONFLICT:
 * frozen); not called after exec_cancel. */
struct exec_own {
    void (*output)(void *arg, const char *p, size_t n);
    void (*ended)(void *arg, int code, struct err e); /* consumes e */
    void *arg;
};
/* NULL: it has failed and `ended` was called. */
/* user: as monitor_exec.user; "": the container's. */
struct exec *exec_run(struct keeper *k, struct str process, const char *user,
                      const struct exec_own *own);
void exec_cancel(struct exec *x);
