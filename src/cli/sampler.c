/* sampler.c - what containers use: one short call each, differences made here. */
#include "cli/sampler.h"
#include "base/time.h"
#include "spec/api_stats.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct sample *sample_of(struct sampler *s, const char *id) {
    for (size_t i = 0; i < s->samples.n; i++)
        if (!strcmp(s->samples.items[i].id, id))
            return &s->samples.items[i];
    struct sample *x = vec_add(&s->samples);
    x->id = arena_strz(&s->arena, id);
    x->cpu_percent = -1;
    for (size_t i = 0; i < PRESSURES; i++)
        x->pressure[i] = -1;
    return x;
}

static void set_name(struct sampler *s, struct sample *x, const char *name) {
    name += *name == '/';
    if (!x->name || strcmp(x->name, name) != 0)
        x->name = arena_strz(&s->arena, name);
}

static struct err list_named(struct sampler *s, char **names, int n) {
    for (int i = 0; i < n; i++) {
        CLEAN_ARENA struct arena a = {0};
        struct api_container k = {0};
        TRY(client_container_inspect(s->client, names[i], &a, &k));
        struct sample *x = sample_of(s, k.id);
        set_name(s, x, k.name);
        x->fresh = true;
    }
    return OK;
}

static void set_text(struct sampler *s, const char **to, const char *text) {
    if (!*to || strcmp(*to, text ? text : "") != 0)
        *to = arena_strz(&s->arena, text ? text : "");
}

/* "Up 2 minutes (healthy)" is a status and a health. */
static void set_status(struct sampler *s, struct sample *x, const char *text) {
    static const struct {
        const char *words;
        enum sample_health health;
    } rows[] = {{" (healthy)", HEALTH_HEALTHY},
                {" (unhealthy)", HEALTH_UNHEALTHY},
                {" (health: starting)", HEALTH_STARTING}};
    CLEAN_FREE char *plain = mem_strdup(text ? text : "");
    x->health = HEALTH_NONE;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *at = strstr(plain, rows[i].words);
        if (!at)
            continue;
        x->health = rows[i].health;
        *at = '\0';
    }
    set_text(s, &x->status, plain);
}

struct err sampler_list(struct sampler *s, char **names, int n, bool all) {
    CLEAN_ARENA struct arena a = {0};
    struct objs list = {0};
    for (size_t i = 0; i < s->samples.n; i++)
        s->samples.items[i].fresh = false;
    if (n > 0)
        return list_named(s, names, n);
    TRY(cli_get_array(s->client, all ? "/containers/json?all=1" : "/containers/json",
                      &api_container_summary_fields, &a, &list));
    const struct api_container_summary *k = list.items;
    for (size_t i = 0; i < list.n; i++) {
        struct sample *x = sample_of(s, k[i].id);
        set_name(s, x, k[i].names.n ? k[i].names.items[0] : k[i].id);
        set_status(s, x, k[i].status);
        set_text(s, &x->image, k[i].image);
        x->fresh = true;
    }
    return OK;
}

/* Page cache that nobody reads is not counted: total_inactive_file on v1, inactive_file on v2. */
static uint64_t used_of(const struct api_memory_stats *m) {
    uint64_t idle = 0;
    for (size_t i = 0; i < m->stats.n; i++)
        if (!strcmp(m->stats.items[i].key, "total_inactive_file"))
            return m->usage - MIN(m->stats.items[i].value, m->usage);
        else if (!strcmp(m->stats.items[i].key, "inactive_file"))
            idle = m->stats.items[i].value;
    return m->usage - MIN(idle, m->usage);
}

static void add_blkio(const struct api_blkio_stats *b, struct sample *x) {
    const struct api_blkio_entry *e = b->service_bytes.items;
    x->read = x->written = 0;
    for (size_t i = 0; i < b->service_bytes.n; i++) {
        if (!strcasecmp(e[i].op, "read"))
            x->read += e[i].value;
        else if (!strcasecmp(e[i].op, "write"))
            x->written += e[i].value;
    }
}

static void take_cpu(struct sample *x, const struct api_cpu_stats *st) {
    uint64_t cpu = st->usage.total, system = st->system_usage;
    x->cpus = st->online_cpus ? st->online_cpus : MAX((uint32_t)st->usage.percpu.n, 1u);
    x->cpu_percent = x->system && system > x->system && cpu >= x->cpu
                         ? (double)(cpu - x->cpu) / (double)(system - x->system) * x->cpus * 100
                     : x->cpu_percent < 0 ? -1
                                          : 0;
    x->cpu = cpu;
    x->system = system;
}

static double rate(uint64_t before, uint64_t now, int64_t ns) {
    return now > before && ns > 0 ? (double)(now - before) * (double)NSEC_PER_SEC / (double)ns : 0;
}

static double share(const struct api_pressure *p) {
    return p ? p->some.avg10 : -1;
}

static void take_pressure(struct sample *x, const struct api_pressure_stats *p) {
    x->pressure[PRESSURE_CPU] = share(p ? p->cpu : NULL);
    x->pressure[PRESSURE_MEMORY] = share(p ? p->memory : NULL);
    x->pressure[PRESSURE_IO] = share(p ? p->io : NULL);
}

static void take(struct sample *x, const struct api_stats *st) {
    uint64_t net = x->rx + x->tx, disk = x->read + x->written;
    int64_t now = time_monotonic(), passed = x->taken ? now - x->taken : 0;
    take_cpu(x, &st->cpu);
    take_pressure(x, st->pressure);
    x->taken = now;
    x->used = used_of(&st->memory);
    x->limit = st->memory.limit;
    x->pids = st->pids.current;
    add_blkio(&st->blkio, x);
    x->rx = x->tx = 0;
    for (size_t i = 0; i < st->networks.n; i++) {
        const struct api_network_stats *w = st->networks.items[i].value;
        x->rx += w->rx_bytes;
        x->tx += w->tx_bytes;
    }
    x->net_rate = rate(net, x->rx + x->tx, passed);
    x->disk_rate = rate(disk, x->read + x->written, passed);
    double worst = 0;
    for (size_t i = 0; i < PRESSURES; i++)
        worst = MAX(worst, x->pressure[i]);
    const double values[TRACKS] = {
        [TRACK_CPU] = MAX(x->cpu_percent, 0.0),
        [TRACK_MEMORY] = (double)x->used,
        [TRACK_NET] = x->net_rate,
        [TRACK_DISK] = x->disk_rate,
        [TRACK_PRESSURE] = worst,
    };
    for (size_t t = 0; t < TRACKS; t++) {
        memmove(x->track[t], x->track[t] + 1, sizeof x->track[t] - sizeof *x->track[t]);
        x->track[t][SAMPLE_ROUNDS - 1] = (float)values[t];
    }
}

struct err sampler_take(struct sampler *s) {
    for (size_t i = 0; i < s->samples.n; i++) {
        struct sample *x = &s->samples.items[i];
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf target = {0};
        struct api_stats st = {0};
        if (!x->fresh)
            continue;
        client_path(&target, "/containers/", x->id, "/stats?stream=false&one-shot=true");
        struct client_call call = {.method = "GET",
                                   .target = buf_cstr(&target),
                                   .out_fields = &api_stats_fields,
                                   .out = &st,
                                   .arena = &a};
        struct err e = client_do(s->client, &call);
        if (err_kind(e) == ERR_NOT_FOUND) {
            err_free(e); /* it went meanwhile */
            x->fresh = false;
            continue;
        }
        TRY(e);
        take(x, &st);
    }
    return OK;
}

void sampler_done(struct sampler *s) {
    vec_done(&s->samples);
    arena_done(&s->arena);
}

void sampler_pause(int milliseconds) {
    poll(NULL, 0, milliseconds);
}
