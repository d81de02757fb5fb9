/* follow.c - waking those who read the log. The monitor never reads a log itself. */
#include "base/mem.h"
#include "base/time.h"
#include "monitor/keeper.h"
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SETTLE_LIMIT NSEC_PER_SEC
#define MISSING_DELAY NSEC_PER_SEC

struct follower {
    struct list link;
    struct keeper *keeper;
    int fd;
    struct watch *watch;
    uint64_t wanted; /* what the log has to hold first (logs_writer_settled) */
    struct timer *limit;
};

static void follower_free(struct follower *f) {
    list_remove(&f->link);
    watch_free(f->watch);
    timer_free(f->limit);
    fd_close(f->fd);
    free(f);
}

/* Readers say nothing: a readable socket is one that was closed. */
static void on_follower(void *arg, unsigned events) {
    (void)events;
    struct follower *f = arg;
    struct keeper *k = f->keeper;
    follower_free(f);
    exit_maybe(k);
}

static void wake(const struct follower *f) {
    int waiting = 0;
    if (logs_writer_settled(f->keeper->log) < f->wanted)
        return;
    if (ioctl(f->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0)
        return; /* an earlier wake was not taken yet: it will see this growth as well */
    char one = 1;
    (void)!send(f->fd, &one, 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* gone: on_follower tells */
}

/* The disk hangs: its reader sees what is there. The log of a run that has ended is complete or it
 * is not shown at all. */
static void on_follower_limit(void *arg) {
    struct follower *f = arg;
    f->limit = timer_free(f->limit);
    if (f->keeper->exited)
        return;
    f->wanted = 0;
    wake(f);
}

void follow_add(struct keeper *k, int fd, bool settled) {
    if (k->exited && logs_writer_idle(k->log)) { /* the last line is written */
        fd_close(fd);
        return;
    }
    struct follower *f = NEW(struct follower);
    f->keeper = k;
    f->fd = fd;
    f->watch = watch_new(k->loop, fd, WATCH_READ, on_follower, f);
    if (settled) {
        f->wanted = logs_writer_accepted(k->log);
        f->limit = timer_new(k->loop, SETTLE_LIMIT, 0, on_follower_limit, f);
    }
    list_push(&k->followers, &f->link);
    /* It may have read before its message was taken; what was written in between told nobody. */
    wake(f);
}

void follow_wake(struct keeper *k) {
    LIST_FOR (&k->followers, n)
        wake(CONTAINER_OF(n, struct follower, link));
}

void follow_end(struct keeper *k) {
    LIST_FOR (&k->followers, n)
        follower_free(CONTAINER_OF(n, struct follower, link));
}

/* Tells the daemon what is missing of the log, at most once a second. */
static void tell_missing(void *arg) {
    struct keeper *k = arg;
    CLEAN_BUF struct buf body = {0};
    k->missing_timer = timer_free(k->missing_timer);
    logs_writer_missing(k->log, &k->missing);
    protocol_put_missing(&body, &k->missing);
    server_notice(k, PROTOCOL_LOG_MISSING, &body, NULL, 0);
}

static void look_for_missing(struct keeper *k) {
    struct logs_missing now;
    if (k->missing_timer || k->exited)
        return;
    logs_writer_missing(k->log, &now);
    if (memcmp(&now, &k->missing, sizeof(now)) != 0)
        k->missing_timer = timer_new(k->loop, MISSING_DELAY, 0, tell_missing, k);
}

/* --- who waits for the log to hold what was said ---------------------------------------------- */

struct settling {
    struct list link;
    struct keeper *keeper;
    struct peer *asker; /* NULL: gone */
    uint64_t seq, wanted;
    int64_t until;
    struct timer *limit;
};

static void settling_answer(struct settling *s) {
    CLEAN_BUF struct buf body = {0};
    msg_put_i64(&body, TAG_REPLAY_UNTIL, s->until);
    if (s->asker)
        msg_conn_send(s->asker->conn, PROTOCOL_REPLY, s->seq, buf_str(&body), NULL, 0);
    list_remove(&s->link);
    timer_free(s->limit);
    free(s);
}

static void on_limit(void *arg) {
    settling_answer(arg); /* the disk hangs */
}

static void look_for_settled(struct keeper *k) {
    LIST_FOR (&k->settling, n) {
        struct settling *s = CONTAINER_OF(n, struct settling, link);
        if (logs_writer_settled(k->log) >= s->wanted)
            settling_answer(s);
    }
}

void follow_settled(struct peer *p, uint64_t seq) {
    struct keeper *k = p->keeper;
    struct settling *s = NEW(struct settling);
    *s = (struct settling){.keeper = k,
                           .asker = p,
                           .seq = seq,
                           .wanted = logs_writer_accepted(k->log),
                           .until = time_now()};
    s->limit = timer_new(k->loop, SETTLE_LIMIT, 0, on_limit, s);
    list_push(&k->settling, &s->link);
    look_for_settled(k);
}

void follow_forget_peer(struct keeper *k, const struct peer *p) {
    LIST_FOR (&k->settling, n)
        if (CONTAINER_OF(n, struct settling, link)->asker == p)
            CONTAINER_OF(n, struct settling, link)->asker = NULL;
}

void log_pump(struct keeper *k) {
    look_for_missing(k);
    bool was_full = logs_writer_full(k->log);
    if (logs_writer_pump(k->log))
        follow_wake(k);
    if (was_full && !logs_writer_full(k->log))
        session_update(&k->session);
    look_for_settled(k);
    pack_look(k);
}
