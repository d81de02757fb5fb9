/* Counting calls, and the page of all figures. */
#include "api/metrics.h"
#include "api/events.h"
#include "api/handlers.h"
#include "api/host.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUTES_MAX 256

/* Upper bounds in microseconds; the last bucket has none. */
static const struct {
    int64_t us;
    const char *text;
} bounds[] = {{100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"}, {1000, "0.001"},
              {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"}, {25000, "0.025"},
              {50000, "0.05"},  {100000, "0.1"},  {1000000, "1"},  {10000000, "10"}};

struct histogram {
    uint64_t buckets[ARRAY_LEN(bounds)]; /* not cumulative */
    uint64_t n;
    int64_t sum_ns;
};

struct metrics {
    struct histogram calls[ROUTES_MAX];
    uint64_t events;
};

struct metrics *metrics_new(void) {
    return NEW(struct metrics);
}

struct metrics *metrics_free(struct metrics *m) {
    free(m);
    return NULL;
}

void metrics_event(struct metrics *m) {
    if (m) /* without an API that is open, in tests */
        m->events++;
}

void metrics_call(struct metrics *m, const struct api_route *route, int64_t ns) {
    size_t at = (size_t)(route - api_routes);
    if (at >= ROUTES_MAX)
        return;
    struct histogram *h = &m->calls[at];
    h->n++;
    h->sum_ns += ns;
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        if (ns <= bounds[i].us * 1000) {
            h->buckets[i]++;
            break;
        }
}

/* --- the page ----------------------------------------------------------------------------------
 */

static void head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, int64_t value) {
    head(out, name, "gauge", help);
    buf_addf(out, "%s %lld\n", name, (long long)value);
}

/* Label values escape backslash, quote and newline. */
void metrics_label(struct buf *out, const char *name, const char *value) {
    buf_addf(out, "%s=\"", name);
    for (const char *p = value ? value : ""; *p; p++) {
        if (*p == '\\' || *p == '"')
            buf_addc(out, '\\');
        if (*p == '\n')
            buf_adds(out, "\\n");
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '"');
}

static void add_histogram(struct buf *out, const char *name, const char *labels,
                          const struct histogram *h) {
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        sum += h->buckets[i];
        buf_addf(out, "%s_bucket{%s,le=\"%s\"} %llu\n", name, labels, bounds[i].text,
                 (unsigned long long)sum);
    }
    buf_addf(out, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, (unsigned long long)h->n);
    buf_addf(out, "%s_sum{%s} %.9f\n%s_count{%s} %llu\n", name, labels, (double)h->sum_ns / 1e9,
             name, labels, (unsigned long long)h->n);
}

/* The peer's histogram of what containers were asked for: the same calls, by their routes. */
static void add_actions(struct buf *out, const struct metrics *m) {
    static const struct {
        api_fn *fn;
        const char *labels;
    } actions[] = {{api_container_changes, "action=\"changes\""},
                   {api_container_create, "action=\"create\""},
                   {api_container_remove, "action=\"delete\""},
                   {api_container_start, "action=\"start\""}};
    head(out, "engine_daemon_container_actions_seconds", "histogram",
         "The number of seconds it takes to process each container action");
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        for (size_t r = 0; r < api_routes_n && r < ROUTES_MAX; r++)
            if (api_routes[r].fn == actions[i].fn)
                add_histogram(out, "engine_daemon_container_actions_seconds", actions[i].labels,
                              &m->calls[r]);
}

static void add_calls(struct buf *out, const struct metrics *m) {
    head(out, "corten_api_request_seconds", "histogram",
         "Time from the head of a request to its answer, or to the handing over of its socket");
    for (size_t r = 0; r < api_routes_n && r < ROUTES_MAX; r++) {
        char labels[192];
        if (m->calls[r].n == 0)
            continue;
        snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\"", api_routes[r].method,
                 api_routes[r].pattern);
        add_histogram(out, "corten_api_request_seconds", labels, &m->calls[r]);
    }
}

static void add_containers(struct buf *out, const struct api *api) {
    size_t n = 0, paused = 0, running = 0;
    struct container *const *all = containers_all(api->containers, &n);
    for (size_t i = 0; i < n; i++) {
        paused += all[i]->state == CONTAINER_PAUSED;
        running += all[i]->state == CONTAINER_RUNNING || all[i]->state == CONTAINER_RESTARTING;
    }
    const char *name = "engine_daemon_container_states_containers";
    head(out, name, "gauge", "The count of containers in various states");
    buf_addf(out,
             "%s{state=\"paused\"} %zu\n%s{state=\"running\"} %zu\n%s{state=\"stopped\"} %zu\n",
             name, paused, name, running, name, n - paused - running);
    head(out, "corten_container_restarts_total", "counter",
         "How often a container's restart policy started it again");
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, "corten_container_restarts_total{");
        metrics_label(out, "name", all[i]->name);
        buf_addf(out, ",id=\"%.12s\"} %lld\n", all[i]->id, (long long)all[i]->restart_count);
    }
    head(out, "corten_container_up", "gauge", "1 while it runs, by its health");
    for (size_t i = 0; i < n; i++) {
        bool up = all[i]->state == CONTAINER_RUNNING || all[i]->state == CONTAINER_PAUSED;
        buf_adds(out, "corten_container_up{");
        metrics_label(out, "name", all[i]->name);
        buf_addf(out, ",id=\"%.12s\",", all[i]->id);
        metrics_label(out, "image", all[i]->image_ref);
        buf_addf(out, ",health=\"%s\"} %d\n", container_health_name(all[i]), up);
    }
}

static void add_process(struct buf *out) {
    CLEAN_BUF struct buf statm = {0};
    long size = 0, resident = 0;
    struct err e = file_read("/proc/self/statm", 4096, &statm);
    if (!err_failed(e))
        sscanf(buf_cstr(&statm), "%ld %ld", &size, &resident);
    err_ignore(e); /* without /proc the figures are 0 */
    struct timespec cpu = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    gauge(out, "process_resident_memory_bytes", "Resident memory size in bytes",
          resident * sysconf(_SC_PAGESIZE));
    gauge(out, "process_virtual_memory_bytes", "Virtual memory size in bytes",
          size * sysconf(_SC_PAGESIZE));
    gauge(out, "process_open_fds", "Number of open file descriptors", fd_count());
    head(out, "process_cpu_seconds_total", "counter", "CPU time spent, in seconds");
    buf_addf(out, "process_cpu_seconds_total %lld.%03ld\n", (long long)cpu.tv_sec,
             cpu.tv_nsec / 1000000);
}

static void add_engine(struct buf *out, const struct api *api) {
    const struct host *h = api->facts;
    const char *const labels[][2] = {
        {"architecture", h->machine},
        {"commit", ""},
        {"daemon_id", api->id},
        {"graphdriver", rootfs_driver_name(images_driver(api->images))},
        {"kernel", h->kernel},
        {"os", h->system},
        {"os_type", "linux"},
        {"os_version", h->system_version},
        {"version", CORTEN_VERSION}};
    head(out, "engine_daemon_engine_info", "gauge",
         "The information related to the engine and the OS it is running on");
    buf_adds(out, "engine_daemon_engine_info{");
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        buf_adds(out, i ? "," : "");
        metrics_label(out, labels[i][0], labels[i][1]);
    }
    buf_adds(out, "} 1\n");
    gauge(out, "engine_daemon_engine_cpus_cpus", "The number of cpus that the host has", h->cpus);
    gauge(out, "engine_daemon_engine_memory_bytes",
          "The number of bytes of memory that the host has", h->memory);
    gauge(out, "corten_images", "The number of images", (int64_t)images_count(api->images));
    gauge(out, "corten_start_time_seconds", "When this daemon started, unix time",
          api->started_at / NSEC_PER_SEC);
}

void api_metrics(const struct api *api, struct buf *out) {
    add_engine(out, api);
    add_containers(out, api);
    metrics_life(api, out);
    head(out, "engine_daemon_events_total", "counter", "The number of events logged");
    buf_addf(out, "engine_daemon_events_total %llu\n", (unsigned long long)api->metrics->events);
    gauge(out, "engine_daemon_events_subscribers_total",
          "The number of current subscribers to events", (int64_t)events_listeners(api->events));
    add_actions(out, api->metrics);
    add_calls(out, api->metrics);
    add_process(out);
}
