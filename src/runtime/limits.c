/* linux.resources onto a cgroup. A limit that cannot be applied is an error that names it. */
#include "base/mem.h"
#include "kernel/device_filter.h"
#include "runtime/box.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_set(const int64_t *v) {
    return v && *v != 0;
}
static struct err unsupported(const char *field) {
    return err_new(ERR_UNSUPPORTED, "linux.resources.%s is not supported on this host", field);
}
/* v2 spells "unlimited" as "max". */
static struct err write_max(const struct cgroup *g, enum cgroup_controller c, const char *file,
                            int64_t v) {
    return v < 0 ? cgroup_write(g, c, file, "max") : cgroup_write_i64(g, c, file, v);
}

/* --- memory
 * ------------------------------------------------------------------------------------------------
 */

/* v1 refuses by itself what is less than is in use; v2 would kill for it. */
static struct err check_use(const struct cgroup *g, const struct oci_memory *m) {
    uint64_t used = 0;
    if (!m->check_before_update || !*m->check_before_update || !m->limit || *m->limit <= 0)
        return OK;
    TRY(cgroup_read_u64(g, CGROUP_MEMORY, "memory.current", &used));
    return used <= (uint64_t)*m->limit
               ? OK
               : err_new(ERR_CONFLICT,
                         "linux.resources.memory.limit %lld is less than the %llu in use",
                         (long long)*m->limit, (unsigned long long)used);
}

static struct err memory_v2(const struct cgroup *g, const struct oci_memory *m) {
    TRY(check_use(g, m));
    if (m->disable_oom_killer && *m->disable_oom_killer)
        return unsupported("memory.disableOOMKiller");
    if (m->swappiness && *m->swappiness >= 0) /* -1: as it is */
        return unsupported("memory.swappiness");
    if (is_set(m->limit))
        TRY(write_max(g, CGROUP_MEMORY, "memory.max", *m->limit));
    if (is_set(m->swap)) {
        /* The specification's swap is memory and swap together; v2 has swap alone. */
        int64_t limit = is_set(m->limit) ? *m->limit : -1, swap = *m->swap;
        if (swap > 0 && (limit < 0 || swap < limit))
            return err_new(ERR_INVALID, "linux.resources.memory.swap is smaller than the limit");
        struct err e = write_max(g, CGROUP_MEMORY, "memory.swap.max", swap < 0 ? -1 : swap - limit);
        if (err_errnum(e) == ENOENT && swap <= limit) {
            err_free(e); /* a kernel without swap accounting: there is no swap to keep away */
            e = OK;
        }
        TRY(e);
    }
    if (is_set(m->reservation))
        TRY(write_max(g, CGROUP_MEMORY, "memory.low", *m->reservation < 0 ? 0 : *m->reservation));
    return OK;
}

static struct err write_limit_v1(const struct cgroup *g, int64_t limit) {
    return cgroup_write_i64(g, CGROUP_MEMORY, "memory.limit_in_bytes", limit);
}
static struct err write_swap_v1(const struct cgroup *g, int64_t swap) {
    struct err e = cgroup_write_i64(g, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", swap);
    if (err_errnum(e) != ENOENT)
        return e;
    err_free(e);
    /* No accounting of swap: only "as much as you like" can be granted. */
    return swap < 0 ? OK : unsupported("memory.swap");
}

/* memsw may never be below limit, so which one is written first depends on the direction. */
static struct err limit_v1(const struct cgroup *g, const struct oci_memory *m) {
    if (!is_set(m->limit))
        return is_set(m->swap) ? write_swap_v1(g, *m->swap) : OK;
    if (!is_set(m->swap))
        return write_limit_v1(g, *m->limit);
    if (*m->swap > 0 && (*m->limit < 0 || *m->swap < *m->limit))
        return err_new(ERR_INVALID, "linux.resources.memory.swap is smaller than the limit");
    uint64_t now = UINT64_MAX;
    err_ignore(cgroup_read_u64(g, CGROUP_MEMORY, "memory.limit_in_bytes", &now));
    bool grow = *m->limit < 0 || (uint64_t)*m->limit > now;
    if (grow) {
        TRY(write_swap_v1(g, *m->swap));
        return write_limit_v1(g, *m->limit);
    }
    TRY(write_limit_v1(g, *m->limit));
    return write_swap_v1(g, *m->swap);
}

static struct err memory_v1(const struct cgroup *g, const struct oci_memory *m) {
    TRY(limit_v1(g, m));
    if (is_set(m->reservation))
        TRY(cgroup_write_i64(g, CGROUP_MEMORY, "memory.soft_limit_in_bytes", *m->reservation));
    if (m->swappiness && *m->swappiness >= 0)
        TRY(cgroup_write_i64(g, CGROUP_MEMORY, "memory.swappiness", *m->swappiness));
    if (m->disable_oom_killer && *m->disable_oom_killer)
        TRY(cgroup_write(g, CGROUP_MEMORY, "memory.oom_control", "1"));
    return OK;
}

/* --- cpu
 * -----------------------------------------------------------------------------------------------------
 */

static struct err bandwidth(const struct cgroup *g, const struct oci_cpu *c, bool v2) {
    if (!is_set(c->quota) && !is_set(c->period))
        return OK;
    if (!v2) {
        if (is_set(c->period))
            TRY(cgroup_write_i64(g, CGROUP_CPU, "cpu.cfs_period_us", *c->period));
        return is_set(c->quota) ? cgroup_write_i64(g, CGROUP_CPU, "cpu.cfs_quota_us", *c->quota)
                                : OK;
    }
    char text[64];
    long long period = is_set(c->period) ? *c->period : 100000;
    if (is_set(c->quota) && *c->quota > 0)
        snprintf(text, sizeof(text), "%lld %lld", (long long)*c->quota, period);
    else
        snprintf(text, sizeof(text), "max %lld", period);
    return cgroup_write(g, CGROUP_CPU, "cpu.max", text);
}

/* 2..262144 onto 1..10000, as every runtime does it. */
static int64_t weight_of(int64_t shares) {
    int64_t s = MIN(MAX(shares, 2), 262144);
    return 1 + (s - 2) * 9999 / 262142;
}

/* What a group has of the processor is taken from what its parent was given, which is nothing until
 * somebody asks. Ours grow by what is asked; the kernel keeps their sum below the host's limit. */
static struct err grow_parent(const struct cgroup *g, const struct oci_cpu *c) {
    static const char ours[] = "/corten";
    CLEAN_FREE char *path = mem_strdup(g->path);
    uint64_t period, has, parent_period;
    char *slash = strrchr(path, '/');
    if (slash == path || strncmp(path, ours, sizeof(ours) - 1) != 0)
        return err_new(ERR_INVALID, "its parent has no real-time processor time to give");
    *slash = '\0';
    CLEAN_CGROUP struct cgroup parent;
    TRY(cgroup_open(&g->host, path, &parent));
    TRY(cgroup_read_u64(g, CGROUP_CPU, "cpu.rt_period_us", &period));
    TRY(cgroup_read_u64(&parent, CGROUP_CPU, "cpu.rt_period_us", &parent_period));
    TRY(cgroup_read_u64(&parent, CGROUP_CPU, "cpu.rt_runtime_us", &has));
    if (period == 0)
        return err_new(ERR_INVALID, "its real-time period is 0");
    uint64_t more = (uint64_t)*c->realtime_runtime * parent_period / period + 1;
    return cgroup_write_i64(&parent, CGROUP_CPU, "cpu.rt_runtime_us", (int64_t)(has + more));
}

static struct err write_real_time(const struct cgroup *g, const struct oci_cpu *c) {
    if (is_set(c->realtime_period))
        TRY(cgroup_write_i64(g, CGROUP_CPU, "cpu.rt_period_us", *c->realtime_period));
    if (!is_set(c->realtime_runtime))
        return OK;
    struct err e = cgroup_write_i64(g, CGROUP_CPU, "cpu.rt_runtime_us", *c->realtime_runtime);
    if (err_errnum(e) != EINVAL)
        return e;
    err_free(e);
    TRYF(grow_parent(g, c), "linux.resources.cpu.realtimeRuntime");
    return cgroup_write_i64(g, CGROUP_CPU, "cpu.rt_runtime_us", *c->realtime_runtime);
}

/* Of v1, and of kernels that schedule real-time processes by group. */
static struct err real_time(const struct cgroup *g, const struct oci_cpu *c, bool v2) {
    if (!is_set(c->realtime_period) && !is_set(c->realtime_runtime))
        return OK;
    struct err e = v2 ? err_errno(ENOENT, "v2 has none") : write_real_time(g, c);
    if (err_errnum(e) != ENOENT)
        return e;
    err_free(e);
    return unsupported("cpu.realtimeRuntime");
}

static struct err apply_cpu(const struct cgroup *g, const struct oci_cpu *c) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_CPU);
    TRY(real_time(g, c, v2));
    if (is_set(c->shares) && v2)
        TRY(cgroup_write_i64(g, CGROUP_CPU, "cpu.weight", weight_of(*c->shares)));
    if (is_set(c->shares) && !v2)
        TRY(cgroup_write_i64(g, CGROUP_CPU, "cpu.shares", *c->shares));
    TRY(bandwidth(g, c, v2));
    if (is_set(c->burst))
        TRY(cgroup_write_i64(g, CGROUP_CPU, v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", *c->burst));
    if (is_set(c->idle))
        TRY(cgroup_write_i64(g, CGROUP_CPU, "cpu.idle", *c->idle));
    if (c->cpus && c->cpus[0])
        TRY(cgroup_write(g, CGROUP_CPUSET, "cpuset.cpus", c->cpus));
    if (c->mems && c->mems[0])
        TRY(cgroup_write(g, CGROUP_CPUSET, "cpuset.mems", c->mems));
    return OK;
}

/* --- block devices
 * --------------------------------------------------------------------------------------------- */

static struct err write_weight(const struct cgroup *g, int64_t weight, bool v2) {
    static const char *const v1_files[] = {"blkio.weight", "blkio.bfq.weight"};
    static const char *const v2_files[] = {"io.bfq.weight", "io.weight"};
    if (weight < 10 || weight > 1000)
        return err_new(ERR_INVALID, "linux.resources.blockIO.weight is not in 10..1000");
    for (size_t i = 0; i < 2; i++) {
        const char *file = v2 ? v2_files[i] : v1_files[i];
        int64_t value = v2 && i == 1 ? 1 + (weight - 10) * 9999 / 990 : weight;
        struct err e = cgroup_write_i64(g, CGROUP_BLKIO, file, value);
        if (err_errnum(e) != ENOENT)
            return e;
        err_free(e);
    }
    return unsupported("blockIO.weight");
}

static struct err weight_devices(const struct cgroup *g, const struct objs *v, bool v2) {
    static const char *const files[2][2] = {{"blkio.bfq.weight_device", "blkio.weight_device"},
                                            {"io.bfq.weight", "io.weight"}};
    const struct oci_weight_device *d = v->items;
    for (size_t i = 0; i < v->n; i++) {
        if (!is_set(d[i].weight))
            continue;
        struct err e = OK;
        for (size_t k = 0; k < 2; k++) {
            char text[64];
            int64_t weight = v2 && k ? 1 + (*d[i].weight - 10) * 9999 / 990 : *d[i].weight;
            snprintf(text, sizeof(text), "%lld:%lld %lld", (long long)d[i].major,
                     (long long)d[i].minor, (long long)weight);
            err_free(e);
            e = cgroup_write(g, CGROUP_BLKIO, files[v2][k], text);
            if (err_errnum(e) != ENOENT)
                break;
        }
        if (err_errnum(e) == ENOENT) {
            err_free(e);
            return unsupported("blockIO.weightDevice");
        }
        TRY(e);
    }
    return OK;
}

static struct err throttle(const struct cgroup *g, const struct objs *v, bool v2,
                           const char *v1_file, const char *v2_key) {
    const struct oci_throttle *t = v->items;
    for (size_t i = 0; i < v->n; i++) {
        char text[96];
        if (v2)
            snprintf(text, sizeof(text), "%lld:%lld %s=%llu", (long long)t[i].major,
                     (long long)t[i].minor, v2_key, (unsigned long long)t[i].rate);
        else
            snprintf(text, sizeof(text), "%lld:%lld %llu", (long long)t[i].major,
                     (long long)t[i].minor, (unsigned long long)t[i].rate);
        TRY(cgroup_write(g, CGROUP_BLKIO, v2 ? "io.max" : v1_file, text));
    }
    return OK;
}

static struct err apply_block(const struct cgroup *g, const struct oci_block_io *b) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_BLKIO);
    if (is_set(b->weight))
        TRY(write_weight(g, *b->weight, v2));
    TRY(weight_devices(g, &b->weight_device, v2));
    TRY(throttle(g, &b->throttle_read_bps, v2, "blkio.throttle.read_bps_device", "rbps"));
    TRY(throttle(g, &b->throttle_write_bps, v2, "blkio.throttle.write_bps_device", "wbps"));
    TRY(throttle(g, &b->throttle_read_iops, v2, "blkio.throttle.read_iops_device", "riops"));
    return throttle(g, &b->throttle_write_iops, v2, "blkio.throttle.write_iops_device", "wiops");
}

/* --- all
 * -----------------------------------------------------------------------------------------------------------
 */

/* --- huge pages, rdma, network ---------------------------------------------------------------- */

/* The limit itself, and that of reservations, which Linux has since 5.7. */
static struct err limit_pages(const struct cgroup *g, const char *size, const char *text, bool v2) {
    static const char *const files[2][2] = {{"limit_in_bytes", "rsvd.limit_in_bytes"},
                                            {"max", "rsvd.max"}};
    for (int k = 0; k < 2; k++) {
        char file[80];
        snprintf(file, sizeof(file), "hugetlb.%s.%s", size, files[v2][k]);
        struct err e = cgroup_write(g, CGROUP_HUGETLB, file, text);
        if (k && err_errnum(e) == ENOENT)
            err_free(e);
        else
            TRY(e);
    }
    return OK;
}

static struct err apply_hugepages(const struct cgroup *g, const struct objs *v) {
    const struct oci_hugepage_limit *h = v->items;
    for (size_t i = 0; i < v->n; i++) {
        char text[24];
        if (cgroup_dir(g, CGROUP_HUGETLB) < 0)
            return unsupported("hugepageLimits");
        snprintf(text, sizeof(text), "%llu", (unsigned long long)h[i].limit);
        TRY(limit_pages(g, h[i].page_size, text, cgroup_is_v2(&g->host, CGROUP_HUGETLB)));
    }
    return OK;
}

static struct err apply_rdma(const struct cgroup *g, const struct objmap *v) {
    for (size_t i = 0; i < v->n; i++) {
        const struct oci_rdma *r = v->items[i].value;
        char text[320];
        if (cgroup_dir(g, CGROUP_RDMA) < 0)
            return unsupported("rdma");
        int n = snprintf(text, sizeof(text), "%s", v->items[i].key);
        if (r && r->handles && n < (int)sizeof(text))
            n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%lld",
                          (long long)*r->handles);
        if (r && r->objects && n < (int)sizeof(text))
            n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%lld",
                          (long long)*r->objects);
        if (n >= (int)sizeof(text))
            return err_new(ERR_INVALID, "linux.resources.rdma: a device's name is too long");
        TRY(cgroup_write(g, CGROUP_RDMA, "rdma.max", text));
    }
    return OK;
}

/* Controllers of v1 that v2 does not have. */
static struct err apply_network(const struct cgroup *g, const struct oci_network *n) {
    if (!n)
        return OK;
    if (n->class_id && *n->class_id) {
        if (cgroup_dir(g, CGROUP_NET_CLS) < 0)
            return unsupported("network.classID");
        TRY(cgroup_write_i64(g, CGROUP_NET_CLS, "net_cls.classid", *n->class_id));
    }
    const struct oci_priority *p = n->priorities.items;
    for (size_t i = 0; i < n->priorities.n; i++) {
        char text[48];
        if (cgroup_dir(g, CGROUP_NET_PRIO) < 0)
            return unsupported("network.priorities");
        snprintf(text, sizeof(text), "%.16s %u", p[i].name, p[i].priority);
        TRY(cgroup_write(g, CGROUP_NET_PRIO, "net_prio.ifpriomap", text));
    }
    return OK;
}

void limits_demand(struct cgroup_host *h, const struct oci_resources *r) {
    if (!r)
        return;
    if (r->hugepage_limits.n)
        cgroup_demand(h, CGROUP_HUGETLB);
    if (r->rdma.n)
        cgroup_demand(h, CGROUP_RDMA);
    if (r->network && r->network->class_id && *r->network->class_id)
        cgroup_demand(h, CGROUP_NET_CLS);
    if (r->network && r->network->priorities.n)
        cgroup_demand(h, CGROUP_NET_PRIO);
}

static struct err apply_unified(const struct cgroup *g, const struct strmap *v) {
    for (size_t i = 0; i < v->n; i++)
        TRY(cgroup_write(g, CGROUP_CORE, v->items[i].key, v->items[i].value));
    return OK;
}

struct err limits_apply(const struct cgroup *g, const struct oci_resources *r) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_MEMORY);
    if (r->memory)
        TRY(v2 ? memory_v2(g, r->memory) : memory_v1(g, r->memory));
    if (r->cpu)
        TRY(apply_cpu(g, r->cpu));
    if (r->pids && is_set(r->pids->limit))
        TRY(write_max(g, CGROUP_PIDS, "pids.max", *r->pids->limit));
    if (r->block_io)
        TRY(apply_block(g, r->block_io));
    TRY(apply_hugepages(g, &r->hugepage_limits));
    TRY(apply_rdma(g, &r->rdma));
    TRY(apply_network(g, r->network));
    return apply_unified(g, &r->unified);
}

/* --- devices
 * ---------------------------------------------------------------------------------------------------------
 */

/* What the specification promises to every container, and making nodes (which is harmless where
 * using them is not allowed). */
static const struct device_rule every_container[] = {
    {true, 'c', -1, -1, DEVICE_MKNOD}, {true, 'b', -1, -1, DEVICE_MKNOD},
    {true, 'c', 1, 3, DEVICE_ALL},     {true, 'c', 1, 5, DEVICE_ALL},
    {true, 'c', 1, 7, DEVICE_ALL},     {true, 'c', 1, 8, DEVICE_ALL},
    {true, 'c', 1, 9, DEVICE_ALL},     {true, 'c', 5, 0, DEVICE_ALL},
    {true, 'c', 5, 2, DEVICE_ALL},     {true, 'c', 136, -1, DEVICE_ALL},
};

static unsigned access_bits(const char *text) {
    if (!text || !text[0])
        return DEVICE_ALL;
    return (strchr(text, 'r') ? DEVICE_READ : 0) | (strchr(text, 'w') ? DEVICE_WRITE : 0) |
           (strchr(text, 'm') ? DEVICE_MKNOD : 0);
}

static struct device_rule rule_of(const struct oci_device_rule *r) {
    return (struct device_rule){
        .allow = r->allow,
        .type = r->type && r->type[0] ? r->type[0] : 'a',
        .major = r->major ? *r->major : -1,
        .minor = r->minor ? *r->minor : -1,
        .access = access_bits(r->access),
    };
}

struct err limits_devices(const struct cgroup *g, const struct oci_resources *r) {
    struct device_rules v = {0};
    const struct oci_device_rule *given = r ? r->devices.items : NULL;
    for (size_t i = 0; given && i < r->devices.n; i++)
        vec_push(&v, rule_of(&given[i]));
    for (size_t i = 0; i < ARRAY_LEN(every_container); i++)
        vec_push(&v, every_container[i]);
    struct err e = device_filter_apply(g, v.items, v.n);
    vec_done(&v);
    /* Who may not load a program may not make a device either: of those that there are, the files'
     * own permissions decide, as they do for that user without us. */
    if (err_errnum(e) == EPERM && geteuid() != 0) {
        err_free(e);
        return OK;
    }
    return e;
}
