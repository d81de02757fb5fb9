#include "loop/op.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>

struct op_run {
    struct list link;
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
    assert(q->length == 0);
}

static void work_done(void *arg, struct err e) {
    struct op_run *r = arg;
    r->op->finish(r->job, e, r);
}

static struct err work(void *arg) {
    struct op_run *r = arg;
    return r->op->work(r->job);
}

static void run(struct op_run *r) {
    struct err e = r->op->prepare ? r->op->prepare(r->job) : OK;
    if (!err_failed(e) && r->op->work)
        job_submit(r->loop, work, work_done, r);
    else
        r->op->finish(r->job, e, r);
}

void op_start(struct loop *l, struct op_queue *q, const struct op *op, void *job) {
    struct op_run *r = NEW(struct op_run);
    *r = (struct op_run){.loop = l, .queue = q, .op = op, .job = job};
    if (!q) {
        run(r);
        return;
    }
    q->length++;
    if (q->running) {
        list_push(&q->waiting, &r->link);
        return;
    }
    q->running = r;
    run(r);
}

/* The next op starts from the loop, not from inside the end of the last one: no recursion, and whoever
 * ended it has left its own stack. */
static void run_next(void *arg) {
    run(arg);
}

void op_end(struct op_run *r) {
    struct op_queue *q = r->queue;
    struct loop *l = r->loop;
    free(r);
    if (!q)
        return;
    q->length--;
    struct list *next = list_pop(&q->waiting);
    q->running = next ? CONTAINER_OF(next, struct op_run, link) : NULL;
    if (q->running)
        loop_post(l, run_next, q->running);
    else if (q->idle)
        q->idle(q->idle_arg);
}
