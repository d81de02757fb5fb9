/* stop: the wish is durable before the reply, the end is real before the reply. */
#include "container/private.h"
#include "kernel/signal.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct stop_job {
    struct container *c;
    int signo;
    int64_t timeout_ns;
    container_done *done;
    void *arg;
    unsigned open; /* of: recorded, ended */
    struct err result;
};

static void stop_part(struct stop_job *j, struct err e) {
    if (err_failed(e)) {
        err_free(j->result);
        j->result = e;
    }
    if (--j->open > 0)
        return;
    if (!err_failed(j->result))
        container_publish(j->c, "stop", NULL, NULL);
    j->done(j->arg, j->result);
    free(j);
}

static void stop_recorded(void *arg, struct err e) {
    stop_part(arg, e);
}

static void stop_ended(void *arg, struct err e) {
    stop_part(arg, e);
}

static void stop_sent(void *arg UNUSED, struct err e) {
    /* A monitor that died takes its container along: the exit comes by monitor_closed. */
    err_ignore(e);
}

static struct err stop_prepare(void *job) {
    struct stop_job *j = job;
    if (j->c->state == CONTAINER_RESTARTING) {
        container_cancel_restart(j->c);
        return OK;
    }
    if (!container_is_alive(j->c))
        return err_new(ERR_NOT_MODIFIED, "container %s is already stopped", j->c->id);
    return OK;
}

static void stop_finish(void *job, struct err e, struct op_run *run) {
    struct stop_job *j = job;
    struct container *c = j->c;
    if (err_failed(e)) {
        j->done(j->arg, e);
        free(j);
        op_end(run);
        return;
    }
    c->stopped_by_user = true;
    bool alive = container_is_alive(c);
    j->open = alive ? 2 : 1;
    struct store_txn *t = store_txn_new();
    container_record_state(c, t);
    store_commit(c->all->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, stop_recorded, j);
    if (!alive) {
        op_end(run);
        return;
    }
    char signal[16];
    snprintf(signal, sizeof signal, "%d", j->signo);
    container_publish(c, "kill", "signal", signal);
    container_on_exit(c, stop_ended, j);
    container_hold_until_exit(c, run, NULL);
    monitor_stop(c->monitor, j->signo, j->timeout_ns, stop_sent, NULL);
}

static const struct op stop_op = {"container stop", stop_prepare, NULL, stop_finish};

static int configured_signal(const struct container *c) {
    int signo = 0;
    if (c->config->stop_signal && *c->config->stop_signal &&
        signal_parse(c->config->stop_signal, &signo))
        return signo;
    return SIGTERM;
}

void container_stop(struct container *c, int signo, int64_t timeout, container_done *done,
                    void *arg) {
    struct stop_job *j = NEW(struct stop_job);
    j->c = c;
    j->signo = signo ? signo : configured_signal(c);
    if (timeout == INT64_MIN)
        timeout = c->config->stop_timeout ? *c->config->stop_timeout : CONTAINER_STOP_TIMEOUT;
    j->timeout_ns = timeout < 0 ? -1 : timeout * NSEC_PER_SEC;
    j->done = done;
    j->arg = arg;
    op_start(c->all->config.loop, &c->queue, &stop_op, j);
}

/* --- restart = stop, then start ------------------------------------------------------------------
 */

struct restart_job {
    struct container *c;
    container_done *done;
    void *arg;
};

static void restart_started(void *arg, struct err e) {
    struct restart_job *j = arg;
    if (!err_failed(e))
        container_publish(j->c, "restart", NULL, NULL);
    j->done(j->arg, e);
    free(j);
}

static void restart_stopped(void *arg, struct err e) {
    struct restart_job *j = arg;
    if (err_failed(e) && err_kind(e) != ERR_NOT_MODIFIED) {
        j->done(j->arg, e);
        free(j);
        return;
    }
    err_free(e);
    container_start(j->c, restart_started, j);
}

void container_restart(struct container *c, int signo, int64_t timeout, container_done *done,
                       void *arg) {
    struct restart_job *j = NEW(struct restart_job);
    *j = (struct restart_job){c, done, arg};
    container_stop(c, signo, timeout, restart_stopped, j);
}
