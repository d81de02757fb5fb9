#include "loop/op.h"

#include "base/mem.h"
#include "loop/state.h"

#include <assert.h>
#include <stdlib.h>

struct op_run {
    struct list link; /* in queue->waiting until its turn */
    struct loop *loop;
    struct op_queue *queue;
    const struct op *op;
    void *job;
};

void op_queue_init(struct op_queue *q) {
    *q = (struct op_queue){0};
    list_init(&q->waiting);
}

void op_queue_done(struct op_queue *q) {
    assert(q->running == NULL && list_empty(&q->waiting));
    (void)q;
}

static struct err run_work(void *arg) {
    struct op_run *run = arg;
    return run->op->work(run->job);
}

static void run_finish(void *arg, struct err e) {
    struct op_run *run = arg;
    loop_note(run->loop, run->op->name);
    run->op->finish(run->job, e, run); /* run may be gone after this */
}

static void run_begin(struct op_run *run) {
    const struct op *op = run->op;
    loop_note(run->loop, op->name);
    struct err e = op->prepare ? op->prepare(run->job) : OK;
    if (err_failed(e) || !op->work)
        run_finish(run, e);
    else
        job_submit(run->loop, run_work, run_finish, run);
}

void op_start(struct loop *l, struct op_queue *q, const struct op *op, void *job) {
    struct op_run *run = NEW(struct op_run);
    run->loop = l;
    run->queue = q;
    run->op = op;
    run->job = job;
    if (q) {
        q->length++;
        if (q->running) {
            list_push(&q->waiting, &run->link);
            return;
        }
        q->running = run;
    }
    run_begin(run);
}

/* In a round of its own: a long queue of quick ops neither recurses nor holds the loop. */
static void next_turn(void *arg) {
    run_begin(arg);
}

void op_end(struct op_run *run) {
    struct op_queue *q = run->queue;
    struct loop *l = run->loop;
    if (q) {
        assert(q->running == run);
        q->running = NULL;
        q->length--;
        struct list *n = list_pop(&q->waiting);
        if (n) {
            q->running = CONTAINER_OF(n, struct op_run, link);
            loop_post(l, next_turn, q->running);
        } else if (q->idle) {
            q->idle(q->idle_arg);
        }
    }
    free(run);
}
