/* loop/worker.h - worker processes: bulk jobs that move and parse foreign bytes.
 *
 * Daemon side: worker_start() spawns the program corten-worker with one message socket as
 * descriptor 3; the first message names the job, carries its arguments (JSON text) and descriptors.
 * The worker sends notices (progress, questions) and ends with a result; cancelled by SIGKILL.
 * done comes with the result, before the process has ended; the loop must run on until it is
 * reaped. A worker outlives the daemon (its stderr and environment are the daemon's). At most
 * WORKERS_MAX run at once, the rest wait in order. Worker side: worker_main() with the table of
 * jobs (src/bin/corten-worker.c).
 */
#pragma once
#include "loop/msg.h"

#define WORKERS_MAX 64

struct worker;
struct worker_start {
    const char *program; /* absolute path of corten-worker */
    const char *job;     /* "image-load", "registry-pull", "logs-read" … */
    struct str args;     /* JSON */
    const int *fds;      /* borrowed; the job sees them in this order */
    size_t fds_n;
    /* A notice or question from the worker. type >= 100, defined by the job's folder. NULL allowed.
     */
    void (*notice)(void *arg, struct worker *w, struct msg *m);
    /* Once, before done: it has its descriptors; or it could not be started, and nobody has seen
     * them (e is borrowed). NULL allowed. */
    void (*begun)(void *arg, struct err e);
    /* Exactly once, last: the result (JSON text, may be empty) or the error. Consumes e. */
    void (*done)(void *arg, struct str result, struct err e);
    void *arg;
};
struct worker *worker_start(struct loop *l, const struct worker_start *s);
/* Answers a question (same seq); or, with seq 0, a message for worker_next. Nothing is sent before
 * the worker has said something. */
void worker_reply(struct worker *w, uint64_t seq, struct str body, const int *fds, size_t fds_n);
/* Kills it; done is called with ERR_CANCELLED, in a later round of the loop. */
void worker_cancel(struct worker *w);

/* --- in the worker process ------------------------------------------------------------------- */
struct worker_ctx; /* the running job */
struct worker_job {
    const char *name;
    /* fds are the job's to close or keep; result is JSON text for the daemon. */
    struct err (*run)(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                      struct buf *ret_result);
};
/* Reads the first message from descriptor 3, runs the job, sends the result. Exit status of main.
 */
int worker_main(const struct worker_job *jobs, size_t n);
void worker_notice(struct worker_ctx *ctx, uint32_t type, struct str body, const int *fds,
                   size_t fds_n);
/* Sends a question and waits for its answer (CLEAN_MSG struct msg). */
struct err worker_ask(struct worker_ctx *ctx, uint32_t type, struct str body, struct msg *ret);
/* For jobs that are sent more: readable when worker_next has something. */
int worker_socket(const struct worker_ctx *ctx);
/* The next message of the daemon's worker_reply with seq 0. ERR_UNAVAILABLE: the daemon is gone. */
struct err worker_next(struct worker_ctx *ctx, struct msg *ret);
/* Its text: the body's field WORKER_TEXT. */
#define WORKER_TEXT 2
struct str worker_text(const struct msg *m);
/* True once the daemon's end is gone: long jobs poll it and give up (nobody will take the result).
 */
bool worker_orphaned(struct worker_ctx *ctx);
