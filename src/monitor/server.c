/* server.c - connections: the daemon's, a new daemon's, log readers'. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "http/http.h"
#include "kernel/pty.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PREDECESSOR_WAIT (10 * NSEC_PER_SEC)
#define PEERS_MAX 1024 /* log readers leave this list; what stays is daemons and strangers */

static void peer_free(struct peer *p) {
    execs_forget_peer(p->keeper, p);
    follow_forget_peer(p->keeper, p);
    list_remove(&p->link);
    msg_conn_free(p->conn);
    free(p);
}

static void on_closed(void *arg) {
    struct peer *p = arg;
    struct keeper *k = p->keeper;
    bool daemon = k->daemon == p;
    if (daemon)
        k->daemon = NULL;
    peer_free(p);
    if (daemon)
        exit_daemon_lost(k);
}

void server_reply(struct peer *p, uint64_t seq, struct err e, pid_t pid) {
    CLEAN_BUF struct buf body = {0};
    if (err_failed(e))
        msg_put_err(&body, TAG_ERR, e);
    else if (pid > 0)
        msg_put_i64(&body, TAG_PID, pid);
    msg_conn_send(p->conn, PROTOCOL_REPLY, seq, buf_str(&body), NULL, 0);
    err_free(e);
}

void server_notice(struct keeper *k, uint32_t type, const struct buf *body, const int *fds,
                   size_t fds_n) {
    if (k->daemon && k->daemon->taken)
        msg_conn_send(k->daemon->conn, type, 0, body ? buf_str(body) : STR_NONE, fds, fds_n);
}

/* --- requests --------------------------------------------------------------------------------- */

static void hello(struct peer *p, const struct msg *m) {
    struct keeper *k = p->keeper;
    struct peer *old = k->daemon;
    k->daemon = p; /* the newest wins */
    p->daemon = true;
    if (old && old != p)
        peer_free(old);
    CLEAN_BUF struct buf body = {0};
    protocol_put_started(&body, &k->facts);
    if (k->reported) {
        protocol_put_exit(&body, &k->exit);
    } else {
        struct logs_missing missing;
        logs_writer_missing(k->log, &missing);
        protocol_put_missing(&body, &missing);
    }
    execs_put(k, &body);
    health_put(k, &body);
    int fds[MONITOR_KEEPS_MAX];
    protocol_put_keeps(&body, k->keeps, k->keeps_n, fds);
    msg_conn_send(p->conn, PROTOCOL_HELLO_REPLY, m->seq, buf_str(&body), fds, k->keeps_n);
}

static void taken(struct peer *p) {
    struct keeper *k = p->keeper;
    p->taken = true;
    insides_forget(k); /* what they asked an earlier daemon for */
    life_notice(k);    /* before the ends of their execs */
    execs_notice(k);
    exit_notice(k);
}

static struct err attach(struct keeper *k, struct msg *m) {
    struct protocol_client c;
    protocol_get_client(m, &c);
    CLEAN_FD
    int gate = c.flags & CLIENT_REPLAY && m->fds_n == 2 ? TAKE_FD(m->fds[1]) : -1;
    unsigned char keys[DETACH_KEYS_MAX];
    size_t keys_n;
    struct err e = detach_keys_parse(c.detach_keys, keys, &keys_n);
    if (!err_failed(e) && c.flags & CLIENT_REPLAY && gate < 0)
        e = err_new(ERR_INVALID, "attach: no gate");
    if (!err_failed(e) && c.fd < 0)
        e = err_new(ERR_INVALID, "attach: no client");
    if (err_failed(e)) {
        client_refuse(&c, http_error_status(err_kind(e)), err_msg(e));
        return e;
    }
    if (!(k->flags & START_OPEN_STDIN))
        c.flags &= ~(unsigned)CLIENT_IN; /* there is no stdin that could end anything */
    if (gate >= 0)
        client_new_after(&k->session, &c, TAKE_FD(gate));
    else
        client_new(&k->session, &c, NULL);
    if (k->released) /* a moment too late: what it sees is the end */
        clients_end(&k->session);
    return OK;
}

static struct err resize(struct keeper *k, struct str body) {
    unsigned rows = (unsigned)msg_get_u64(body, TAG_ROWS);
    unsigned columns = (unsigned)msg_get_u64(body, TAG_COLUMNS);
    const struct session *s = &k->session;
    if (msg_has(body, TAG_EXEC_ID)) {
        struct exec *x = exec_find(k, msg_get(body, TAG_EXEC_ID));
        if (x == NULL || !x->running)
            return err_new(ERR_NOT_FOUND, "exec process is not running");
        if (x->entry) {
            exec_resize(x, rows, columns);
            return OK;
        }
        s = &x->session;
    }
    if (k->exited)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    if (!s->terminal || s->in < 0)
        return OK; /* the peer resizes what is no terminal without a word */
    return pty_resize(s->in, rows, columns);
}

static struct err wait(struct keeper *k, struct msg *m) {
    struct protocol_client c;
    protocol_get_client(m, &c);
    return wait_add(k, &c, (enum monitor_wait_for)msg_get_u64(m->body, TAG_WAIT));
}

static struct err names(struct keeper *k, struct msg *m) {
    CLEAN_FREE char *path = str_dup(msg_get(m->body, TAG_NAMES_PATH));
    if (m->fds_n != 2 || !*path)
        return err_new(ERR_INVALID, "names: two sockets and a path are needed");
    if (k->exited)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    names_keep(k, path, TAKE_FD(m->fds[0]), TAKE_FD(m->fds[1]));
    return OK;
}

static struct err hold(struct keeper *k, struct msg *m) {
    if (k->exited)
        return err_new(ERR_CONFLICT, "container %s is not running", k->id);
    TRY(ports_add(k->ports, m));
    ports_start(k->ports, k->loop);
    return OK;
}

static void request(struct peer *p, struct msg *m) {
    struct keeper *k = p->keeper;
    struct err e = OK;
    switch (m->type) {
    case PROTOCOL_SIGNAL:
        e = stop_signal(k, (int)msg_get_i64(m->body, TAG_SIGNO));
        break;
    case PROTOCOL_EXEC_SIGNAL:
        e = exec_signal(k, msg_get(m->body, TAG_EXEC_ID), (int)msg_get_i64(m->body, TAG_SIGNO));
        break;
    case PROTOCOL_STOP:
        e = stop_begin(k, (int)msg_get_i64(m->body, TAG_SIGNO), msg_get_i64(m->body, TAG_TIMEOUT));
        break;
    case PROTOCOL_RESIZE:
        e = resize(k, m->body);
        break;
    case PROTOCOL_ATTACH: {
        bool later = msg_get_u64(m->body, TAG_FLAGS) & CLIENT_REPLAY;
        e = attach(k, m);
        if (later && !err_failed(e)) {
            follow_settled(p, m->seq);
            return;
        }
        break;
    }
    case PROTOCOL_NAMES:
        e = names(k, m);
        break;
    case PROTOCOL_HOLD:
        e = hold(k, m);
        break;
    case PROTOCOL_RELEASE:
        if (k->ports)
            e = ports_release(k->ports, msg_get(m->body, TAG_PORT_LINES));
        break;
    case PROTOCOL_WAIT:
        e = wait(k, m);
        break;
    default:
        e = err_new(ERR_UNSUPPORTED, "this monitor does not know request %u", m->type);
        break;
    }
    server_reply(p, m->seq, e, 0);
}

static void from_daemon(struct peer *p, struct msg *m) {
    struct keeper *k = p->keeper;
    switch (m->type) {
    case PROTOCOL_TAKEN:
        taken(p);
        break;
    case PROTOCOL_ACK_EXIT:
        exit_ack(k);
        break;
    case PROTOCOL_ACK_EXEC:
        exec_ack(k, msg_get(m->body, TAG_EXEC_ID));
        break;
    case PROTOCOL_INSIDE:
        inside_told(k, m->body);
        break;
    case PROTOCOL_ACK_METHOD:
        life_ack(k, msg_get_u64(m->body, TAG_METHOD_SEQ));
        break;
    case PROTOCOL_REMOVED:
        k->removed = true;
        wait_release(k);
        exit_maybe(k);
        break;
    case PROTOCOL_EXEC:
        exec_start(p, m);
        break;
    default:
        request(p, m);
        break;
    }
}

static void on_message(void *arg, struct msg *m) {
    struct peer *p = arg;
    keeper_active(p->keeper);
    if (m->type == PROTOCOL_HELLO) {
        hello(p, m);
    } else if (p->daemon && p->keeper->daemon == p) {
        from_daemon(p, m);
    } else if (m->type == PROTOCOL_FOLLOW) {
        struct keeper *k = p->keeper;
        bool settled = msg_get_u64(m->body, TAG_FOLLOW_SETTLED) != 0;
        int fd = msg_conn_take(TAKE(p->conn));
        peer_free(p);
        follow_add(k, fd, settled);
    }
}

/* --- connections ------------------------------------------------------------------------------ */

static struct peer *peer_new(struct keeper *k, int fd) {
    struct peer *p = NEW(struct peer);
    p->keeper = k;
    p->conn = msg_conn_new(k->loop, fd, on_message, on_closed, p);
    list_push(&k->peers, &p->link);
    return p;
}

static bool is_ours(int fd) {
    struct ucred c;
    socklen_t n = sizeof(c);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) == 0 && c.uid == geteuid();
}

static void on_listen(void *arg, unsigned events) {
    (void)events;
    struct keeper *k = arg;
    CLEAN_FD
    int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* gone again, or no descriptors left: the next round tries again */
    size_t n = 0;
    LIST_FOR (&k->peers, link)
        n++;
    if (is_ours(fd) && n < PEERS_MAX)
        peer_new(k, TAKE_FD(fd));
}

/* The monitor of the run before listens until the daemon has recorded that run's end: a start that
 * follows at once, as in a restart, finds it on its way out. */
struct err server_listen(struct keeper *k) {
    int64_t end = time_monotonic() + PREDECESSOR_WAIT;
    for (;;) {
        struct err e = msg_listen(k->run_dir_fd, PROTOCOL_SOCKET, 0600, &k->listen_fd);
        if (!err_failed(e))
            break;
        if (err_kind(e) != ERR_CONFLICT || time_monotonic() > end)
            return e;
        err_free(e);
        nanosleep(&(struct timespec){.tv_nsec = NSEC_PER_MSEC}, NULL);
    }
    k->listen_watch = watch_new(k->loop, k->listen_fd, WATCH_READ, on_listen, k);
    return OK;
}

void server_adopt(struct keeper *k, int fd) {
    k->daemon = peer_new(k, fd);
    k->daemon->daemon = true;
}

void server_close_daemon(struct keeper *k) {
    struct peer *p = TAKE(k->daemon);
    if (p)
        peer_free(p);
}

void server_close(struct keeper *k) {
    k->listen_watch = watch_free(k->listen_watch);
    k->listen_fd = fd_close(k->listen_fd);
    k->daemon = NULL;
    LIST_FOR (&k->peers, n)
        peer_free(CONTAINER_OF(n, struct peer, link));
}
