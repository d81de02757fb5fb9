#include "loop/state.h"

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Pool threads when nobody says otherwise: twice libuv's, as jobs wait for disks and mounts. */
#define POOL_SIZE "8"
#define POOL_VAR "UV_THREADPOOL_SIZE" /* libuv reads it when the first job comes */

struct job {
    uv_work_t req;
    struct loop *loop;
    struct err (*work)(void *arg);
    void (*done)(void *arg, struct err result);
    void *arg;
    struct err result;
};

void loop_set_pool_size(unsigned n) {
    char text[16];
    snprintf(text, sizeof(text), "%u", MAX(n, 1u));
    setenv(POOL_VAR, text, 1);
}

static void job_work(uv_work_t *req) {
    struct job *j = req->data;
    j->result = j->work(j->arg);
}

static void job_done(uv_work_t *req, int status UNUSED) {
    struct job *j = req->data;
    struct loop *l = j->loop;
    const void *code = (const void *)(uintptr_t)j->done;
    struct loop_span s = loop_enter(l);
    j->done(j->arg, j->result);
    loop_leave(l, s, "end of job", code);
    l->jobs--;
    free(j);
}

void job_submit(struct loop *l, struct err (*work)(void *arg),
                void (*done)(void *arg, struct err result), void *arg) {
    setenv(POOL_VAR, POOL_SIZE, 0);
    struct job *j = NEW(struct job);
    j->req.data = j;
    j->loop = l;
    j->work = work;
    j->done = done;
    j->arg = arg;
    /* The first job starts the threads. No signal is for them: they must not take one that a
     * sigwatch waits for, nor be interrupted in their system calls. */
    sigset_t all, before;
    if (!l->pool_started) {
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
    }
    loop_must(uv_queue_work(&l->uv, &j->req, job_work, job_done), "queue job");
    l->jobs++;
    if (!l->pool_started)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    l->pool_started = true;
}
