/* The end of a container's program: facts first, then the acknowledgement that lets the monitor
 * close its streams, then the network's tear-down with the op queue held, then whoever waits. */
#include "container/private.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct exit_call {
    struct list link;
    container_done *done;
    void *arg;
};

void container_on_exit(struct container *c, container_done *done, void *arg) {
    struct exit_call *call = NEW(struct exit_call);
    call->done = done;
    call->arg = arg;
    list_push(&c->exit_calls, &call->link);
}

void container_hold_until_exit(struct container *c, struct op_run *run,
                               void (*fn)(struct container *c)) {
    assert(!c->until_exit);
    c->until_exit = run;
    c->exit_continue = fn;
}

void container_apply_exit(struct container *c, const struct monitor_exit *x) {
    c->exit_code = x->code;
    c->finished_at = x->finished_at;
    c->oom_killed = x->oom_killed;
    container_health_ended(c, x);
    container_life_ended(c);
    c->log_now = x->log;
    container_log_missing(c, &c->log_before);
    c->log_now = (struct logs_missing){0};
    c->pid = 0;
    c->start_time = 0;
    c->hold.running = false;
    free(c->error);
    c->error = mem_strdup(x->error ? x->error : "");
    container_set_state(c, CONTAINER_EXITED);
}

/* --- tear-down ---------------------------------------------------------------------------------
 */

struct teardown {
    struct container *c;
    char *run_path;
};

static struct err teardown_work(void *arg) {
    struct teardown *t = arg;
    if (!t->c->endpoints.n) /* an op of this container: nobody changes them meanwhile */
        return OK;
    unlinkat(t->c->all->run_fd, t->run_path, 0);
    return container_endpoints_down(&t->c->endpoints);
}

static struct teardown *teardown_new(struct container *c) {
    struct teardown *t = NEW(struct teardown);
    t->c = c;
    t->run_path = mem_printf("%s/endpoint.json", c->id);
    return t;
}

/* Loop: the network is down; the exit is complete. */
static void teardown_end(struct teardown *t, struct err e) {
    struct container *c = t->c;
    log_err(LOG_WARN, e, "container %s: take the network down", c->id);
    container_endpoints_release(c);
    container_links_ended(c);
    container_volumes_release(c);
    c->idle = endpoint_plan_free(c->idle);
    free(t->run_path);
    free(t);
    for (struct list *n; (n = list_pop(&c->exit_calls));) {
        struct exit_call *call = CONTAINER_OF(n, struct exit_call, link);
        call->done(call->arg, OK);
        free(call);
    }
    container_schedule_restart(c);
}

static void exit_op_finish(void *job, struct err e, struct op_run *run) {
    struct teardown *t = job;
    struct container *c = t->c;
    teardown_end(t, e);
    if (c->auto_remove && c->state == CONTAINER_EXITED)
        container_remove_now(c, true, run, NULL, NULL);
    else
        op_end(run);
}

static const struct op exit_op = {"container exit", NULL, teardown_work, exit_op_finish};

/* An op that waits for this exit holds the queue: the tear-down runs beside it. */
static void held_teardown_done(void *arg, struct err e) {
    struct teardown *t = arg;
    struct container *c = t->c;
    teardown_end(t, e);
    struct op_run *run = TAKE(c->until_exit);
    void (*fn)(struct container * c) = TAKE(c->exit_continue);
    if (fn)
        fn(c);
    else if (c->auto_remove && c->state == CONTAINER_EXITED)
        container_remove_now(c, true, run, NULL, NULL);
    else
        op_end(run);
}

/* --- the monitor's events -----------------------------------------------------------------------
 */

static void acknowledge(void *arg, struct err e) {
    struct container *c = arg;
    log_err(LOG_ERROR, e, "container %s: record the exit", c->id);
    if (c->monitor)
        monitor_ack_exit(c->monitor);
}

void container_publish_end(struct container *c) {
    char code[16], seconds[24];
    int64_t run = c->started_at ? MAX(c->finished_at - c->started_at, INT64_C(0)) : 0;
    snprintf(code, sizeof code, "%d", c->exit_code);
    snprintf(seconds, sizeof seconds, "%lld", (long long)(run / NSEC_PER_SEC));
    container_publish_two(c, "die", "execDuration", seconds, "exitCode", code);
}

static void monitor_exited(void *arg, const struct monitor_exit *x) {
    struct container *c = arg;
    if (!container_is_alive(c)) {
        monitor_ack_exit(c->monitor);
        return;
    }
    container_apply_exit(c, x);
    container_publish_end(c);
    if (c->auto_remove) {
        /* Nobody will ask for this row: its removal is the record. */
        monitor_ack_exit(c->monitor);
    } else {
        struct store_txn *t = store_txn_new();
        container_record_state(c, t);
        store_commit(c->all->config.store, t, STORE_LAZY, acknowledge, c);
    }
    if (c->until_exit)
        job_submit(c->all->config.loop, teardown_work, held_teardown_done, teardown_new(c));
    else
        op_start(c->all->config.loop, &c->queue, &exit_op, teardown_new(c));
}

static void monitor_exec_exited(void *arg, const char *exec_id, int code,
                                int64_t finished_at UNUSED) {
    container_exec_ended(arg, exec_id, code);
}

static void monitor_oom(void *arg) {
    struct container *c = arg;
    c->oom_killed = true;
    container_publish(c, "oom", NULL, NULL);
}

static void monitor_log_missing(void *arg, const struct logs_missing *m) {
    struct container *c = arg;
    c->log_now = *m;
}

static void monitor_health(void *arg, const struct monitor_health_state *s) {
    container_health_report(arg, s);
}

static void monitor_method(void *arg, uint64_t seq, const struct method_result *r) {
    container_result_report(arg, seq, r);
}

static void monitor_method_said(void *arg, const char *exec_id, struct str text) {
    container_method_said(arg, exec_id, text);
}

static void monitor_ask_update(void *arg, const char *exec_id) {
    container_update_inside(arg, exec_id);
}

static void monitor_samples(void *arg, struct str samples) {
    container_samples_report(arg, samples);
}

static void monitor_waiter_back(void *arg, int fd, int exit_code UNUSED) {
    struct container *c = arg;
    struct container_waiter *w = NEW(struct container_waiter);
    w->taken.fd = fd;
    w->is_wait = true;
    w->wait = MONITOR_WAIT_REMOVED;
    list_push(&c->removed_waiters, &w->link);
}

/* The monitor is gone. After an acknowledged exit that is how it should be; else it was killed, and
 * its container with it (PR_SET_PDEATHSIG), so the exit is what a SIGKILL gives. */
static void monitor_closed(void *arg) {
    struct container *c = arg;
    if (container_is_alive(c)) {
        log_warn("container %s: its monitor died", c->id);
        struct monitor_exit x = {
            .code = 137, .finished_at = time_now(), .error = "the monitor died"};
        monitor_exited(c, &x);
    }
    c->monitor = monitor_free(c->monitor);
}

static const struct monitor_events events = {
    .exited = monitor_exited,
    .exec_exited = monitor_exec_exited,
    .oom = monitor_oom,
    .log_missing = monitor_log_missing,
    .health = monitor_health,
    .method = monitor_method,
    .samples = monitor_samples,
    .method_said = monitor_method_said,
    .ask_update = monitor_ask_update,
    .waiter_back = monitor_waiter_back,
    .closed = monitor_closed,
};

void container_watch_monitor(struct container *c, int conn) {
    monitor_free(c->monitor); /* of an earlier run; its facts are recorded */
    c->monitor = monitor_new(c->all->config.loop, conn, &events, c);
}
