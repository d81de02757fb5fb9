/* exec.c - more processes in the container, each with streams and at most one client of its own. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/pidfd.h"
#include "monitor/life.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

struct exec *exec_find(struct keeper *k, struct str id) {
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (str_eqz(id, x->id))
            return x;
    }
    return NULL;
}

void exec_free(struct exec *x) {
    struct keeper *k = x->keeper;
    list_remove(&x->link);
    k->execs_n--;
    x->run = run_free(x->run);
    x->inside = inside_free(x->inside);
    clients_end(&x->session);
    session_close(&x->session);
    child_free(x->child);
    timer_free(x->drain);
    timer_free(x->hold);
    fd_close(x->process.pidfd);
    free(x);
    exit_maybe(k);
}

/* What may be let go by now. */
static void exec_check(struct exec *x) {
    bool drained = !session_open(&x->session) || x->drain == NULL;
    bool known = x->acked || x->hold == NULL;
    if (x->running || !drained || !known)
        return;
    if (!x->done) {
        x->done = true;
        clients_end(&x->session);
        session_close(&x->session);
    }
    if (x->acked)
        exec_free(x); /* else its code waits for the next daemon */
    else
        exit_maybe(x->keeper);
}

static void on_drain(void *arg) {
    struct exec *x = arg;
    x->drain = timer_free(x->drain);
    exec_check(x);
}

static void on_hold(void *arg) {
    struct exec *x = arg;
    x->hold = timer_free(x->hold);
    exec_check(x);
}

void exec_streams_ended(struct session *s) {
    exec_check(CONTAINER_OF(s, struct exec, session));
}

static void notice(struct exec *x) {
    CLEAN_BUF struct buf body = {0};
    if (x->internal)
        return;
    msg_putz(&body, TAG_EXEC_ID, x->id);
    msg_put_i64(&body, TAG_EXIT_CODE, x->code);
    msg_put_i64(&body, TAG_EXIT_AT, x->finished_at);
    server_notice(x->keeper, PROTOCOL_EXEC_EXITED, &body, NULL, 0);
}

/* The exec is over, by its end or because it never began. */
void exec_over(struct exec *x, int code) {
    struct keeper *k = x->keeper;
    x->running = false;
    x->code = code;
    x->finished_at = time_now();
    if (x->internal) {
        x->acked = true;
        session_close(&x->session);
        return;
    }
    x->hold = timer_new(k->loop, EXEC_HOLD, 0, on_hold, x);
    if (session_open(&x->session))
        x->drain = timer_new(k->loop, EXEC_DRAIN, 0, on_drain, x);
    if (k->recorded && !k->acked)
        log_err(LOG_WARN, record_write(k), "container %s: exit record", k->id);
}

void exec_ended(void *arg, int status) {
    struct exec *x = arg;
    x->child = NULL;                                          /* freed itself */
    if (x->keeper->box && x->run)                             /* what a method leaves behind */
        err_ignore(runtime_exec_kill(x->keeper->box, x->id)); /* nothing: its cgroup is gone */
    if (x->keeper->box)
        runtime_exec_forget(x->keeper->box, x->id);
    x->process.pidfd = fd_close(x->process.pidfd);
    session_drain(&x->session, false);
    x->session.draining = false; /* what its own children still say is held back as before */
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (x->internal)
        exec_own_ended(x, code);
    if (x->run)
        run_end(TAKE(x->run), code, NULL); /* its result is told before its end */
    exec_over(x, code);
    notice(x);
    struct keeper *k = x->keeper;
    exec_check(x);
    orphans_reap(k);
}

/* SIGKILL means everything that the exec started, as far as the kernel can tell. */
static struct err signal_exec(struct exec *x, int signo) {
    if (signo == SIGKILL) {
        struct err e = runtime_exec_kill(x->keeper->box, x->id);
        if (err_kind(e) != ERR_NOT_FOUND)
            return e;
        err_free(e);
    }
    return pidfd_signal(x->process.pidfd, signo);
}

struct err exec_signal(struct keeper *k, struct str id, int signo) {
    struct exec *x = exec_find(k, id);
    if (x == NULL || x->internal)
        return err_new(ERR_NOT_FOUND, "No such exec instance: %.*s", STR_ARG(id));
    if (!x->running || x->entry || k->box == NULL)
        return err_new(ERR_CONFLICT, "exec instance %s is not running", x->id);
    if (signo < 1 || signo > SIGRTMAX)
        return err_new(ERR_INVALID, "invalid signal %d", signo);
    return signal_exec(x, signo);
}

void exec_expire(struct exec *x) {
    if (x->entry)
        exec_give_up(x, err_new(ERR_TIMEOUT, "over its deadline on its way into the container"));
    else if (x->running && x->keeper->box)
        log_err(LOG_WARN, signal_exec(x, SIGKILL), "exec %s: end it", x->id);
}

/* Its client died. */
void exec_client_gone(struct session *s) {
    struct exec *x = CONTAINER_OF(s, struct exec, session);
    if (x->kill_with_client && x->running && !x->entry && x->keeper->box)
        log_err(LOG_WARN, signal_exec(x, SIGKILL), "exec %s: kill with its client", x->id);
}

void exec_ack(struct keeper *k, struct str id) {
    struct exec *x = exec_find(k, id);
    if (x == NULL || x->running || x->internal)
        return;
    x->acked = true;
    exec_check(x);
}

void execs_put(struct keeper *k, struct buf *body) {
    LIST_FOR (&k->execs, n) {
        const struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->internal)
            continue;
        struct monitor_hello_exec h = {
            .id = (char *)x->id, .pid = x->process.pid, .running = x->running, .code = x->code};
        protocol_put_exec(body, &h);
    }
}

void execs_notice(struct keeper *k) {
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (!x->running && !x->acked)
            notice(x);
    }
}
