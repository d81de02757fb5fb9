/* exec.c - more processes in the container, each with streams and at most one client of its own. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/pty.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CODE_NOT_FOUND 127
#define CODE_FAILED 126

struct exec *exec_find(struct keeper *k, struct str id) {
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (str_eqz(id, x->id))
            return x;
    }
    return NULL;
}

static void exec_free(struct exec *x) {
    struct keeper *k = x->keeper;
    list_remove(&x->link);
    k->execs_n--;
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

static void streams_ended(struct session *s) {
    exec_check(CONTAINER_OF(s, struct exec, session));
}

static void notice(struct exec *x) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, x->id);
    msg_put_i64(&body, TAG_EXIT_CODE, x->code);
    msg_put_i64(&body, TAG_EXIT_AT, x->finished_at);
    server_notice(x->keeper, PROTOCOL_EXEC_EXITED, &body, NULL, 0);
}

/* The exec is over, by its end or because it never began. */
static void exec_over(struct exec *x, int code) {
    struct keeper *k = x->keeper;
    x->running = false;
    x->code = code;
    x->finished_at = time_now();
    x->hold = timer_new(k->loop, EXEC_HOLD, 0, on_hold, x);
    if (session_open(&x->session))
        x->drain = timer_new(k->loop, EXEC_DRAIN, 0, on_drain, x);
    if (k->recorded && !k->acked)
        log_err(LOG_WARN, record_write(k), "container %s: exit record", k->id);
}

static void on_exec_exit(void *arg, int status) {
    struct exec *x = arg;
    x->child = NULL; /* freed itself */
    x->process.pidfd = fd_close(x->process.pidfd);
    session_drain(&x->session, false);
    x->session.draining = false; /* what its own children still say is held back as before */
    exec_over(x, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    notice(x);
    exec_check(x);
}

void exec_ack(struct keeper *k, struct str id) {
    struct exec *x = exec_find(k, id);
    if (x == NULL || x->running)
        return;
    x->acked = true;
    exec_check(x);
}

void execs_put(struct keeper *k, struct buf *body) {
    LIST_FOR (&k->execs, n) {
        const struct exec *x = CONTAINER_OF(n, struct exec, link);
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

/* --- start ------------------------------------------------------------------------------------ */

struct exec_pipes {
    int theirs[3], ours[3];
};

static void exec_pipes_done(struct exec_pipes *p) {
    for (int i = 0; i < 3; i++) {
        fd_close(p->theirs[i]);
        fd_close(p->ours[i]);
    }
}

static struct err make_pipes(struct exec_pipes *p, unsigned flags) {
    static const unsigned wanted[3] = {CLIENT_IN, CLIENT_OUT, CLIENT_ERR};
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (!(flags & wanted[i]))
            continue;
        if (pipe2(fds, O_CLOEXEC) < 0)
            return err_errno(errno, "make a pipe for the standard streams");
        p->theirs[i] = i == 0 ? fds[0] : fds[1];
        p->ours[i] = i == 0 ? fds[1] : fds[0];
    }
    return OK;
}

/* The container's root, by its init: no descriptor of it is kept while nobody execs. */
static struct err open_root(const struct keeper *k, int *ret_fd) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", (int)k->facts.pid);
    *ret_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open the container's root") : OK;
}

static struct err launch(struct exec *x, const struct msg *m, unsigned flags) {
    struct keeper *k = x->keeper;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FD
    int root = -1;
    struct oci_process process;
    int64_t no_score = 0;
    OWN(exec_pipes_done) struct exec_pipes p = {{-1, -1, -1}, {-1, -1, -1}};
    TRY(fields_decode_strict(&oci_process_fields, msg_get(m->body, TAG_PROCESS), &a, &process));
    process.terminal = x->session.terminal;
    if (process.oom_score_adj == NULL)
        process.oom_score_adj = &no_score;
    CLEAN_FREE
    char *user = str_dup(msg_get(m->body, TAG_USER));
    TRY(open_root(k, &root));
    TRY(user_resolve(root, *user ? user : k->user, (const char *const *)k->groups.items,
                     k->groups.n, &process, &a));
    if (!x->session.terminal)
        TRY(make_pipes(&p, flags));
    struct runtime_stdio stdio = {p.theirs[0], p.theirs[1], p.theirs[2]};
    TRYF(runtime_exec(k->box, &process, &stdio, &x->process),
         "OCI runtime exec failed: exec failed: unable to start container process");
    x->running = true;
    if (!x->session.terminal) {
        session_set(&x->session, TAKE_FD(p.ours[0]), TAKE_FD(p.ours[1]), TAKE_FD(p.ours[2]));
        return OK;
    }
    unsigned rows = (unsigned)msg_get_u64(m->body, TAG_ROWS);
    unsigned columns = (unsigned)msg_get_u64(m->body, TAG_COLUMNS);
    if (rows > 0 &&
        columns > 0) /* refused for a size alone: the program runs with the default one */
        log_err(LOG_WARN, pty_resize(x->process.pty_master, rows, columns), "exec %s: resize",
                x->id);
    int in = fcntl(x->process.pty_master, F_DUPFD_CLOEXEC, 3);
    session_set(&x->session, in, TAKE_FD(x->process.pty_master), -1);
    return OK;
}

static struct exec *exec_new(struct keeper *k, struct str id, unsigned flags) {
    struct exec *x = NEW(struct exec);
    x->keeper = k;
    memcpy(x->id, id.p, id.len);
    session_init(&x->session, k, flags & CLIENT_TERMINAL, true);
    x->session.ended = streams_ended;
    x->process = (struct runtime_process){.pidfd = -1, .pty_master = -1};
    list_push(&k->execs, &x->link);
    k->execs_n++;
    return x;
}

/* What refuses an exec before anything of it exists: an HTTP error for the client. */
static struct err check(struct keeper *k, const struct msg *m, const struct protocol_client *c) {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t n;
    struct str id = msg_get(m->body, TAG_EXEC_ID);
    if (k->exited || k->box == NULL)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    if (id.len == 0 || id.len > 64 || exec_find(k, id))
        return err_new(ERR_INVALID, "exec: bad or repeated id");
    if (k->execs_n >= PROTOCOL_EXECS_MAX)
        return err_new(ERR_UNAVAILABLE, "more than %d execs in container %s", PROTOCOL_EXECS_MAX,
                       k->id);
    return c->flags & CLIENT_TERMINAL ? detach_keys_parse(c->detach_keys, keys, &n) : OK;
}

static void refuse(struct peer *p, struct msg *m, struct protocol_client *c, struct err e) {
    int status = err_kind(e) == ERR_CONFLICT ? 409 : err_kind(e) == ERR_INVALID ? 400 : 503;
    client_refuse(c, status, err_msg(e));
    server_reply(p, m->seq, e, 0);
}

/* The peer has taken the stream over by the time it knows: the client reads why on its stdout. */
static void failed(struct peer *p, struct msg *m, struct exec *x, struct protocol_client *c,
                   struct err e) {
    bool runtime = str_starts(str_of(err_msg(e)), STR("OCI runtime"));
    int code = err_kind(e) == ERR_NOT_FOUND ? CODE_NOT_FOUND : CODE_FAILED;
    if (err_kind(e) != ERR_NOT_FOUND)
        e = err_as(e, ERR_FORBIDDEN); /* the kind that stands for 126 */
    if (c->fd >= 0) {
        CLEAN_FREE
        char *text = mem_printf("%s%s\r\n", err_msg(e), runtime ? ": unknown" : "");
        c->flags |= CLIENT_OUT;
        client_new(&x->session, c, text);
    }
    bool waits = !list_empty(&x->session.clients);
    exec_over(x, code);
    server_reply(p, m->seq, e, 0);
    if (!waits)
        exec_free(x);
}

void exec_start(struct peer *p, struct msg *m) {
    struct keeper *k = p->keeper;
    struct protocol_client c;
    protocol_get_client(m, &c);
    struct err e = check(k, m, &c);
    if (err_failed(e)) {
        refuse(p, m, &c, e);
        return;
    }
    struct exec *x = exec_new(k, msg_get(m->body, TAG_EXEC_ID), c.flags);
    e = launch(x, m, c.flags);
    if (err_failed(e)) {
        failed(p, m, x, &c, e);
        protocol_client_done(&c);
        return;
    }
    if (c.fd >= 0)
        client_new(&x->session, &c, NULL);
    protocol_client_done(&c);
    server_reply(p, m->seq, OK, x->process.pid);
    x->child = child_watch(k->loop, x->process.pid, x->process.pidfd, on_exec_exit, x);
}
