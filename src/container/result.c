/* result: what methods have said, kept with their container: METHOD_HISTORY results of each, in
 * memory and in the table method_result; and what follows from them: ready or not, and for who asks
 * for health, that. */
#include "container/private.h"
#include <stdio.h>
#include <stdlib.h>

struct kept {
    struct list link;
    struct arena arena;
    struct method_result r;
};

static struct container_life *life_of(struct container *c) {
    if (!c->life) {
        c->life = NEW(struct container_life);
        list_init(&c->life->results);
        list_init(&c->life->waiters);
    }
    return c->life;
}

static void kept_free(struct kept *k) {
    list_remove(&k->link);
    arena_done(&k->arena);
    free(k);
}

/* Somebody waits for the end of this run. */
struct waiter {
    struct list link;
    char id[65]; /* of the exec */
    container_heard *heard;
    container_ran *done;
    void *arg;
};

static void answer(struct waiter *w, const struct method_result *r, struct err e) {
    container_ran *done = w->done;
    void *arg = w->arg;
    list_remove(&w->link);
    free(w);
    done(arg, r, e);
}

static void drop_waiters(struct container *c, const char *why) {
    while (!list_empty(&c->life->waiters))
        answer(CONTAINER_OF(c->life->waiters.next, struct waiter, link), NULL,
               err_new(ERR_UNAVAILABLE, "%s", why));
}

static struct waiter *waiter_of(struct container *c, const char *id) {
    LIST_FOR (&life_of(c)->waiters, n) {
        struct waiter *w = CONTAINER_OF(n, struct waiter, link);
        if (!strcmp(w->id, id))
            return w;
    }
    return NULL;
}

struct begun {
    struct containers *cs;
    char container[65], id[65];
};

/* A run that could not begin has a result most of the time; then nobody waits any more. */
static void run_begun(void *arg, struct err e) {
    struct begun *b = arg;
    struct container *c = map_getz(&b->cs->by_id, b->container);
    struct waiter *w = c && err_failed(e) ? waiter_of(c, b->id) : NULL;
    free(b);
    if (w)
        answer(w, NULL, e);
    else
        err_ignore(e); /* told with the result, or there is nobody */
}

void container_method_said(struct container *c, const char *exec_id, struct str text) {
    const struct waiter *w = c->life ? waiter_of(c, exec_id) : NULL;
    if (w && w->heard)
        w->heard(w->arg, text);
}

void container_method_run(struct container *c, const char *name, const char *trigger,
                          container_heard *heard, container_ran *done, void *arg) {
    const struct api_method_call plain = {0};
    struct container_exec *x = NULL;
    struct err e = container_method_call(c, name, trigger, &plain, &x);
    if (err_failed(e)) {
        done(arg, NULL, e);
        return;
    }
    struct waiter *w = NEW(struct waiter);
    struct begun *b = NEW(struct begun);
    x->config->method->follow = heard != NULL;
    w->heard = heard;
    w->done = done;
    w->arg = arg;
    b->cs = c->all;
    memcpy(w->id, x->id, sizeof w->id);
    memcpy(b->id, x->id, sizeof b->id);
    memcpy(b->container, c->id, sizeof b->container);
    list_push(&life_of(c)->waiters, &w->link);
    container_exec_start(x, false, 0, 0, NULL, NULL, run_begun, b);
}

void container_life_free(struct container *c) {
    struct container_life *l = c->life;
    if (!l)
        return;
    drop_waiters(c, "the container is gone");
    c->life = NULL;
    for (struct list *n; (n = list_pop(&l->results));)
        kept_free(CONTAINER_OF(n, struct kept, link));
    free(l->samples);
    free(l);
}

static struct kept *find(const struct container *c, const char *id) {
    if (!c->life)
        return NULL;
    LIST_FOR (&c->life->results, n) {
        struct kept *k = CONTAINER_OF(n, struct kept, link);
        if (!strcmp(k->r.id, id))
            return k;
    }
    return NULL;
}

const struct method_result *container_result(const struct container *c, const char *id) {
    const struct kept *k = find(c, id);
    return k ? &k->r : NULL;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static bool copy(const struct method_result *r, struct kept *k) {
    CLEAN_BUF struct buf text = {0};
    fields_print(&method_result_fields, r, &text);
    CLEAN_ERR struct err e = fields_decode(&method_result_fields, buf_str(&text), &k->arena, &k->r);
    return !err_failed(e) && k->r.id && strlen(k->r.id) == 64 && k->r.method &&
           lifecycle_name_ok(str_of(k->r.method)) && k->r.status;
}

/* The oldest of the same method that is one too many. */
static struct kept *surplus(const struct container_life *l, const char *method) {
    struct kept *oldest = NULL;
    size_t n = 0;
    LIST_FOR (&l->results, link) {
        struct kept *k = CONTAINER_OF(link, struct kept, link);
        if (strcmp(k->r.method, method) != 0)
            continue;
        if (!oldest)
            oldest = k;
        n++;
    }
    return n > METHOD_HISTORY ? oldest : NULL;
}

/* NULL: not a result, or one that is known. */
static struct kept *keep(struct container *c, const struct method_result *r) {
    if (!r->id || find(c, r->id))
        return NULL;
    struct kept *k = NEW(struct kept);
    struct container_life *l = life_of(c);
    list_push(&l->results, &k->link);
    if (copy(r, k))
        return k;
    kept_free(k);
    return NULL;
}

static void store(struct container *c, const struct kept *k, const char *dropped) {
    CLEAN_BUF struct buf doc = {0};
    struct store_txn *t = store_txn_new();
    fields_print(&method_result_fields, &k->r, &doc);
    store_add(
        t, "INSERT OR REPLACE INTO method_result (id, container, ended, doc) VALUES (?, ?, ?, ?)",
        "ssit", k->r.id, c->id, k->r.end, buf_str(&doc));
    if (dropped)
        store_add(t, "DELETE FROM method_result WHERE id = ?", "s", dropped);
    store_commit(c->all->config.store, t, STORE_LAZY, NULL, NULL);
}

static struct err load_row(void *arg, struct store_row *row) {
    struct containers *cs = arg;
    const char *id = row_text(row, 0);
    struct container *c = id ? map_getz(&cs->by_id, id) : NULL;
    CLEAN_ARENA struct arena a = {0};
    struct method_result r;
    if (!c)
        return OK;
    struct err e = fields_decode(&method_result_fields, row_blob(row, 1), &a, &r);
    if (err_failed(e))
        log_err(LOG_WARN, e, "container %s: a result of a method cannot be read", id);
    else
        keep(c, &r);
    return OK;
}

struct err container_results_load(struct containers *cs) {
    return store_load(cs->config.store, "SELECT container, doc FROM method_result ORDER BY ended",
                      load_row, cs);
}

/* --- what follows ----------------------------------------------------------------------------- */

static bool has_validate(const struct container *c) {
    CLEAN_ARENA struct arena a = {0};
    struct lifecycle l;
    if (!c->life_known) {
        container_lifecycle(c, &a, &l);
        ((struct container *)(uintptr_t)c)->life_validated = lifecycle_method(&l, "validate") !=
                                                             NULL;
        ((struct container *)(uintptr_t)c)->life_known = true;
    }
    return c->life_validated;
}

/* The last validation of this run; NULL: none yet. */
static const struct method_result *last_validation(const struct container *c) {
    const struct method_result *last = NULL;
    if (!c->life)
        return NULL;
    LIST_FOR (&c->life->results, n) {
        const struct kept *k = CONTAINER_OF(n, struct kept, link);
        if (!strcmp(k->r.method, "validate") && k->r.start >= c->started_at)
            last = &k->r;
    }
    return last;
}

bool container_ready(const struct container *c) {
    if (c->state != CONTAINER_RUNNING)
        return false;
    const struct method_result *last = last_validation(c);
    const char *health = has_validate(c) ? NULL : container_health_name(c);
    if (health)
        return !strcmp(health, "none") || !strcmp(health, "healthy");
    return last && method_result_good(last);
}

/* Without health checks of its own a container that is validated has the validation's health. */
const char *container_life_health(const struct container *c) {
    if (!has_validate(c))
        return NULL;
    const struct method_result *last = last_validation(c);
    if (c->state != CONTAINER_RUNNING)
        return "unhealthy";
    return !last ? "starting" : method_result_good(last) ? "healthy" : "unhealthy";
}

struct api_health *container_life_health_view(const struct container *c, struct arena *a) {
    const char *status = container_life_health(c);
    if (!status)
        return NULL;
    struct api_health *v = arena_alloc(a, sizeof *v);
    struct objs all = {0};
    container_results(c, "validate", MONITOR_HEALTH_RESULTS, a, &all);
    const struct method_result *items = all.items;
    v->status = arena_strz(a, status);
    v->log.present = true;
    for (size_t i = 0; i < all.n; i++) {
        struct api_health_result *r = objs_add(&v->log, a, sizeof *r);
        *r = (struct api_health_result){items[i].start, items[i].end, items[i].exit_code,
                                        items[i].output};
        v->failing_streak = method_result_good(&items[i]) ? 0 : v->failing_streak + 1;
    }
    return v;
}

static void publish(struct container *c, const struct method_result *r) {
    char code[24];
    snprintf(code, sizeof code, "%lld", (long long)r->exit_code);
    struct container_event ev = {.action = "method",
                                 .container = c,
                                 .attributes = {"method", r->method, "status", r->status,
                                                "exitCode", code, "trigger", r->trigger},
                                 .time = time_now()};
    bus_publish(&c->all->bus, &ev);
}

/* A result that an earlier daemon's monitor left behind is no news. */
static void take(struct container *c, const struct method_result *r, bool news) {
    const char *before = container_life_health(c);
    struct kept *k = keep(c, r);
    if (!k)
        return;
    struct kept *old = surplus(c->life, k->r.method);
    store(c, k, old ? old->r.id : NULL);
    if (old)
        kept_free(old);
    if (!news)
        return;
    publish(c, &k->r);
    const char *after = container_life_health(c);
    if (!c->health && after && before && strcmp(before, after) != 0) {
        CLEAN_FREE char *action = mem_printf("health_status: %s", after);
        container_publish(c, action, NULL, NULL);
    }
}

void container_result_keep(struct container *c, const struct method_result *r) {
    take(c, r, true);
}

void container_result_report(struct container *c, uint64_t seq, const struct method_result *r) {
    take(c, r, true);
    if (c->monitor)
        monitor_ack_method(c->monitor, seq);
    struct waiter *w = r->id ? waiter_of(c, r->id) : NULL;
    if (w)
        answer(w, r, OK);
}

void container_samples_report(struct container *c, struct str samples) {
    struct container_life *l = life_of(c);
    free(l->samples);
    l->samples = samples.len <= CONTAINER_SAMPLES_MAX ? str_dup(samples) : NULL;
}

static void left_behind(void *arg, const struct method_result *r) {
    take(arg, r, false);
}

void container_results_restore(struct container *c, int run_dir) {
    monitor_read_methods(run_dir, left_behind, c);
}

void container_life_ended(struct container *c) {
    if (!c->life)
        return;
    drop_waiters(c, "the container has ended");
    free(c->life->samples); /* numbers of a program that is gone */
    c->life->samples = NULL;
}

const char *container_samples(const struct container *c) {
    return c->life ? c->life->samples : NULL;
}

/* --- views ------------------------------------------------------------------------------------ */

void container_results(const struct container *c, const char *method, size_t limit, struct arena *a,
                       struct objs *ret) {
    size_t n = 0, skip;
    ret->present = true;
    if (!c->life)
        return;
    LIST_FOR (&c->life->results, link)
        n += !method || !strcmp(CONTAINER_OF(link, struct kept, link)->r.method, method);
    skip = limit && n > limit ? n - limit : 0;
    LIST_FOR (&c->life->results, link) {
        const struct kept *k = CONTAINER_OF(link, struct kept, link);
        if (method && strcmp(k->r.method, method) != 0)
            continue;
        if (skip > 0)
            skip--;
        else
            *(struct method_result *)objs_add(ret, a, sizeof k->r) = k->r;
    }
}

void container_last_results(const struct container *c, struct arena *a, struct objs *ret) {
    struct objs all = {0};
    container_results(c, NULL, 0, a, &all);
    const struct method_result *items = all.items;
    ret->present = true;
    for (size_t i = 0; i < all.n; i++) {
        bool newer = false;
        for (size_t k = i + 1; k < all.n && !newer; k++)
            newer = !strcmp(items[k].method, items[i].method);
        if (!newer)
            *(struct method_result *)objs_add(ret, a, sizeof items[i]) = items[i];
    }
}

struct api_lifecycle *container_life_view(const struct container *c, struct arena *a) {
    struct lifecycle_metadata m;
    if (strmap_get(&c->config->labels, "corten.build"))
        return NULL;
    lifecycle_describe(&c->config->labels, &(struct lifecycle_facts){0}, a, &m);
    if (m.methods.n == 0 && m.problems.n == 0 && !c->life)
        return NULL;
    struct api_lifecycle *v = arena_alloc(a, sizeof *v);
    *v = (struct api_lifecycle){
        .ready = container_ready(c), .methods = m.methods, .problems = m.problems};
    container_last_results(c, a, &v->results);
    return v;
}
