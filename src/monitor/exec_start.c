/* exec_start.c - from an EXEC message to a running program, without waiting for it: between clone
 * and execve lie the container's file systems, and what hangs there must not hold the monitor. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "http/http.h"
#include "kernel/pidfd.h"
#include "kernel/pty.h"
#include "monitor/life.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CODE_NOT_FOUND 127
#define CODE_FAILED 126
#define LOOK (100 * NSEC_PER_MSEC) /* between looks at whether the container was frozen */

/* What an exec needs until its program runs. */
struct exec_entry {
    struct runtime_entry runtime;
    struct watch *watch;
    struct timer *look;
    struct peer *asker; /* NULL: gone */
    uint64_t seq;
    struct protocol_client client;
    struct pipes pipes;     /* ours */
    unsigned rows, columns; /* asked for meanwhile; 0: none */
    int own, own_socket;    /* program and its end of the socket; -1: none */
};

static void entry_free(struct exec *x) {
    struct exec_entry *y = TAKE(x->entry);
    watch_free(y->watch);
    timer_free(y->look);
    runtime_exec_abandon(&y->runtime);
    protocol_client_done(&y->client);
    pipes_done(&y->pipes);
    fd_close(y->own);
    fd_close(y->own_socket);
    free(y);
}

static void reply(struct exec_entry *y, struct err e, pid_t pid) {
    if (y->asker)
        server_reply(y->asker, y->seq, e, pid);
    else
        err_ignore(e); /* whoever comes next asks by HELLO */
}

/* --- failure ---------------------------------------------------------------------------------- */

/* The peer has taken the stream over by the time it knows: the client reads why on its stdout. */
static void tell_stream(struct exec *x, struct err e, bool runtime) {
    struct protocol_client *c = &x->entry->client;
    if (c->fd < 0)
        return;
    CLEAN_FREE
    char *text = mem_printf("%s%s\r\n", err_msg(e), runtime ? ": unknown" : "");
    c->flags |= CLIENT_OUT;
    client_new(&x->session, c, text);
}

static void own_failed(struct exec *x, struct err e) {
    const struct exec_own *own = TAKE(x->own);
    entry_free(x);
    x->running = false;
    exec_free(x);
    if (own)
        own->ended(own->arg, -1, e);
    else
        err_ignore(e); /* cancelled */
}

/* A method that never began has a result all the same, unless nothing has happened. */
static void end_run(struct exec *x, struct err e) {
    struct run *r = TAKE(x->run);
    if (r && err_kind(e) != ERR_CONFLICT)
        run_end(r, -1, err_msg(e));
    else
        run_free(r);
}

static void failed(struct exec *x, struct err e) {
    struct exec_entry *y = x->entry;
    if (x->internal) {
        own_failed(x, e);
        return;
    }
    end_run(x, e);
    if (err_kind(e) == ERR_CONFLICT) { /* nothing of it has happened: it may be started again */
        client_refuse(&y->client, http_error_status(err_kind(e)), err_msg(e));
        reply(y, e, 0);
        entry_free(x);
        x->running = false;
        exec_free(x);
        return;
    }
    bool runtime = str_starts(str_of(err_msg(e)), STR("OCI runtime"));
    int code = err_kind(e) == ERR_NOT_FOUND ? CODE_NOT_FOUND : CODE_FAILED;
    if (err_kind(e) != ERR_NOT_FOUND)
        e = err_as(e, ERR_FORBIDDEN); /* the kind that stands for 126 */
    tell_stream(x, e, runtime);
    bool waits = !list_empty(&x->session.clients);
    exec_over(x, code);
    reply(y, e, 0);
    entry_free(x);
    if (!waits)
        exec_free(x);
}

/* --- the program runs ------------------------------------------------------------------------- */

static void set_streams(struct exec *x) {
    struct pipes *p = &x->entry->pipes;
    if (!x->session.terminal) {
        session_set(&x->session, TAKE_FD(p->ours[0]), TAKE_FD(p->ours[1]), TAKE_FD(p->ours[2]));
        return;
    }
    unsigned rows = x->entry->rows, columns = x->entry->columns;
    if (rows > 0 && columns > 0)
        log_err(LOG_WARN, pty_resize(x->process.pty_master, rows, columns), "exec %s: resize",
                x->id);
    int in = fcntl(x->process.pty_master, F_DUPFD_CLOEXEC, 3);
    session_set(&x->session, in, TAKE_FD(x->process.pty_master), -1);
}

static void runs(struct exec *x) {
    struct keeper *k = x->keeper;
    set_streams(x);
    struct protocol_client c = x->entry->client;
    x->entry->client = (struct protocol_client){.fd = -1};
    reply(x->entry, OK, x->process.pid);
    entry_free(x);
    x->child = child_watch(k->loop, x->process.pid, x->process.pidfd, exec_ended, x);
    if (c.fd >= 0)
        client_new(&x->session, &c, NULL); /* last: it may turn out to be gone */
    protocol_client_done(&c);
}

void exec_give_up(struct exec *x, struct err e) {
    runtime_exec_forget(x->keeper->box, x->id);
    failed(x, e);
}

bool exec_is_entering(const struct exec *x, pid_t pid) {
    return x->entry && x->entry->runtime.pidfd >= 0 && x->entry->runtime.pid == pid;
}

/* Goes on as far as it goes. */
static void advance(struct exec *x) {
    struct exec_entry *y = x->entry;
    bool done = false;
    struct err e = runtime_exec_continue(x->keeper->box, &y->runtime, &done, &x->process);
    if (err_failed(e)) {
        runtime_exec_forget(x->keeper->box, x->id);
        if (err_kind(e) != ERR_CONFLICT)
            e = err_wrap(e,
                         "OCI runtime exec failed: exec failed: unable to start container process");
        failed(x, e);
    } else if (done) {
        runs(x);
    }
}

static void on_entry(void *arg, unsigned events) {
    (void)events;
    advance(arg);
}

static void on_look(void *arg) {
    advance(arg);
}

void execs_settle(struct keeper *k) {
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->entry)
            advance(x); /* it may have run before the end */
        /* advance frees x only with a failure, after which the list does not have it. */
    }
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->entry)
            failed(x, err_new(ERR_CONFLICT, "container %s is not running", k->id));
    }
}

void execs_forget_peer(struct keeper *k, const struct peer *p) {
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->entry && x->entry->asker == p)
            x->entry->asker = NULL;
    }
}

void exec_resize(struct exec *x, unsigned rows, unsigned columns) {
    x->entry->rows = rows;
    x->entry->columns = columns;
}

/* --- begin ------------------------------------------------------------------------------------ */

/* What is to be run, as it came. */
struct order {
    struct str id, process, user;
    uint64_t rows, columns;
    unsigned flags; /* enum client_flag */
};

/* The container's root, by its init: no descriptor of it is kept while nobody execs. */
static struct err open_root(const struct keeper *k, int *ret_fd) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", (int)k->facts.pid);
    *ret_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open the container's root") : OK;
}

/* A size that no terminal can have is not worth a refusal. */
static struct oci_box *initial_size(const struct order *o, struct arena *a) {
    if (o->rows == 0 || o->columns == 0 || o->rows > UINT16_MAX || o->columns > UINT16_MAX)
        return NULL;
    struct oci_box *size = arena_alloc(a, sizeof(*size));
    size->height = (typeof(size->height))o->rows;
    size->width = (typeof(size->width))o->columns;
    return size;
}

static struct err decode(struct exec *x, const struct order *o, struct arena *a,
                         struct oci_process *ret) {
    struct keeper *k = x->keeper;
    CLEAN_FD
    int root = -1;
    TRY(fields_decode_strict(&oci_process_fields, o->process, a, ret));
    ret->terminal = x->session.terminal;
    if (ret->terminal && ret->console_size == NULL)
        ret->console_size = initial_size(o, a);
    if (ret->oom_score_adj == NULL)
        ret->oom_score_adj = arena_alloc(a, sizeof(*ret->oom_score_adj)); /* 0: not the monitor's */
    CLEAN_FREE
    char *user = str_dup(o->user);
    TRY(open_root(k, &root));
    return user_resolve(root, *user ? user : k->user, (const char *const *)k->groups.items,
                        k->groups.n, ret, a);
}

static unsigned streams_of(unsigned flags) {
    return (flags & CLIENT_IN ? 1u : 0u) | (flags & CLIENT_OUT ? 2u : 0u) |
           (flags & CLIENT_ERR ? 4u : 0u);
}

static struct err begin(struct exec *x, const struct order *o) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_process process;
    struct exec_entry *y = x->entry;
    TRY(decode(x, o, &a, &process));
    if (!x->session.terminal)
        TRY(pipes_make(&y->pipes, streams_of(o->flags)));
    struct runtime_stdio stdio = {y->pipes.theirs[0], y->pipes.theirs[1], y->pipes.theirs[2],
                                  y->own, y->own_socket};
    struct err e = runtime_exec_begin(x->keeper->box, x->id, &process, &stdio, &y->runtime);
    if (err_kind(e) == ERR_CONFLICT)
        return e;
    TRYF(e, "OCI runtime exec failed: exec failed: unable to start container process");
    for (int i = 0; i < 3; i++)
        y->pipes.theirs[i] = fd_close(y->pipes.theirs[i]);
    y->own = fd_close(y->own);
    y->own_socket = fd_close(y->own_socket);
    y->watch = watch_new(x->keeper->loop, y->runtime.sync, WATCH_READ, on_entry, x);
    y->look = timer_new(x->keeper->loop, LOOK, LOOK, on_look, x);
    return OK;
}

static struct exec *exec_new(struct keeper *k, const struct order *o) {
    struct exec *x = NEW(struct exec);
    x->keeper = k;
    memcpy(x->id, o->id.p, o->id.len);
    session_init(&x->session, k, o->flags & CLIENT_TERMINAL, true);
    x->session.framed = o->flags & CLIENT_FRAMED;
    x->session.ended = exec_streams_ended;
    x->session.gone = exec_client_gone;
    x->process = (struct runtime_process){.pidfd = -1, .pty_master = -1};
    x->running = true;
    x->kill_with_client = o->flags & CLIENT_KILL;
    x->entry = NEW(struct exec_entry);
    *x->entry = (struct exec_entry){
        .runtime = {.pidfd = -1, .pty_master = -1, .sync = -1},
        .client = {.fd = -1},
        .pipes = PIPES_NONE,
        .own = -1,
        .own_socket = -1,
    };
    list_push(&k->execs, &x->link);
    k->execs_n++;
    return x;
}

/* What refuses an exec before anything of it exists: an HTTP error for the client. */
static struct err check(struct keeper *k, struct str id, const struct protocol_client *c) {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t n;
    if (k->exited || k->box == NULL)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    if (id.len == 0 || id.len > 64 || exec_find(k, id))
        return err_new(ERR_INVALID, "exec: bad or repeated id");
    if (k->execs_n >= PROTOCOL_EXECS_MAX)
        return err_new(ERR_UNAVAILABLE, "more than %d execs in container %s", PROTOCOL_EXECS_MAX,
                       k->id);
    return c->flags & CLIENT_TERMINAL ? detach_keys_parse(c->detach_keys, keys, &n) : OK;
}

static void method_output(struct session *s, const char *p, size_t n) {
    const struct exec *x = CONTAINER_OF(s, struct exec, session);
    if (x->run)
        run_output(x->run, p, n);
}

/* An exec that is a method's run. */
static struct err add_run(struct exec *x, struct str body) {
    CLEAN_FREE char *method = str_dup(msg_get(body, TAG_METHOD_NAME));
    CLEAN_FREE char *trigger = str_dup(msg_get(body, TAG_METHOD_TRIGGER));
    uint64_t reading = msg_get_u64(body, TAG_METHOD_READING);
    if (!msg_has(body, TAG_METHOD_NAME))
        return OK;
    if (reading > LIFECYCLE_JUNIT)
        return err_new(ERR_INVALID, "method: unknown reading");
    const struct run_options o = {.method = method,
                                  .trigger = trigger,
                                  .reading = (enum lifecycle_reading)reading,
                                  .timeout = msg_get_i64(body, TAG_TIMEOUT),
                                  .follow = msg_get_u64(body, TAG_METHOD_FOLLOW) != 0};
    x->run = run_new(x->keeper, x->id, &o);
    if (x->run == NULL)
        return err_new(ERR_UNAVAILABLE, "more than %d methods run in container %s", LIFE_RUNS_MAX,
                       x->keeper->id);
    x->session.output = method_output;
    run_begin(x->run, x);
    return OK;
}

/* An exec of `container`: our own program and a socket for it. Takes own over. */
static struct err add_inside(struct exec *x, int own, struct str body) {
    int pair[2];
    if (own < 0)
        return OK;
    x->entry->own = own;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(errno, "socket for the program inside");
    x->entry->own_socket = pair[1];
    x->inside = inside_new(x, pair[0], msg_get(body, TAG_INSIDE_METADATA),
                           msg_get(body, TAG_INSIDE_EXAMINE));
    return OK;
}

void exec_start(struct peer *p, struct msg *m) {
    struct protocol_client c;
    CLEAN_FD int own = -1;
    if (msg_has(m->body, TAG_INSIDE_METADATA) && m->fds_n > 0) {
        m->fds_n--; /* the last one is no client */
        own = TAKE_FD(m->fds[m->fds_n]);
    }
    protocol_get_client(m, &c);
    const struct order o = {
        .id = msg_get(m->body, TAG_EXEC_ID),
        .process = msg_get(m->body, TAG_PROCESS),
        .user = msg_get(m->body, TAG_USER),
        .rows = msg_get_u64(m->body, TAG_ROWS),
        .columns = msg_get_u64(m->body, TAG_COLUMNS),
        .flags = c.flags,
    };
    struct err e = check(p->keeper, o.id, &c);
    if (err_failed(e)) {
        client_refuse(&c, http_error_status(err_kind(e)), err_msg(e));
        server_reply(p, m->seq, e, 0);
        return;
    }
    struct exec *x = exec_new(p->keeper, &o);
    x->entry->asker = p;
    x->entry->seq = m->seq;
    x->entry->client = c;
    e = add_run(x, m->body);
    if (!err_failed(e))
        e = add_inside(x, TAKE_FD(own), m->body);
    if (!err_failed(e))
        e = begin(x, &o);
    if (err_failed(e))
        failed(x, e);
}

/* --- the monitor's own ------------------------------------------------------------------------ */

static void own_output(struct session *s, const char *p, size_t n) {
    const struct exec *x = CONTAINER_OF(s, struct exec, session);
    if (x->own)
        x->own->output(x->own->arg, p, n);
}

void exec_own_ended(struct exec *x, int code) {
    const struct exec_own *own = TAKE(x->own);
    if (x->keeper->box)                                       /* what it has left behind */
        err_ignore(runtime_exec_kill(x->keeper->box, x->id)); /* nothing: its cgroup is gone */
    if (own)
        own->ended(own->arg, code, OK);
}

struct exec *exec_run(struct keeper *k, struct str process, const char *user,
                      const struct exec_own *own) {
    char id[17];
    unsigned char bytes[8];
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    const struct order o = {.id = str_of(id),
                            .process = process,
                            .user = str_of(user),
                            .flags = CLIENT_OUT | CLIENT_ERR};
    struct exec *x = exec_new(k, &o);
    x->internal = true;
    x->own = own;
    x->session.output = own_output;
    struct err e = begin(x, &o);
    if (!err_failed(e))
        return x;
    failed(x, e);
    return NULL;
}

void exec_cancel(struct exec *x) {
    x->own = NULL;
    if (x->entry) {
        failed(x, err_new(ERR_CANCELLED, "cancelled"));
        return;
    }
    struct err e = x->keeper->box ? runtime_exec_kill(x->keeper->box, x->id) : OK;
    if (err_kind(e) == ERR_NOT_FOUND) { /* untracked */
        err_free(e);
        e = pidfd_signal(x->process.pidfd, SIGKILL);
    }
    err_ignore(e); /* it has just ended by itself */
}
