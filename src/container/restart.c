/* Restart policies: no, always, unless-stopped, on-failure[:n]; delay 100 ms doubling up to a
 * minute, back to 100 ms after a run of ten seconds (the peer's figures). */
#include "container/private.h"

#define RESTART_DELAY_MIN (100 * NSEC_PER_MSEC)
#define RESTART_DELAY_MAX (60 * NSEC_PER_SEC)
#define RESTART_RUN_GOOD (10 * NSEC_PER_SEC)

bool container_wants_restart(const struct container *c) {
    const char *policy = c->host->restart_policy.name;
    if (container_health_wants_restart(c))
        return true;
    if (!policy || !*policy || !strcmp(policy, "no") || c->stopped_by_user || c->auto_remove)
        return false;
    if (!strcmp(policy, "always") || !strcmp(policy, "unless-stopped"))
        return true;
    int64_t most = c->host->restart_policy.maximum_retry_count;
    return !strcmp(policy, "on-failure") && c->exit_code != 0 &&
           (most == 0 || c->restart_count < most);
}

static void restarted(void *arg, struct err e) {
    struct container *c = arg;
    if (!err_failed(e))
        return;
    if (err_kind(e) == ERR_NOT_MODIFIED || c->gone) {
        err_ignore(e); /* somebody else started or removed it */
        return;
    }
    log_err(LOG_WARN, e, "container %s: restart", c->id);
    if (c->state == CONTAINER_RESTARTING)
        container_set_state(c, CONTAINER_EXITED);
    container_schedule_restart(c);
}

static void restart_now(void *arg) {
    struct container *c = arg;
    c->restart_timer = timer_free(c->restart_timer);
    c->restart_count++;
    container_start(c, restarted, c);
}

void container_schedule_restart(struct container *c) {
    if (c->state != CONTAINER_EXITED || c->restart_timer || !container_wants_restart(c))
        return;
    bool good = c->finished_at - c->started_at >= RESTART_RUN_GOOD;
    c->restart_delay = good || c->restart_delay == 0 ? RESTART_DELAY_MIN
                                                     : MIN(c->restart_delay * 2, RESTART_DELAY_MAX);
    if (container_health_wants_restart(c))
        c->restart_delay = container_health_delay(c);
    container_set_state(c, CONTAINER_RESTARTING);
    c->restart_timer = timer_new(c->all->config.loop, c->restart_delay, 0, restart_now, c);
}

void container_cancel_restart(struct container *c) {
    c->restart_timer = timer_free(c->restart_timer);
    if (c->state == CONTAINER_RESTARTING)
        container_set_state(c, CONTAINER_EXITED);
}
