/* spawn.c - the daemon starts a monitor or finds one. Blocks: pool thread or start-up. */
#include "kernel/spawn.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include "monitor/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Milliseconds. One that stays longer lingers for somebody, without the mounts. */
#define LEAVE_TIMEOUT 250

static struct err send_held(int fd, const struct monitor_start *s) {
    struct protocol_ports p;
    protocol_ports_begin(&s->ports, &p);
    while (protocol_ports_next(&p))
        TRY(msg_send(fd, PROTOCOL_HELD, 0, buf_str(&p.body), p.fds, p.n));
    return OK;
}

static struct err send_mounts(int fd, const struct monitor_start *s) {
    for (size_t i = 0; i < s->trees_n; i += MSG_FDS_MAX)
        TRY(msg_send(fd, PROTOCOL_TREES, 0, STR_NONE, s->trees + i,
                     MIN(s->trees_n - i, (size_t)MSG_FDS_MAX)));
    if (!s->keeps_n)
        return OK;
    int fds[MONITOR_KEEPS_MAX];
    CLEAN_BUF struct buf body = {0};
    protocol_put_keeps(&body, s->keeps, s->keeps_n, fds);
    return msg_send(fd, PROTOCOL_KEEPS, 0, buf_str(&body), fds, s->keeps_n);
}

static struct err send_prestart(int fd, const struct monitor_prestart *p) {
    CLEAN_BUF struct buf body = {0};
    unsigned flags = 0;
    if (p->is_wait)
        msg_put_u64(&body, TAG_WAIT, p->wait);
    else
        flags = (p->attach.in ? CLIENT_IN : 0u) | (p->attach.out ? CLIENT_OUT : 0u) |
                (p->attach.err ? CLIENT_ERR : 0u);
    protocol_put_client(&body, &p->client, flags, p->is_wait ? NULL : p->attach.detach_keys);
    return msg_send(fd, PROTOCOL_PRESTART, 0, buf_str(&body), &p->client.taken->fd, 1);
}

static struct err send_start(int fd, const struct monitor_start *s) {
    CLEAN_BUF struct buf body = {0};
    int fds[START_FDS_N];
    size_t fds_n;
    if (!s->network_follows)
        TRY(send_held(fd, s));
    TRY(send_mounts(fd, s));
    for (size_t i = 0; i < s->prestart_n; i++)
        TRY(send_prestart(fd, &s->prestart[i]));
    protocol_put_start(&body, s, fds, &fds_n);
    return msg_send(fd, PROTOCOL_START, 1, buf_str(&body), fds, fds_n);
}

static struct err send_network(int fd, const struct monitor_start *s) {
    CLEAN_BUF struct buf body = {0};
    int fds[START_FDS_N];
    size_t fds_n;
    TRY(send_held(fd, s));
    protocol_put_network(&body, s, fds, &fds_n);
    return msg_send(fd, PROTOCOL_NETWORK, 0, buf_str(&body), fds, fds_n);
}

static struct err receive_started(int fd, struct monitor_started *ret) {
    CLEAN_MSG struct msg m = {0};
    struct err e = msg_recv(fd, PROTOCOL_START_TIMEOUT, &m);
    if (err_errnum(e) == ECONNRESET) { /* ended with something unread: what it said comes next */
        err_free(e);
        e = msg_recv(fd, PROTOCOL_START_TIMEOUT, &m);
    }
    if (err_kind(e) == ERR_UNAVAILABLE)
        return err_wrap(err_as(e, ERR_SYSTEM), "the monitor ended during the start");
    TRY(e);
    if (m.type == PROTOCOL_FAILED)
        return msg_get_err(m.body, TAG_ERR);
    if (m.type != PROTOCOL_STARTED)
        return err_new(ERR_SYSTEM, "the monitor answered a start with message %u", m.type);
    protocol_get_started(m.body, ret);
    return OK;
}

static struct err spawn_program(const char *path, int program_fd, const struct cgroup *cgroup,
                                int sock, struct spawned *ret) {
    char *argv[] = {(char *)"corten-monitor", (char *)MONITOR_NOBODY, NULL};
    /* The daemon's standard error is where a monitor's own log lines go. */
    struct spawn_fd fds[] = {{.source = sock, .target = 3}, {.source = 2, .target = 2}};
    /* From a read-only mount, so that nothing that runs towards a container can overwrite it. */
    CLEAN_FD
    int program = -1;
    if (program_fd <= 0)
        TRY(mount_readonly_program(path, &program));
    struct spawn sp = {.program_fd = program >= 0 ? program : program_fd,
                       .argv = argv,
                       .fds = fds,
                       .fds_n = ARRAY_LEN(fds),
                       .cwd = "/",
                       .new_session = true,
                       .cgroup = cgroup};
    return spawn(&sp, ret);
}

struct err monitor_bear(const char *path, int program_fd, const struct cgroup *cgroup,
                        struct monitor_born *ret) {
    int pair[2] = {-1, -1};
    struct spawned p = {.pidfd = -1};
    TRY(msg_pair(pair));
    CLEAN_FD
    int ours = pair[0];
    /* Closed here: a monitor that dies must be seen as the end of its socket. */
    CLEAN_FD
    int theirs = pair[1];
    TRY(spawn_program(path, program_fd, cgroup, theirs, &p));
    *ret = (struct monitor_born){.conn = TAKE_FD(ours), .pidfd = p.pidfd, .pid = p.pid};
    return OK;
}

/* One that has not been told anything, or failed, ends by itself; one that hangs is killed. */
void monitor_bury(struct monitor_born *b) {
    if (b->pidfd < 0)
        return;
    b->conn = fd_close(b->conn);
    if (!pidfd_wait(b->pidfd, 1000))
        err_ignore(pidfd_signal(b->pidfd, SIGKILL)); /* ended meanwhile */
    struct pidfd_exit x;
    err_ignore(pidfd_reap(b->pidfd, &x)); /* nothing more to be done */
    *b = MONITOR_UNBORN;
}

struct err monitor_tell(const struct monitor_start *s, struct monitor_born *b) {
    TRY(send_start(b->conn, s));
    b->told = true;
    return OK;
}

static struct err start_born(const struct monitor_start *s, struct monitor_born *b,
                             struct monitor_started *ret) {
    struct monitor_started started = {0};
    if (!b->told) {
        TRY(send_start(b->conn, s));
    } else {
        struct err e = send_network(b->conn, s);
        if (err_kind(e) != ERR_UNAVAILABLE)
            TRY(e);
        err_ignore(e); /* it has failed, and said why */
    }
    TRY(receive_started(b->conn, &started));
    started.monitor_pid = b->pid;
    *ret = started;
    return OK;
}

struct err monitor_spawn(const struct monitor_start *s, struct monitor_born *b,
                         struct monitor_started *ret) {
    struct err e = start_born(s, b, ret);
    for (size_t i = 0; i < s->prestart_n; i++)
        http_taken_done(s->prestart[i].client.taken);
    if (err_failed(e)) {
        monitor_bury(b);
        return e;
    }
    /* The socket remembers whose other end it is: monitor_new reaps it by that. Nothing else is
     * done with a socket's owner unless it asks for signals. */
    if (fcntl(b->conn, F_SETOWN, b->pid) < 0)
        log_warn("container %s: its monitor will not be reaped: %s", s->id, strerror(errno));
    ret->conn = b->conn;
    fd_close(b->pidfd);
    *b = MONITOR_UNBORN;
    return OK;
}

/* Pids are used again: the name and the argument say whose it is. */
static bool is_monitor_of(pid_t pid, const char *id) {
    char path[32], line[128] = "";
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    size_t name = strlen(line) + 1;
    return n > (ssize_t)name && !strcmp(line, "corten-monitor") && !strcmp(line + name, id);
}

void monitor_await(pid_t pid, const char *id) {
    CLEAN_FD int pidfd = -1;
    struct err e = pid > 0 ? pidfd_of(pid, &pidfd) : OK;
    if (err_failed(e))
        err_free(e); /* gone and reaped: the usual case */
    else if (pid > 0 && is_monitor_of(pid, id))
        (void)pidfd_wait(pidfd, LEAVE_TIMEOUT);
}

/* --- after a restart -------------------------------------------------------------------------- */

static struct err dial(int run_dir_fd, int *ret_fd) {
    struct err e = msg_dial(run_dir_fd, PROTOCOL_SOCKET, ret_fd);
    int errnum = err_errnum(e);
    if (errnum == ECONNREFUSED || errnum == ENOENT)
        return err_as(e, ERR_NOT_FOUND);
    return e;
}

struct err monitor_dial(int run_dir_fd, struct monitor_hello *ret) {
    CLEAN_FD
    int fd = -1;
    TRY(dial(run_dir_fd, &fd));
    CLEAN_MSG struct msg m = {0};
    struct err e = msg_send(fd, PROTOCOL_HELLO, 1, STR_NONE, NULL, 0);
    if (!err_failed(e))
        e = msg_recv(fd, PROTOCOL_HELLO_TIMEOUT, &m);
    if (err_kind(e) == ERR_UNAVAILABLE || err_errnum(e) == EPIPE || err_errnum(e) == ECONNRESET)
        return err_as(e, ERR_NOT_FOUND); /* it was just ending */
    TRYF(e, "ask the monitor");
    if (m.type != PROTOCOL_HELLO_REPLY)
        return err_new(ERR_SYSTEM, "the monitor answered a hello with message %u", m.type);
    ret->started.conn = -1;
    protocol_get_hello(&m, ret);
    ret->started.conn = TAKE_FD(fd);
    return OK;
}

static struct err subscribe(int run_dir_fd, bool settled, int *ret_fd) {
    CLEAN_FD
    int fd = -1;
    CLEAN_BUF struct buf body = {0};
    TRY(dial(run_dir_fd, &fd));
    if (settled)
        msg_put_u64(&body, TAG_FOLLOW_SETTLED, 1);
    struct err e = msg_send(fd, PROTOCOL_FOLLOW, 0, buf_str(&body), NULL, 0);
    if (err_errnum(e) == EPIPE || err_errnum(e) == ECONNRESET)
        return err_as(e, ERR_NOT_FOUND);
    TRY(e);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err monitor_follow_log(int run_dir_fd, int *ret_fd) {
    return subscribe(run_dir_fd, false, ret_fd);
}

void monitor_settle_log(int run_dir_fd, int client) {
    CLEAN_FD
    int fd = -1;
    struct err e = subscribe(run_dir_fd, true, &fd);
    if (err_failed(e)) {
        err_ignore(e); /* it has ended: the log is complete */
        return;
    }
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = client, .events = POLLRDHUP}};
    while (poll(p, ARRAY_LEN(p), -1) < 0 && errno == EINTR)
        ;
}
