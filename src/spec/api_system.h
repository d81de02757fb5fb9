/* spec/api_system.h - version, info, events, disk usage, registry credentials, errors.
 *
 * Source: Engine API 1.51 (SystemVersion, SystemInfo, EventMessage, SystemDataUsageResponse,
 * AuthConfig).
 */
#pragma once
#include "spec/api_container.h"
#include "spec/api_volume.h"

struct api_error {
    char *message;
};
extern const struct fields api_error_fields;

struct api_platform_name {
    char *name;
};
extern const struct fields api_platform_name_fields;

struct api_component {
    char *name;
    char *version;
    struct strmap details;
};
extern const struct fields api_component_fields;

struct api_version {
    struct api_platform_name platform;
    struct objs components; /* struct api_component */
    char *version;
    char *api_version;
    char *min_api_version;
    char *git_commit;
    char *go_version; /* the toolchain */
    char *os;
    char *arch;
    char *kernel_version;
    bool experimental;
    char *build_time;
};
extern const struct fields api_version_fields;

struct api_plugins {
    struct strs volume;
    struct strs network;
    struct strs authorization;
    struct strs log;
};
extern const struct fields api_plugins_fields;

struct api_commit_id {
    char *id;
    char *expected;
};
extern const struct fields api_commit_id_fields;

struct api_address_pool {
    char *base;
    int64_t size;
};
extern const struct fields api_address_pool_fields;

struct api_firewall {
    char *driver;
    struct objs info; /* pairs */
};
extern const struct fields api_firewall_fields;

struct api_index_config {
    char *name;
    struct strs mirrors;
    bool secure;
    bool official;
};
extern const struct fields api_index_config_fields;

struct api_registry_config {
    struct strs nondistributable_cidrs;
    struct strs nondistributable_hosts;
    struct strs insecure_cidrs;
    struct objmap index_configs; /* struct api_index_config */
    struct strs mirrors;
};
extern const struct fields api_registry_config_fields;

struct api_runtime {
    char *path;
    struct strs args;
    char *type;
    struct strmap status;
};
extern const struct fields api_runtime_fields;

struct api_device_info {
    char *source;
    char *id;
};
extern const struct fields api_device_info_fields;

struct api_swarm_info {
    char *node_id;
    char *node_addr;
    char *local_node_state; /* "inactive" */
    bool control_available;
    char *error;
    struct strs remote_managers;
};
extern const struct fields api_swarm_info_fields;

struct api_info {
    char *id;
    int64_t containers;
    int64_t containers_running;
    int64_t containers_paused;
    int64_t containers_stopped;
    int64_t images;
    char *driver;
    struct objs driver_status; /* pairs */
    struct api_plugins plugins;
    bool memory_limit;
    bool swap_limit;
    bool kernel_memory_tcp;
    bool cpu_cfs_period;
    bool cpu_cfs_quota;
    bool cpu_shares;
    bool cpu_set;
    bool pids_limit;
    bool ipv4_forwarding;
    bool bridge_nf_iptables;
    bool bridge_nf_ip6tables;
    bool debug;
    int64_t n_fd;
    bool oom_kill_disable;
    int64_t n_goroutines;
    int64_t system_time;
    char *logging_driver;
    char *cgroup_driver;
    char *cgroup_version;
    int64_t n_events_listener;
    char *kernel_version;
    char *operating_system;
    char *os_version;
    char *os_type;
    char *architecture;
    char *index_server_address;
    struct api_registry_config registry_config;
    int64_t n_cpu;
    int64_t mem_total;
    struct strs generic_resources;
    char *docker_root_dir;
    char *http_proxy;
    char *https_proxy;
    char *no_proxy;
    char *name;
    struct strs labels;
    bool experimental_build;
    char *server_version;
    struct objmap runtimes; /* struct api_runtime */
    char *default_runtime;
    struct api_swarm_info swarm;
    bool live_restore_enabled;
    char *isolation;
    char *init_binary;
    struct api_commit_id containerd_commit;
    struct api_commit_id runc_commit;
    struct api_commit_id init_commit;
    struct strs security_options; /* "name=seccomp,profile=builtin" */
    char *product_license;
    struct objs default_address_pools; /* struct api_address_pool */
    struct api_firewall *firewall_backend;
    struct strs cdi_spec_dirs;
    struct objs discovered_devices; /* struct api_device_info */
    struct strs warnings;
};
extern const struct fields api_info_fields;

struct api_actor {
    char *id;
    struct strmap attributes;
};
extern const struct fields api_actor_fields;

/* One line of GET /events. status, id and from repeat action, actor id and image for old clients;
 * they are there for containers (all three) and images (the first two). */
struct api_event {
    char *status;
    char *id;
    char *from;
    char *type;
    char *action;
    struct api_actor actor;
    char *scope;
    int64_t time; /* unix seconds */
    int64_t time_nano;
};
extern const struct fields api_event_fields;

/* GET /system/df */
struct api_disk_usage {
    int64_t layers_size;
    struct objs images;      /* struct api_image_summary */
    struct objs containers;  /* struct api_container_summary */
    struct objs volumes;     /* struct api_volume */
    struct objs build_cache; /* struct api_build_cache */
};
extern const struct fields api_disk_usage_fields;

/* POST /auth, X-Registry-Auth (base64url of this), values of X-Registry-Config. */
struct api_auth {
    char *username;
    char *password;
    char *auth; /* base64 of user:password */
    char *email;
    char *server_address;
    char *identity_token;
    char *registry_token;
};
extern const struct fields api_auth_fields;

struct api_auth_status {
    char *identity_token;
    char *status;
};
extern const struct fields api_auth_status_fields;

/* GET /distribution/{name}/json */
struct api_distribution {
    struct oci_descriptor descriptor;
    struct objs platforms; /* struct oci_platform */
};
extern const struct fields api_distribution_fields;

/* GET /corten/manifest?name=: ours. */
struct api_manifest {
    struct oci_descriptor descriptor;
    char *text; /* the manifest or index, byte for byte as the registry has it */
};
extern const struct fields api_manifest_fields;

/* GET /corten/referrers?name=REF&artifactType=TYPE: what refers to it at its registry. */
struct api_referrers {
    char *subject;         /* digest of what the name stands for */
    bool listed;           /* the registry lists them; else they were found by their tag */
    struct objs referrers; /* struct oci_descriptor */
};
extern const struct fields api_referrers_fields;
