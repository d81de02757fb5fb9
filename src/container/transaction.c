/* transaction: an update as one step that is kept or taken back (docs/lifecycle.md).
 *
 *   quiesce → what was written is kept → update → validate → let go of what was kept
 *                                            \→ put back → rollback → validate → (restart)
 *
 * Everything that takes time is a method's run, a worker or a pool job; between them only this
 * struct remembers, by the container's id: it may be stopped or removed at any moment, which ends
 * the transaction with what it was doing. One at a time for each container. */
#include "base/random.h"
#include "container/private.h"
#include "container/rollback.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum phase {
    PHASE_QUIESCE,
    PHASE_KEEP,
    PHASE_UPDATE,
    PHASE_VALIDATE,
    PHASE_RESTORE,
    PHASE_ROLLBACK,
    PHASE_AGAIN, /* validated after it was put back */
    PHASE_RESTART,
    PHASE_DROP,
};

struct transaction {
    struct containers *cs;
    char id[65];
    struct arena arena;
    enum phase phase;
    const struct container_update_observer *to; /* NULL: nobody looks */
    void *to_arg;
    char *trigger, *why; /* owned */
    struct strs volumes; /* host paths */
    bool changed;        /* the update has begun: a failure is taken back */
    bool keep;           /* on-failure: keep */
    bool back;           /* it was put back */
    int64_t start;
    int64_t patience; /* monotonic: validation after a rollback is tried again until then */
    struct timer *again;
    uint32_t what; /* of the worker */
    bool frozen;
    struct err worked;
    struct buf result;
};

static void advance(struct transaction *t, enum phase next);

static struct container *container_of(const struct transaction *t) {
    struct container *c = map_getz(&t->cs->by_id, t->id);
    return c && c->transaction == t ? c : NULL;
}

static void tell(const struct transaction *t, const char *step, const struct method_result *r,
                 const char *text) {
    if (t->to)
        t->to->step(t->to_arg, step, r, text);
}

static void because(struct transaction *t, const char *text) {
    if (!t->why)
        t->why = mem_strdup(text);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void record(struct transaction *t, struct container *c, const char *outcome, bool good) {
    char id[65];
    CLEAN_BUF struct buf text = {0};
    random_id(id);
    buf_adds(&text, outcome);
    if (t->why)
        buf_addf(&text, ": %s", t->why);
    struct method_result r = {
        .id = id,
        .method = (char *)"transaction",
        .trigger = t->trigger,
        .start = t->start,
        .end = time_now(),
        .exit_code = good ? 0 : 1,
        .status = (char *)(uintptr_t)(good ? "ok" : "failed"),
        .reading = (char *)"exit",
        .examples = 1,
        .failures = !good,
        .perf.present = true,
        .summary = (char *)(uintptr_t)buf_cstr(&text),
        .output = (char *)"",
    };
    container_result_keep(c, &r);
    container_publish_two(c, "updated", "outcome", outcome, "why", t->why ? t->why : "");
}

static void finish(struct transaction *t, const char *outcome, bool good) {
    struct container *c = container_of(t);
    if (c) {
        c->transaction = NULL;
        record(t, c, outcome, good);
    }
    if (t->to)
        t->to->done(t->to_arg, outcome, t->why ? t->why : "", good);
    timer_free(t->again);
    free(t->trigger);
    free(t->why);
    err_free(t->worked);
    buf_done(&t->result);
    arena_done(&t->arena);
    free(t);
}

void container_transaction_forget(struct container *c, const void *observer) {
    if (c->transaction && c->transaction->to_arg == observer)
        c->transaction->to = NULL;
}

/* The container ended or goes: what is under way will find nobody. */
static void lost(struct transaction *t) {
    because(t, "the container has ended");
    finish(t, t->changed ? "failed" : "nothing done", false);
}

static void failed(struct transaction *t, const char *what, const char *text) {
    CLEAN_FREE char *why = mem_printf("%s: %s", what, text);
    because(t, why);
    if (!t->changed)
        advance(t, PHASE_DROP);
    else if (t->keep || t->back)
        advance(t, t->back ? PHASE_RESTART : PHASE_DROP);
    else
        advance(t, PHASE_RESTORE);
}

/* --- methods ---------------------------------------------------------------------------------- */

static const char *method_of(enum phase p) {
    switch (p) {
    case PHASE_QUIESCE:
        return "quiesce";
    case PHASE_UPDATE:
        return "update";
    case PHASE_ROLLBACK:
        return "rollback";
    default:
        return "validate";
    }
}

static void after_method(struct transaction *t) {
    static const enum phase next[] = {
        [PHASE_QUIESCE] = PHASE_KEEP,  [PHASE_UPDATE] = PHASE_VALIDATE,
        [PHASE_VALIDATE] = PHASE_DROP, [PHASE_ROLLBACK] = PHASE_AGAIN,
        [PHASE_AGAIN] = PHASE_DROP,
    };
    advance(t, next[t->phase]);
}

static void ran(void *arg, const struct method_result *r, struct err e) {
    struct transaction *t = arg;
    const char *name = method_of(t->phase);
    if (!container_of(t) || err_kind(e) == ERR_UNAVAILABLE) {
        err_ignore(e); /* what is told is the container's end */
        lost(t);
        return;
    }
    CLEAN_BUF struct buf text = {0};
    if (r)
        method_result_text(r, &text);
    tell(t, name, r, r ? NULL : err_msg(e));
    if (r && method_result_good(r))
        after_method(t);
    else if (r && t->phase == PHASE_AGAIN && time_monotonic() < t->patience)
        timer_set(t->again, NSEC_PER_SEC); /* the service needs a moment */
    else
        failed(t, r ? "method" : name, r ? buf_cstr(&text) : err_msg(e));
    err_free(e);
}

static void heard(void *arg, struct str text) {
    const struct transaction *t = arg;
    if (t->to)
        t->to->output(t->to_arg, method_of(t->phase), text);
}

static void run(struct transaction *t);

static void on_again(void *arg) {
    struct transaction *t = arg;
    if (container_of(t))
        run(t);
    else
        lost(t);
}

static void run(struct transaction *t) {
    struct container *c = container_of(t);
    CLEAN_ARENA struct arena a = {0};
    struct lifecycle l;
    const char *name = method_of(t->phase);
    container_lifecycle(c, &a, &l);
    const struct lifecycle_method *m = lifecycle_method(&l, name);
    if (!m) { /* not one of its methods: a step less */
        after_method(t);
        return;
    }
    if (t->phase == PHASE_UPDATE)
        t->changed = true;
    if (t->phase == PHASE_AGAIN && !t->again) {
        t->again = timer_new(t->cs->config.loop, INT64_MAX / 2, 0, on_again, t);
        t->patience = time_monotonic() + m->start_period;
    }
    container_method_run(c, name, t->phase == PHASE_UPDATE ? t->trigger : "update",
                         t->to ? heard : NULL, ran, t);
}

/* --- what was written ------------------------------------------------------------------------- */

static void thawed(void *arg, struct err e) {
    struct transaction *t = arg;
    struct container *c = container_of(t);
    struct err work = t->worked;
    t->worked = OK;
    if (c && container_is_alive(c))
        log_err(LOG_ERROR, e, "container %.12s: resume within its update", t->id);
    else
        err_ignore(e); /* it was killed meanwhile: nothing to resume */
    if (!c || (t->what != ROLLBACK_DROP && !container_is_alive(c))) {
        err_ignore(work); /* it has nowhere to go */
        lost(t);
        return;
    }
    static const char *const steps[] = {"snapshot", "restore", "release"};
    const char *step = steps[t->what];
    tell(t, step, NULL, err_failed(work) ? err_msg(work) : buf_cstr(&t->result));
    if (err_failed(work) && t->what != ROLLBACK_DROP) {
        t->back |= t->what == ROLLBACK_RESTORE; /* as far as it went */
        failed(t, step, err_msg(work));
    } else if (t->what == ROLLBACK_KEEP) {
        advance(t, PHASE_UPDATE);
    } else if (t->what == ROLLBACK_RESTORE) {
        t->back = true;
        advance(t, PHASE_ROLLBACK);
    } else {
        bool good = t->changed && !t->why;
        finish(t,
               good         ? "kept"
               : t->back    ? "rolled back"
               : t->changed ? "failed"
                            : "nothing done",
               good);
    }
    err_free(work);
}

struct freeze {
    struct transaction *t;
    char *cgroup;
    bool on;
};

static struct err freeze_work(void *arg) {
    const struct freeze *f = arg;
    struct err e = runtime_cgroup_freeze(f->cgroup, f->on);
    if (!container_cgroup_ended(e))
        return e;
    err_free(e); /* it has just ended */
    return OK;
}

static void start_worker(struct transaction *t);

static void freeze_done(void *arg, struct err e) {
    struct freeze *f = arg;
    struct transaction *t = f->t;
    bool on = f->on;
    free(f->cgroup);
    free(f);
    if (!on) {
        thawed(t, e);
        return;
    }
    t->frozen = !err_failed(e);
    if (err_failed(e)) {
        t->worked = e;
        thawed(t, OK);
    } else {
        start_worker(t);
    }
}

static void freeze(struct transaction *t, struct container *c, bool on) {
    struct freeze *f = NEW(struct freeze);
    *f = (struct freeze){t, container_cgroup_path(c), on};
    job_submit(t->cs->config.loop, freeze_work, freeze_done, f);
}

static void worked(void *arg, struct str result, struct err e) {
    struct transaction *t = arg;
    struct container *c = container_of(t);
    t->worked = e;
    buf_done(&t->result);
    buf_add_str(&t->result, result);
    bool frozen = t->frozen;
    t->frozen = false;
    if (frozen && c)
        freeze(t, c, false);
    else
        thawed(t, OK);
}

static void start_worker(struct transaction *t) {
    struct container *c = container_of(t);
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    const char *const *layers = NULL;
    size_t n = 0;
    if (!c) {
        worked(t, STR_NONE, OK);
        return;
    }
    struct rollback_args x = {.what = t->what,
                              .directory = c->directory,
                              .volumes = t->volumes,
                              .pid = c->pid,
                              .start_time = c->start_time};
    /* From <data root>/image/layer. */
    x.copy = arena_printf(&a, "../../%s/" ROLLBACK_DIR "/upper",
                          c->directory + strlen(c->all->config.data_root) + 1);
    struct err e = image_layer_names(c->hold.image, &a, &layers, &n);
    if (err_failed(e)) {
        worked(t, STR_NONE, e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        strs_add(&x.layers, &a, layers[i]);
    fields_print(&rollback_args_fields, &x, &text);
    const int fds[] = {images_layers_dirfd(c->all->config.images)};
    struct worker_start s = {.program = c->all->config.worker_program,
                             .job = "container-update",
                             .args = buf_str(&text),
                             .fds = fds,
                             .fds_n = 1,
                             .done = worked,
                             .arg = t};
    worker_start(c->all->config.loop, &s);
}

static void files(struct transaction *t, enum rollback_what what) {
    struct container *c = container_of(t);
    t->what = what;
    buf_clear(&t->result);
    if (what != ROLLBACK_DROP && c->state != CONTAINER_RUNNING) {
        lost(t);
        return;
    }
    if (what == ROLLBACK_DROP)
        start_worker(t);
    else
        freeze(t, c, true); /* the files agree with each other */
}

/* --- the way ---------------------------------------------------------------------------------- */

static void restarted(void *arg, struct err e) {
    struct transaction *t = arg;
    tell(t, "restart", NULL, err_failed(e) ? err_msg(e) : "restarted");
    log_err(LOG_WARN, e, "container %s: restart after an update that was taken back", t->id);
    if (container_of(t))
        advance(t, PHASE_DROP);
    else
        lost(t);
}

static void advance(struct transaction *t, enum phase next) {
    struct container *c = container_of(t);
    if (!c) {
        lost(t);
        return;
    }
    t->phase = next;
    switch (next) {
    case PHASE_KEEP:
        files(t, ROLLBACK_KEEP);
        break;
    case PHASE_RESTORE:
        files(t, ROLLBACK_RESTORE);
        break;
    case PHASE_DROP:
        files(t, ROLLBACK_DROP);
        break;
    case PHASE_RESTART:
        container_restart(c, 0, INT64_MIN, restarted, t);
        break;
    default:
        run(t);
    }
}

static void ended_update(void *arg UNUSED, struct err e) {
    err_ignore(e); /* it has ended by itself */
}

/* --- beginning -------------------------------------------------------------------------------- */

/* Names or destinations of volumes, "*" for all of them. */
static struct err choose(const struct container *c, const struct strs *wanted,
                         struct transaction *t) {
    t->volumes.present = true;
    for (size_t i = 0; i < wanted->n; i++) {
        size_t found = 0;
        for (size_t k = 0; k < c->mounts_n; k++) {
            const struct container_mount *m = &c->mounts[k];
            const char *w = wanted->items[i];
            if (strcmp(m->type, "volume") != 0 || !m->rw ||
                (strcmp(w, "*") != 0 && strcmp(w, m->name) != 0 && strcmp(w, m->destination) != 0))
                continue;
            const struct volume *v = volume_find(c->all->config.volumes, m->name);
            if (v && volume_is_mounted(v))
                return err_new(ERR_UNSUPPORTED, "volume %s is a mount: it cannot be kept", m->name);
            found++;
            if (!strs_has(&t->volumes, m->source))
                strs_add(&t->volumes, &t->arena, m->source);
        }
        if (found == 0 && strcmp(wanted->items[i], "*") != 0)
            return err_new(ERR_NOT_FOUND, "container %s has no writable volume %s", c->name,
                           wanted->items[i]);
    }
    return OK;
}

static struct err check(const struct container *c, const struct lifecycle *l) {
    if (!lifecycle_method(l, "update"))
        return err_new(ERR_NOT_FOUND, "container %s has no method update", c->name);
    if (c->state != CONTAINER_RUNNING)
        return err_new(ERR_CONFLICT, "container %s is not running", c->name);
    return c->transaction ? err_new(ERR_CONFLICT, "container %s is being updated", c->name) : OK;
}

struct err container_transaction(struct container *c, const struct container_update_options *o,
                                 const struct container_update_observer *to, void *arg) {
    CLEAN_ARENA struct arena a = {0};
    struct lifecycle l;
    container_lifecycle(c, &a, &l);
    TRY(check(c, &l));
    struct transaction *t = NEW(struct transaction);
    struct err e = choose(c, &o->volumes, t);
    if (err_failed(e)) {
        arena_done(&t->arena);
        free(t);
        return e;
    }
    t->cs = c->all;
    memcpy(t->id, c->id, sizeof t->id);
    t->to = to;
    t->to_arg = arg;
    t->trigger = mem_strdup(o->trigger);
    t->keep = lifecycle_method(&l, "update")->on_failure == LIFECYCLE_KEEP;
    t->start = time_now();
    c->transaction = t;
    advance(t, PHASE_QUIESCE);
    return OK;
}

/* A daemon's end cuts an update: what it has written goes, so that it was all or nothing. */
void container_transaction_recover(struct container *c) {
    CLEAN_FREE char *whole = mem_printf("%s/" ROLLBACK_DIR "/" ROLLBACK_WHOLE, c->directory);
    if (c->state != CONTAINER_RUNNING || c->transaction || access(whole, F_OK) != 0)
        return;
    LIST_FOR (&c->execs, n) {
        struct container_exec *x = CONTAINER_OF(n, struct container_exec, link);
        if (x->running && x->config && x->config->method)
            container_exec_signal(x, SIGKILL, ended_update, NULL);
    }
    CLEAN_ARENA struct arena a = {0};
    struct lifecycle l;
    container_lifecycle(c, &a, &l);
    const struct lifecycle_method *m = lifecycle_method(&l, "update");
    struct transaction *t = NEW(struct transaction);
    t->cs = c->all;
    memcpy(t->id, c->id, sizeof t->id);
    t->trigger = mem_strdup("daemon");
    t->keep = m && m->on_failure == LIFECYCLE_KEEP;
    t->start = time_now();
    t->changed = true;
    t->volumes.present = true;
    c->transaction = t;
    because(t, "the daemon ended while the update was under way");
    advance(t, t->keep ? PHASE_DROP : PHASE_RESTORE);
}

struct err container_transaction_plan(const struct container *c,
                                      const struct container_update_options *o, struct arena *a,
                                      struct strs *ret) {
    static const char *const steps[] = {"quiesce", "update", "validate"};
    struct lifecycle l;
    struct transaction t = {0};
    container_lifecycle(c, a, &l);
    TRY(check(c, &l));
    struct err e = choose(c, &o->volumes, &t);
    ret->present = true;
    for (size_t i = 0; !err_failed(e) && i < ARRAY_LEN(steps); i++) {
        const struct lifecycle_method *m = lifecycle_method(&l, steps[i]);
        if (m)
            strs_add(ret, a, arena_printf(a, "%s: %s", steps[i], m->text));
        if (i == 0)
            strs_add(ret, a,
                     arena_printf(a, "snapshot: the writable layer and %zu volumes", t.volumes.n));
    }
    if (!err_failed(e))
        strs_add(ret, a,
                 lifecycle_method(&l, "update")->on_failure == LIFECYCLE_KEEP
                     ? "on failure: keep"
                     : "on failure: roll back");
    arena_done(&t.arena);
    return e;
}
