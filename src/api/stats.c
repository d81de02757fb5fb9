/* GET /containers/{id}/stats: one sample, two a second apart, or a stream of one each second. */
#include "api/handlers.h"
#include "base/log.h"
#include "base/time.h"
#include "spec/api_stats.h"
#include <stdlib.h>
#include <string.h>

#define STATS_PERIOD NSEC_PER_SEC

/* One client. The container is looked up by id each time: it may go meanwhile. */
struct sampler {
    const struct api *api;
    struct http_exchange *x; /* NULL: the client has gone, a sample is still under way */
    char id[65];
    int minor;
    bool stream, skip_first, busy;
    struct timer *timer;
    int64_t preread;
    struct api_cpu_stats precpu; /* without per-CPU values, which live in percpu */
    struct u64s percpu;
};

static void sampler_free(struct sampler *s) {
    (void)timer_free(s->timer);
    free(s->percpu.items);
    free(s);
}

static void sampler_gone(void *arg) {
    struct sampler *s = arg;
    http_abort(TAKE(s->x));
    s->timer = timer_free(s->timer);
    if (!s->busy)
        sampler_free(s);
}

static void sampler_end(struct sampler *s) {
    http_on_gone(s->x, NULL, NULL);
    http_stream_end(TAKE(s->x));
    sampler_free(s);
}

static void remember(struct sampler *s, const struct api_stats *now) {
    const struct u64s *percpu = &now->cpu.usage.percpu;
    s->preread = now->read;
    s->precpu = now->cpu;
    free(s->percpu.items);
    s->percpu = (struct u64s){.items = mem_resize(NULL, percpu->n + 1, sizeof(uint64_t)),
                              .n = percpu->n,
                              .present = percpu->present};
    if (percpu->n)
        memcpy(s->percpu.items, percpu->items, percpu->n * sizeof(uint64_t));
    s->precpu.usage.percpu = s->percpu;
}

/* false: the client does not read and was cut. */
static bool send_sample(struct sampler *s, struct api_stats *stats) {
    CLEAN_BUF struct buf line = {0};
    stats->preread = s->preread;
    stats->precpu = s->precpu;
    fields_encode(&api_stats_fields, stats, s->minor, &(struct json_out){.out = &line});
    buf_addc(&line, '\n');
    if (http_stream_write(s->x, buf_str(&line)))
        return true;
    http_on_gone(s->x, NULL, NULL);
    http_abort(TAKE(s->x));
    sampler_free(s);
    return false;
}

static void tick(void *arg);

static void sampled(void *arg, struct err e, struct api_stats *stats) {
    struct sampler *s = arg;
    s->busy = false;
    if (!s->x) {
        err_ignore(e); /* nobody is left to tell */
        sampler_free(s);
        return;
    }
    if (err_failed(e)) {
        log_err(LOG_WARN, e, "statistics of container %s", s->id);
        sampler_end(s);
        return;
    }
    bool first = s->skip_first && stats->read != 0;
    s->skip_first = false;
    if (!first && !send_sample(s, stats))
        return;
    if (!first && !s->stream) {
        sampler_end(s);
        return;
    }
    remember(s, stats);
    s->timer = timer_free(s->timer);
    s->timer = timer_new(s->api->loop, STATS_PERIOD, 0, tick, s);
}

static void tick(void *arg) {
    struct sampler *s = arg;
    struct container *k = NULL;
    s->timer = timer_free(s->timer);
    CLEAN_ERR struct err e = container_find(s->api->containers, s->id, &k);
    if (err_failed(e)) { /* removed */
        sampler_end(s);
        return;
    }
    s->busy = true;
    container_usage(k, sampled, s);
}

void api_container_stats(struct api_call *c) {
    struct container *k = NULL;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    bool stream = api_query_bool(c, "stream", true), one = api_query_bool(c, "one-shot", false);
    if (!err_failed(e) && stream && one && c->minor >= 41)
        e = err_new(ERR_INVALID, "cannot have stream=true and one-shot=true");
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct sampler *s = NEW(struct sampler);
    s->api = c->api;
    s->minor = c->minor;
    s->stream = stream;
    s->skip_first = !stream && !(one && c->minor >= 41);
    memcpy(s->id, k->id, sizeof s->id);
    s->x = api_take_exchange(c);
    if (!s->x) {
        sampler_free(s);
        return;
    }
    http_on_gone(s->x, sampler_gone, s);
    http_stream_begin(s->x, 200, "application/json");
    s->busy = true;
    container_usage(k, sampled, s);
}
