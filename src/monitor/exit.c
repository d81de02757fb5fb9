/* exit.c - the end: exit before EOF.
 *
 * The init is dead and with it everything in its pid namespace. First the rest of the output goes
 * to log and clients, then the daemon is told. Only when it has acknowledged, or, with no daemon
 * there, when the record lies in the run directory, clients see the end of their streams and
 * waiters their answer: whoever asks for the exit code after that finds it. */
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- letting go ------------------------------------------------------------------------------- */

static void on_linger(void *arg) {
    clients_linger(arg);
}

static void release(struct keeper *k) {
    if (!k->released) {
        k->released = true;
        clients_end(&k->session);
        if (k->linger == NULL)
            k->linger = timer_new(k->loop, LINGER / 2, LINGER / 2, on_linger, k);
    }
    wait_release(k);
    exit_maybe(k);
}

void exit_ack(struct keeper *k) {
    if (!k->reported || k->acked)
        return;
    k->acked = true;
    if (k->recorded)
        unlinkat(k->run_dir_fd, PROTOCOL_RECORD, 0); /* the daemon has it in its own books now */
    release(k);
}

static void record(struct keeper *k) {
    if (k->recorded || k->acked)
        return;
    log_err(LOG_ERROR, record_write(k), "container %s: exit record", k->id);
    life_record(k);
    k->recorded = true; /* or could not be: nobody gains from waiting */
    release(k);
}

void exit_notice(struct keeper *k) {
    CLEAN_BUF struct buf body = {0};
    if (!k->reported || k->acked)
        return;
    protocol_put_exit(&body, &k->exit);
    server_notice(k, PROTOCOL_EXITED, &body, NULL, 0);
}

void exit_daemon_lost(struct keeper *k) {
    if (k->reported)
        record(k);
    exit_maybe(k);
}

/* --- the last check --------------------------------------------------------------------------- */

static bool execs_over(const struct keeper *k, bool known_only) {
    LIST_FOR (&k->execs, n) {
        const struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->running || (known_only ? !x->acked : !x->done))
            return false;
    }
    return true;
}

static void check(void *arg) {
    struct keeper *k = arg;
    k->checking = false;
    if (!k->exited)
        return;
    bool log_done = logs_writer_idle(k->log) || k->leave == NULL || k->removed;
    if (log_done)
        follow_end(k);
    if (!k->released)
        return;
    bool waited = wait_pending(k);
    if (!waited && k->acked && execs_over(k, true) && log_done)
        server_close(k); /* the next run need not wait for a client that reads slowly */
    if (!waited && execs_over(k, k->acked) && log_done && list_empty(&k->clients_ending) &&
        list_empty(&k->session.clients))
        loop_stop(k->loop);
    else
        k->mounts_fd = fd_close(k->mounts_fd); /* somebody lingers: the mounts need not */
}

void exit_maybe(struct keeper *k) {
    if (k->checking)
        return;
    k->checking = true; /* in a round of its own: callers still use what it may free */
    loop_post(k->loop, check, k);
}

/* A restart makes the same cgroups anew; it waits for this process (monitor_await). */
static void bury(struct keeper *k) {
    log_err(LOG_WARN, runtime_delete(TAKE(k->grave)), "container %s: remove its cgroups", k->id);
}

/* Who hears of the exit finds the whole log: the report waits for it, but not for a disk that
 * hangs. Whoever reads the log after that asks us first, and waits (follow.c). */
static void report(struct keeper *k) {
    k->report = timer_free(k->report);
    if (k->reported)
        return;
    k->reported = true;
    logs_writer_missing(k->log, &k->exit.log);
    if (k->daemon)
        exit_notice(k);
    else
        record(k);
    bury(k); /* while the daemon writes the exit down; clients are answered after both */
    exit_maybe(k);
}

static void on_report(void *arg) {
    report(arg);
}

void exit_log_moved(struct keeper *k) {
    if (!k->exited)
        return;
    if (logs_writer_idle(k->log))
        report(k);
    exit_maybe(k);
}

static void on_leave(void *arg) {
    struct keeper *k = arg;
    k->leave = timer_free(k->leave);
    exit_maybe(k);
}

/* --- orphans ---------------------------------------------------------------------------------- */

static bool is_watched(const struct keeper *k, pid_t pid) {
    if ((k->init_child && k->init.pid == pid) || pack_is(k, pid))
        return true;
    LIST_FOR (&k->execs, n) {
        const struct exec *x = CONTAINER_OF(n, struct exec, link);
        if ((x->child && x->process.pid == pid) || exec_is_entering(x, pid))
            return true;
    }
    return false;
}

void orphans_reap(struct keeper *k) {
    for (;;) {
        siginfo_t dead = {0};
        if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || dead.si_pid == 0)
            return;
        if (is_watched(k, dead.si_pid))
            return; /* its own watch reaps it and calls us again */
        waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG | __WALL);
    }
}

static void on_child(void *arg, int signo) {
    (void)signo;
    orphans_reap(arg);
}

/* --- the end of the init -----------------------------------------------------------------------
 */

static void held_close(struct keeper *k) {
    k->ports = ports_free(k->ports);
    protocol_keeps_done(TAKE(k->keeps), k->keeps_n);
    k->keeps_n = 0;
}

static void on_init(void *arg, int status) {
    struct keeper *k = arg;
    k->exit = (struct monitor_exit){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
        .finished_at = time_now(),
        .oom_killed = runtime_oom_count(k->box) > 0,
        .error = "",
        .unhealthy = k->unhealthy,
    };
    k->init_child = NULL; /* freed itself */
    k->init.pidfd = fd_close(k->init.pidfd);
    k->oom_watch = watch_free(k->oom_watch);
    k->stop_timer = timer_free(k->stop_timer);
    health_stop(k);
    life_stop(k);
    execs_settle(k);
    /* Nothing of the container is alive when the daemon hears of its end. */
    log_err(LOG_WARN, runtime_end(k->box), "container %s: end what it left behind", k->id);
    k->grave = TAKE(k->box);
    held_close(k);
    names_drop(k);
    k->terminal_fd = fd_close(k->terminal_fd);
    session_drain(&k->session, true);
    session_close(&k->session);
    logs_writer_end(k->log, time_now());
    k->exited = true;
    k->leave = timer_new(k->loop, LOG_LINGER, 0, on_leave, k);
    log_pump(k);
    k->report = timer_new(k->loop, REPORT_WAIT, 0, on_report, k);
    exit_log_moved(k);
}

static void on_oom(void *arg, unsigned events) {
    (void)events;
    struct keeper *k = arg;
    char bytes[4096]; /* counter of an eventfd or events of an inotify */
    (void)!read(runtime_oom_fd(k->box), bytes, sizeof(bytes));
    uint64_t count = runtime_oom_count(k->box);
    if (count > k->oom_seen)
        server_notice(k, PROTOCOL_OOM, NULL, NULL, 0);
    k->oom_seen = count;
}

void exit_watch(struct keeper *k) {
    k->orphans = sigwatch_new(k->loop, SIGCHLD, on_child, k);
    k->init_child = child_watch(k->loop, k->init.pid, k->init.pidfd, on_init, k);
    int oom = runtime_oom_fd(k->box);
    if (oom >= 0)
        k->oom_watch = watch_new(k->loop, oom, WATCH_READ, on_oom, k);
}
