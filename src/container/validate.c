/* What a create call may ask for. Every member of the API's documents is either honoured elsewhere
 * in this folder, judged here, or refused here by name; none is ignored. */
#include "base/path.h"
#include "container/cdi.h"
#include "container/private.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/signal.h"
#include <strings.h>
#include <unistd.h>

#define MEMORY_MIN (INT64_C(6) << 20)

static bool set(const char *s) {
    return s && *s;
}

static bool one_of(const char *s, const char *const *allowed) {
    if (!set(s))
        return true;
    for (size_t i = 0; allowed[i]; i++)
        if (!strcmp(s, allowed[i]))
            return true;
    return false;
}
#define ONE_OF(s, ...) one_of((s), (const char *const[]){__VA_ARGS__, NULL})

/* --- refused by name
 * ------------------------------------------------------------------------------- */

struct refusal {
    bool asked;
    const char *name;
};

static struct err refuse_first(const struct refusal *r, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (r[i].asked)
            return err_new(ERR_UNSUPPORTED, "%s is not supported", r[i].name);
    return OK;
}

static struct err refuse_host(const struct api_host_config *h) {
    const struct refusal list[] = {
        {set(h->cgroup), "HostConfig.Cgroup"},
        {!ONE_OF(h->isolation, "default"), "HostConfig.Isolation"},
        {!ONE_OF(h->userns_mode, "host"), "HostConfig.UsernsMode"},
        {!ONE_OF(h->cgroupns_mode, "private", "host"), "HostConfig.CgroupnsMode"},
        {!ONE_OF(h->pid_mode, "host") && !container_joins(h->pid_mode), "HostConfig.PidMode"},
        {!ONE_OF(h->uts_mode, "host"), "HostConfig.UTSMode"},
        {!ONE_OF(h->ipc_mode, "none", "private", "shareable", "host") &&
             !container_joins(h->ipc_mode),
         "HostConfig.IpcMode"},
    };
    return refuse_first(list, ARRAY_LEN(list));
}

static struct err refuse_resources(const struct api_resources *r) {
    const struct refusal list[] = {
        {r->kernel_memory_tcp != 0, "HostConfig.KernelMemoryTCP"},
        {r->cpu_count != 0, "HostConfig.CpuCount"},
        {r->cpu_percent != 0, "HostConfig.CpuPercent"},
        {r->io_maximum_iops != 0, "HostConfig.IOMaximumIOps"},
        {r->io_maximum_bandwidth != 0, "HostConfig.IOMaximumBandwidth"},
    };
    TRY(refuse_first(list, ARRAY_LEN(list)));
    const struct api_device_request *q = r->device_requests.items;
    for (size_t i = 0; i < r->device_requests.n; i++) {
        if (!q[i].driver || strcmp(q[i].driver, "cdi") != 0)
            return err_new(ERR_UNSUPPORTED,
                           "HostConfig.DeviceRequests: driver '%s' is not supported; devices by "
                           "name are: --device vendor.com/class=name (CDI)",
                           q[i].driver ? q[i].driver : "");
        if (q[i].count || q[i].capabilities.n || q[i].options.n)
            return err_new(ERR_INVALID,
                           "HostConfig.DeviceRequests: cdi takes DeviceIDs and nothing else");
        for (size_t k = 0; k < q[i].device_ids.n; k++)
            TRY(cdi_check_name(q[i].device_ids.items[k]));
    }
    return OK;
}

/* --- wrong
 * ------------------------------------------------------------------------------------------ */

static struct err check_resources(const struct api_resources *r) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (r->memory != 0 && r->memory < MEMORY_MIN)
        return err_new(ERR_INVALID, "Minimum memory limit allowed is 6MB");
    if (r->memory == 0 && r->memory_swap > 0)
        return err_new(
            ERR_INVALID,
            "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (r->memory_swap > 0 && r->memory_swap < r->memory)
        return err_new(ERR_INVALID,
                       "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (r->memory > 0 && r->memory_reservation > r->memory)
        return err_new(
            ERR_INVALID,
            "Minimum memory limit can not be less than memory reservation limit, see usage");
    if (r->memory_swappiness && (*r->memory_swappiness < -1 || *r->memory_swappiness > 100))
        return err_new(ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100",
                       (long long)*r->memory_swappiness);
    if (r->nano_cpus < 0 || r->nano_cpus > (int64_t)cpus * 1000000000)
        return err_new(ERR_INVALID,
                       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available",
                       cpus, cpus);
    if (r->nano_cpus && (r->cpu_period || r->cpu_quota))
        return err_new(ERR_INVALID,
                       "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (r->cpu_period && (r->cpu_period < 1000 || r->cpu_period > 1000000))
        return err_new(
            ERR_INVALID,
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (r->cpu_quota > 0 && r->cpu_quota < 1000)
        return err_new(ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (r->cpu_realtime_period < 0 || r->cpu_realtime_runtime < 0)
        return err_new(ERR_INVALID, "cpu real-time period and runtime cannot be negative");
    if (r->cpu_realtime_period && r->cpu_realtime_runtime > r->cpu_realtime_period)
        return err_new(ERR_INVALID,
                       "cpu real-time runtime cannot be higher than cpu real-time period");
    if (r->blkio_weight && (r->blkio_weight < 10 || r->blkio_weight > 1000))
        return err_new(ERR_INVALID, "range of blkio weight is from 10 to 1000");
    const struct api_blkio_weight *w = r->blkio_weight_device.items;
    for (size_t i = 0; i < r->blkio_weight_device.n; i++)
        if (w[i].weight < 10 || w[i].weight > 1000)
            return err_new(ERR_INVALID, "range of blkio weight device is from 10 to 1000");
    return OK;
}

static struct err check_restart(const struct api_host_config *h) {
    const char *name = h->restart_policy.name;
    int64_t most = h->restart_policy.maximum_retry_count;
    if (!ONE_OF(name, "no", "always", "unless-stopped", "on-failure"))
        return err_new(ERR_INVALID,
                       "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', "
                       "'on-failure', or 'unless-stopped'",
                       name);
    if (most < 0)
        return err_new(ERR_INVALID,
                       "invalid restart policy: maximum retry count cannot be negative");
    if (most > 0 && (!set(name) || strcmp(name, "on-failure") != 0))
        return err_new(
            ERR_INVALID,
            "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    if (h->auto_remove && set(name) && strcmp(name, "no") != 0)
        return err_new(ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
    return OK;
}

static struct err check_log(const struct api_log_config *log) {
    struct logs_options options;
    return logs_options_parse(log->type, &log->config, &options);
}

static struct err check_capabilities(const struct strs *caps, const char *what) {
    for (size_t i = 0; i < caps->n; i++) {
        const char *name = caps->items[i];
        bool known = !strcasecmp(name, "ALL");
        for (int k = 0; k < CAPS_COUNT; k++)
            known |= !strcasecmp(name, caps_name(k)) || !strcasecmp(name, caps_name(k) + 4);
        if (!known)
            return err_new(ERR_INVALID, "invalid %s: unknown capability: \"%s\"", what, name);
    }
    return OK;
}

static struct err check_ulimits(const struct objs *limits) {
    const struct api_ulimit *u = limits->items;
    for (size_t i = 0; i < limits->n; i++) {
        if (!set(u[i].name) ||
            !ONE_OF(u[i].name, "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue",
                    "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"))
            return err_new(ERR_INVALID, "invalid ulimit type: %s", u[i].name ? u[i].name : "");
        if (u[i].hard >= 0 && (u[i].soft > u[i].hard || u[i].soft < 0))
            return err_new(
                ERR_INVALID,
                "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                (long long)u[i].soft, (long long)u[i].hard);
    }
    return OK;
}

struct err container_endpoint_check(const struct api_endpoint *e) {
    struct endpoint_options options;
    if (!e)
        return OK;
    if (e->ipam_config)
        TRY(link_locals_check(&e->ipam_config->link_local_ips));
    return endpoint_options_check(&e->driver_opts, &options);
}

/* The other container's network is as it is. */
static struct err check_joining(const struct api_container_create *doc) {
    const struct api_host_config *h = doc->host;
    const struct {
        bool asked;
        const char *what;
    } list[] = {
        {set(doc->config.hostname), "hostname and the network mode"},
        {h->links.n > 0, "container type network can't be used with links. This would result in "
                         "undefined behavior"},
        {h->dns.n + h->dns_search.n + h->dns_options.n > 0, "dns and the network mode"},
        {h->extra_hosts.n > 0, "custom host-to-IP mapping and the network mode"},
        {set(doc->config.mac_address), "mac-address and the network mode"},
        {h->port_bindings.n > 0 || h->publish_all_ports,
         "port publishing and the container type network mode"},
        {doc->config.exposed_ports.n > 0, "port exposing and the container type network mode"},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (list[i].asked)
            return err_new(ERR_INVALID, "conflicting options: %s", list[i].what);
    return OK;
}

static struct err check_network(const struct api_container_create *doc) {
    const char *mode = doc->host->network_mode;
    if (set(mode) && container_joins(mode))
        TRY(check_joining(doc));
    if (set(mode) && !strcmp(mode, "host") && doc->host->links.n)
        return err_new(ERR_INVALID, "conflicting options: host type networking can't be used with "
                                    "links. This would result in undefined behavior");
    for (size_t i = 0; doc->networking && i < doc->networking->endpoints.n; i++)
        TRY(container_endpoint_check(doc->networking->endpoints.items[i].value));
    for (size_t i = 0; i < doc->host->extra_hosts.n; i++)
        TRY(network_extra_host_check(doc->host->extra_hosts.items[i]));
    if (mode && !strcmp(mode, "host") && doc->host->sysctls.n)
        for (size_t i = 0; i < doc->host->sysctls.n; i++)
            if (!strncmp(doc->host->sysctls.items[i].key, "net.", 4))
                return err_new(ERR_INVALID, "sysctl '%s' not allowed in host network namespace",
                               doc->host->sysctls.items[i].key);
    return OK;
}

static struct err check_config(const struct api_config *c) {
    int signo;
    if (set(c->working_dir) && c->working_dir[0] != '/')
        return err_new(ERR_INVALID,
                       "the working directory '%s' is invalid, it needs to be an absolute path",
                       c->working_dir);
    if (set(c->stop_signal) && !signal_parse(c->stop_signal, &signo))
        return err_new(ERR_INVALID, "invalid signal: %s", c->stop_signal);
    for (size_t i = 0; i < c->env.n; i++)
        if (c->env.items[i][0] == '=' || !c->env.items[i][0])
            return err_new(ERR_INVALID, "invalid environment variable: %s", c->env.items[i]);
    for (size_t i = 0; i < c->exposed_ports.n; i++) {
        uint8_t proto;
        uint16_t port;
        TRYF(port_parse(str_of(c->exposed_ports.items[i]), &proto, &port), "invalid exposed port");
    }
    return OK;
}

void container_discard(struct api_host_config *h, struct arena *a, struct strs *ret_warnings) {
    struct runtime_features f = {0};
    struct api_resources *r = &h->resources;
    if (r->kernel_memory != 0) {
        strs_add(ret_warnings, a,
                 "Specifying a kernel memory limit is deprecated and this kernel has none: "
                 "discarded.");
        r->kernel_memory = 0;
    }
    if (r->memory <= 0 && !r->memory_swappiness && !r->oom_kill_disable)
        return; /* looking at the host takes longer than all the rest of a create's checks */
    CLEAN_ERR struct err unknown = runtime_detect(&f);
    if (err_failed(unknown))
        return;
    if (r->memory > 0 && r->memory_swap != -1 && !f.swap) {
        strs_add(ret_warnings, a,
                 "Your kernel does not support swap limit capabilities or the cgroup is not "
                 "mounted. Memory limited without swap.");
        r->memory_swap = -1;
    }
    if (r->memory_swappiness && *r->memory_swappiness != -1 && f.cgroup_v2) {
        strs_add(ret_warnings, a,
                 "Your kernel does not support memory swappiness capabilities or the cgroup is not "
                 "mounted. Memory swappiness discarded.");
        r->memory_swappiness = NULL;
    }
    if (r->oom_kill_disable && *r->oom_kill_disable && f.cgroup_v2) {
        strs_add(ret_warnings, a,
                 "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
        r->oom_kill_disable = NULL;
    } else if (r->oom_kill_disable && *r->oom_kill_disable && r->memory == 0) {
        strs_add(ret_warnings, a,
                 "OOM killer is disabled for the container, but no memory limit is set, this can "
                 "result in the system running out of resources.");
    }
}

struct err container_validate_update(const struct api_host_config *h) {
    TRY(refuse_resources(&h->resources));
    TRY(check_resources(&h->resources));
    return check_restart(h);
}

struct err container_validate(const struct api_container_create *doc, struct arena *a,
                              struct strs *ret_warnings) {
    const struct api_host_config *h = doc->host;
    TRY(refuse_host(h));
    if (!ONE_OF(h->runtime, "corten", "runc"))
        return err_new(ERR_INVALID, "unknown or invalid runtime name: %s", h->runtime);
    TRY(refuse_resources(&h->resources));
    TRY(check_resources(&h->resources));
    TRY(check_restart(h));
    TRY(container_security_check(&h->security_opt));
    for (size_t i = 0; i < h->resources.device_cgroup_rules.n; i++)
        TRY(container_device_rule_check(h->resources.device_cgroup_rules.items[i]));
    TRY(check_log(&h->log_config));
    TRY(check_capabilities(&h->cap_add, "CapAdd"));
    TRY(check_capabilities(&h->cap_drop, "CapDrop"));
    TRY(check_ulimits(&h->resources.ulimits));
    TRY(check_network(doc));
    if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
        return err_new(ERR_INVALID, "invalid value %lld, range for oom score adj is [-1000, 1000]",
                       (long long)h->oom_score_adj);
    if (set(h->resources.cgroup_parent)) {
        CLEAN_FREE char *path = mem_printf("/%s/x", h->resources.cgroup_parent);
        CLEAN_FREE char *clean = path_clean(str_of(path));
        TRYF(cgroup_check_path(clean), "cgroup parent '%s'", h->resources.cgroup_parent);
    }
    if (h->shm_size < 0)
        return err_new(ERR_INVALID, "SHM size can not be less than 0");
    const char *mode = h->network_mode;
    if (mode && !strcmp(mode, "host") && (h->port_bindings.n || h->publish_all_ports))
        strs_add(ret_warnings, a, "Published ports are discarded when using host network mode");
    return check_config(&doc->config);
}
