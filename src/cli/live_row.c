/* The live view's list: what is shown, in which order, as cells and as JSON. */
#include "cli/live_view.h"
#include <stdio.h>
#include <stdlib.h>

#define TREND 12 /* rounds in a row of the list */

static const char *const health_words[] = {
    [HEALTH_NONE] = "-",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_STARTING] = "starting",
    [HEALTH_UNHEALTHY] = "unhealthy",
};

double live_pressure(const struct sample *x, const char **ret_of) {
    static const char *const names[] = {"cpu", "mem", "io"};
    double most = -1;
    *ret_of = "";
    for (size_t i = 0; i < PRESSURES; i++)
        if (x->pressure[i] > most) {
            most = x->pressure[i];
            *ret_of = names[i];
        }
    return most;
}

static double key_of(const struct sample *x, enum live_column by) {
    const char *of;
    switch (by) {
    case BY_CPU:
        return x->cpu_percent;
    case BY_MEMORY:
        return (double)x->used;
    case BY_NET:
        return (double)x->rx + (double)x->tx;
    case BY_DISK:
        return (double)x->read + (double)x->written;
    case BY_PIDS:
        return (double)x->pids;
    case BY_PRESSURE:
        return live_pressure(x, &of);
    case BY_HEALTH:
        return x->health;
    case BY_NAME:
        break;
    }
    return 0;
}

/* Equal ones by their names, also when the order is reversed: nothing jumps about. */
static int compare(const void *a, const void *b, void *arg) {
    const struct live *v = arg;
    const struct sample *x = *(struct sample *const *)a, *y = *(struct sample *const *)b;
    int names = strcmp(x->name, y->name);
    if (v->by == BY_NAME)
        return v->reverse ? -names : names;
    double kx = key_of(x, v->by), ky = key_of(y, v->by);
    int order = kx > ky ? -1 : kx < ky;
    return order == 0 ? names : v->reverse ? -order : order;
}

static bool passes(const struct live *v, const struct sample *x) {
    return !*v->filter || strstr(x->name, v->filter) || (x->image && strstr(x->image, v->filter)) ||
           !strcmp(health_words[x->health], v->filter);
}

void live_choose(struct live *v) {
    struct sampler *s = &v->sampler;
    free(v->shown);
    v->shown = mem_array(s->samples.n + 1, sizeof *v->shown);
    v->shown_n = 0;
    for (size_t i = 0; i < s->samples.n; i++)
        if (s->samples.items[i].fresh && passes(v, &s->samples.items[i]))
            v->shown[v->shown_n++] = &s->samples.items[i];
    qsort_r(v->shown, v->shown_n, sizeof *v->shown, compare, v);
    for (size_t i = 0; i < v->shown_n; i++)
        if (!strcmp(v->shown[i]->id, v->chosen_id))
            v->chosen = i;
    if (v->shown_n && v->chosen >= v->shown_n)
        v->chosen = v->shown_n - 1;
    snprintf(v->chosen_id, sizeof v->chosen_id, "%s", v->shown_n ? v->shown[v->chosen]->id : "");
}

/* --- cells ------------------------------------------------------------------------------------ */

void live_headings(bool wide, struct buf *out) {
    buf_addf(out,
             "NAME\tCPU %%\t%sMEM\tMEM %%\tNET I/O\tBLOCK I/O\tPIDS\tPRESSURE\tHEALTH\tSTATUS\n",
             wide ? "CPU TREND\t" : "");
}

static void pair(double first, double second, struct buf *out) {
    human_bytes(first, 3, out);
    buf_addc(out, '/');
    human_bytes(second, 3, out);
    buf_addc(out, '\t');
}

void live_row(const struct sample *x, bool wide, struct buf *out) {
    const char *of;
    double pressure = live_pressure(x, &of);
    buf_addf(out, "%s\t%.1f\t", x->name, MAX(x->cpu_percent, 0.0));
    if (wide) {
        live_bars(x->track[TRACK_CPU], TREND, 1, out); /* less than a per cent is no hill */
        buf_addc(out, '\t');
    }
    human_bytes_binary((double)x->used, 3, out);
    buf_addf(out, "\t%.1f\t", x->limit ? (double)x->used / (double)x->limit * 100 : 0.0);
    pair((double)x->rx, (double)x->tx, out);
    pair((double)x->read, (double)x->written, out);
    buf_addf(out, "%llu\t", (unsigned long long)x->pids);
    if (pressure < 0)
        buf_adds(out, "-");
    else
        buf_addf(out, "%.1f%s%s", pressure, pressure > 0 ? " " : "", pressure > 0 ? of : "");
    buf_addf(out, "\t%s\t%s\n", health_words[x->health], x->status ? x->status : "");
}

static void json_pressure(const struct sample *x, struct json_out *o) {
    static const char *const names[] = {"cpu", "memory", "io"};
    jo_key(o, "pressure");
    jo_obj(o);
    for (size_t i = 0; i < PRESSURES; i++) {
        jo_key(o, names[i]);
        if (x->pressure[i] < 0)
            jo_null(o);
        else
            jo_double(o, x->pressure[i]);
    }
    jo_obj_end(o);
}

void live_json(const struct sample *x, struct buf *out) {
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_kstr(&o, "id", x->id);
    jo_kstr(&o, "name", x->name);
    jo_key(&o, "cpu_percent");
    jo_double(&o, MAX(x->cpu_percent, 0.0));
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"memory", x->used}, {"memory_limit", x->limit}, {"net_rx", x->rx},
                   {"net_tx", x->tx},   {"block_read", x->read},    {"block_written", x->written},
                   {"pids", x->pids}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        jo_key(&o, numbers[i].key);
        jo_u64(&o, numbers[i].value);
    }
    json_pressure(x, &o);
    jo_kstr(&o, "health", x->health == HEALTH_NONE ? NULL : health_words[x->health]);
    jo_kstr(&o, "status", x->status);
    jo_obj_end(&o);
    buf_addc(out, '\n');
}

void live_title(const struct live *v, struct buf *out) {
    double cpu = 0, memory = 0;
    bool told = v->shown_n == 0;
    size_t sick = 0;
    const char *of;
    for (size_t i = 0; i < v->shown_n; i++) {
        cpu += MAX(v->shown[i]->cpu_percent, 0.0);
        memory += (double)v->shown[i]->used;
        sick += v->shown[i]->health == HEALTH_UNHEALTHY;
        told |= live_pressure(v->shown[i], &of) >= 0;
    }
    buf_addf(out, "%zu containers, CPU %.1f%%, memory ", v->shown_n, cpu);
    human_bytes_binary(memory, 3, out);
    if (sick)
        buf_addf(out, ", %zu unhealthy", sick);
    if (!told)
        buf_adds(out, ", no pressure: this kernel does not tell (psi=1)");
    if (*v->filter || v->filtering)
        buf_addf(out, ", filter: %s", v->filter);
}
