/* followers: one worker serves all clients that follow a log, so that hundreds of them need neither
 * hundreds of processes nor the places that other jobs wait for. It is started with the first and
 * ended some time after the last. */
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define IDLE (10 * NSEC_PER_SEC)
#define FOLLOWERS_MAX 4096

struct waiting {
    struct list link;
    struct buf body;
    int fds[3];
    size_t fds_n;
};

struct followers {
    struct containers *all;
    struct worker *worker; /* NULL: ended */
    bool ready;
    size_t n;            /* clients that it has or will get */
    struct list waiting; /* until it is ready */
    struct timer *idle;
};

static void waiting_free(struct waiting *w) {
    for (size_t i = 0; i < w->fds_n; i++)
        fd_close(w->fds[i]);
    buf_done(&w->body);
    free(w);
}

static void hand_over(struct followers *f) {
    for (struct list *n; f->ready && (n = list_pop(&f->waiting));) {
        struct waiting *w = CONTAINER_OF(n, struct waiting, link);
        worker_reply(f->worker, 0, buf_str(&w->body), w->fds, w->fds_n);
        waiting_free(w);
    }
}

static void on_idle(void *arg) {
    struct followers *f = arg;
    f->idle = timer_free(f->idle);
    if (f->n == 0 && f->worker)
        worker_cancel(f->worker);
}

static void on_notice(void *arg, struct worker *w UNUSED, struct msg *m) {
    struct followers *f = arg;
    if (m->type == LOGS_SERVE_READY) {
        f->ready = true;
        hand_over(f);
    } else if (m->type == LOGS_SERVE_ENDED && f->n > 0 && --f->n == 0 && !f->idle) {
        f->idle = timer_new(f->all->config.loop, IDLE, 0, on_idle, f);
    }
}

static void start(struct followers *f);

/* There is no worker for those who wait: they are told why. */
static void on_begun(void *arg, struct err e) {
    struct followers *f = arg;
    for (struct list *n; err_failed(e) && (n = list_pop(&f->waiting));) {
        struct waiting *w = CONTAINER_OF(n, struct waiting, link);
        struct http_taken client = {.fd = TAKE_FD(w->fds[0])};
        http_taken_refuse(f->all->config.loop, &client, e);
        waiting_free(w);
    }
}

/* Its clients see their streams break off; who came meanwhile gets the next one. */
static void on_done(void *arg, struct str result UNUSED, struct err e) {
    struct followers *f = arg;
    if (err_kind(e) == ERR_CANCELLED)
        err_ignore(e);
    else
        log_err(LOG_WARN, e, "followers of logs");
    f->worker = NULL;
    f->ready = false;
    f->n = 0;
    LIST_FOR (&f->waiting, n)
        f->n++;
    if (f->n > 0)
        start(f);
}

static void start(struct followers *f) {
    struct worker_start s = {
        .program = f->all->config.worker_program,
        .job = "logs-serve",
        .args = STR("{}"),
        .notice = on_notice,
        .begun = on_begun,
        .done = on_done,
        .arg = f,
    };
    f->worker = worker_start(f->all->config.loop, &s);
}

static struct followers *followers_of(struct containers *cs) {
    if (!cs->followers) {
        cs->followers = NEW(struct followers);
        cs->followers->all = cs;
        list_init(&cs->followers->waiting);
    }
    return cs->followers;
}

struct err container_follow_logs(struct containers *cs, const char *id, struct str args,
                                 const int *fds, size_t fds_n) {
    struct followers *f = followers_of(cs);
    if (f->n >= FOLLOWERS_MAX)
        return err_new(ERR_UNAVAILABLE, "more than %d followers of logs", FOLLOWERS_MAX);
    struct waiting *w = NEW(struct waiting);
    CLEAN_BUF struct buf text = {0};
    buf_addf(&text, "%s\n", id);
    buf_add_str(&text, args);
    msg_put(&w->body, WORKER_TEXT, buf_str(&text));
    for (; w->fds_n < fds_n && w->fds_n < ARRAY_LEN(w->fds); w->fds_n++)
        w->fds[w->fds_n] = fcntl(fds[w->fds_n], F_DUPFD_CLOEXEC, 3);
    if (w->fds_n == 0 || w->fds[w->fds_n - 1] < 0) {
        struct err e = err_errno(errno, "follow the log of %s", id);
        waiting_free(w);
        return e;
    }
    f->n++;
    f->idle = timer_free(f->idle);
    list_push(&f->waiting, &w->link);
    if (!f->worker)
        start(f);
    hand_over(f);
    return OK;
}

void container_followers_close(struct containers *cs) {
    struct followers *f = cs->followers;
    if (!f)
        return;
    /* The worker itself goes on: it serves until its last client has gone. */
    timer_free(f->idle);
    for (struct list *n; (n = list_pop(&f->waiting));)
        waiting_free(CONTAINER_OF(n, struct waiting, link));
}
