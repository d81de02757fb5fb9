/* life_run.c - one run of a method: catch what it says, end it in time, read its result. */
#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "monitor/life.h"
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 1024u

struct run {
    struct list link;
    struct keeper *keeper;
    struct run_options options; /* its strings are owned */
    char id[65];
    struct exec *exec; /* NULL: not begun, or over */
    struct buf output;
    bool truncated, timed_out;
    int64_t start;
    struct timer *deadline;
};

struct run *run_new(struct keeper *k, const char *id, const struct run_options *o) {
    if (k->runs_n >= LIFE_RUNS_MAX)
        return NULL;
    struct run *r = NEW(struct run);
    r->keeper = k;
    r->options = *o;
    r->options.method = mem_strdup(o->method);
    r->options.trigger = mem_strdup(o->trigger);
    if (id)
        snprintf(r->id, sizeof r->id, "%s", id);
    else
        random_id(r->id);
    r->start = time_now();
    list_push(&k->runs, &r->link);
    k->runs_n++;
    return r;
}

struct run *run_free(struct run *r) {
    if (r == NULL)
        return NULL;
    list_remove(&r->link);
    r->keeper->runs_n--;
    timer_free(r->deadline);
    buf_done(&r->output);
    free((char *)r->options.method);
    free((char *)r->options.trigger);
    free(r);
    return NULL;
}

static void on_deadline(void *arg) {
    struct run *r = arg;
    struct exec *x = r->exec;
    r->deadline = timer_free(r->deadline);
    r->timed_out = true;
    if (x)
        exec_expire(x); /* its end comes as that of any other */
}

void run_begin(struct run *r, struct exec *x) {
    r->exec = x;
    if (r->options.timeout > 0)
        r->deadline = timer_new(r->keeper->loop, r->options.timeout, 0, on_deadline, r);
}

/* At most METHOD_CAPTURE bytes in all: a flood does not reach the daemon. */
static void tell_output(struct run *r, struct str text) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, TAG_EXEC_ID, r->id);
    msg_put(&body, TAG_METHOD_SAID, text);
    server_notice(r->keeper, PROTOCOL_METHOD_SAID, &body, NULL, 0);
}

void run_output(struct run *r, const char *p, size_t n) {
    size_t room = METHOD_CAPTURE - r->output.len;
    buf_add(&r->output, p, MIN(n, room));
    if (r->options.follow && room > 0)
        tell_output(r, str_n(p, MIN(n, room)));
    r->truncated |= n > room;
}

/* The end of what it said: what a person wants to see of it. */
static char *tail(const struct run *r, struct arena *a) {
    struct str s = buf_str(&r->output);
    return arena_str(a, s.len > METHOD_KEPT ? str_from(s, s.len - METHOD_KEPT) : s);
}

static void explain(struct run *r, const char *text, struct arena *a) {
    if (r->timed_out)
        text = arena_printf(a, "over its deadline of %s: killed",
                            lifecycle_duration(r->options.timeout, a));
    if (text == NULL)
        return;
    if (r->output.len + WORDS_MAX > METHOD_CAPTURE) /* a flood leaves room for the reason */
        buf_truncate(&r->output, METHOD_CAPTURE - WORDS_MAX);
    if (r->output.len && r->output.data[r->output.len - 1] != '\n')
        run_output(r, "\n", 1);
    run_output(r, text, strlen(text));
    run_output(r, "\n", 1);
}

void run_end(struct run *r, int code, const char *text) {
    CLEAN_ARENA struct arena a = {0};
    struct keeper *k = r->keeper;
    explain(r, text, &a);
    struct method_result result = {
        .id = r->id,
        .method = (char *)r->options.method,
        .trigger = (char *)r->options.trigger,
        .start = r->start,
        .end = time_now(),
        .exit_code = r->timed_out || text ? METHOD_TIMED_OUT : code,
        .truncated = r->truncated,
    };
    method_result_read(&result, r->options.reading, buf_str(&r->output), &a);
    result.output = tail(r, &a);
    if (!strcmp(r->options.method, "metrics") && method_result_good(&result) && !r->truncated)
        life_samples(k, buf_str(&r->output));
    run_done *done = r->options.done;
    void *arg = r->options.arg;
    bool quiet = r->options.quiet;
    if (!quiet)
        life_tell(k, &result);
    if (done)
        done(arg, &result);
    run_free(r);
}
