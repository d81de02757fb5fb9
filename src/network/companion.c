/* The daemon's end of a program beside it. */
#include "network/companion.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/spawn.h"
#include "loop/unix.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_NS (200 * NSEC_PER_MSEC)

struct companion {
    struct companion_config config;
    char *program, *name, *path;
    struct msg_conn *conn;
    struct child *child; /* ours; NULL: found, or none */
    int pidfd;
    struct timer *again;
    struct starting *starting;
};

struct starting {                /* a job on the pool */
    struct companion *companion; /* NULL: closed meanwhile */
    char *program, *name, *path;
    const struct cgroup *cgroup;
    int fd; /* connected */
    struct spawned spawned;
};

static struct err start_program(struct starting *s) {
    CLEAN_FD int listener = -1;
    TRY(unix_listen(AT_FDCWD, s->path, SOCK_SEQPACKET, 0600, (gid_t)-1, &listener));
    const struct spawn_fd fds[] = {{listener, 3}, {STDERR_FILENO, 2}};
    char *argv[] = {s->name, NULL};
    const struct spawn what = {.program = s->program,
                               .argv = argv,
                               .fds = fds,
                               .fds_n = ARRAY_LEN(fds),
                               .cwd = "/",
                               .new_session = true,
                               .cgroup = s->cgroup};
    return spawn(&what, &s->spawned);
}

static struct err start_work(void *arg) {
    struct starting *s = arg;
    struct err e = unix_dial(AT_FDCWD, s->path, SOCK_SEQPACKET, &s->fd);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e); /* nobody is there */
    TRY(start_program(s));
    return unix_dial(AT_FDCWD, s->path, SOCK_SEQPACKET, &s->fd);
}

static bool wanted(const struct companion *c) {
    return c->config.wanted(c->config.arg);
}

static void on_again(void *arg) {
    struct companion *c = arg;
    c->again = timer_free(c->again);
    companion_need(c);
}

static void try_later(struct companion *c) {
    if (!c->again)
        c->again = timer_new(c->config.loop, AGAIN_NS, 0, on_again, c);
}

static void on_message(void *arg UNUSED, struct msg *m UNUSED) {
}

static void on_closed(void *arg) {
    struct companion *c = arg;
    c->conn = msg_conn_free(c->conn);
    if (wanted(c))
        try_later(c);
}

static void on_child(void *arg, int status UNUSED) {
    struct companion *c = arg;
    c->child = NULL; /* freed itself */
    c->pidfd = fd_close(c->pidfd);
}

static void started(struct companion *c, struct starting *s, struct err e) {
    if (s->spawned.pid) {
        child_free(c->child);
        fd_close(c->pidfd);
        c->pidfd = s->spawned.pidfd;
        c->child = child_watch(c->config.loop, s->spawned.pid, c->pidfd, on_child, c);
    }
    c->starting = NULL;
    bool failed = err_failed(e);
    log_err(LOG_WARN, err_wrap(e, "start %s", c->name), "network");
    if (!failed) {
        c->conn = msg_conn_new(c->config.loop, TAKE_FD(s->fd), on_message, on_closed, c);
        if (c->config.up)
            c->config.up(c->config.arg);
    } else if (wanted(c)) {
        try_later(c);
    }
}

static void start_done(void *arg, struct err e) {
    struct starting *s = arg;
    if (s->companion)
        started(s->companion, s, e);
    else
        err_free(e);
    fd_close(s->fd);
    free(s->program);
    free(s->name);
    free(s->path);
    free(s);
}

void companion_need(struct companion *c) {
    if (c->conn || c->starting || c->again || !c->program || !wanted(c))
        return;
    struct starting *s = NEW(struct starting);
    s->companion = c;
    s->program = mem_strdup(c->program);
    s->name = mem_strdup(c->name);
    s->path = mem_strdup(c->path);
    s->cgroup = c->config.cgroup;
    s->fd = -1;
    c->starting = s;
    job_submit(c->config.loop, start_work, start_done, s);
}

struct msg_conn *companion_conn(const struct companion *c) {
    return c->conn;
}

const char *companion_path(const struct companion *c) {
    return c->path;
}

struct companion *companion_new(const struct companion_config *config) {
    struct companion *c = NEW(struct companion);
    c->config = *config;
    c->program = mem_strdup_opt(config->program);
    c->name = mem_strdup(config->name);
    c->path = mem_printf("%s/%s", config->run_dir, config->socket);
    c->pidfd = -1;
    return c;
}

struct companion *companion_free(struct companion *c) {
    if (!c)
        return NULL;
    if (c->starting)
        c->starting->companion = NULL;
    msg_conn_free(c->conn);
    child_free(c->child);
    fd_close(c->pidfd);
    timer_free(c->again);
    free(c->program);
    free(c->name);
    free(c->path);
    free(c);
    return NULL;
}
