/* client.c - the daemon's end of the connection: requests with their answers, events. Loop thread.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/pidfd.h"
#include "monitor/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void replay_reply(void *arg, struct err e, int64_t until);
typedef void exec_reply(void *arg, struct err e, pid_t pid);

/* A request under way. */
struct request {
    struct list link;
    uint64_t seq;
    monitor_reply *done; /* or */
    exec_reply *exec_done;
    replay_reply *replay_done;
    char exec_id[65]; /* of a client's exec: acknowledged after its callback when it failed */
    void *arg;
};

struct monitor {
    struct loop *loop;
    struct msg_conn *conn; /* NULL: lost */
    const struct monitor_events *ev;
    void *arg;
    uint64_t seq;
    struct list requests;
    bool in_callback, freed; /* freed by its owner from a callback */
};

/* The monitor is our child when this daemon has spawned it: somebody must reap it, whoever still
 * knows its connection. */
struct reaper {
    int pidfd;
    struct child *child;
};

static void reaped(void *arg, int wait_status) {
    (void)wait_status; /* the connection has told how it went */
    struct reaper *r = arg;
    fd_close(r->pidfd);
    free(r);
}

static void reap_later(struct loop *l, pid_t pid) {
    CLEAN_FD
    int pidfd = -1;
    struct err e = pidfd_of(pid, &pidfd);
    if (err_failed(e)) {
        err_ignore(e); /* gone and reaped, or never our child */
        return;
    }
    siginfo_t info;
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return; /* the child of an earlier daemon: init reaps it */
    struct reaper *r = NEW(struct reaper);
    r->pidfd = TAKE_FD(pidfd);
    r->child = child_watch(l, pid, r->pidfd, reaped, r);
}

static void send_msg(struct monitor *m, uint32_t type, uint64_t seq, const struct buf *body,
                     const int *fds, size_t fds_n) {
    if (m->conn)
        msg_conn_send(m->conn, type, seq, body ? buf_str(body) : STR_NONE, fds, fds_n);
}

static void ack_exec(struct monitor *m, const char *id) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, id);
    send_msg(m, PROTOCOL_ACK_EXEC, 0, &body, NULL, 0);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(struct request *r, struct err e, pid_t pid, int64_t until) {
    if (r->replay_done)
        r->replay_done(r->arg, e, until);
    else if (r->exec_done)
        r->exec_done(r->arg, e, pid);
    else
        r->done(r->arg, e);
    free(r);
}

static void on_reply(struct monitor *m, struct msg *msg) {
    LIST_FOR (&m->requests, n) {
        struct request *r = CONTAINER_OF(n, struct request, link);
        if (r->seq != msg->seq)
            continue;
        list_remove(n);
        char exec_id[65];
        memcpy(exec_id, r->exec_id, sizeof(exec_id));
        struct err e = msg_get_err(msg->body, TAG_ERR);
        bool failed = err_failed(e);
        answer(r, e, (pid_t)msg_get_i64(msg->body, TAG_PID),
               msg_get_i64(msg->body, TAG_REPLAY_UNTIL));
        if (failed && exec_id[0])
            ack_exec(m, exec_id); /* its code is known now: the client's stream may end */
        return;
    }
}

static void on_exec_exited(struct monitor *m, struct msg *msg) {
    CLEAN_FREE
    char *id = str_dup(msg_get(msg->body, TAG_EXEC_ID));
    if (m->ev->exec_exited)
        m->ev->exec_exited(m->arg, id, (int)msg_get_i64(msg->body, TAG_EXIT_CODE),
                           msg_get_i64(msg->body, TAG_EXIT_AT));
    if (!m->freed)
        ack_exec(m, id);
}

static void on_method(struct monitor *m, struct msg *msg) {
    CLEAN_ARENA struct arena a = {0};
    struct method_result r;
    struct err e = fields_decode(&method_result_fields, msg_get(msg->body, TAG_METHOD_RESULT), &a,
                                 &r);
    if (!err_failed(e) && m->ev->method)
        m->ev->method(m->arg, msg_get_u64(msg->body, TAG_METHOD_SEQ), &r);
    log_err(LOG_WARN, e, "result of a method");
}

static void dispatch(struct monitor *m, struct msg *msg) {
    struct monitor_exit x;
    switch (msg->type) {
    case PROTOCOL_REPLY:
        on_reply(m, msg);
        break;
    case PROTOCOL_EXITED:
        protocol_get_exit(msg->body, &x);
        m->ev->exited(m->arg, &x);
        break;
    case PROTOCOL_EXEC_EXITED:
        on_exec_exited(m, msg);
        break;
    case PROTOCOL_OOM:
        if (m->ev->oom)
            m->ev->oom(m->arg);
        break;
    case PROTOCOL_LOG_MISSING: {
        struct logs_missing missing;
        protocol_get_missing(msg->body, &missing);
        if (m->ev->log_missing)
            m->ev->log_missing(m->arg, &missing);
        break;
    }
    case PROTOCOL_HEALTH: {
        struct monitor_health_state state;
        if (m->ev->health && protocol_get_state(msg->body, &state))
            m->ev->health(m->arg, &state);
        break;
    }
    case PROTOCOL_METHOD:
        on_method(m, msg);
        break;
    case PROTOCOL_METHOD_SAID: {
        CLEAN_FREE char *id = str_dup(msg_get(msg->body, TAG_EXEC_ID));
        if (m->ev->method_said)
            m->ev->method_said(m->arg, id, msg_get(msg->body, TAG_METHOD_SAID));
        break;
    }
    case PROTOCOL_ASK_UPDATE: {
        CLEAN_FREE char *id = str_dup(msg_get(msg->body, TAG_EXEC_ID));
        if (m->ev->ask_update)
            m->ev->ask_update(m->arg, id);
        break;
    }
    case PROTOCOL_SAMPLES:
        if (m->ev->samples)
            m->ev->samples(m->arg, msg_get(msg->body, TAG_METHOD_SAMPLES));
        break;
    case PROTOCOL_WAITER_BACK:
        if (msg->fds_n == 1 && m->ev->waiter_back)
            m->ev->waiter_back(m->arg, TAKE_FD(msg->fds[0]),
                               (int)msg_get_i64(msg->body, TAG_EXIT_CODE));
        break;
    default: /* of a newer monitor */
        break;
    }
}

static void leave_callback(struct monitor *m) {
    m->in_callback = false;
    if (m->freed)
        free(m);
}

static void on_message(void *arg, struct msg *msg) {
    struct monitor *m = arg;
    m->in_callback = true;
    dispatch(m, msg);
    leave_callback(m);
}

static void fail_requests(struct monitor *m) {
    for (struct list *n; (n = list_pop(&m->requests)) != NULL;)
        answer(CONTAINER_OF(n, struct request, link),
               err_new(ERR_UNAVAILABLE, "the container's monitor is gone"), 0, 0);
}

static void on_closed(void *arg) {
    struct monitor *m = arg;
    m->in_callback = true;
    m->conn = msg_conn_free(m->conn);
    fail_requests(m);
    if (!m->freed && m->ev->closed)
        m->ev->closed(m->arg);
    leave_callback(m);
}

/* --- life ------------------------------------------------------------------------------------- */

struct monitor *monitor_new(struct loop *l, int conn, const struct monitor_events *ev, void *arg) {
    struct monitor *m = NEW(struct monitor);
    m->loop = l;
    m->ev = ev;
    m->arg = arg;
    list_init(&m->requests);
    int child = fcntl(conn, F_GETOWN);
    if (child > 0)
        reap_later(l, child);
    m->conn = msg_conn_new(l, conn, on_message, on_closed, m);
    send_msg(m, PROTOCOL_TAKEN, 0, NULL, NULL, 0);
    return m;
}

struct monitor *monitor_free(struct monitor *m) {
    if (m == NULL || m->freed)
        return NULL;
    m->conn = msg_conn_free(m->conn);
    m->freed = true;
    fail_requests(m);
    if (!m->in_callback)
        free(m);
    return NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

static struct request *request_new(struct monitor *m, monitor_reply *done, void *arg) {
    struct request *r = NEW(struct request);
    r->seq = ++m->seq;
    r->done = done;
    r->arg = arg;
    list_push(&m->requests, &r->link);
    return r;
}

static void gone_later(void *arg) {
    answer(arg, err_new(ERR_UNAVAILABLE, "the container's monitor is gone"), 0, 0);
}

/* Sends; without a connection the answer still comes later, never from within the call. */
static void request_send(struct monitor *m, struct request *r, uint32_t type,
                         const struct buf *body, const int *fds, size_t fds_n) {
    if (m->conn) {
        send_msg(m, type, r->seq, body, fds, fds_n);
        return;
    }
    list_remove(&r->link);
    loop_post(m->loop, gone_later, r);
}

void monitor_ack_exit(struct monitor *m) {
    send_msg(m, PROTOCOL_ACK_EXIT, 0, NULL, NULL, 0);
}

void monitor_removed(struct monitor *m) {
    send_msg(m, PROTOCOL_REMOVED, 0, NULL, NULL, 0);
}

void monitor_inside(struct monitor *m, const char *exec_id, char type, struct str text) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, exec_id);
    msg_put_u64(&body, TAG_INSIDE_TYPE, (unsigned char)type);
    msg_put(&body, TAG_INSIDE_TEXT, text);
    send_msg(m, PROTOCOL_INSIDE, 0, &body, NULL, 0);
}

void monitor_ack_method(struct monitor *m, uint64_t seq) {
    CLEAN_BUF struct buf body = {0};
    msg_put_u64(&body, TAG_METHOD_SEQ, seq);
    send_msg(m, PROTOCOL_ACK_METHOD, 0, &body, NULL, 0);
}

#define METHODS_FILE_MAX (8u << 20)

void monitor_read_methods(int run_dir_fd, void (*fn)(void *arg, const struct method_result *r),
                          void *arg) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read_at(run_dir_fd, PROTOCOL_METHODS, METHODS_FILE_MAX, &text);
    struct str rest = buf_str(&text), line;
    err_ignore(e); /* the ordinary case: there are none */
    while (str_next(&rest, '\n', &line)) {
        CLEAN_ARENA struct arena a = {0};
        struct method_result r;
        e = fields_decode(&method_result_fields, line, &a, &r);
        if (!err_failed(e))
            fn(arg, &r);
        log_err(LOG_WARN, e, "result of a method");
    }
    unlinkat(run_dir_fd, PROTOCOL_METHODS, 0);
}

void monitor_signal(struct monitor *m, int signo, monitor_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_put_i64(&body, TAG_SIGNO, signo);
    request_send(m, request_new(m, done, arg), PROTOCOL_SIGNAL, &body, NULL, 0);
}

void monitor_stop(struct monitor *m, int signo, int64_t timeout_ns, monitor_reply *done,
                  void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_put_i64(&body, TAG_SIGNO, signo);
    msg_put_i64(&body, TAG_TIMEOUT, timeout_ns);
    request_send(m, request_new(m, done, arg), PROTOCOL_STOP, &body, NULL, 0);
}

void monitor_resize(struct monitor *m, const char *exec_id, unsigned rows, unsigned columns,
                    monitor_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, exec_id && *exec_id ? exec_id : NULL);
    msg_put_u64(&body, TAG_ROWS, rows);
    msg_put_u64(&body, TAG_COLUMNS, columns);
    request_send(m, request_new(m, done, arg), PROTOCOL_RESIZE, &body, NULL, 0);
}

void monitor_names(struct monitor *m, const char *names_path, const int fds[2], monitor_reply *done,
                   void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_NAMES_PATH, names_path);
    request_send(m, request_new(m, done, arg), PROTOCOL_NAMES, &body, fds, 2);
}

/* Of all but the last message of several: the last one's reply is the answer. */
static void ignore_reply(void *arg UNUSED, struct err e) {
    err_ignore(e);
}

void monitor_hold(struct monitor *m, const struct monitor_ports *ports, monitor_reply *done,
                  void *arg) {
    struct protocol_ports p, look;
    size_t left = 0;
    protocol_ports_begin(ports, &look);
    while (protocol_ports_next(&look))
        left++;
    protocol_ports_begin(ports, &p);
    while (protocol_ports_next(&p)) {
        struct request *r = --left ? request_new(m, ignore_reply, NULL) : request_new(m, done, arg);
        request_send(m, r, PROTOCOL_HOLD, &p.body, p.fds, p.n);
    }
}

void monitor_release(struct monitor *m, struct str lines, monitor_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_put(&body, TAG_PORT_LINES, lines);
    request_send(m, request_new(m, done, arg), PROTOCOL_RELEASE, &body, NULL, 0);
}

static unsigned attach_flags(const struct monitor_attach *a) {
    return (a->in ? CLIENT_IN : 0u) | (a->out ? CLIENT_OUT : 0u) | (a->err ? CLIENT_ERR : 0u);
}

void monitor_attach(struct monitor *m, struct monitor_client c, const struct monitor_attach *a,
                    monitor_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    protocol_put_client(&body, &c, attach_flags(a), a->detach_keys);
    request_send(m, request_new(m, done, arg), PROTOCOL_ATTACH, &body, &c.taken->fd, 1);
    http_taken_done(c.taken);
}

void monitor_attach_after(struct monitor *m, struct monitor_client c,
                          const struct monitor_attach *a, int gate, replay_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    const int fds[2] = {c.taken->fd, gate};
    struct request *r = request_new(m, NULL, arg);
    r->replay_done = done;
    c.head_sent = true;
    protocol_put_client(&body, &c, attach_flags(a) | CLIENT_REPLAY, a->detach_keys);
    request_send(m, r, PROTOCOL_ATTACH, &body, fds, 2);
    http_taken_done(c.taken);
}

void monitor_wait(struct monitor *m, struct monitor_client c, enum monitor_wait_for w,
                  monitor_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    protocol_put_client(&body, &c, 0, NULL);
    msg_put_u64(&body, TAG_WAIT, w);
    request_send(m, request_new(m, done, arg), PROTOCOL_WAIT, &body, &c.taken->fd, 1);
    http_taken_done(c.taken);
}

void monitor_exec_signal(struct monitor *m, const char *exec_id, int signo, monitor_reply *done,
                         void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, exec_id);
    msg_put_i64(&body, TAG_SIGNO, signo);
    request_send(m, request_new(m, done, arg), PROTOCOL_EXEC_SIGNAL, &body, NULL, 0);
}

void monitor_exec(struct monitor *m, const struct monitor_exec *x, exec_reply *done, void *arg) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, x->id);
    msg_put(&body, TAG_PROCESS, x->process);
    msg_putz(&body, TAG_USER, x->user);
    msg_put_u64(&body, TAG_ROWS, x->rows);
    msg_put_u64(&body, TAG_COLUMNS, x->columns);
    if (x->method) {
        msg_putz(&body, TAG_METHOD_NAME, x->method);
        msg_putz(&body, TAG_METHOD_TRIGGER, x->trigger);
        msg_put_i64(&body, TAG_TIMEOUT, x->timeout);
        msg_put_u64(&body, TAG_METHOD_READING, x->reading);
        if (x->follow)
            msg_put_u64(&body, TAG_METHOD_FOLLOW, 1);
    }
    bool own = x->own_fd > 0;
    if (own) {
        msg_put(&body, TAG_INSIDE_METADATA, x->metadata);
        msg_put(&body, TAG_INSIDE_EXAMINE, x->examine);
    }
    unsigned flags = (x->in ? CLIENT_IN : 0u) | (x->out ? CLIENT_OUT : 0u) |
                     (x->err ? CLIENT_ERR : 0u) | (x->terminal ? CLIENT_TERMINAL : 0u) |
                     (x->kill_with_client ? CLIENT_KILL : 0u) | (x->framed ? CLIENT_FRAMED : 0u);
    struct request *r = request_new(m, NULL, arg);
    r->exec_done = done;
    if (x->client.taken == NULL) {
        msg_put_u64(&body, TAG_FLAGS, flags);
        request_send(m, r, PROTOCOL_EXEC, &body, &x->own_fd, own);
        return;
    }
    snprintf(r->exec_id, sizeof(r->exec_id), "%s", x->id);
    protocol_put_client(&body, &x->client, flags, x->detach_keys);
    const int fds[] = {x->client.taken->fd, x->own_fd};
    request_send(m, r, PROTOCOL_EXEC, &body, fds, own ? 2 : 1);
    http_taken_done(x->client.taken);
}
