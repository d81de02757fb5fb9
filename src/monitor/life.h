/* life.h - methods inside of the monitor (docs/lifecycle.md); private to monitor/.
 *
 * life.c keeps the schedule (validate after the start, methods every interval), the results that no
 * daemon has acknowledged, and the last numbers of `metrics`. life_run.c is one run: what it says
 * is caught up to METHOD_CAPTURE, its deadline kills all that it has started, its result is read.
 *
 * A run is an exec: the monitor's own (scheduled, or asked for from inside), or a client's, which
 * then has its streams as well. Nothing here waits. */
#pragma once
#include "monitor/health.h"
#include "spec/method_result.h"

#define LIFE_RUNS_MAX 32     /* at once, in one container */
#define LIFE_RESULTS_MAX 256 /* that wait for a daemon; the oldest go first */
#define LIFE_RETRY NSEC_PER_SEC

struct run;
typedef void run_done(void *arg, const struct method_result *r);

struct run_options {
    const char *method, *trigger;
    enum lifecycle_reading reading;
    int64_t timeout;
    run_done *done; /* before the result is told; or NULL */
    void *arg;
    bool quiet;  /* its result is told by `done` alone, when that asks for it */
    bool follow; /* the daemon is told what it says while it runs */
};
/* NULL: too many. The exec tells it what is said and how it ends. */
struct run *run_new(struct keeper *k, const char *id, const struct run_options *o);
/* Its exec; the deadline counts from now. */
void run_begin(struct run *r, struct exec *x);
void run_output(struct run *r, const char *p, size_t n);
/* text: why there is no exit status, or NULL. Frees r. */
void run_end(struct run *r, int code, const char *text);
struct run *run_free(struct run *r); /* without a result; NULL allowed */

/* The method of that name; NULL: none. */
const struct monitor_method *life_method(const struct keeper *k, struct str name);
/* A line for each. */
void life_names(const struct keeper *k, struct buf *out);

/* inside.c: our own program in the container, which an exec of `container` became, asks on this
 * socket (taken over). The texts are copied. owner's `inside` is NULL again when it has gone. */
struct inside *inside_new(struct exec *owner, int fd, struct str metadata, struct str examine);
struct inside *inside_free(struct inside *x); /* ends what it asked for; NULL allowed */

/* Keeps and tells a result. */
void life_tell(struct keeper *k, const struct method_result *r);
/* The numbers that a `metrics` method has printed, as docs/lifecycle.md has them. */
void life_samples(struct keeper *k, struct str samples);
