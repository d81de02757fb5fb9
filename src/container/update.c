/* update: limits and restart policy of a container, live. The kernel first (when it runs), then the
 * row, then the facts: what the caller is told has happened everywhere. */
#include "container/private.h"
#include "spec/runtime_config.h"
#include <stdlib.h>

struct update_job {
    struct container *c;
    struct arena arena;
    struct api_update *doc;      /* what was asked, in the arena */
    struct api_host_config host; /* what it will be; its texts are the container's or the arena's */
    struct oci_resources *resources; /* NULL: nothing to apply */
    char *cgroup;
    container_done *done;
    void *arg;
    struct op_run *run;
};

/* --- the merge
 * ------------------------------------------------------------------------------------- */

static struct err conflict(const struct container *c, const char *words) {
    return err_new(ERR_CONFLICT, "Cannot update container %s: Conflicting options: %s", c->id,
                   words);
}

static struct err check_cpu_conflicts(const struct container *c, const struct api_resources *r) {
    const struct api_resources *now = &c->host->resources;
    if (r->nano_cpus > 0 && now->cpu_period > 0)
        return conflict(c, "Nano CPUs cannot be updated as CPU Period has already been set");
    if (r->nano_cpus > 0 && now->cpu_quota > 0)
        return conflict(c, "Nano CPUs cannot be updated as CPU Quota has already been set");
    if (r->cpu_quota > 0 && now->nano_cpus > 0)
        return conflict(c, "CPU Quota cannot be updated as NanoCPUs has already been set");
    if (r->cpu_period > 0 && now->nano_cpus > 0)
        return conflict(c, "CPU Period cannot be updated as NanoCPUs has already been set");
    return OK;
}

static void take_i64(int64_t *to, int64_t from) {
    if (from)
        *to = from;
}

static void take_text(char **to, char *from) {
    if (from && *from)
        *to = from;
}

static void take_objs(struct objs *to, const struct objs *from) {
    if (from->n)
        *to = *from;
}

static void merge_blkio(struct api_resources *to, const struct api_resources *r) {
    if (r->blkio_weight)
        to->blkio_weight = r->blkio_weight;
    take_objs(&to->blkio_weight_device, &r->blkio_weight_device);
    take_objs(&to->blkio_device_read_bps, &r->blkio_device_read_bps);
    take_objs(&to->blkio_device_write_bps, &r->blkio_device_write_bps);
    take_objs(&to->blkio_device_read_iops, &r->blkio_device_read_iops);
    take_objs(&to->blkio_device_write_iops, &r->blkio_device_write_iops);
}

/* What is settled when a container is created, or means nothing on Linux. */
static struct err refuse_fixed(const struct api_resources *r) {
    const struct {
        bool given;
        const char *name;
    } list[] = {
        {r->devices.n > 0, "Devices"},
        {r->device_cgroup_rules.n > 0, "DeviceCgroupRules"},
        {r->device_requests.n > 0, "DeviceRequests"},
        {r->ulimits.n > 0, "Ulimits"},
        {r->cgroup_parent && *r->cgroup_parent, "CgroupParent"},
        {r->oom_kill_disable != NULL, "OomKillDisable"},
        {r->kernel_memory != 0, "KernelMemory"},
        {r->kernel_memory_tcp != 0, "KernelMemoryTCP"},
        {r->cpu_count != 0, "CpuCount"},
        {r->cpu_percent != 0, "CpuPercent"},
        {r->io_maximum_iops != 0, "IOMaximumIOps"},
        {r->io_maximum_bandwidth != 0, "IOMaximumBandwidth"},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (list[i].given)
            return err_new(ERR_UNSUPPORTED, "%s cannot be changed by update", list[i].name);
    return OK;
}

static struct err merge(struct update_job *j) {
    struct container *c = j->c;
    const struct api_resources *r = &j->doc->resources;
    j->host = *c->host;
    struct api_resources *to = &j->host.resources;
    TRY(refuse_fixed(r));
    TRY(check_cpu_conflicts(c, r));
    merge_blkio(to, r);
    take_i64(&to->cpu_shares, r->cpu_shares);
    take_i64(&to->nano_cpus, r->nano_cpus);
    take_i64(&to->cpu_period, r->cpu_period);
    take_i64(&to->cpu_quota, r->cpu_quota);
    take_i64(&to->cpu_realtime_period, r->cpu_realtime_period);
    take_i64(&to->cpu_realtime_runtime, r->cpu_realtime_runtime);
    take_text(&to->cpuset_cpus, r->cpuset_cpus);
    take_text(&to->cpuset_mems, r->cpuset_mems);
    if (r->memory && r->memory_swap == 0 && to->memory_swap > 0 && r->memory > to->memory_swap)
        return conflict(c, "Memory limit should be smaller than already set memoryswap limit, "
                           "update the memoryswap at the same time");
    take_i64(&to->memory, r->memory);
    take_i64(&to->memory_swap, r->memory_swap);
    take_i64(&to->memory_reservation, r->memory_reservation);
    if (r->memory_swappiness)
        to->memory_swappiness = r->memory_swappiness;
    if (r->pids_limit) {
        to->pids_limit = arena_alloc(&j->arena, sizeof *to->pids_limit);
        *to->pids_limit = *r->pids_limit > 0 ? *r->pids_limit : -1;
    }
    const struct api_restart_policy *policy = &j->doc->restart_policy;
    if (!policy->name || !*policy->name)
        return OK;
    if (c->auto_remove && strcmp(policy->name, "no") != 0)
        return conflict(
            c, "Restart policy cannot be updated because AutoRemove is enabled for the container");
    j->host.restart_policy = *policy;
    return OK;
}

/* --- the op
 * ---------------------------------------------------------------------------------------- */

static bool same_row(const struct api_resources *a, const struct api_resources *b) {
    CLEAN_BUF struct buf x = {0}, y = {0};
    fields_print(&api_resources_fields, a, &x);
    fields_print(&api_resources_fields, b, &y);
    return str_eq(buf_str(&x), buf_str(&y));
}

static struct err update_prepare(void *job) {
    struct update_job *j = job;
    struct container *c = j->c;
    if (c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD || c->gone)
        return err_new(ERR_CONFLICT,
                       "Cannot update container %s: Container is marked for removal and cannot be "
                       "\"update\".",
                       c->id);
    TRY(merge(j));
    TRY(container_validate_update(&j->host));
    if (container_is_alive(c) && !same_row(&j->host.resources, &c->host->resources))
        TRY(container_resources(&j->host, &j->arena, &j->resources));
    return OK;
}

static struct err update_work(void *job) {
    struct update_job *j = job;
    if (!j->resources)
        return OK;
    return err_wrap(runtime_cgroup_update(j->cgroup, j->resources), "Cannot update container %s",
                    j->c->id);
}

static void update_end(struct update_job *j, struct err e) {
    j->done(j->arg, e);
    op_end(j->run);
    free(j->cgroup);
    arena_done(&j->arena);
    free(j);
}

void container_host_replace(struct container *c, const struct api_host_config *to) {
    CLEAN_BUF struct buf text = {0};
    struct arena arena = {0};
    struct api_host_config *host = arena_alloc(&arena, sizeof *host);
    fields_print(&api_host_config_fields, to, &text);
    struct err e = fields_decode(&api_host_config_fields, buf_str(&text), &arena, host);
    assert(!err_failed(e)); /* it was printed from the same table */
    c->host = host;
    container_arena_end(c, &c->host_arena); /* of the update before */
    c->host_arena = arena;
}

void container_host_record(struct container *c, const struct api_host_config *host,
                           void (*done)(void *arg, struct err e), void *arg) {
    CLEAN_BUF struct buf text = {0};
    struct container_record record = {c->config,     (struct api_host_config *)(uintptr_t)host,
                                      c->networking, c->image_ref,
                                      c->image_id,   {c->mounts, c->mounts_n, true, 0}};
    container_record_print(&record, &text);
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE container SET config = ? WHERE id = ?", "ts", buf_str(&text), c->id);
    store_commit(c->all->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, done, arg);
}

static void update_recorded(void *arg, struct err e) {
    struct update_job *j = arg;
    struct container *c = j->c;
    if (!err_failed(e)) {
        container_host_replace(c, &j->host);
        if (!container_wants_restart(c) && c->state == CONTAINER_RESTARTING)
            container_cancel_restart(c);
        container_publish(c, "update", NULL, NULL);
    }
    update_end(j, e);
}

static void update_finish(void *job, struct err e, struct op_run *run) {
    struct update_job *j = job;
    struct container *c = j->c;
    j->run = run;
    if (err_failed(e)) {
        update_end(j, e);
        return;
    }
    container_host_record(c, &j->host, update_recorded, j);
}

static const struct op update_op = {"container update", update_prepare, update_work, update_finish};

void container_update(struct container *c, const struct api_update *doc, container_done *done,
                      void *arg) {
    struct update_job *j = NEW(struct update_job);
    CLEAN_BUF struct buf text = {0};
    j->c = c;
    j->done = done;
    j->arg = arg;
    j->cgroup = container_cgroup_path(c);
    fields_print(&api_update_fields, doc, &text);
    j->doc = arena_alloc(&j->arena, sizeof *j->doc);
    struct err e = fields_decode(&api_update_fields, buf_str(&text), &j->arena, j->doc);
    assert(!err_failed(e)); /* it was printed from the same table */
    op_start(c->all->config.loop, &c->queue, &update_op, j);
}
