/* stop.c - signals and the grace period. The monitor keeps time: a daemon that dies in between
 * changes nothing. */
#include "base/log.h"
#include "base/time.h"
#include "monitor/keeper.h"
#include <signal.h>

#define KILL_AGAIN (2 * NSEC_PER_SEC)

struct err stop_signal(struct keeper *k, int signo) {
    if (k->exited || k->box == NULL)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    if (signo < 1 || signo > SIGRTMAX)
        return err_new(ERR_INVALID, "invalid signal %d", signo);
    return runtime_kill(k->box, signo);
}

/* A frozen process takes no signal: it is thawed first. */
static void kill_all(struct keeper *k) {
    log_err(LOG_WARN, runtime_kill_all(k->box), "container %s: kill", k->id);
    log_err(LOG_WARN, runtime_resume(k->box), "container %s: thaw", k->id);
}

static void on_stop(void *arg) {
    struct keeper *k = arg;
    if (k->exited)
        return;
    kill_all(k);
    timer_set(k->stop_timer, KILL_AGAIN); /* until it is dead: what was forked meanwhile */
}

static void kill_after(struct keeper *k, int64_t delay) {
    if (k->stop_timer)
        timer_set(k->stop_timer, delay);
    else
        k->stop_timer = timer_new(k->loop, delay, 0, on_stop, k);
}

struct err stop_begin(struct keeper *k, int signo, int64_t timeout_ns) {
    TRY(stop_signal(k, signo));
    if (signo == SIGKILL)
        timeout_ns = 0;
    else
        log_err(LOG_WARN, runtime_resume(k->box), "container %s: thaw", k->id);
    if (timeout_ns >= 0)
        kill_after(k, timeout_ns);
    return OK;
}
