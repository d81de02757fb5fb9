/* create_host.c - options of run and create → HostConfig and networks. */
#include "base/file.h"
#include "base/path.h"
#include "cli/create.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROFILE_MAX (1u << 20)

static void copy_list(const struct strv *from, struct strs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++)
        strs_add(to, a, from->items[i]);
}

static int compare_ulimits(const void *a, const void *b) {
    return strcmp(((const struct api_ulimit *)a)->name, ((const struct api_ulimit *)b)->name);
}

static bool is_ulimit(struct str name) {
    static const char *const names[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                        "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                        "rss",     "rtprio",   "rttime", "sigpending", "stack"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eqz(name, names[i]))
            return true;
    return false;
}

struct err ulimit_options(const struct strv *from, struct objs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        struct str name, value, soft, hard;
        struct api_ulimit *u = to->items;
        if (!str_cut(str_of(from->items[i]), '=', &name, &value))
            return err_new(ERR_INVALID, "corten: invalid ulimit argument: %s", from->items[i]);
        if (!is_ulimit(name))
            return err_new(ERR_INVALID, "corten: invalid ulimit type: %.*s", STR_ARG(name));
        size_t k = 0;
        while (k < to->n && !str_eqz(name, u[k].name))
            k++;
        u = k < to->n ? u + k : objs_add(to, a, sizeof *u);
        bool has_hard = str_cut(value, ':', &soft, &hard);
        u->name = arena_str(a, name);
        TRYF(str_to_i64(soft, -1, INT64_MAX, &u->soft), "corten: --ulimit %s", from->items[i]);
        u->hard = u->soft;
        if (has_hard)
            TRYF(str_to_i64(hard, -1, INT64_MAX, &u->hard), "corten: --ulimit %s", from->items[i]);
        if (u->hard != -1 && (u->soft > u->hard || u->soft == -1))
            return err_new(ERR_INVALID,
                           "corten: ulimit soft limit must be less than or equal to hard limit: %s",
                           from->items[i]);
    }
    if (to->n > 1)
        qsort(to->items, to->n, sizeof(struct api_ulimit), compare_ulimits);
    return OK;
}

struct err restart_option(const char *text, struct api_restart_policy *ret, struct arena *a) {
    struct str name, count;
    bool has_count = str_cut(str_of(text), ':', &name, &count);
    ret->name = arena_str(a, name);
    if (!*text || (has_count && !count.len && name.len))
        return OK;
    if (!name.len)
        return err_new(ERR_INVALID,
                       "corten: invalid restart policy format: no policy provided before colon");
    return has_count ? err_wrap(str_to_i64(count, 0, INT32_MAX, &ret->maximum_retry_count),
                                "corten: invalid restart policy format: maximum retry count must "
                                "be an integer: %s",
                                text)
                     : OK;
}

char *path_here(const char *path, struct arena *a) {
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd))
        return arena_strz(a, path);
    CLEAN_FREE char *clean = path_clean(str_of(arena_printf(a, "%s/%s", cwd, path)));
    return arena_strz(a, clean);
}

/* Relative sources are relative to where we are. */
static void add_volume(struct strs *binds, struct arena *a, const char *text) {
    struct str source, rest;
    str_cut(str_of(text), ':', &source, &rest);
    if (text[0] == '.')
        text = arena_printf(a, "%s:%.*s", path_here(arena_str(a, source), a), STR_ARG(rest));
    strs_add(binds, a, text);
}

/* A seccomp profile is a file here and its text there. */
static struct err add_security(struct api_host_config *h, struct arena *a, const char *text) {
    struct strs *to = &h->security_opt;
    struct str key, value;
    CLEAN_BUF struct buf profile = {0};
    CLEAN_JSON struct json *root = NULL;
    bool equals = str_cut(str_of(text), '=', &key, &value);
    if (!equals)
        equals = str_cut(str_of(text), ':', &key, &value);
    if (!equals && strcmp(text, "no-new-privileges") != 0)
        return err_new(ERR_INVALID, "corten: invalid --security-opt: \"%s\"", text);
    if (str_eqz(key, "systempaths") && str_eqz(value, "unconfined")) {
        h->masked_paths.present = h->readonly_paths.present = h->security_opt.present = true;
        return OK;
    }
    if (!str_eqz(key, "seccomp") || str_eqz(value, "unconfined") || str_eqz(value, "builtin")) {
        strs_add(to, a, text);
        return OK;
    }
    TRYF(file_read(value.p, PROFILE_MAX, &profile), "corten: opening seccomp profile (%s) failed",
         value.p);
    TRYF(json_parse(str_trim(buf_str(&profile)), &root),
         "corten: compacting json for seccomp profile (%s) failed", value.p);
    buf_clear(&profile);
    json_print(root, &profile);
    strs_add(to, a, arena_printf(a, "seccomp=%s", buf_cstr(&profile)));
    return OK;
}

/* --- devices ---------------------------------------------------------------------------------- */

static bool is_mode(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("rwm", s.p[i]))
            return false;
    return s.len > 0 && s.len <= 3;
}

static struct err add_device(struct api_resources *r, const char *text, struct arena *a) {
    struct str host, inside, mode = STR("rwm"), rest;
    if (device_is_cdi(text)) {
        struct api_device_request *q = objs_add(&r->device_requests, a, sizeof *q);
        q->driver = arena_strz(a, "cdi");
        strs_add(&q->device_ids, a, text);
        return OK;
    }
    if (!str_cut(str_of(text), ':', &host, &rest)) {
        inside = host;
    } else if (is_mode(rest)) {
        inside = host;
        mode = rest;
    } else if (str_cut(rest, ':', &inside, &mode)) {
        if (!is_mode(mode))
            return err_new(ERR_INVALID, "corten: invalid device specification: %s", text);
    } else {
        mode = STR("rwm");
    }
    if (inside.len == 0 || inside.p[0] != '/')
        return err_new(ERR_INVALID, "corten: --device: %.*s is not an absolute path",
                       STR_ARG(inside.len ? inside : host));
    struct api_device *d = objs_add(&r->devices, a, sizeof *d);
    d->path_on_host = arena_str(a, host);
    d->path_in_container = arena_str(a, inside);
    d->cgroup_permissions = arena_str(a, mode);
    return OK;
}

/* all, N, or fields: count, device, driver, capabilities. */
static struct err add_gpus(struct api_resources *r, const char *text, struct arena *a) {
    struct api_device_request *q = objs_add(&r->device_requests, a, sizeof *q);
    struct strs *capabilities = objs_add(&q->capabilities, a, sizeof *capabilities);
    struct str rest = str_of(text), one, key, value;
    while (str_next(&rest, ',', &one)) {
        bool pair = str_cut(str_trim(one), '=', &key, &value);
        if (!pair)
            value = key;
        if (pair && str_eqz(key, "driver"))
            q->driver = arena_str(a, value);
        else if (pair && str_eqz(key, "device"))
            strs_add(&q->device_ids, a, arena_str(a, value));
        else if (pair && str_eqz(key, "capabilities"))
            strs_add(capabilities, a, arena_str(a, value));
        else if (pair && !str_eqz(key, "count"))
            return err_new(ERR_INVALID, "corten: --gpus: unexpected key '%.*s'", STR_ARG(key));
        else if (str_eqz(value, "all"))
            q->count = -1;
        else
            TRYF(str_to_i64(value, -1, INT32_MAX, &q->count), "corten: --gpus");
    }
    if (!strs_has(capabilities, "gpu"))
        strs_add(capabilities, a, "gpu");
    return OK;
}

/* PATH:VALUE */
static struct err add_throttles(const struct strv *from, bool bytes, struct objs *to,
                                const char *option, struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        struct str path, value;
        struct api_blkio_throttle *t = objs_add(to, a, sizeof *t);
        int64_t n = 0;
        if (!str_cut(str_of(from->items[i]), ':', &path, &value) || !str_starts(path, STR("/dev/")))
            return err_new(ERR_INVALID, "corten: --%s: bad format: %s", option, from->items[i]);
        if (bytes)
            TRYF(size_option(arena_str(a, value), &n), "corten: --%s", option);
        else
            TRYF(str_to_i64(value, 0, INT64_MAX, &n), "corten: --%s", option);
        t->path = arena_str(a, path);
        t->rate = (uint64_t)n;
    }
    return OK;
}

static struct err fill_blkio(const struct run_options *o, struct api_resources *r,
                             struct arena *a) {
    if (o->blkio_weight < 0 || o->blkio_weight > UINT16_MAX)
        return err_new(ERR_INVALID, "corten: --blkio-weight is 10 to 1000, or 0 for none");
    r->blkio_weight = (uint16_t)o->blkio_weight;
    for (size_t i = 0; i < o->blkio_device.n; i++) {
        struct str path, value;
        uint64_t n = 0;
        struct api_blkio_weight *w = objs_add(&r->blkio_weight_device, a, sizeof *w);
        if (!str_cut(str_of(o->blkio_device.items[i]), ':', &path, &value) ||
            !str_starts(path, STR("/dev/")))
            return err_new(ERR_INVALID, "corten: --blkio-weight-device: bad format: %s",
                           o->blkio_device.items[i]);
        TRYF(str_to_u64(value, 1000, &n), "corten: --blkio-weight-device");
        if (n > 0 && n < 10)
            return err_new(ERR_INVALID,
                           "corten: --blkio-weight-device: %s: the weight is 10 to 1000",
                           o->blkio_device.items[i]);
        w->path = arena_str(a, path);
        w->weight = (uint16_t)n;
    }
    TRY(add_throttles(&o->read_bps, true, &r->blkio_device_read_bps, "device-read-bps", a));
    TRY(add_throttles(&o->write_bps, true, &r->blkio_device_write_bps, "device-write-bps", a));
    TRY(add_throttles(&o->read_iops, false, &r->blkio_device_read_iops, "device-read-iops", a));
    return add_throttles(&o->write_iops, false, &r->blkio_device_write_iops, "device-write-iops",
                         a);
}

static struct err fill_resources(struct invocation *in, struct api_resources *r) {
    const struct run_options *o = in->options;
    struct arena *a = &in->arena;
    r->memory = o->memory;
    r->memory_reservation = o->memory_reservation;
    r->kernel_memory = o->kernel_memory;
    if (o->memory_swap && !strcmp(o->memory_swap, "-1"))
        r->memory_swap = -1;
    else if (o->memory_swap)
        TRYF(size_option(o->memory_swap, &r->memory_swap), "corten: --memory-swap");
    if (o->cpus)
        TRY(cpus_option(o->cpus, &r->nano_cpus));
    r->cpu_shares = o->cpu_shares;
    r->cpu_period = o->cpu_period;
    r->cpu_quota = o->cpu_quota;
    r->cpu_realtime_period = o->rt_period;
    r->cpu_realtime_runtime = o->rt_runtime;
    r->cpuset_cpus = arena_strz(a, o->cpuset_cpus);
    r->cpuset_mems = arena_strz(a, o->cpuset_mems);
    r->cgroup_parent = arena_strz(a, o->cgroup_parent);
    r->cpu_count = o->cpu_count;
    r->cpu_percent = o->cpu_percent;
    r->io_maximum_bandwidth = (uint64_t)o->io_bandwidth;
    r->io_maximum_iops = (uint64_t)o->io_iops;
    if (o->swappiness < -1 || o->swappiness > 100)
        return err_new(ERR_INVALID, "corten: --memory-swappiness %lld: want 0 to 100, or -1",
                       (long long)o->swappiness);
    r->memory_swappiness = cli_copy(a, &o->swappiness, sizeof o->swappiness);
    r->pids_limit = cli_copy(a, &o->pids_limit, sizeof o->pids_limit);
    r->oom_kill_disable = cli_copy(a, &o->oom_kill_disable, sizeof o->oom_kill_disable);
    TRY(device_rules_check(&o->device_rule));
    copy_list(&o->device_rule, &r->device_cgroup_rules, a);
    for (size_t i = 0; i < o->device.n; i++)
        TRY(add_device(r, o->device.items[i], a));
    if (o->gpus)
        TRY(add_gpus(r, o->gpus, a));
    TRY(fill_blkio(o, r, a));
    return ulimit_options(&o->ulimit, &r->ulimits, a);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void fill_modes(const struct run_options *o, struct api_host_config *h, struct arena *a) {
    h->auto_remove = o->rm;
    h->privileged = o->privileged;
    h->readonly_rootfs = o->read_only;
    h->publish_all_ports = o->publish_all;
    h->pid_mode = arena_strz(a, o->pid);
    h->ipc_mode = arena_strz(a, o->ipc);
    h->uts_mode = arena_strz(a, o->uts);
    h->userns_mode = arena_strz(a, o->userns);
    h->cgroupns_mode = arena_strz(a, o->cgroupns);
    h->runtime = arena_strz(a, o->runtime);
    h->isolation = arena_strz(a, o->isolation);
    h->volume_driver = arena_strz(a, o->volume_driver);
    h->oom_score_adj = o->oom_score_adj;
    h->shm_size = o->shm_size;
    h->log_config.type = arena_strz(a, o->log_driver);
}

static void fill_lists(const struct run_options *o, struct api_host_config *h, struct arena *a) {
    for (size_t i = 0; i < o->volumes.n; i++)
        if (strchr(o->volumes.items[i], ':'))
            add_volume(&h->binds, a, o->volumes.items[i]);
    capability_options(o, &h->cap_add, &h->cap_drop, a);
    copy_list(&o->group_add, &h->group_add, a);
    copy_list(&o->dns, &h->dns, a);
    copy_list(&o->dns_option, &h->dns_options, a);
    copy_list(&o->dns_search, &h->dns_search, a);
    copy_list(&o->volumes_from, &h->volumes_from, a);
    copy_list(&o->link, &h->links, a);
    for (size_t i = 0; i < o->tmpfs.n; i++) {
        struct str path, options;
        str_cut(str_of(o->tmpfs.items[i]), ':', &path, &options);
        strmap_set(&h->tmpfs, a, arena_str(a, path), arena_str(a, options));
    }
    cli_pairs(&o->log_opt, &h->log_config.config, a);
    cli_pairs(&o->sysctl, &h->sysctls, a);
    cli_pairs(&o->storage_opt, &h->storage_opt, a);
    cli_pairs(&o->annotation, &h->annotations, a);
    h->log_config.config.present = true;
    strmap_sort(&h->log_config.config);
    strmap_sort(&h->sysctls);
    strmap_sort(&h->storage_opt);
    strmap_sort(&h->annotations);
    strmap_sort(&h->tmpfs);
}

/* What the peer's command line sends as [] or {} when nothing is said; `inspect` shows it so. */
static void mark_present(struct api_container_create *doc) {
    struct api_resources *r = &doc->host->resources;
    doc->config.volumes.present = doc->config.labels.present = true;
    doc->host->port_bindings.present = doc->host->dns.present = true;
    doc->host->dns_options.present = doc->host->dns_search.present = true;
    r->blkio_weight_device.present = r->devices.present = r->ulimits.present = true;
    r->blkio_device_read_bps.present = r->blkio_device_write_bps.present = true;
    r->blkio_device_read_iops.present = r->blkio_device_write_iops.present = true;
}

struct err create_host(struct invocation *in, struct api_container_create *doc) {
    const struct run_options *o = in->options;
    struct api_host_config *h = doc->host;
    struct arena *a = &in->arena;
    mark_present(doc);
    TRY(modes_check(o));
    fill_modes(o, h, a);
    TRY(dns_check(o));
    TRY(sysctl_check(&o->sysctl));
    TRY(links_check(&o->link));
    if (o->log_opt.n && o->log_driver && !strcmp(o->log_driver, "none"))
        return err_new(ERR_INVALID, "corten: invalid logging opts for driver none");
    fill_lists(o, h, a);
    for (size_t i = 0; i < o->add_host.n; i++)
        TRY(host_option(o->add_host.items[i], &h->extra_hosts, a));
    for (size_t i = 0; i < o->security_opt.n; i++)
        TRY(add_security(h, a, o->security_opt.items[i]));
    for (size_t i = 0; i < o->mount.n; i++) {
        struct api_mount *m = objs_add(&h->mounts, a, sizeof *m);
        TRY(mount_option(o->mount.items[i], m, a));
    }
    if (option_given(in, "init"))
        h->init = cli_copy(a, &o->init, sizeof(bool));
    TRY(restart_option(o->restart ? o->restart : "no", &h->restart_policy, a));
    TRY(fill_resources(in, &h->resources));
    for (size_t i = 0; i < o->publish.n; i++)
        TRY(port_option(o->publish.items[i], &h->port_bindings, &doc->config.exposed_ports, a));
    for (size_t i = 0; i < o->expose.n; i++)
        TRY(expose_option(o->expose.items[i], &doc->config.exposed_ports, a));
    return create_networks(in, doc);
}
