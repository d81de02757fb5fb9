/* Limits: what HostConfig says about CPU, memory, block devices and processes, as the OCI runtime
 * wants it. Used by the start and by a live update. */
#include "container/private.h"
#include "spec/runtime_config.h"
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PIDS_LIMIT_DEFAULT 16384
#define CPU_PERIOD_DEFAULT 100000

static int64_t *box_i64(struct arena *a, int64_t value) {
    int64_t *p = arena_alloc(a, sizeof *p);
    *p = value;
    return p;
}

static struct oci_cpu *cpu_limits(const struct api_resources *r, struct arena *a) {
    if (!r->cpu_shares && !r->nano_cpus && !r->cpu_quota && !r->cpu_period && !r->cpuset_cpus &&
        !r->cpuset_mems && !r->cpu_realtime_period && !r->cpu_realtime_runtime)
        return NULL;
    struct oci_cpu *cpu = arena_alloc(a, sizeof *cpu);
    if (r->cpu_shares)
        cpu->shares = box_i64(a, r->cpu_shares);
    if (r->nano_cpus) {
        cpu->period = box_i64(a, CPU_PERIOD_DEFAULT);
        cpu->quota = box_i64(a, r->nano_cpus / (1000000000 / CPU_PERIOD_DEFAULT));
    }
    if (r->cpu_period)
        cpu->period = box_i64(a, r->cpu_period);
    if (r->cpu_quota)
        cpu->quota = box_i64(a, r->cpu_quota);
    if (r->cpu_realtime_period)
        cpu->realtime_period = box_i64(a, r->cpu_realtime_period);
    if (r->cpu_realtime_runtime)
        cpu->realtime_runtime = box_i64(a, r->cpu_realtime_runtime);
    cpu->cpus = r->cpuset_cpus && *r->cpuset_cpus ? r->cpuset_cpus : NULL;
    cpu->mems = r->cpuset_mems && *r->cpuset_mems ? r->cpuset_mems : NULL;
    return cpu;
}

static struct oci_memory *memory_limits(const struct api_resources *r, struct arena *a) {
    if (!r->memory && !r->memory_reservation && !r->memory_swap && !r->memory_swappiness &&
        !(r->oom_kill_disable && *r->oom_kill_disable))
        return NULL;
    struct oci_memory *m = arena_alloc(a, sizeof *m);
    if (r->memory)
        m->limit = box_i64(a, r->memory);
    if (r->memory_reservation)
        m->reservation = box_i64(a, r->memory_reservation);
    if (r->memory_swap)
        m->swap = box_i64(a, r->memory_swap);
    m->swappiness = r->memory_swappiness;
    m->disable_oom_killer = r->oom_kill_disable;
    return m;
}

/* --- block devices
 * --------------------------------------------------------------------------------- */

static struct err device_number(const char *path, const char *what, int64_t *ret_major,
                                int64_t *ret_minor) {
    struct stat st;
    if (!path || stat(path, &st) != 0)
        return err_kind_errno(ERR_INVALID, path ? errno : ENOENT, "%s: device '%s'", what,
                              path ? path : "");
    if (!S_ISBLK(st.st_mode))
        return err_new(ERR_INVALID, "%s: '%s' is not a block device", what, path);
    *ret_major = major(st.st_rdev);
    *ret_minor = minor(st.st_rdev);
    return OK;
}

static struct err throttles(const struct objs *given, const char *what, struct arena *a,
                            struct objs *ret) {
    const struct api_blkio_throttle *t = given->items;
    for (size_t i = 0; i < given->n; i++) {
        struct oci_throttle *o = objs_add(ret, a, sizeof *o);
        TRY(device_number(t[i].path, what, &o->major, &o->minor));
        o->rate = t[i].rate;
    }
    return OK;
}

static struct err block_limits(const struct api_resources *r, struct arena *a,
                               struct oci_block_io **ret) {
    if (!r->blkio_weight && !r->blkio_weight_device.n && !r->blkio_device_read_bps.n &&
        !r->blkio_device_write_bps.n && !r->blkio_device_read_iops.n &&
        !r->blkio_device_write_iops.n)
        return OK;
    struct oci_block_io *o = arena_alloc(a, sizeof *o);
    if (r->blkio_weight)
        o->weight = box_i64(a, r->blkio_weight);
    const struct api_blkio_weight *w = r->blkio_weight_device.items;
    for (size_t i = 0; i < r->blkio_weight_device.n; i++) {
        struct oci_weight_device *d = objs_add(&o->weight_device, a, sizeof *d);
        TRY(device_number(w[i].path, "BlkioWeightDevice", &d->major, &d->minor));
        d->weight = box_i64(a, w[i].weight);
    }
    TRY(throttles(&r->blkio_device_read_bps, "BlkioDeviceReadBps", a, &o->throttle_read_bps));
    TRY(throttles(&r->blkio_device_write_bps, "BlkioDeviceWriteBps", a, &o->throttle_write_bps));
    TRY(throttles(&r->blkio_device_read_iops, "BlkioDeviceReadIOps", a, &o->throttle_read_iops));
    TRY(throttles(&r->blkio_device_write_iops, "BlkioDeviceWriteIOps", a, &o->throttle_write_iops));
    *ret = o;
    return OK;
}

struct err container_resources(const struct api_host_config *h, struct arena *a,
                               struct oci_resources **ret) {
    const struct api_resources *r = &h->resources;
    struct oci_resources *o = arena_alloc(a, sizeof *o);
    o->memory = memory_limits(r, a);
    o->cpu = cpu_limits(r, a);
    o->pids = arena_alloc(a, sizeof *o->pids);
    bool asked = r->pids_limit && *r->pids_limit != 0;
    o->pids->limit = box_i64(a, asked ? *r->pids_limit : PIDS_LIMIT_DEFAULT);
    TRY(block_limits(r, a, &o->block_io));
    *ret = o;
    return OK;
}
