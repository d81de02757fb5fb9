/* health.c - the clock of health checks and what follows from their results.
 *
 * As the peer: the first probe comes one interval after the start (start_interval while the
 * container is starting within start_period), the next one interval after the end of the one
 * before. A failure within start_period of a container that was not healthy yet does not count.
 * `retries` failures in a row make it unhealthy, one success healthy. A frozen container is not
 * asked. */
#include "monitor/health.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct result {
    int64_t start, end;
    int code;
    char *output; /* owned */
    size_t len;
};

struct health {
    struct keeper *keeper;
    struct monitor_health settings; /* texts are owned by arena */
    struct arena arena;
    enum monitor_health_status status;
    int64_t streak;
    struct result results[MONITOR_HEALTH_RESULTS];
    size_t results_n;
    int64_t began; /* of the container, monotonic */
    struct timer *timer;
    struct probe *probe; /* under way; NULL: the timer is for the next one */
    int64_t probe_start; /* wall */
    struct uring *ring;
};

/* --- telling ---------------------------------------------------------------------------------- */

static void fill_state(const struct health *h, struct monitor_health_state *ret) {
    *ret = (struct monitor_health_state){.status = h->status, .streak = h->streak};
    for (; ret->results_n < h->results_n; ret->results_n++) {
        const struct result *r = &h->results[ret->results_n];
        ret->results[ret->results_n] = (struct monitor_health_result){
            .start = r->start, .end = r->end, .code = r->code, .output = str_n(r->output, r->len)};
    }
}

void health_put(const struct keeper *k, struct buf *body) {
    struct monitor_health_state s;
    if (k->health == NULL)
        return;
    fill_state(k->health, &s);
    protocol_put_state(body, &s, false);
}

static void tell(const struct health *h) {
    CLEAN_BUF struct buf body = {0};
    struct monitor_health_state s;
    fill_state(h, &s);
    protocol_put_state(&body, &s, true);
    server_notice(h->keeper, PROTOCOL_HEALTH, &body, NULL, 0);
}

/* --- results ---------------------------------------------------------------------------------- */

static void keep(struct health *h, int code, struct str output) {
    if (h->results_n == MONITOR_HEALTH_RESULTS) {
        free(h->results[0].output);
        memmove(h->results, h->results + 1, (MONITOR_HEALTH_RESULTS - 1) * sizeof(h->results[0]));
        h->results_n--;
    }
    h->results[h->results_n++] = (struct result){
        .start = h->probe_start,
        .end = time_now(),
        .code = code,
        .output = mem_dup(output.p ? output.p : "", output.len),
        .len = output.len,
    };
}

static void act(struct health *h) {
    struct keeper *k = h->keeper;
    const struct monitor_health *s = &h->settings;
    if (s->action == MONITOR_ACTION_NONE || k->exited)
        return;
    log_info("container %s: unhealthy: it is ended", k->id);
    k->unhealthy = s->action;
    struct err e = s->action == MONITOR_ACTION_KILL ? stop_begin(k, SIGKILL, 0)
                                                    : stop_begin(k, s->stop_signo, s->stop_timeout);
    log_err(LOG_WARN, e, "container %s: end it", k->id);
}

static bool in_start_period(const struct health *h) {
    return h->status == MONITOR_STARTING && time_monotonic() - h->began < h->settings.start_period;
}

static void schedule(struct health *h) {
    timer_set(h->timer, in_start_period(h) ? h->settings.start_interval : h->settings.interval);
}

static void judge(struct health *h, int code, struct str output) {
    enum monitor_health_status before = h->status;
    bool counts = !in_start_period(h);
    keep(h, code, output);
    if (code == 0) {
        h->status = MONITOR_HEALTHY;
        h->streak = 0;
    } else if (counts && ++h->streak >= h->settings.retries) {
        h->status = MONITOR_UNHEALTHY;
    }
    tell(h);
    keeper_active(h->keeper);
    if (h->status == MONITOR_UNHEALTHY && before != MONITOR_UNHEALTHY)
        act(h);
}

void health_probed(struct health *h, int code, struct str output) {
    h->probe = probe_free(h->probe);
    judge(h, code, output);
    schedule(h);
}

void health_skipped(struct health *h) {
    h->probe = probe_free(h->probe);
    schedule(h);
}

/* "30s", "1m30s", "250ms": as Go prints durations. */
static void put_duration(struct buf *b, int64_t ns) {
    if (ns < NSEC_PER_SEC) {
        buf_addf(b, "%.9g%s", (double)ns / (double)NSEC_PER_MSEC, "ms");
        return;
    }
    int64_t minutes = ns / NSEC_PER_SEC / 60;
    if (minutes >= 60)
        buf_addf(b, "%lldh", (long long)(minutes / 60));
    if (minutes > 0)
        buf_addf(b, "%lldm", (long long)(minutes % 60));
    buf_addf(b, "%.12gs", (double)(ns % (60 * NSEC_PER_SEC)) / (double)NSEC_PER_SEC);
}

static void timed_out(struct health *h) {
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, "Health check exceeded timeout (");
    put_duration(&text, h->settings.timeout);
    buf_adds(&text, ")");
    struct str said = probe_output(h->probe);
    if (said.len > 0) {
        buf_adds(&text, ": ");
        buf_add_str(&text, said);
    }
    health_probed(h, -1, buf_str(&text));
}

static void on_timer(void *arg) {
    struct health *h = arg;
    if (h->probe) {
        timed_out(h);
        return;
    }
    struct keeper *k = h->keeper;
    if (k->exited || k->box == NULL)
        return;
    if (runtime_frozen(k->box)) {
        schedule(h);
        return;
    }
    h->probe_start = time_now();
    timer_set(h->timer, h->settings.timeout);
    h->probe = probe_new(k, h, &h->settings, &h->ring);
}

/* --- life ------------------------------------------------------------------------------------- */

void health_prepare(struct keeper *k, const struct monitor_health *s) {
    if (s->probe == MONITOR_PROBE_NONE)
        return;
    struct health *h = k->health = NEW(struct health);
    h->keeper = k;
    h->settings = *s;
    h->settings.process = str_of(arena_str(&h->arena, s->process));
    h->settings.address = arena_strz(&h->arena, s->address);
    h->settings.path = arena_strz(&h->arena, s->path);
}

void health_start(struct keeper *k) {
    struct health *h = k->health;
    if (h == NULL)
        return;
    h->began = time_monotonic();
    h->timer = timer_new(k->loop, 0, 0, on_timer, h);
    schedule(h);
}

void health_stop(struct keeper *k) {
    struct health *h = k->health;
    if (h == NULL)
        return;
    h->timer = timer_free(h->timer);
    h->probe = probe_free(h->probe);
}
