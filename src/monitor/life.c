/* life.c - the schedule of methods, and their results until a daemon has them.
 *
 * Results are kept as the JSON that is sent, numbered; a daemon acknowledges the highest number
 * that it has in its books, the next one gets the rest again. What nobody has acknowledged when the
 * container ends without a daemon goes into the run directory, where the next daemon looks. */
#include "monitor/life.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "spec/samples.h"
#include <signal.h>
#include <stdlib.h>

struct kept {
    struct list link;
    uint64_t seq;
    struct buf doc;
};

/* A method and its clock. */
struct turn {
    struct keeper *keeper;
    struct monitor_method method; /* texts owned by the arena of life */
    struct timer *timer;          /* NULL: has no clock */
    struct run *run;
    struct exec *exec;
    struct exec_own own;
    bool passed;         /* validate: was good since the start */
    const char *trigger; /* of the run that is under way */
};

struct life {
    struct arena arena;
    struct turn *turns;
    size_t n;
    int64_t began; /* monotonic */
    struct list kept;
    size_t kept_n;
    uint64_t seq;
    struct buf samples;
};

/* --- results ---------------------------------------------------------------------------------- */

static void send_result(struct keeper *k, const struct kept *x) {
    CLEAN_BUF struct buf body = {0};
    msg_put_u64(&body, TAG_METHOD_SEQ, x->seq);
    msg_put(&body, TAG_METHOD_RESULT, buf_str(&x->doc));
    server_notice(k, PROTOCOL_METHOD, &body, NULL, 0);
}

static void kept_free(struct life *l, struct kept *x) {
    list_remove(&x->link);
    l->kept_n--;
    buf_done(&x->doc);
    free(x);
}

static struct life *life_of(struct keeper *k) {
    if (k->life == NULL) {
        k->life = NEW(struct life);
        list_init(&k->life->kept);
    }
    return k->life;
}

void life_tell(struct keeper *k, const struct method_result *r) {
    struct life *l = life_of(k);
    struct kept *x = NEW(struct kept);
    x->seq = ++l->seq;
    fields_print(&method_result_fields, r, &x->doc);
    list_push(&l->kept, &x->link);
    if (++l->kept_n > LIFE_RESULTS_MAX)
        kept_free(l, CONTAINER_OF(l->kept.next, struct kept, link));
    keeper_active(k);
    send_result(k, x);
}

void life_ack(struct keeper *k, uint64_t seq) {
    struct life *l = k->life;
    if (l == NULL)
        return;
    LIST_FOR (&l->kept, n) {
        struct kept *x = CONTAINER_OF(n, struct kept, link);
        if (x->seq <= seq)
            kept_free(l, x);
    }
}

static void send_samples(struct keeper *k) {
    CLEAN_BUF struct buf body = {0};
    msg_put(&body, TAG_METHOD_SAMPLES, buf_str(&k->life->samples));
    server_notice(k, PROTOCOL_SAMPLES, &body, NULL, 0);
}

void life_samples(struct keeper *k, struct str output) {
    struct life *l = life_of(k);
    CLEAN_BUF struct buf text = {0};
    samples_read(output, &text);
    buf_done(&l->samples);
    l->samples = text;
    text = (struct buf){0};
    send_samples(k);
}

void life_notice(struct keeper *k) {
    struct life *l = k->life;
    if (l == NULL)
        return;
    LIST_FOR (&l->kept, n)
        send_result(k, CONTAINER_OF(n, struct kept, link));
    if (l->samples.len)
        send_samples(k);
}

void life_record(struct keeper *k) {
    struct life *l = k->life;
    CLEAN_BUF struct buf text = {0};
    if (l == NULL || l->kept_n == 0)
        return;
    LIST_FOR (&l->kept, n) {
        buf_add_str(&text, buf_str(&CONTAINER_OF(n, struct kept, link)->doc));
        buf_addc(&text, '\n');
    }
    log_err(LOG_WARN, file_replace_at(k->run_dir_fd, PROTOCOL_METHODS, buf_str(&text), 0600, false),
            "container %s: results of its methods", k->id);
}

/* --- runs of the monitor's own ---------------------------------------------------------------- */

static void said(void *arg, const char *p, size_t n) {
    struct turn *t = arg;
    if (t->run)
        run_output(t->run, p, n);
}

static bool is_validate(const struct turn *t) {
    return t->method.at_start;
}

static bool in_start_period(const struct turn *t) {
    return is_validate(t) && !t->passed &&
           time_monotonic() - t->keeper->life->began < t->method.start_period;
}

static void act(const struct turn *t) {
    struct keeper *k = t->keeper;
    const struct monitor_method *m = &t->method;
    if (m->action == MONITOR_ACTION_NONE || k->exited)
        return;
    log_info("container %s: method %s has failed: it is ended", k->id, m->name);
    k->unhealthy = m->action;
    struct err e = m->action == MONITOR_ACTION_KILL ? stop_begin(k, SIGKILL, 0)
                                                    : stop_begin(k, m->stop_signo, m->stop_timeout);
    log_err(LOG_WARN, e, "container %s: end it", k->id);
}

static void again(struct turn *t) {
    if (t->timer == NULL)
        return;
    if (in_start_period(t))
        timer_set(t->timer, LIFE_RETRY);
    else if (t->method.interval > 0)
        timer_set(t->timer, t->method.interval);
}

static void turn_done(void *arg, const struct method_result *r) {
    struct turn *t = arg;
    bool good = method_result_good(r), early = in_start_period(t);
    t->run = NULL;
    t->exec = NULL;
    if (good || !early) /* what will be tried again in a second is nobody's concern */
        life_tell(t->keeper, r);
    t->passed |= good;
    if (!good && !early)
        act(t);
    again(t);
}

/* Frozen: nothing has happened. */
static void turn_skip(struct turn *t) {
    t->run = run_free(t->run);
    t->exec = NULL;
    if (t->timer)
        timer_set(t->timer, MAX(t->method.interval, (int64_t)LIFE_RETRY));
}

static void ended(void *arg, int code, struct err e) {
    struct turn *t = arg;
    struct run *r = t->run;
    t->exec = NULL;
    if (r == NULL)
        err_ignore(e); /* cancelled */
    else if (err_kind(e) == ERR_CONFLICT) {
        err_free(e);
        turn_skip(t);
    } else {
        bool failed = err_failed(e);
        run_end(TAKE(t->run), code, failed ? err_msg(e) : NULL);
        err_free(e);
    }
}

static void turn_run(struct turn *t, const char *trigger) {
    struct keeper *k = t->keeper;
    const struct monitor_method *m = &t->method;
    const struct run_options o = {
        m->name, trigger, (enum lifecycle_reading)m->reading, m->timeout, turn_done, t, true};
    t->trigger = trigger;
    t->run = run_new(k, NULL, &o);
    if (t->run == NULL) { /* too many: later */
        turn_skip(t);
        return;
    }
    if (m->refused && *m->refused) {
        run_end(TAKE(t->run), -1, m->refused);
        return;
    }
    t->own = (struct exec_own){said, ended, t};
    struct exec *x = exec_run(k, m->process, m->user, &t->own);
    if (x && t->run) {
        t->exec = x;
        run_begin(t->run, x);
    }
}

/* An update is a transaction: the daemon's. Without one the next interval asks again. */
static void ask_update(struct turn *t) {
    server_notice(t->keeper, PROTOCOL_ASK_UPDATE, NULL, NULL, 0);
    again(t);
}

static void on_timer(void *arg) {
    struct turn *t = arg;
    struct keeper *k = t->keeper;
    if (k->exited || k->box == NULL || t->run)
        return;
    if (runtime_frozen(k->box)) {
        turn_skip(t);
        return;
    }
    if (!strcmp(t->method.name, "update")) {
        ask_update(t);
        return;
    }
    turn_run(t, is_validate(t) && !t->passed ? "start" : "interval");
}

const struct monitor_method *life_method(const struct keeper *k, struct str name) {
    for (size_t i = 0; k->life && i < k->life->n; i++)
        if (str_eqz(name, k->life->turns[i].method.name))
            return &k->life->turns[i].method;
    return NULL;
}

void life_names(const struct keeper *k, struct buf *out) {
    for (size_t i = 0; k->life && i < k->life->n; i++)
        buf_addf(out, "%s\n", k->life->turns[i].method.name);
}

/* --- life ------------------------------------------------------------------------------------- */

static void copy_method(struct life *l, struct monitor_method *to,
                        const struct monitor_method *from) {
    *to = *from;
    to->name = arena_strz(&l->arena, from->name);
    to->user = arena_strz(&l->arena, from->user);
    to->refused = arena_strz(&l->arena, from->refused);
    to->process = str_of(arena_str(&l->arena, from->process));
}

void life_prepare(struct keeper *k, const struct monitor_method *methods, size_t n) {
    if (n == 0)
        return;
    struct life *l = life_of(k);
    l->turns = arena_array(&l->arena, n, sizeof *l->turns);
    l->n = n;
    for (size_t i = 0; i < n; i++) {
        l->turns[i].keeper = k;
        copy_method(l, &l->turns[i].method, &methods[i]);
    }
}

void life_start(struct keeper *k) {
    struct life *l = k->life;
    if (l == NULL)
        return;
    l->began = time_monotonic();
    for (size_t i = 0; i < l->n; i++) {
        struct turn *t = &l->turns[i];
        if (is_validate(t))
            t->timer = timer_new(k->loop, 0, 0, on_timer, t);
        else if (t->method.interval > 0)
            t->timer = timer_new(k->loop, t->method.interval, 0, on_timer, t);
    }
}

void life_stop(struct keeper *k) {
    struct life *l = k->life;
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++) {
        struct turn *t = &l->turns[i];
        t->timer = timer_free(t->timer);
        t->run = run_free(t->run);
        if (t->exec)
            exec_cancel(TAKE(t->exec));
    }
}
