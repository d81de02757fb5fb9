/* loop/op.h - prepare, work, finish: how the daemon moves.
 *
 * A handler answers from memory at once or starts an op, a constant struct of three functions:
 *   prepare (loop): look, decide, reserve; may refuse (finish is then called with the error, work
 *                   is not). Builds a self-contained job.
 *   work (pool thread): straight-line blocking C; sees only its job. NULL: nothing to do there.
 *   finish (loop): commit or release the reservation, publish the event, reply. Receives and
 *                   consumes the error. Must end with op_end(run), at once or later (for
 *                   instance from a store commit callback): until then the queue stays held.
 *
 * Ops on one queue (one per container) run one after the other in order of op_start; ops on
 * different queues run in parallel. Bigger verbs queue smaller ones (restart = stop, then start).
 */
#pragma once
#include "loop/loop.h"

struct op_run; /* one running op */
struct op {
    const char *name; /* "container start": in logs and slow-callback warnings */
    struct err (*prepare)(void *job);
    struct err (*work)(void *job);
    void (*finish)(void *job, struct err e, struct op_run *run);
};

struct op_queue {
    struct list waiting;
    struct op_run *running;
    unsigned length; /* running and waiting */
    void (*idle)(
        void *arg); /* called when the last op ended; may free the queue's owner; or NULL */
    void *idle_arg;
};
void op_queue_init(struct op_queue *q);
/* Must be empty. */
void op_queue_done(struct op_queue *q);

/* Starts op with job (owned by the op's functions). q NULL: no ordering. prepare may run before
 * op_start returns; so may finish, when prepare refuses or work is NULL: touch neither job nor what
 * finish frees after this call. prepare NULL: nothing to look at. */
void op_start(struct loop *l, struct op_queue *q, const struct op *op, void *job);
void op_end(struct op_run *run);
