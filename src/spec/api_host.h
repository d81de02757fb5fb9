/* spec/api_host.h - how a container runs on this host: HostConfig and its Resources, complete as of
 * API 1.51, so that container/ can refuse what is not supported by name instead of ignoring it.
 *
 * Source: Engine API 1.51 (HostConfig, Resources, Mount). Windows-only members are decoded too:
 * they must be refused when set, and inspect prints them as the peer does. Sizes are bytes, CPU
 * times microseconds, durations as noted. Used by container create, inspect and update.
 */
#pragma once
#include "spec/fields.h"

struct api_blkio_weight {
    char *path;
    uint16_t weight;
};
extern const struct fields api_blkio_weight_fields;

struct api_blkio_throttle {
    char *path;
    uint64_t rate;
};
extern const struct fields api_blkio_throttle_fields;

struct api_device {
    char *path_on_host;
    char *path_in_container;
    char *cgroup_permissions; /* "rwm" */
};
extern const struct fields api_device_fields;

struct api_device_request {
    char *driver;
    int64_t count; /* -1: all */
    struct strs device_ids;
    struct objs capabilities; /* OR of ANDs */
    struct strmap options;
};
extern const struct fields api_device_request_fields;

struct api_ulimit {
    char *name;
    int64_t hard; /* -1: unlimited */
    int64_t soft;
};
extern const struct fields api_ulimit_fields;

struct api_restart_policy {
    char *name; /* "", no, always, on-failure, unless-stopped */
    int64_t maximum_retry_count;
};
extern const struct fields api_restart_policy_fields;

struct api_log_config {
    char *type;
    struct strmap config;
};
extern const struct fields api_log_config_fields;

struct api_port_binding {
    char *host_ip;
    char *host_port; /* "", "8080" or "8000-8010" */
    struct strs from; /* extension: networks that may use it; none: everybody */
};
extern const struct fields api_port_binding_fields;

/* What POST /containers/{id}/update may change, and a part of HostConfig. 0 and absent are the
 * same: not set, except behind pointers. */
struct api_resources {
    int64_t cpu_shares;
    int64_t memory;
    int64_t nano_cpus; /* CPUs * 1e9 */
    char *cgroup_parent;
    uint16_t blkio_weight;
    struct objs blkio_weight_device;     /* struct api_blkio_weight */
    struct objs blkio_device_read_bps;   /* struct api_blkio_throttle */
    struct objs blkio_device_write_bps;  /* struct api_blkio_throttle */
    struct objs blkio_device_read_iops;  /* struct api_blkio_throttle */
    struct objs blkio_device_write_iops; /* struct api_blkio_throttle */
    int64_t cpu_period;                  /* microseconds */
    int64_t cpu_quota;                   /* microseconds */
    int64_t cpu_realtime_period;
    int64_t cpu_realtime_runtime;
    char *cpuset_cpus;
    char *cpuset_mems;
    struct objs devices; /* struct api_device */
    struct strs device_cgroup_rules;
    struct objs device_requests; /* struct api_device_request */
    int64_t kernel_memory;
    int64_t kernel_memory_tcp;
    int64_t memory_reservation;
    int64_t memory_swap;        /* memory + swap; -1: unlimited */
    int64_t *memory_swappiness; /* 0..100 */
    bool *oom_kill_disable;
    int64_t *pids_limit;           /* 0, -1: unlimited; update: NULL leaves it */
    struct objs ulimits;           /* struct api_ulimit */
    int64_t cpu_count;             /* Windows */
    int64_t cpu_percent;           /* Windows */
    uint64_t io_maximum_iops;      /* Windows */
    uint64_t io_maximum_bandwidth; /* Windows */
};
extern const struct fields api_resources_fields;

struct api_bind_options {
    char *propagation;
    bool non_recursive;
    bool create_mountpoint;
    bool read_only_non_recursive;
    bool read_only_force_recursive;
};
extern const struct fields api_bind_options_fields;

struct api_driver_config {
    char *name;
    struct strmap options;
};
extern const struct fields api_driver_config_fields;

struct api_volume_options {
    bool no_copy;
    struct strmap labels;
    char *subpath;
    struct api_driver_config *driver_config;
};
extern const struct fields api_volume_options_fields;

struct api_image_options {
    char *subpath;
};
extern const struct fields api_image_options_fields;

struct api_tmpfs_options {
    int64_t size_bytes;
    uint32_t mode;       /* permission bits; 0: 01777 */
    struct objs options; /* [["noexec"], ["size", "1m"]] */
};
extern const struct fields api_tmpfs_options_fields;

struct api_mount {
    char *type; /* bind volume tmpfs image; npipe and cluster are refused */
    char *source;
    char *target;
    bool read_only;
    char *consistency;
    struct api_bind_options *bind_options;
    struct api_volume_options *volume_options;
    struct api_image_options *image_options;
    struct api_tmpfs_options *tmpfs_options;
    struct str cluster_options;
};
extern const struct fields api_mount_fields;

struct api_host_config {
    struct strs binds; /* SOURCE:TARGET[:MODE] */
    char *container_id_file;
    struct api_log_config log_config;
    char *network_mode;
    struct objmap port_bindings; /* struct objs of struct api_port_binding; keys "80/tcp" */
    struct api_restart_policy restart_policy;
    bool auto_remove;
    char *volume_driver;
    struct strs volumes_from;
    uint32_t console_size[2]; /* height, width */
    struct strmap annotations;
    struct strs cap_add;
    struct strs cap_drop;
    char *cgroupns_mode; /* "", private, host */
    struct strs dns;
    struct strs dns_options;
    struct strs dns_search;
    struct strs extra_hosts;
    struct strs group_add;
    char *ipc_mode;
    char *cgroup;
    struct strs links;
    int64_t oom_score_adj;
    char *pid_mode;
    bool privileged;
    bool publish_all_ports;
    bool readonly_rootfs;
    struct strs security_opt;
    struct strmap storage_opt;
    struct strmap tmpfs; /* path -> options */
    char *uts_mode;
    char *userns_mode;
    int64_t shm_size;
    struct strmap sysctls;
    char *runtime;
    char *isolation; /* Windows */
    struct api_resources resources;
    struct objs mounts;       /* struct api_mount */
    struct strs masked_paths; /* null: the default list; []: none */
    struct strs readonly_paths;
    bool *init;
};
extern const struct fields api_host_config_fields;

/* POST /containers/{id}/update */
struct api_update {
    struct api_resources resources;
    struct api_restart_policy restart_policy;
};
extern const struct fields api_update_fields;

struct api_warnings {
    struct strs warnings;
};
extern const struct fields api_warnings_fields;
