/* stats: what a container uses at one moment, read from its cgroup and its network namespace by a
 * pool thread. Keys and units as the Engine API gives them for cgroup v1 and v2 (the kernel's
 * Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst say what is in the files). A file that this
 * kernel lacks leaves the zero: statistics are for looking at. */
#include "base/file.h"
#include "container/private.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NET_DEV_MAX (1u << 20)

struct usage_job {
    struct arena arena;
    struct api_stats stats;
    char *cgroup; /* NULL: nothing runs */
    pid_t pid;
    uint64_t start_time;
    bool has_network;
    uint64_t memory_total;
    container_used *done;
    void *arg;
};

/* --- files
 * ----------------------------------------------------------------------------------------- */

static void text(const struct cgroup *g, enum cgroup_controller c, const char *file,
                 struct buf *ret) {
    if (cgroup_dir(g, c) >= 0)
        err_ignore(cgroup_read(g, c, file, ret));
}

static uint64_t parse(struct str s) {
    uint64_t n = 0;
    err_ignore(str_to_u64(str_trim(s), UINT64_MAX, &n));
    return n;
}

/* --- cpu
 * ------------------------------------------------------------------------------------------- */

static void read_percpu(const struct cgroup *g, struct usage_job *j) {
    CLEAN_BUF struct buf b = {0};
    VEC(uint64_t) v = {0};
    struct str rest, word;
    text(g, CGROUP_CPUACCT, "cpuacct.usage_percpu", &b);
    rest = str_trim(buf_str(&b));
    while (str_next(&rest, ' ', &word))
        vec_push(&v, parse(word));
    j->stats.cpu.usage.percpu = (struct u64s){
        .items = arena_array(&j->arena, v.n + 1, sizeof(uint64_t)), .n = v.n, .present = true};
    if (v.n)
        memcpy(j->stats.cpu.usage.percpu.items, v.items, v.n * sizeof *v.items);
    vec_done(&v);
}

/* "user 12\nsystem 3\n" in ticks. */
static void read_v1_split(const struct cgroup *g, struct api_cpu_usage *u) {
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    cgroup_look_key(g, CGROUP_CPUACCT, "cpuacct.stat", "user", &u->user);
    cgroup_look_key(g, CGROUP_CPUACCT, "cpuacct.stat", "system", &u->kernel);
    u->user *= (uint64_t)NSEC_PER_SEC / hz;
    u->kernel *= (uint64_t)NSEC_PER_SEC / hz;
}

static void read_cpu(const struct cgroup *g, struct usage_job *j) {
    struct api_cpu_stats *s = &j->stats.cpu;
    if (cgroup_is_v2(&g->host, CGROUP_CPUACCT)) {
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "usage_usec", &s->usage.total);
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "user_usec", &s->usage.user);
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "system_usec", &s->usage.kernel);
        s->usage.total *= 1000;
        s->usage.user *= 1000;
        s->usage.kernel *= 1000;
    } else {
        cgroup_look_u64(g, CGROUP_CPUACCT, "cpuacct.usage", &s->usage.total);
        read_v1_split(g, &s->usage);
        read_percpu(g, j);
    }
    bool v2 = cgroup_is_v2(&g->host, CGROUP_CPU);
    cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "nr_periods", &s->throttling.periods);
    cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "nr_throttled", &s->throttling.throttled_periods);
    cgroup_look_key(g, CGROUP_CPU, "cpu.stat", v2 ? "throttled_usec" : "throttled_time",
                    &s->throttling.throttled_time);
    if (v2)
        s->throttling.throttled_time *= 1000;
}

/* All CPUs' time since boot: the first seven numbers of the first line of /proc/stat (proc(5)). */
static void read_system_cpu(struct api_cpu_stats *s) {
    CLEAN_BUF struct buf b = {0};
    struct str line, word, rest;
    uint64_t ticks = 0, hz = (uint64_t)sysconf(_SC_CLK_TCK);
    s->online_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    err_ignore(file_read("/proc/stat", 4u << 20, &b));
    rest = buf_str(&b);
    if (!str_next(&rest, '\n', &line) || !str_starts(line, STR("cpu ")))
        return;
    line = str_trim(str_from(line, 4));
    for (int i = 0; i < 7 && str_next(&line, ' ', &word); i++)
        ticks += parse(word);
    s->system_usage = ticks * ((uint64_t)NSEC_PER_SEC / hz);
}

/* --- memory, processes
 * ----------------------------------------------------------------------------- */

static void read_memory(const struct cgroup *g, struct usage_job *j) {
    struct api_memory_stats *m = &j->stats.memory;
    bool v2 = cgroup_is_v2(&g->host, CGROUP_MEMORY);
    CLEAN_BUF struct buf b = {0};
    struct str rest, line, key, value;
    cgroup_look_u64(g, CGROUP_MEMORY, v2 ? "memory.current" : "memory.usage_in_bytes", &m->usage);
    m->limit = UINT64_MAX;
    cgroup_look_u64(g, CGROUP_MEMORY, v2 ? "memory.max" : "memory.limit_in_bytes", &m->limit);
    m->limit = MIN(m->limit, j->memory_total);
    if (!v2) {
        cgroup_look_u64(g, CGROUP_MEMORY, "memory.max_usage_in_bytes", &m->max_usage);
        cgroup_look_u64(g, CGROUP_MEMORY, "memory.failcnt", &m->failcnt);
    }
    text(g, CGROUP_MEMORY, "memory.stat", &b);
    rest = buf_str(&b);
    while (str_next(&rest, '\n', &line))
        if (str_cut(line, ' ', &key, &value))
            u64map_add(&m->stats, &j->arena, arena_str(&j->arena, key), parse(value));
}

static void read_pids(const struct cgroup *g, struct usage_job *j) {
    struct api_pids_stats *p = &j->stats.pids;
    cgroup_look_u64(g, CGROUP_PIDS, "pids.current", &p->current);
    p->limit = UINT64_MAX;
    cgroup_look_u64(g, CGROUP_PIDS, "pids.max", &p->limit);
}

/* --- pressure
 * -------------------------------------------------------------------------------------- */

/* "avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static struct api_pressure_share share_of(struct str line) {
    struct api_pressure_share s = {0};
    struct str word, key, value;
    while (str_next(&line, ' ', &word)) {
        str_cut(word, '=', &key, &value);
        CLEAN_FREE char *number = str_dup(value);
        if (str_eqz(key, "avg10"))
            s.avg10 = strtod(number, NULL);
        else if (str_eqz(key, "avg60"))
            s.avg60 = strtod(number, NULL);
        else if (str_eqz(key, "avg300"))
            s.avg300 = strtod(number, NULL);
        else if (str_eqz(key, "total"))
            s.total = parse(value);
    }
    return s;
}

/* The cgroup2 tree tells it, also where the controllers are in others. NULL: this kernel does not
 * (built or booted without psi). */
static struct api_pressure *read_one_pressure(const struct cgroup *g, struct usage_job *j,
                                              const char *file) {
    CLEAN_BUF struct buf b = {0};
    struct str rest, line, kind, numbers;
    text(g, CGROUP_CORE, file, &b);
    if (b.len == 0)
        return NULL;
    struct api_pressure *p = arena_alloc(&j->arena, sizeof *p);
    rest = buf_str(&b);
    while (str_next(&rest, '\n', &line)) {
        str_cut(line, ' ', &kind, &numbers);
        if (str_eqz(kind, "some"))
            p->some = share_of(numbers);
        else if (str_eqz(kind, "full"))
            p->full = share_of(numbers);
    }
    return p;
}

static void read_pressure(const struct cgroup *g, struct usage_job *j) {
    struct api_pressure_stats s = {read_one_pressure(g, j, "cpu.pressure"),
                                   read_one_pressure(g, j, "memory.pressure"),
                                   read_one_pressure(g, j, "io.pressure")};
    if (!s.cpu && !s.memory && !s.io)
        return;
    j->stats.pressure = arena_alloc(&j->arena, sizeof s);
    *j->stats.pressure = s;
}

/* --- block devices
 * --------------------------------------------------------------------------------- */

static void add_entry(struct usage_job *j, struct objs *to, struct str device, const char *op,
                      uint64_t value) {
    struct str major, minor;
    if (!str_cut(device, ':', &major, &minor))
        return;
    struct api_blkio_entry *e = objs_add(to, &j->arena, sizeof *e);
    *e = (struct api_blkio_entry){parse(major), parse(minor), arena_strz(&j->arena, op), value};
}

/* "8:0 Read 4096" lines; one without a device is the total. */
static void read_v1_entries(const struct cgroup *g, struct usage_job *j, const char *file,
                            struct objs *to) {
    CLEAN_BUF struct buf b = {0};
    struct str rest, line, device, op, value;
    to->present = true;
    text(g, CGROUP_BLKIO, file, &b);
    rest = buf_str(&b);
    while (str_next(&rest, '\n', &line)) {
        if (!str_cut(line, ' ', &device, &value))
            continue;
        if (!str_cut(value, ' ', &op, &value)) {
            value = op;
            op = STR("");
        }
        CLEAN_FREE char *name = str_dup(op);
        add_entry(j, to, device, name, parse(value));
    }
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …" lines. */
static void read_v2_io(const struct cgroup *g, struct usage_job *j) {
    struct api_blkio_stats *s = &j->stats.blkio;
    CLEAN_BUF struct buf b = {0};
    struct str rest, line, device, word, key, value;
    text(g, CGROUP_BLKIO, "io.stat", &b);
    rest = buf_str(&b);
    while (str_next(&rest, '\n', &line)) {
        str_cut(line, ' ', &device, &line);
        while (str_next(&line, ' ', &word)) {
            str_cut(word, '=', &key, &value);
            if (str_eqz(key, "rbytes"))
                add_entry(j, &s->service_bytes, device, "read", parse(value));
            else if (str_eqz(key, "wbytes"))
                add_entry(j, &s->service_bytes, device, "write", parse(value));
        }
    }
}

static void read_blocks(const struct cgroup *g, struct usage_job *j) {
    struct api_blkio_stats *s = &j->stats.blkio;
    if (cgroup_is_v2(&g->host, CGROUP_BLKIO)) {
        read_v2_io(g, j);
        return;
    }
    read_v1_entries(g, j, "blkio.throttle.io_service_bytes_recursive", &s->service_bytes);
    read_v1_entries(g, j, "blkio.throttle.io_serviced_recursive", &s->serviced);
    s->queue.present = s->service_time.present = s->wait_time.present = s->merged.present =
        s->time.present = s->sectors.present = true;
}

/* --- network
 * --------------------------------------------------------------------------------------- */

/* "  eth0: rx-bytes packets errs drop fifo frame compressed multicast tx-bytes packets errs drop …"
 * after two lines of heading (proc(5), /proc/PID/net/dev). */
static void read_network(struct usage_job *j) {
    char path[64];
    uint64_t start_time = 0;
    CLEAN_BUF struct buf b = {0};
    struct str rest, line, name, numbers, word;
    snprintf(path, sizeof path, "/proc/%d/net/dev", (int)j->pid);
    err_ignore(file_read(path, NET_DEV_MAX, &b));
    err_ignore(pidfd_start_time(j->pid, &start_time));
    if (start_time != j->start_time) /* somebody else's numbers */
        return;
    rest = buf_str(&b);
    j->stats.networks.present = true;
    while (str_next(&rest, '\n', &line)) {
        if (!str_cut(line, ':', &name, &numbers) || str_eqz(str_trim(name), "lo"))
            continue;
        CLEAN_FREE char *key = str_dup(str_trim(name));
        struct api_network_stats *n = objmap_add(&j->stats.networks, &j->arena, key, sizeof *n);
        uint64_t *const places[] = {&n->rx_bytes, &n->rx_packets, &n->rx_errors, &n->rx_dropped,
                                    NULL,         NULL,           NULL,          NULL,
                                    &n->tx_bytes, &n->tx_packets, &n->tx_errors, &n->tx_dropped};
        for (size_t i = 0; i < ARRAY_LEN(places) && str_next(&numbers, ' ', &word);) {
            if (word.len == 0)
                continue;
            if (places[i])
                *places[i] = parse(word);
            i++;
        }
    }
}

/* --- the job
 * --------------------------------------------------------------------------------------- */

static struct err usage_work(void *arg) {
    struct usage_job *j = arg;
    if (!j->cgroup)
        return OK;
    struct cgroup_host host;
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(cgroup_detect(&host));
    struct err e = cgroup_open(&host, j->cgroup, &g);
    if (err_kind(e) == ERR_NOT_FOUND) { /* it has just ended */
        err_free(e);
        return OK;
    }
    TRY(e);
    read_cpu(&g, j);
    read_system_cpu(&j->stats.cpu);
    read_memory(&g, j);
    read_pids(&g, j);
    read_blocks(&g, j);
    read_pressure(&g, j);
    if (j->has_network)
        read_network(j);
    j->stats.read = time_now();
    return OK;
}

static void usage_done(void *arg, struct err e) {
    struct usage_job *j = arg;
    j->done(j->arg, e, &j->stats);
    free(j->cgroup);
    arena_done(&j->arena);
    free(j);
}

void container_usage(struct container *c, container_used *done, void *arg) {
    struct usage_job *j = NEW(struct usage_job);
    j->done = done;
    j->arg = arg;
    j->stats.id = arena_strz(&j->arena, c->id);
    j->stats.name = arena_printf(&j->arena, "/%s", c->name);
    if (container_is_alive(c)) {
        j->cgroup = container_cgroup_path(c);
        j->pid = c->pid;
        j->start_time = c->start_time;
        j->has_network = strcmp(c->host->network_mode, "host") != 0;
        j->memory_total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    job_submit(c->all->config.loop, usage_work, usage_done, j);
}
