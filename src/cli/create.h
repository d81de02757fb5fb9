/* create.h - the options of run and create, and the document that they become. Private to cli/.
 * Files: run.c (rows, run, create), create_config.c (Config), create_host.c (HostConfig),
 * create_network.c, create_check.c (what is refused here), mount_option.c (--mount). */
#pragma once
#include "cli/commands.h"

struct run_options {
    bool detach, interactive, tty, rm, read_only, publish_all, quiet, sig_proxy, init, privileged,
        no_healthcheck, oom_kill_disable, disable_trust, use_api_socket;
    const char *name, *workdir, *user, *entrypoint, *hostname, *memory_swap, *cpus, *restart,
        *stop_signal, *pull, *log_driver, *cidfile, *platform, *pid, *ipc, *uts, *userns, *cgroupns,
        *mac_address, *ip, *ip6, *cpuset_cpus, *cpuset_mems, *domainname, *detach_keys,
        *cgroup_parent, *runtime, *volume_driver, *isolation, *health_cmd, *health_interval,
        *health_timeout, *health_start_period, *health_start_interval, *on_unhealthy, *gpus, *cause,
        *systemd_unit;
    int64_t stop_timeout, pids_limit, cpu_shares, oom_score_adj, memory, memory_reservation,
        kernel_memory, shm_size, swappiness, cpu_period, cpu_quota, rt_period, rt_runtime,
        cpu_count, cpu_percent, io_bandwidth, io_iops, blkio_weight, health_retries;
    struct strv env, env_file, volumes, publish, expose, labels, label_file, cap_add, cap_drop,
        group_add, tmpfs, dns, dns_option, dns_search, add_host, security_opt, log_opt, ulimit,
        sysctl, attach, annotation, device, device_rule, link, link_local, mount, network, alias,
        storage_opt, volumes_from, blkio_device, read_bps, read_iops, write_bps, write_iops;
};

/* Which streams are attached; ERR_INVALID for a name that is none. */
struct attached_streams {
    bool in, out, err;
};
struct err create_streams(const struct run_options *o, struct attached_streams *ret);
struct err create_config(struct invocation *in, struct api_config *c);
struct err create_host(struct invocation *in, struct api_container_create *doc);
struct err create_networks(struct invocation *in, struct api_container_create *doc);
/* An absolute, clean path for one that is relative to where we are. */
char *path_here(const char *path, struct arena *a);
/* type=bind,source=…,target=… */
struct err mount_option(const char *text, struct api_mount *ret, struct arena *a);
/* name[:max] of --restart. */
struct err restart_option(const char *text, struct api_restart_policy *ret, struct arena *a);
/* Resources, as create and update have them. */
struct err ulimit_options(const struct strv *from, struct objs *to, struct arena *a);
/* NAME=VALUE lines of a file, NAME alone takes the environment's (env) or nothing (label). */
struct err env_file_option(const char *path, struct strs *env, struct arena *a);
/* -e: NAME=VALUE; NAME takes our own value, and takes the variable away when we have none. The last
 * one of a name counts. */
struct err env_options(const struct strv *from, struct strs *env, struct arena *a);
/* create_check.c: OK, or ERR_INVALID that names option and text. */
struct err env_check(const char *text);
struct err dns_check(const struct run_options *o); /* warns of servers on the loopback */
struct err sysctl_check(const struct strv *sysctls);
struct err device_rules_check(const struct strv *rules);
struct err mac_check(const char *text);
struct err modes_check(const struct run_options *o);
struct err volume_check(const char *text);
struct err links_check(const struct strv *links);
bool device_is_cdi(const char *text); /* vendor/class=name */
/* NAME:ADDRESS, as the daemon takes it. */
struct err host_option(const char *text, struct strs *to, struct arena *a);
/* CAP_…, sorted, once each. */
void capability_options(const struct run_options *o, struct strs *add, struct strs *drop,
                        struct arena *a);
/* By key, as the peer writes maps. */
void strmap_sort(struct strmap *m);
/* "ctrl-p,ctrl-q" → bytes; what is given, else the configuration's, else that. ERR_INVALID. */
struct err detach_keys_option(const char *given, const struct invocation *in, struct buf *ret);
