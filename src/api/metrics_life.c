/* The page of figures: results of methods, readiness, and the numbers that containers print. */
#include "api/metrics.h"
#include "base/mem.h"
#include "base/time.h"
#include "spec/samples.h"
#include <stdlib.h>

#define APP_PREFIX "app_" /* in front of a container's own names: they are no names of ours */

static void head(struct buf *out, const char *name, const char *help) {
    buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* name, id and image of the container, without braces. */
static void labels_of(const struct container *c, struct buf *out) {
    metrics_label(out, "name", c->name);
    buf_addf(out, ",id=\"%.12s\",", c->id);
    metrics_label(out, "image", c->image_ref);
}

/* A family of lines of one name: their bodies are made by fn for each result. */
static void family(struct buf *out, struct container *const *all, size_t n, const char *name,
                   const char *help,
                   void (*fn)(struct buf *out, const char *start, const struct method_result *r)) {
    CLEAN_BUF struct buf lines = {0};
    for (size_t i = 0; i < n; i++) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf start = {0};
        struct objs last = {0};
        container_last_results(all[i], &a, &last);
        const struct method_result *r = last.items;
        for (size_t k = 0; k < last.n; k++) {
            buf_clear(&start);
            buf_addf(&start, "%s{", name);
            labels_of(all[i], &start);
            buf_addf(&start, ",method=\"%s\"", r[k].method);
            fn(&lines, buf_cstr(&start), &r[k]);
        }
    }
    if (lines.len == 0)
        return;
    head(out, name, help);
    buf_add_str(out, buf_str(&lines));
}

static void good(struct buf *out, const char *start, const struct method_result *r) {
    buf_addf(out, "%s,status=\"%s\"} %d\n", start, r->status, method_result_good(r));
}

static void failures(struct buf *out, const char *start, const struct method_result *r) {
    buf_addf(out, "%s} %lld\n", start, (long long)r->failures);
}

static void examples(struct buf *out, const char *start, const struct method_result *r) {
    buf_addf(out, "%s} %lld\n", start, (long long)r->examples);
}

static void ended(struct buf *out, const char *start, const struct method_result *r) {
    buf_addf(out, "%s} %lld\n", start, (long long)(r->end / NSEC_PER_SEC));
}

static void seconds(struct buf *out, const char *start, const struct method_result *r) {
    buf_addf(out, "%s} %.6f\n", start, (double)(r->end - r->start) / 1e9);
}

static void perf(struct buf *out, const char *start, const struct method_result *r) {
    const struct method_perf *p = r->perf.items;
    for (size_t i = 0; i < r->perf.n; i++) {
        buf_addf(out, "%s,", start);
        metrics_label(out, "label", p[i].label);
        buf_addc(out, ',');
        metrics_label(out, "unit", p[i].unit);
        buf_addf(out, "} %.17g\n", p[i].value);
    }
}

static void ready(struct buf *out, struct container *const *all, size_t n) {
    head(out, "corten_container_ready", "1 while it runs and was found good by its own validation");
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, "corten_container_ready{");
        labels_of(all[i], out);
        buf_addf(out, "} %d\n", container_ready(all[i]));
    }
}

static int by_text(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Lines of one name belong together, whichever container has printed them. */
static void apps(struct buf *out, struct container *const *all, size_t n) {
    CLEAN_BUF struct buf text = {0};
    VEC(struct str) lines = {0};
    for (size_t i = 0; i < n; i++) {
        const char *samples = container_samples(all[i]);
        CLEAN_BUF struct buf labels = {0};
        if (!samples)
            continue;
        labels_of(all[i], &labels);
        samples_label(str_of(samples), APP_PREFIX, buf_cstr(&labels), &text);
    }
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line))
        if (line.len)
            vec_push(&lines, line);
    if (lines.n > 1)
        qsort(lines.items, lines.n, sizeof *lines.items, by_text);
    for (size_t i = 0; i < lines.n; i++)
        buf_addf(out, "%.*s\n", STR_ARG(lines.items[i]));
    vec_done(&lines);
}

void metrics_life(const struct api *api, struct buf *out) {
    size_t n = 0;
    struct container *const *all = containers_all(api->containers, &n);
    ready(out, all, n);
    family(out, all, n, "corten_method_good", "1: the last run of the method was good", good);
    family(out, all, n, "corten_method_examples", "What the last run has looked at", examples);
    family(out, all, n, "corten_method_failures", "What of it has failed", failures);
    family(out, all, n, "corten_method_end_seconds", "When the last run ended, unix time", ended);
    family(out, all, n, "corten_method_seconds", "How long the last run took", seconds);
    family(out, all, n, "corten_method_performance", "Performance data of the last run", perf);
    apps(out, all, n);
}
