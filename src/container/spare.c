/* A monitor made ahead. To make a process, execute and load it takes a millisecond that a start
 * would wait for; so a start that has gone well orders one for the next, as it does with a network
 * namespace (network/spare.c).
 *
 * At most one is ready. It has been told nothing, holds nothing but its end of a socket, and ends
 * with that: when the daemon dies, or when no start has come for SPARE_KEPT. Facts: loop. */
#include "base/file.h"
#include "container/private.h"
#include <fcntl.h>
#include <stdlib.h>

#define SPARE_KEPT (10 * NSEC_PER_SEC)

struct spare {
    struct containers *all;    /* NULL: closed while a job was under way */
    struct monitor_born ready; /* or unborn */
    struct monitor_born moved; /* the job's: just made, or to be ended */
    const char *program;
    int program_fd; /* owned: a job may outlive the registry */
    const struct cgroup *cgroup;
    bool busy;
    bool resting; /* none is wanted any more */
    struct timer *expiry;
};

void container_spare_open(struct containers *cs) {
    struct spare *s = cs->spare = NEW(struct spare);
    *s = (struct spare){.all = cs,
                        .ready = MONITOR_UNBORN,
                        .moved = MONITOR_UNBORN,
                        .program = cs->config.monitor_program,
                        .cgroup = cs->config.cgroup,
                        .program_fd = fcntl(cs->monitor_fd, F_DUPFD_CLOEXEC, 3)};
}

static void dispose(struct spare *s) {
    fd_close(s->program_fd);
    free(s);
}

void container_spare_close(struct containers *cs) {
    struct spare *s = TAKE(cs->spare);
    if (!s)
        return;
    s->all = NULL;
    s->expiry = timer_free(s->expiry);
    monitor_bury(&s->ready);
    if (!s->busy)
        dispose(s);
}

static struct err bury(void *arg) {
    struct spare *s = arg;
    monitor_bury(&s->moved);
    return OK;
}

static void done(void *arg, struct err e);

static void expired(void *arg) {
    struct spare *s = arg;
    s->expiry = timer_free(s->expiry);
    s->moved = s->ready;
    s->ready = MONITOR_UNBORN;
    s->busy = true;
    job_submit(s->all->config.loop, bury, done, s);
}

void containers_rest(struct containers *cs) {
    struct spare *s = cs->spare;
    s->resting = true;
    if (!s->busy && s->ready.conn >= 0)
        expired(s);
}

static void done(void *arg, struct err e) {
    struct spare *s = arg;
    err_ignore(e); /* the start that would have had it says what is wrong */
    s->busy = false;
    if (!s->all) {
        monitor_bury(&s->moved);
        dispose(s);
        return;
    }
    s->ready = s->moved;
    s->moved = MONITOR_UNBORN;
    if (s->ready.conn >= 0 && s->resting)
        expired(s);
    else if (s->ready.conn >= 0)
        s->expiry = timer_new(s->all->config.loop, SPARE_KEPT, 0, expired, s);
}

static struct err bear(void *arg) {
    struct spare *s = arg;
    return monitor_bear(s->program, s->program_fd, s->cgroup, &s->moved);
}

struct monitor_born container_spare_take(struct containers *cs) {
    struct spare *s = cs->spare;
    struct monitor_born b = s->ready;
    s->expiry = timer_free(s->expiry);
    s->ready = MONITOR_UNBORN;
    return b;
}

void container_spare_order(struct containers *cs) {
    struct spare *s = cs->spare;
    if (s->busy || s->resting || s->ready.conn >= 0)
        return;
    s->busy = true;
    job_submit(cs->config.loop, bear, done, s);
}
