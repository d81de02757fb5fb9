/* attach: the client's socket goes to the monitor. A client that comes before the start gets its
 * head now and its first byte from the monitor. */
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct err container_attach_check(const struct container *c) {
    if (c->state == CONTAINER_PAUSED)
        return err_new(ERR_CONFLICT, "container %s is paused, unpause the container before attach",
                       c->id);
    if (c->state == CONTAINER_RESTARTING)
        return err_new(ERR_CONFLICT,
                       "container %s is restarting, wait until the container is running", c->id);
    if (c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD)
        return err_new(ERR_CONFLICT, "container %s is marked for removal and cannot be attached to",
                       c->id);
    return OK;
}

static void attach_sent(void *arg UNUSED, struct err e) {
    err_ignore(e); /* the monitor has told the client */
}

/* Until it starts. taken is moved; its head has been written. */
static void wait_for_start(struct container *c, const struct monitor_attach *a,
                           const char *content_type, struct http_taken *taken) {
    struct container_waiter *w = NEW(struct container_waiter);
    w->taken = *taken;
    *taken = (struct http_taken){.fd = -1};
    w->attach = *a;
    w->content_type = mem_strdup(content_type);
    w->detach_keys = mem_strdup_opt(a->detach_keys);
    w->attach.detach_keys = w->detach_keys;
    list_push(&c->prestart, &w->link);
}

void container_attach(struct container *c, const struct monitor_attach *a, const char *content_type,
                      struct http_taken *taken) {
    container_publish(c, "attach", NULL, NULL);
    if (container_is_alive(c) && c->monitor) {
        struct monitor_client client = {.taken = taken, .content_type = content_type};
        monitor_attach(c->monitor, client, a, attach_sent, NULL);
        return;
    }
    CLEAN_BUF struct buf head = {0};
    http_hijack_head(&head, taken->upgrade, content_type);
    if (send(taken->fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)head.len) {
        http_taken_done(taken);
        return;
    }
    wait_for_start(c, a, content_type, taken);
}

/* --- the log first ---------------------------------------------------------------------------- */

/* A worker writes the log to the client's socket while the monitor, which has it as well, keeps
 * what comes meanwhile; the worker's end opens the gate between them. Nothing is lost or repeated:
 * the monitor says up to which moment the log is the worker's. */
struct replay {
    struct containers *all;
    char id[65];
    struct http_taken taken; /* for the worker; later for the start */
    struct monitor_attach attach;
    bool out, err; /* wanted of the log */
    char *content_type, *detach_keys;
    int gate;   /* the worker's end, until it has it */
    bool gated; /* a monitor waits */
};

static void replay_free(struct replay *r) {
    http_taken_done(&r->taken);
    fd_close(r->gate);
    free(r->content_type);
    free(r->detach_keys);
    free(r);
}

static void replayed(void *arg, struct err e) {
    struct replay *r = arg;
    struct container *c = map_getz(&r->all->by_id, r->id);
    bool wanted = r->attach.in || r->attach.out || r->attach.err;
    if (err_failed(e))
        log_err(LOG_WARN, e, "attach to %s: its log", r->id);
    else if (c && wanted && !r->gated && !container_is_alive(c))
        wait_for_start(c, &r->attach, r->content_type, &r->taken);
    replay_free(r);
}

static void read_log(struct replay *r, struct container *c, int64_t until) {
    struct container_logs o = {.out = r->out, .err = r->err, .until = until, .tail = -1};
    int gate = TAKE_FD(r->gate);
    r->gated = gate >= 0;
    container_logs_attach(c, &o, r->content_type, &r->taken, gate, replayed, r);
    fd_close(gate); /* the worker has the only one now */
}

static void attached(void *arg, struct err e, int64_t until) {
    struct replay *r = arg;
    struct container *c = map_getz(&r->all->by_id, r->id);
    if (err_failed(e) || !c) {
        err_ignore(e); /* the monitor has told the client, or died with it */
        replay_free(r);
        return;
    }
    read_log(r, c, until);
}

/* Two ends of the client for two processes. */
static bool share(struct replay *r, struct http_taken *ret) {
    *ret = (struct http_taken){.fd = fcntl(r->taken.fd, F_DUPFD_CLOEXEC, 3),
                               .upgrade = r->taken.upgrade};
    ret->early = r->taken.early;
    r->taken.early = (struct buf){0};
    return ret->fd >= 0;
}

void container_attach_log(struct container *c, const struct monitor_attach *a, bool out, bool err,
                          const char *content_type, struct http_taken *taken) {
    if (c->state ==
        CONTAINER_CREATED) { /* no log yet: the start must not overtake the reader of it */
        container_attach(c, a, content_type, taken);
        return;
    }
    struct replay *r = NEW(struct replay);
    int pair[2] = {-1, -1};
    *r = (struct replay){
        .all = c->all, .taken = *taken, .attach = *a, .out = out, .err = err, .gate = -1};
    *taken = (struct http_taken){.fd = -1};
    memcpy(r->id, c->id, sizeof r->id);
    r->content_type = mem_strdup(content_type);
    r->detach_keys = mem_strdup_opt(a->detach_keys);
    r->attach.detach_keys = r->detach_keys;
    container_publish(c, "attach", NULL, NULL);
    bool live = container_is_alive(c) && c->monitor && (a->in || a->out || a->err);
    struct http_taken shared = {.fd = -1};
    if (live && (!share(r, &shared) || pipe2(pair, O_CLOEXEC) != 0)) {
        log_warn("attach to %s: %s", c->id, strerror(errno));
        http_taken_done(&shared);
        replay_free(r);
        return;
    }
    if (!live) {
        read_log(r, c, 0);
        return;
    }
    r->gate = pair[1];
    struct monitor_client client = {.taken = &shared, .content_type = r->content_type};
    monitor_attach_after(c->monitor, client, &r->attach, pair[0], attached, r);
    fd_close(pair[0]);
}
