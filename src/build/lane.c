/* build/lane.c - threads of stages. */
#include "build/lane.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE (1u << 20)

static void event_add(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void turn_take(const struct build *b) {
    uint64_t n;
    while (b->lanes && read(b->lanes->turn, &n, sizeof(n)) < 0 && errno == EINTR)
        ;
}

void turn_leave(const struct build *b) {
    if (b->lanes)
        event_add(b->lanes->turn);
}

static struct lane *lane_of(const struct build *b, const struct stage *s) {
    return &b->lanes->items[s->index];
}

/* The stage that a step-by-step build would be in: from the target along what waits. */
static struct err choose_front(const struct build *b) {
    struct lane *l = lane_of(b, b->plan->target);
    while (l->waits_for && !lane_of(b, l->waits_for)->ended)
        l = lane_of(b, l->waits_for);
    return report_front(&l->report);
}

static struct err wait_done(const struct build *b, int fd) {
    return report_wait(b->report, fd);
}

struct err execute_stage(struct build *b, struct stage *s) {
    struct lane *other = lane_of(b, s);
    if (!other->ended) {
        b->lane->waits_for = s;
        TRY(choose_front(b));
        struct err e = AWAIT(b, wait_done(b, other->done_fd));
        b->lane->waits_for = NULL;
        TRY(e);
        TRY(choose_front(b));
    }
    if (!s->done)
        return err_new(ERR_CANCELLED, "another stage failed");
    if (s == b->lane->stage->parent)
        b->lane->missed = other->missed;
    return report_absorb(b->report, &other->report);
}

static void *lane_main(void *arg) {
    struct lane *l = arg;
    struct build *b = &l->build;
    turn_take(b);
    struct err e = client_open_like(b->first_client, &b->client);
    if (!err_failed(e))
        e = stage_run(b, l->stage);
    ahead_end(b);
    if (err_failed(e)) {
        report_failed(&l->report);
        event_add(b->lanes->cancel);
        if (err_kind(e) != ERR_CANCELLED)
            /* What it said tells why: it is shown before the error. */
            err_ignore(report_front(&l->report));
    }
    l->error = e;
    l->ended = true;
    event_add(l->done_fd);
    turn_leave(b);
    return NULL;
}

static struct err lane_start(struct build *b, struct lanes *all, struct stage *s) {
    struct lane *l = &all->items[s->index];
    *l = (struct lane){.build = *b, .stage = s, .done_fd = -1};
    l->done_fd = eventfd(0, EFD_CLOEXEC);
    if (l->done_fd < 0)
        return err_errno(errno, "eventfd");
    l->report.out = b->report->out;
    l->build.arena = &l->arena;
    l->build.report = &l->report;
    l->build.client = NULL;
    l->build.first_client = b->client;
    l->build.lanes = all;
    l->build.lane = l;
    return OK;
}

static struct err threads_start(struct lanes *all) {
    pthread_attr_t attr;
    struct err e = OK;
    int r = pthread_attr_init(&attr);
    if (r == 0)
        r = pthread_attr_setstacksize(&attr, STACK_SIZE);
    for (size_t i = 0; i < all->n && r == 0; i++) {
        struct lane *l = &all->items[i];
        if (!l->stage)
            continue;
        r = pthread_create(&l->thread, &attr, lane_main, l);
        l->started = r == 0;
    }
    if (r != 0)
        e = err_errno(r, "start a thread");
    pthread_attr_destroy(&attr);
    return e;
}

/* The first failure in the order of the file that is not just the end of another one's. */
static struct err outcome(struct lanes *all) {
    struct err first = OK;
    for (size_t i = 0; i < all->n; i++) {
        struct lane *l = &all->items[i];
        bool better = err_failed(l->error) &&
                      (!err_failed(first) ||
                       (err_kind(first) == ERR_CANCELLED && err_kind(l->error) != ERR_CANCELLED));
        if (better) {
            err_free(first);
            first = l->error;
        } else {
            err_free(l->error);
        }
        l->error = OK;
    }
    return first;
}

void lanes_done(struct lanes *l) {
    for (size_t i = 0; i < l->n; i++) {
        if (!l->items[i].stage)
            continue;
        client_close(l->items[i].build.client);
        report_done(&l->items[i].report);
        vec_done(&l->items[i].records);
        arena_done(&l->items[i].arena);
        fd_close(l->items[i].done_fd);
        err_free(l->items[i].error);
    }
    free(l->items);
    fd_close(l->turn);
    fd_close(l->cancel);
    *l = (struct lanes){.turn = -1, .cancel = -1};
}

struct err lanes_run(struct build *b) {
    struct lanes *all = b->all_lanes;
    all->n = b->plan->stages_n;
    all->items = NEW_ARRAY(all->n, struct lane);
    memset(all->items, 0, all->n * sizeof(struct lane));
    all->turn = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    all->cancel = eventfd(0, EFD_CLOEXEC);
    if (all->turn < 0 || all->cancel < 0)
        return err_errno(errno, "eventfd");
    b->report->out->cancel = all->cancel;
    for (size_t i = 0; i < all->n; i++)
        if (b->plan->stages[i].needed)
            TRY(lane_start(b, all, &b->plan->stages[i]));
    b->report->out->front = &lane_of(&(struct build){.lanes = all}, b->plan->target)->report;
    struct err e = threads_start(all);
    if (err_failed(e))
        event_add(all->cancel);
    event_add(all->turn); /* and they go */
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].started)
            pthread_join(all->items[i].thread, NULL);
    struct err failed = outcome(all);
    /* What is said from here on, the build says. */
    b->report->out->front = NULL;
    b->report->out->cancel = -1;
    if (!err_failed(e))
        return failed;
    err_free(failed); /* a consequence */
    return e;
}
