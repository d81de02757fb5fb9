/* build/lane.h - stages side by side: one thread per stage that the target needs. Private to
 * build/.
 *
 * A lane has its own arena, client and report; it runs one stage and reads others only when they
 * are done. What lanes share (plan, request, report's order, context) is touched by the one that
 * has the turn: it is taken when a lane starts and given away only around what may wait or work
 * long, by AWAIT. So there is no lock on anything, and no work in parallel but those calls.
 *
 * The first stage that fails ends the others: their waits are cancelled, their containers removed,
 * then its error is the build's. */
#pragma once
#include <pthread.h>

#include "build/ahead.h"
#include "build/cache.h"
#include "build/execute.h"

struct lane {
    struct build build; /* its view: arena, client, report are the lane's */
    struct arena arena;
    struct report report;
    struct stage *stage;
    struct stage *waits_for; /* NULL: it works */
    int done_fd;             /* eventfd, readable when the stage is over */
    bool ended, started;
    bool missed; /* a step was not in the cache */
    pthread_t thread;
    struct cache_records records;
    struct aheads aheads; /* begun by its stage */
    struct err error;
};
struct lanes {
    struct lane *items; /* by index of the stage; stage NULL: not needed */
    size_t n;
    int turn;   /* eventfd as a semaphore of one */
    int cancel; /* eventfd */
};
/* Runs the target and what it needs; its state is then in plan->target. */
struct err lanes_run(struct build *b);
void lanes_done(struct lanes *l);
#define CLEAN_LANES OWN(lanes_done)

void turn_take(const struct build *b);
void turn_leave(const struct build *b);
/* Evaluates call, which returns a struct err, without the turn. */
#define AWAIT(b, call)                 \
    ({                                 \
        turn_leave(b);                 \
        struct err await_err = (call); \
        turn_take(b);                  \
        await_err;                     \
    })
